"""Import torchvision beside any build of torch.

torchvision brings compiled operators that only load beside the torch they were built for; beside
torch's CPU-only build, for one, those of the usual package find no CUDA library. Nothing here needs
them. But importing torchvision does, and so does importing timm or transformers, because it
describes two of them (nms and qnms) to torch even when they are absent. So where the compiled ones
do not load, this declares these two by name first. Calling them would still fail.

Import torchvision through :func:`import_torchvision`, and call :func:`register_ops` before
importing timm or transformers.
"""

from __future__ import annotations

import importlib
import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType

import torch

_SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


@cache
def register_ops() -> None:
    """Make sure that torch knows torchvision's nms and qnms. Does nothing without torchvision."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return
    for library in sorted(Path(spec.origin).parent.glob("_C*")):
        try:
            torch.ops.load_library(str(library))
        except OSError:  # built for another torch
            continue
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            torch.library.define(f"torchvision::{name}", _SIGNATURE)


def import_torchvision() -> ModuleType:
    """The module torchvision."""
    register_ops()
    return importlib.import_module("torchvision")
