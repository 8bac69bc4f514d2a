"""LeNet-5 for color images, alone and many side by side.

LeCun et al. (1998): two 5x5 convolutions of 6 and 16 channels, each followed by 2x2 pooling, then
layers of 120 and 84 units. The paper says only "adapted for color images"; our reading is the
usual modern one: three input channels, ReLU for tanh, max for average pooling, no batch
normalization. The first linear layer is as wide as the image makes it, so any size fits.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdfair_core.models.stack import Stack


class LeNet5(nn.Module):
    """LeNet-5 for color images: ``in_shape`` is channels, height and width, 16 pixels or more."""

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


class StackedLeNet5(Stack):
    """Several LeNet-5 of one shape as one program (see :class:`Stack`).

    All read the same images, so their first convolutions are one convolution with six output
    channels a network; the second is a grouped convolution, the linear layers are batched matrix
    products.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Logits of every network, ``[network, batch, class]``."""
        p: Any = self
        batch = len(x)
        x = F.relu(F.max_pool2d(F.conv2d(x, p.conv1__weight, p.conv1__bias), 2))
        x = F.conv2d(x, p.conv2__weight, p.conv2__bias, groups=self.size)
        x = F.relu(F.max_pool2d(x, 2)).reshape(batch, self.size, -1).transpose(0, 1)
        x = F.relu(torch.baddbmm(p.linear1__bias, x, p.linear1__weight))
        x = F.relu(torch.baddbmm(p.linear2__bias, x, p.linear2__weight))
        return torch.baddbmm(p.linear3__bias, x, p.linear3__weight)


def lenet5(n_classes: int, *, in_shape: tuple[int, int, int] = (3, 32, 32)) -> LeNet5:
    return LeNet5(n_classes, in_shape)
