"""What of several networks runs at a time: one, or a stack of several of one shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

QUIET = ("torch.nn.", "kdfair_core.models.", "torchvision.", "transformers.")
"""Packages whose layers draw random numbers only where one of their attributes says so."""


@dataclass(frozen=True)
class Part:
    """What runs at a time: one network, or a stack of several that answers for each."""

    module: nn.Module
    which: slice
    stack: bool = False

    def shares(self, tensors: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Tensors laid out as the module's, by its names, as each network has and calls them."""
        if not self.stack:
            return [dict(tensors)]
        module: Any = self.module
        shares: list[dict[str, Any]] = [{} for _ in range(module.size)]
        for name, value in tensors.items():
            values = module.split(name, value) if value.dim() else [value] * module.size
            for share, part in zip(shares, values, strict=True):
                share[module.member_name(name)] = part
        return shares

    def joined(self, shares: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """What :meth:`shares` takes apart."""
        if not self.stack:
            return dict(shares[0])
        module: Any = self.module
        joined = {}
        for member in shares[0]:
            name = module.stack_name(member)
            values = [share[member] for share in shares]
            joined[name] = module.joined(name, values) if values[0].dim() else values[0]
        return joined


def may_draw(network: nn.Module) -> bool:
    """Whether a network draws random numbers while it learns, as far as can be told.

    A layer draws if a number of its own whose name speaks of dropping is above zero (``p`` of
    Dropout, ``drop_prob``, ``dropout``). Layers that come from none of the packages in ``QUIET``
    may draw wherever they like (functional dropout), and are taken to.
    """
    for module in network.modules():
        kind = type(module)
        if not f"{kind.__module__}.".startswith(QUIET):
            return True
        if kind.__name__ == "RReLU":
            return True
        dropping = "drop" in kind.__name__.lower() or kind.__name__ == "StochasticDepth"
        for name, value in vars(module).items():
            if (dropping and name == "p") or "drop" in name:
                if isinstance(value, (int, float)) and value > 0:
                    return True
    return False
