"""Training under way, found by run: what was begun in one grouping goes on in another.

A checkpoint holds runs that learned side by side, at one step, each under its own name. Runs that
are asked for in other company are gathered from wherever they went furthest; those at one step go
on together, those at another step after them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kdfair_core.checkpoints import FORMAT, Checkpoint
from kdfair_core.files import Damaged
from kdfair_core.training.loop import read_checkpoint


@dataclass(frozen=True)
class _Source:
    """What a checkpoint holds."""

    meta: dict[str, Any]
    arrays: dict[str, np.ndarray]

    def of(self, name: str) -> dict[str, np.ndarray]:
        """The tensors of a run."""
        return {key: a for key, a in self.arrays.items() if key.startswith(f"{name}/")}


def companies(own: Checkpoint | None, pending: Sequence[str]) -> Iterator[list[str]]:
    """Groups of runs that are trained one after another; ``own`` holds what each begins with.

    ``own`` is the checkpoint of this request, ``pending`` names the runs that are not stored.
    ``own`` had better be cleared, and the runs stored, when the next group is asked for.
    """
    if own is None:
        yield list(pending)
        return
    here = own.load() if read_checkpoint(own) else None
    others = [_Source(*found) for found in map(_read, own.beside()) if found]
    best: dict[str, _Source] = {}
    for source in ([_Source(*here)] if here else []) + others:
        for name in set(source.meta["members"]) & set(pending):
            if name not in best or best[name].meta["step"] < source.meta["step"]:
                best[name] = source
    steps = {name: best[name].meta["step"] if name in best else 0 for name in pending}
    # what this checkpoint alone may hold goes on first: it is written over afterwards
    order = sorted(set(steps.values()), key=lambda s: (not here or s != here[0]["step"], -s))
    for step in order:
        names = [name for name in pending if steps[name] == step]
        as_stored = here and names == here[0]["members"] and step == here[0]["step"]
        if step and not as_stored:
            own.save(*_gathered(names, best))
        elif not step:
            own.clear()
        yield names


def clear_finished(checkpoints: Iterable[Checkpoint], finished: set[str]) -> None:
    """Forget checkpoints that hold nothing but finished runs."""
    for checkpoint in checkpoints:
        found = _read(checkpoint)
        if found and set(found[0]["members"]) <= finished:
            checkpoint.clear()


def _read(checkpoint: Checkpoint) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
    """What a checkpoint of another request holds; nothing if it cannot be used."""
    try:
        found = checkpoint.load(any_identity=True)
    except Damaged:  # named when its own request goes on
        return None
    return found if found and found[0].get("format") == FORMAT else None


def _gathered(
    names: Sequence[str], best: dict[str, _Source]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A checkpoint of runs that are at one step."""
    sources = [best[name] for name in names]
    rows = [source.meta["members"].index(n) for n, source in zip(names, sources, strict=True)]
    arrays = {
        key: np.stack([source.arrays[key][row] for source, row in zip(sources, rows, strict=True)])
        for key in ("history", "total")
    }
    for name, source in zip(names, sources, strict=True):
        arrays |= source.of(name)
    seconds = sum(source.meta["seconds"] / len(source.meta["members"]) for source in sources)
    meta = sources[0].meta | {"members": list(names), "seconds": seconds}
    return meta, arrays
