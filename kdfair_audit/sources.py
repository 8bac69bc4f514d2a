"""Whatever holds predictions, as one Ibis table.

Files are read by DuckDB, in this process and with nothing loaded from elsewhere; addresses go
through fsspec; a table of a database stays where it is, and only counts leave it. Nothing is ever
unpickled.
"""

from __future__ import annotations

import functools
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.ipc

from kdfair_audit.addresses import fetch, is_address
from kdfair_audit.arrays import check_once, column_of, table_of, validated
from kdfair_audit.dialects import HEAD, Dialect, compression_of, dialect_of, encoding_of, kind_of
from kdfair_audit.errors import AuditError, listed, nearest, quoted, said
from kdfair_audit.files import ends_of, find, head_of, in_utf8

NO_VALUE = ["", "NaN", "nan", "NULL", "null", "N/A", "#N/A"]  # in a CSV; "NA" may be a place
FILE = "kdfair audit file"  # the column that says which of several files a row is from
TABLES = "SELECT table_name FROM information_schema.tables ORDER BY table_name"


@dataclass(frozen=True)
class Source:
    """A table to be counted."""

    name: str  # what messages call it
    table: ibis.Table
    names: Mapping[str, str]  # a column -> what the engine calls it, to which a is A
    ordered: bool = True  # whether rows have numbers that mean something to who gave the table
    keeps: bool = True  # whether what was computed can be kept for the next question at no cost
    # Of several files: path -> its columns, each with its kind.
    files: Mapping[str, Callable[[], Mapping[str, str]]] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.names)

    def column(self, name: str) -> Any:
        return self.table[self.names[name]]

    def run(self, expression: Any) -> pa.Table:
        """The answer to an expression; whatever the engine brings up is an AuditError."""
        with self.quiet():
            return expression.to_pyarrow()

    def totals(self, table: Any, **expressions: Any) -> dict[str, Any]:
        """Expressions over all rows of a table."""
        return self.run(table.aggregate(**expressions)).to_pylist()[0]

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """What goes wrong in it is said in one sentence, and engines warn of nothing."""
        with said(self.name), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield

    def require(self, columns: Sequence[str]) -> None:
        """Refuse files that lack one of these columns, or have another kind of values in it."""
        first: dict[str, tuple[str, str]] = {}
        for path, kinds in self.files.items():
            with said(Path(path).name):
                found = kinds()
            for column in columns:
                if column not in self.names or f"{column}=" in path:  # a partition's
                    continue
                if column not in found:
                    lacking = f"{path} has no column {quoted(column)}, which other files have"
                    raise AuditError(f"{lacking}; give files of the same columns")
                other, kind = first.setdefault(column, (path, found[column]))
                if kind != found[column]:
                    raise AuditError(
                        f"column {quoted(column)} holds {kind} in {other} and {found[column]} in "
                        f"{path}; expected one kind in all files"
                    )


@contextmanager
def open_source(data: Any, *, name: str = "", **options: Any) -> Iterator[Source]:
    """Open whatever holds predictions.

    Parameters
    ----------
    data : path, address, several of these, or a table in memory or in a database
        Files may be CSV, Parquet, Arrow, JSON lines, DuckDB or SQLite; folders and patterns stand
        for the files in them.
    name : str
        What messages call it; the file's name by default.
    **options
        Those of :func:`kdfair_audit.audit` about reading; and ``text``, columns that are kept as
        text where the format leaves a choice (CSV).

    Raises
    ------
    AuditError
        If there is no such file, or it is none of these.
    """
    with ExitStack() as stack:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            source = _Opener(stack, **options).open(data, name)
        yield source


def _threads(engine: Any) -> int:
    """As many as a memory limit feeds: DuckDB wants 125 MB for each."""
    number, unit = engine.raw_sql("SELECT current_setting('memory_limit')").fetchone()[0].split()
    limit = float(number) * 1024 ** ["bytes", "KiB", "MiB", "GiB", "TiB"].index(unit)
    return max(1, min(os.cpu_count() or 1, int(limit / 125e6)))


@dataclass
class _Opener:
    stack: ExitStack  # closes what is opened
    text: Sequence[str] = ()
    encoding: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    table: str | None = None
    memory_limit: str | None = None

    @functools.cached_property
    def folder(self) -> Path:
        """Where temporary files go."""
        return Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="kdfair-audit-")))

    @functools.cached_property
    def engine(self) -> Any:
        """DuckDB, which loads nothing and keeps nothing."""
        options = {} if self.memory_limit is None else {"memory_limit": self.memory_limit}
        with said("the table"):
            engine = ibis.duckdb.connect(
                temp_directory=str(self.folder),
                autoload_known_extensions=False,
                autoinstall_known_extensions=False,
                **options,
            )
            if self.memory_limit is not None:
                engine.raw_sql(f"SET threads = {_threads(engine)}")
        self.stack.callback(engine.disconnect)
        return engine

    def open(self, data: Any, name: str) -> Source:
        if isinstance(data, str | os.PathLike):
            data = [data]
        if isinstance(data, list) and data and isinstance(data[0], str | os.PathLike):
            files = [file for part in data for file in find(os.fspath(part))]
            first = Path(os.fspath(data[0]).rstrip("/")).name
            return self.open_files(files, name or (first if len(data) == 1 else ""))
        if isinstance(data, ibis.Table):
            return self.of_ibis(data, name or "the table")
        if isinstance(data, np.ndarray) and data.dtype.names:
            data = {field: data[field] for field in data.dtype.names}
        if isinstance(data, pd.DataFrame):  # whose columns may have one name
            columns = [data.iloc[:, i] for i in range(data.shape[1])]
            return self.of_columns(list(data), columns, name or "the frame")
        if isinstance(data, Mapping):
            return self.of_columns(list(data), list(data.values()), name or "the table")
        if hasattr(data, "collect") and not hasattr(data, "__arrow_c_stream__"):
            data = data.collect()  # a lazy frame of Polars
        if hasattr(data, "__arrow_c_stream__"):
            with said(name or "the table"):
                stream = pa.RecordBatchReader.from_stream(data)
            return self.of_arrow(
                data if isinstance(data, pa.Table) else stream, name or "the table"
            )
        raise AuditError(
            f"cannot audit a {type(data).__name__}; expected a path, a frame, an Arrow table, an "
            "Ibis table or a mapping of arrays"
        )

    def of_columns(self, names: list[Any], columns: list[Any], name: str) -> Source:
        names = [str(column) for column in names]
        arrays = [column_of(n, values) for n, values in zip(names, columns, strict=True)]
        return self.of_arrow(table_of(names, arrays), name)

    def of_arrow(self, data: Any, name: str) -> Source:
        """A table in memory; what can be read only once is copied, to disk where it is large."""
        names = list(data.schema.names)
        check_once(name, names)
        short = [f"c{i}" for i in range(len(names))]
        if not names:
            raise AuditError(f"{name} has no columns")
        with said(name):
            if isinstance(data, pa.Table):
                half = pa.types.is_float16  # which DuckDB does not know
                columns = [c.cast(pa.float32()) if half(c.type) else c for c in data.columns]
                self.engine.con.register("kdfair_arrow", pa.table(columns, names=short))
                table = self.engine.table("kdfair_arrow")
            else:
                schema = pa.schema(
                    [pa.field(s, t) for s, t in zip(short, data.schema.types, strict=True)]
                )
                batches = (pa.RecordBatch.from_arrays(b.columns, names=short) for b in data)
                reader = pa.RecordBatchReader.from_batches(schema, batches)
                self.engine.con.register("kdfair_stream", reader)
                self.engine.con.execute("CREATE TABLE kdfair_copy AS FROM kdfair_stream")
                table = self.engine.table("kdfair_copy")
        return Source(name, table, dict(zip(names, short, strict=True)))

    def open_files(self, files: list[str], name: str) -> Source:
        name = name or f"{Path(files[0]).name} and {len(files) - 1} more"
        kinds, local = [], []
        for path in files:
            if is_address(path):
                path = fetch(path, self.folder, self.engine)
            head = head_of(path) if not is_address(path) else b"PAR1"
            kinds.append((kind_of(Path(path).name, head), compression_of(ends_of(path)[0])))
            local.append(path)
        kind, compression = kinds[0]
        for path, (other, _) in zip(files, kinds, strict=True):
            if other != kind:
                raise AuditError(
                    f"{files[0]} is {kind} and {path} is {other}; expected files of one form"
                )
        if kind == "parquet":
            return self.parquet(local, name)
        if kind == "csv":
            return self.csv(local, name, compression)
        if kind == "json":
            return self.json(local, name, compression)
        if len(files) > 1:
            raise AuditError(f"{files[0]} is {kind}; give one such file at a time")
        if kind in ("duckdb", "sqlite"):
            return self.database(local[0], name, kind)
        with said(name):
            file = self.stack.enter_context(pa.OSFile(local[0]))
            opened = (pa.ipc.open_stream if kind == "arrow stream" else pa.ipc.open_file)(file)
            return self.of_arrow(validated(opened), name)

    def parquet(self, files: list[str], name: str) -> Source:
        for path in files:
            if not is_address(path) and not ends_of(path)[1].endswith(b"PAR1"):
                raise AuditError(
                    f"{Path(path).name} is a Parquet file cut short: its end is missing"
                )
        return self.described(name, self.view(name, "read_parquet", files), "read_parquet", files)

    def json(self, files: list[str], name: str, compression: str) -> Source:
        options = {"compression": compression or "none"}
        view = self.view(name, "read_json", files, **options)
        return self.described(name, view, "read_json", files, **options)

    def described(
        self, name: str, view: Any, reader: str, files: list[str], **options: Any
    ) -> Source:
        """Files that each say what kinds of values their columns hold."""

        def kinds(path: str) -> Mapping[str, str]:
            asked = f"DESCRIBE FROM {_call(reader, [path], options)}"
            return {c: _kind(kind) for c, kind, *_ in self.engine.con.execute(asked).fetchall()}

        return self.of_view(name, view, files, kinds)

    def csv(self, files: list[str], name: str, compression: str) -> Source:
        plain, dialects = [], []
        for path in files:
            with said(Path(path).name):
                path, dialect = self.dialect(path)
            plain.append(path)
            dialects.append(dialect)
        compression = compression if plain == files else ""
        first = dialects[0]
        names = dict.fromkeys(n for dialect in dialects for n in dialect.names)
        words = [n for dialect in dialects for n in (*dialect.words, *self.text) if n in names]
        table = self.view(
            name,
            "read_csv",
            plain,
            header=True,
            delim=first.delimiter,
            quote=first.quote,
            escape=first.quote,
            decimal_separator=first.decimal,
            nullstr=NO_VALUE,
            compression=compression or "none",
            auto_type_candidates=["BOOLEAN", "BIGINT", "DOUBLE", "VARCHAR"],
            **({"types": dict.fromkeys(words, "VARCHAR")} if words else {}),
        )
        kinds = {
            path: dict.fromkeys(dialect.names, "values")
            for path, dialect in zip(plain, dialects, strict=True)
        }
        given = list(first.names) if len(files) == 1 else None
        return self.of_view(name, table, plain, kinds.__getitem__, given)

    def dialect(self, path: str) -> tuple[str, Dialect]:
        """How a CSV file is written, and the same in UTF-8 where it is in something else."""
        name, head = Path(path).name, head_of(path)
        encoding = encoding_of(name, head, self.encoding)
        if encoding not in ("utf-8", "utf-8-sig"):
            path = in_utf8(path, encoding, self.folder)
            head = head_of(path)
        start = head.decode("utf-8-sig", "ignore" if len(head) == HEAD else "strict")
        dialect = dialect_of(name, start, self.delimiter, self.decimal, self.text)
        check_once(name, dialect.names)
        return path, dialect

    def view(self, name: str, reader: str, files: list[str], **options: Any) -> Any:
        """Files as one table; not by Ibis's readers, which load an extension for addresses."""
        if len(files) > 1:
            options |= {"filename": FILE, "union_by_name": True}
        keys = {part.partition("=")[0] for part in Path(files[0]).parts if "=" in part}
        if keys:
            options["hive_partitioning"] = True
            options["hive_types_autocast"] = not keys & set(self.text)
        with said(name):
            called = _call(reader, files, options)
            self.engine.con.execute(f"CREATE VIEW kdfair_files AS FROM {called}")
            return self.engine.table("kdfair_files")

    def of_view(
        self,
        name: str,
        table: Any,
        files: list[str],
        kinds: Callable[[str], Mapping[str, str]],
        given: list[str] | None = None,
    ) -> Source:
        found = [column for column in table.columns if column != FILE]
        if given is None or len(given) > len(found):
            given = found
        names = dict(zip([*given, *found[len(given) :]], found, strict=True))
        several = {file: functools.partial(kinds, file) for file in files if len(files) > 1}
        return Source(name, table, names, files=several)

    def database(self, path: str, name: str, kind: str) -> Source:
        with said(name):
            is_duckdb = kind == "duckdb"
            options = {"read_only": True} if is_duckdb else {}
            engine = getattr(ibis, kind).connect(path, **options)
            self.stack.callback(engine.disconnect)
            if is_duckdb:
                tables = [name for (name,) in engine.con.execute(TABLES).fetchall()]
            else:
                tables = engine.list_tables()
        table = self.table or (tables[0] if len(tables) == 1 else None)
        if table is None:
            raise AuditError(
                f"{name} holds {len(tables)} tables; name one with table (--table): "
                f"{listed(tables, 8)}"
            )
        if table not in tables:
            raise AuditError(f"no table {quoted(table)} in {name}; {nearest(table, tables)}")
        with said(name):
            return self.of_ibis(engine.table(table), name, ordered=is_duckdb)

    def of_ibis(self, table: Any, name: str, *, ordered: bool = False) -> Source:
        """A table that stays where it is."""
        return Source(name, table, {c: c for c in table.columns}, ordered=ordered, keeps=False)


def _kind(engine_type: str) -> str:
    """``numbers``, ``text`` or what DuckDB calls a type."""
    name = engine_type.upper()
    if name.startswith(("VARCHAR", "ENUM")):
        return "text"
    numbers = ("TINY", "SMALL", "INT", "BIG", "HUGE", "U", "FLOAT", "DOUBLE", "DECIMAL", "BOOL")
    return "numbers" if name.startswith(numbers) and name != "UUID" else name


def _call(reader: str, files: list[str], options: Mapping[str, Any]) -> str:
    """A reader of files, in DuckDB's SQL."""
    given = "".join(f", {name}={_literal(value)}" for name, value in options.items())
    return f"{reader}({_literal(files)}{given})"


def _literal(value: Any) -> str:
    """A value as DuckDB's SQL writes it."""
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_literal(k)}: {_literal(v)}' for k, v in value.items())}}}"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)
