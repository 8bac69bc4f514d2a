"""What a test set of one's own could show: tables for the calculator of the advice.

Two groups, the smaller with n examples and the other four times as many; both labels are recognized
at one rate. Examples are drawn, group metrics computed by the functions that the book uses for
everything else, and read off: what groups with equal rates show by chance, and how large a true
difference must be to be seen four times in five.

Seeds are judged on the same examples: what they have in common does not average out. With k seeds
the noise is that of ``n / (r + (1 - r) / k)`` examples, where r is the correlation of two seeds'
errors, measured on published students (:func:`error_correlation`).
"""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from kdfair_book.evidence.sweep import Sweep
from kdfair_core import metrics

Array = NDArray[Any]

SIZES = (20, 50, 100, 200, 500, 1000, 2000, 5000)
BASE_RATES = (0.05, 0.1, 0.25, 0.5)
SEEDS = (1, 2, 3, 5, 10)
ACCURACY = 0.8
OTHERS = 4
WORLDS = 2000
POWER, LEVEL = 0.8, 0.05
GAPS = np.concatenate([np.arange(0.005, 0.1, 0.005), np.arange(0.1, 0.61, 0.02)])


def error_correlation(sweeps: list[Sweep]) -> float:
    """Correlation between two seeds' errors on the same examples, median over studies."""
    found = []
    for one in sweeps:
        wrong = (one.results.pred[one.nds] != one.results.y_true).astype(float)
        pairs = np.corrcoef(wrong)[np.triu_indices(len(wrong), 1)]
        found.append(float(np.nanmean(pairs)))
    return float(np.median(found))


def changed_answers(sweeps: list[Sweep], temperature: float) -> float:
    """Share of examples on which student alone and distilled one differ, median over studies."""
    found = [
        float((one.results.pred[one.nds] != one.results.pred[one.at(temperature)]).mean())
        for one in sweeps
        if temperature in one.temperatures
    ]
    return float(np.median(found))


def visible(
    n: int,
    base_rate: float,
    seeds: int,
    *,
    correlation: float,
    changed: float,
    worlds: int = WORLDS,
    seed: int = 0,
) -> dict[str, float]:
    """What could be seen.

    Parameters
    ----------
    n : int
        Examples of the smaller group.
    base_rate : float
        Share of positive labels, in both groups.
    seeds : int
        Trained students.
    correlation, changed : float
        From :func:`error_correlation` and :func:`changed_answers`.

    Returns
    -------
    dict
        ``accuracy``: smallest difference of accuracy in that group, between two students that
        answer a share ``changed`` of examples differently, seen with power 0.8 at level 0.05;
        ``dpd``, ``eod``: smallest difference between groups; ``dpd_chance``, ``eod_chance``: the
        median where groups are equal. Fractions; NaN where nothing up to 0.6 would be seen.
    """
    effective = max(2, round(n / (correlation + (1 - correlation) / seeds)))
    rng = np.random.default_rng(seed)
    found: dict[str, float] = {}
    z = stats.norm.isf(LEVEL / 2) + stats.norm.ppf(POWER)
    gap = float(z * np.sqrt(changed / effective))
    found["accuracy"] = gap if gap <= changed else float("nan")
    worlds_of: Any = partial(_draw, n=effective, base_rate=base_rate)
    for metric, of in (("dpd", metrics.dpd_from_counts), ("eod", metrics.eod_from_counts)):
        measure = partial(_measured, of)
        null = measure(worlds_of(rng, worlds=worlds))
        critical = float(np.nanquantile(null, 1 - LEVEL))
        found[f"{metric}_chance"] = float(np.nanmedian(null))
        name = "selection" if metric == "dpd" else "rates"

        def seen(
            gap: float, name: str = name, measure: Any = measure, at: float = critical
        ) -> bool:
            other = np.random.default_rng(seed + 1)
            values = measure(worlds_of(other, worlds=worlds, **{name: gap}))
            return bool(np.nanmean(values > at) >= POWER)

        found[metric] = _first(seen)
    return found


def tabulate(correlation: float, changed: float, **more: Any) -> pd.DataFrame:
    """:func:`visible` for every size, base rate and number of seeds of the calculator."""
    rows = [
        {"n": n, "base_rate": rate, "seeds": seeds}
        | visible(n, rate, seeds, correlation=correlation, changed=changed, **more)
        for n in SIZES
        for rate in BASE_RATES
        for seeds in SEEDS
    ]
    return pd.DataFrame(rows)


def _measured(of: Any, tables: Array) -> Array:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", metrics.UndefinedMetricWarning)  # left out of the quantiles
        return np.asarray(of(tables))


def _draw(
    rng: np.random.Generator,
    *,
    n: int,
    base_rate: float,
    worlds: int,
    selection: float = 0.0,
    rates: float = 0.0,
) -> Array:
    """Count tables ``[world, group, label, prediction]``.

    The first group's true positive rate is lower by ``rates``; with ``selection``, both its rates
    are, so that it is selected less often by as much.
    """
    tables = np.zeros((worlds, 2, 2, 2), dtype=np.int64)
    for group, size in enumerate((n, OTHERS * n)):
        shift = group == 0
        tpr = max(ACCURACY - shift * (rates + selection), 0.0)
        fpr = max(1 - ACCURACY - shift * selection, 0.0)
        positives = rng.binomial(size, base_rate, worlds)
        hits = rng.binomial(positives, tpr)
        alarms = rng.binomial(size - positives, fpr)
        tables[:, group, 1, 1], tables[:, group, 1, 0] = hits, positives - hits
        tables[:, group, 0, 1], tables[:, group, 0, 0] = alarms, size - positives - alarms
    return tables


def _first(seen: Any) -> float:
    """Smallest of the gaps that is seen, by bisection; NaN if none is."""
    low, high = -1, len(GAPS) - 1
    if not seen(GAPS[high]):
        return float("nan")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if seen(GAPS[middle]) else (middle, high)
    return float(GAPS[high])
