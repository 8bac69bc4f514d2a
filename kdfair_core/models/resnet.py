"""ResNets for small images, as He et al. (2016, section 4.2) wrote them for CIFAR-10.

Three stages of n blocks with 16, 32 and 64 channels; depth = 6n + 2; shortcuts without
parameters (option A: subsample and pad with zero channels); global average pooling, so that any
image size fits. ResNet-20 has 0.27 M parameters and ResNet-56 has 0.85 M (their Table 6).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdfair_core.models.stack import Stack


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
    """A ResNet of depth 6n + 2 (20, 32, 44, 56, ...) for images of a few dozen pixels."""

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


class StackedSmallResNet(Stack):
    """Several small ResNets of one shape as one program (see :class:`Stack`).

    Every convolution is a grouped one. Those that change width would fall off cuDNN's fast path,
    which wants as many channels out as in: ``halved``, for a GPU, makes each two convolutions, for
    either half of the outputs.
    """

    def __init__(self, networks: Sequence[SmallResNet], *, halved: bool = False) -> None:
        super().__init__(networks)
        self.halved = halved
        blocks: Any = networks[0].blocks
        self.blocks_of = [(block.stride, block.pad) for block in blocks]

    def forward(self, x: Tensor) -> Tensor:
        """Logits of every network, ``[network, batch, class]``.

        ``x`` is ``[batch, channel, height, width]``, the same images for all, or with a leading
        axis ``[network, ...]`` for images of their own.
        """
        stem = self._tensor("stem__weight")
        if x.dim() == 5:
            x = x.transpose(0, 1).flatten(1, 2)
            x = F.conv2d(x, stem, padding=1, groups=self.size)
        else:
            x = F.conv2d(x, stem, padding=1)
        x = F.relu(self._normed("bn", x))
        for i, (stride, pad) in enumerate(self.blocks_of):
            y = F.relu(
                self._normed(f"blocks__{i}__bn1", self._conv(f"blocks__{i}__conv1", x, stride))
            )
            y = self._normed(f"blocks__{i}__bn2", self._conv(f"blocks__{i}__conv2", y, 1))
            if pad:
                kept = x[:, :, ::stride, ::stride].permute(0, 2, 3, 1)
                x = _channels(F.pad(kept.unflatten(3, (self.size, -1)), (pad, pad)))
            x = F.relu(y + x)
        x = x.mean((2, 3)).unflatten(1, (self.size, -1)).transpose(0, 1)
        return torch.baddbmm(self._tensor("linear__bias"), x, self._tensor("linear__weight"))

    def _tensor(self, name: str) -> Tensor:
        return getattr(self, name)

    def _conv(self, name: str, x: Tensor, stride: int) -> Tensor:
        weight = self._tensor(f"{name}__weight")
        if stride == 1 or not self.halved:
            return F.conv2d(x, weight, stride=stride, padding=1, groups=self.size)
        parts = []
        for half in weight.unflatten(0, (self.size, 2, -1)).unbind(1):
            half = half.flatten(0, 1).contiguous(memory_format=torch.channels_last)
            part = F.conv2d(x, half, stride=stride, padding=1, groups=self.size)
            parts.append(part.permute(0, 2, 3, 1).unflatten(3, (self.size, -1)))
        return _channels(torch.stack(parts, 4))

    def _normed(self, name: str, x: Tensor) -> Tensor:
        mean, var = self._tensor(f"{name}__running_mean"), self._tensor(f"{name}__running_var")
        weight, bias = self._tensor(f"{name}__weight"), self._tensor(f"{name}__bias")
        if self.training:
            self._tensor(f"{name}__num_batches_tracked").add_(1)
        return F.batch_norm(x, mean, var, weight, bias, self.training)


def _channels(x: Tensor) -> Tensor:
    """``[batch, row, column, ...]`` as ``[batch, channel, row, column]``, still channels last."""
    return x.flatten(3).permute(0, 3, 1, 2)


def _make(depth: int):
    def make(n_classes: int, *, in_shape: tuple[int, int, int] = (3, 32, 32)) -> SmallResNet:
        return SmallResNet(depth, n_classes, in_shape[0])

    return make


resnet20, resnet32, resnet44, resnet56 = (_make(depth) for depth in (20, 32, 44, 56))
