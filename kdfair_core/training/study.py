"""A study out of the catalogue, trained and stored: seed by seed, resumable at every step."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from importlib import metadata
from typing import Any

import numpy as np
import torch
from torch import nn

from kdfair_core import asked, models, studies
from kdfair_core.datasets import Dataset
from kdfair_core.runs import RunStore
from kdfair_core.studies import Study
from kdfair_core.training.batches import initial_seed
from kdfair_core.training.plan import Identity, narrowed, plan
from kdfair_core.training.running import run_sweeps
from kdfair_core.training.views import DatasetViews


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
    gpus_per_teacher: int = 1,
) -> int:
    """Train what is missing of a study, and store each run as its sweep finishes.

    Runs that are stored already are not trained again. Training is checkpointed; a killed or
    timed-out call is taken up by the next one with the same arguments, and ends on the same CPU bit
    for bit where an unbroken one would.

    Parameters
    ----------
    study, profile : str
        Names of :mod:`kdfair_core.studies`, or ``my_study.py:STUDY``; a :class:`Study` works too.
    store : RunStore
        Where finished runs and checkpoints lie.
    seeds, temperatures, alphas, soft_scales, precision : optional
        In place of the profile's; one value is a list of one. Null seeds count as seeds.
    device : str
        "cpu", "cuda", ...; "auto" takes a GPU if there is one.
    compiled : bool, optional
        Whether networks for images run as compiled programs; by default where their start-up pays.
    together : int, optional
        Seeds that a GPU trains at a time; by default what fits (see :func:`seeds_at_once`).
    time_limit : float, optional
        Minutes after which no further step is made.
    data_root : path, optional
        Where data sets lie; see :func:`kdfair_core.datasets.load`.
    ray, split, gpus_per_teacher : optional
        What `kdfair_cluster` does: train on Ray (at the address of a cluster, "auto", or "local" to
        start it here), there in so many groups of each seed's students; and devices that share each
        teacher: GPUs, or processes on a CPU.

    Returns
    -------
    int
        Number of runs written.

    Raises
    ------
    ValueError
        For anything asked for that cannot be.
    DatasetMissing
        If the data set is not there.
    """
    limit = asked.minutes(time_limit)
    parts = asked.count("gpus_per_teacher", gpus_per_teacher)
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
    how: dict[str, Any] = {"device": device, "compiled": compiled, "data_root": data_root}
    how |= {"progress": progress, "time_limit": limit}
    if ray is not None:
        how |= {"address": ray, "split": split, "gpus_per_teacher": parts}
        return engine("ray")(sweeps, study, profile, store, **how)
    if split is not None:
        raise ValueError(f"split is {split}, and ray is not given: only tasks on Ray are split")
    if parts > 1:
        how |= {"seeds": [sweep.seed for sweep in sweeps], "together": together}
        return engine("data_parallel")(sweeps, study, profile, store, parts, **how)
    dataset = studies.load_dataset(study, profile, data_root)
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


def catalogue_networks(dataset: Dataset) -> Callable[[Identity], nn.Module]:
    """What builds the network that an identity names, with initial weights of the run's own."""
    shape = (3, 32, 32)
    if dataset.kind == "images":
        shape = np.asarray(dataset.train.x[np.array([0])]).shape[1:]

    def build(identity: Identity) -> nn.Module:
        return models.build(
            identity["network"],
            len(dataset.class_names),
            in_shape=shape,
            seed=initial_seed(identity),
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
