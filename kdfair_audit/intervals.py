"""Intervals over test examples and seeds together, for models judged on the same examples.

Two things make a measured value differ from what another study would find: other test examples,
and other seeds. Examples are resampled once for all runs (:mod:`kdfair_audit.joint_table`), so
models are compared on the same redrawn test set. Seeds are few, and resampling five of anything
understates its spread; their part is Student's t with as many degrees of freedom as seeds less
one, times the standard error between runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from kdfair_audit.joint_table import JointTable
from kdfair_audit.seed_noise import SeedNoise
from kdfair_core import asked
from kdfair_core.metrics.bootstrap import N_BOOT
from kdfair_core.metrics.checks import (
    as_groups,
    as_labels,
    as_n_classes,
    same_length,
)
from kdfair_core.metrics.maxmin import (
    CANDIDATES,
    Simulator,
    max_min_interval,
    nothing_seen,
)

Array = NDArray[Any]

# The group rates behind each max-min metric.
RATES = {"dpd": ("selection",), "eod": ("tpr", "fpr")}
METRICS = ("accuracy", *RATES)


class FairnessBootstrap:
    """Bootstrap of group fairness: the same resampled test sets for every run of several models.

    Parameters
    ----------
    y_true : int array [example]
    y_pred : sequence of int array [run, example]
        One item a model; models may differ in their number of runs. An array
        ``[model, run, example]`` will do.
    sensitive_features : array-like [example]
        The group of each example.
    n_classes : int
    groups : sequence, optional
        The values that are groups, as for :func:`group_counts`; other examples are left out.
    sample_count : int array [example], optional
        How many identical examples each one stands for; by default one.
    seeds : sequence of sequence, optional
        The seed of each run of each model: runs of one seed are compared as a pair. Without them,
        runs are pairs by their position.
    n_boot : int
        Resamples.
    seed : int

    Attributes
    ----------
    group_names : tuple
        What the group axis stands for.

    Raises
    ------
    ValueError
        As :func:`group_counts`, and for fewer than two resamples.
    """

    def __init__(
        self,
        y_true: ArrayLike,
        y_pred: Sequence[ArrayLike] | Array,
        *,
        sensitive_features: Any,
        n_classes: int,
        groups: Sequence[Any] | None = None,
        sample_count: Array | None = None,
        seeds: Sequence[Sequence[Any]] | None = None,
        n_boot: int = N_BOOT,
        seed: int,
    ) -> None:
        n_classes = as_n_classes(n_classes)
        n_boot = asked.count("n_boot", n_boot, 2)
        labels = as_labels("y_true", y_true, n_classes=n_classes)
        if len(y_pred) == 0:
            raise ValueError("y_pred is empty; expected predictions [run, example] of each model")
        models = [as_labels("y_pred", runs, n_classes=n_classes, runs=True) for runs in y_pred]
        for runs in models:
            if runs.ndim != 2:
                raise ValueError(
                    f"predictions of a model have shape {runs.shape}; expected [run, example]"
                )
            same_length(y_true=labels, y_pred=runs)
        codes, self.group_names = as_groups(sensitive_features, groups)
        same_length(y_true=labels, sensitive_features=codes)
        if sample_count is not None:
            same_length(y_true=labels, sample_count=sample_count)
        table = JointTable(
            labels,
            np.concatenate(models),
            codes,
            n_groups=len(self.group_names),
            n_classes=n_classes,
            count=sample_count,
        )
        self._seed_noise = SeedNoise([len(runs) for runs in models], seeds, n_boot, seed)
        ends = np.cumsum([0] + [len(runs) for runs in models])
        self._runs = [slice(a, b) for a, b in pairwise(ends)]
        self._rng = np.random.default_rng(seed)
        self._observed = table.observed()
        self._noise = table.resample(n_boot, self._rng)
        for name, rate in self._noise.items():
            rate -= self._observed[name][..., None].astype(rate.dtype)
        self._examples = table.examples()
        self.n_boot = n_boot

    def __len__(self) -> int:
        return len(self._runs)

    def by_run(self, model: int, metric: str) -> Array:
        """The metric of each run of a model ``[run]``."""
        if _known(metric) == "accuracy":
            return self._observed["accuracy"][self._runs[model]]
        return self._simulator(model, metric).by_run

    def resampled(self, model: int, metric: str) -> Array:
        """The metric of each resample ``[resample]``, mean over runs, with all its bias."""
        if _known(metric) == "accuracy":
            noise = self._accuracy_noise(model, seeds=False)
            return np.asarray(self.by_run(model, metric).mean() + noise)
        return self._simulator(model, metric, seeds=False)(1.0)

    def interval(self, model: int, metric: str, *, level: float = 0.95) -> dict[str, float]:
        """Value of one metric for one model, with its interval.

        Returns
        -------
        dict
            "value", the mean over runs; "low", "high"; "chance", what groups with equal rates
            would show (0 for accuracy); "corrected", the bias-corrected value; "n_runs".
        """
        tail = (1 - _valid(level)) / 2
        n_runs = len(self.by_run(model, metric))
        if metric == "accuracy":
            value = float(self.by_run(model, metric).mean())
            draws = value + self._accuracy_noise(model)
            low, high = np.clip(np.quantile(draws, [tail, 1 - tail]), 0, 1)
            found = {"value": value, "low": low, "high": high, "chance": 0.0, "corrected": value}
            return {name: float(end) for name, end in found.items()} | {"n_runs": n_runs}
        unseen = max(nothing_seen(self._examples[name], level) for name in RATES[metric])
        interval = max_min_interval(self._simulator(model, metric), level=level, unseen=unseen)
        return interval._asdict() | {"n_runs": n_runs}

    def intervals(self, metrics: Sequence[str] = METRICS, *, level: float = 0.95) -> pd.DataFrame:
        """:meth:`interval` of every model and metric.

        Returns
        -------
        pandas.DataFrame
            ``model`` (its position), ``metric``, ``value``, ``low``, ``high``, ``chance``,
            ``corrected``, ``n_runs``; fractions.
        """
        rows = [
            {"model": model, "metric": metric, **self.interval(model, metric, level=level)}
            for metric in metrics
            for model in range(len(self))
        ]
        return pd.DataFrame(rows)

    def difference(self, a: int, b: int, metric: str, *, level: float = 0.95) -> dict[str, float]:
        """How much larger a metric is for model a than for model b, on the same test sets.

        Noise adds more to a small largest difference between groups than to a large one, so the
        difference of the values as measured is too small. Both values are bias-corrected, and the
        interval is the basic bootstrap interval of the corrected difference; it is simulated with
        the corrected differences between groups as the true ones. Runs of one seed are a pair (see
        ``seeds``): they share a teacher and the order of examples.

        Returns
        -------
        dict
            "difference" of the two means over runs, as measured; "corrected", bias-corrected, with
            its interval "low" and "high"; "p_value", two-sided, of the hypothesis that the true
            difference is zero.
        """
        tail = (1 - _valid(level)) / 2
        runs_a, runs_b = self.by_run(a, metric), self.by_run(b, metric)
        if metric == "accuracy":
            truth = float(runs_a.mean() - runs_b.mean())
            simulated = truth + self._accuracy_noise(a, seeds=False)
            simulated = simulated - self._accuracy_noise(b, seeds=False)
        else:
            truth, simulated = 0.0, np.zeros(self.n_boot)
            for sign, model in ((1, a), (-1, b)):
                simulate = self._simulator(model, metric, seeds=False)
                correct = bias_correction(simulate)
                corrected = float(correct(simulate.value))
                factor = corrected / simulate.value if simulate.value > 0 else 0.0
                truth += sign * corrected
                simulated += sign * correct(simulate(factor))
        observed = float(runs_a.mean() - runs_b.mean())
        error = simulated - truth + self._seed_noise.of_difference(a, b, runs_a, runs_b)
        low, high = truth - np.quantile(error, [1 - tail, tail])
        above, below = (error >= truth).sum() + 1, (error <= truth).sum() + 1
        return {
            "difference": observed,
            "corrected": truth,
            "low": float(low),
            "high": float(high),
            "p_value": float(min(1.0, 2 * min(above, below) / (self.n_boot + 1))),
        }

    def gap(self, model: int, rate: str, *, level: float = 0.95) -> dict[str, float]:
        """Signed gap of a rate between two groups: second group minus first.

        Parameters
        ----------
        model : int
        rate : str
            "selection", "tpr" or "fpr", of class 1.

        Returns
        -------
        dict
            "value", "low", "high".
        """
        if rate not in ("selection", "tpr", "fpr"):
            raise ValueError(f"unknown rate {rate!r}; expected selection, tpr or fpr")
        rates = self._observed[rate][self._runs[model]]
        if rates.shape[1:] != (2, 1):
            raise ValueError(
                f"there are {rates.shape[1]} groups and {len(self._examples[rate][0])} classes; "
                "a signed gap needs two groups and two classes"
            )
        tail = (1 - _valid(level)) / 2
        noise = self._noise[rate][self._runs[model]]
        by_run = rates[:, 1, 0] - rates[:, 0, 0]
        draws = (noise[:, 1, 0] - noise[:, 0, 0]).mean(axis=0) + self._seed_noise(by_run)
        low, high = by_run.mean() + np.nanquantile(draws, [tail, 1 - tail])
        return {"value": float(by_run.mean()), "low": float(low), "high": float(high)}

    def _simulator(self, model: int, metric: str, *, seeds: bool = True) -> Simulator:
        runs, names = self._runs[model], RATES[_known(metric)]
        simulate = Simulator(
            [self._observed[name][runs] for name in names],
            [self._noise[name][runs] for name in names],
        )
        if seeds:
            simulate.seed_noise = self._seed_noise(simulate.by_run)
        return simulate

    def _accuracy_noise(self, model: int, *, seeds: bool = True) -> Array:
        noise = self._noise["accuracy"][self._runs[model]].mean(axis=0)
        return noise + self._seed_noise(self.by_run(model, "accuracy")) if seeds else noise


def bias_correction(simulate: Simulator) -> Callable[[Any], Any]:
    """The function that takes the bias out of a max-min: value to median-unbiased estimate.

    It gives the true difference under which a value would be the median; 0 for values that equal
    groups exceed half of the time.
    """
    scale = max(simulate.value, float(np.median(simulate(0.0))))
    if simulate.value == 0 or scale == 0:
        return lambda value: np.asarray(value, dtype=float)
    truths = CANDIDATES[CANDIDATES <= 2] * scale
    medians = np.array([np.median(simulate(truth / simulate.value)) for truth in truths])
    medians = np.maximum.accumulate(medians)

    def correct(value: Any) -> Any:
        inside = np.interp(value, medians, truths)
        return inside + np.maximum(np.asarray(value) - medians[-1], 0.0)

    return correct


def _known(metric: str) -> str:
    return asked.choice("metric", metric, METRICS)


def _valid(level: float) -> float:
    return asked.share("level", level)
