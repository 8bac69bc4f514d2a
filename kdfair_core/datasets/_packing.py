"""Images packed into one array on disk: by several processes, and resumed when killed.

Beside the array under way lies a journal: a line that says what is packed, then the first image of
each block that is on the disk.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import signal
import threading
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from tqdm import tqdm

from kdfair_core.datasets._images import ImageFiles, read_image
from kdfair_core.files import DiskFull, locked, write_bytes

BLOCK = 1024
"""Images that a process writes, and a kill loses, at a time."""

HEAD = 128
"""Bytes of a .npy file before its numbers (numpy aligns them to 64)."""


def packed(files: ImageFiles, path: Path, *, workers: int | None = None) -> np.ndarray:
    """The images as an array on disk (.npy, memory-mapped), written the first time.

    ``workers`` processes write, by default one a core. ValueError if a file is no image, or the
    file there is not these images' array; DiskFull if there is no room: what is packed by then
    stays for the next time.
    """
    if not path.exists():
        with locked(path.parent):  # another process may be at it
            if not path.exists():
                _pack(files, path, workers or os.cpu_count() or 1)
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{path} is damaged ({error}); remove it to make it anew") from error
    if array.shape != files.shape or array.dtype != np.uint8:
        raise ValueError(
            f"{path} holds {array.dtype} {array.shape}, expected uint8 {files.shape}; "
            "remove it to make it anew"
        )
    return array


def _pack(files: ImageFiles, path: Path, workers: int) -> None:
    part, journal = (path.with_name(f".{path.name}.{end}") for end in ("part", "journal"))
    needed = HEAD + int(np.prod(files.shape))
    there = part.stat().st_blocks * 512 if part.exists() else 0
    free = shutil.disk_usage(path.parent).free
    if free + there < needed:
        raise DiskFull(
            f"packing {path} takes {needed / 1e9:,.1f} GB, and its disk has {free / 1e9:,.1f} GB "
            "left: free some space, or read the files themselves with the option pack=False"
        )
    done = _begun(files, part, journal)
    todo = [start for start in range(0, len(files), BLOCK) if start not in done]

    def block(start: int) -> ImageFiles:
        return ImageFiles(files.paths[start : start + BLOCK], files.size, files.resize)

    run = Parallel(
        n_jobs=max(1, min(workers, len(todo))),
        batch_size=1,
        pre_dispatch="n_jobs",
        return_as="generator_unordered",
        idle_worker_timeout=10,
        initializer=_begin,
        initargs=(os.getpid(),),
    )
    try:
        with (
            open(journal, "a") as notes,
            tqdm(
                total=len(files),
                initial=min(BLOCK * len(done), len(files)),
                unit="image",
                unit_scale=True,
                desc=f"packing {path.name}",
                disable=len(files) <= BLOCK,
            ) as bar,
        ):
            for start in run(delayed(_write)(part, start, block(start)) for start in todo):
                notes.write(f"{start}\n")
                notes.flush()
                os.fsync(notes.fileno())
                done.add(start)
                bar.update(min(BLOCK, len(files) - start))
    except BaseException as error:
        if not done:  # nothing to resume
            part.unlink()
            journal.unlink()
        if isinstance(error, BrokenProcessPool):
            raise OSError(f"a process that packs images into {path} was killed") from error
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(
                f"the disk of {part} is full: free some space and give the same command again, "
                "which goes on from there"
            ) from None
        raise
    os.replace(part, path)
    journal.unlink()


def _begun(files: ImageFiles, part: Path, journal: Path) -> set[int]:
    """The blocks that are there; where other images were packed it begins anew."""
    names = hashlib.sha256("\n".join(map(str, files.paths)).encode()).hexdigest()
    about = f"{files.shape} of {files.resize} by {BLOCK}: {names}"
    lines = journal.read_text().split("\n") if journal.exists() and part.exists() else [""]
    if lines[0] == about:
        return {int(line) for line in lines[1:-1]}  # a line that was cut short is the last
    with open(part, "wb") as file:
        shape = {"descr": "|u1", "fortran_order": False, "shape": files.shape}
        np.lib.format.write_array_header_1_0(file, shape)
        assert file.tell() == HEAD
        file.truncate(HEAD + int(np.prod(files.shape)))
    write_bytes(journal, f"{about}\n".encode())
    return set()


def _begin(parent: int) -> None:
    """In a process that writes: leave Ctrl-C to its parent, and end with it."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=watch, daemon=True).start()


def _write(part: Path, start: int, files: ImageFiles) -> int:
    """Write the block that begins at image ``start`` and flush it to the disk."""
    with open(part, "r+b") as file:
        file.seek(HEAD + start * int(np.prod(files.shape[1:])))
        for path in files.paths:
            file.write(read_image(path, files.size, files.resize).data)
        file.flush()
        os.fsync(file.fileno())
    return start
