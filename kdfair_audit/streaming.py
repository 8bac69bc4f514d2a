"""From a table of predictions to counts, a batch of rows at a time."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from kdfair_audit.classes import as_labels_are, class_vocabulary, score_reader
from kdfair_audit.codes import BINS, Codes, Column, Scores, Vocabulary, looks_like_scores
from kdfair_audit.counting import (
    Counter,
    Counts,
    Tables,
    count,
    padded_sum,
    score_sums,
)
from kdfair_audit.errors import AuditError, listed, nearest, quoted
from kdfair_audit.merging import in_natural_order
from kdfair_audit.reading import Source
from kdfair_audit.roles import Model, resolve

MAX_GROUPS = 100


@dataclass(frozen=True)
class Plan:
    """What to read of a table, and how.

    Attributes
    ----------
    label : str
    groups : tuple of str
        Columns of sensitive attributes.
    teacher, baseline, distilled : str or sequence of str or None
        In the language of :mod:`kdfair_audit.roles`.
    classes : sequence, optional
        The classes, where the labels may not show them all, in the order of score columns.
    positive : object, optional
        Of two classes, the one that rates are about.
    threshold : float
        From which score on the positive class is predicted.
    missing : str
        Missing groups: "refuse", "group" or "exclude".
    max_groups : int
    """

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
    for role, name in [("label", plan.label), *(("group", name) for name in plan.groups)]:
        if name not in columns:
            raise AuditError(f"no column {quoted(name)} for the {role}; {nearest(name, columns)}")
    models = [
        model
        for role in ("teacher", "baseline", "distilled")
        for model in resolve(role, getattr(plan, role), columns)
    ]
    if not any(model.role == "distilled" for model in models):
        raise AuditError("no distilled student is given; there is nothing to audit")
    used = [plan.label, *plan.groups, *(column for model in models for column in model.columns)]
    twice = sorted({name for name in used if used.count(name) > 1})
    if twice:
        raise AuditError(f"column {listed(twice)} is given more than one role")
    return models


def count_source(source: Source, plan: Plan) -> Counts:
    """Count a table.

    Raises
    ------
    AuditError
        For columns that are not there, values that cannot be labels, groups or predictions, and
        everything that stops the reading.
    """
    models = find_models(plan, source.columns)
    columns = [plan.label, *plan.groups, *(name for model in models for name in model.columns)]
    batches = ahead(source.batches(columns, text=plan.groups))
    first = next(batches, None)
    if first is None or (first.num_rows == 0 and (first := _first_with_rows(batches)) is None):
        raise AuditError(f"{source.name} holds no rows")
    return _Pass(plan, models, first).run(first, batches)


def ahead(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same batches, the next one or two read in another thread meanwhile."""
    ready: queue.Queue[Any] = queue.Queue(maxsize=2)
    stop = threading.Event()

    def put(item: Any) -> None:
        while not stop.is_set():
            try:
                return ready.put(item, timeout=0.1)
            except queue.Full:
                continue

    def work() -> None:
        try:
            for batch in batches:
                put(batch)
                if stop.is_set():
                    return
            put(None)
        except BaseException as error:  # handed to the reader, who raises it
            put(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join()


def _first_with_rows(batches: Iterator[pa.RecordBatch]) -> pa.RecordBatch | None:
    return next((batch for batch in batches if batch.num_rows), None)


class _Pass:
    """The coders of one pass, made from the first batch."""

    def __init__(self, plan: Plan, models: list[Model], first: pa.RecordBatch) -> None:
        self.plan = plan
        self.models = [_with_kind(model, first) for model in models]
        self.classes = class_vocabulary(
            plan.label, self.models, first, classes=plan.classes, positive=plan.positive
        )
        self.label = Column(plan.label, self.classes)
        self.groups = [
            Column(name, Vocabulary("group", plan.max_groups, name), missing=plan.missing)
            for name in plan.groups
        ]
        self.predictions = [self._reader(model, first) for model in self.models]
        self.counter = Counter(self.models, len(plan.groups))
        self.sums: Tables = {}
        self.rows = 0

    def run(self, first: pa.RecordBatch, batches: Iterator[pa.RecordBatch]) -> Counts:
        self._add(first)
        for batch in batches:
            if batch.num_rows:
                self._add(batch)
        classes = list(self.classes.codes)
        if len(classes) == 1 and self._scored():
            classes.append(f"not {classes[0]}")
        positive = self.plan.positive
        if positive is not None:
            positive = as_labels_are([positive], first.schema.field(self.plan.label).type)[0]
        rows, tables = self.counter.finish()
        return in_natural_order(
            Counts(
                classes=classes,
                groups={column.name: list(column.vocabulary.codes) for column in self.groups},
                models=self.models,
                n=self.rows,
                rows=rows,
                tables=tables,
                sums=self.sums,
                positive=positive,
                declared=self.classes.closed,
                excluded=self.plan.missing == "exclude",
                notes=self._notes(),
            )
        )

    def _reader(self, model: Model, first: pa.RecordBatch) -> Column | Scores:
        if model.kind == "labels":
            return Column(model.columns[0], self.classes)
        return score_reader(
            model,
            self.classes,
            first,
            label=self.plan.label,
            positive=self.plan.positive,
            threshold=self.plan.threshold,
        )

    def _add(self, batch: pa.RecordBatch) -> None:
        codes: dict[str, Codes] = {"y": self.label(batch.column(self.plan.label), self.rows)}
        for a, column in enumerate(self.groups):
            codes[f"g{a}"] = column(batch.column(column.name), self.rows)
        scores = {}
        for run, (model, reader) in enumerate(zip(self.models, self.predictions, strict=True)):
            arrays = [batch.column(name) for name in model.columns]
            if isinstance(reader, Scores):
                codes[f"p{run}"], scores[run] = reader(arrays, self.rows)
            else:
                codes[f"p{run}"] = reader(arrays[0], self.rows)
        n_classes = max(2, len(self.classes))
        sizes = {axis: n_classes for axis in codes if axis[0] != "g"}
        sizes |= {f"g{a}": len(column.vocabulary) for a, column in enumerate(self.groups)}
        self.counter.add(codes, sizes)
        for run, values in scores.items():
            self._add_scores(run, values, codes, sizes)
        self.rows += batch.num_rows

    def _add_scores(
        self, run: int, scores: np.ndarray, codes: dict[str, Codes], sizes: dict[str, int]
    ) -> None:
        reader = self.predictions[run]
        assert isinstance(reader, Scores)
        if not reader.probabilities:
            return
        wanted = reader.classes[1] if reader.single else codes[f"p{run}"]
        outcome = (codes["y"] == wanted).astype(float)
        axis = f"bin:{run}"
        codes = codes | {axis: np.minimum((scores * BINS).astype(np.int64), BINS - 1)}
        sizes = sizes | {axis: BINS}
        for name, axes, weights in score_sums(run, len(self.groups), codes, scores, outcome):
            total = count(codes, axes, sizes, weights).astype(float)
            self.sums[name] = padded_sum(self.sums.get(name), total)

    def _scored(self) -> list[Scores]:
        return [reader for reader in self.predictions if isinstance(reader, Scores)]

    def _notes(self) -> list[str]:
        notes = []
        if any(reader.single for reader in self._scored()):
            notes.append(
                f"The positive class is predicted from a score of {self.plan.threshold:g} on."
            )
        for run, reader in enumerate(self.predictions):
            if isinstance(reader, Scores) and not reader.probabilities:
                for name in [name for name in self.sums if name.endswith(f":{run}")]:
                    del self.sums[name]
                notes.append(
                    f"The scores of {quoted(reader.name)} are not probabilities that sum to 1; "
                    "their calibration is left out."
                )
        return notes


def _with_kind(model: Model, first: pa.RecordBatch) -> Model:
    if model.kind:
        return model
    scores = len(model.columns) > 1 or looks_like_scores(first.column(model.columns[0]))
    return replace(model, kind="scores" if scores else "labels")
