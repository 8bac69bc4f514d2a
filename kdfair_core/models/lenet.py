"""LeNet-5 for color images, alone and many side by side.

LeCun et al. (1998): two 5x5 convolutions of 6 and 16 channels, each followed by 2x2 pooling, then
layers of 120 and 84 units. The paper says only "adapted for color images"; our reading is the
usual modern one: three input channels, ReLU for tanh, max for average pooling, no batch
normalization. The first linear layer is as wide as the image makes it, so any size fits.
"""

from __future__ import annotations

from collections.abc import Sequence

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

    conv1: nn.Parameter
    conv1_bias: nn.Parameter
    conv2: nn.Parameter
    conv2_bias: nn.Parameter
    linear1: nn.Parameter
    linear1_bias: nn.Parameter
    linear2: nn.Parameter
    linear2_bias: nn.Parameter
    linear3: nn.Parameter
    linear3_bias: nn.Parameter

    def __init__(self, networks: Sequence[LeNet5]) -> None:
        super().__init__()
        self.size = len(networks)
        for name in ("conv1", "conv2"):
            convs = [getattr(network, name) for network in networks]
            self.register_parameter(
                name, nn.Parameter(torch.cat([conv.weight.detach() for conv in convs]))
            )
            self.register_parameter(
                f"{name}_bias", nn.Parameter(torch.cat([conv.bias.detach() for conv in convs]))
            )
        for name in ("linear1", "linear2", "linear3"):
            linears = [getattr(network, name) for network in networks]
            weight = torch.stack([linear.weight.detach().T for linear in linears])
            bias = torch.stack([linear.bias.detach()[None] for linear in linears])
            self.register_parameter(name, nn.Parameter(weight))
            self.register_parameter(f"{name}_bias", nn.Parameter(bias))

    def forward(self, x: Tensor) -> Tensor:
        """Logits of every network, ``[network, batch, class]``."""
        batch = len(x)
        x = F.relu(F.max_pool2d(F.conv2d(x, self.conv1, self.conv1_bias), 2))
        x = F.relu(F.max_pool2d(F.conv2d(x, self.conv2, self.conv2_bias, groups=self.size), 2))
        x = x.reshape(batch, self.size, -1).transpose(0, 1)
        x = F.relu(torch.baddbmm(self.linear1_bias, x, self.linear1))
        x = F.relu(torch.baddbmm(self.linear2_bias, x, self.linear2))
        return torch.baddbmm(self.linear3_bias, x, self.linear3)

    @torch.no_grad()
    def copy_to(self, networks: Sequence[LeNet5]) -> None:
        """Write the weights back into separate networks, in the order they were given."""
        for name in ("conv1", "conv2"):
            weights = getattr(self, name).chunk(self.size)
            biases = getattr(self, f"{name}_bias").chunk(self.size)
            for network, weight, bias in zip(networks, weights, biases, strict=True):
                getattr(network, name).weight.copy_(weight)
                getattr(network, name).bias.copy_(bias)
        for name in ("linear1", "linear2", "linear3"):
            weights, biases = getattr(self, name), getattr(self, f"{name}_bias")
            for network, weight, bias in zip(networks, weights, biases, strict=True):
                getattr(network, name).weight.copy_(weight.T)
                getattr(network, name).bias.copy_(bias[0])


def lenet5(n_classes: int, *, in_shape: tuple[int, int, int] = (3, 32, 32)) -> LeNet5:
    return LeNet5(n_classes, in_shape)
