"""ResNets for small images, as He et al. (2016, section 4.2) wrote them for CIFAR-10.

Three stages of n blocks with 16, 32 and 64 channels; depth = 6n + 2; shortcuts without
parameters (option A: subsample and pad with zero channels); global average pooling, so that any
image size fits. ResNet-20 has 0.27 M parameters and ResNet-56 has 0.85 M (their Table 6).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class Block(nn.Module):
    """Two 3x3 convolutions with batch normalization, and the shortcut around them."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.stride = stride
        self.pad = (channels - channels_in) // 2

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.pad:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.pad, self.pad))
        return F.relu(y + x)


class SmallResNet(nn.Module):
    """A ResNet of depth 6n + 2 for images of a few dozen pixels.

    Parameters
    ----------
    depth : int
        20, 32, 44, 56, ...: 6n + 2.
    n_classes : int
        Number of logits.
    channels_in : int
        Channels of the image.

    Raises
    ------
    ValueError
        If depth is not 6n + 2.
    """

    def __init__(self, depth: int, n_classes: int, channels_in: int = 3) -> None:
        super().__init__()
        if depth < 8 or (depth - 2) % 6:
            raise ValueError(f"depth {depth} is not 6n + 2; expected 8, 14, 20, 26, 32, ...")
        n = (depth - 2) // 6
        self.stem = nn.Conv2d(channels_in, 16, 3, 1, 1, bias=False)
        self.bn = nn.BatchNorm2d(16)
        widths = [16] * n + [32] * n + [64] * n
        before = [16, *widths[:-1]]
        self.blocks = nn.Sequential(
            *(Block(a, b, 1 if a == b else 2) for a, b in zip(before, widths, strict=True))
        )
        self.linear = nn.Linear(64, n_classes)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def features(self, x: Tensor) -> Tensor:
        x = self.blocks(F.relu(self.bn(self.stem(x))))
        return x.mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.features(x))


def _make(depth: int):
    def make(n_classes: int, *, in_shape: tuple[int, int, int] = (3, 32, 32)) -> SmallResNet:
        return SmallResNet(depth, n_classes, in_shape[0])

    return make


resnet20, resnet32, resnet44, resnet56 = (_make(depth) for depth in (20, 32, 44, 56))
