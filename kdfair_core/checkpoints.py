"""Checkpoints of training under way: arrays and JSON in one safetensors file, with a checksum."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kdfair_core import files
from kdfair_core.files import Damaged

CHECKPOINT_MINUTES = 5
"""Training is stored at each epoch's end, and within an epoch when it was not for so long."""

GPU_SECONDS = 60
"""Epochs of a GPU that end sooner after what was stored are not stored."""

FORMAT = 2
"""Of what a checkpoint holds; one of another format is passed over."""


class Checkpoint:
    """The state of training under way: one file, replaced as a whole or not at all."""

    def __init__(self, path: Path, identity: Mapping[str, Any] | None = None) -> None:
        self.path = path
        self.identity = None if identity is None else files.plain(identity)

    def save(self, meta: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> None:
        """Replace what is stored by ``meta`` (JSON data) and ``tensors``.

        `DiskFull` if there is no room; the checkpoint saved before is still there.
        """
        tensors = {name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}
        text = json.dumps({"identity": self.identity, "meta": files.plain(meta)})
        header = {"kdfair": text, "sha256": files.tensors_sha256(tensors, text)}
        with files.workplace(self.path.parent, f"the checkpoint {self.path.name}") as aside:
            files.write_safetensors(aside / self.path.name, tensors, header)
            os.replace(aside / self.path.name, self.path)
            files.sync_folder(self.path.parent)

    def load(
        self, *, any_identity: bool = False
    ) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
        """Return ``(meta, tensors)`` as saved last, or None if nothing is stored.

        `Damaged` if the file is not what was saved, ValueError if it belongs to another identity
        (with ``any_identity`` it may).
        """
        from safetensors import SafetensorError, safe_open

        if not self.path.exists():
            return None
        again = f"delete {self.path} to train from the beginning"
        try:
            with safe_open(self.path, framework="np") as file:
                header = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}
            text = header["kdfair"]
            stored = json.loads(text)
            found, expected = files.tensors_sha256(tensors, text), header["sha256"]
        except (SafetensorError, KeyError, ValueError) as error:
            raise Damaged(f"the checkpoint {self.path} is damaged ({error}): {again}") from None
        if found != expected:
            raise Damaged(
                f"the checkpoint {self.path} is damaged (its content has SHA-256 {found[:16]}..., "
                f"it was saved with {expected[:16]}...): {again}"
            )
        if stored["identity"] != self.identity and not any_identity:
            raise ValueError(
                f"the checkpoint {self.path} belongs to another training "
                f"({_difference(stored['identity'], self.identity)}): {again}, or keep the runs of "
                "each recipe in a folder of their own"
            )
        return stored["meta"], tensors

    def beside(self) -> list[Checkpoint]:
        """The other checkpoints whose names differ only in what follows the last dash."""
        begin, _, _ = self.path.name.rpartition("-")
        found = sorted(self.path.parent.glob(f"{begin}-*"))
        return [Checkpoint(path) for path in found if path != self.path]

    def clear(self) -> None:
        """Forget what is stored, if anything is."""
        self.path.unlink(missing_ok=True)


def _difference(found: dict[str, Any] | None, expected: dict[str, Any] | None) -> str:
    """Say in a few words where two identities differ."""
    if found is None or expected is None:
        return f"saved for {found!r}, asked for {expected!r}"
    keys = [key for key in {**found, **expected} if found.get(key) != expected.get(key)]
    return "; ".join(f"{key} {found.get(key)!r}, expected {expected.get(key)!r}" for key in keys)
