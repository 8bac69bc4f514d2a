"""The columns of an audit as expressions, and everything that one can have wrong with it."""

from __future__ import annotations

import datetime
import decimal
import math
import sys
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pyarrow as pa

from kdfair_audit.errors import AuditError, listed, quoted
from kdfair_audit.roles import Model
from kdfair_audit.sources import FILE, Source
from kdfair_audit.vocabulary import (
    SCORES_OF_SEVERAL,
    Codes,
    Value,
    Vocabulary,
    check_two,
    in_order,
)

MAX_CLASSES = 1000
CROSS = "*"  # between the names of columns whose values are crossed
BETWEEN = " × "  # between such values
LARGEST = sys.float_info.max


def parts_of(group: str, columns: Sequence[str]) -> list[str]:
    """The columns of a group: itself, or those that are crossed."""
    return [group] if group in columns else [part.strip() for part in group.split(CROSS)]


def is_scores(source: Source, name: str) -> bool | None:
    """Whether a column holds scores; None where its values have to be looked at."""
    kind = source.column(name).type()
    if kind.is_array():
        return True
    return None if kind.is_floating() or kind.is_decimal() else False


def finite(number: Any) -> Any:
    """Whether a number is there, and no NaN and not infinite."""
    return number.between(-LARGEST, LARGEST).fill_null(False)


def number(column: Any) -> Any:
    """A column of numbers as float64."""
    return column.cast("float64")


def sum_of(condition: Any) -> Any:
    """How many rows fulfil it."""
    return condition.ifelse(1, 0).sum()


def value(source: Source, name: str, what: str) -> Any:
    """A column of classes or groups, as its values are told apart; null where there is none.

    Raises
    ------
    AuditError
        If its type cannot be that.
    """
    column = source.column(name)
    kind = column.type()
    if kind.is_string() or kind.is_integer():
        return column
    if kind.is_boolean():
        return column.cast("int8")
    if kind.is_floating() or kind.is_decimal():
        column = number(column)
        has_nan = source.table.get_backend().has_operation(ibis.expr.operations.IsNan)
        return column.isnan().ifelse(ibis.null("float64"), column) if has_nan else column
    if is_nothing(kind):
        return ibis.null("string")
    if what == "group" and (kind.is_temporal() or kind.is_uuid()):
        return column.cast("string")
    raise AuditError(
        f"column {quoted(name)} holds values of type {kind}; expected text or whole numbers"
    )


def group_value(source: Source, group: str, missing: str) -> Any:
    """The values of a group: of one column, or of several that are crossed."""
    parts = parts_of(group, source.columns)
    if len(parts) == 1:
        return value(source, parts[0], "group")
    texts = []
    for part in parts:
        text = value(source, part, "group")
        if text.type().is_floating():
            whole = text == text.round(0)
            text = whole.ifelse(text.cast("int64").cast("string"), text.cast("string"))
        text = text.cast("string")
        texts.append(text.fill_null("(missing)") if missing == "group" else text)
    return reduce(lambda a, b: a + BETWEEN + b, texts)


def is_nothing(kind: Any) -> bool:
    """Whether a column's type says that it holds nothing at all."""
    return bool(kind.is_null() or (kind.is_unknown() and "NULL" in str(kind)))


@dataclass(frozen=True)
class Scored:
    """The scores of one model: its expressions, and what they are scores of."""

    name: str
    scores: tuple[Any, ...]  # one of the positive class; or one a class
    classes: tuple[Value, ...]  # the negative and the positive class; or the class of each score
    threshold: float

    @property
    def single(self) -> bool:
        """Whether there is one score a row."""
        return len(self.scores) == 1

    @property
    def best(self) -> Any:
        """The score that calibration looks at: of the positive class, or the highest."""
        return self.scores[0] if self.single else ibis.greatest(*self.scores)

    @property
    def predicted(self) -> Any:
        """The predicted class."""
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
    columns = [(name, source.column(name)) for name in model.columns]
    if columns[0][1].type().is_array():
        (name, column), *_ = columns
        if not column.type().value_type.is_numeric():
            raise _no_scores(name, column)
        return tuple(number(column[i]) for i in range(size))
    for name, column in columns:
        if not column.type().is_numeric() or column.type().is_boolean():
            raise _no_scores(name, column)
    return tuple(number(column) for _, column in columns)


def _no_scores(name: str, column: Any) -> AuditError:
    return AuditError(
        f"column {quoted(name)} holds values of type {column.type()}; expected scores"
    )


class Place:
    """Where a condition holds first, and how often."""

    def __init__(self, source: Source, condition: Any, shown: Any = None) -> None:
        table = source.table
        shown = ibis.null("string") if shown is None else shown
        several = table[FILE] if source.files else ibis.null("string")
        row = ibis.row_number() if source.ordered else ibis.literal(0)
        rows = table.select(row=row, bad=condition, shown=shown, file=several)
        bad = rows.filter(rows.bad)
        counted = source.run(rows.aggregate(n=rows.count(), bad=sum_of(rows.bad))).to_pylist()[0]
        self.total, self.n = int(counted["n"]), int(counted["bad"] or 0)
        self.ordered, self.file = source.ordered, ""
        if self.n == 0:
            return
        if not source.ordered:
            self.value = source.run(bad.limit(1).select("shown")).column(0)[0].as_py()
            return
        first = source.run(bad.order_by("row").limit(1)).to_pylist()[0]
        self.value, self.row = first["shown"], int(first["row"]) + 1
        if first["file"] is not None:
            mine = rows.filter(rows.file == first["file"])
            start = source.run(mine.aggregate(start=mine.row.min())).column(0)[0].as_py()
            self.row -= int(start)
            self.file = Path(first["file"]).name

    def __str__(self) -> str:
        """`` in row 7`` where rows have numbers."""
        if not self.ordered:
            return ""
        return f" in row {self.row:,}" + (f" of {self.file}" if self.file else "")

    def lines(self) -> str:
        """Where a CSV has the first, and how many there are."""
        line = f"line {self.row + 1:,} of a CSV with its header; " if self.ordered else ""
        return f"({line}missing in {self.n:,} of {self.total:,} rows)"


def no_value(source: Source, name: str, what: str, expression: Any) -> AuditError:
    """What is said of a missing class or group."""
    place = Place(source, expression.isnull())
    where = f"column {quoted(name)} has no value{place}"
    if what == "group":
        return AuditError(
            f"{where}; give --missing group to make those rows a group of their own, or "
            f"--missing exclude to leave them out of this column's tables {place.lines()}"
        )
    return AuditError(f"{where}; every row needs a label and a prediction {place.lines()}")


def plain_values(source: Source, name: str, what: str, column: pa.Array, expression: Any) -> list:
    """Values of a fetched column: whole numbers, text, or other finite numbers of groups."""
    values = column.to_pylist()
    for i, found in enumerate(values):
        if isinstance(found, decimal.Decimal):
            found = values[i] = float(found)
        if isinstance(found, datetime.date | datetime.time | uuid.UUID):
            values[i] = str(found)
        if isinstance(found, bool):
            values[i] = int(found)
        if not isinstance(found, float):
            continue
        if math.isfinite(found) and found == int(found) and (what == "group" or abs(found) < 2**62):
            values[i] = int(found)
        elif what != "group" or not math.isfinite(found):
            place = Place(source, expression == found)
            raise AuditError(
                f"column {quoted(name)} holds {found}{place}; expected classes (whole numbers or "
                "text), or name it column:scores"
            )
    return values


def codes_of(
    source: Source,
    name: str,
    vocabulary: Vocabulary,
    column: pa.ChunkedArray,
    expression: Any,
    missing: str,
) -> Codes:
    """Codes of a fetched column."""
    encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    values = plain_values(source, name, vocabulary.what, encoded.dictionary, expression)
    if None in values and missing == "refuse":
        raise no_value(source, name, vocabulary.what, expression)
    lookup = np.zeros(len(values), dtype=np.int64)
    order = in_order(values)
    lookup[order] = vocabulary.extend([values[i] for i in order], name)
    return lookup[encoded.indices.to_numpy(zero_copy_only=False)]


@dataclass
class Classes:
    """What is known of the classes before the table is counted.

    Attributes
    ----------
    vocabulary : Vocabulary
        That labels and predictions share.
    pair : tuple, optional
        The negative and the positive class, where a model gives one score a row.
    """

    vocabulary: Vocabulary
    pair: tuple[Value, Value] | None = None


def known_classes(
    source: Source,
    label: str,
    models: Sequence[Model],
    sizes: dict[str, int],
    *,
    classes: Sequence[Any] | None,
    positive: Any,
) -> Classes:
    """The classes, so far as they are given or scores say them.

    Parameters
    ----------
    sizes : dict of str to int
        Of each column of lists, how many scores a row.
    """
    text = _texts(source, label)
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
        return Classes(Vocabulary("class", MAX_CLASSES, label, closed=given), pair)
    if single is None:
        return Classes(Vocabulary("class", MAX_CLASSES, label))
    return _two_classes(source, label, single, text, positive)


def _two_classes(source: Source, label: str, model: Model, text: bool, positive: Any) -> Classes:
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
        closed = Vocabulary("class", MAX_CLASSES, label, closed=[0, 1], scored=says)
        return Classes(closed, (0, 1))
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
    return Classes(vocabulary, (other, wanted))


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


def _texts(source: Source, label: str) -> bool:
    return bool(source.column(label).type().is_string())
