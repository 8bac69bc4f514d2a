"""What a node of a Ray cluster does: one task of a sweep, trained into the run store."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from kdfair_cluster.jobs import Job
from kdfair_cluster.processes import train_shared
from kdfair_cluster.schedule import Task
from kdfair_core.claims import Claim
from kdfair_core.runs import RunStore, open_store
from kdfair_core.studies import recipe_of
from kdfair_core.training.claimed import train_claimed
from kdfair_core.training.compiling import pays
from kdfair_core.training.loop import OutOfTime
from kdfair_core.training.memory import kept_memory
from kdfair_core.training.plan import Sweep
from kdfair_core.training.running import store_runs
from kdfair_core.training.study import pick_device
from kdfair_core.training.sweep import train_sweep
from kdfair_core.training.views import DatasetViews

REPORT = 1.0
"""Seconds between two reports of progress."""


def train_task(job: Job, task: Task, report: Callable[[str, int], Any] | None = None) -> str:
    """Train a task's runs and store them; "trained" or "out of time".

    ``report`` is told the task's name and the steps that are behind it.
    """
    store = open_store(job.place)
    shared = task.kind == "teacher" and job.gpus_per_teacher > 1
    steps, said = 0, 0.0

    def told(more: int) -> None:
        nonlocal steps, said
        steps += more
        if report and time.monotonic() - said > REPORT:
            said = time.monotonic()
            report(task.name, steps)

    def train(sweep: Sweep, claim: Claim) -> None:
        def tick(more: int) -> None:
            claim.check()
            told(more)

        if shared:
            train_shared(job, sweep, job.gpus_per_teacher, tick)
        else:
            _train_here(job, task, sweep, store, tick)

    def skipped(sweep: Sweep) -> None:
        if not shared:
            told(sweep.steps(len(_views(_Hidden(job)).dataset.train)))

    try:
        with kept_memory():
            train_claimed([task.sweep], store, train, deadline=job.deadline(), skipped=skipped)
    except OutOfTime:
        return "out of time"
    if report:
        report(task.name, steps)
    return "trained"


def _train_here(
    job: Job, task: Task, sweep: Sweep, store: RunStore, tick: Callable[[int], None]
) -> None:
    views = _views(_Hidden(job))
    compiled = job.compiled
    if compiled is None and views.dataset.kind == "images":
        # as one process would decide for all of the seed's networks
        recipe = recipe_of(sweep.to_train()[0]["recipe"])
        compiled = pays(len(views.dataset.train) * recipe.epochs * task.company, views.device)
    for finished in train_sweep(
        sweep,
        views,
        job.networks(views.dataset),
        stored_weights=store.weights,
        checkpoints=store.checkpoint,
        deadline=job.deadline(),
        tick=tick,
        compiled=compiled,
    ):
        store_runs(store, finished)


class _Hidden:
    """A job by what names its data set: it need not be hashable."""

    def __init__(self, job: Job) -> None:
        self.job = job

    def __hash__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        keys = ("study", "profile", "data_root", "device")
        return isinstance(other, _Hidden) and all(
            getattr(self.job, key) == getattr(other.job, key) for key in keys
        )


@lru_cache(maxsize=1)
def _views(hidden: _Hidden) -> DatasetViews:
    """The data set, read once a worker."""
    return DatasetViews(hidden.job.dataset(), pick_device(hidden.job.device))
