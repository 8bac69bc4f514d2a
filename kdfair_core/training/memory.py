"""Memory that a training step frees is kept for the next one.

A step on the CPU allocates and frees tensors of many megabytes. The C library hands blocks of that
size back to the system at once and asks for new ones, each page of which the system must find and
clear: on some machines that takes longer than the arithmetic. Told to keep them, it reuses them.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

# Parameters of mallopt(3), from glibc's malloc.h, and what glibc uses once it has adapted itself.
TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX, ARENA_MAX = -1, -3, -4, -8
KEEP = {TRIM_THRESHOLD: 2**31 - 1, MMAP_MAX: 0, ARENA_MAX: 1}
USUAL = {TRIM_THRESHOLD: 2**26, MMAP_THRESHOLD: 2**25, MMAP_MAX: 65_536, ARENA_MAX: 0}

_depth = 0


@contextmanager
def kept_memory() -> Iterator[None]:
    """Inside, freed memory is kept; after the outermost, it is given back. glibc only."""
    global _depth
    _depth += 1
    if _depth == 1:
        _tell(KEEP)
    try:
        yield
    finally:
        _depth -= 1
        if _depth == 0:
            _tell(USUAL)
            _library_call("malloc_trim", 0)


def _tell(settings: dict[int, int]) -> None:
    for parameter, value in settings.items():
        _library_call("mallopt", parameter, value)


def _library_call(name: str, *arguments: int) -> None:
    if platform.libc_ver()[0] == "glibc":
        getattr(ctypes.CDLL(None), name)(*arguments)
