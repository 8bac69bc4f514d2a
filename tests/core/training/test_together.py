"""Several seeds at a time are what they are one after another."""

import time
from dataclasses import replace

import pytest
import torch
from tiny_study import run, same, stored

from kdfair_core import models
from kdfair_core.runs import RunStore
from kdfair_core.training import plan, running


def test_seeds_side_by_side_give_what_they_give_one_after_another(study, tmp_path, monkeypatch):
    whole, beside = RunStore(tmp_path / "whole"), RunStore(tmp_path / "beside")
    expected = run(study, whole)
    monkeypatch.setattr("kdfair_core.training.running.seeds_at_once", lambda *given: 3)
    assert run(study, beside) == expected
    same(stored(beside), stored(whole))


def test_seeds_side_by_side_keep_the_time_limit_and_go_on(study, tmp_path, monkeypatch):
    whole, beside = RunStore(tmp_path / "whole"), RunStore(tmp_path / "beside")
    run(study, whole)
    monkeypatch.setattr("kdfair_core.training.running.seeds_at_once", lambda *given: 2)
    clock = iter(range(10_000))
    with monkeypatch.context() as patch:
        patch.setattr("kdfair_core.training.loop.time.monotonic", lambda: next(clock))
        run(study, beside, time_limit=8 / 60)
    assert list((tmp_path / "beside").rglob("*.safetensors"))
    assert len(stored(beside)) < 9
    run(study, beside)
    same(stored(beside), stored(whole))


def test_one_seed_that_fails_stops_the_others(study, tmp_path, monkeypatch):
    steps = []
    monkeypatch.setattr("kdfair_core.training.running.seeds_at_once", lambda *given: 3)
    real = running.train_sweep

    def failing(sweep, *given, tick, **how):
        def count(n):
            steps.append(sweep.seed)
            tick(n)

        if sweep.seed == 0:
            while 1 not in steps:
                time.sleep(0.01)
            raise OSError("the disk is gone")
        return real(sweep, *given, tick=count, **how)

    monkeypatch.setattr(running, "train_sweep", failing)
    profile = study.profiles["smoke"]
    recipe = replace(profile.teacher_recipe, epochs=10_000)
    long = replace(study, profiles={"smoke": replace(profile, teacher_recipe=recipe)})
    with pytest.raises(OSError, match="the disk is gone"):
        run(long, RunStore(tmp_path))


@pytest.mark.parametrize(
    ("together", "device", "precision", "network", "free", "expected"),
    [
        (None, "cuda", "fp32", "resnet20", 80, 2),
        (None, "cuda", "bf16", "lenet5", 80, 2),
        (None, "cuda", "fp32", "resnet20", 8, 1),
        (2, "cuda", "fp32", "resnet20", 8, 2),
        (1, "cuda", "fp32", "resnet20", 80, 1),
        (2, "cuda", "tf32", "resnet20", 80, 1),
        (2, "cuda", "fp32", "resnet18-small", 80, 1),
        (2, "cpu", "fp32", "resnet20", 80, 1),
    ],
)
def test_how_many_seeds_run_at_once(
    study, monkeypatch, together, device, precision, network, free, expected
):
    of = plan.narrowed(study, "smoke", precision=precision)
    sweeps = plan.plan(of, "smoke", has=lambda _: False, seeds=[0, 1])
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free * 2**30, 80 * 2**30))
    found = running.seeds_at_once(
        together,
        sweeps,
        torch.device(device),
        lambda _: models.build(network, 3),
    )
    assert found == expected
