"""Images packed into one array on disk: by several processes, and resumed when killed.

Beside the array under way lies a journal: a line that says what is packed, then the first image of
each block that is on the disk.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from kdfair_core.datasets._images import ImageFiles, read_image
from kdfair_core.files import DiskFull, locked, write_bytes

BLOCK = 1024
"""Images that a process writes, and a kill loses, at a time."""

HEAD = 128
"""Bytes of a .npy file before its numbers (numpy aligns them to 64)."""

_PROGRAM = "from kdfair_core.datasets._packing import main; main()"


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
        turn, count = threading.Lock(), min(workers, len(todo))

        def work(_: int) -> None:
            with _Writer(alone=count == 1) as writer:
                while True:
                    with turn:
                        if not todo:
                            return
                        start = todo.pop(0)
                    try:
                        writer.write(_block(files, part, start))
                    except BaseException:
                        todo.clear()  # the others end with the block that they are at
                        raise
                    with turn:
                        notes.write(f"{start}\n")
                        notes.flush()
                        os.fsync(notes.fileno())
                        done.add(start)
                        bar.update(min(BLOCK, len(files) - start))

        try:
            with ThreadPoolExecutor(max(1, count)) as pool:
                try:
                    list(pool.map(work, range(count)))
                except BaseException:  # Ctrl-C too
                    todo.clear()
                    raise
        except BaseException:
            if not done:  # nothing to resume
                part.unlink()
                journal.unlink()
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


def _block(files: ImageFiles, part: Path, start: int) -> dict[str, Any]:
    return {
        "paths": [str(path) for path in files.paths[start : start + BLOCK]],
        "size": files.size,
        "resize": files.resize,
        "part": str(part),
        "at": HEAD + start * int(np.prod(files.shape[1:])),
    }


def _write(block: dict[str, Any]) -> None:
    """Write one block and flush it to the disk."""
    size, resize = block["size"], block["resize"]
    with open(block["part"], "r+b") as file:
        file.seek(block["at"])
        for path in block["paths"]:
            file.write(read_image(Path(path), size, resize).data)
        file.flush()
        os.fsync(file.fileno())


class _Writer:
    """What writes blocks: a process of its own, which ends with this one, or this one."""

    def __init__(self, *, alone: bool) -> None:
        self.process: subprocess.Popen | None = None
        if not alone:
            environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
            self.process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
                start_new_session=True,  # Ctrl-C is for this process
            )

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None:
            self.process.communicate()

    def write(self, block: dict[str, Any]) -> None:
        said: dict[str, Any]
        if self.process is None:
            said = _tried(block)
        else:
            assert self.process.stdin is not None and self.process.stdout is not None
            self.process.stdin.write(json.dumps(block) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
            said = json.loads(line) if line else {"failed": "a process that packs images ended"}
        if said.get("errno") in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(
                f"the disk of {block['part']} is full: free some space and give the same command "
                "again, which goes on from there"
            )
        if "failed" in said:
            raise (OSError if said.get("errno") else ValueError)(said["failed"])


def _tried(block: dict[str, Any]) -> dict[str, Any]:
    try:
        _write(block)
    except (ValueError, OSError) as error:
        return {"failed": str(error), "errno": getattr(error, "errno", None)}
    return {}


def main() -> None:
    """What a process that packs does: a block a line, until there are no more."""
    for line in sys.stdin:
        print(json.dumps(_tried(json.loads(line))), flush=True)
