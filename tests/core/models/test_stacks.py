"""A stack of networks is its members, to the last digits of float64."""

import pytest
import torch
import torch.nn.functional as F

from kdfair_core import models
from kdfair_core.models.lenet import StackedLeNet5
from kdfair_core.models.resnet import StackedSmallResNet

STACKS = {"lenet5": StackedLeNet5, "resnet20": StackedSmallResNet, "resnet56": StackedSmallResNet}
SIDE, CLASSES, BATCH = 16, 5, 4


def members(name, n, first=0):
    made = [models.build(name, CLASSES, in_shape=(3, SIDE, SIDE), seed=first + i) for i in range(n)]
    return [network.double().train() for network in made]


def images(*lead, step=0):
    draws = torch.Generator().manual_seed(step)
    return torch.randn(*lead, BATCH, 3, SIDE, SIDE, dtype=torch.float64, generator=draws)


def steps(networks, answers, parameters, n, own):
    """SGD with momentum on each one's cross-entropy; gives logits and losses of the last step."""
    optimizer = torch.optim.SGD(parameters, 0.05, momentum=0.9, nesterov=True, weight_decay=1e-3)
    for step in range(n):
        x = images(*([networks] if own else []), step=step)
        labels = torch.arange(BATCH) % CLASSES
        logits = answers(x)
        losses = torch.stack([F.cross_entropy(one, labels) for one in logits])
        optimizer.zero_grad()
        losses.sum().backward()
        optimizer.step()
    return logits.detach(), losses.detach()


def state(network):
    return {name: t.clone() for name, t in network.state_dict().items()}


OWN = (False, True)
CASES = [("resnet20", n, own, halved) for n in (1, 2, 14) for own in OWN for halved in OWN]
CASES += [("resnet56", 2, own, True) for own in OWN] + [("lenet5", 14, False, False)]


@pytest.mark.parametrize(("name", "n", "own", "halved"), CASES)
def test_a_stack_learns_what_its_members_learn_alone(name, n, own, halved):
    alone, there = members(name, n), members(name, n)
    stack = STACKS[name](there, **({"halved": True} if halved else {})).double().train()
    together = steps(n, stack, list(stack.parameters()), 3, own)
    for i, network in enumerate(alone):

        def answer(x, network=network, i=i):
            return network(x[i] if own else x)[None]

        logits, losses = steps(n, answer, list(network.parameters()), 3, own)
        torch.testing.assert_close(together[0][i], logits[0], rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(together[1][i], losses[0], rtol=1e-9, atol=1e-9)
    stack.copy_to(there)
    for a, b in zip(there, alone, strict=True):
        torch.testing.assert_close(state(a), state(b), rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(a.eval()(images()), b.eval()(images()), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["resnet20", "lenet5"])
def test_gradients_are_the_members_own(name):
    networks = members(name, 3)
    stack = STACKS[name](networks).double().train()
    labels = torch.arange(BATCH) % CLASSES
    sum(F.cross_entropy(one, labels) for one in stack(images())).backward()
    for network in networks:
        F.cross_entropy(network(images()), labels).backward()
    for key, parameter in stack.named_parameters():
        shares = stack.split(key, parameter.grad)
        for network, share in zip(networks, shares, strict=True):
            expected = network.get_parameter(key.replace("__", ".")).grad
            torch.testing.assert_close(share, expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", ["resnet20", "lenet5"])
def test_company_changes_nobody(name):
    """Adding a member, or one that diverges, changes the others by rounding at most."""
    few = STACKS[name](members(name, 2)).double().train()
    wild = members(name, 3)
    with torch.no_grad():
        next(wild[2].parameters()).fill_(float("nan"))
    many = STACKS[name](wild).double().train()
    a, _ = steps(2, few, list(few.parameters()), 3, own=False)
    b, losses = steps(3, many, list(many.parameters()), 3, own=False)
    torch.testing.assert_close(b[:2], a, rtol=1e-9, atol=1e-9)
    assert torch.isfinite(losses[:2]).all() and losses[2].isnan()


@pytest.mark.parametrize("name", ["resnet20", "lenet5"])
def test_shares_go_back_where_they_came_from(name):
    stack = STACKS[name](members(name, 3))
    state = stack.state_dict()
    back = stack.joined(stack.shares(state))
    assert list(back) == list(state)
    assert all(torch.equal(back[key], value) for key, value in state.items())


def test_all_convolutions_of_a_gpus_stack_read_channels_last(monkeypatch):
    stack = StackedSmallResNet(members("resnet20", 3), halved=True)
    stack = stack.to(memory_format=torch.channels_last)
    convolve, seen = F.conv2d, []

    def noted(x, weight, **options):
        y = convolve(x, weight, **options)
        seen.extend(t.is_contiguous(memory_format=torch.channels_last) for t in (x, weight, y))
        return y

    monkeypatch.setattr(F, "conv2d", noted)
    stack(images().contiguous(memory_format=torch.channels_last))
    assert len(seen) == 3 * (19 + 2) and all(seen)
