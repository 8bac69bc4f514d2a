"""Intervals for metrics of one count table, over the choice of test examples.

Over seeds too, and for differences between models, the audit has ``FairnessBootstrap``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from kdfair_core import asked
from kdfair_core.metrics.classes import accuracy_from_counts
from kdfair_core.metrics.counts import as_counts
from kdfair_core.metrics.fairness import (
    demographic_parity_difference,
    dpd_from_counts,
    eod_from_counts,
    equalized_odds_difference,
    odds_rates,
    selection_rates,
)
from kdfair_core.metrics.maxmin import Simulator, max_min_interval, nothing_seen

Array = NDArray[Any]
Metric = Callable[[Array], Any]

N_BOOT = 1000
"""Resamples, unless told."""

# How a max-min metric is made of group rates [..., group, class].
RATES: dict[str, Callable[[Array], tuple[Array, ...]]] = {
    "dpd": lambda counts: (selection_rates(counts),),
    "eod": odds_rates,
}
# How many examples are behind each of these rates.
EXAMPLES: dict[str, Callable[[Array], tuple[Array, ...]]] = {
    "dpd": lambda counts: (np.broadcast_to(counts.sum((1, 2))[:, None], counts.shape[:2]),),
    "eod": lambda counts: (counts.sum(axis=2), counts.sum((1, 2))[:, None] - counts.sum(axis=2)),
}
ALIASES: dict[Any, str] = {
    demographic_parity_difference: "dpd",
    equalized_odds_difference: "eod",
    dpd_from_counts: "dpd",
    eod_from_counts: "eod",
    accuracy_from_counts: "accuracy",
}


def bootstrap_interval(
    counts: ArrayLike, metric: str | Metric, *, n_boot: int = N_BOOT, level: float = 0.95, seed: int
) -> tuple[Any, Any]:
    """Interval for a metric of a count table, over the choice of test examples.

    Examples are resampled by redrawing the cells of the table, which gives what redrawing the
    examples themselves would give, without looking at one.

    Parameters
    ----------
    counts : array [..., group, label, prediction]
        From :func:`group_counts`. Leading axes get an interval each.
    metric : str or callable
        "dpd", "eod" or "accuracy"; or a function of tables ``[..., group, label, prediction]``.
    n_boot : int
        Resamples.
    level : float
        Confidence level.
    seed : int

    Returns
    -------
    low, high : float, or arrays [...]
        NaN where the metric is undefined.

    Raises
    ------
    ValueError
        For a table of the wrong shape, counts that are not whole numbers (sums of weights do not
        say how many examples there were), an unknown metric, fewer than two resamples, and a
        level outside (0, 1).
    """
    table = as_counts(counts)
    if (table != np.round(table)).any():
        bad = table[table != np.round(table)].flat[0]
        raise ValueError(
            f"counts holds {bad:g}; an interval needs whole numbers of examples, and sums of "
            "weights do not say how many there were: give weights that count examples, or none"
        )
    n_boot, level = asked.count("n_boot", n_boot, 2), asked.share("level", level)
    metric = ALIASES.get(metric, metric) if callable(metric) else metric
    if not callable(metric) and metric not in [*RATES, "accuracy"]:
        given = asked.shown(metric)
        raise ValueError(f"unknown metric {given}; expected dpd, eod, accuracy or a function")
    tail = (1 - level) / 2
    rng = np.random.default_rng(seed)
    lead = table.shape[:-3]
    ends = np.empty((int(np.prod(lead)), 2))
    for k, one in enumerate(table.reshape(-1, *table.shape[-3:])):
        draws = resample(one, n_boot, rng)
        if isinstance(metric, str) and metric in RATES:
            ends[k] = _max_min(metric, one, draws, level)
        else:
            of = accuracy_from_counts if metric == "accuracy" else metric
            assert callable(of)
            ends[k] = _percentile_interval(float(of(one)), np.asarray(of(draws), float), tail)
    if not lead:
        return float(ends[0, 0]), float(ends[0, 1])
    return ends[:, 0].reshape(lead), ends[:, 1].reshape(lead)


def resample(table: Array, n_boot: int, rng: np.random.Generator) -> Array:
    """Redraw one table ``[group, label, prediction]`` by a multinomial: ``[resample, ...]``."""
    flat = table.ravel()
    used = np.flatnonzero(flat)
    n = flat.sum()
    draws = np.zeros((n_boot, flat.size))
    if len(used):
        draws[:, used] = rng.multinomial(round(n), flat[used] / n, size=n_boot)
    return draws.reshape(n_boot, *table.shape)


def _max_min(metric: str, table: Array, draws: Array, level: float) -> tuple[float, float]:
    """Interval of a max-min metric by test inversion (:mod:`kdfair_core.metrics.maxmin`)."""
    rates, drawn = RATES[metric](table), RATES[metric](draws)
    noise = [
        np.moveaxis(sample - rate, 0, -1)[None] for sample, rate in zip(drawn, rates, strict=True)
    ]
    simulate = Simulator([rate[None] for rate in rates], noise)
    unseen = max(nothing_seen(n, level) for n in EXAMPLES[metric](table))
    interval = max_min_interval(simulate, level=level, unseen=unseen)
    return interval.low, interval.high


def _percentile_interval(observed: float, draws: Array, tail: float) -> Array:
    """Bias-corrected percentile interval (Efron 1987)."""
    draws = draws[~np.isnan(draws)]
    if np.isnan(observed) or len(draws) == 0:
        return np.array([np.nan, np.nan])
    below = (draws < observed).mean() + (draws == observed).mean() / 2
    shift = stats.norm.ppf(np.clip(below, 0.5 / len(draws), 1 - 0.5 / len(draws)))
    at = stats.norm.cdf(2 * shift + stats.norm.ppf([tail, 1 - tail]))
    return np.quantile(draws, at)
