"""Compiled networks learn what others learn, and compiling is never needed."""

import time
import warnings
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from kdfair_core.studies import Recipe
from kdfair_core.training import compiling, sweep
from kdfair_core.training.compiling import Compiled, pays
from kdfair_core.training.learners import Learners, make_learners

CPU = torch.device("cpu")
needs_compiler = pytest.mark.skipif(not compiling.can_compile(), reason="needs a C++ compiler")


def small(seed):
    torch.manual_seed(seed)
    layers = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))


def state(learners):
    return [torch.cat([t.flatten().double() for t in n.state_dict().values()]) for n in learners]


def fitted(networks, *, compiled, sizes=(8, 8, 5)):
    """A step for each size of batch; gives the networks' states."""
    learners = make_learners(networks, CPU, compiled=compiled)
    optimizer = torch.optim.SGD(learners.trained.parameters(), 0.1)
    draws = torch.Generator().manual_seed(0)
    with learners:
        for step, n in enumerate(sizes):
            images = torch.randn(n, 3, 8, 8, generator=draws)
            labels = torch.randint(3, (n,), generator=draws)

            def loss_of(logits, which, labels=labels):
                return torch.stack([F.cross_entropy(row, labels) for row in logits])

            optimizer.zero_grad()
            learners.backward((images,), loss_of, step)
            optimizer.step()
    return state(learners.finish())


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("cores", [1, 2])
def test_compiled_networks_learn_what_others_learn(cores):
    usual = torch.get_num_threads()
    try:
        torch.set_num_threads(cores)
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="training goes on uncompiled")
            compiled = fitted([small(i) for i in range(3)], compiled=True)
        plain = fitted([small(i) for i in range(3)], compiled=False)
    finally:
        torch.set_num_threads(usual)
    for a, b in zip(compiled, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
@needs_compiler
def test_networks_of_one_kind_share_one_program():
    from torch._dynamo.utils import counters

    torch._dynamo.reset()
    counters.clear()
    fitted([small(i) for i in range(4)], compiled=True, sizes=(8, 8, 5, 8))
    assert counters["stats"]["unique_graphs"] == 1


def test_where_compiling_fails_training_goes_on(monkeypatch):
    def broken(*args, **options):
        def run(*inputs):
            raise OSError("no compiler\nand more")

        return run

    monkeypatch.setattr(torch, "compile", broken)
    network = small(0)
    call = Compiled(network)
    images = torch.randn(2, 3, 8, 8)
    with pytest.warns(RuntimeWarning, match="training goes on uncompiled: no compiler$"):
        first = call(images)
    network.load_state_dict(small(0).state_dict())
    torch.testing.assert_close(first, network(images))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        call(images)


def test_a_network_that_is_wrong_itself_says_so(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda network, **_: network)
    with pytest.warns(RuntimeWarning), pytest.raises(RuntimeError, match="channels"):
        Compiled(small(0))(torch.randn(2, 4, 8, 8))


def test_long_trainings_are_compiled_and_short_ones_not(monkeypatch):
    monkeypatch.setattr(compiling, "can_compile", lambda device: True)
    for device in (CPU, torch.device("cuda")):
        assert pays(compiling.PAYS[device.type], device)
        assert not pays(compiling.PAYS[device.type] - 1, device)
    assert not pays(10**9, torch.device("meta"))
    monkeypatch.setattr(compiling, "can_compile", lambda device: False)
    assert not pays(10**9, CPU)


@pytest.mark.parametrize(("left", "expected"), [(None, True), (1000, True), (60, False)])
def test_on_a_gpu_there_is_no_compiling_shortly_before_a_limit(monkeypatch, left, expected):
    monkeypatch.setattr(compiling, "can_compile", lambda device: True)
    train_set = SimpleNamespace(y=range(50_000))
    dataset = SimpleNamespace(kind="images", train=train_set)
    views = SimpleNamespace(device=torch.device("cuda"), dataset=dataset)
    deadline = None if left is None else time.monotonic() + left
    one = sweep._Trained(views, None, None, deadline, None, None, None, make_learners)
    assert one.compiles(Recipe(), 14) is expected


def test_a_gpu_needs_triton(monkeypatch):
    monkeypatch.setattr(compiling.importlib.util, "find_spec", lambda name: None)
    assert not compiling.can_compile("cuda")


def test_without_a_compiler_there_is_no_compiling(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert not compiling.can_compile()


def test_learners_are_plain_unless_asked():
    learners = Learners([small(0)], [0])
    assert not learners.compiled
    assert learners._calls[0] is learners.networks[0]
