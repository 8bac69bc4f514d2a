"""The paper's larger image networks: from torchvision, and TinyViT from timm.

Each is a body, which ends in what the last linear layer reads, and that layer. Two stems:

- ``resnet18``, ``resnet50``, ``densenet121``, ``densenet169``: the original stem, a 7x7 convolution
  of stride 2 and a max-pool of stride 2, which divides the side by 4 before the first block. For
  images of about 224 pixels.
- the same names with ``-small``: a 3x3 convolution of stride 1 and no max-pool, the customary
  stem for images of 32 to 64 pixels (CIFAR, Tiny ImageNet). No public weights.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from kdfair_core.models._torchvision import import_torchvision, register_ops

Shape = tuple[int, int, int]


class Headed(nn.Module):
    """A body, from images ``[batch, channel, height, width]`` to features ``[batch, feature]``, and
    the linear layer that reads them."""

    def __init__(self, body: nn.Module, head: nn.Linear) -> None:
        super().__init__()
        self.body, self.head = body, head

    def features(self, x: Tensor) -> Tensor:
        """What the last linear layer reads, ``[batch, feature]``."""
        return self.body(x)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, ``[batch, class]``."""
        return self.head(self.features(x))


def _torchvision(
    name: str, n_classes: int, in_shape: Shape, pretrained: bool, **options: Any
) -> nn.Module:
    """torchvision's network of that name; with public weights, its last layer is a new one."""
    models = import_torchvision().models
    if in_shape[0] != 3:
        raise ValueError(f"{name} takes images of 3 channels, got {in_shape[0]}")
    if not pretrained:
        return models.get_model(name, num_classes=n_classes, **options)
    return models.get_model(name, weights="IMAGENET1K_V1", **options)


def _head(old: nn.Module, n_classes: int) -> nn.Linear:
    """The last linear layer itself if it has that many classes, else a new one in its place."""
    if not isinstance(old, nn.Linear):
        raise TypeError(f"expected the network to end in a linear layer, got {old}")
    return old if old.out_features == n_classes else nn.Linear(old.in_features, n_classes)


def _convolutional(name: str, small: bool = False) -> Callable[..., Headed]:
    """What makes a ResNet or a DenseNet, with the small stem if asked."""

    def make(
        n_classes: int, *, in_shape: Shape = (3, 224, 224), pretrained: bool = False
    ) -> Headed:
        if small and pretrained:
            raise ValueError(f"{name}-small has no pretrained weights; {name} has")
        net: Any = _torchvision(name, n_classes, in_shape, pretrained)
        stem = nn.Conv2d(3, 64, 3, padding=1, bias=False) if small else None
        if name.startswith("resnet"):
            if stem:
                nn.init.kaiming_normal_(stem.weight, mode="fan_out", nonlinearity="relu")
                net.conv1, net.maxpool = stem, nn.Identity()
            head, net.fc = _head(net.fc, n_classes), nn.Identity()
        else:
            if stem:
                nn.init.kaiming_normal_(stem.weight)
                net.features.conv0, net.features.pool0 = stem, nn.Identity()
            head, net.classifier = _head(net.classifier, n_classes), nn.Identity()
        return Headed(net, head)

    return make


resnet18, resnet50, densenet121, densenet169 = map(
    _convolutional, ("resnet18", "resnet50", "densenet121", "densenet169")
)
resnet18_small, resnet50_small, densenet121_small, densenet169_small = (
    _convolutional(name, small=True)
    for name in ("resnet18", "resnet50", "densenet121", "densenet169")
)


def vit_b_16(
    n_classes: int, *, in_shape: Shape = (3, 224, 224), pretrained: bool = False
) -> Headed:
    """ViT-Base with patches of 16x16 pixels (Dosovitskiy et al., 2021); square images."""
    _, height, width = in_shape
    if height != width or height % 16 or (pretrained and height != 224):
        wanted = "224 by 224 with pretrained weights" if pretrained else "a multiple of 16"
        raise ValueError(f"vit-b-16 takes square images, {wanted}; got {height}x{width}")
    net: Any = _torchvision("vit_b_16", n_classes, in_shape, pretrained, image_size=height)
    head, net.heads = _head(net.heads.head, n_classes), nn.Identity()
    return Headed(net, head)


def _tinyvit(name: str) -> Callable[..., Headed]:
    def make(
        n_classes: int, *, in_shape: Shape = (3, 224, 224), pretrained: bool = False
    ) -> Headed:
        register_ops()
        import timm

        if min(in_shape[1:]) < 32:
            raise ValueError(f"TinyViT takes images of 32 pixels or more, got {in_shape[1:]}")
        net: Any = timm.create_model(
            name, pretrained=pretrained, num_classes=n_classes, in_chans=in_shape[0]
        )
        head, net.head.fc = _head(net.head.fc, n_classes), nn.Identity()
        return Headed(net, head)

    return make


tinyvit_5m = _tinyvit("tiny_vit_5m_224")
tinyvit_11m = _tinyvit("tiny_vit_11m_224")
tinyvit_21m = _tinyvit("tiny_vit_21m_224")
