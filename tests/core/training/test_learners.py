"""How networks run beside each other is settled by what they are, and can change on the way."""

import logging

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from kdfair_core import models
from kdfair_core.checkpoints import Checkpoint
from kdfair_core.datasets import Split
from kdfair_core.models.lenet import LeNet5
from kdfair_core.studies import Recipe
from kdfair_core.training import loop
from kdfair_core.training.learners import Learners, make_learners
from kdfair_core.training.loop import OutOfTime, train
from kdfair_core.training.parts import may_draw
from kdfair_core.training.step import Lesson, make_optimizer
from kdfair_core.training.views import ImageViews

CPU = torch.device("cpu")


def split(n=42):
    rng = np.random.default_rng(0)
    return Split(rng.integers(0, 256, (n, 3, 16, 16), dtype=np.uint8), rng.integers(3, size=n), {})


def views(augment=("flip",)):
    return ImageViews(split(), (0.5,) * 3, (0.25,) * 3, CPU, augment)


def lenets(n, kind=None):
    networks = [models.build("lenet5", 3, in_shape=(3, 16, 16), seed=i) for i in range(n)]
    for network in networks if kind else ():
        network.__class__ = kind
    return networks


def lesson(n):
    return Lesson(*torch.tensor([(1.0, 0.0, 1.0)] * n).T)


def state(network):
    return torch.cat([t.detach().flatten().double() for t in network.state_dict().values()])


class Half(LeNet5):
    """A LeNet-5 with a forward of its own."""

    def forward(self, x):
        return 0.5 * super().forward(x)


class Functional(nn.Module):
    """Draws, though no layer of it says so."""

    def __init__(self, seed):
        super().__init__()
        torch.manual_seed(seed)
        self.linear = nn.Linear(3 * 16 * 16, 3)

    def forward(self, x):
        return self.linear(F.dropout(x.flatten(1), 0.5, self.training))


def test_a_subclass_runs_as_it_is_written():
    recipe = Recipe(epochs=1, batch_size=8, lr=0.05, milestones=(), augment=())
    learned = []
    for networks in (lenets(3, Half), lenets(3), [lenets(3, Half)[1]]):
        learners = make_learners(networks, CPU)
        train(learners, views(()), recipe, seed=0, lesson=lesson(len(networks)))
        learned.append([state(network) for network in learners.finish()])
    half, whole, alone = learned
    assert not torch.allclose(half[1], whole[1], rtol=1e-2)
    torch.testing.assert_close(half[1], alone[0], rtol=1e-5, atol=1e-7)
    assert not any(part.stack for part in make_learners(lenets(3, Half), CPU).parts)


def test_hidden_draws_are_the_runs_own():
    """Functional dropout in two threads would race for one stream of random numbers."""
    recipe = Recipe(epochs=2, batch_size=8, lr=0.05, milestones=(), augment=())
    usual = torch.get_num_threads()

    def learned(*which):
        networks = [Functional(i) for i in which]
        learners = make_learners(networks, CPU, seeds=which)
        assert learners.draws
        try:
            torch.set_num_threads(2)
            train(learners, views(()), recipe, seed=1, lesson=lesson(len(networks)))
        finally:
            torch.set_num_threads(usual)
        return dict(zip(which, map(state, learners.finish()), strict=True))

    together, again, alone = learned(0, 1, 2), learned(0, 1, 2), learned(1)
    assert all(torch.equal(together[i], again[i]) for i in together)
    assert torch.equal(together[1], alone[1])


@pytest.mark.parametrize(
    ("network", "draws"),
    [
        (lambda: models.build("resnet20", 3), False),
        (lambda: models.build("lenet5", 3), False),
        (lambda: nn.Sequential(nn.Flatten(), nn.Dropout(0.0), nn.Linear(4, 3)), False),
        (lambda: nn.Sequential(nn.Flatten(), nn.Dropout(0.1), nn.Linear(4, 3)), True),
        (lambda: nn.MultiheadAttention(4, 2), False),
        (lambda: nn.MultiheadAttention(4, 2, dropout=0.1), True),
        (lambda: nn.LSTM(4, 4, num_layers=2, dropout=0.1), True),
        (lambda: nn.RReLU(), True),
        (lambda: Functional(0), True),
        (lambda: models.build("tinyvit-5m", 3, in_shape=(3, 64, 64)), True),
    ],
)
def test_who_may_draw(network, draws):
    assert may_draw(network()) is draws


def test_the_log_says_which_way_was_taken(caplog):
    with caplog.at_level(logging.INFO, "kdfair_core.training.learners"):
        make_learners(lenets(5), CPU)
        make_learners(lenets(2, Half), CPU)
    assert caplog.messages == [
        "5 LeNet5 on cpu, up to 4 as one program",
        "2 Half on cpu, one after another",
    ]


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("begun", ["stacked", "alone"])
def test_what_was_begun_one_way_goes_on_another_way(tmp_path, optimizer, begun):
    """Stacked or each alone: a checkpoint knows networks by name, not by how they ran."""
    recipe = Recipe(epochs=2, batch_size=8, lr=0.01, milestones=(), optimizer=optimizer)
    names = [f"run{i}" for i in range(5)]

    def learners(way):
        return make_learners(lenets(5), CPU) if way == "stacked" else Learners(lenets(5), range(5))

    def taught(way, checkpoint=None, **options):
        one = learners(way)
        given = dict(seed=3, lesson=lesson(5), checkpoint=checkpoint, names=names)
        train(one, views(), recipe, **given, **options)
        return [state(network) for network in one.finish()]

    expected = taught("alone")
    checkpoint = Checkpoint(tmp_path / "c.safetensors")
    clock = iter(range(1000))
    with pytest.MonkeyPatch.context() as patch, pytest.raises(OutOfTime):
        patch.setattr(loop.time, "monotonic", lambda: next(clock))
        taught(begun, checkpoint, deadline=16)
    assert 0 < checkpoint.load()[0]["step"] < 2 * 6
    found = taught("alone" if begun == "stacked" else "stacked", checkpoint)
    # sums come in another order, and AdamW makes much of the smallest gradients
    for a, b, network in zip(found, expected, lenets(5), strict=True):
        assert (a - b).norm() < 0.01 * (b - state(network)).norm()


def test_within_an_epoch_training_goes_on_bit_for_bit(tmp_path):
    recipe = Recipe(epochs=2, batch_size=8, lr=0.01, milestones=(1,))

    def networks():
        return [models.build("resnet20", 3, in_shape=(3, 16, 16), seed=i) for i in range(2)]

    def taught(checkpoint=None, **options):
        one = make_learners(networks(), CPU)
        given = dict(seed=3, lesson=lesson(2), checkpoint=checkpoint)
        history, _ = train(one, views(("crop", "flip")), recipe, **given, **options)
        return history, [state(network) for network in one.finish()]

    history, expected = taught()
    checkpoint, sittings, places = Checkpoint(tmp_path / "c.safetensors"), 0, set()
    clock = iter(range(10_000))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop.time, "monotonic", lambda: next(clock))
        while True:
            sittings += 1
            assert sittings < 50
            try:
                again, found = taught(checkpoint, deadline=next(clock) + 9)
                break
            except OutOfTime:
                places.add(checkpoint.load()[0]["step"] % 6)
    assert places - {0}, "it was never stopped within an epoch: the test tests nothing"
    assert again.tobytes() == history.tobytes()
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_a_checkpoint_of_an_earlier_format_is_passed_over(tmp_path):
    checkpoint = Checkpoint(tmp_path / "c.safetensors")
    checkpoint.save({"epoch": 1, "members": ["a"]}, {"history": np.zeros(2)})
    with pytest.warns(RuntimeWarning, match="has format 1, expected 2: training begins anew"):
        assert loop.read_checkpoint(checkpoint) is None


def test_adamw_counts_its_steps_where_its_parameters_lie(monkeypatch):
    """torch moves the count of a fused AdamW to the parameter's device when it loads; ours must
    go through it. On the meta device nothing is computed, and where a tensor lies shows."""
    network = nn.Linear(2, 3, device="meta")
    learners = Learners([network], [0])
    optimizer = torch.optim.AdamW(network.parameters(), fused=True)
    loaded = {f"network.{name}": t for name, t in nn.Linear(2, 3).state_dict().items()}
    for name, parameter in nn.Linear(2, 3).named_parameters():
        loaded |= {f"exp_avg.{name}": parameter, f"step.{name}": torch.tensor(5.0)}
    with pytest.warns(UserWarning, match="which is a no-op"):  # of weights; they are not the point
        learners.load([loaded], optimizer)
    for parameter in network.parameters():
        assert optimizer.state[parameter]["step"].device.type == "meta"
        assert optimizer.state[parameter]["exp_avg"].device.type == "meta"


def test_adamw_goes_on_from_its_count(tmp_path):
    network = lenets(1)[0]
    optimizer = make_optimizer(Recipe(optimizer="adamw", lr=0.1), list(network.parameters()))
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    learners = Learners([network], [0])
    (kept,) = learners.state(optimizer)
    kept = {name: value.clone() for name, value in kept.items()}
    other = Learners(lenets(1), [0])
    second = make_optimizer(Recipe(optimizer="adamw"), list(other.trained.parameters()))
    other.load([kept], second)
    for parameter in other.trained.parameters():
        assert second.state[parameter]["step"] == 1


def test_workers_and_settings_are_given_back_even_after_an_error():
    usual = torch.get_num_threads()
    before = torch.get_rng_state()
    try:
        torch.set_num_threads(2)
        learners = Learners(
            [models.build("resnet20", 3, in_shape=(3, 16, 16), seed=i) for i in (0, 1)], [0, 1]
        )

        def fails(steps):
            raise RuntimeError("the bar broke")

        recipe = Recipe(epochs=1, batch_size=8, milestones=())
        with pytest.raises(RuntimeError, match="the bar broke"):
            train(learners, views(()), recipe, seed=0, lesson=lesson(2), tick=fails)
        assert learners._pool is None and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(usual)
    assert torch.equal(torch.get_rng_state(), before)
