"""A step is recorded once and replayed; nothing that is learned changes by it."""

import copy
import warnings

import pytest
import torch
from torch import nn

from kdfair_core.studies import Recipe
from kdfair_core.training.captured import WARM_UP, Captured
from kdfair_core.training.learners import Learners
from kdfair_core.training.step import Lesson, Step, make_optimizer


def eager(work):
    """Stands for a CUDA graph: warms up, and makes a place that each replay writes to."""
    for _ in range(WARM_UP):
        work()
    result = torch.full_like(work(), torch.nan)
    eager.recorded += 1
    return lambda: result.copy_(work()), result


@pytest.fixture(autouse=True)
def count():
    eager.recorded = 0


def networks():
    found = []
    for seed in range(3):
        torch.manual_seed(seed)
        layers = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()
        found.append(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)))
    return found


def taught(captured, optimizer, *, resumed=None, wanted=True, sizes=(8, 8, 5, 8)):
    """Losses and states after a step for each size of batch."""
    learners = Learners(networks(), range(3))
    recipe = Recipe(optimizer=optimizer, lr=0.05)
    one = make_optimizer(recipe, list(learners.trained.parameters()))
    if resumed:
        learners.load(copy.deepcopy(resumed), one)
    lesson = Lesson(*torch.tensor([(1.0, 0.0, 1.0), (2.0, 0.8, 4.0), (4.0, 0.5, 16.0)]).T)
    step = Step(learners, one, lesson, "fp32")
    make_step = Captured(step, step.changes, eager) if captured else step
    draws = torch.Generator().manual_seed(0)
    losses = []
    with learners:
        for n in sizes:
            images = torch.randn(n, 3, 8, 8, generator=draws)
            labels = torch.randint(3, (n,), generator=draws)
            teacher = torch.randn(n, 3, generator=draws) if wanted else None
            losses.append(make_step(labels, teacher, images))
    return losses, copy.deepcopy(learners.state(one))


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("wanted", [True, False])
def test_recording_changes_nothing_that_is_learned(optimizer, wanted):
    found, expected = (taught(way, optimizer, wanted=wanted) for way in (True, False))
    assert eager.recorded == 1
    assert all(torch.equal(a, b) for a, b in zip(found[0], expected[0], strict=True))
    for a, b in zip(found[1], expected[1], strict=True):
        assert a.keys() == b.keys()
        assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_what_an_optimizer_remembers_from_before_stays(optimizer):
    _, begun = taught(False, optimizer, sizes=(8, 8))
    found, expected = (taught(way, optimizer, resumed=begun)[1] for way in (True, False))
    for a, b in zip(found, expected, strict=True):
        assert all(torch.equal(a[name], b[name]) for name in b)


def test_results_are_the_callers_own():
    double = Captured(lambda x: 2 * x, record=eager)
    first = double(torch.ones(2))
    assert double(torch.full((2,), 3.0)).tolist() == [6, 6]
    assert first.tolist() == [2, 2]


def test_other_shapes_go_to_the_function_itself():
    seen = []

    def function(x, y):
        seen.append(len(x))
        return x if y is None else x + y

    captured = Captured(function, record=eager)
    assert captured(torch.ones(2), None).tolist() == [1, 1]
    seen.clear()
    assert captured(torch.ones(3), None).tolist() == [1, 1, 1]
    assert captured(torch.ones(2), torch.ones(2)).tolist() == [2, 2]
    assert captured(torch.full((2,), 5.0), None).tolist() == [5, 5]
    assert seen == [3, 2, 2] and eager.recorded == 1


def test_where_recording_fails_training_goes_on():
    weight = torch.ones(2)

    def step(x):
        return weight.mul_(2) * x

    def broken(work):
        work()
        raise RuntimeError("operation not permitted\nand more")

    captured = Captured(step, lambda: [weight], broken)
    with pytest.warns(
        RuntimeWarning, match="training goes on uncaptured: operation not permitted$"
    ):
        assert captured(torch.ones(2)).tolist() == [2, 2]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert captured(torch.ones(2)).tolist() == [4, 4]


def test_a_function_that_is_wrong_itself_says_so():
    def wrong(x):
        raise ValueError("no such thing")

    with pytest.warns(RuntimeWarning), pytest.raises(ValueError, match="no such thing"):
        Captured(wrong, record=eager)(torch.ones(2))
