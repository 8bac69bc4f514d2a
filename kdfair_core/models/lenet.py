"""LeNet-5 for color images, alone and many side by side.

LeCun et al. (1998): two 5x5 convolutions of 6 and 16 channels, each followed by 2x2 pooling, then
layers of 120 and 84 units. The paper says only "adapted for color images"; our reading is the
usual modern one: three input channels, ReLU for tanh, max for average pooling, no batch
normalization. The first linear layer is as wide as the image makes it, so any size fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LeNet5(nn.Module):
    """LeNet-5 for color images.

    Parameters
    ----------
    n_classes : int
        Number of logits.
    in_shape : tuple of int
        Channels, height and width; at least 16 pixels either way.

    Raises
    ------
    ValueError
        If the image is too small for two 5x5 convolutions and two poolings.
    """

    def __init__(self, n_classes: int, in_shape: tuple[int, int, int] = (3, 32, 32)) -> None:
        super().__init__()
        channels, *sides = in_shape
        height, width = (((side - 4) // 2 - 4) // 2 for side in sides)
        if min(height, width) < 1:
            raise ValueError(f"image of {sides[0]}x{sides[1]} is too small; expected 16x16 or more")
        self.conv1 = nn.Conv2d(channels, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.linear1 = nn.Linear(16 * height * width, 120)
        self.linear2 = nn.Linear(120, 84)
        self.linear3 = nn.Linear(84, n_classes)

    def features(self, x: Tensor) -> Tensor:
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.conv2(x), 2))
        return F.relu(self.linear2(F.relu(self.linear1(x.flatten(1)))))

    def forward(self, x: Tensor) -> Tensor:
        return self.linear3(self.features(x))


class StackedLeNet5(nn.Module):
    """Several LeNet-5 of one shape as one program, each with its own weights.

    All read the same images, so their first convolutions are one convolution with six output
    channels a network; the second is a grouped convolution, the linear layers are batched matrix
    products. No weight of one network touches another's output, so each gets the gradient that it
    would get alone.

    Parameters
    ----------
    networks : sequence of LeNet5
        Networks of one shape; their weights are copied.
    """

    def __init__(self, networks: Sequence[LeNet5]) -> None:
        super().__init__()
        self.size = len(networks)
        states = [network.state_dict() for network in networks]
        for member in states[0]:
            name = self.stack_name(member)
            value = self.joined(name, [state[member] for state in states])
            self.register_parameter(name, nn.Parameter(value))

    @staticmethod
    def stack_name(member: str) -> str:
        """The stack's name of what a network of it calls ``member``: "conv1_weight"."""
        return member.replace(".", "_")

    @staticmethod
    def member_name(name: str) -> str:
        """What a network of the stack calls its share of ``name``: "conv1.weight"."""
        return name.replace("_", ".")

    def split(self, name: str, value: Tensor) -> list[Tensor]:
        """Each network's share of a tensor laid out as the stack's parameter ``name``."""
        if name.startswith("conv"):
            return list(value.chunk(self.size))
        return [share.T if name.endswith("weight") else share[0] for share in value]

    def joined(self, name: str, values: Sequence[Tensor]) -> Tensor:
        """What :meth:`split` takes apart, from each network's share."""
        if name.startswith("conv"):
            return torch.cat([value.detach() for value in values])
        weight = name.endswith("weight")
        return torch.stack([v.detach().T if weight else v.detach()[None] for v in values])

    def forward(self, x: Tensor) -> Tensor:
        """Logits of every network, ``[network, batch, class]``."""
        p: Any = self
        batch = len(x)
        x = F.relu(F.max_pool2d(F.conv2d(x, p.conv1_weight, p.conv1_bias), 2))
        x = F.conv2d(x, p.conv2_weight, p.conv2_bias, groups=self.size)
        x = F.relu(F.max_pool2d(x, 2)).reshape(batch, self.size, -1).transpose(0, 1)
        x = F.relu(torch.baddbmm(p.linear1_bias, x, p.linear1_weight))
        x = F.relu(torch.baddbmm(p.linear2_bias, x, p.linear2_weight))
        return torch.baddbmm(p.linear3_bias, x, p.linear3_weight)

    @torch.no_grad()
    def copy_to(self, networks: Sequence[LeNet5]) -> None:
        """Write the weights back into separate networks, in the order they were given."""
        states = [network.state_dict() for network in networks]
        for name, value in self.named_parameters():
            for state, share in zip(states, self.split(name, value), strict=True):
                state[self.member_name(name)].copy_(share)


def lenet5(n_classes: int, *, in_shape: tuple[int, int, int] = (3, 32, 32)) -> LeNet5:
    return LeNet5(n_classes, in_shape)
