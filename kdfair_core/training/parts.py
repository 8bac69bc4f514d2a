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
        module: Any = self.module
        return module.shares(tensors) if self.stack else [dict(tensors)]

    def joined(self, shares: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """What :meth:`shares` takes apart."""
        module: Any = self.module
        return module.joined(shares) if self.stack else dict(shares[0])


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
