"""What every batch is made of, and the seed of everything that is drawn."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kdfair_core.datasets import Split
from kdfair_core.training.plan import Identity, steps_per_epoch


def stable_seed(*parts: Any) -> int:
    """A 63-bit seed that depends on the parts alone: the same on every machine and version."""
    digest = hashlib.sha256(json.dumps(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def initial_seed(identity: Identity) -> int:
    """The seed of a run's initial weights, its own."""
    role = "nds" if identity["role"] == "null" else identity["role"]
    setting = (identity["temperature"], identity["alpha"], identity["soft_scale"])
    return stable_seed("init", role, identity["seed"], *setting)


@dataclass(frozen=True)
class Batch:
    """Examples as a network reads them.

    ``index`` are their positions in the split, ``inputs`` what the network is called with. ``view``
    says which of its few views each example shows (0: as stored, 1: flipped); None where there are
    too many to number. ``size`` counts the whole batch, where several processes share it.
    """

    index: Tensor
    inputs: tuple[Tensor, ...]
    labels: Tensor
    view: Tensor | None
    size: int


class Labeled:
    """What all views share: the labels, on the device."""

    fixed = True
    """Whether all batches but the last have one shape."""

    share = (0, 1)
    """Which part of each training batch is made here, and of how many; the others are made by
    other processes."""

    def __init__(self, split: Split, device: torch.device) -> None:
        self.device = device
        self.labels = torch.as_tensor(split.y, device=device).long()

    def __len__(self) -> int:
        return len(self.labels)

    def own(self, batch: Tensor, dim: int = 0) -> Tensor:
        """This process's part of a batch."""
        part, parts = self.share
        return batch.tensor_split(parts, dim)[part]

    def steps(self, batch_size: int) -> int:
        """Batches of an epoch."""
        return steps_per_epoch(len(self), batch_size)
