"""Which classes there are, before all rows have been read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from kdfair_core.auditing.coding import Scores, Value, Vocabulary, is_list, is_text
from kdfair_core.auditing.errors import AuditError, listed, quoted
from kdfair_core.auditing.roles import Model

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
                f"are {len(given)}: {listed(given)}"
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
    if not any(one_score(model, first) for model in scored):
        return Vocabulary("class", MAX_CLASSES, label)
    if positive is None and _texts(kind):
        raise AuditError(
            "the labels are text and a model gives scores: say which class the scores are of, "
            "for example --positive yes"
        )
    if positive is None:
        return Vocabulary("class", MAX_CLASSES, label, closed=[0, 1])
    vocabulary = Vocabulary("class", 2, label)
    vocabulary.extend(as_labels_are([positive], kind), label)
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
