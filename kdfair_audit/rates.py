"""What each model does for each group: accuracy and rates, intersections, the worst group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kdfair_audit.counts import Counts, uncrossed
from kdfair_audit.roles import Setting, settings
from kdfair_audit.statistics import gap_to_rest, mean_rate
from kdfair_audit.vocabulary import display

INTERSECTION = " × "


@dataclass(frozen=True)
class Options:
    """How an audit judges; as :func:`kdfair_audit.audit` has it."""

    level: float = 0.95
    min_group: int = 30
    n_boot: int = 1000
    seed: int = 0


def tables_of(counts: Counts, setting: Setting, *axes: str) -> NDArray[np.int64]:
    """Counts ``[run, *axes, label, prediction]`` of one model's runs."""
    return np.stack([counts.table(*axes, "y", f"p{run}") for run in setting.runs])


def models_frame(counts: Counts, options: Options) -> pd.DataFrame:
    """A row a model: role, temperature, n_runs, accuracy with interval, n."""
    rows = []
    for setting in settings(counts.models):
        hits = np.trace(tables_of(counts, setting), axis1=1, axis2=2)
        accuracy, low, high = map(float, mean_rate(hits, counts.n, level=options.level))
        row = {"n_runs": len(setting.runs), "accuracy": accuracy, "low": low, "high": high}
        rows.append(identity(setting) | row | {"n": counts.n})
    return pd.DataFrame(rows)


def groups_frame(counts: Counts, options: Options) -> pd.DataFrame:
    """A row a model, attribute, group and rate: accuracy, selection_rate, tpr or fpr.

    ``class`` is what the rate is about ("" for accuracy), ``n`` the examples behind the rate, and
    ``small`` whether the group has too few examples to be judged.
    """
    frames = []
    for attribute, setting in product(counts.groups, settings(counts.models)):
        tables = tables_of(counts, setting, counts.axis(attribute))
        frame = rates_frame(tables, counts.group_names(attribute), counts.class_names, options)
        frames.append(frame.assign(**identity(setting), attribute=attribute))
    columns = ["role", "temperature", "attribute", "group", "metric", "class"]
    return pd.concat(frames, ignore_index=True)[[*columns, "value", "low", "high", "n", "small"]]


def intersections_frame(counts: Counts, options: Options) -> tuple[pd.DataFrame, list[str]]:
    """The same rows for every combination of groups, the small ones pooled; and the names of those.

    ``members`` is how many combinations a row stands for.
    """
    attributes = [list(counts.groups)[a] for a in uncrossed(list(counts.groups))]
    axes = [counts.axis(attribute) for attribute in attributes]
    runs = settings(counts.models)
    if len(axes) < 2 or not all(counts.has(*axes, "y", f"p{r}") for s in runs for r in s.runs):
        return pd.DataFrame(), []
    names = [counts.group_names(attribute) for attribute in attributes]
    labels = np.array([INTERSECTION.join(part) for part in product(*names)], dtype=object)
    frames, pooled = [], []
    for setting in runs:
        tables = tables_of(counts, setting, *axes)
        cells = tables.reshape(len(tables), -1, *tables.shape[-2:])
        sizes = cells[0].sum(axis=(1, 2))
        small = (sizes > 0) & (sizes < options.min_group)
        kept = np.flatnonzero(sizes >= options.min_group)
        parts, shown, members = [cells[:, kept]], list(labels[kept]), [1] * len(kept)
        if small.any():
            parts.append(cells[:, small].sum(axis=1, keepdims=True))
            pooled = [
                f"{name} ({n:,})" for name, n in zip(labels[small], sizes[small], strict=True)
            ]
            shown.append(f"({small.sum():,} small groups together)")
            members.append(int(small.sum()))
        frame = rates_frame(np.concatenate(parts, axis=1), shown, counts.class_names, options)
        frame = frame[frame["metric"].eq("accuracy") | (len(counts.classes) == 2)]
        counted = frame["group"].map(dict(zip(shown, members, strict=True)))
        frames.append(frame.assign(**identity(setting), members=counted))
    columns = ["role", "temperature", "group", "members", "metric", "class"]
    frame = pd.concat(frames, ignore_index=True)[[*columns, "value", "low", "high", "n", "small"]]
    return frame, pooled


def rates_frame(
    tables: NDArray, groups: Sequence[str], classes: Sequence[str], options: Options
) -> pd.DataFrame:
    """Rates of count tables ``[run, group, label, prediction]``, runs averaged."""
    hits = np.diagonal(tables, axis1=2, axis2=3)
    positives, predicted = tables.sum(axis=3), tables.sum(axis=2)
    n = tables.sum(axis=(2, 3))
    every = n[:, :, None]
    first = 1 if len(classes) == 2 else 0  # of two classes only the positive one
    rates = {
        "accuracy": (hits.sum(axis=2)[:, :, None], every, [""]),
        "selection_rate": (predicted[..., first:], every, classes[first:]),
        "tpr": (hits[..., first:], positives[..., first:], classes[first:]),
        "fpr": ((predicted - hits)[..., first:], (every - positives)[..., first:], classes[first:]),
    }
    frames = []
    for metric, (part, whole, about) in rates.items():
        whole = np.broadcast_to(whole, part.shape)
        rate = mean_rate(part, whole, level=options.level)
        columns = {
            "group": np.repeat(np.array(groups, dtype=object), len(about)),
            "metric": metric,
            "class": np.tile(np.array(about, dtype=object), len(groups)),
            **{name: values.ravel() for name, values in rate._asdict().items()},
            "n": whole[0].ravel(),
            "small": np.repeat(n[0] < options.min_group, len(about)),
        }
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def worst_frame(counts: Counts, options: Options) -> pd.DataFrame:
    """The group with the lowest accuracy, of each model and attribute, among those large enough.

    Columns: role, temperature, attribute, group, accuracy, low, high, n, gap (to everyone else),
    gap_low, gap_high, n_compared and clear: whether the gap's interval, widened for having picked
    the worst of ``n_compared`` groups (Bonferroni), excludes 0.
    """
    rows = []
    for attribute, setting in product(counts.groups, settings(counts.models)):
        tables = tables_of(counts, setting, counts.axis(attribute))
        n = tables[0].sum(axis=(1, 2))
        hits = np.trace(tables, axis1=2, axis2=3)
        judged = np.flatnonzero(n >= max(options.min_group, 1))
        if len(judged) < 2:
            continue
        accuracy = mean_rate(hits, n, level=options.level)
        worst = judged[int(np.argmin(accuracy.value[judged]))]
        mean = hits.mean(axis=0)
        rest = mean.sum() - mean[worst], n.sum() - n[worst]
        strict = 1 - (1 - options.level) / len(judged)
        gap = gap_to_rest(mean[worst], n[worst], *rest, level=strict)
        group = counts.group_names(attribute)[worst]
        row = identity(setting) | {"attribute": attribute, "group": group}
        own = [values[worst] for values in accuracy]
        row |= dict(zip(("accuracy", "low", "high"), own, strict=True)) | {"n": int(n[worst])}
        row |= {"gap": float(gap.value), "gap_low": float(gap.low), "gap_high": float(gap.high)}
        rows.append(row | {"n_compared": len(judged), "clear": bool(gap.high < 0)})
    return pd.DataFrame(rows)


def sizes_frame(counts: Counts, options: Options) -> pd.DataFrame:
    """How many examples each group has: attribute, group, n, share, small, left_out."""
    rows = []
    for attribute, values in counts.groups.items():
        axis = counts.axis(attribute)
        n = dict(zip(counts.kept(axis), counts.table(axis), strict=True))
        known = sum(int(count) for count in n.values())
        for code, value in enumerate(values):
            count = int(n.get(code, counts.n - known))
            row = {"attribute": attribute, "group": display(value), "n": count}
            row |= {"share": count / counts.n, "small": count < options.min_group}
            rows.append(row | {"left_out": code not in n})
    return pd.DataFrame(rows)


def identity(setting: Setting) -> dict[str, Any]:
    """The columns that say which model a row is about."""
    return {"role": setting.role, "temperature": temperature_of(setting)}


def temperature_of(setting: Setting) -> float:
    """Its temperature; NaN where it has none."""
    return np.nan if setting.temperature is None else setting.temperature
