"""Which classes there are, before all rows have been read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kdfair_audit.codes import (
    SCORES_OF_SEVERAL,
    Scores,
    Value,
    Vocabulary,
    check_two,
    in_order,
    is_list,
    is_text,
)
from kdfair_audit.errors import AuditError, listed, quoted
from kdfair_audit.roles import Model

MAX_CLASSES = 1000


def class_vocabulary(
    label: str,
    models: Sequence[Model],
    first: pa.RecordBatch,
    *,
    classes: Sequence[Any] | None,
    positive: Any,
) -> Vocabulary:
    """The vocabulary that labels and predictions share.

    It is closed where the classes are known: given, or named by columns of scores. With one score
    a row it begins with the positive class, so that the other has code 1 whatever it is called.
    """
    kind = first.schema.field(label).type
    given = None if classes is None else as_labels_are(classes, kind)
    scored = [model for model in models if model.kind == "scores"]
    for model in scored:
        found = None
        if model.classes:
            found = as_labels_are(model.classes, kind)
        elif (size := _row_size(first.column(model.columns[0]))) is not None:
            found = given or list(range(size))
            if given is None and _texts(kind):
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
    if given is not None:
        return Vocabulary("class", MAX_CLASSES, label, closed=given)
    single = next((model for model in scored if one_score(model, first)), None)
    if single is None:
        return Vocabulary("class", MAX_CLASSES, label)
    says, seen = _says_one_score(single, first), _seen(first.column(label))
    check_two(says, label, seen)
    if positive is None and _texts(kind):
        raise AuditError(
            f"{says}, and the labels in column {quoted(label)} are text ({listed(seen)}): say "
            f"which class the scores are of, for example --positive {quoted((seen or ['yes'])[-1])}"
        )
    if positive is None:
        return Vocabulary("class", MAX_CLASSES, label, closed=[0, 1], scored=says)
    (wanted,) = as_labels_are([positive], kind)
    if len(seen) == 2 and wanted not in seen:
        raise AuditError(
            f"the positive class {quoted(wanted)} is no class of column {quoted(label)}; expected "
            f"{seen[0]!r} or {seen[1]!r}"
        )
    vocabulary = Vocabulary("class", 2, label, closed=[wanted], scored=says)
    vocabulary.closed = False  # the other is known only once it is seen
    return vocabulary


def score_reader(
    model: Model,
    vocabulary: Vocabulary,
    first: pa.RecordBatch,
    *,
    label: str,
    positive: Any,
    threshold: float,
) -> Scores:
    """What turns the scores of one model into codes."""
    kind = first.schema.field(label).type
    if not one_score(model, first):
        order = as_labels_are(model.classes, kind) if model.classes else list(vocabulary.codes)
        codes = [vocabulary.codes[value] for value in order]
        return Scores(model.name, codes, threshold=threshold, single=False)
    named = list(vocabulary.codes)[-1] if vocabulary.closed else next(iter(vocabulary.codes))
    wanted = named if positive is None else as_labels_are([positive], kind)[0]
    if wanted not in vocabulary.codes:
        raise AuditError(f"the positive class {quoted(wanted)} is not among the classes given")
    code = vocabulary.codes[wanted]
    return Scores(model.name, [1 - code, code], threshold=threshold, single=True)


def one_score(model: Model, first: pa.RecordBatch) -> bool:
    """Whether a model gives one score a row, of the positive class."""
    if model.kind != "scores" or model.classes:
        return False
    return not is_list(first.column(model.columns[0]).type)


def _says_one_score(model: Model, first: pa.RecordBatch) -> str:
    there = first.column(model.columns[0]).drop_null()
    value = there[0].as_py() if len(there) else None
    such = f"{value:g}" if isinstance(value, int | float) else quoted(value)
    return f"column {quoted(model.name)} gives one score a row (such as {such})"


def _seen(labels: pa.Array) -> list[Value]:
    """The labels of one batch in order, where they are text or whole numbers."""
    kind = labels.type.value_type if pa.types.is_dictionary(labels.type) else labels.type
    if not (is_text(kind) or pa.types.is_integer(kind)):
        return []
    values = pc.unique(labels.cast(kind)).drop_null().to_pylist()
    return [values[i] for i in in_order(values)]


def as_labels_are(values: Sequence[Any], kind: pa.DataType) -> list[Value]:
    """Values from a command line or a column's name, as the label column would hold them."""
    if _texts(kind):
        return [str(value) for value in values]
    try:
        return [int(value) for value in values]
    except ValueError:
        raise AuditError(
            f"the classes {listed(values)} are given, but the labels are whole numbers"
        ) from None


def _texts(kind: pa.DataType) -> bool:
    return is_text(kind.value_type if pa.types.is_dictionary(kind) else kind)


def _row_size(array: pa.Array) -> int | None:
    if not is_list(array.type):
        return None
    if pa.types.is_fixed_size_list(array.type):
        return array.type.list_size
    return max((len(row) for row in array[:1].to_pylist() if row), default=0)
