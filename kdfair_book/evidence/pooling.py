"""One answer out of several studies: what they have in common, and what that says beyond them.

Stated before any pooled result was looked at:

- The unit is a study. A study's attributes (or spaces of distance) share its students, so they are
  averaged first: seed by seed where a test gives an effect a seed, so that the spread between seeds
  holds their dependence; else the average's error is taken to be the average error, which is right
  if they move together and too large if they do not.
- The pooled effect is the plain mean over studies. With three or five seeds a study's variance is
  known too badly to weigh it by.
- *These studies*: is the mean over just these studies above zero? Its error comes from their seeds
  (and test examples); degrees of freedom are Satterthwaite's. Studies may differ as they like.
- *Studies like these*: is the mean over all studies of which these are a sample above zero? Its
  error comes from the spread between studies: Student's t over studies, which is Hartung and
  Knapp's method with equal weights. It needs no variance within a study and allows any spread
  between them, at the price of few degrees of freedom. DerSimonian and Laird's interval, which
  takes the spread between studies as known, is too short with so few.
- A count's trend (#SC, #TC) has no effect a seed: its one-sided p-values, halved where tied
  (mid-p), are combined by Stouffer's method.

How often each is wrong where nothing is to be found, and right where something is, was simulated:
:mod:`kdfair_book.evidence.pooling_simulated`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Array = NDArray[Any]


@dataclass(frozen=True)
class Part:
    """What one study adds.

    Attributes
    ----------
    effect : float
    variance : float
        Of the effect, squared standard error; NaN if not known.
    df : float
        Degrees of freedom of the variance.
    """

    effect: float
    variance: float
    df: float


@dataclass(frozen=True)
class Pooled:
    """A pooled effect with p-values (one-sided) and a 95 % interval.

    Attributes
    ----------
    effect, low, high : float
    p_value, p_opposite : float
    df : float
    n : int
        Studies.
    """

    effect: float
    low: float
    high: float
    p_value: float
    p_opposite: float
    df: float
    n: int


@dataclass(frozen=True)
class Heterogeneity:
    """How much studies differ beyond their errors (DerSimonian and Laird's moments).

    Attributes
    ----------
    q, p_value : float
        Cochran's Q, and its p-value: that studies differ no more than their errors.
    i2 : float
        Share of the spread that is not error, 0 to 1.
    tau : float
        Deviation of true effects between studies.
    """

    q: float
    p_value: float
    i2: float
    tau: float


def from_seeds(by_seed: ArrayLike) -> Part:
    """A study out of effects ``[attribute, seed]``; attributes are averaged seed by seed."""
    table = np.atleast_2d(np.asarray(by_seed, dtype=float))
    seeds = table.mean(axis=0)
    n = len(seeds)
    if n < 2:
        raise ValueError(f"got effects of {n} seed; expected two or more")
    return Part(float(seeds.mean()), float(seeds.var(ddof=1) / n), n - 1)


def from_errors(effects: ArrayLike, errors: ArrayLike, df: float = np.inf) -> Part:
    """A study out of effects and standard errors ``[attribute]``, as if they moved together."""
    effects, errors = np.asarray(effects, float), np.asarray(errors, float)
    return Part(float(effects.mean()), float(errors.mean() ** 2), df)


def these(parts: Sequence[Part]) -> Pooled:
    """The mean over these studies, with the error of their seeds and examples."""
    effects, variances = _columns(parts)
    if np.isnan(variances).any():
        raise ValueError("a study has no variance; expected one of each")
    k = len(parts)
    total = variances.sum()
    spent = sum(v**2 / part.df for v, part in zip(variances, parts, strict=True))
    df = total**2 / spent if spent > 0 else np.inf  # Satterthwaite
    return _student(float(effects.mean()), float(np.sqrt(total)) / k, float(df), k)


def studies_like_these(parts: Sequence[Part]) -> Pooled:
    """The mean over studies of which these are a sample: Student's t over studies."""
    effects, _ = _columns(parts)
    k = len(parts)
    if k < 2:
        raise ValueError(f"got {k} study; a spread between studies needs two or more")
    return _student(float(effects.mean()), float(effects.std(ddof=1) / np.sqrt(k)), k - 1, k)


def heterogeneity(parts: Sequence[Part]) -> Heterogeneity:
    """Cochran's Q, I squared and tau; NaN where a study's variance is zero or not known."""
    effects, variances = _columns(parts)
    if not (variances > 0).all() or len(parts) < 2:
        return Heterogeneity(np.nan, np.nan, np.nan, np.nan)
    w, df = 1 / variances, len(parts) - 1
    q = float((w * (effects - (w * effects).sum() / w.sum()) ** 2).sum())
    tau2 = max(0.0, (q - df) / (w.sum() - (w**2).sum() / w.sum()))
    i2 = max(0.0, 1 - df / q) if q > 0 else 0.0
    return Heterogeneity(q, float(stats.chi2.sf(q, df)), i2, float(np.sqrt(tau2)))


def combined(p_values: ArrayLike, p_opposite: ArrayLike, *, least: float = 1 / 4000) -> Any:
    """One-sided p-values of permutation tests, combined by Stouffer's method.

    Parameters
    ----------
    p_values, p_opposite : float array [study]
        Share of permutations at least as far, one way and the other; both count ties.
    least : float
        No mid-p is taken to be smaller, since permutations are few.

    Returns
    -------
    tuple of float
        For and against.
    """
    above, below = np.asarray(p_values, float), np.asarray(p_opposite, float)
    middle = np.clip((above + 1 - below) / 2, least, 1 - least)
    for_it = stats.combine_pvalues(middle, method="stouffer").pvalue
    return float(for_it), float(1 - for_it)


def _columns(parts: Sequence[Part]) -> tuple[Array, Array]:
    if not parts:
        raise ValueError("got no study; expected one or more")
    return np.array([p.effect for p in parts]), np.array([p.variance for p in parts])


def _student(effect: float, error: float, df: float, n: int) -> Pooled:
    if error == 0:
        above = 0.5 if effect == 0 else float(effect < 0)
        return Pooled(effect, effect, effect, above, 1 - above, df, n)
    law = stats.norm() if np.isinf(df) else stats.t(df)
    half = float(law.ppf(0.975)) * error
    above, below = float(law.sf(effect / error)), float(law.cdf(effect / error))
    return Pooled(effect, effect - half, effect + half, above, below, df, n)
