"""A study on Ray: teachers of all seeds first, each seed's students in groups, null seeds last.

The driver hands out tasks and draws progress; what a task learns lies in the run store, with a
checkpoint each epoch. A task whose node or worker is lost is handed out again and goes on from its
checkpoint; one that fails for a reason of its own is named at the end, and the others go on.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from tqdm import tqdm

from kdfair_cluster import costs, ray_tasks
from kdfair_cluster.jobs import Job
from kdfair_cluster.planning import Costs
from kdfair_cluster.schedule import Task, tasks, usual_split
from kdfair_core.runs import RunStore
from kdfair_core.studies import Study
from kdfair_core.training.learners import STACK
from kdfair_core.training.plan import Sweep, checkpoint_of
from kdfair_core.training.regroup import clear_finished

HERE = "local"
"""In place of an address: start Ray on this machine."""

ANSWER = 10.0
"""Seconds for a cluster's address to answer."""

ATTEMPTS = 5
"""Times that a task may lose its node or its worker."""

POLL = 0.5

_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""How gRPC, which Ray speaks, begins (RFC 9113): a preface and SETTINGS, answered by SETTINGS."""


class TasksFailed(ValueError):
    """Tasks failed for reasons of their own; everything else is stored."""


def run_on_ray(
    sweeps: Sequence[Sweep],
    study: Study,
    profile: str,
    store: RunStore,
    *,
    address: str = HERE,
    split: int | None = None,
    gpus_per_teacher: int = 1,
    device: str = "auto",
    compiled: bool | None = None,
    time_limit: float | None = None,
    data_root: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> int:
    """Train sweeps on Ray; how many runs were written.

    Parameters
    ----------
    sweeps : sequence of Sweep
        With what is missing.
    study : Study
        Narrowed to what was asked for.
    profile : str
    store : RunStore
        In a folder that all nodes share, or in a bucket.
    address : str
        Of a cluster, such as "auto" or "10.0.0.1:6379"; "local" starts Ray on this machine.
    split : int, optional
        Groups of each seed's students; by default so that the simulated schedule ends first.
    gpus_per_teacher : int
        Devices of one node that share each teacher.
    device, compiled, time_limit, data_root, progress
        See :func:`kdfair_core.training.study.run_study`.

    Raises
    ------
    ValueError
        Without Ray, for an address that does not answer or a device that the cluster lacks, and,
        when everything else is stored, for tasks that failed.
    """
    with _connected(address) as ray:
        gpus = _wants_gpus(ray, device)
        devices = _devices(ray, gpus)
        _has_node(ray, gpus, gpus_per_teacher)
        job = Job.of(
            study,
            profile,
            store,
            device="cuda" if gpus else "cpu" if device == "auto" else device,
            compiled=compiled,
            data_root=data_root,
            time_limit=time_limit,
            gpus_per_teacher=gpus_per_teacher,
        )
        if split is None:
            split = _split(sweeps, study, profile, devices)
        todo = tasks(sweeps, split, 1 if gpus else _together(study, profile))
        before = _stored(store, sweeps)
        driver = _Driver(ray, job, todo, store, gpus)
        driver.run(progress=progress)
        written = len(_stored(store, sweeps) - before)
        finished = store.names(study.name, profile)
        for sweep in sweeps:  # what was begun in other groups
            own = store.checkpoint(*checkpoint_of(list(sweep.students)))
            clear_finished((own, *own.beside()), finished)
    if driver.failed:
        named = "; ".join(f"{name}: {why}" for name, why in driver.failed.items())
        raise TasksFailed(
            f"{len(driver.failed)} of {len(todo)} tasks failed, {written} runs were written and "
            f"the same command goes on from there: {named}"
        )
    return written


@dataclass
class _Driver:
    """Hands out tasks, so many at a time as there are devices."""

    ray: Any
    job: Job
    todo: list[Task]
    store: RunStore
    gpus: bool
    failed: dict[str, str] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)

    def run(self, *, progress: bool) -> None:
        ray = self.ray
        remote = ray.remote(max_retries=0)(_train)
        kind = "num_gpus" if self.gpus else "num_cpus"
        board = _board(ray)
        waiting = list(self.todo)
        running: dict[Any, Task] = {}
        steps = {task.name: self._steps(task) for task in self.todo}
        done: dict[str, int] = {}
        out_of_time = False
        with tqdm(
            total=sum(steps.values()) or None,
            unit="step",
            unit_scale=True,
            smoothing=0.02,
            disable=not progress,
            desc=f"{self.job.study.name}/{self.job.profile} on {_devices(ray, self.gpus)} devices",
        ) as bar:
            while running or (waiting and not out_of_time):
                free = _devices(ray, self.gpus) - sum(map(self._takes, running.values()))
                ready = [] if out_of_time else self._ready(waiting, running.values())
                for task in ready:
                    takes = self._takes(task)
                    if takes > free:  # what comes later waits too, or it would never have its turn
                        break
                    free -= takes
                    waiting.remove(task)
                    handed_out = remote.options(**{kind: takes}).remote(self.job, task, board)
                    running[handed_out] = task
                if not running:
                    if not ready:  # what is left waits for a teacher that failed
                        break
                    time.sleep(POLL)  # every node is gone; one may come
                    continue
                ended, _ = ray.wait(list(running), timeout=POLL)
                for reference in ended:
                    task = running.pop(reference)
                    outcome = self._outcome(task, reference)
                    if outcome == "again":
                        waiting.append(task)
                        bar.write(f"{task.name} lost its node or worker and goes on elsewhere")
                    elif outcome == "trained":
                        done[task.name] = steps[task.name]
                    elif outcome == "out of time":
                        out_of_time = True
                with suppress(ray.exceptions.RayError):
                    seen = ray.get(board.read.remote(), timeout=5)
                    done |= {n: min(k, steps[n]) for n, k in seen.items() if done.get(n, 0) < k}
                bar.update(sum(done.values()) - bar.n)
            if out_of_time:
                bar.write("time limit reached; run again to go on")
        for task in waiting if not out_of_time else []:
            self.failed[task.name] = "its teacher is missing"

    def _takes(self, task: Task) -> int:
        """Devices of a task."""
        return self.job.gpus_per_teacher if task.kind == "teacher" else 1

    def _ready(self, waiting: list[Task], running: Any) -> list[Task]:
        """What may begin: students whose teacher is neither waiting, nor running, nor failed."""
        teachers = {t.sweep.seed for t in [*waiting, *running] if t.kind == "teacher"}
        teachers |= {
            t.sweep.seed for t in self.todo if t.kind == "teacher" and t.name in self.failed
        }
        ready = [t for t in waiting if t.kind != "students" or t.sweep.seed not in teachers]
        return sorted(ready, key=lambda task: task.rank)

    def _outcome(self, task: Task, reference: Any) -> str:
        errors = self.ray.exceptions
        try:
            outcome = self.ray.get(reference)
        except errors.RayTaskError as error:
            cause = error.cause if error.cause is not None else error
            first = (str(cause).strip().splitlines() or [""])[0]
            self.failed[task.name] = f"{type(cause).__name__}: {first}"
            return "failed"
        except errors.OutOfMemoryError:
            self.failed[task.name] = "the node had no memory left"
            return "failed"
        except errors.RayError as error:  # the node or the worker is gone
            self.lost[task.name] = self.lost.get(task.name, 0) + 1
            if self.lost[task.name] < ATTEMPTS:
                return "again"
            first = str(error).strip().splitlines()[0]
            self.failed[task.name] = f"lost {ATTEMPTS} times ({type(error).__name__}: {first})"
            return "failed"
        if outcome == "trained" and not _stored(self.store, [task.sweep]):
            self.failed[task.name] = f"its runs are not in {self.job.place}: do all nodes share it?"
            return "failed"
        return outcome

    def _steps(self, task: Task) -> int:
        try:
            return task.sweep.steps(costs.examples(self.job.study, self.job.profile)[0])
        except ValueError:  # a data set of one's own: a step counts as one
            return 0


def _train(job: Job, task: Task, board: Any) -> str:
    return ray_tasks.train_task(job, task, board.tell.remote)


class _Board:
    """How far each task is."""

    def __init__(self) -> None:
        self.steps: dict[str, int] = {}

    def tell(self, name: str, steps: int) -> None:
        self.steps[name] = steps

    def read(self) -> dict[str, int]:
        return self.steps


def _board(ray: Any) -> Any:
    """On the driver's node, so that it stays when another is lost."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = ray.get_runtime_context().get_node_id()
    strategy = NodeAffinitySchedulingStrategy(here, soft=True)
    return ray.remote(num_cpus=0, scheduling_strategy=strategy)(_Board).remote()


def _stored(store: RunStore, sweeps: Sequence[Sweep]) -> set[str]:
    """Names of those of the sweeps' missing runs that are in the store by now."""
    found: set[str] = set()
    wanted = {name for sweep in sweeps for name in sweep.missing}
    for study, profile in {
        (i["study"], i["profile"]) for sweep in sweeps for i in sweep.to_train()
    }:
        found |= store.names(study, profile)
    return found & wanted


def _split(sweeps: Sequence[Sweep], study: Study, profile: str, devices: int) -> int:
    try:
        return Costs(study, profile, costs.Rates("h100-eager"), sweeps).best_split(devices)
    except ValueError:  # a data set whose size is not known
        return usual_split(sweeps, devices)


def _together(study: Study, profile: str) -> int:
    """Students that a CPU runs as one program."""
    stacks = study.build is not None or study.profile(profile).student == "lenet5"
    return STACK if stacks else 1


def _wants_gpus(ray: Any, device: str) -> bool:
    there = ray.cluster_resources().get("GPU", 0) >= 1
    if device.startswith("cuda") and not there:
        raise ValueError(f"device is {device!r}, but the cluster has no GPU: give --device cpu")
    return there and (device == "auto" or device.startswith("cuda"))


def _devices(ray: Any, gpus: bool) -> int:
    return int(ray.cluster_resources().get("GPU" if gpus else "CPU", 0))


def _has_node(ray: Any, gpus: bool, devices: int) -> None:
    kind = "GPU" if gpus else "CPU"
    most = max(
        (int(node["Resources"].get(kind, 0)) for node in ray.nodes() if node["Alive"]), default=0
    )
    if devices > max(1, most):
        raise ValueError(
            f"gpus_per_teacher is {devices}, but no node of the cluster has more than {most} "
            f"{kind}s: expected at most {max(1, most)}"
        )


@contextmanager
def _connected(address: str) -> Any:
    """Inside, Ray; disconnected afterwards, and ended if it was started here."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    try:
        import ray
    except ImportError:
        raise ValueError("--ray needs Ray: pip install 'kdfair[cluster]'") from None
    if ray.is_initialized():
        yield ray
        return
    _answers(address)
    how: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if address == HERE:
        how["include_dashboard"] = False
    try:
        ray.init(address=address, **how)
    except Exception as error:  # Ray raises bare ones too, such as for a slow start
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ValueError(
            f"Ray at {address!r} is not to be had: {first} (where a cluster has token "
            "authentication, set RAY_AUTH_TOKEN to its token)"
        ) from None
    try:
        yield ray
    finally:
        ray.shutdown()


def _answers(address: str) -> None:
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if address in (HERE, "auto"):
        return
    if not colon or not port.isdigit():
        raise ValueError(f"ray address {address!r}: expected auto, or such as 10.0.0.1:6379")
    try:
        with socket.create_connection((host, int(port)), timeout=ANSWER) as connection:
            connection.settimeout(ANSWER)
            connection.sendall(_HELLO)
            said = connection.recv(4)
    except OSError as error:
        raise ValueError(
            f"no Ray cluster answers at {address} within {ANSWER:g} seconds ({error})"
        ) from None
    if said[3:] != bytes([4]):  # the type of a SETTINGS frame
        raise ValueError(f"what answers at {address} is no Ray cluster")
