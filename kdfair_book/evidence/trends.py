"""Does something rise as the temperature rises? Rank trend tests with seeds as blocks.

The tests were chosen, and the temperatures fixed (1 to 10, the paper's usual range), before any
result was looked at.
"""

from __future__ import annotations

from itertools import permutations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from kdfair_core.metrics.significance import moments, welch_from_moments

Array = NDArray[Any]

ALTERNATIVES = ("increasing", "decreasing", "two-sided")
# Up to this many conditions the null distribution is listed; with more it is close to normal.
EXACT_UP_TO = 6


class Trend(NamedTuple):
    """A rank trend test.

    ``effect`` is the mean over blocks of Spearman's correlation with the order of the conditions
    (``by_block``): 1 where every block rises at each step, -1 where every block falls.
    ``p_value`` is in the direction asked for, ``p_opposite`` in the other.
    """

    statistic: float
    p_value: float
    p_opposite: float
    effect: float
    by_block: Array
    n_blocks: int
    n_conditions: int


class CountTrend(NamedTuple):
    """A trend of the number of significant classes over temperatures.

    ``statistic`` sums count times position of the temperature, less what it is on average over
    orders; ``permuted`` are those of permuted temperatures. ``effect`` is the correlation
    of the counts with their positions, which has the sign of ``statistic``; 0 where all counts are
    the same. ``p_value`` is one-sided in the direction asked for,
    ``p_opposite`` in the other.
    """

    counts: NDArray[np.int64]
    statistic: float
    permuted: Array
    effect: float
    p_value: float
    p_opposite: float


def page_test(values: ArrayLike, *, alternative: str = "increasing") -> Trend:
    """Page's trend test (1963): do values rise over ordered conditions within blocks?

    Within each block the conditions are ranked; L sums rank times position. Only the order within
    a block counts, so blocks may differ in level and in spread.

    Parameters
    ----------
    values : float array [block, condition]
        Conditions in their order, for instance a row a seed and a column a temperature. Ties get
        mean ranks.
    alternative : str
        "increasing", "decreasing" or "two-sided".

    Returns
    -------
    Trend
        The p-value is exact up to six conditions, else from the normal approximation with the
        variance corrected for ties. NaN where every block is all ties.

    Raises
    ------
    ValueError
        For other shapes, fewer than two conditions, NaN, and an unknown alternative.
    """
    table = np.asarray(values, dtype=float)
    if table.ndim != 2 or table.shape[0] < 1 or table.shape[1] < 2:
        raise ValueError(
            f"values has shape {table.shape}; expected [block, condition], from two conditions"
        )
    if np.isnan(table).any():
        raise ValueError(f"values holds {int(np.isnan(table).sum())} NaN")
    if alternative not in ALTERNATIVES:
        raise ValueError(
            f"unknown alternative {alternative!r}; expected one of {', '.join(ALTERNATIVES)}"
        )
    n_blocks, k = table.shape
    ranks = stats.rankdata(table, axis=1)
    centered = ranks - (k + 1) / 2
    position = np.arange(1, k + 1) - (k + 1) / 2
    statistic = float((ranks * np.arange(1, k + 1)).sum())
    spreads = (centered**2).sum(axis=1)
    score = centered @ position  # [block], mean 0 if the order is random
    usable = spreads > 0
    if not usable.any():
        nothing = float("nan")
        return Trend(statistic, nothing, nothing, nothing, np.full(n_blocks, nothing), n_blocks, k)
    by_block = spearman(table)
    above, below = (
        _exact_tails(centered, position, float(score.sum()))
        if k <= EXACT_UP_TO
        else _normal_tails(float(score.sum()), spreads, position)
    )
    p_value, p_opposite = {
        "increasing": (above, below),
        "decreasing": (below, above),
        "two-sided": (min(1.0, 2 * min(above, below)),) * 2,
    }[alternative]
    effect = float(by_block.mean())
    return Trend(statistic, p_value, p_opposite, effect, by_block, n_blocks, k)


def count_trend(
    reference: ArrayLike,
    students: ArrayLike,
    *,
    level: float = 0.05,
    alternative: str = "increasing",
    paired: bool = False,
    n_permutations: int = 2000,
    seed: int = 0,
) -> CountTrend:
    """Does the number of significant classes rise over temperatures? A permutation test.

    A count of significant classes is one number for all seeds, so Page's test, which ranks within
    seeds, does not apply. If temperature changed nothing, every order of a seed's students would be
    equally likely; so temperatures are permuted within each seed, and classes are tested and
    counted again.

    Parameters
    ----------
    reference : float array [run, class]
        Relative class accuracies of what students are compared with: NDS for #SC, teachers for
        #TC.
    students : float array [seed, temperature, class]
        Those of the distilled students, temperatures in order.
    level : float
        Level of each class's test.
    alternative : str
        "increasing", "decreasing" or "two-sided".
    paired : bool
        Each class's test is the paired t-test over seeds, instead of Welch's: the reference has
        a run a seed, in the order of the students.

    Returns
    -------
    CountTrend
        ``p_value`` counts the observed order as one of the permutations; it is 1 where the counts
        are all the same.
    """
    reference, students = np.asarray(reference, float), np.asarray(students, float)
    if reference.ndim != 2 or students.ndim != 3 or reference.shape[1] != students.shape[2]:
        raise ValueError(
            f"got shapes {reference.shape} and {students.shape}; expected [run, class] and "
            "[seed, temperature, class]"
        )
    if alternative not in ALTERNATIVES:
        raise ValueError(
            f"unknown alternative {alternative!r}; expected one of {', '.join(ALTERNATIVES)}"
        )
    if min(len(reference), len(students)) < 2 or students.shape[1] < 2:
        raise ValueError(
            f"got {len(reference)} and {len(students)} runs at {students.shape[1]} temperatures; "
            "expected at least two of each"
        )
    if paired and len(reference) != len(students):
        raise ValueError(
            f"got {len(reference)} reference runs and {len(students)} seeds; paired tests need a "
            "run a seed"
        )
    fixed = moments(reference)
    n_seeds, n_temperatures = students.shape[:2]

    def counts(order: Array) -> Array:
        """Counts ``[permutation, temperature]`` for orders ``[permutation, seed, temperature]``."""
        runs = students[np.arange(n_seeds)[:, None], order].swapaxes(0, 1)
        if paired:
            p_value = paired_p_value(runs - reference[:, None, None])
        else:
            _, p_value, _ = welch_from_moments(fixed, moments(runs))
        return (p_value <= level).sum(axis=-1)

    rng = np.random.default_rng(seed)
    rows = np.broadcast_to(np.arange(n_temperatures), (n_seeds, n_temperatures))
    block = max(1, 2**22 // students.size)
    parts = [
        counts(rng.permuted(np.broadcast_to(rows, (n, *rows.shape)), axis=-1))
        for n in _blocks(n_permutations - 1, block)
    ]
    observed = np.asarray(counts(rows[None])[0])
    position = np.arange(n_temperatures) - (n_temperatures - 1) / 2
    permuted = np.concatenate([observed[None], *parts]) @ position
    above, below = (permuted >= permuted[0]).mean(), (permuted <= permuted[0]).mean()
    p_value, p_opposite = {
        "increasing": (above, below),
        "decreasing": (below, above),
        "two-sided": (min(1.0, 2 * min(above, below)),) * 2,
    }[alternative]
    effect = float(_with_order(observed))
    return CountTrend(
        observed, float(permuted[0]), permuted, effect, float(p_value), float(p_opposite)
    )


def spearman(series: Array) -> Array:
    """Spearman's correlation of each row with its order: ``[..., condition]`` to ``[...]``.

    0 where the row is all ties: it neither rises nor falls.
    """
    return _with_order(stats.rankdata(series, axis=-1))


def _with_order(series: Array) -> Array:
    """Correlation of each row with its order, ``[..., condition]`` to ``[...]``; 0 if all equal."""
    k = series.shape[-1]
    centered = series - series.mean(axis=-1, keepdims=True)
    position = np.arange(k) - (k - 1) / 2
    spread = np.sqrt((centered**2).sum(axis=-1) * (position**2).sum())
    return np.divide(centered @ position, spread, out=np.zeros(spread.shape), where=spread > 0)


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjusted p-values that bound the chance of any false rejection (Holm 1979).

    NaN marks what was not tested; it stays NaN and does not count.
    """
    p = np.asarray(p_values, dtype=float)
    if p.ndim != 1:
        raise ValueError(f"p_values has shape {p.shape}; expected [test]")
    adjusted = np.full(p.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    scaled = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted


def paired_p_value(gaps: Array) -> Array:
    """Two-sided p-values of the t-test of differences ``[seed, ...]``; 1 where none varies."""
    n = len(gaps)
    error = gaps.std(axis=0, ddof=1) / np.sqrt(n)
    t = np.divide(gaps.mean(axis=0), error, out=np.zeros(error.shape), where=error > 0)
    return np.asarray(2 * stats.t.sf(np.abs(t), n - 1))


def _normal_tails(score: float, spreads: Array, position: Array) -> tuple[float, float]:
    deviation = np.sqrt((spreads * (position**2).sum() / (len(position) - 1)).sum())
    return float(stats.norm.sf(score / deviation)), float(stats.norm.cdf(score / deviation))


def _exact_tails(centered: Array, position: Array, score: float) -> tuple[float, float]:
    """P(score or more) and P(score or less) if every order within each block is as likely."""
    orders = np.array(list(permutations(range(len(position)))))
    values: Array = np.zeros(1)
    chances: Array = np.ones(1)
    for block in centered:
        own, times = np.unique(4 * (block[orders] @ position), return_counts=True)
        sums = np.add.outer(values, np.round(own))  # quarters: mean ranks times half positions
        weights = np.multiply.outer(chances, times / len(orders))
        values, where = np.unique(sums, return_inverse=True)
        chances = np.bincount(where.ravel(), weights.ravel())
    at = np.round(4 * score)
    return float(chances[values >= at].sum()), float(chances[values <= at].sum())


def _blocks(total: int, size: int) -> list[int]:
    return [min(size, total - start) for start in range(0, total, size)]
