"""Sweeps on a Ray cluster of two nodes on this machine, one of which is killed now and then."""

import contextlib
import os
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from kdfair_cluster import ray_engine
from kdfair_core import cli, studies
from kdfair_core.runs import RunStore
from kdfair_core.training import run_study

# Ray leaves its pipes and processes to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

EPOCHS, STEPS = 6, 4

# A study of one's own whose networks write down each step that they learn; a step takes a while.
STUDY = """
import os, time
import numpy as np
from torch import nn
from kdfair_core.datasets import Dataset, Split
from kdfair_core.studies import Profile, Recipe, Study

class Slow(nn.Module):
    def __init__(self, name, wait):
        super().__init__()
        self.name, self.wait = name, wait
        self.linear = nn.Linear(4, 3)

    def forward(self, x):
        if self.training:
            time.sleep(self.wait)
            with open({log!r}, "a") as log:
                log.write(self.name + "\\n")
        return self.linear(x)

def load(**options):
    draws = np.random.default_rng(0)
    def split(n):
        x = draws.normal(size=(n, 4)).astype(np.float32)
        return Split(x, (x.sum(1) > 0).astype(np.int64) + (x[:, 0] > 1))
    return Dataset("made", split({n}), split(20), ("a", "b", "c"), {{}}, (), (), "Made.", "arrays")

def build(dataset):
    import errno, os, torch
    def fsync(number, sync=os.fsync):
        if os.path.exists({full!r}):
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(number)
    def network(identity):
        if identity["seed"] == 1 and identity["role"] == "teacher" and {fails}:
            raise RuntimeError("CUDA out of memory")
        if identity["seed"] == 1 and {full!r}:
            os.fsync = fsync
        role, T = identity["role"], identity["temperature"]
        torch.manual_seed(identity["seed"] + 100 * (T or 0))
        return Slow(f"{{role}}-{{identity['seed']}}-{{T}}", {wait})
    return network

RECIPE = Recipe({epochs}, 8, 0.1, (), augment=())
PROFILE = Profile(dict(n_train={n}, n_test=20), "x", "y", RECIPE, RECIPE, (0, 1), (5,), (1, 4))
MADE = Study("made", "Made", "made", 3, "class bias", dict(smoke=PROFILE), load=load, build=build)
"""


@pytest.fixture
def made(tmp_path):
    """Write the study; its name for a command, and the steps learned so far."""
    log = tmp_path / "log"

    def write(wait=0.0, fails=False, full=""):
        file = tmp_path / "my_study.py"
        values = {"log": str(log), "n": 8 * STEPS, "epochs": EPOCHS}
        file.write_text(STUDY.format(wait=wait, fails=fails, full=str(full), **values))
        return f"{file}:MADE"

    def steps():
        return log.read_text().splitlines() if log.exists() else []

    return SimpleNamespace(write=write, steps=steps)


def patiently(start):
    """Ray gives a node half a minute to start, which is little where other work fills the cores."""
    for _ in range(4):
        try:
            return start()
        except Exception as error:
            if "timed out during startup" not in str(error):
                raise
    return start()


AGENTS = ("metrics_agent", "metrics_export", "dashboard_agent_listen", "runtime_env_agent")


def node(cores):
    """A node's cores and its agents' ports: Ray waits 15 seconds for agents to choose their own."""
    ports = {}
    with contextlib.ExitStack() as held:
        for agent in AGENTS:
            unused = held.enter_context(socket.socket())
            unused.bind(("127.0.0.1", 0))
            ports[f"{agent}_port"] = unused.getsockname()[1]
    return {"num_cpus": cores, **ports}


@pytest.fixture(scope="module")
def cluster():
    """A head without cores and two nodes of one."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    started = patiently(lambda: Cluster(initialize_head=True, head_node_args=node(0)))
    nodes = [patiently(lambda: started.add_node(**node(1))) for _ in range(2)]
    ray.init(started.address, log_to_driver=False)
    yield SimpleNamespace(cluster=started, nodes=nodes, address=started.address)
    ray.shutdown()
    started.shutdown()


def same(store, other, study, profile="smoke"):
    runs = store.runs(study, profile)
    for run in runs:
        there = other.read(run.identity)
        assert set(run.arrays) == set(there.arrays)
        for name in run.arrays:
            assert np.array_equal(run.arrays[name], there.arrays[name]), (run.name, name)
        assert run.info.get("weights") == there.info.get("weights")
    return len(runs)


def test_on_ray_as_in_one_process(cluster, tmp_path):
    one, two = RunStore(tmp_path / "one"), RunStore(tmp_path / "two")
    # two programs of four LeNets
    how = {"seeds": [0, 5], "temperatures": [1, 2, 3, 4, 6, 10, 20], "progress": False}
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as a task has
    try:
        assert run_study("trifeature", "smoke", store=one, **how) == 10
    finally:
        torch.set_num_threads(threads)
    written = run_study("trifeature", "smoke", store=two, ray=cluster.address, split=2, **how)
    assert written == 10
    assert same(one, two, "trifeature") == 10
    beside = {run.info["trained_beside"] for run in two.runs("trifeature", "smoke")}
    assert beside == {1, 4}
    assert run_study("trifeature", "smoke", store=two, ray=cluster.address, **how) == 0


def test_a_killed_node_costs_what_came_after_its_last_checkpoint(cluster, made, tmp_path):
    name = made.write(wait=0.15)
    store, unbroken = RunStore(tmp_path / "runs"), RunStore(tmp_path / "unbroken")
    with ThreadPoolExecutor(1) as pool:  # nodes are added by the main thread
        going = pool.submit(
            run_study, name, "smoke", store=store, ray=cluster.address, split=1, progress=False
        )
        for turn in (1, 2, 3):
            while len(made.steps()) < turn * 3 * STEPS * 2 and not going.done():
                time.sleep(0.05)
            assert not going.done()
            cluster.cluster.remove_node(cluster.nodes.pop(0), allow_graceful=False)
            cluster.nodes.append(patiently(lambda: cluster.cluster.add_node(**node(1))))
        written = going.result(timeout=180)
    assert written == 2 * 4 + 1
    once = written * EPOCHS * STEPS
    again = len(made.steps()) - once
    # three students learn side by side; at most an epoch of them is repeated for each node, and
    # the step within which it died
    assert 0 < again <= 3 * 3 * (STEPS + 1), again
    run_study(made.write(), "smoke", store=unbroken, progress=False)
    assert same(unbroken, store, "made") == 9


def test_a_task_that_fails_is_named_and_the_others_go_on(cluster, made, tmp_path, capsys):
    name = made.write(fails=True)
    command = ["run", name, "--profile", "smoke", "--quiet", "--runs", str(tmp_path / "runs")]
    assert cli.main([*command, "--ray", cluster.address, "--split", "1"]) == 2
    err = capsys.readouterr().err
    assert "2 of 5 tasks failed, 5 runs were written" in err and err.count("\n") == 1
    assert "seed 1, teacher: RuntimeError: CUDA out of memory" in err
    assert "seed 1, students: its teacher is missing" in err
    store = RunStore(tmp_path / "runs")
    made.write()
    assert cli.main([*command, "--ray", cluster.address]) == 0
    assert "4 runs written" in capsys.readouterr().out
    assert len(store.runs("made", "smoke")) == 9


def test_a_full_disk_on_a_node_loses_nothing_that_is_stored(cluster, made, tmp_path, capsys):
    full, store = tmp_path / "full", RunStore(tmp_path / "runs")
    full.touch()
    name = made.write(full=full)
    command = ["run", name, "--profile", "smoke", "--quiet", "--runs", str(tmp_path / "runs")]
    assert cli.main([*command, "--ray", cluster.address, "--split", "1"]) == 2
    err = capsys.readouterr().err
    assert "seed 1, teacher: DiskFull: the disk of" in err and err.count("\n") == 1
    before = {run.name: run.written for run in store.runs("made", "smoke")}
    full.unlink()
    assert cli.main([*command, "--ray", cluster.address]) == 0
    after = {run.name: run.written for run in store.runs("made", "smoke")}
    assert len(after) == 9 and before.items() <= after.items()


def test_a_node_s_devices_share_a_teacher(cluster, made, tmp_path):
    store, alone = RunStore(tmp_path / "runs"), RunStore(tmp_path / "alone")
    how = {"seeds": [0], "progress": False}
    wide = patiently(lambda: cluster.cluster.add_node(**node(2)))
    try:
        ray = {"ray": cluster.address, "gpus_per_teacher": 2}
        assert run_study(made.write(), "smoke", store=store, **ray, **how) == 4
    finally:
        cluster.cluster.remove_node(wide)
    run_study(made.write(), "smoke", store=alone, **how)
    there, here = (one.runs("made", "smoke")[0] for one in (store, alone))
    assert there.info["processes"] == 2 and there.identity["role"] == "teacher"
    np.testing.assert_allclose(there.arrays["history"], here.arrays["history"], rtol=1e-6)


def test_the_time_limit_leaves_the_rest_for_the_next_command(cluster, made, tmp_path):
    store = RunStore(tmp_path / "runs")
    how = {"store": store, "ray": cluster.address, "progress": False}
    first = run_study(made.write(wait=0.1), "smoke", time_limit=0.04, **how)
    assert first < 9
    assert run_study(made.write(), "smoke", **how) == 9 - first


def test_what_cannot_be_had_is_one_sentence(cluster, tmp_path, capsys):
    command = ["run", "trifeature", "--profile", "smoke", "--runs", str(tmp_path), "--quiet"]
    assert cli.main([*command, "--ray", cluster.address, "--device", "cuda"]) == 2
    err = capsys.readouterr().err
    assert "the cluster has no GPU" in err and err.count("\n") == 1
    assert cli.main([*command, "--ray", cluster.address, "--gpus-per-teacher", "2"]) == 2
    assert "is 2, but no node of the cluster has more than 1 CPUs" in capsys.readouterr().err
    assert cli.main([*command, "--split", "2"]) == 2
    assert "ray is not given" in capsys.readouterr().err


def test_no_cluster_at_the_address(monkeypatch, tmp_path, capsys):
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray_engine, "ANSWER", 0.5)
    command = ["run", "trifeature", "--profile", "smoke", "--runs", str(tmp_path), "--quiet"]
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        assert cli.main([*command, "--ray", address]) == 2
    err = capsys.readouterr().err
    assert f"no Ray cluster answers at {address}" in err and err.count("\n") == 1
    with socket.create_server(("127.0.0.1", 0)) as mute:  # takes connections and says nothing
        assert cli.main([*command, "--ray", f"127.0.0.1:{mute.getsockname()[1]}"]) == 2
    assert "within 0.5 seconds (timed out)" in capsys.readouterr().err
    assert cli.main([*command, "--ray", "nowhere"]) == 2
    assert "ray address 'nowhere': expected auto" in capsys.readouterr().err


def test_without_ray_it_says_what_to_install(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    command = ["run", "trifeature", "--profile", "smoke", "--runs", str(tmp_path), "--ray"]
    assert cli.main(command) == 2
    assert "--ray needs Ray: pip install 'kdfair[cluster]'" in capsys.readouterr().err
    assert studies.get("trifeature")
