"""Claims: of all processes on one store, at most one trains a run.

A claim is a small file that names runs and is touched every few seconds. Whoever wants runs writes
a claim first and looks at the others afterwards: of two that come at once, at least one sees the
other and steps back. A claim whose owner is gone, because its process ended on this machine or
because nobody touched it for a minute, counts no more. Times are those of the file system, so that
clocks of several machines need not agree.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import socket
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

BEAT = 10.0
"""Seconds between two touches of a claim."""

PATIENCE = 60.0
"""Seconds without a touch after which a claim counts as abandoned."""

_TRIES = 8


class ClaimLost(Exception):
    """Another process took these runs over: this one was not heard of for too long."""


class Folder:
    """Where claims lie on a file system; `kdfair_cluster.buckets` has one for buckets."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, content: bytes) -> None:
        """Make a claim, whole at once."""
        self.path.mkdir(parents=True, exist_ok=True)
        aside = self.path / f".{name}"
        aside.write_bytes(content)
        os.rename(aside, self.path / name)

    def touch(self, name: str) -> bool:
        """Say that a claim is alive; False if it is not there any more."""
        try:
            os.utime(self.path / name)
        except FileNotFoundError:
            return False
        return True

    def read(self, name: str) -> bytes | None:
        """What a claim says; None if it is not there any more."""
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return None

    def times(self) -> dict[str, float]:
        """When each claim was touched last."""
        found = {}
        for path in self.path.glob("[!.]*"):
            try:
                found[path.name] = path.stat().st_mtime
            except FileNotFoundError:
                continue
        return found

    def remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)


class Claim:
    """Runs that this process trains; a context that gives them free at the end."""

    def __init__(self, place: Folder, name: str) -> None:
        self.place, self.name = place, name
        self._lost = False
        self._end = threading.Event()
        self._beats = threading.Thread(target=self._beat, daemon=True)

    def check(self) -> None:
        """Raise :class:`ClaimLost` if another process took the runs over."""
        if self._lost:
            raise ClaimLost

    def __enter__(self) -> Claim:
        self._beats.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._beats.join()
        self.place.remove(self.name)

    def _beat(self) -> None:
        while not self._end.wait(BEAT):
            try:
                self._lost = self._lost or not self.place.touch(self.name)
            except OSError:  # the next beat may get through
                continue


def take(place: Folder, runs: Iterable[str]) -> Claim | None:
    """Claim runs by their names, all or none; None if another process has one of them.

    What was missing before may be stored now: look again once the claim is there.
    """
    wanted = frozenset(runs)
    for _ in range(_TRIES):
        if _others(place, wanted, place.times(), time.time()):
            return None
        name = secrets.token_hex(8)
        place.write(name, json.dumps({"runs": sorted(wanted), "owner": _owner()}).encode())
        times = place.times()
        now = times.pop(name, None)
        if now is not None and not _others(place, wanted, times, now, remove=True):
            return Claim(place, name)
        place.remove(name)  # two came at once, and each may have seen the other
        time.sleep(random.uniform(0, 0.2))
    return None


def _others(
    place: Folder,
    wanted: frozenset[str],
    times: dict[str, float],
    now: float,
    *,
    remove: bool = False,
) -> bool:
    """Whether a living claim names one of the runs; dead ones may be removed."""
    for name, touched in times.items():
        content = place.read(name)
        if content is None:
            continue
        claim = json.loads(content)
        if not wanted & set(claim["runs"]):
            continue
        if abs(now - touched) < PATIENCE and not _gone(claim["owner"]):
            return True
        if remove:
            place.remove(name)
    return False


def _owner() -> dict[str, Any]:
    return {"machine": _machine(), "pid": os.getpid()}


def _gone(owner: dict[str, Any]) -> bool:
    """Whether the owner was a process of this machine that has ended."""
    if owner["machine"] != _machine():
        return False
    try:
        os.kill(owner["pid"], 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return _zombie(owner["pid"])


def _zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


def _machine() -> str:
    """This boot of this machine, and which of its containers."""
    parts = [socket.gethostname()]
    for file in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        try:
            is_link = os.path.islink(file)
            parts.append(os.readlink(file) if is_link else Path(file).read_text().strip())
        except OSError:
            continue
    return " ".join(parts)
