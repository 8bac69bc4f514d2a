"""What a teacher says: its logits for every view that students are shown, and its features."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kdfair_core.training.batches import Batch
from kdfair_core.training.captured import Captured
from kdfair_core.training.compiling import Compiled
from kdfair_core.training.views import Views

EVALUATION_BATCH = 250
PRECISIONS = ("fp32", "tf32", "bf16")


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Mixed precision for "bf16", nothing for "fp32" and "tf32" (see :func:`products`).

    Raises
    ------
    ValueError
        For another name.
    """
    if precision not in PRECISIONS:
        expected = " or ".join(PRECISIONS)
        raise ValueError(f"unknown precision {precision!r}; expected {expected}")
    # casts of weights that a GPU's captured step kept would outlive it
    return torch.autocast(
        device.type, torch.bfloat16, enabled=precision == "bf16", cache_enabled=device.type == "cpu"
    )


@contextmanager
def products(device: torch.device, precision: str) -> Iterator[None]:
    """Inside, float32 products on a GPU are made in float32, or in TF32 if that is asked for.

    Left to itself, torch makes those of convolutions in TF32, ten bits of mantissa. cuDNN tries
    its kernels and takes the fastest. What was set before is set again afterwards. On a CPU there
    is no TF32.
    """
    if device.type != "cuda":
        yield
        return
    backends: Any = torch.backends
    kinds = (backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn)
    before = [kind.fp32_precision for kind in kinds]
    tried, backends.cudnn.benchmark = backends.cudnn.benchmark, True
    for kind in kinds:
        kind.fp32_precision = "tf32" if precision == "tf32" else "ieee"
    try:
        yield
    finally:
        for kind, value in zip(kinds, before, strict=True):
            kind.fp32_precision = value
        backends.cudnn.benchmark = tried


@torch.no_grad()
def predict(
    network: nn.Module,
    views: Views,
    precision: str = "fp32",
    *,
    view: int = 0,
    call: Callable[..., Tensor] | None = None,
) -> Tensor:
    """Logits of every example, ``[example, class]``, in the order of the split.

    ``call`` is what is evaluated in place of the network, such as its ``features``.
    """
    network.eval()
    out: Tensor | None = None
    with products(views.labels.device, precision):
        for batch in views.batches(EVALUATION_BATCH, view):
            with autocast(batch.labels.device, precision):
                rows = (call or network)(*batch.inputs).float()
            if out is None:
                out = rows.new_empty((len(views), rows.shape[1]))
            out[batch.index] = rows
    if out is None:
        raise ValueError("no examples to predict: the split is empty")
    return out


class TeacherOutputs:
    """A teacher's logits for every view that its students are shown.

    Where an example has one view or two, the teacher looks at each once, before the first epoch;
    where it has many, at each batch as it comes. Either way the logits belong to the view that the
    students see. ``compiled`` runs it as a compiled program (see
    :mod:`kdfair_core.training.compiling`).
    """

    def __init__(
        self, network: nn.Module, views: Views, precision: str, *, compiled: bool = False
    ) -> None:
        network.eval()
        call = Compiled(network) if compiled else network

        def look(*inputs: Tensor) -> Tensor:
            with torch.no_grad(), autocast(inputs[0].device, precision):
                return call(*inputs).float()

        gpu = views.fixed and views.device.type == "cuda"
        self._look: Callable[..., Tensor] = Captured(look) if gpu else look
        self.table: Tensor | None = None
        if views.n_views is not None:
            numbers = range(views.n_views)
            columns = [predict(network, views, precision, view=number) for number in numbers]
            self.table = torch.stack(columns, 1)

    def __call__(self, batch: Batch) -> Tensor:
        """Logits ``[batch, class]``, float32."""
        if self.table is not None and batch.view is not None:
            return self.table[batch.index, batch.view]
        return self._look(*batch.inputs)


class GivenOutputs(TeacherOutputs):
    """A teacher's logits that were stored, one row an example: there is no network to ask.

    Raises
    ------
    ValueError
        For logits that are not finite ``[example, class]``, and for views that are augmented.
    """

    def __init__(self, logits: np.ndarray, views: Views) -> None:
        if views.n_views != 1:
            raise ValueError(
                "the teacher's logits are of the examples as they are, and augmentation would show "
                "students other images: leave augment empty, or give the teacher's network"
            )
        if logits.shape[0] != len(views) or logits.ndim != 2 or not np.isfinite(logits).all():
            raise ValueError(
                f"the teacher's logits have shape {logits.shape}; expected finite numbers "
                f"[{len(views)}, class], a row a training example"
            )
        device = views.labels.device
        self.table = torch.as_tensor(logits, dtype=torch.float32, device=device)[:, None]


def has_features(network: nn.Module) -> bool:
    """Whether :func:`logits_and_features` can read a network's features."""
    return _own_features(network) is not None or _last_linear(network) is not None


@contextmanager
def logits_and_features(network: nn.Module) -> Iterator[Callable[..., Tensor]]:
    """Inside, what gives ``[batch, class + feature]`` in one look; afterwards nothing is left.

    The features are what the network's method ``features`` returns, or, without one, what its last
    linear layer reads; with neither it is a ValueError (see :func:`has_features`).
    """
    read: list[Tensor] = []
    own, last = _own_features(network), _last_linear(network)

    def call(*inputs: Tensor) -> Tensor:
        read.clear()
        logits = network(*inputs)
        features = read[-1] if read else own(*inputs)  # type: ignore[misc]
        read.clear()
        return torch.cat([logits, features], 1)

    if own is not None:

        def noted(*inputs: Tensor) -> Tensor:
            read.append(own(*inputs))
            return read[-1]

        network.features = noted  # type: ignore[assignment]
        try:
            yield call
        finally:
            del network.features
    elif last is not None:
        hook = last.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
        try:
            yield call
        finally:
            hook.remove()
    else:
        raise ValueError(f"{type(network).__name__} has no features and no linear layer")


def _own_features(network: nn.Module) -> Callable[..., Tensor] | None:
    own = getattr(network, "features", None)
    return None if own is None or isinstance(own, nn.Module) else own


def _last_linear(network: nn.Module) -> nn.Module | None:
    linears = [module for module in network.modules() if isinstance(module, nn.Linear)]
    return linears[-1] if linears else None
