"""What a node of a Ray cluster does: one task of a sweep, trained into the run store."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kdfair_cluster.schedule import Task
from kdfair_core import datasets
from kdfair_core.claims import Claim
from kdfair_core.runs import open_store
from kdfair_core.studies import Study, recipe_of
from kdfair_core.training.claimed import train_claimed
from kdfair_core.training.compiling import pays
from kdfair_core.training.loop import OutOfTime
from kdfair_core.training.memory import kept_memory
from kdfair_core.training.plan import Sweep
from kdfair_core.training.running import store_runs
from kdfair_core.training.study import catalogue_networks, pick_device
from kdfair_core.training.sweep import train_sweep
from kdfair_core.training.views import DatasetViews

REPORT = 1.0
"""Seconds between two reports of progress."""


@dataclass(frozen=True)
class Job:
    """What all tasks of a run share.

    Attributes
    ----------
    study : Study
        Narrowed to what was asked for.
    place : str
        Of the run store: an absolute path or a URL.
    data_root : str or None
    ends : float or None
        ``time.time()`` after which no further step is made.
    """

    study: Study
    profile: str
    place: str
    device: str
    compiled: bool | None
    data_root: str | None
    ends: float | None


def train_task(job: Job, task: Task, report: Callable[[str, int], Any] | None = None) -> str:
    """Train a task's runs and store them; "trained" or "out of time".

    ``report`` is told the task's name and the steps that are behind it.
    """
    store = open_store(job.place)
    views = _views(job.study.name, job.profile, job.data_root, job.device, _Hidden(job.study))
    build = (job.study.build or catalogue_networks)(views.dataset)
    deadline = None if job.ends is None else time.monotonic() + job.ends - time.time()
    compiled = job.compiled
    if compiled is None and views.dataset.kind == "images":
        # as one process would decide for all of the seed's networks
        recipe = recipe_of(task.sweep.to_train()[0]["recipe"])
        compiled = pays(len(views.dataset.train) * recipe.epochs * task.company, views.device)
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

        for finished in train_sweep(
            sweep,
            views,
            build,
            stored_weights=store.weights,
            checkpoints=store.checkpoint,
            deadline=deadline,
            tick=tick,
            compiled=compiled,
        ):
            store_runs(store, finished)

    def skipped(sweep: Sweep) -> None:
        told(sweep.steps(len(views.dataset.train)))

    try:
        with kept_memory():
            train_claimed([task.sweep], store, train, deadline=deadline, skipped=skipped)
    except OutOfTime:
        return "out of time"
    return "trained"


class _Hidden:
    """A study beside the names that tell it from others: it need not be hashable."""

    def __init__(self, study: Study) -> None:
        self.study = study

    def __hash__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Hidden) and self.study == other.study


@lru_cache(maxsize=1)
def _views(
    name: str, profile: str, data_root: str | None, device: str, hidden: _Hidden
) -> DatasetViews:
    """The data set, read once a worker."""
    study = hidden.study
    options = study.profile(profile).dataset
    if study.load is None:
        dataset = datasets.load(study.dataset, root=data_root, **options)
    else:
        dataset = study.load(**options)
    return DatasetViews(dataset, pick_device(device))


def data_folder(data_root: str | os.PathLike[str] | None) -> str:
    """Where data sets lie, as an absolute path: a node has another folder of its own."""
    return os.path.abspath(data_root or os.environ.get("KDFAIR_DATA") or "datasets")
