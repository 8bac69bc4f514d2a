"""A study on one machine whose teachers are each shared by several devices.

The teachers come first, one after another, each on all of its devices; then everything else is
trained as it always is.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from tqdm import tqdm

from kdfair_cluster import costs
from kdfair_cluster.jobs import Job
from kdfair_cluster.ray_tasks import train_task
from kdfair_cluster.schedule import tasks
from kdfair_core.runs import RunStore
from kdfair_core.studies import Study
from kdfair_core.training.plan import Sweep
from kdfair_core.training.study import run_study


def run_with_shared_teachers(
    sweeps: Sequence[Sweep],
    study: Study,
    profile: str,
    store: RunStore,
    gpus_per_teacher: int,
    *,
    seeds: Iterable[int] | None = None,
    device: str = "auto",
    compiled: bool | None = None,
    together: int | None = None,
    time_limit: float | None = None,
    data_root: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> int:
    """Train sweeps, each teacher on several devices; how many runs were written.

    Parameters
    ----------
    sweeps : sequence of Sweep
        With what is missing.
    study : Study
        Narrowed to what was asked for.
    profile : str
    store : RunStore
    gpus_per_teacher : int
        GPUs, or processes where there is none.
    seeds, device, compiled, together, time_limit, data_root, progress
        See :func:`kdfair_core.training.study.run_study`.

    Raises
    ------
    ValueError
        For more devices than there are.
    """
    ends = None if time_limit is None else time.monotonic() + 60 * time_limit
    kind = _kind(device, gpus_per_teacher)
    job = Job.of(
        study,
        profile,
        store,
        device=kind,
        compiled=compiled,
        data_root=data_root,
        time_limit=time_limit,
        gpus_per_teacher=gpus_per_teacher,
    )
    written = 0
    todo = [task for task in tasks(sweeps, 1) if task.kind == "teacher"]
    with tqdm(
        total=_steps(todo, study, profile),
        unit="step",
        unit_scale=True,
        smoothing=0.02,
        disable=not progress,
        desc=f"{study.name}/{profile}, teachers on {gpus_per_teacher} devices",
    ) as bar:
        done = 0
        for task in todo:
            before = done

            def report(_: str, steps: int, before: int = before) -> None:
                nonlocal done
                done = before + steps
                bar.update(done - bar.n)

            if train_task(job, task, report) == "out of time":
                bar.write("time limit reached; run again to go on")
                return written
            written += 1
    left = None if ends is None else (ends - time.monotonic()) / 60
    if left is not None and left <= 0:
        return written
    how: dict[str, Any] = {"compiled": compiled, "together": together, "data_root": data_root}
    how |= {"device": device, "time_limit": left, "progress": progress, "seeds": seeds}
    return written + run_study(study, profile, store=store, **how)


def _steps(todo: Sequence[Any], study: Study, profile: str) -> int | None:
    try:
        n_train = costs.examples(study, profile)[0]
    except ValueError:  # a data set of one's own
        return None
    return sum(task.sweep.steps(n_train) for task in todo)


def _kind(device: str, wanted: int) -> str:
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device not in ("cpu", "cuda"):
        raise ValueError(
            f"device is {device!r}; expected cpu or cuda for gpus_per_teacher {wanted}"
        )
    there = torch.cuda.device_count() if device == "cuda" else os.cpu_count() or 1
    if wanted > there:
        what = "GPUs" if device == "cuda" else "cores"
        raise ValueError(
            f"gpus_per_teacher is {wanted}, but this machine has {there} {what}: expected at most "
            f"{there}"
        )
    return device
