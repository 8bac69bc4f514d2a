"""Several networks of one shape as one program, each with its own weights.

No weight of one network touches another's output, so each gets the gradient that it would get
alone; a network that diverges takes no other down.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Stack(nn.Module):
    """What stacks share: their layout, and the way from and to the networks' own tensors.

    Convolutions, normalizations and their buffers lie one network after another along the first
    axis, as grouped convolutions want them; layers whose name begins with "linear" lie
    ``[network, in, out]``, as batched matrix products do.

    Parameters
    ----------
    networks : sequence of Module
        Networks of one type and shape; their weights are copied.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.size = len(networks)
        states = [network.state_dict() for network in networks]
        trained = {name for name, _ in networks[0].named_parameters()}
        for member, first in states[0].items():
            name = self.stack_name(member)
            values = [state[member] for state in states]
            value = self.joined(name, values) if first.dim() else first.clone()
            if member in trained:
                self.register_parameter(name, nn.Parameter(value))
            else:
                self.register_buffer(name, value)

    @staticmethod
    def stack_name(member: str) -> str:
        """The stack's name of what a network of it calls ``member``: "conv1__weight"."""
        return member.replace(".", "__")

    @staticmethod
    def member_name(name: str) -> str:
        """What a network of the stack calls its share of ``name``: "conv1.weight"."""
        return name.replace("__", ".")

    def split(self, name: str, value: Tensor) -> list[Tensor]:
        """Each network's share of a tensor laid out as the stack's parameter ``name``."""
        if not name.startswith("linear"):
            return list(value.chunk(self.size))
        return [share.T if name.endswith("weight") else share[0] for share in value]

    def joined(self, name: str, values: Sequence[Tensor]) -> Tensor:
        """What :meth:`split` takes apart, from each network's share."""
        values = [value.detach() for value in values]
        if not name.startswith("linear"):
            return torch.cat(list(values))
        return torch.stack([v.T if name.endswith("weight") else v[None] for v in values])

    @torch.no_grad()
    def copy_to(self, networks: Sequence[nn.Module]) -> None:
        """Write the weights back into separate networks, in the order they were given."""
        states = [network.state_dict() for network in networks]
        for name, value in self.state_dict().items():
            shares = self.split(name, value) if value.dim() else [value] * self.size
            for state, share in zip(states, shares, strict=True):
                state[self.member_name(name)].copy_(share)
