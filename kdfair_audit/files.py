"""Files on this machine: which there are, how they begin, and in which encoding."""

from __future__ import annotations

import glob
import io
import os
import shutil
from pathlib import Path

import pyarrow as pa

from kdfair_audit.addresses import is_address, matches
from kdfair_audit.dialects import HEAD, compression_of
from kdfair_audit.errors import AuditError, quoted

PLAIN = (".parquet", ".csv", ".tsv", ".tab", ".json", ".jsonl", ".ndjson", ".arrow", ".feather")
SUFFIXES = (*PLAIN, ".gz", ".zst")  # what is looked for in a folder


def find(path: str) -> list[str]:
    """The files that a path, a pattern, a folder or an address stands for."""
    if is_address(path):
        return matches(path, SUFFIXES)
    if os.path.isfile(path):
        return [path]
    if os.path.isdir(path):
        found = [
            str(file)
            for file in sorted(Path(path).rglob("*"))
            if file.is_file()
            and file.name.lower().endswith(SUFFIXES)
            and not any(part[0] in "._" for part in file.relative_to(path).parts)
        ]
        if not found:
            raise AuditError(
                f"{Path(path).name} is a folder without a Parquet, CSV, JSON or Arrow file"
            )
        return found
    if os.path.exists(path):
        raise AuditError(f"{Path(path).name} is no regular file")
    if glob.has_magic(path):
        found = sorted(file for file in glob.glob(path, recursive=True) if os.path.isfile(file))
        if found:
            return found
        raise AuditError(f"no file has the pattern {quoted(path, 200)}")
    raise AuditError(f"there is no file {quoted(path, 200)}")


def ends_of(path: str) -> tuple[bytes, bytes]:
    """The first and the last bytes of a file as they are; none of an address."""
    if is_address(path):
        return b"", b""
    with open(path, "rb") as file:
        head = file.read(8)
        file.seek(max(0, os.path.getsize(path) - 8))
        return head, file.read()


def head_of(path: str) -> bytes:
    """The first bytes of a file, unpacked."""
    name = Path(path).name
    try:
        packed = compression_of(ends_of(path)[0])
        with pa.input_stream(path, compression=packed or None) as file:
            return file.read(HEAD)
    except OSError as error:
        if packed:
            raise AuditError(f"{name} is a damaged {packed} file: {error}") from None
        raise AuditError(f"cannot open {name}: {error.strerror or error}") from None


def in_utf8(path: str, encoding: str, folder: Path) -> str:
    """A copy of a text file in UTF-8."""
    copy = folder / f"{len(list(folder.iterdir()))}-{Path(path).name}.csv"
    with pa.input_stream(path, compression=compression_of(ends_of(path)[0]) or None) as raw:
        with io.TextIOWrapper(raw, encoding=encoding, newline="") as text:
            with open(copy, "w", encoding="utf-8", newline="") as file:
                shutil.copyfileobj(text, file, 1 << 20)
    return str(copy)
