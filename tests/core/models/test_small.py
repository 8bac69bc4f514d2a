"""The networks for small images: their size as published, their form as written."""

import numpy as np
import pytest
import torch

from kdfair_core import models
from kdfair_core.models.lenet import StackedLeNet5
from kdfair_core.models.resnet import SmallResNet


def count(network):
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(
    ("name", "millions"),  # He et al. (2016), Table 6
    [("resnet20", 0.27), ("resnet32", 0.46), ("resnet44", 0.66), ("resnet56", 0.85)],
)
def test_resnets_have_the_published_size(name, millions):
    assert count(models.build(name, 10)) / 1e6 == pytest.approx(millions, abs=0.005)


def test_depth_counts_the_layers_with_weights():
    network = SmallResNet(20, 10)
    layers = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    assert len(layers) == 20
    with pytest.raises(ValueError, match="depth 21 is not 6n"):
        SmallResNet(21, 10)


def test_shortcut_subsamples_and_pads_with_zeros():
    block = SmallResNet(20, 10).blocks[3].eval()
    torch.nn.init.zeros_(block.conv2.weight)  # nothing but the shortcut is left
    x = torch.rand(2, 16, 8, 8)
    y = block(x)
    assert y.shape == (2, 32, 4, 4)
    torch.testing.assert_close(y[:, 8:24], x[:, :, ::2, ::2])
    assert y[:, :8].abs().sum() == y[:, 24:].abs().sum() == 0


def test_lenet_has_the_size_that_its_layers_add_up_to():
    expected = (3 * 25 + 1) * 6 + (6 * 25 + 1) * 16 + 401 * 120 + 121 * 84 + 85 * 10
    assert count(models.build("lenet5", 10)) == expected


@pytest.mark.parametrize("name", ["resnet20", "lenet5"])
@pytest.mark.parametrize("shape", [(3, 32, 32), (3, 48, 40), (3, 224, 224)])
def test_any_size_fits(name, shape):
    network = models.build(name, 7, in_shape=shape, seed=0).eval()
    x = torch.rand(2, *shape)
    logits = network(x)
    assert logits.shape == (2, 7)
    last = network.linear if name == "resnet20" else network.linear3
    torch.testing.assert_close(last(network.features(x)), logits)


def test_lenet_needs_sixteen_pixels():
    models.build("lenet5", 10, in_shape=(3, 16, 16))
    with pytest.raises(ValueError, match=r"15x20.*16x16"):
        models.build("lenet5", 10, in_shape=(3, 15, 20))


def test_stacked_lenets_are_the_separate_ones():
    networks = [models.build("lenet5", 5, in_shape=(3, 20, 24), seed=i) for i in range(4)]
    stack = StackedLeNet5(networks)
    x = torch.rand(3, 3, 20, 24)
    expected = torch.stack([network(x) for network in networks])
    torch.testing.assert_close(stack(x), expected, rtol=1e-5, atol=1e-6)
    others = [models.build("lenet5", 5, in_shape=(3, 20, 24), seed=9) for _ in range(4)]
    stack.copy_to(others)
    for a, b in zip(networks, others, strict=True):
        for p, q in zip(a.parameters(), b.parameters(), strict=True):
            assert torch.equal(p, q)


def test_a_seed_fixes_the_weights_and_leaves_the_global_generator_alone():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    a, b, c = (models.build("lenet5", 3, seed=seed) for seed in (4, 4, 5))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(a.linear1.weight, b.linear1.weight)
    assert not torch.equal(a.linear1.weight, c.linear1.weight)


def test_initial_weights_have_the_variance_of_he_et_al():
    network = models.build("resnet56", 10, seed=0)
    weight = network.blocks[20].conv1.weight.detach().numpy()
    assert np.std(weight) == pytest.approx(np.sqrt(2 / (weight.shape[0] * 9)), rel=0.03)


def test_unknown_network():
    with pytest.raises(ValueError, match=r"'alexnet'.*lenet5"):
        models.build("alexnet", 10)
