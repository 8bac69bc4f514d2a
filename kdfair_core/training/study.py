"""A study out of the catalogue, trained and stored: seed by seed, resumable at every step."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from importlib import metadata
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from kdfair_core import asked, datasets, models, studies
from kdfair_core.claims import Claim
from kdfair_core.datasets import Dataset
from kdfair_core.models.lenet import LeNet5
from kdfair_core.models.resnet import SmallResNet
from kdfair_core.runs import RunStore
from kdfair_core.studies import Study, recipe_of
from kdfair_core.training.batches import stable_seed
from kdfair_core.training.captured import stream
from kdfair_core.training.claimed import train_claimed
from kdfair_core.training.loop import OutOfTime
from kdfair_core.training.plan import Identity, Sweep, narrowed, plan
from kdfair_core.training.sweep import FinishedRun, train_sweep
from kdfair_core.training.teacher import products
from kdfair_core.training.views import DatasetViews

SEED_BYTES = 6 * 2**30
"""What a seed's networks are given of a GPU's memory; 14 ResNet-20 were measured to take 1.5 GB."""


def run_study(
    study: str | Study,
    profile: str = "laptop",
    *,
    store: RunStore,
    seeds: Iterable[int] | None = None,
    temperatures: Iterable[float] | None = None,
    alphas: Iterable[float] | None = None,
    soft_scales: Iterable[str] | None = None,
    device: str = "auto",
    precision: str | None = None,
    compiled: bool | None = None,
    together: int | None = None,
    time_limit: float | None = None,
    data_root: str | os.PathLike[str] | None = None,
    progress: bool = True,
    ray: str | None = None,
    split: int | None = None,
) -> int:
    """Train what is missing of a study, and store each run as its sweep finishes.

    Runs that are stored already are not trained again. Training is checkpointed; a killed or
    timed-out call is taken up by the next one with the same arguments, and ends on the same CPU bit
    for bit where an unbroken one would.

    Parameters
    ----------
    study, profile : str
        Names out of :mod:`kdfair_core.studies`, or ``my_study.py:STUDY``; a :class:`Study` of
        one's own works too.
    store : RunStore
        Where finished runs and checkpoints lie.
    seeds, temperatures, alphas, soft_scales : iterable, optional
        In place of the profile's; one value is a list of one. Null seeds count as seeds.
    device : str
        "cpu", "cuda", ...; "auto" takes a GPU if there is one.
    precision : str, optional
        "fp32", "tf32" (on a GPU) or "bf16" in place of the recipes'.
    compiled : bool, optional
        Whether networks for images run as compiled programs; by default where their start-up pays
        (see :mod:`kdfair_core.training.compiling`).
    together : int, optional
        Seeds that a GPU trains at a time; by default what fits (see :func:`seeds_at_once`).
    time_limit : float, optional
        Minutes after which no further step is made.
    data_root : path, optional
        Where data sets lie; see :func:`kdfair_core.datasets.load`.
    progress : bool
        Draw a progress bar with the time left.
    ray : str, optional
        Train on Ray (see `kdfair_cluster`): the address of a cluster, "auto", or "local" to start
        it on this machine.
    split : int, optional
        On Ray, groups of each seed's students.

    Returns
    -------
    int
        Number of runs written.

    Raises
    ------
    ValueError
        For a study, profile, seed, temperature, alpha, soft_scale, precision, number of seeds
        together, time limit or device that cannot be.
    DatasetMissing
        If the data set is not there.
    """
    limit = asked.minutes(time_limit)
    study = studies.get(study) if isinstance(study, str) else study
    study = narrowed(
        study,
        profile,
        temperatures=temperatures,
        alphas=alphas,
        soft_scales=soft_scales,
        precision=precision,
    )
    sweeps = [s for s in plan(study, profile, has=store.has, seeds=seeds) if s.missing]
    if not sweeps:
        return 0
    if ray is not None:
        return engine("ray")(
            sweeps,
            study,
            profile,
            store,
            address=ray,
            split=split,
            device=device,
            compiled=compiled,
            time_limit=limit,
            data_root=data_root,
            progress=progress,
        )
    if split is not None:
        raise ValueError(f"split is {split}, and ray is not given: only tasks on Ray are split")
    options = study.profile(profile).dataset
    if study.load is None:
        dataset = datasets.load(study.dataset, root=data_root, **options)
    else:
        dataset = study.load(**options)
    if len(dataset.class_names) != study.n_classes:
        raise ValueError(
            f"data set {study.dataset!r} has {len(dataset.class_names)} classes; "
            f"study {study.name!r} expects {study.n_classes}"
        )
    return run_sweeps(
        sweeps,
        DatasetViews(dataset, pick_device(device)),
        (study.build or catalogue_networks)(dataset),
        store,
        time_limit=limit,
        progress=progress,
        together=together,
        compiled=compiled,
    )


def engine(name: str) -> Callable[..., int]:
    """What trains sweeps elsewhere: an entry point of the group ``kdfair.engines``."""
    found = {entry.name: entry for entry in metadata.entry_points(group="kdfair.engines")}
    return found[asked.choice("engine", name, found)].load()


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


def catalogue_networks(dataset: Dataset) -> Callable[[Identity], nn.Module]:
    """What builds the network that an identity names, with initial weights of the run's own."""
    shape = (3, 32, 32)
    if dataset.kind == "images":
        shape = np.asarray(dataset.train.x[np.array([0])]).shape[1:]

    def build(identity: Identity) -> nn.Module:
        role = "nds" if identity["role"] == "null" else identity["role"]
        parts = (identity["temperature"], identity["alpha"], identity["soft_scale"])
        return models.build(
            identity["network"],
            len(dataset.class_names),
            in_shape=shape,
            seed=stable_seed("init", role, identity["seed"], *parts),
            pretrained=identity["recipe"]["pretrained"],
        )

    return build


def pick_device(name: str) -> torch.device:
    """The device of that name; "auto" is a GPU where there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        first = str(error).splitlines()[0]
        raise ValueError(f"device {name!r} is not to be had here: {first}") from None
    return device
