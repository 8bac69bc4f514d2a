"""The values of columns as integer codes, in an order that people expect."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdfair_audit.errors import AuditError, listed, quoted

Value = Any  # a class or a group as the data has it: int, str, float; None where it is missing
Codes = NDArray[np.int64]

SCORES_OF_SEVERAL = (
    "give predicted classes, or a score for each class: one column a class, named by a pattern "
    'such as "p_{class}", or a list a row with --classes'
)


class Vocabulary:
    """The distinct values of one or more columns, coded in the order in which they are given.

    ``what`` is what messages call a value (class or group), ``limit`` the most that make sense,
    ``column`` where the first are expected from; any but those ``closed`` are an error. ``scored``
    says that a model gives one score a row, where that asks for two values at most.
    """

    def __init__(
        self,
        what: str,
        limit: int,
        column: str,
        closed: Sequence[Value] | None = None,
        scored: str = "",
    ) -> None:
        self.what, self.limit, self.column, self.scored = what, limit, column, ""
        self.seen: dict[Value, None] = {}  # so far, where a model gives one score a row
        self.codes: dict[Value, int] = {}
        self.kinds: dict[str, str] = {}  # kind of value -> the first column that has it
        self.closed = False
        if closed is not None:
            self.extend(closed, column)
            self.closed = True
        self.scored = scored

    def __len__(self) -> int:
        return len(self.codes)

    def extend(self, values: Iterable[Value], column: str) -> Codes:
        """Codes of the values, new ones included."""
        values = list(values)
        if self.scored:
            self.seen |= dict.fromkeys(values)
            check_two(self.scored, column, list(self.seen))
        for value in values:
            if value not in self.codes:
                self._admit(value, column)
        return np.array([self.codes[value] for value in values], dtype=np.int64)

    def _admit(self, value: Value, column: str) -> None:
        kind = "nothing" if value is None else "text" if isinstance(value, str) else "numbers"
        for known, first in self.kinds.items():
            if "nothing" not in (kind, known) and kind != known:
                raise AuditError(
                    f"column {quoted(column)} holds {kind} ({quoted(value)}) and column "
                    f"{quoted(first)} holds {known} ({quoted(self._any(known))}); expected one "
                    "kind in both"
                )
        self.kinds.setdefault(kind, column)
        if self.scored and (self.closed or len(self.codes) >= 2):
            raise AuditError(
                f"column {quoted(column)} holds the class {quoted(value)}; expected "
                f"{listed(self.codes)}, because {self.scored}; if there are two classes, say which "
                f"the scores are of, for example --positive {quoted(value)}; of more, "
                f"{SCORES_OF_SEVERAL}"
            )
        if self.closed:
            raise AuditError(
                f"column {quoted(column)} holds the {self.what} {quoted(value)}, which is none of "
                f"those given: {listed(self.codes, 10)}"
            )
        if len(self.codes) >= self.limit:
            raise self.too_many(column)
        self.codes[value] = len(self.codes)

    def too_many(self, column: str) -> AuditError:
        """What is said of a column with more values than make sense."""
        hint = (
            "bin its values or name another column, or raise --max-groups"
            if self.what == "group"
            else "labels are classes, not measurements; give scores as column:scores"
        )
        return AuditError(
            f"column {quoted(column)} has more than {self.limit:,} different values, too many "
            f"to be {self.what} names: {hint}"
        )

    def _any(self, kind: str) -> Value:
        return next(
            v for v in self.codes if v is not None and isinstance(v, str) == (kind == "text")
        )


def check_two(scored: str, column: str, classes: Sequence[Value]) -> None:
    """Refuse more than two classes where a model gives one score a row."""
    if len(classes) > 2:
        raise AuditError(
            f"{scored}, which tells two classes apart, but with column {quoted(column)} there are "
            f"at least {len(classes)}, {listed(classes)}; {SCORES_OF_SEVERAL}"
        )


def in_order(values: Sequence[Value]) -> list[int]:
    """Positions that sort values: numbers by size, text as people count, missing last."""

    def key(position: int) -> tuple[Any, ...]:
        value = values[position]
        if value is None:
            return (2,)
        if not isinstance(value, str):
            return (0, value)
        parts = re.split(r"(\d+)", value.casefold())
        return (1, [(p.zfill(20) if p.isdigit() else p) for p in parts], value)

    return sorted(range(len(values)), key=key)


def display(value: Value) -> str:
    """A class or a group as text."""
    if value is None:
        return "(missing)"
    if isinstance(value, str):
        return value if value.strip() else f"({'empty' if value == '' else 'blank'})"
    return f"{value:g}" if isinstance(value, float) else str(value)
