"""Files that are whole or not there: written aside, flushed to disk, renamed into place."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

try:
    import fcntl
except ImportError:  # not a POSIX system
    fcntl = None  # type: ignore[assignment]

_DAY = 24 * 3600.0
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_FULL = (errno.ENOSPC, errno.EDQUOT)


class Damaged(ValueError):
    """A stored file is not what was written: changed, cut short, or of another kind."""


class DiskFull(OSError):
    """There was no room left to write; what was stored before is untouched."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.errno = errno.ENOSPC


def safe_name(value: object, what: str) -> str:
    """Return ``value`` if it can be a file's or folder's name everywhere, else raise ValueError."""
    if isinstance(value, str) and _SAFE.fullmatch(value):
        return value
    raise ValueError(
        f"{what} {value!r} cannot name a folder or file: expected letters, digits, dots, dashes "
        "and underscores, beginning with a letter or a digit"
    )


def plain(value: Any, of_float: Callable[[float], Any] = float) -> Any:
    """Return ``value`` as plain JSON data: NumPy scalars and tuples become numbers and lists.

    ``of_float`` says what becomes of a float.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item, of_float) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(item, of_float) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return of_float(value)
    if value is None or isinstance(value, (bool, int, str)):
        return value
    raise ValueError(f"{value!r} ({type(value).__name__}) cannot be written as JSON")


def canonical_json(value: Any) -> bytes:
    """Return the one JSON text of ``value``: keys sorted, no spaces; NaN and infinity refused.

    A float without a fraction is written as an int: 4 and 4.0 are the same temperature.
    """
    try:
        numbers = plain(value, lambda x: int(x) if x.is_integer() else x)
        text = json.dumps(numbers, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        raise ValueError(f"{value!r} has no canonical JSON: {error}") from None
    return text.encode()


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tensors_sha256(tensors: Mapping[str, np.ndarray], text: str = "") -> str:
    """Return the SHA-256, in hexadecimal, of a text and of arrays with their names and shapes."""
    total = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = np.asarray(tensors[name], order="C")
        total.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
        total.update(tensor.reshape(-1).view(np.uint8).data)
    return total.hexdigest()


def npy_bytes(array: np.ndarray) -> bytes:
    """Return an array in NumPy's .npy format; arrays of objects are refused."""
    buffer = BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file and flush it to the disk."""
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_safetensors(path: Path, tensors: Mapping[str, np.ndarray], meta: dict[str, str]) -> None:
    """Write arrays as safetensors and flush them to the disk."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    # safetensors writes an array's memory as it lies, whatever its strides.
    dense = {name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}
    try:
        save_file(dense, path, metadata=meta)
    except SafetensorError as error:
        code = re.search(r"os error (\d+)", str(error))
        if code is None:
            raise
        raise OSError(int(code[1]), str(error)) from None
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Flush a folder's list of names, where the system can."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Inside, no other process that asks for the same folder's lock is; POSIX systems only.

    The lock goes with the process, however it ends.
    """
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def workplace(parent: Path, what: str) -> Iterator[Path]:
    """Give a hidden folder beside its destination to write ``what`` in; it is removed at the end.

    Folders that killed processes left behind are removed too. A process holds a lock in its own,
    so that those of other machines and containers on the same volume are told from abandoned ones.
    When a write inside fails because the disk is full, it raises `DiskFull`.
    """
    folder = parent / f".tmp-{secrets.token_hex(8)}"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for left in (*parent.glob(".tmp-*"), *parent.glob(".new-*")):
            if _abandoned(left):
                shutil.rmtree(left, ignore_errors=True)
        made = parent / f".new-{secrets.token_hex(8)}"
        made.mkdir()
        with locked(made):
            os.rename(made, folder)  # it has its name only when it is locked
            yield folder
    except OSError as error:
        if error.errno not in _FULL or isinstance(error, DiskFull):
            raise
        raise DiskFull(
            f"the disk of {parent} is full: {what} was not stored and everything stored before is "
            "untouched; free some space and give the same command again"
        ) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _abandoned(folder: Path) -> bool:
    try:
        if fcntl is None or folder.name.startswith(".new-"):
            return time.time() - folder.stat().st_mtime > _DAY
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(descriptor)
        return True
    except OSError:  # somebody holds the lock, or has just removed the folder
        return False
