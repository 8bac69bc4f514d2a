import pytest
import torch

from kdfair_core import models

# Published numbers of parameters for 1,000 classes: torchvision's and timm's model tables.
PUBLISHED = {
    "resnet18": 11_689_512,
    "resnet50": 25_557_032,
    "densenet121": 7_978_856,
    "densenet169": 14_149_480,
    "vit-b-16": 86_567_656,
    "tinyvit-5m": 5_392_764,
    "tinyvit-11m": 10_996_972,
    "tinyvit-21m": 21_198_568,
}
SMALL = ("resnet18", "resnet50", "densenet121", "densenet169")
WIDTH = {
    "resnet18": 512,
    "resnet18-small": 512,
    "densenet121-small": 1024,
    "tinyvit-5m": 320,
    "vit-b-16": 768,
}


def count(network):
    return sum(p.numel() for p in network.parameters())


def on_meta(name, n_classes=1000, side=224):
    with torch.device("meta"):
        return models.build(name, n_classes, in_shape=(3, side, side))


@pytest.mark.parametrize("name", PUBLISHED)
def test_as_many_parameters_as_published(name):
    assert count(on_meta(name)) == PUBLISHED[name]


@pytest.mark.parametrize("name", SMALL)
def test_small_stem_has_a_smaller_convolution_and_keeps_the_side(name):
    small = on_meta(f"{name}-small", side=32)
    assert count(small) == PUBLISHED[name] - 3 * 64 * (7 * 7 - 3 * 3)
    shapes = {}
    for label, network in (("large", on_meta(name)), ("small", small)):
        first = "layer1" if "resnet" in name else "features.denseblock1"
        block = network.get_submodule(f"body.{first}")
        block.register_forward_hook(
            lambda _, inputs, __, key=label: shapes.update({key: inputs[0].shape[2:]})
        )
        network(torch.zeros(2, 3, 32, 32, device="meta"))
    assert shapes == {"large": (8, 8), "small": (32, 32)}


@pytest.mark.parametrize("name", WIDTH)
def test_head_reads_the_features(name):
    network = models.build(name, 7, in_shape=(3, 32, 32), seed=0).eval()
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        features = network.features(x)
        logits = network(x)
    assert features.shape == (2, WIDTH[name]) and logits.shape == (2, 7)
    torch.testing.assert_close(logits, network.head(features))
    assert features.std() > 0 and not torch.equal(features[0], features[1])


@pytest.mark.parametrize("name", ["resnet18-small", "tinyvit-5m"])
def test_seed_gives_the_weights(name):
    a, b, c = (models.build(name, 3, in_shape=(3, 32, 32), seed=s) for s in (1, 1, 2))
    for (key, first), second in zip(a.state_dict().items(), b.state_dict().values(), strict=True):
        assert torch.equal(first, second), key
    assert not torch.equal(a.head.weight, c.head.weight)
    assert not torch.equal(next(a.body.parameters()), next(c.body.parameters()))


def test_public_weights_keep_their_head_only_for_their_classes(monkeypatch):
    """Without a network: what is asked of torchvision, and what becomes of the last layer."""
    from kdfair_core.models._torchvision import import_torchvision

    torchvision = import_torchvision()
    get_model, asked = torchvision.models.get_model, []

    def fake(name, *, weights=None, **options):
        asked.append((name, weights))
        return get_model(name, **options)

    monkeypatch.setattr(torchvision.models, "get_model", fake)
    with torch.device("meta"):
        kept = models.build("resnet18", 1000, in_shape=(3, 224, 224), pretrained=True)
        new = models.build("resnet18", 2, in_shape=(3, 224, 224), pretrained=True)
    assert asked == [("resnet18", "IMAGENET1K_V1")] * 2
    assert kept.head.out_features == 1000 and new.head.out_features == 2
    assert count(new) == PUBLISHED["resnet18"] - 998 * 513


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("resnet18-small", {"pretrained": True}, "resnet18-small has no pretrained weights"),
        ("densenet169-small", {"pretrained": True}, "densenet169 has"),
        ("resnet50", {"in_shape": (1, 32, 32)}, "3 channels, got 1"),
        ("vit-b-16", {"in_shape": (3, 40, 40)}, "multiple of 16; got 40x40"),
        ("vit-b-16", {"in_shape": (3, 32, 64)}, "square images, a multiple of 16; got 32x64"),
        ("vit-b-16", {"in_shape": (3, 64, 64), "pretrained": True}, "224 by 224 .* got 64x64"),
        ("tinyvit-5m", {"in_shape": (3, 16, 16)}, "32 pixels or more"),
    ],
)
def test_bad_arguments(name, options, message):
    with pytest.raises(ValueError, match=message):
        models.build(name, 10, **options)
