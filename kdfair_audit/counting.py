"""From a table of predictions to counts: one group-by over groups, label and predictions.

The engine that holds the table does the counting, and only counts come here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kdfair_audit.columns import codes_of, group_value, parts_of, value
from kdfair_audit.counts import (
    BINS,
    JOINT,
    ROWS,
    TABLE_CELLS,
    TOTAL_CELLS,
    Counts,
    Tables,
    cells_of,
    distinct,
    wanted_tables,
)
from kdfair_audit.errors import AuditError, listed, nearest, quoted
from kdfair_audit.merging import in_natural_order
from kdfair_audit.roles import Model, resolve
from kdfair_audit.scores import (
    as_labels_are,
    check_scores,
    is_text,
    known_classes,
    list_sizes,
    scored_by,
    with_kinds,
)
from kdfair_audit.sources import Source
from kdfair_audit.vocabulary import Codes, Vocabulary

MAX_GROUPS = 100
SAMPLE = 1 << 18  # rows in which a column with too many values is looked for first
UNIT = 1 << 30  # scores are added as whole multiples of 1 / UNIT, so that no order matters


@dataclass(frozen=True)
class Plan:
    """What to read of a table, and how; as :func:`kdfair_audit.audit` has it."""

    label: str
    groups: tuple[str, ...]
    teacher: Any = None
    baseline: Any = None
    distilled: Any = None
    classes: Sequence[Any] | None = None
    positive: Any = None
    threshold: float = 0.5
    missing: str = "refuse"
    max_groups: int = MAX_GROUPS


def find_models(plan: Plan, columns: Sequence[str]) -> list[Model]:
    """The models of a plan, after checking that every column is there and has one role."""
    if not plan.groups:
        raise AuditError("no group column is given; an audit asks what changed for whom")
    parts = [part for group in plan.groups for part in parts_of(group, columns)]
    for role, name in [("label", plan.label), *(("group", name) for name in parts)]:
        if name not in columns:
            raise AuditError(f"no column {quoted(name)} for the {role}; {nearest(name, columns)}")
    models = [
        model
        for role in ("teacher", "baseline", "distilled")
        for model in resolve(role, getattr(plan, role), columns)
    ]
    if not any(model.role == "distilled" for model in models):
        raise AuditError("no distilled student is given; there is nothing to audit")
    grouped = list(plan.groups) + sorted(set(parts) - set(plan.groups))
    used = [plan.label, *grouped, *(column for model in models for column in model.columns)]
    twice = sorted({name for name in used if used.count(name) > 1})
    if twice:
        raise AuditError(f"column {listed(twice)} is given more than one role")
    return models


@dataclass(frozen=True)
class Axis:
    """One column of the group-by: what messages call it, its expression, its values."""

    name: str
    expression: Any
    vocabulary: Vocabulary
    missing: str = "refuse"


def count_source(source: Source, plan: Plan) -> Counts:
    """Count a table; AuditError for what cannot be a label, a group or a prediction."""
    models = find_models(plan, source.columns)
    parts = [part for group in plan.groups for part in parts_of(group, source.columns)]
    source.require([plan.label, *parts, *(name for model in models for name in model.columns)])
    return _Count(source, plan, with_kinds(source, models)).run()


class _Count:
    """One table being counted."""

    def __init__(self, source: Source, plan: Plan, models: list[Model]) -> None:
        self.source, self.plan, self.models = source, plan, models
        label, sizes = value(source, plan.label, "class"), list_sizes(source, models)
        classes = known_classes(
            source, plan.label, models, sizes, classes=plan.classes, positive=plan.positive
        )
        self.vocabulary = classes[0]
        self.scored = {
            run: scored_by(source, model, classes, sizes, plan.threshold)
            for run, model in enumerate(models)
            if model.kind == "scores"
        }
        self.calibrated = check_scores(source, models, self.scored)
        self.groups = {f"g{a}": self._group(name) for a, name in enumerate(plan.groups)}
        self.axes = {"y": Axis(plan.label, label, self.vocabulary), **self.groups}
        self.axes |= {f"p{run}": self._predicted(run) for run in range(len(models))}

    def _group(self, name: str) -> Axis:
        groups = Vocabulary("group", self.plan.max_groups, name)
        missing = self.plan.missing
        return Axis(name, group_value(self.source, name, missing), groups, missing)

    def _predicted(self, run: int) -> Axis:
        name = self.models[run].name
        scored = self.scored.get(run)
        found = scored.predicted if scored else value(self.source, name, "class")
        return Axis(name, found, self.vocabulary)

    def run(self) -> Counts:
        source, plan, vocabulary = self.source, self.plan, self.vocabulary
        keys = source.table.select(**{name: axis.expression for name, axis in self.axes.items()})
        self._few(keys.limit(SAMPLE))
        joint = keys.group_by(list(self.axes)).aggregate(n=lambda table: table.count())
        joint = _kept(source, joint)
        found = source.run(joint.limit(JOINT + 1))
        if found.num_rows == 0:
            raise AuditError(f"{source.name} holds no rows")
        rows, tables = None, {}
        if found.num_rows <= JOINT:
            codes = {name: self._codes(name, found.column(name)) for name in self.axes}
            rows = distinct(codes, _whole(found.column("n")))
            n = int(rows.n.sum())
            if n > ROWS:
                self._wanted()
        else:
            n = int(source.totals(joint, n=joint.n.sum())["n"])
            for name, axis in self.axes.items():
                self._look_at(name, joint.select(name).distinct().limit(axis.vocabulary.limit + 2))
            tables = {name: self._table(joint, name.split(",")) for name in self._wanted()}
        positive = plan.positive
        if positive is not None:
            positive = as_labels_are([positive], is_text(source, plan.label))[0]
        return in_natural_order(
            Counts(
                classes=list(vocabulary.codes),
                groups={axis.name: list(axis.vocabulary.codes) for axis in self.groups.values()},
                models=self.models,
                n=n,
                rows=rows,
                tables=tables,
                sums=self._sums(),
                positive=positive,
                declared=vocabulary.closed,
                excluded=plan.missing == "exclude",
                notes=self._notes(),
            )
        )

    def _few(self, sample: Any) -> None:
        """Refuse a column with too many values before all rows are grouped by it."""
        labels = {
            n: a for n, a in self.axes.items() if n[0] != "p" or int(n[1:]) not in self.scored
        }
        found = self.source.totals(sample, **{n: sample[n].nunique() for n in labels})
        for name, axis in labels.items():
            if (found[name] or 0) > axis.vocabulary.limit:
                self._look_at(name, sample.select(name).distinct().limit(axis.vocabulary.limit + 2))

    def _look_at(self, name: str, values: Any) -> None:
        """Take the values of an axis into its vocabulary, or refuse them."""
        self._codes(name, self.source.run(values).column(0))

    def _codes(self, name: str, column: pa.ChunkedArray) -> Codes:
        axis = self.axes[name]
        return codes_of(
            self.source, axis.name, axis.vocabulary, column, axis.expression, axis.missing
        )

    def _sizes(self) -> dict[str, int]:
        return {name: len(axis.vocabulary) for name, axis in self.axes.items()}

    def _wanted(self) -> list[str]:
        """The tables that a report reads, less those that it can do without and are too large."""
        sizes = self._sizes()
        wanted = [
            name
            for name, optional in wanted_tables(self.models, self.plan.groups).items()
            if not optional or cells_of(name.split(","), sizes) <= TABLE_CELLS
        ]
        cells = sum(cells_of(name.split(","), sizes) for name in wanted)
        if cells > TOTAL_CELLS:
            raise AuditError(
                f"the classes, groups and models make {cells:,} counts, too many for one audit; "
                "give fewer models or group columns at a time"
            )
        return wanted

    def _table(self, joint: Any, names: list[str]) -> NDArray[np.int64]:
        keys = {f"k{i}": _derived(joint, name) for i, name in enumerate(names)}
        table = joint.select(n=joint.n, **keys)
        found = self.source.run(table.group_by(list(keys)).aggregate(n=table.n.sum()))
        codes = [
            self._codes(name, found.column(key)) if ":" not in name else _whole(found.column(key))
            for key, name in zip(keys, names, strict=True)
        ]
        shape = [cells_of([name], self._sizes()) for name in names]
        total = np.zeros(shape, dtype=np.int64)
        np.add.at(total, tuple(codes), _whole(found.column("n")))
        return total

    def _sums(self) -> Tables:
        """What calibration needs of every model that gives probabilities."""
        sums: Tables = {}
        groups = list(self.groups)
        small = cells_of(groups, self._sizes()) * BINS <= JOINT
        for run in self.calibrated:
            for together in [groups] if small else [[group] for group in groups]:
                sums |= self._sums_of(run, together)
        return sums

    def _sums_of(self, run: int, groups: list[str]) -> Tables:
        model, bins = self.scored[run], f"bin:{run}"
        score = model.best
        outcome = model.outcome(self.axes["y"].expression)
        gap = score - outcome
        tenth = (score * BINS).floor().cast("int64")
        table = self.source.table.select(
            bin=(tenth >= BINS).ifelse(BINS - 1, tenth),
            outcome=outcome,
            score=_units(score),
            gap=_units(gap),
            square=_units(gap * gap),
            **{name: self.axes[name].expression for name in groups},
        )
        what = ("outcome", "score", "gap", "square")
        grouped = table.group_by([*groups, "bin"])
        found = self.source.run(
            grouped.aggregate(n=table.count(), **{name: table[name].sum() for name in what})
        )
        held = _whole(found.column("bin"))
        added = {name: _whole(found.column(name)) for name in ("n", *what)}
        sums: Tables = {}
        for group in groups:
            codes = self._codes(group, found.column(group))
            for name, values in added.items():
                by_bin = name in ("n", "score", "outcome")
                size = len(self.axes[group].vocabulary)
                total = np.zeros((size, BINS) if by_bin else size, dtype=np.int64)
                np.add.at(total, (codes, held) if by_bin else codes, values)
                key = f"{group},{bins}/{name}:{run}" if by_bin else f"{group}/{name}:{run}"
                sums[key] = total / (1 if name in ("n", "outcome") else UNIT)
        return sums

    def _notes(self) -> list[str]:
        notes = []
        if any(model.single for model in self.scored.values()):
            notes.append(
                f"The positive class is predicted from a score of {self.plan.threshold:g} on."
            )
        return notes + [
            f"The scores of {quoted(model.name)} are not probabilities that sum to 1; "
            "their calibration is left out."
            for run, model in self.scored.items()
            if run not in self.calibrated
        ]


def _kept(source: Source, expression: Any) -> Any:
    """An expression whose answer is asked for more than once, kept where that costs nothing."""
    if not source.keeps:
        return expression
    with source.quiet():
        return expression.get_backend().create_table("kdfair_joint", expression, temp=True)


def _units(number: Any) -> Any:
    return (number * UNIT).round(0).cast("int64")


def _whole(column: pa.ChunkedArray) -> NDArray[np.int64]:
    return np.array(column.to_pylist(), dtype=np.int64)


def _derived(joint: Any, axis: str) -> Any:
    kind, colon, runs = axis.partition(":")
    if not colon:
        return joint[axis]
    predictions = [joint[f"p{run}"] for run in runs.split("+")]
    if kind == "same":
        return (predictions[0] == predictions[1]).ifelse(1, 0)
    return reduce(add, [(one == joint["y"]).ifelse(1, 0) for one in predictions])
