"""Welch's t-test on whole arrays at once; the correction for testing many classes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from kdfair_core import asked

Floats = NDArray[np.float64]


def welch(a: ArrayLike, b: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Welch's two-sided t-test of a against b along the first axis.

    Gives the numbers of ``scipy.stats.ttest_ind(a, b, equal_var=False)``, and no warning where
    neither side varies.

    Parameters
    ----------
    a, b : float array [run, ...]
        At least two runs each; the other axes are tested separately.

    Returns
    -------
    statistic, p_value, df : float arrays [...]
        Where neither side varies: NaN if the means agree (nothing was tested), else an infinite
        statistic and p = 0. Deviations at the level of rounding count as none.
    """
    a, b = asked.floats("a", a), asked.floats("b", b)
    runs = [len(side) if side.ndim else 0 for side in (a, b)]
    if min(runs) < 2:
        raise ValueError(f"got {runs[0]} and {runs[1]} runs; expected at least two of each")
    return welch_from_moments(moments(a), moments(b))


class Moments(NamedTuple):
    """Mean, squared standard error of the mean (both ``[...]``), and number of runs."""

    mean: Floats
    error: Floats
    n: int


def moments(runs: Floats) -> Moments:
    """What Welch's test needs of runs ``[run, ...]``."""
    return Moments(runs.mean(axis=0), runs.var(axis=0, ddof=1) / len(runs), len(runs))


def welch_from_moments(a: Moments, b: Moments) -> tuple[Floats, Floats, Floats]:
    """:func:`welch` from the moments of both sides, which broadcast (Welch 1947)."""
    rounding = 8 * np.finfo(float).eps * np.maximum(np.abs(a.mean), np.abs(b.mean))
    error_a = np.where(a.error * a.n <= rounding**2, 0.0, a.error)
    error_b = np.where(b.error * b.n <= rounding**2, 0.0, b.error)
    gap = a.mean - b.mean
    gap = np.where(np.abs(gap) <= rounding, 0.0, gap)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = gap / np.sqrt(error_a + error_b)
        df = (error_a + error_b) ** 2 / (error_a**2 / (a.n - 1) + error_b**2 / (b.n - 1))
    p_value = 2 * special.stdtr(np.where(np.isnan(df), 1.0, df), -np.abs(statistic))
    return statistic, np.asarray(p_value), df


def benjamini_hochberg(p_values: ArrayLike) -> Floats:
    """Adjusted p-values that bound the false discovery rate (Benjamini and Hochberg 1995).

    Of p-values ``[test]``; NaN marks what was not tested, stays NaN and does not count as a test.
    Rejecting those at most ``q`` keeps the expected share of false rejections among all rejections
    at ``q``, for independent and positively dependent tests.
    """
    p = asked.floats("p_values", p_values)
    if p.ndim != 1:
        raise ValueError(f"p_values has shape {p.shape}; expected [test]")
    adjusted = np.full(p.shape, np.nan)
    tested = ~np.isnan(p)
    if tested.any():
        adjusted[tested] = stats.false_discovery_control(p[tested])
    return adjusted
