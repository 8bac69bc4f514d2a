"""Intervals and tests of one rate, and of the change of a rate between two models.

Where a model has several runs, two things are left to chance: which examples were tested, and
which seeds were drawn. All runs were tested on the same examples, so their example luck is taken
to be shared; the two half-widths are combined as the root of the sum of squares.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Floats = NDArray[np.float64]

EXACT_STEPS = 4000  # up to here the sign-flip distribution is written out, beyond it is normal


class Interval(NamedTuple):
    """An estimate and the ends of its interval; NaN where it is undefined."""

    value: Floats
    low: Floats
    high: Floats


def wilson(rate: ArrayLike, n: ArrayLike, *, level: float) -> tuple[Floats, Floats]:
    """Wilson's score interval (1927) of a rate among ``n`` examples; NaN where ``n`` is 0."""
    rate, n = np.broadcast_arrays(np.asarray(rate, float), np.asarray(n, float))
    z2 = stats.norm.ppf((1 + level) / 2) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        center = (rate + z2 / (2 * n)) / (1 + z2 / n)
        half = np.sqrt(z2 * (rate * (1 - rate) / n + z2 / (4 * n**2))) / (1 + z2 / n)
    nothing = n <= 0
    low = np.where(rate <= 0, 0.0, center - half)  # exactly, where rounding would miss it
    high = np.where(rate >= 1, 1.0, center + half)
    return np.where(nothing, np.nan, low), np.where(nothing, np.nan, high)


def share(hits: ArrayLike, n: ArrayLike) -> Floats:
    """Hits among ``n``; NaN where ``n`` is 0."""
    hits = np.asarray(hits, float)
    n = np.broadcast_to(np.asarray(n, float), hits.shape)
    return np.divide(hits, n, out=np.full(hits.shape, np.nan), where=n > 0)


def mean_rate(hits: ArrayLike, n: ArrayLike, *, level: float) -> Interval:
    """Rate of each run, averaged over runs.

    Parameters
    ----------
    hits : array [run, ...]
    n : array [...] or [run, ...]
        Examples; the mean over runs where they differ by run, as predicted classes do.
    """
    n = np.broadcast_to(np.asarray(n, float), np.shape(hits))
    rates = share(hits, n)
    value = rates.mean(axis=0)
    low, high = wilson(value, n.mean(axis=0), level=level)
    seeds = seed_half_width([rates], level=level)
    return Interval(
        value,
        np.clip(value - np.hypot(value - low, seeds), 0, 1),
        np.clip(value + np.hypot(high - value, seeds), 0, 1),
    )


def seed_half_width(sides: list[Floats], *, level: float) -> Floats:
    """Half-width that the choice of seeds adds to a mean over runs, or a difference of means.

    Student's t, with Welch's degrees of freedom for two sides. A side of one run adds nothing:
    what is said is then said of that very run.

    Parameters
    ----------
    sides : list of float array [run, ...]
    """
    several = [side for side in sides if len(side) > 1]
    if not several:
        return np.zeros(sides[0].shape[1:])
    variances = [side.var(axis=0, ddof=1) / len(side) for side in several]
    total = np.sum(variances, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        pairs = zip(variances, several, strict=True)
        df = total**2 / np.sum([v**2 / (len(side) - 1) for v, side in pairs], axis=0)
    half = stats.t.ppf((1 + level) / 2, np.where(total > 0, df, 1.0)) * np.sqrt(total)
    return np.where(total > 0, half, np.where(np.isnan(total), np.nan, 0.0))


def paired_change(table: ArrayLike, *, level: float) -> Interval:
    """Change of accuracy from model a to model b on the same examples, runs averaged.

    For one run of each, Bonett and Price's adjusted Wald interval (2012); with more runs the same
    adjustment, one example added to each side of the change, to the mean over runs by example.
    The seeds' share is not in it.

    Parameters
    ----------
    table : array [..., right a, right b]
        Examples by the number of runs of a, and of b, that are right.
    """
    table = np.asarray(table, float)
    change = np.add.outer(-_steps(table.shape[-2]), _steps(table.shape[-1]))
    n = table.sum(axis=(-2, -1))
    with np.errstate(divide="ignore", invalid="ignore"):
        value = (table * change).sum(axis=(-2, -1)) / n
        adjusted = (table * change).sum(axis=(-2, -1)) / (n + 2)
        squares = ((table * change**2).sum(axis=(-2, -1)) + 2) / (n + 2)
    half = stats.norm.ppf((1 + level) / 2) * np.sqrt((squares - adjusted**2) / (n + 2))
    nothing = n == 0
    low = np.where(nothing, np.nan, np.clip(adjusted - half, -1, 1))
    return Interval(value, low, np.where(nothing, np.nan, np.clip(adjusted + half, -1, 1)))


def paired_test(table: ArrayLike) -> float:
    """Two-sided p-value that b is right as often as a, from the examples on which they differ.

    One run of each: McNemar's test, exact. More: the sign-flip test on the examples' changes,
    runs averaged; exact where small, which for one run of each is the same.

    Parameters
    ----------
    table : array [right a, right b]

    Returns
    -------
    float
        NaN without examples; 1 where the models never differ.
    """
    table = np.asarray(table)
    if table.sum() == 0:
        return float("nan")
    runs_a, runs_b = table.shape[0] - 1, table.shape[1] - 1
    step = np.add.outer(-np.arange(runs_a + 1) * runs_b, np.arange(runs_b + 1) * runs_a)
    counts = {
        int(size): int(table[np.abs(step) == size].sum())
        for size in np.unique(np.abs(step[step != 0]))
    }
    counts = {size: count for size, count in counts.items() if count}
    observed = abs(int((table * step).sum()))
    if not counts or observed == 0:
        return 1.0
    if runs_a == runs_b == 1:
        discordant = counts[1]
        return min(1.0, float(2 * stats.binom.cdf((discordant - observed) // 2, discordant, 0.5)))
    if sum(size * count for size, count in counts.items()) <= EXACT_STEPS:
        return _sign_flip(counts, observed)
    spread = np.sqrt(sum(size**2 * count for size, count in counts.items()))
    return float(2 * stats.norm.sf(observed / spread))


def _sign_flip(counts: dict[int, int], observed: int) -> float:
    """P(|sum of +-size| >= observed) over all signs."""
    distribution = np.ones(1)
    for size, count in counts.items():
        signs = np.zeros(2 * size * count + 1)
        signs[:: 2 * size] = stats.binom.pmf(np.arange(count + 1), count, 0.5)
        distribution = np.convolve(distribution, signs)
    reach = len(distribution) // 2
    sums = np.abs(np.arange(-reach, reach + 1))
    return min(1.0, float(distribution[sums >= observed].sum()))


def gap_to_rest(hits: float, n: float, rest_hits: float, rest: float, *, level: float) -> Interval:
    """Rate of a group minus that of all others: Newcombe's score interval (1998, method 10)."""
    if n <= 0 or rest <= 0:
        nothing = np.array(np.nan)
        return Interval(nothing, nothing, nothing)
    p, q = hits / n, rest_hits / rest
    (p_low, p_high), (q_low, q_high) = (wilson(p, n, level=level), wilson(q, rest, level=level))
    value = np.array(p - q)
    return Interval(
        value, value - np.hypot(p - p_low, q_high - q), value + np.hypot(p_high - p, q - q_low)
    )


def _steps(size: int) -> Floats:
    return np.arange(size) / (size - 1)
