"""Several networks of one shape as one program, each with its own weights.

No weight of one network touches another's output, so each gets the gradient that it would get
alone; a network that diverges takes no other down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn


class Stack(nn.Module):
    """What stacks share: their layout, and the way from and to the networks' own tensors.

    The weights of networks of one type and shape are copied. Convolutions, normalizations and their
    buffers lie one network after another along the first axis, as grouped convolutions want them;
    layers whose name begins with "linear" lie ``[network, in, out]``, as batched matrix products
    do.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.size = len(networks)
        trained = {_stack_name(name) for name, _ in networks[0].named_parameters()}
        for name, value in self.joined([network.state_dict() for network in networks]).items():
            if name in trained:
                self.register_parameter(name, nn.Parameter(value))
            else:
                self.register_buffer(name, value)

    def split(self, name: str, value: Tensor) -> list[Tensor]:
        """Each network's share of a tensor laid out as the stack's parameter ``name``."""
        if not value.dim():
            return [value] * self.size
        if not name.startswith("linear"):
            return list(value.chunk(self.size))
        return [share.T if name.endswith("weight") else share[0] for share in value]

    def shares(self, tensors: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
        """Tensors by the stack's names ("conv1__weight"), as each network has and calls them
        ("conv1.weight")."""
        split = {name.replace("__", "."): self.split(name, v) for name, v in tensors.items()}
        return [{name: values[i] for name, values in split.items()} for i in range(self.size)]

    def joined(self, shares: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
        """What :meth:`shares` takes apart."""
        return {
            _stack_name(m): _join(m, [share[m].detach() for share in shares]) for m in shares[0]
        }

    def copy_to(self, networks: Sequence[nn.Module]) -> None:
        """Write the weights back into separate networks, in the order they were given."""
        for network, share in zip(networks, self.shares(self.state_dict()), strict=True):
            network.load_state_dict(share)


def _stack_name(member: str) -> str:
    return member.replace(".", "__")


def _join(name: str, values: list[Tensor]) -> Tensor:
    if not values[0].dim():
        return values[0].clone()
    if not name.startswith("linear"):
        return torch.cat(values)
    return torch.stack([v.T if name.endswith("weight") else v[None] for v in values])
