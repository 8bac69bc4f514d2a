"""Tests of what a table prints: means and deviations over runs, or one number a temperature.

Nothing here sees a run. What each test assumes:

- :func:`welch` and :func:`trend_of_means`: runs are independent, also between the models compared;
  a printed deviation is that of single runs (dividing by n - 1), and the mean's error is that over
  the square root of the runs. Runs of one seed that resemble each other make both tests too
  cautious. Deviations are printed to two decimals; each is taken at the upper end of what rounds
  to it.
- :func:`trend_of_order`: if temperature did nothing, the numbers of all temperatures could have
  come in any order. No deviation is needed.
- :func:`more_than_chance`: within a temperature the tests of different classes are independent;
  nothing is assumed about different temperatures, which share their non-distilled students.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from kdfair_book.evidence.trends import spearman

Array = NDArray[Any]

ROUNDING = 0.005
"""Half of the last digit that the paper prints of a deviation."""

ORDERS = 9999
"""Orders that are drawn where there are more than as many."""


class Summary(NamedTuple):
    """A test from summaries: p-values one-sided, for and against; a 95 % interval of the effect."""

    statistic: float
    p_value: float
    p_opposite: float
    effect: float
    low: float
    high: float


def welch(
    mean_a: float, sd_a: float, mean_b: float, sd_b: float, *, n: int, rounding: float = ROUNDING
) -> Summary:
    """Welch's t-test from summaries: is a above b?

    Parameters
    ----------
    mean_a, sd_a, mean_b, sd_b : float
        Mean and deviation over n runs each.
    n : int
        From two.
    rounding : float
        Added to each deviation.

    Returns
    -------
    Summary
        ``effect`` is a less b.
    """
    _need_runs(n)
    found = stats.ttest_ind_from_stats(
        *(mean_a, sd_a + rounding, n, mean_b, sd_b + rounding, n),
        equal_var=False,
        alternative="greater",
    )
    gap = mean_a - mean_b
    error, df = _satterthwaite(np.array([sd_a, sd_b]) + rounding, np.ones(2), n)
    half = float(stats.t.ppf(0.975, df)) * error
    return Summary(
        float(found.statistic),
        float(found.pvalue),
        1 - float(found.pvalue),
        gap,
        gap - half,
        gap + half,
    )


def trend_of_means(
    means: ArrayLike, sds: ArrayLike, *, n: int, rounding: float = ROUNDING
) -> Summary:
    """Do means rise over ordered conditions? A linear contrast with Welch's degrees of freedom.

    Parameters
    ----------
    means, sds : float array [condition]
        Over n runs each, conditions in their order.
    n : int
        From two.
    rounding : float
        Added to each deviation.

    Returns
    -------
    Summary
        ``effect`` is how much the fitted line rises from the first condition to the last, in the
        unit of the means.

    Raises
    ------
    ValueError
        For other shapes, NaN, or fewer than three conditions.
    """
    _need_runs(n)
    means, sds = np.asarray(means, float), np.asarray(sds, float)
    if means.ndim != 1 or means.shape != sds.shape or len(means) < 3:
        raise ValueError(
            f"got means of shape {means.shape} and deviations of {sds.shape}; expected as many of "
            "each, one a condition, from three"
        )
    if not (np.isfinite(means).all() and np.isfinite(sds).all()):
        raise ValueError("means or deviations hold NaN; a trend of means needs both everywhere")
    k = len(means)
    position = np.arange(k) - (k - 1) / 2
    weights = position * (k - 1) / (position**2).sum()  # slope times the number of steps
    effect = float(weights @ means)
    error, df = _satterthwaite(sds + rounding, weights, n)
    t, half = effect / error, float(stats.t.ppf(0.975, df)) * error
    above, below = float(stats.t.sf(t, df)), float(stats.t.cdf(t, df))
    return Summary(t, above, below, effect, effect - half, effect + half)


def trend_of_order(values: ArrayLike, *, seed: int = 0) -> Summary:
    """Do numbers rise over ordered conditions? A permutation test of their order.

    Parameters
    ----------
    values : float array [condition]
        From three.

    Returns
    -------
    Summary
        ``effect`` is Spearman's rank correlation with the order, 0 where all values are equal;
        there is no interval. Exact up to seven conditions, else from 9,999 drawn orders.
    """
    series = np.asarray(values, dtype=float)
    if series.ndim != 1 or len(series) < 3 or np.isnan(series).any():
        raise ValueError(f"got {values!r}; expected a list of three numbers or more")
    if np.ptp(series) == 0:
        return Summary(0.0, 1.0, 1.0, 0.0, np.nan, np.nan)
    found = stats.permutation_test(
        (series,),
        lambda x, axis=-1: spearman(np.moveaxis(x, axis, -1)),
        permutation_type="pairings",
        vectorized=True,
        n_resamples=ORDERS,
        alternative="greater",
        rng=np.random.default_rng(seed),
    )
    null, effect = found.null_distribution, float(found.statistic)
    exact = len(null) <= ORDERS and len(series) <= 7
    lower = (null <= effect + 1e-9).sum()
    opposite = lower / len(null) if exact else (lower + 1) / (len(null) + 1)
    return Summary(effect, float(found.pvalue), float(opposite), effect, np.nan, np.nan)


def more_than_chance(counts: ArrayLike, n_classes: int, *, level: float = 0.05) -> Summary:
    """Are more classes significant than chance gives, at one temperature or another?

    Parameters
    ----------
    counts : int array [temperature]
        Significant classes.
    n_classes : int
    level : float
        Of each class's test.

    Returns
    -------
    Summary
        ``effect`` is the mean share of classes less the level; its interval is Clopper and
        Pearson's as if all temperatures were one. p-values are the binomial's at the most extreme
        temperature, times the number of temperatures (Bonferroni).
    """
    found = np.asarray(counts, dtype=float)
    if found.ndim != 1 or not len(found) or (found < 0).any() or (found > n_classes).any():
        raise ValueError(f"got {counts!r}; expected counts from 0 to {n_classes}")
    above = stats.binom.sf(found - 1, n_classes, level).min() * len(found)
    below = stats.binom.cdf(found, n_classes, level).min() * len(found)
    mean = float(found.mean())
    low = stats.beta.ppf(0.025, mean, n_classes - mean + 1) if mean > 0 else 0.0
    high = stats.beta.ppf(0.975, mean + 1, n_classes - mean) if mean < n_classes else 1.0
    effect = mean / n_classes - level
    return Summary(
        mean, min(1.0, above), min(1.0, below), effect, float(low) - level, float(high) - level
    )


def _satterthwaite(sds: Array, weights: Array, n: int) -> tuple[float, float]:
    """Standard error of a weighted sum of means of n runs, and its degrees of freedom."""
    parts = (weights * sds) ** 2 / n
    total = parts.sum()
    if total == 0:
        raise ValueError("no deviation above zero was given, so that the error is not known")
    return float(np.sqrt(total)), float(total**2 / (parts**2 / (n - 1)).sum())


def _need_runs(n: int) -> None:
    if n < 2:
        raise ValueError(f"n is {n!r}; expected two runs or more")
