"""The columns of an audit as expressions, and everything that one can have wrong with it."""

from __future__ import annotations

import datetime
import decimal
import math
import sys
import uuid
from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pyarrow as pa

from kdfair_audit.errors import AuditError, quoted
from kdfair_audit.sources import FILE, Source
from kdfair_audit.vocabulary import Codes, Vocabulary, in_order

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
    return column.cast("float64")


def sum_of(condition: Any) -> Any:
    """How many rows fulfil it."""
    return condition.ifelse(1, 0).sum()


def value(source: Source, name: str, what: str) -> Any:
    """A column of classes or groups, as its values are told apart; null where there is none."""
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


class Place:
    """Where a condition holds first, and how often."""

    def __init__(self, source: Source, condition: Any, shown: Any = None) -> None:
        table = source.table
        shown = ibis.null("string") if shown is None else shown
        several = table[FILE] if source.files else ibis.null("string")
        row = ibis.row_number() if source.ordered else ibis.literal(0)
        rows = table.select(row=row, bad=condition, shown=shown, file=several)
        bad = rows.filter(rows.bad)
        counted = source.totals(rows, n=rows.count(), bad=sum_of(rows.bad))
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
            self.row -= int(source.totals(mine, start=mine.row.min())["start"])
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
