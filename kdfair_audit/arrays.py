"""Arrays and Arrow tables as columns that DuckDB can read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from kdfair_audit.errors import AuditError, listed, quoted


def column_of(name: str, values: Any) -> pa.Array | pa.ChunkedArray:
    """One column of arrays: of scalars, or of rows of scores where there are two axes."""
    if hasattr(values, "__arrow_array__") or isinstance(values, pa.Array | pa.ChunkedArray):
        pass  # knows how to become Arrow, as pandas' own arrays do
    elif not isinstance(values, pd.Series):
        try:
            array = np.asarray(values)
        except ValueError as error:
            raise AuditError(f"column {quoted(name)} is no array: {error}") from None
        if array.ndim == 2 and array.dtype.kind in "fiub" and array.shape[1]:
            flat = pa.array(np.ascontiguousarray(array).reshape(-1))
            offsets = np.arange(0, array.size + 1, array.shape[1], dtype=np.int32)
            return pa.ListArray.from_arrays(pa.array(offsets), flat)
        if array.ndim != 1:
            raise AuditError(
                f"column {quoted(name)} has shape {array.shape}; expected one value a row, or "
                "scores [row, class]"
            )
        values = array.tolist() if array.dtype.kind in "OU" else array
    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        kinds = sorted({type(value).__name__ for value in values if value is not None})
        raise AuditError(
            f"column {quoted(name)} mixes kinds of values ({listed(kinds)}); expected one kind"
        ) from None


def table_of(names: list[str], columns: list[Any]) -> pa.Table:
    """A table of columns, which have to be of one length."""
    lengths = {name: len(column) for name, column in zip(names, columns, strict=True)}
    if len(set(lengths.values())) > 1:
        usual = max(lengths.values(), key=list(lengths.values()).count)
        odd = [f"{quoted(name)} has {n:,}" for name, n in lengths.items() if n != usual]
        raise AuditError(
            f"the columns differ in length: {', '.join(odd[:5])} rows where others have {usual:,}"
        )
    return pa.table(columns, names=names)


def check_once(name: str, columns: Sequence[str]) -> None:
    """Refuse columns of the same name."""
    twice = {column for column in columns if columns.count(column) > 1}
    if twice:
        raise AuditError(f"{name} has more than one column {listed(sorted(twice))}")


def validated(opened: Any) -> Any:
    """Batches checked whole, so that a damaged file is an error and not a crash."""

    def batches() -> Iterator[pa.RecordBatch]:
        stream = hasattr(opened, "read_next_batch")
        for batch in opened if stream else map(opened.get_batch, range(opened.num_record_batches)):
            batch.validate(full=True)
            yield batch

    return pa.RecordBatchReader.from_batches(opened.schema, batches())
