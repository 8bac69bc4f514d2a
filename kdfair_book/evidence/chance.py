"""How many significant classes chance alone gives.

Testing 100 classes at level 0.05 finds about 5 where nothing differs. The binomial count says so
exactly if tests are independent and each has its level. They are not quite: the classes of a run
share its luck, which leaves the mean of the count but widens its spread. Two checks do not lean on
independence: the null control (independent runs of the same recipe against each other) and
permutation of what was measured, both of which keep the dependence between classes as it is.
"""

from __future__ import annotations

from itertools import combinations
from math import comb
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from kdfair_core import asked
from kdfair_core.metrics import benjamini_hochberg
from kdfair_core.metrics.significance import moments, welch_from_moments
from kdfair_core.results import Results

Array = NDArray[Any]

# Splits of the runs that are enumerated; of more, this many are drawn.
MOST_SPLITS = 2000


class Chance(NamedTuple):
    """Number of significant classes if nothing differs: central interval and mean."""

    low: int
    mean: float
    high: int


def chance_count(n_classes: int, level: float = 0.05, *, confidence: float = 0.95) -> Chance:
    """How many of ``n_classes`` independent tests are significant if nothing differs.

    Parameters
    ----------
    n_classes : int
    level : float
        Level of each test.
    confidence : float
        The interval holds the count with at least this probability; its ends are quantiles of the
        binomial distribution, with equal tails.

    Returns
    -------
    Chance
        ``low``, ``mean``, ``high``.

    Raises
    ------
    ValueError
        For a negative number of classes, or a level or confidence outside (0, 1).
    """
    n_classes = asked.count("n_classes", n_classes, 0)
    level, confidence = asked.share("level", level), asked.share("confidence", confidence)
    tail = (1 - confidence) / 2
    low, high = stats.binom.ppf([tail, 1 - tail], n_classes, level)
    return Chance(max(int(low), 0), n_classes * level, max(int(high), 0))


def affected_counts(results: Results, *, level: float = 0.05) -> pd.DataFrame:
    """#SC and #TC: the number of significant classes, and what chance alone would give.

    Returns
    -------
    pandas.DataFrame
        ``comparison``, ``temperature``, ``alpha``, ``soft_scale`` (as in
        ``Results.affected_classes``), ``n_classes``, ``significant``, ``significant_bh`` (after
        Benjamini and Hochberg), ``chance_low``, ``chance_mean``, ``chance_high``: mean and central
        95% interval of the number of classes that would come out significant if nothing differed
        and classes were independent (binomial).
    """
    n, keys = len(results.classes), ["comparison", "temperature", "alpha", "soft_scale"]
    low, mean, high = chance_count(n, level)
    rows = []
    tests = results.affected_classes()
    for key, p_values in tests.groupby(keys, dropna=False, sort=False)["p_value"]:
        adjusted = benjamini_hochberg(p_values)
        counts = (int((p_values <= level).sum()), int((adjusted <= level).sum()))
        rows.append((*key, n, *counts, low, mean, high))
    columns = ["n_classes", "significant", "significant_bh"]
    columns += ["chance_low", "chance_mean", "chance_high"]
    return pd.DataFrame(rows, columns=[*keys, *columns])


class CountTest(NamedTuple):
    """An observed number of significant classes against those of permuted runs."""

    observed: int
    permuted: NDArray[np.int64]
    p_value: float


def count_significant(a: ArrayLike, b: ArrayLike, *, level: float = 0.05) -> Any:
    """Number of classes on which Welch's test separates the runs of a from those of b.

    Parameters
    ----------
    a, b : float array [run, ..., class]
        Relative class accuracies; axes in between, which broadcast, are separate comparisons.

    Returns
    -------
    int array [...]
    """
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    _, p_value, _ = welch_from_moments(moments(a), moments(b))
    return (p_value <= level).sum(axis=-1)


def permutation_test(
    a: ArrayLike, b: ArrayLike, *, level: float = 0.05, seed: int = 0
) -> CountTest:
    """Permutation test: are more classes significant than when runs are split at random?

    If runs of a and b are exchangeable (nothing differs), every way to split them into two sides
    is as likely as the one observed. With five runs on each side there are 252.

    Parameters
    ----------
    a, b : float array [run, class]
        Relative class accuracies, from two runs of each.
    level : float
        Level of each class's test.
    seed : int
        Used only where splits are too many to list.

    Returns
    -------
    CountTest
        ``p_value`` is the share of splits with at least as many significant classes; the
        observed split is one of them, so it is never zero.
    """
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(
            f"got shapes {a.shape} and {b.shape}; expected [run, class], from two runs of each"
        )
    runs, n_a = np.concatenate([a, b]), len(a)
    if comb(len(runs), n_a) <= MOST_SPLITS:
        sides = np.array(list(combinations(range(len(runs)), n_a)))
    else:
        rng = np.random.default_rng(seed)
        drawn = rng.permuted(np.tile(np.arange(len(runs)), (MOST_SPLITS - 1, 1)), axis=1)
        sides = np.vstack([np.arange(n_a), drawn[:, :n_a]])
    chosen = np.zeros((len(sides), len(runs)), dtype=bool)
    np.put_along_axis(chosen, sides, True, axis=1)
    others = np.nonzero(~chosen)[1].reshape(len(sides), -1)
    counts = np.asarray(
        count_significant(
            runs[sides].transpose(1, 0, 2), runs[others].transpose(1, 0, 2), level=level
        )
    )
    observed = int(count_significant(a, b, level=level))
    return CountTest(observed, counts, float((counts >= observed).mean()))
