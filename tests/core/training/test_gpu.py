"""On a GPU: captured steps, streams and seeds side by side teach what a plain loop teaches."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_study import images, run, stored

from kdfair_core import models
from kdfair_core.checkpoints import Checkpoint
from kdfair_core.runs import RunStore
from kdfair_core.studies import Recipe
from kdfair_core.training import loop, running
from kdfair_core.training.captured import Captured
from kdfair_core.training.learners import Learners, make_learners, to_device
from kdfair_core.training.loop import OutOfTime, train
from kdfair_core.training.plan import plan
from kdfair_core.training.step import Lesson
from kdfair_core.training.teacher import TeacherOutputs
from kdfair_core.training.views import ImageViews

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
GPU = torch.device("cuda")
RECIPE = Recipe(epochs=2, batch_size=8, lr=0.01, milestones=(1,), augment=("crop", "flip"))
ROWS = [(1.0, 0.0, 1.0), (4.0, 0.8, 16.0), (20.0, 0.8, 1.0)]


def networks():
    return [models.build("resnet20", 3, in_shape=(3, 16, 16), seed=i) for i in range(3)]


def weights(network):
    return torch.cat([t.detach().flatten().double().cpu() for t in network.state_dict().values()])


def taught(way, *, recipe=RECIPE, device=GPU, **options):
    """Histories and states of three students of one teacher: "plain", "streams" or "stack"."""
    shown = ImageViews(images(), (0.5,) * 3, (0.25,) * 3, device, recipe.augment)
    teacher = to_device(models.build("lenet5", 3, in_shape=(3, 16, 16), seed=99), device)
    outputs = TeacherOutputs(teacher, shown, recipe.precision)
    students = [to_device(network, device) for network in networks()]
    if way == "stack":
        learners = make_learners(students, device)
    else:
        learners = Learners(students, range(3), captured=way == "streams")
        if way == "plain":
            outputs._look = getattr(outputs._look, "function", outputs._look)
    lesson = Lesson(*torch.tensor(ROWS, device=device).T)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="training goes on uncaptured")
        history, _ = train(
            learners, shown, recipe, seed=3, lesson=lesson, teacher=outputs, **options
        )
    return history, [weights(network) for network in learners.finish()]


def near(found, expected):
    """Apart by less than a hundredth of what training moved."""
    for a, b, start in zip(found, expected, networks(), strict=True):
        assert (a - b).norm() < 0.01 * (b - weights(start)).norm()


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("way", ["streams", "stack"])
def test_captured_learn_what_a_plain_loop_teaches(way, optimizer):
    recipe = replace(RECIPE, optimizer=optimizer, lr=0.01 if optimizer == "sgd" else 1e-4)
    history, found = taught(way, recipe=recipe)
    expected_history, expected = taught("plain", recipe=recipe)
    np.testing.assert_allclose(history, expected_history, rtol=1e-2)
    near(found, expected)


def test_bfloat16_is_captured_too():
    history, _ = taught("stack", recipe=replace(RECIPE, precision="bf16"))
    expected, _ = taught("plain", recipe=replace(RECIPE, precision="bf16"))
    np.testing.assert_allclose(history, expected, rtol=0.05)


def test_a_captured_step_is_replayed():
    calls = []

    def function(x):
        calls.append(len(x))
        return 2 * x

    double = Captured(function)
    for value in (1.0, 2.0, 3.0):
        assert double(torch.full((4,), value, device=GPU)).tolist() == [2 * value] * 4
    assert len(calls) == 4  # three to warm up, one recorded
    assert double(torch.ones(2, device=GPU)).tolist() == [2, 2]


@pytest.mark.parametrize(("begun", "goes_on"), [("cpu", "cuda"), ("cuda", "cpu")])
def test_a_sweep_goes_on_on_another_device(tmp_path, begun, goes_on):
    checkpoint = Checkpoint(tmp_path / "c.safetensors")
    clock = iter(range(10_000))
    with pytest.MonkeyPatch.context() as patch, pytest.raises(OutOfTime):
        patch.setattr(loop.time, "monotonic", lambda: next(clock))
        taught("stack", device=torch.device(begun), checkpoint=checkpoint, deadline=14)
    assert 0 < checkpoint.load()[0]["step"] < 12
    _, found = taught("stack", device=torch.device(goes_on), checkpoint=checkpoint)
    _, expected = taught("plain", device=torch.device("cpu"))
    near(found, expected)


def test_seeds_side_by_side_give_what_they_give_one_after_another(study, tmp_path):
    alone, beside = RunStore(tmp_path / "alone"), RunStore(tmp_path / "beside")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="training goes on uncaptured")
        run(study, alone, device="cuda", together=1)
        run(study, beside, device="cuda", together=3)
    found, expected = stored(beside), stored(alone)
    assert found.keys() == expected.keys() and len(found) == 9
    for name in expected:
        a, b = (runs[name].arrays["logits"].astype(float) for runs in (found, expected))
        np.testing.assert_allclose(a, b, rtol=0.02, atol=0.02)


def test_free_memory_says_how_many_run_at_once(study):
    sweeps = plan(study, "smoke", has=lambda _: False)
    build = lambda _: models.build("resnet20", 3)  # noqa: E731
    assert 1 <= running.seeds_at_once(None, sweeps, GPU, build) <= 3
