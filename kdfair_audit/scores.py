"""Models that give scores: which classes they are of, and what a score can have wrong with it."""

from __future__ import annotations

import decimal
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any

import ibis

from kdfair_audit.columns import (
    MAX_CLASSES,
    Place,
    finite,
    is_scores,
    number,
    plain_values,
    sum_of,
    value,
)
from kdfair_audit.errors import AuditError, listed, quoted
from kdfair_audit.roles import Model
from kdfair_audit.sources import Source
from kdfair_audit.vocabulary import SCORES_OF_SEVERAL, Value, Vocabulary, check_two, in_order

# What is known of the classes before the table is counted: the vocabulary that labels and
# predictions share; and, where a model gives one score a row, the negative and the positive class.
Known = tuple[Vocabulary, tuple[Value, Value] | None]


@dataclass(frozen=True)
class Scored:
    """The scores of one model: its expressions, and what they are scores of."""

    name: str
    scores: tuple[Any, ...]  # one of the positive class; or one a class
    classes: tuple[Value, ...]  # the negative and the positive class; or the class of each score
    threshold: float

    @property
    def single(self) -> bool:
        return len(self.scores) == 1

    @property
    def best(self) -> Any:
        """The score that calibration looks at: of the positive class, or the highest."""
        return self.scores[0] if self.single else ibis.greatest(*self.scores)

    @property
    def predicted(self) -> Any:
        literals = [
            ibis.literal(v, "string" if isinstance(v, str) else "int64") for v in self.classes
        ]
        if self.single:
            return (self.best >= self.threshold).ifelse(literals[1], literals[0])
        first = [(s == self.best, c) for s, c in zip(self.scores, literals, strict=True)]
        return ibis.cases(*first, else_=literals[-1])

    def outcome(self, label: Any) -> Any:
        """1 where what was scored came true, else 0."""
        wanted = self.predicted
        if self.single:
            wanted = ibis.literal(self.classes[1], wanted.type())
        return (label == wanted).ifelse(1, 0)

    def missing(self) -> Any:
        """Whether a score is missing or not finite."""
        return ~reduce(lambda a, b: a & b, [finite(score) for score in self.scores])

    def wrong(self) -> Any:
        """Whether scores are no probabilities."""
        low = reduce(lambda a, b: a | b, [score < 0 for score in self.scores])
        if self.single:
            return low | (self.best > 1)
        return low | ((reduce(add, self.scores) - 1).abs() >= 0.01)


def raw_scores(source: Source, model: Model, size: int) -> tuple[Any, ...]:
    """The scores of a model, as float64: one a column, or one an element of a list."""
    columns = [source.column(name) for name in model.columns]
    in_lists = len(columns) == 1 and columns[0].type().is_array()
    for name, column in zip(model.columns, columns, strict=True):
        held = column.type().value_type if in_lists else column.type()
        if not held.is_numeric() or column.type().is_boolean():
            raise AuditError(
                f"column {quoted(name)} holds values of type {column.type()}; expected scores"
            )
    if in_lists:
        return tuple(number(columns[0][i]) for i in range(size))
    return tuple(number(column) for column in columns)


def known_classes(
    source: Source,
    label: str,
    models: Sequence[Model],
    sizes: dict[str, int],
    *,
    classes: Sequence[Any] | None,
    positive: Any,
) -> Known:
    """The classes, so far as they are given or scores say them; ``sizes`` as of list_sizes."""
    text = is_text(source, label)
    given = None if classes is None else as_labels_are(classes, text)
    scored = [model for model in models if model.kind == "scores"]
    for model in scored:
        found, size = None, sizes.get(model.columns[0])
        if model.classes:
            found = as_labels_are(model.classes, text)
        elif size is not None:
            found = given or list(range(size))
            if given is None and text:
                raise AuditError(
                    f"column {quoted(model.name)} has {size} scores a row; give the classes in "
                    "their order, for example --classes cat dog"
                )
        elif given is not None and len(given) != 2:
            raise AuditError(
                f"column {quoted(model.name)} has one score a row, which needs two classes; given "
                f"are {len(given)}: {listed(given)}; {SCORES_OF_SEVERAL}"
            )
        if found is not None:
            given = given or found
            if set(map(str, given)) != set(map(str, found)):
                raise AuditError(
                    f"the scores of {quoted(model.name)} are of the classes {listed(found)}; "
                    f"expected {listed(given)}"
                )
    single = next((m for m in scored if not m.classes and m.columns[0] not in sizes), None)
    if given is not None:
        pair = None
        if single is not None:
            wanted = given[-1] if positive is None else as_labels_are([positive], text)[0]
            if wanted not in given:
                raise AuditError(
                    f"the positive class {quoted(wanted)} is not among the classes given"
                )
            pair = (given[1 - given.index(wanted)], wanted)
        return Vocabulary("class", MAX_CLASSES, label, closed=given), pair
    if single is None:
        return Vocabulary("class", MAX_CLASSES, label), None
    return _two_classes(source, label, single, text, positive)


def _two_classes(source: Source, label: str, model: Model, text: bool, positive: Any) -> Known:
    column = source.column(model.columns[0])
    example = source.run(source.table.filter(column.notnull()).select(v=column).limit(1))
    shown = example.column(0)[0].as_py() if example.num_rows else None
    such = f"{shown:g}" if isinstance(shown, int | float | decimal.Decimal) else quoted(shown)
    says = f"column {quoted(model.name)} gives one score a row (such as {such})"
    expression = value(source, label, "class")
    distinct = source.table.select(v=expression).distinct().limit(MAX_CLASSES + 1)
    held = source.run(distinct).column(0).drop_null().combine_chunks()
    seen = plain_values(source, label, "class", held, expression)
    seen = [seen[i] for i in in_order(seen)]
    check_two(says, label, seen)
    if positive is None and text:
        raise AuditError(
            f"{says}, and the labels in column {quoted(label)} are text ({listed(seen)}): say "
            f"which class the scores are of, for example --positive {quoted((seen or ['yes'])[-1])}"
        )
    if positive is None:
        return Vocabulary("class", MAX_CLASSES, label, closed=[0, 1], scored=says), (0, 1)
    (wanted,) = as_labels_are([positive], text)
    if len(seen) == 2 and wanted not in seen:
        raise AuditError(
            f"the positive class {quoted(wanted)} is no class of column {quoted(label)}; expected "
            f"{seen[0]!r} or {seen[1]!r}"
        )
    other = next((v for v in seen if v != wanted), None)
    if seen and other is None:
        raise AuditError(
            f"the label has only one class, {listed(seen)}: there is nothing to tell apart; if the "
            "data merely lacks the other, give both with --classes"
        )
    vocabulary = Vocabulary("class", 2, label, closed=[wanted], scored=says)
    vocabulary.closed = False  # the other is known only once it is seen
    return vocabulary, (other, wanted)


def as_labels_are(values: Sequence[Any], text: bool) -> list[Value]:
    """Values from a command line or a column's name, as the label column would hold them."""
    if text:
        return [str(value) for value in values]
    try:
        return [int(value) for value in values]
    except ValueError:
        raise AuditError(
            f"the classes {listed(values)} are given, but the labels are whole numbers"
        ) from None


def is_text(source: Source, label: str) -> bool:
    """Whether labels are text, not numbers."""
    return bool(source.column(label).type().is_string())


def with_kinds(source: Source, models: list[Model]) -> list[Model]:
    """Whether each model gives labels or scores: numbers that are not all whole are scores."""
    open_ = {m.columns[0]: is_scores(source, m.columns[0]) for m in models if not m.kind}
    floats = [name for name, known in open_.items() if known is None]
    if floats:
        columns = [number(source.column(name)) for name in floats]
        parts = {f"c{i}": sum_of(finite(c) & (c % 1 != 0)) for i, c in enumerate(columns)}
        found = source.totals(source.table, **parts)
        open_ |= {name: bool(found[f"c{i}"]) for i, name in enumerate(floats)}
    return [
        model
        if model.kind
        else replace(model, kind="scores" if open_[model.columns[0]] else "labels")
        for model in models
    ]


def list_sizes(source: Source, models: list[Model]) -> dict[str, int]:
    """Of each column of lists of scores, how many a row holds; the same in every row."""
    sizes = {}
    for model in models:
        column = source.column(model.columns[0])
        if model.kind == "scores" and not model.classes and column.type().is_array():
            most = source.totals(source.table, most=column.length().max())["most"]
            sizes[model.columns[0]] = int(most or 0)
    return sizes


def scored_by(
    source: Source, model: Model, classes: Known, sizes: dict[str, int], threshold: float
) -> Scored:
    """The scores of a model, and what they are of."""
    vocabulary, pair = classes
    name, size = model.columns[0], 0
    known = tuple(vocabulary.codes)
    if model.classes:
        text = bool(known) and isinstance(known[0], str)
        known = tuple(as_labels_are(model.classes, text))
    elif name not in sizes:
        assert pair is not None
        known = pair
    else:
        size = len(known)
        place = Place(source, (source.column(name).length() != size).fill_null(True))
        if place.n:
            raise AuditError(
                f"column {quoted(name)} has no {size} scores{place}; expected one score for each "
                "class"
            )
    return Scored(model.name, raw_scores(source, model, size), known, threshold)


def check_scores(source: Source, models: list[Model], scored: dict[int, Scored]) -> list[int]:
    """Refuse scores that cannot be; returns the models whose scores are probabilities."""
    if not scored:
        return []
    parts = {f"missing{run}": sum_of(model.missing()) for run, model in scored.items()}
    parts |= {f"wrong{run}": sum_of(model.wrong()) for run, model in scored.items()}
    found = source.totals(source.table, **parts)
    for run, model in scored.items():
        if found[f"missing{run}"]:
            for name, score in zip(models[run].columns, model.scores, strict=False):
                missing = ~finite(score) if len(models[run].columns) > 1 else model.missing()
                place = Place(source, missing)
                if place.n:
                    raise AuditError(
                        f"column {quoted(name)} has no finite score{place}; every row needs one "
                        f"{place.lines()}"
                    )
        if model.single and found[f"wrong{run}"]:
            place = Place(source, model.wrong().fill_null(False), model.best)
            raise AuditError(
                f"column {quoted(model.name)} holds the score {place.value:g}{place}; expected "
                "probabilities between 0 and 1, or labels"
            )
    return [run for run in scored if not found[f"wrong{run}"]]
