"""Tables from files, frames and arrays, read a batch of rows at a time.

What a file is, is told by its first bytes, not by its name. Nothing is ever unpickled.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet

from kdfair_audit.errors import AuditError, listed, quoted

BATCH = 1 << 18  # rows: a few columns of a batch fit a core's cache
NO_VALUE = ["", "NaN", "nan", "NULL", "null", "N/A", "#N/A"]  # in a CSV; "NA" may be a place

Batches = Iterator[pa.RecordBatch]


@dataclass(frozen=True)
class Source:
    """A table that can be read once or more.

    Attributes
    ----------
    name : str
        What messages call it.
    columns : tuple of str
    read : callable
        ``read(columns, text)`` gives record batches of these columns; those in ``text`` are to be
        kept as text where the format leaves a choice (CSV).
    """

    name: str
    columns: tuple[str, ...]
    read: Callable[[Sequence[str], Sequence[str]], Batches]

    def batches(self, columns: Sequence[str], text: Sequence[str] = ()) -> Batches:
        """Record batches of these columns.

        Raises
        ------
        AuditError
            For whatever stops the reading half way, such as a damaged page.
        """
        try:
            for batch in self.read(columns, text):
                for start in range(0, batch.num_rows, BATCH):
                    yield batch.slice(start, BATCH)
        except (UnicodeError, pa.ArrowException, OSError) as error:
            raise AuditError(explain(self.name, error)) from error


def explain(name: str, error: Exception) -> str:
    """One sentence for what pyarrow found wrong."""
    reason = " ".join(str(error).split())
    codec = getattr(error, "encoding", "")
    if "invalid UTF8" in reason or "invalid UTF-8" in reason or codec == "utf-8":
        return f"{name} is not in UTF-8; give its encoding, for example --encoding latin-1"
    return f"cannot read {name}: {reason[:300] or type(error).__name__}"


def open_source(
    data: Any, *, encoding: str | None = None, delimiter: str | None = None, name: str = ""
) -> Source:
    """Make a source of a path, a frame, an Arrow table or a mapping of arrays.

    Parameters
    ----------
    data : path, pandas.DataFrame, anything with ``__arrow_c_stream__``, or mapping of arrays
        Files: Parquet, Arrow (file or stream) and CSV, gzipped or not.
    encoding, delimiter : str, optional
        Of a CSV file; UTF-8 and a comma without them (a tab for ``.tsv``).
    name : str
        What messages call it; the file's name by default.

    Raises
    ------
    AuditError
        If there is no such file, or it is none of these.
    """
    if isinstance(data, str | os.PathLike):
        source = _open_file(Path(data), encoding, delimiter)
    elif isinstance(data, pd.DataFrame):
        source = _open_frame(data, name or "the frame")
    elif isinstance(data, Mapping):
        source = _open_table(_table_of_arrays(data), name or "the table")
    elif hasattr(data, "__arrow_c_stream__"):
        source = _open_table(pa.table(data), name or "the table")
    else:
        raise AuditError(
            f"cannot audit a {type(data).__name__}; expected a path, a frame, an Arrow table or a "
            "mapping of arrays"
        )
    twice = {column for column in source.columns if source.columns.count(column) > 1}
    if twice:
        raise AuditError(f"{source.name} has more than one column {listed(sorted(twice))}")
    return source


def _open_file(path: Path, encoding: str | None, delimiter: str | None) -> Source:
    name = path.name
    try:
        with path.open("rb") as file:
            head = file.read(4096)
            file.seek(max(0, path.stat().st_size - 8))
            tail = file.read()
    except FileNotFoundError:
        raise AuditError(f"there is no file {quoted(str(path), 200)}") from None
    except IsADirectoryError:
        raise AuditError(f"{name} is a folder; expected a file") from None
    except OSError as error:
        raise AuditError(f"cannot open {name}: {error.strerror}") from None
    gzipped = head.startswith(b"\x1f\x8b")
    if gzipped:
        try:
            with gzip.open(path) as file:
                head = file.read(4096)
        except (OSError, EOFError, zlib.error) as error:
            raise AuditError(f"{name} is a damaged gzip file: {error}") from None
    refuse_foreign(name, head)
    try:
        if gzipped:
            return _open_csv(path, head, encoding, delimiter, "gzip")
        if head.startswith(b"PAR1"):
            if not tail.endswith(b"PAR1"):
                raise AuditError(f"{name} is a Parquet file cut short: its end is missing")
            return _open_parquet(path)
        if head.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
            return _open_ipc(path, stream=not head.startswith(b"ARROW1"))
        if path.suffix.lower() in (".parquet", ".arrow", ".feather"):
            raise AuditError(
                f"{name} is named {path.suffix} but holds something else (its first bytes are "
                f"{head[:8]!r})"
            )
        return _open_csv(path, head, encoding, delimiter)
    except LookupError:
        raise AuditError(f"there is no encoding {quoted(encoding)}") from None
    except (UnicodeError, pa.ArrowException, OSError) as error:
        raise AuditError(explain(name, error)) from error


def refuse_foreign(name: str, head: bytes) -> None:
    """Say what a file is that cannot be audited: empty, a pickle, an archive."""
    if not head:
        raise AuditError(f"{name} is empty")
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05":
        raise AuditError(
            f"{name} is a Python pickle, which can run code when it is read; save the table as "
            "Parquet, CSV or Arrow instead"
        )
    if head.startswith(b"PK\x03\x04"):
        raise AuditError(
            f"{name} is a zip archive (a workbook, perhaps, or saved arrays); expected Parquet, "
            "CSV, Arrow, or counts written by --counts-only"
        )
    if head.startswith(b"\x89HDF") or head.startswith(b"\x93NUMPY") or head.startswith(b"SQLite"):
        raise AuditError(f"{name} is none of Parquet, CSV and Arrow; save the table as one of them")


def _open_parquet(path: Path) -> Source:
    with pa.parquet.ParquetFile(path) as file:
        schema = file.schema_arrow
    texts = [
        field.name
        for field in schema
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
    ]

    def read(columns: Sequence[str], text: Sequence[str]) -> Batches:
        dictionaries = [name for name in columns if name in texts]
        with pa.parquet.ParquetFile(path, read_dictionary=dictionaries) as file:
            yield from file.iter_batches(batch_size=BATCH, columns=list(columns))

    return Source(path.name, tuple(schema.names), read)


def _open_ipc(path: Path, *, stream: bool) -> Source:
    def reader(file: Any) -> Any:
        return pa.ipc.open_stream(file) if stream else pa.ipc.open_file(file)

    with pa.OSFile(str(path)) as file:
        names = tuple(reader(file).schema.names)

    def read(columns: Sequence[str], text: Sequence[str]) -> Batches:
        # Not mapped into memory, where a damaged file would be a crash.
        with pa.OSFile(str(path)) as file:
            opened = reader(file)
            batches = (
                opened
                if stream
                else (opened.get_batch(i) for i in range(opened.num_record_batches))
            )
            for batch in batches:
                chosen = batch.select(list(columns))
                chosen.validate(full=True)
                yield chosen

    return Source(path.name, names, read)


def _open_csv(
    path: Path,
    head: bytes,
    encoding: str | None,
    delimiter: str | None,
    compression: str | None = None,
) -> Source:
    if encoding is None:
        if head.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise AuditError(f"{path.name} looks like UTF-16; give --encoding utf-16")
        if b"\x00" in head:
            raise AuditError(f"{path.name} is none of Parquet, CSV and Arrow: it is binary")
    if delimiter is None:
        delimiter = (
            "\t" if path.name.lower().removesuffix(".gz").endswith((".tsv", ".tab")) else ","
        )
    if len(delimiter) != 1:
        raise AuditError(f"the delimiter {quoted(delimiter)} is not one character")
    read_options = pa.csv.ReadOptions(encoding=encoding or "utf8", block_size=1 << 22)
    parse_options = pa.csv.ParseOptions(delimiter=delimiter)

    def reader(columns: Sequence[str] | None, text: Sequence[str]) -> Any:
        options = pa.csv.ConvertOptions(
            null_values=NO_VALUE,
            strings_can_be_null=True,
            column_types={column: pa.string() for column in text},
            include_columns=columns and list(columns),
        )
        return pa.csv.open_csv(
            pa.input_stream(str(path), compression=compression),
            read_options=read_options,
            parse_options=parse_options,
            convert_options=options,
        )

    with reader(None, ()) as opened:
        names = tuple(opened.schema.names)
    other = next((mark for mark in ";\t|," if mark != delimiter and mark in names[0]), None)
    if len(names) == 1 and other:
        raise AuditError(
            f"{path.name} has one column, {quoted(names[0])}; if it is delimited by {other!r}, "
            f"give --delimiter {other!r}"
        )

    def read(columns: Sequence[str], text: Sequence[str]) -> Batches:
        with reader(columns, text) as opened:
            yield from opened

    return Source(path.name, names, read)


def _open_frame(frame: pd.DataFrame, name: str) -> Source:
    frame = frame.set_axis([str(column) for column in frame.columns], axis=1)

    def read(columns: Sequence[str], text: Sequence[str]) -> Batches:
        arrays = [_array(column, frame[column]) for column in columns]
        table = pa.table(arrays, names=list(columns)) if arrays else pa.table({})
        yield from table.to_batches(max_chunksize=BATCH)

    return Source(name, tuple(frame.columns), read)


def _open_table(table: pa.Table, name: str) -> Source:
    def read(columns: Sequence[str], text: Sequence[str]) -> Batches:
        yield from table.select(list(columns)).to_batches(max_chunksize=BATCH)

    return Source(name, tuple(table.schema.names), read)


def _table_of_arrays(arrays: Mapping[Any, Any]) -> pa.Table:
    columns = {str(name): _array(str(name), values) for name, values in arrays.items()}
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        usual = max(lengths.values(), key=list(lengths.values()).count)
        odd = [f"{quoted(name)} has {n:,}" for name, n in lengths.items() if n != usual]
        raise AuditError(
            f"the columns differ in length: {', '.join(odd[:5])} rows where others have {usual:,}"
        )
    return pa.table(columns)


def _array(name: str, values: Any) -> pa.Array | pa.ChunkedArray:
    """One column: of scalars, or of rows of scores where ``values`` has two axes."""
    if hasattr(values, "__arrow_array__") or isinstance(values, pa.Array | pa.ChunkedArray):
        pass  # knows how to become Arrow, as pandas' own arrays do
    elif not isinstance(values, pd.Series):
        try:
            array = np.asarray(values)
        except ValueError as error:
            raise AuditError(f"column {quoted(name)} is no array: {error}") from None
        if array.ndim == 2 and array.dtype.kind in "fiub" and array.shape[1]:
            flat = pa.array(np.ascontiguousarray(array).reshape(-1))
            return pa.FixedSizeListArray.from_arrays(flat, array.shape[1])
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
