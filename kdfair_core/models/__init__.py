"""The networks that the paper names, and what builds them.

A network is a ``torch.nn.Module`` whose ``forward(*inputs)`` gives logits ``[batch, class]`` and
whose ``features(*inputs)`` gives what its last linear layer reads, ``[batch, feature]``. Image
networks take one float tensor ``[batch, 3, height, width]``; text networks take ``(ids, mask)``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

# The module that makes each network, by a function of its name ("_" for "-"), imported when asked.
REGISTRY: dict[str, str] = {
    **dict.fromkeys(("resnet20", "resnet32", "resnet44", "resnet56"), "resnet"),
    "lenet5": "lenet",
    **dict.fromkeys(("resnet18", "resnet50", "resnet18-small", "resnet50-small"), "vision"),
    **dict.fromkeys(("densenet121", "densenet169"), "vision"),
    **dict.fromkeys(("densenet121-small", "densenet169-small"), "vision"),
    **dict.fromkeys(("vit-b-16", "tinyvit-5m", "tinyvit-11m", "tinyvit-21m"), "vision"),
    **dict.fromkeys(("bert-base", "distilbert", "minilm-l6", "minilm-l3"), "text"),
}


class WeightsMissing(FileNotFoundError):
    """Pretrained weights are neither on this machine nor to be fetched from it."""


def names() -> list[str]:
    """Names that :func:`build` knows, in alphabetical order."""
    return sorted(REGISTRY)


def build(
    name: str,
    n_classes: int,
    *,
    in_shape: tuple[int, int, int] = (3, 32, 32),
    seed: int | None = None,
    pretrained: bool = False,
    **options: Any,
) -> nn.Module:
    """Build one network.

    Parameters
    ----------
    name : str
        One of :func:`names`.
    n_classes : int
        Number of logits.
    in_shape : tuple of int
        Channels, height and width of an image; text networks ignore it.
    seed : int, optional
        Seed of the initial weights. The same seed gives the same weights whatever was drawn
        before; torch's global generator is left as it was. Without it the weights come from
        torch's global generator.
    pretrained : bool
        Start from the public weights of that name instead (not every network has them).
    **options
        Passed on to the network.

    Returns
    -------
    torch.nn.Module

    Raises
    ------
    ValueError
        If the name is unknown, or pretrained weights are asked of a network that has none.
    WeightsMissing
        If its pretrained weights are not here and cannot be fetched.
    """
    if name not in REGISTRY:
        raise ValueError(f"unknown network {name!r}; expected one of {', '.join(names())}")
    module = importlib.import_module(f"{__name__}.{REGISTRY[name]}")
    make = getattr(module, name.replace("-", "_"))
    if not pretrained:
        return _seeded(make, seed, n_classes, in_shape=in_shape, **options)
    try:
        return _seeded(make, seed, n_classes, in_shape=in_shape, pretrained=True, **options)
    except WeightsMissing:
        raise
    except OSError as error:  # what hubs and urllib raise without a network
        first = str(error).splitlines()[0]
        raise WeightsMissing(
            f"the pretrained weights of {name!r} are not on this machine and could not be fetched "
            f"({first}). Where there is a network, run once: python -c 'from kdfair_core import "
            f'models; models.build("{name}", 2, in_shape=(3, 224, 224), pretrained=True)\'; then '
            "bring ~/.cache/huggingface and ~/.cache/torch along ($HF_HOME and $TORCH_HOME)."
        ) from error


def _seeded(make: Callable[..., nn.Module], seed: int | None, *args: Any, **options: Any) -> Any:
    import torch

    if seed is None:
        return make(*args, **options)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make(*args, **options)
