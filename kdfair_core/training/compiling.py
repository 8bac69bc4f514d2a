"""Compiled networks: fewer passes over memory and no wait between operations, for a slow start.

torch.compile turns a network into a program of C++ that is compiled here. On two CPU cores that
takes half a minute a kind of network and makes the steps of a ResNet about a fifth shorter; all
networks of one kind share the program. LeNets get slower by it, batches of texts have
too many shapes for it, and a network with dropout would draw other numbers: they are left alone.
On an H100 compiling takes 20 to 46 seconds and saves 3 ms of the 11 that a captured step of 14
ResNet-20 takes.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sysconfig
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

PAYS = {"cpu": 300_000, "cuda": 20_000_000}
"""Examples shown to learners, over all epochs, from which the start is earned back."""

GPU_SECONDS = 120
"""Less time than this before a limit is not spent on compiling for a GPU."""


def pays(examples: int, device: torch.device) -> bool:
    """Whether to compile for a training that shows so many examples, each learner's counted."""
    return examples >= PAYS.get(device.type, float("inf")) and can_compile(device.type)


def can_compile(device: str = "cpu") -> bool:
    """Whether there is what torch.compile needs: a C++ compiler and Python's headers, and Triton
    on a GPU."""
    if device == "cuda" and importlib.util.find_spec("triton") is None:
        return False
    headers = Path(sysconfig.get_path("include")) / "Python.h"
    return shutil.which(os.environ.get("CXX", "g++")) is not None and headers.is_file()


class Compiled:
    """A network's forward pass as a program for inputs shaped like the first ones.

    Other inputs, such as a last batch that is smaller, go to the network itself; so does
    everything, with a warning, where compiling fails.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.program = torch.compile(network, dynamic=False)
        self.shapes: list[torch.Size] | None = None

    def __call__(self, *inputs: Tensor) -> Tensor:
        shapes = [tensor.shape for tensor in inputs]
        if self.shapes is None:
            return self._first(shapes, inputs)
        return (self.program if shapes == self.shapes else self.network)(*inputs)

    def _first(self, shapes: list[torch.Size], inputs: tuple[Tensor, ...]) -> Tensor:
        self.shapes = shapes
        try:
            return self.program(*inputs)
        except Exception as error:  # whatever a compiler can do; the network's own errors return
            first = (str(error).splitlines() or [type(error).__name__])[0]
            warnings.warn(f"training goes on uncompiled: {first}", RuntimeWarning, stacklevel=3)
            self.program = self.network
            return self.network(*inputs)
