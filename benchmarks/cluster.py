"""What Ray costs on one machine, and what a killed node costs.

overhead   a smoke study in one process and on Ray, in a Python each, alternating: "started" starts
           Ray for it, "there" uses a cluster of two nodes that is there already
killed     a study whose steps wait a known time, on a cluster of two nodes of this machine: the
           node that trains is killed half an epoch after a checkpoint. "lost_s" is how long it
           took until the other node was where the lost one had been: "redone_s" of it, steps that
           were made anew, the rest until the loss was noticed and the task begun elsewhere

    python benchmarks/cluster.py --json data/benchmarks/cluster.json      some minutes
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import machine
from torch import nn

from kdfair_core.datasets import Dataset, Split
from kdfair_core.runs import RunStore
from kdfair_core.studies import Profile, Recipe, Study
from kdfair_core.training import run_study

STUDY, PROFILE = "trifeature", "smoke"
WAIT, STEPS, EPOCHS = 0.1, 40, 6
"""Seconds that a step of the study for killing waits, steps of an epoch, epochs."""


class Waiting(nn.Module):
    """A network whose training steps wait; a file says when and on which node each was made."""

    def __init__(self, log: str) -> None:
        super().__init__()
        self.log, self.linear = log, nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            import ray

            time.sleep(WAIT)
            with open(self.log, "a") as log:
                log.write(f"{ray.get_runtime_context().get_node_id()} {time.time()}\n")
        return self.linear(x)


def waiting_study(log: Path) -> Study:
    """A student of a null seed."""

    def load(**_: Any) -> Dataset:
        draws = np.random.default_rng(0)
        x = draws.normal(size=(2 * STEPS, 4)).astype(np.float32)
        split = Split(x, (x[:, 0] > 0).astype(np.int64))
        return Dataset("made", split, split, ("a", "b"), {}, (), (), "Made.", "arrays")

    def build(_: Dataset) -> Any:
        return lambda identity: Waiting(str(log))

    recipe = Recipe(EPOCHS, 2, 0.1, (), augment=())
    profile = Profile({}, "x", "y", recipe, recipe, (), (0,), (1,))
    return Study(
        "made", "Made", "made", 2, "class bias", {"smoke": profile}, load=load, build=build
    )


def run_apart(place: Path, address: str | None) -> float:
    """Seconds of a smoke study in a Python of its own, its start included."""
    command = [sys.executable, "-m", "kdfair_core", "run", STUDY, "--profile", PROFILE, "--quiet"]
    command += ["--runs", str(place)] + (["--ray", address] if address else [])
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def overhead(folder: Path, rounds: int, cluster: Any) -> list[dict[str, Any]]:
    ways = {"one process": None, "started": "local", "there": cluster.address}
    found: dict[str, list[float]] = {what: [] for what in ways}
    loads = []
    for k in range(rounds):
        loads.append(os.getloadavg()[0])
        for what, address in ways.items():
            found[what].append(run_apart(folder / f"{what}-{k}", address))
    return [
        {
            "what": what,
            "seconds": statistics.median(seconds),
            "low": min(seconds),
            "high": max(seconds),
            "load": statistics.median(loads),
        }
        for what, seconds in found.items()
    ]


def killed(folder: Path, cluster: Any) -> dict[str, Any]:
    """Seconds that the waiting study lost by the node that trained it."""
    log = folder / "steps"
    log.touch()
    load = os.getloadavg()[0]
    with ThreadPoolExecutor(1) as pool:  # nodes are removed by the main thread
        how = {"store": RunStore(folder / "killed"), "ray": cluster.address, "progress": False}
        going = pool.submit(run_study, waiting_study(log), "smoke", **how)
        while len(_steps(log)) < 3 * STEPS + STEPS // 2 and not going.done():
            time.sleep(WAIT / 4)
        busy = _steps(log)[0][0]
        lost = next(node for node in cluster.worker_nodes if node.node_id == busy)
        cluster.remove_node(lost, allow_graceful=False)
        going.result()
    before = [float(when) for node, when in _steps(log) if node == busy]
    after = [float(when) for node, when in _steps(log) if node != busy]
    redone = len(before) + len(after) - STEPS * EPOCHS
    row = {"what": "a node killed", "lost_s": after[redone - 1] - before[-1], "load": load}
    return row | {"redone_s": redone * WAIT, "steps": len(before), "redone": redone}


def _steps(log: Path) -> list[list[str]]:
    return [line.split() for line in log.read_text().splitlines()]


def node(cores: int) -> dict[str, int]:
    """A node's cores and its agents' ports: Ray waits 15 seconds for agents to choose their own."""
    agents = ("metrics_agent", "metrics_export", "dashboard_agent_listen", "runtime_env_agent")
    ports = {}
    with ExitStack() as held:
        for agent in agents:
            unused = held.enter_context(socket.socket())
            unused.bind(("127.0.0.1", 0))
            ports[f"{agent}_port"] = unused.getsockname()[1]
    return {"num_cpus": cores, **ports}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the rows there")
    options = parser.parse_args()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args=node(0))
    for _ in range(2):
        cluster.add_node(**node(1))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        rows = overhead(folder, options.rounds, cluster)
        ray.init(cluster.address, log_to_driver=False, logging_level="ERROR")
        rows.append(killed(folder, cluster))
        ray.shutdown()
    cluster.shutdown()
    for row in rows:
        print(
            "  ".join(
                f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in row.items()
            )
        )
    about = machine() | {"ray": ray.__version__, "recorded": date.today().isoformat()}
    about |= {"study": STUDY, "profile": PROFILE, "rounds": options.rounds, "step_s": WAIT}
    about |= {"steps_an_epoch": STEPS, "epochs": EPOCHS}
    if options.json:
        options.json.write_text(json.dumps({"about": about, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
