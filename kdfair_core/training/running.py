"""Sweeps trained and stored: one after another, or several at a time on a GPU."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from kdfair_core import asked
from kdfair_core.claims import Claim
from kdfair_core.models.lenet import LeNet5
from kdfair_core.models.resnet import SmallResNet
from kdfair_core.runs import RunStore
from kdfair_core.studies import recipe_of
from kdfair_core.training.captured import stream
from kdfair_core.training.claimed import train_claimed
from kdfair_core.training.loop import OutOfTime
from kdfair_core.training.plan import Identity, Sweep
from kdfair_core.training.sweep import FinishedRun, train_sweep
from kdfair_core.training.teacher import products
from kdfair_core.training.views import DatasetViews

SEED_BYTES = 6 * 2**30
"""What a seed's networks are given of a GPU's memory; 14 ResNet-20 were measured to take 1.5 GB."""


def run_sweeps(
    sweeps: Sequence[Sweep],
    views: DatasetViews,
    build: Callable[[Identity], nn.Module],
    store: RunStore,
    *,
    time_limit: float | None = None,
    progress: bool = True,
    together: int | None = None,
    **how: Any,
) -> int:
    """Train sweeps and store what they give; the number of runs written.

    ``together`` is how many a GPU trains at a time, each in a thread and on a stream of its own
    (see :func:`seeds_at_once`). ``how`` goes to :func:`kdfair_core.training.sweep.train_sweep`.
    """
    deadline = None if time_limit is None else time.monotonic() + 60 * time_limit
    how = {"stored_weights": store.weights} | how
    device, written = views.device, 0
    late, stop = threading.Event(), threading.Event()
    building, storing = threading.Lock(), threading.Lock()
    at_once = seeds_at_once(together, sweeps, device, build)
    n_train = len(views.dataset.train)

    def build_alone(identity: Identity) -> nn.Module:
        with building:  # there is one stream of random numbers
            return build(identity)

    def train(sweep: Sweep, claim: Claim) -> None:
        nonlocal written

        def tick(steps: int) -> None:
            claim.check()
            if stop.is_set():
                raise OutOfTime
            with storing:
                bar.update(steps)

        with _lane(device):
            for finished in train_sweep(sweep, views, build_alone, tick=tick, **how):
                with storing:
                    written += store_runs(store, finished)

    def skipped(sweep: Sweep) -> None:
        with storing:
            bar.update(sweep.steps(n_train))

    def train_all(some: Sequence[Sweep]) -> None:
        if late.is_set() or stop.is_set():
            return
        try:
            train_claimed(some, store, train, deadline=deadline, skipped=skipped)
        except OutOfTime:
            if not late.is_set() and not stop.is_set():
                bar.write("time limit reached; run again to go on")
            late.set()
        except BaseException:
            stop.set()
            raise

    with (
        products(device, recipe_of(sweeps[0].students[0]["recipe"]).precision),
        tqdm(
            total=sum(sweep.steps(n_train) for sweep in sweeps),
            unit="step",
            unit_scale=True,
            smoothing=0.02,
            disable=not progress,
            desc="/".join(str(sweeps[0].students[0][key]) for key in ("study", "profile")),
        ) as bar,
    ):
        how |= {"checkpoints": store.checkpoint, "deadline": deadline}
        if at_once == 1:
            train_all(sweeps)
            return written
        for identity in (i for sweep in sweeps for i in sweep.to_train()):
            views("train", recipe_of(identity["recipe"]).augment)  # made once, before the threads
        views("test")
        _ = views.fingerprint
        with ThreadPoolExecutor(at_once) as pool:
            running = [pool.submit(train_all, [sweep]) for sweep in sweeps]
            try:
                for future in running:
                    future.result()
            except BaseException:  # Ctrl-C too: the others stop at their next step
                stop.set()
                raise
    return written


def seeds_at_once(
    together: int | None,
    sweeps: Sequence[Sweep],
    device: torch.device,
    build: Callable[[Identity], nn.Module],
) -> int:
    """How many sweeps run at a time: as asked for, or up to five by a GPU's free memory.

    One on a CPU, where a sweep takes all cores; where networks draw random numbers, of which there
    is one stream; where networks cannot be stacked, since torch has few streams; and in TF32, which
    is switched for the whole process.
    """
    asked_for = None if together is None else asked.count("together", together)
    kinds = sweeps[0].to_train()[0], sweeps[0].to_train()[-1]
    if device.type != "cuda" or any(i["recipe"]["precision"] == "tf32" for i in kinds):
        return 1
    if any(type(build(identity)) not in (SmallResNet, LeNet5) for identity in kinds):
        return 1
    room = torch.cuda.mem_get_info(device)[0] // SEED_BYTES
    return min(asked_for or max(1, min(5, room)), len(sweeps))


def _lane(device: torch.device) -> AbstractContextManager:
    """On a GPU, a stream of this thread's own, behind what was done before."""
    if device.type != "cuda":
        return nullcontext()
    with torch.cuda.device(device):
        lane = stream("sweep")
        lane.wait_stream(torch.cuda.default_stream())
        return torch.cuda.stream(lane)


def store_runs(store: RunStore, finished: Iterable[FinishedRun]) -> int:
    """Write runs that are not stored yet; how many there were."""
    new = [run for run in finished if not store.has(run.identity)]
    for run in new:
        store.write(run.identity, run.arrays, run.info, run.weights)
    return len(new)
