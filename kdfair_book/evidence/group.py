"""Group fairness with intervals over test examples and seeds, and its trends."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from kdfair_audit.intervals import FairnessBootstrap
from kdfair_book.evidence import trends
from kdfair_book.evidence.sweep import PAPER_RANGE, NotThere, Sweep
from kdfair_core import metrics
from kdfair_core.metrics.bootstrap import N_BOOT
from kdfair_core.metrics.counts import as_counts
from kdfair_core.metrics.fairness import odds_rates, selection_rates
from kdfair_core.results import Results

METRICS = ("accuracy", "dpd", "eod")
SETTING = ["role", "temperature", "alpha", "soft_scale"]


def group_rates(
    counts: ArrayLike,
    *,
    group_names: Sequence[Any] | None = None,
    class_names: Sequence[Any] | None = None,
) -> pd.DataFrame:
    """Rates of each group for one count table: DPD and EOD are their largest differences.

    Returns
    -------
    pandas.DataFrame
        A row a class and group: ``class``, ``group``, ``n``, ``selection_rate``, ``tpr``,
        ``fpr``; undefined rates are NaN. Of two classes only class 1 is listed.
    """
    table = as_counts(counts)
    if table.ndim != 3:
        raise ValueError(f"counts has shape {table.shape}; expected [group, label, prediction]")
    selection, (tpr, fpr) = selection_rates(table), odds_rates(table)
    first = table.shape[-1] - selection.shape[-1]
    classes = list(class_names or range(table.shape[-1]))[first:]
    groups = list(group_names or range(table.shape[0]))
    return pd.DataFrame(
        {
            "class": np.repeat(np.array(classes, dtype=object), len(groups)),
            "group": np.tile(np.array(groups, dtype=object), len(classes)),
            "n": np.tile(table.sum(axis=(1, 2)), len(classes)),
            "selection_rate": selection.T.ravel(),
            "tpr": tpr.T.ravel(),
            "fpr": fpr.T.ravel(),
        }
    )


def bootstrap(
    results: Results,
    attribute: str,
    models: list[NDArray[Any]],
    *,
    n_boot: int = N_BOOT,
    seed: int = 0,
) -> FairnessBootstrap:
    """The resampled test set, as models (arrays of positions in ``pred``) see it."""
    if attribute not in results.group_names:
        raise ValueError(
            f"unknown attribute {attribute!r} of study {results.study}; expected one of "
            f"{', '.join(results.attributes) or 'none: it has no sensitive attributes'}"
        )
    return FairnessBootstrap(
        results.y_true,
        [results.pred[runs] for runs in models],
        sensitive_features=results.groups[attribute],
        groups=range(len(results.group_names[attribute])),
        n_classes=len(results.classes),
        seeds=[results.runs["seed"].to_numpy()[runs] for runs in models],
        n_boot=n_boot,
        seed=seed,
    )


@lru_cache(maxsize=4)
def all_models(
    results: Results, attribute: str, *, n_boot: int = N_BOOT, seed: int = 0
) -> tuple[FairnessBootstrap, pd.DataFrame]:
    """One resampled test set for every model of a study, so that all that is shown of it agrees.

    Returns
    -------
    FairnessBootstrap
    pandas.DataFrame
        ``role``, ``temperature``, ``alpha``, ``soft_scale`` of each model, in the order of the
        bootstrap. Diverged runs are left out.
    """
    runs = results.runs[~results.runs["diverged"]]
    grouped = list(runs.groupby(SETTING, dropna=False, sort=False))
    positions = [rows["run"].to_numpy() for _, rows in grouped]
    boot = bootstrap(results, attribute, positions, n_boot=n_boot, seed=seed)
    return boot, pd.DataFrame([key for key, _ in grouped], columns=SETTING)


def position(models: pd.DataFrame, sweep: Sweep, role: str, temperature: float = np.nan) -> int:
    """Where a sweep's model stands among :func:`all_models`."""
    mine = models["role"] == role
    if role == "ds":
        mine &= (models["temperature"] == temperature) & (models["alpha"] == sweep.alpha)
        mine &= models["soft_scale"] == sweep.soft_scale
    return int(np.flatnonzero(mine)[0])


def fairness_intervals(
    results: Results,
    attribute: str,
    *,
    level: float = 0.95,
    n_boot: int = N_BOOT,
    seed: int = 0,
) -> pd.DataFrame:
    """Accuracy, DPD and EOD of every role and setting, with intervals.

    Parameters
    ----------
    results : Results
    attribute : str
    level : float
    n_boot, seed : int

    Returns
    -------
    pandas.DataFrame
        As :meth:`Results.fairness_summary`: ``role``, ``temperature``, ``alpha``, ``soft_scale``,
        ``metric``, ``mean``, ``sd``, ``low``, ``high``, ``n_runs``, ``floor``; but the interval
        (see :class:`kdfair_audit.intervals.FairnessBootstrap`) is over test examples and seeds, of
        what one trained model has in the population of examples. And ``chance``, what groups with
        equal rates would show with this many examples; ``corrected``, the value less that bias.
        Diverged runs are left out.
    """
    boot, models = all_models(results, attribute, n_boot=n_boot, seed=seed)
    floor = _floor(results, attribute)
    settings: list[dict[Any, Any]] = models.to_dict("records")
    rows = []
    for metric in METRICS:
        for model, setting in enumerate(settings):
            found = boot.interval(model, metric, level=level)
            by_run = boot.by_run(model, metric)
            rows.append(
                {
                    **setting,
                    "metric": metric,
                    "mean": found["value"],
                    "sd": float(by_run.std(ddof=1)) if len(by_run) > 1 else np.nan,
                    **{name: found[name] for name in ("low", "high", "n_runs")},
                    "floor": {"accuracy": np.nan, "dpd": floor, "eod": 0.0}[metric],
                    "chance": np.nan if metric == "accuracy" else found["chance"],
                    "corrected": found["corrected"],
                }
            )
    return pd.DataFrame(rows)


def fairness_differences(
    sweep: Sweep,
    attribute: str,
    against: str,
    *,
    level: float = 0.95,
    n_boot: int = N_BOOT,
    seed: int = 0,
) -> pd.DataFrame:
    """How much larger a metric is for the DS than for the NDS, or the teacher, by temperature.

    Returns
    -------
    pandas.DataFrame
        ``temperature``, ``metric``, ``difference``, ``corrected``, ``low``, ``high``, ``p_value``
        (two-sided), of DS less ``against`` ("nds" or "teacher") on the same resampled examples.
    """
    if against not in ("nds", "teacher"):
        raise ValueError(f"against is {against!r}; expected nds or teacher")
    reference = sweep.nds if against == "nds" else sweep.teacher
    models = [reference, *sweep.ds.T]
    boot = bootstrap(sweep.results, attribute, models, n_boot=n_boot, seed=seed)
    return pd.DataFrame(
        [
            {"temperature": t, "metric": metric, **boot.difference(k, 0, metric, level=level)}
            for metric in METRICS
            for k, t in enumerate(sweep.temperatures, start=1)
        ]
    )


def signed_gaps(
    sweep: Sweep, attribute: str, *, level: float = 0.95, n_boot: int = N_BOOT, seed: int = 0
) -> pd.DataFrame:
    """Signed gaps between two groups of a study with two classes.

    Returns
    -------
    pandas.DataFrame
        ``role``, ``temperature``, ``rate`` ("selection", "tpr" or "fpr"), ``gap`` (second group
        less first), ``low``, ``high``. ``attrs["groups"]`` names the two.
    """
    models = [sweep.teacher, sweep.nds, *sweep.ds.T]
    who = [("teacher", np.nan), ("nds", np.nan), *(("ds", t) for t in sweep.temperatures)]
    boot = bootstrap(sweep.results, attribute, models, n_boot=n_boot, seed=seed)
    rows = []
    for rate in ("selection", "tpr", "fpr"):
        for model, (role, t) in enumerate(who):
            found = boot.gap(model, rate, level=level)
            rows.append({"role": role, "temperature": t, "rate": rate, "gap": found["value"]})
            rows[-1] |= {"low": found["low"], "high": found["high"]}
    frame = pd.DataFrame(rows)
    frame.attrs["groups"] = list(sweep.results.group_names[attribute])
    return frame


def fairness_by_run(sweep: Sweep, attribute: str, metric: str) -> NDArray[np.float64]:
    """A metric of each distilled student ``[seed, temperature]``."""
    if metric not in METRICS:
        raise ValueError(f"unknown metric {metric!r}; expected one of {', '.join(METRICS)}")
    frame = sweep.results.group_fairness(attribute)
    return frame[metric].to_numpy()[sweep.ds]


def fairness_trend(
    sweep: Sweep,
    attribute: str,
    metric: str,
    *,
    low: float = PAPER_RANGE[0],
    high: float = PAPER_RANGE[1],
    alternative: str = "decreasing",
) -> trends.Trend:
    """Page's test: does a metric fall as T rises, seeds as blocks?"""
    sweep.need_seeds()
    values = fairness_by_run(sweep, attribute, metric)[:, sweep.between(low, high)]
    if np.isnan(values).any():
        raise NotThere(f"{metric} by {attribute} is undefined for some runs")
    return trends.page_test(values, alternative=alternative)


def floor_by_chance(
    results: Results, attribute: str, *, n_permutations: int = 500, seed: int = 0
) -> tuple[float, NDArray[np.float64]]:
    """DPD of the labels themselves, and what it would be if groups were dealt out at random.

    Returns
    -------
    floor : float
    permuted : float array [permutation]
        The floor after permuting the groups over examples.
    """
    rng = np.random.default_rng(seed)
    codes, n_groups = results.groups[attribute], len(results.group_names[attribute])
    known = np.flatnonzero(codes >= 0)
    labels, groups, n = results.y_true[known], codes[known], len(results.classes)
    permuted = np.empty(n_permutations)
    for k in range(n_permutations):
        cells = np.bincount(rng.permutation(groups) * n + labels, minlength=n_groups * n)
        table = cells.reshape(n_groups, n)
        counts = table[:, :, None] * np.eye(n, dtype=int)  # labels as predictions
        permuted[k] = metrics.dpd_from_counts(counts[table.sum(axis=1) > 0])
    return _floor(results, attribute), permuted


def _floor(results: Results, attribute: str) -> float:
    counts = metrics.group_counts(
        results.y_true,
        results.y_true,
        sensitive_features=results.groups[attribute],
        n_classes=len(results.classes),
        groups=range(len(results.group_names[attribute])),
    )
    return float(metrics.dpd_from_counts(counts))
