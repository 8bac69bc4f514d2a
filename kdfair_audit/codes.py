"""Values to integer codes, a batch at a time, and everything a column can have wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kdfair_audit.errors import AuditError, listed, quoted

Value = Any  # a class or a group as the data has it: int, str, float; None where it is missing
Codes = NDArray[np.int64]

MISSING = ("refuse", "group", "exclude")
TABLE = 1 << 16  # integers below this are looked up rather than searched
SCORES_OF_SEVERAL = (
    "give predicted classes, or a score for each class: one column a class, named by a pattern "
    'such as "p_{class}", or a list a row with --classes'
)
BINS = 10  # of scores, for calibration


class Vocabulary:
    """The distinct values of one or more columns, coded in order of arrival.

    Parameters
    ----------
    what : str
        What messages call a value: "class" or "group".
    limit : int
        The most distinct values that make sense.
    column : str
        Which column the first values are expected from.
    closed : sequence, optional
        The values there are; any other is an error.
    scored : str
        What says that a model gives one score a row, where that asks for two values at most.
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
        values = [_plain(value) for value in values]
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
            hint = (
                "bin its values or name another column, or raise --max-groups"
                if self.what == "group"
                else "labels are classes, not measurements; give scores as column:scores"
            )
            raise AuditError(
                f"column {quoted(column)} has more than {self.limit:,} different values, too many "
                f"to be {self.what} names: {hint}"
            )
        self.codes[value] = len(self.codes)

    def _any(self, kind: str) -> Value:
        return next(
            v for v in self.codes if v is not None and isinstance(v, str) == (kind == "text")
        )


class Column:
    """Codes of one column of labels or groups.

    Parameters
    ----------
    name : str
    vocabulary : Vocabulary
    missing : str
        What a missing value is: "refuse" an error; otherwise a value like any other, None.
    """

    def __init__(self, name: str, vocabulary: Vocabulary, *, missing: str = "refuse") -> None:
        self.name, self.vocabulary, self.missing = name, vocabulary, missing
        self._lookup = np.full(TABLE, -1, dtype=np.int64)

    def __call__(self, array: pa.Array, first_row: int) -> Codes:
        """Codes of one batch, which starts at row ``first_row`` of the table."""
        kind = array.type
        if pa.types.is_dictionary(kind):
            if is_text(kind.value_type):
                return self._from_texts(array, first_row)
            array = array.dictionary_decode()
        elif is_text(kind):
            return self._from_texts(array.cast(pa.large_string()).dictionary_encode(), first_row)
        nulls = pc.is_null(array, nan_is_null=True)
        if not pc.any(nulls).as_py():
            return self._from_numbers(self._numbers(array, first_row))
        gaps = nulls.to_numpy(zero_copy_only=False)
        codes = np.full(len(array), self._missing(gaps, first_row))
        if not gaps.all():
            there = array.filter(pc.invert(nulls))
            codes[~gaps] = self._from_numbers(self._numbers(there, first_row))
        return codes

    def _numbers(self, array: pa.Array, first_row: int) -> NDArray[Any]:
        kind = array.type
        if pa.types.is_boolean(kind):
            return array.cast(pa.uint8()).to_numpy()
        if pa.types.is_integer(kind):
            return array.to_numpy()
        if pa.types.is_floating(kind):
            numbers = array.to_numpy()
            whole = np.isfinite(numbers) & (np.trunc(numbers) == numbers)
            if whole.all() and (np.abs(numbers) < 2**62).all():
                return numbers.astype(np.int64)
            if self.vocabulary.what == "group" and np.isfinite(numbers).all():
                return numbers
            row = int(np.argmin(whole))
            raise AuditError(
                f"column {quoted(self.name)} holds {numbers[row]} in row {first_row + row + 1:,}; "
                "expected classes (whole numbers or text), or name it column:scores"
            )
        raise AuditError(
            f"column {quoted(self.name)} holds values of type {kind}; expected text or whole "
            "numbers"
        )

    def _from_numbers(self, numbers: NDArray[Any]) -> Codes:
        if len(numbers) == 0:
            return np.zeros(0, dtype=np.int64)
        if numbers.dtype.kind in "iu" and 0 <= numbers.min() and numbers.max() < TABLE:
            codes = self._lookup.take(numbers)
            if codes.min() < 0:
                values = np.unique(numbers[codes < 0])
                self._lookup[values] = self.vocabulary.extend(values.tolist(), self.name)
                codes = self._lookup.take(numbers)
            return codes
        values, positions = np.unique(numbers, return_inverse=True)
        return self.vocabulary.extend(values.tolist(), self.name)[positions]

    def _from_texts(self, array: pa.DictionaryArray, first_row: int) -> Codes:
        indices = array.indices
        gaps = np.zeros(len(array), dtype=bool)
        if indices.null_count:
            gaps = indices.is_null().to_numpy(zero_copy_only=False)
            indices = pc.fill_null(indices, 0)
        texts = array.dictionary.to_pylist()
        positions = indices.to_numpy()
        used = np.zeros(len(texts) + 1, dtype=bool)
        used[positions[~gaps]] = True
        lookup = np.zeros(len(texts) + 1, dtype=np.int64)
        known = [i for i in np.flatnonzero(used) if texts[i] is not None]
        lookup[known] = self.vocabulary.extend([texts[i] for i in known], self.name)
        if used.sum() > len(known):  # a missing value that the dictionary itself holds
            gaps |= np.array([text is None for text in texts])[positions]
        if not gaps.any():
            return lookup[positions]
        return np.where(gaps, self._missing(gaps, first_row), lookup[positions])

    def _missing(self, gaps: NDArray[np.bool_], first_row: int) -> int:
        """The code of a missing value, where there may be any."""
        if self.missing == "refuse":
            where = (
                f"column {quoted(self.name)} has no value in row {first_row + gaps.argmax() + 1:,}"
            )
            how_many = _in_lines(gaps, first_row)
            if self.vocabulary.what == "group":
                raise AuditError(
                    f"{where}; give --missing group to make those rows a group of their own, or "
                    f"--missing exclude to leave them out of this column's tables {how_many}"
                )
            raise AuditError(f"{where}; every row needs a label and a prediction {how_many}")
        return int(self.vocabulary.extend([None], self.name)[0])


class Scores:
    """Predicted classes and scores of one model that gives scores.

    Parameters
    ----------
    name : str
        Of the column, or of the first of several.
    classes : sequence of int
        Codes: of the negative and the positive class for one score a row; else of each score.
    threshold : float
        The positive class is predicted from this score on.
    single : bool
        Whether there is one score a row.
    """

    def __init__(
        self, name: str, classes: Sequence[int], *, threshold: float, single: bool
    ) -> None:
        self.name, self.threshold, self.single = name, threshold, single
        self.classes = np.asarray(classes, dtype=np.int64)
        self.probabilities = True  # so far every row of several scores was a distribution

    def __call__(
        self, arrays: Sequence[pa.Array], first_row: int
    ) -> tuple[Codes, NDArray[np.float64]]:
        """Codes of the predictions, and the score that calibration looks at.

        That is the score of the positive class or, of several classes, of the predicted one.
        """
        if self.single:
            return self._binary(arrays[0], first_row)
        if len(arrays) == 1:
            scores = self._rows(arrays[0], first_row)
        else:
            scores = np.stack([self._numbers(array, first_row) for array in arrays], axis=1)
        best = scores.argmax(axis=1)
        if self.probabilities:
            sums = scores.sum(axis=1)
            self.probabilities = bool((scores >= 0).all() and (np.abs(sums - 1) < 0.01).all())
        return self.classes[best], scores[np.arange(len(best)), best]

    def _binary(self, array: pa.Array, first_row: int) -> tuple[Codes, NDArray[np.float64]]:
        scores = self._numbers(array, first_row)
        wrong = (scores < 0) | (scores > 1)
        if wrong.any():
            row = int(wrong.argmax())
            raise AuditError(
                f"column {quoted(self.name)} holds the score {scores[row]:g} in row "
                f"{first_row + row + 1:,}; expected probabilities between 0 and 1, or labels"
            )
        return self.classes[(scores >= self.threshold).astype(np.int64)], scores

    def _rows(self, array: pa.Array, first_row: int) -> NDArray[np.float64]:
        lengths = pc.list_value_length(array).to_numpy(zero_copy_only=False)
        if array.null_count or (lengths != len(self.classes)).any():
            bad = np.flatnonzero(~(lengths == len(self.classes)))[0]
            raise AuditError(
                f"column {quoted(self.name)} has no {len(self.classes)} scores in row "
                f"{first_row + bad + 1:,}; expected one score for each class"
            )
        flat = self._numbers(array.flatten(), first_row, len(self.classes))
        return flat.reshape(-1, len(self.classes))

    def _numbers(self, array: pa.Array, first_row: int, per_row: int = 1) -> NDArray[np.float64]:
        if not (pa.types.is_floating(array.type) or pa.types.is_integer(array.type)):
            raise AuditError(
                f"column {quoted(self.name)} holds values of type {array.type}; expected scores"
            )
        numbers = array.to_numpy(zero_copy_only=False).astype(np.float64)
        finite = np.isfinite(numbers)
        if not finite.all():
            gaps = ~finite.reshape(-1, per_row).all(axis=1)
            raise AuditError(
                f"column {quoted(self.name)} has no finite score in row "
                f"{first_row + gaps.argmax() + 1:,}; every row needs one "
                f"{_in_lines(gaps, first_row)}"
            )
        return numbers


def check_two(scored: str, column: str, classes: Sequence[Value]) -> None:
    """Refuse more than two classes where a model gives one score a row."""
    if len(classes) > 2:
        raise AuditError(
            f"{scored}, which tells two classes apart, but with column {quoted(column)} there are "
            f"at least {len(classes)}, {listed(classes)}; {SCORES_OF_SEVERAL}"
        )


def looks_like_scores(array: pa.Array) -> bool:
    """Whether a column holds scores: rows of numbers, or numbers that are not whole."""
    if is_list(array.type):
        return True
    if not pa.types.is_floating(array.type):
        return False
    numbers = array.to_numpy(zero_copy_only=False)
    return bool((np.isfinite(numbers) & (np.trunc(numbers) != numbers)).any())


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


def is_text(kind: pa.DataType) -> bool:
    """Whether an Arrow type is text."""
    return (
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def is_list(kind: pa.DataType) -> bool:
    """Whether an Arrow type is a list, such as a row of scores."""
    return (
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def _in_lines(gaps: NDArray[np.bool_], first_row: int) -> str:
    """Where a CSV has the first gap of a batch, and how many there are; none came before."""
    line, read = first_row + int(gaps.argmax()) + 2, first_row + len(gaps)
    return f"(line {line:,} of a CSV with its header; missing in {gaps.sum():,} of {read:,} rows)"


def _plain(value: Value) -> Value:
    return int(value) if isinstance(value, float) and value == int(value) else value
