"""DPD and EOD of every model, their intervals, and how they changed with distillation."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache, cached_property
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kdfair_audit.counts import ROWS, Counts, Rows
from kdfair_audit.intervals import FairnessBootstrap
from kdfair_audit.rates import Options, identity, tables_of, temperature_of
from kdfair_audit.roles import Setting, comparisons, settings
from kdfair_audit.statistics import seed_half_width
from kdfair_core.metrics import UndefinedMetricWarning, dpd_from_counts, eod_from_counts

METRICS = {"dpd": dpd_from_counts, "eod": eod_from_counts}
ROOM = 1 << 25  # rates that one bootstrap holds at a time; beyond it fewer resamples are drawn


def fairness_frames(counts: Counts, options: Options) -> tuple[pd.DataFrame, pd.DataFrame]:
    """DPD and EOD of every model and attribute, and how they changed by comparison.

    Returns
    -------
    fairness : pandas.DataFrame
        value (mean over runs; equal to fairlearn's for one run and two classes), low, high (of
        the difference between groups behind the observed one, which chance makes larger),
        chance (what groups with equal rates would show), corrected (value less that bias), floor
        (DPD of the labels themselves, which a perfect classifier has; 0 for EOD), judged,
        judged_low, judged_high and judged_chance (over the groups that are large enough).
    changes : pandas.DataFrame
        Over the groups that are large enough: change (value of the distilled student minus the
        other's), corrected (the same of the values less their bias), low, high (of the change of
        the difference behind), significant (whether the interval still leaves out 0 when it is
        widened for the attributes and metrics of a comparison, Bonferroni).
    """
    rows: list[dict[str, Any]] = []
    changes: list[dict[str, Any]] = []
    strict = 1 - (1 - options.level) / (len(METRICS) * len(counts.groups))
    for attribute in counts.groups:
        axis = counts.axis(attribute)
        sizes = counts.table(axis)
        every, large = np.arange(len(sizes)), np.flatnonzero(sizes >= options.min_group)
        resampled = _Resampled(counts, axis, every, options)
        judged = resampled if len(large) == len(every) else _Resampled(counts, axis, large, options)
        numbers = {"n_groups": len(every), "n_small": len(every) - len(large)}
        for setting, metric in product(settings(counts.models), METRICS):
            tables = tables_of(counts, setting, axis)
            found = resampled.interval(setting, metric, options.level)
            reliable = judged.interval(setting, metric, options.level)
            row = identity(setting) | {"attribute": attribute, "metric": metric}
            row["value"] = float(values(tables, metric).mean())
            row |= {name: found[name] for name in ("low", "high", "chance", "corrected")}
            row["floor"] = _floor(tables[0]) if metric == "dpd" else 0.0
            row["judged"] = float(values(tables[:, large], metric).mean()) if len(large) else np.nan
            row |= {f"judged_{name}": reliable[name] for name in ("low", "high", "chance")}
            rows.append(row | numbers | {"n_runs": len(setting.runs)})
        for (a, b), metric in product(comparisons(counts.models), METRICS):
            widened = judged.change(a, b, metric, strict)
            row = {"against": a.role, "temperature": temperature_of(b)}
            row |= {"attribute": attribute, "metric": metric}
            row |= judged.change(a, b, metric, options.level)
            significant = widened["low"] > 0 or widened["high"] < 0
            changes.append(row | {"significant": significant})
    columns = ["against", "temperature", "attribute", "metric", "change", "corrected"]
    columns += ["low", "high", "significant"]
    return pd.DataFrame(rows), pd.DataFrame(changes, columns=columns)


def values(tables: NDArray, metric: str) -> NDArray[np.float64]:
    """DPD or EOD of each run, quietly NaN where it is undefined."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        return np.asarray(METRICS[metric](tables))


class _Resampled:
    """Intervals over redrawn examples, of all models on the same redrawn examples if it can be.

    With distinct rows at hand, and not too many, it can. Otherwise the data is long: each run is
    redrawn by itself, and the runs of a model are taken to share all their luck.
    """

    def __init__(self, counts: Counts, axis: str, groups: NDArray, options: Options) -> None:
        self.counts, self.axis, self.groups, self.options = counts, axis, groups, options
        self.settings = settings(counts.models)
        self.interval, self.alone = cache(self._interval), cache(self._alone)

    def change(self, a: Setting, b: Setting, metric: str, level: float) -> dict[str, float]:
        """Change from a to b: the recovered variances of Zou and Donner (2008).

        The ends are those of the two models' own intervals, put together as for two estimates
        whose correlation is that of their resampled values. Unlike resampled changes it does not
        take bias out twice where one of the differences may be zero.
        """
        one, other = self.interval(b, metric, level), self.interval(a, metric, level)
        middle, low, high = (estimate(one), one["low"], one["high"])
        middle_a, low_a, high_a = (estimate(other), other["low"], other["high"])
        shared = self._correlation(a, b, metric)
        corrected = middle - middle_a
        return {
            "change": one["value"] - other["value"],
            "corrected": corrected,
            "low": corrected - _joined(middle - low, high_a - middle_a, shared),
            "high": corrected + _joined(high - middle, middle_a - low_a, shared),
        }

    def _interval(self, setting: Setting, metric: str, level: float) -> dict[str, float]:
        """value, low, high, chance and corrected of one model."""
        names = ("value", "low", "high", "chance", "corrected")
        if len(self.groups) < 2:
            return dict.fromkeys(names, np.nan)
        if self.together is not None:
            found = self.together.interval(self.settings.index(setting), metric, level=level)
            return {name: found[name] for name in names}
        each = [self.alone(run).interval(0, metric, level=level) for run in setting.runs]
        found = {name: float(np.mean([one[name] for one in each])) for name in names}
        by_run = np.array([one["value"] for one in each])
        seeds = float(seed_half_width([by_run], level=level))
        middle, half = (found["low"] + found["high"]) / 2, (found["high"] - found["low"]) / 2
        half = float(np.hypot(half, seeds))
        return found | {"low": max(middle - half, 0.0), "high": min(middle + half, 1.0)}

    def _correlation(self, a: Setting, b: Setting, metric: str) -> float:
        if self.together is None:
            return 0.0
        drawn = [
            self.together.resampled(self.settings.index(setting), metric) for setting in (a, b)
        ]
        if any(np.isnan(values).any() or np.ptp(values) == 0 for values in drawn):
            return 0.0
        return max(0.0, float(np.corrcoef(drawn[0], drawn[1])[0, 1]))

    @cached_property
    def together(self) -> FairnessBootstrap | None:
        """All models on the same redrawn examples."""
        rows = self.counts.rows
        if rows is None or len(rows) > ROWS or len(self.groups) < 2:
            return None
        codes = np.array(self.counts.kept(self.axis))[self.groups]
        return self._bootstrap(rows, [list(s.runs) for s in self.settings], codes.tolist())

    def _alone(self, run: int) -> FairnessBootstrap:
        """One run by itself, from its table."""
        axes = [self.axis, "y", f"p{run}"]
        table = self.counts.table(*axes).take(self.groups, axis=0)
        cells = table.nonzero()
        rows = Rows(dict(zip(axes, cells, strict=True)), table[cells])
        return self._bootstrap(rows, [[run]], range(len(table)))

    def _bootstrap(
        self, rows: Rows, models: list[list[int]], groups: Sequence[int]
    ) -> FairnessBootstrap:
        n_classes = len(self.counts.classes)
        rates = len(groups) * n_classes * sum(map(len, models))
        return FairnessBootstrap(
            rows.codes["y"],
            [np.stack([rows.codes[f"p{run}"] for run in runs]) for runs in models],
            sensitive_features=rows.codes[self.axis],
            groups=groups,
            n_classes=n_classes,
            sample_count=rows.n,
            n_boot=int(np.clip(ROOM // rates, 100, self.options.n_boot)),
            seed=self.options.seed,
        )


def estimate(found: dict[str, Any]) -> float:
    """What was measured less the bias that noise gives it, kept in its interval."""
    return float(np.clip(found["corrected"], found["low"], found["high"]))


def _joined(one: float, other: float, correlation: float) -> float:
    """The distance from a difference to an end of its interval."""
    return float(np.sqrt(max(0.0, one**2 + other**2 - 2 * correlation * one * other)))


def _floor(table: NDArray) -> float:
    """DPD of the labels: what a perfect classifier has where base rates differ."""
    perfect = np.zeros_like(table)
    labels = table.sum(axis=2)
    where = np.arange(labels.shape[1])
    perfect[:, where, where] = labels
    return float(values(perfect, "dpd"))
