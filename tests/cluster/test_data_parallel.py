"""A teacher that several processes share learns what one process would have learned."""

import os
import runpy
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from kdfair_cluster import processes, teachers
from kdfair_cluster.jobs import Job
from kdfair_cluster.schedule import tasks
from kdfair_core import cli, studies
from kdfair_core.runs import RunStore
from kdfair_core.training import run_study
from kdfair_core.training.loop import OutOfTime
from kdfair_core.training.plan import plan

SHARED = """
import sys
import numpy as np, torch, torch.distributed as dist
import torch.nn.functional as F
from kdfair_cluster.data_parallel import SharedLearners
from kdfair_core.models.lenet import LeNet5
from kdfair_core.models.resnet import SmallResNet
from kdfair_core.studies import Recipe
from kdfair_core.training.learners import make_learners
from kdfair_core.training.loop import train
from kdfair_core.training.step import Lesson
from kdfair_core.training.views import ImageViews
from kdfair_core.datasets import Split

def data(share):
    draws = np.random.default_rng(0)
    # batches of 5, 5, 5 and 2: parts of 2, 2 and 1, and one of nothing
    split = Split(draws.integers(0, 256, (17, 3, 16, 16), dtype=np.uint8), draws.integers(0, 3, 17))
    views = ImageViews(split, (0.5,) * 3, (0.25,) * 3, torch.device("cpu"), ("crop", "flip"))
    views.share = share
    torch.manual_seed(1)
    return views

def lenet(arrange, share):
    views = data(share)
    network = LeNet5(3, in_shape=(3, 16, 16))
    recipe = Recipe(epochs=3, batch_size=5, lr=0.02, milestones=(2,))
    learners = arrange([network], views.device, seeds=[0])
    lesson = Lesson.of([dict(role="teacher")], views.device)
    history, _ = train(learners, views, recipe, seed=3, lesson=lesson)
    return {"history": history} | {n: t.numpy() for n, t in network.state_dict().items()}

def resnet(arrange, share):
    "In float64, so that what is left of a difference is none of rounding."
    views = data(share)
    network = SmallResNet(8, 3).double()
    learners = arrange([network], views.device, seeds=[0])
    optimizer = torch.optim.SGD(learners.trained.parameters(), 0.02, momentum=0.9)
    losses = []
    with learners:
        for step, batch in enumerate(views.epoch(0, 0, 5)):
            optimizer.zero_grad()
            loss_of = lambda z, _: F.cross_entropy(z[0], batch.labels)[None]
            losses.append(learners.backward((batch.inputs[0].double(),), loss_of, step).item())
            optimizer.step()
    return {"losses": losses} | {n: t.numpy() for n, t in network.state_dict().items()}

if __name__ == "__main__":
    rank, place, out = int(sys.argv[1]), *sys.argv[2:]
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{place}", rank=rank, world_size=3)
    for kind in (lenet, resnet):
        found = kind(SharedLearners, (rank, 3))
        if rank < 2:
            np.savez(f"{out}/{kind.__name__}{rank}.npz", **found)
    dist.barrier()
    dist.destroy_process_group()
"""


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """What three processes learned together, and the script that they ran."""
    folder = tmp_path_factory.mktemp("three")
    script = folder / "shared.py"
    script.write_text(SHARED)
    path = os.pathsep.join(filter(None, sys.path))
    environment = os.environ | {"PYTHONPATH": path, "GLOO_SOCKET_IFNAME": "lo"}
    running = [
        subprocess.Popen(
            [sys.executable, str(script), str(rank), str(folder / "meeting"), str(folder)],
            env=environment,
        )
        for rank in range(3)
    ]
    assert [process.wait(timeout=240) for process in running] == [0, 0, 0]
    made = runpy.run_path(str(script))
    return SimpleNamespace(
        folder=folder, **{k: made[k] for k in ("lenet", "resnet", "make_learners")}
    )


@pytest.mark.parametrize(("kind", "apart"), [("lenet", 1e-6), ("resnet", 1e-10)])
def test_processes_learn_what_one_learns(three, kind, apart):
    """A network without batch norm in float32, one with it in float64."""
    alone = getattr(three, kind)(three.make_learners, (0, 1))
    first, second = (np.load(three.folder / f"{kind}{rank}.npz") for rank in (0, 1))
    assert set(first.files) == set(alone)
    for name, values in alone.items():
        np.testing.assert_allclose(first[name], values, rtol=apart, atol=apart, err_msg=name)
        np.testing.assert_array_equal(first[name], second[name])


STUDY = """
import numpy as np
from torch import nn
from kdfair_core.datasets import Dataset, Split
from kdfair_core.studies import Profile, Recipe, Study

def load(**options):
    draws = np.random.default_rng(0)
    def split(n):
        x = draws.normal(size=(n, 4)).astype(np.float32)
        return Split(x, (x.sum(1) > 0).astype(np.int64))
    return Dataset("made", split(16), split(8), ("a", "b"), {}, (), (), "Made.", "arrays")

def build(dataset):
    import torch, torch.distributed as dist
    def network(identity):
        torch.manual_seed(0)
        if {fails} and dist.is_initialized() and dist.get_rank() == 1:
            raise RuntimeError("CUDA out of memory")
        return nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2))
    return network

RECIPE = Recipe(4, 4, 0.1, (), augment=())
PROFILE = Profile({}, "x", "y", RECIPE, RECIPE, (0,), (), (1,))
MADE = Study("made", "Made", "made", 2, "class bias", dict(smoke=PROFILE), load=load, build=build)
"""


def made(folder, *, fails=False):
    """The name of a study whose teacher takes 16 steps, an epoch of them 4."""
    file = folder / "made.py"
    file.write_text(STUDY.replace("{fails}", str(fails)))
    return f"{file}:MADE"


class Enough(Exception):
    pass


def test_one_process_goes_on_where_two_were_killed(tmp_path):
    study, store = studies.get(made(tmp_path)), RunStore(tmp_path / "runs")
    (sweep,) = plan(study, "smoke", has=store.has)
    task = tasks([sweep], 1)[0]
    how = {"device": "cpu", "compiled": None, "data_root": None, "gpus_per_teacher": 2}
    job = Job.of(study, "smoke", store, time_limit=None, **how)
    steps = 0

    def tick(more):
        nonlocal steps
        steps += more
        if steps == 9:
            raise Enough

    with pytest.raises(Enough):
        processes.train_shared(job, task.sweep, 2, tick)
    assert not store.has(sweep.teacher)
    meta, _ = store_checkpoint(store).load(any_identity=True)
    assert meta["step"] >= 8 and meta["seen"] in (0, 4 * (meta["step"] % 4))
    run_study(study, "smoke", store=store, progress=False)
    alone = RunStore(tmp_path / "alone")
    run_study(study, "smoke", store=alone, progress=False)
    for name in ("history", "logits"):
        np.testing.assert_allclose(
            store.read(sweep.teacher).arrays[name],
            alone.read(sweep.teacher).arrays[name],
            rtol=1e-3 if name == "logits" else 1e-6,
        )


def store_checkpoint(store):
    (file,) = (store.root / ".checkpoints" / "made" / "smoke").glob("*.safetensors")
    return store.checkpoint(f"made/smoke/{file.name.removesuffix('.safetensors')}")


def test_the_command_shares_teachers_and_trains_the_rest(tmp_path, capsys):
    command = ["run", made(tmp_path), "--profile", "smoke", "--runs", str(tmp_path / "runs")]
    assert cli.main([*command, "--gpus-per-teacher", "2", "--device", "cpu"]) == 0
    out, err = capsys.readouterr()
    assert "made/smoke: 3 runs written" in out
    assert "made/smoke, teachers on 2 devices: 16.0step" in err
    runs = RunStore(tmp_path / "runs").runs("made", "smoke")
    assert [run.info.get("processes") for run in runs] == [2, None, None]


def test_a_process_that_fails_and_a_limit_that_is_over(tmp_path):
    study, store = studies.get(made(tmp_path, fails=True)), RunStore(tmp_path / "runs")
    (sweep,) = plan(study, "smoke", has=store.has)
    task = tasks([sweep], 1)[0]
    how = {"device": "cpu", "compiled": None, "data_root": None, "gpus_per_teacher": 2}
    job = Job.of(study, "smoke", store, time_limit=None, **how)
    with pytest.raises(processes.ProcessFailed, match="RuntimeError: CUDA out of memory"):
        processes.train_shared(job, task.sweep, 2, lambda steps: None)
    study = studies.get(made(tmp_path))
    job = Job.of(study, "smoke", store, time_limit=1e-9, **how)
    with pytest.raises(OutOfTime):
        processes.train_shared(job, task.sweep, 2, lambda steps: None)
    assert not store.names("made", "smoke")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--gpus-per-teacher", "4000"], "gpus_per_teacher is 4000, but this machine has"),
        (["--gpus-per-teacher", "0"], "gpus_per_teacher is 0; expected a whole number from 1"),
        (["--gpus-per-teacher", "2", "--device", "meta"], "expected cpu or cuda"),
    ],
)
def test_devices_that_are_not_there(options, said, tmp_path, capsys):
    command = "run trifeature --profile smoke --quiet --runs".split()
    assert cli.main([*command, str(tmp_path), *options]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1


def test_more_gpus_than_there_are(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ValueError, match="is 2, but this machine has 1 GPUs"):
        teachers._kind("auto", 2)


def test_what_processes_cannot_share_is_named():
    from kdfair_cluster.data_parallel import share_batch_norm

    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2, momentum=None))
    with pytest.raises(ValueError, match=r"BatchNorm1d.*cannot be shared"):
        share_batch_norm(network, torch.device("cpu"))
