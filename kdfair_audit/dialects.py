"""What a file is, told by its first bytes, and how a CSV file is written."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from kdfair_audit.errors import AuditError, quoted

HEAD = 1 << 16  # bytes of a file that are looked at
TABLES = "Parquet, CSV, JSON lines or Arrow"
NUMBER = re.compile(r"\s*[-+]?\d+([.,])\d+\s*")
MARKS = {
    b"PAR1": "parquet",
    b"ARROW1": "arrow",
    b"\xff\xff\xff\xff": "arrow stream",
    b"SQLite format 3\x00": "sqlite",
}
COMPRESSED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written, and the names in its first line."""

    names: tuple[str, ...]
    delimiter: str
    quote: str
    decimal: str
    words: tuple[str, ...]  # columns of T and F, which are no truth values


def compression_of(head: bytes) -> str:
    """``gzip``, ``zstd`` or nothing."""
    return next((kind for mark, kind in COMPRESSED.items() if head.startswith(mark)), "")


def kind_of(name: str, head: bytes) -> str:
    """``parquet``, ``arrow``, ``arrow stream``, ``duckdb``, ``sqlite``, ``json`` or ``csv``.

    What is none of these is refused: an empty file, a pickle, an archive.
    """
    if not head:
        raise AuditError(f"{name} is empty")
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05":
        raise AuditError(
            f"{name} is a Python pickle, which can run code when it is read; save the table as "
            "Parquet, CSV or Arrow instead"
        )
    if head.startswith(b"PK\x03\x04"):
        raise AuditError(
            f"{name} is a zip archive (a workbook, perhaps, or saved arrays); expected {TABLES}, "
            "or counts written by --counts-only"
        )
    if head.startswith((b"\x89HDF", b"\x93NUMPY")):
        raise AuditError(f"{name} is none of {TABLES}; save the table as one of them")
    for mark, kind in MARKS.items():
        if head.startswith(mark):
            return kind
    if head[8:12] == b"DUCK":
        return "duckdb"
    suffix = name.lower().rpartition(".")[2]
    if suffix in ("parquet", "arrow", "feather"):
        raise AuditError(
            f"{name} is named .{suffix} but holds something else (its first bytes are {head[:8]!r})"
        )
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()
    return "json" if re.match(rb'\{\s*"|\[\s*\{\s*"', start) else "csv"


def encoding_of(name: str, head: bytes, encoding: str | None) -> str:
    """The encoding that is given, or UTF-16 where the first bytes say so, or UTF-8."""
    if encoding is not None:
        try:
            return codecs.lookup(encoding).name
        except LookupError:
            raise AuditError(f"there is no encoding {quoted(encoding)}") from None
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\x00" in head:
        raise AuditError(f"{name} is none of {TABLES}: it is binary")
    return "utf-8"


def dialect_of(
    name: str, head: str, delimiter: str | None, decimal: str | None, text: Collection[str] = ()
) -> Dialect:
    """How a CSV file is written, found out from its beginning so far as it is not given.

    Columns of ``text`` are no numbers however they look.
    """
    if delimiter is not None and len(delimiter) != 1:
        raise AuditError(f"the delimiter {quoted(delimiter)} is not one character")
    if decimal not in (None, ".", ","):
        raise AuditError(f"the decimal sign {quoted(decimal)} is neither '.' nor ','")
    first = head.split("\n", 1)[0]
    if delimiter is None:
        outside = re.sub(r'"[^"]*"', "", first)
        delimiter = max(",;\t|", key=outside.count)
    mark = re.escape(delimiter)
    single = '"' not in first and re.search(rf"(^|{mark})'[^']*'({mark}|\r?$)", first)
    quote = "'" if single else '"'
    try:
        rows = list(csv.reader(head.splitlines(True), delimiter=delimiter, quotechar=quote))
    except csv.Error as error:
        raise AuditError(f"cannot read {name}: {error}") from None
    names = tuple(rows[0]) if rows else ()
    body = [row for row in rows[1:-1] or rows[1:] if len(row) == len(names)]
    return Dialect(
        names,
        delimiter,
        quote,
        decimal or _decimal(_columns(names, body, text)),
        tuple(n for n, values in _columns(names, body) if set(map(str.lower, values)) <= {*"tf"}),
    )


def _columns(
    names: Iterable[str], rows: list[list[str]], without: Collection[str] = ()
) -> list[tuple[str, list[str]]]:
    columns = zip(names, zip(*rows, strict=True), strict=True) if rows else ()
    return [(name, [v for v in values if v]) for name, values in columns if name not in without]


def _decimal(columns: Iterable[tuple[str, list[str]]]) -> str:
    """A comma where a column's values all are whole or have one, and some have."""
    for _, values in columns:
        signs = [found[1] if (found := NUMBER.fullmatch(v)) else v.isdigit() for v in values]
        if "," in signs and set(signs) <= {",", True}:
            return ","
    return "."
