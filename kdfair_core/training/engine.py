"""What a study asks for, trained and stored: seed by seed, resumable at every epoch."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from kdfair_core import datasets, distillation, models, studies
from kdfair_core.datasets import Dataset
from kdfair_core.runs import RunStore, identity_hash, run_name
from kdfair_core.studies import Recipe, Study
from kdfair_core.training import compiling
from kdfair_core.training.learners import Learners, make_learners, to_device
from kdfair_core.training.machine import environment
from kdfair_core.training.sweep import Lesson, OutOfTime, TeacherOutputs, predict, train
from kdfair_core.training.views import Views, make_views, stable_seed

Identity = dict[str, Any]


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
    time_limit: float | None = None,
    data_root: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> int:
    """Train what is missing of a study, and store each run as its sweep finishes.

    Runs that are stored already are not trained again. Training is checkpointed at each epoch; a
    killed or timed-out call is taken up by the next one with the same arguments, and ends on the
    same CPU bit for bit where an unbroken one would.

    Parameters
    ----------
    study, profile : str
        Names out of :mod:`kdfair_core.studies`; a :class:`Study` of one's own works too.
    store : RunStore
        Where finished runs and checkpoints lie.
    seeds, temperatures, alphas, soft_scales : iterable, optional
        In place of the profile's. Null seeds count as seeds.
    device : str
        "cpu", "cuda", ...; "auto" takes a GPU if there is one.
    precision : str, optional
        "fp32" or "bf16" in place of the recipes'.
    compiled : bool, optional
        Whether networks for images run as compiled programs; by default where their start-up pays
        (see :mod:`kdfair_core.training.compiling`).
    time_limit : float, optional
        Minutes after which no further epoch is begun.
    data_root : path, optional
        Where data sets lie; see :func:`kdfair_core.datasets.load`.
    progress : bool
        Draw a progress bar with the time left.

    Returns
    -------
    int
        Number of runs written.

    Raises
    ------
    ValueError
        For a study, profile, temperature, alpha, soft_scale, precision or device that cannot be.
    DatasetMissing
        If the data set is not there.
    """
    study = studies.get(study) if isinstance(study, str) else study
    study = _narrowed(study, profile, temperatures, alphas, soft_scales, precision)
    chosen = study.profile(profile)
    wanted = chosen.seeds + chosen.null_seeds if seeds is None else tuple(seeds)
    sweeps = _pending(study, profile, wanted, store)
    if not any(sweep.pending for sweep in sweeps):
        return 0
    dataset = datasets.load(study.dataset, root=data_root, **chosen.dataset)
    if len(dataset.class_names) != study.n_classes:
        raise ValueError(
            f"data set {study.dataset!r} has {len(dataset.class_names)} classes; "
            f"study {study.name!r} expects {study.n_classes}"
        )
    deadline = None if time_limit is None else time.monotonic() + 60 * time_limit
    trainer = _Trainer(study, profile, dataset, store, pick_device(device), deadline, compiled)
    with tqdm(
        total=sum(sweep.work(len(dataset.train.y)) for sweep in sweeps),
        unit="step",
        unit_scale=True,
        smoothing=0.02,
        disable=not progress,
        desc=f"{study.name}/{profile}",
    ) as bar:
        trainer.bar = bar
        for sweep in sweeps:
            if sweep.pending:
                try:
                    trainer.run(sweep)
                except OutOfTime:
                    bar.write(f"time limit reached in seed {sweep.seed}; run again to go on")
                    break
    return trainer.written


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


@dataclass
class _Sweep:
    """The runs of one seed: a teacher (None for a null seed) and students."""

    seed: int
    teacher: Identity | None
    students: list[Identity]
    pending: list[Identity]
    teacher_recipe: Recipe
    student_recipe: Recipe

    def work(self, n_train: int) -> int:
        """Steps that are left, each network's counted."""
        count = 0
        for identity in self.pending:
            teacher = identity["role"] == "teacher"
            recipe = self.teacher_recipe if teacher else self.student_recipe
            count += recipe.epochs * -(-n_train // recipe.batch_size)
        return count


def _narrowed(
    study: Study,
    profile_name: str,
    temperatures: Iterable[float] | None,
    alphas: Iterable[float] | None,
    soft_scales: Iterable[str] | None,
    precision: str | None,
) -> Study:
    """The study with what the caller asked for in place of the profile's, checked."""
    given = study.profile(profile_name)
    changes: dict[str, Any] = {}
    if temperatures is not None:
        changes["temperatures"] = tuple(temperatures)
    if alphas is not None:
        changes["alphas"] = tuple(alphas)
    if soft_scales is not None:
        changes["soft_scales"] = tuple(soft_scales)
    if precision is not None:
        changes["teacher_recipe"] = replace(given.teacher_recipe, precision=precision)
        changes["student_recipe"] = replace(given.student_recipe, precision=precision)
    profile = replace(given, **changes)
    for temperature in profile.temperatures:
        for alpha in profile.alphas:
            for soft_scale in profile.soft_scales:
                distillation.check(temperature, alpha, soft_scale)
    return replace(study, profiles={**study.profiles, profile_name: profile})


def _pending(
    study: Study, profile_name: str, seeds: Sequence[int], store: RunStore
) -> list[_Sweep]:
    profile = study.profile(profile_name)
    sweeps = []
    for seed in seeds:
        null = seed in profile.null_seeds
        teacher = None if null else studies.teacher_identity(study, profile_name, seed)
        role = "null" if null else None
        students = list(studies.student_identities(study, profile_name, seed, role=role))
        everyone = students if teacher is None else [teacher, *students]
        pending = [identity for identity in everyone if not store.has(identity)]
        recipes = (profile.teacher_recipe, profile.student_recipe)
        sweeps.append(_Sweep(seed, teacher, students, pending, *recipes))
    return sweeps


class _Trainer:
    """Trains the sweeps of one study on one device."""

    def __init__(
        self,
        study: Study,
        profile_name: str,
        dataset: Dataset,
        store: RunStore,
        device: torch.device,
        deadline: float | None,
        compiled: bool | None,
    ) -> None:
        self.compiled = compiled
        self.study, self.profile_name, self.store = study, profile_name, store
        self.profile = study.profile(profile_name)
        self.dataset, self.device, self.deadline = dataset, device, deadline
        self.bar: tqdm = tqdm(disable=True)
        self.written = 0
        self._views: dict[tuple[str, tuple[str, ...]], Views] = {}

    def run(self, sweep: _Sweep) -> None:
        """Train one seed: its teacher, then its students together."""
        teacher = None
        pending = [identity for identity in sweep.pending if identity != sweep.teacher]
        if sweep.teacher is not None:
            network = self.build(sweep.teacher)
            if sweep.teacher in sweep.pending:
                recipe = self.profile.teacher_recipe
                self.train([sweep.teacher], [sweep.teacher], recipe, None, [network])
            if not pending:
                return
            weights = self.store.weights(sweep.teacher)
            network.load_state_dict({name: torch.as_tensor(w) for name, w in weights.items()})
            to_device(network, self.device)
            teacher = TeacherOutputs(
                network,
                self.views("train", self.profile.student_recipe.augment),
                self.profile.student_recipe.precision,
                compiled=self.compiles(self.profile.student_recipe, len(pending)),
            )
        if pending:
            self.train(sweep.students, pending, self.profile.student_recipe, teacher)

    def train(
        self,
        requested: list[Identity],
        pending: list[Identity],
        recipe: Recipe,
        teacher: TeacherOutputs | None,
        networks: list[nn.Module] | None = None,
    ) -> None:
        """Train the networks of the pending runs side by side and store them.

        A checkpoint belongs to what was requested and remembers who was being trained: a call that
        was killed while it stored finished runs goes on with the same company.
        """
        seed = pending[0]["seed"]
        checkpoint = self.store.checkpoint(
            f"{self.study.name}/{self.profile_name}/{_company_name(requested)}",
            _common(requested),
        )
        stored = checkpoint.load()
        if stored:
            members = [i for i in requested if run_name(i) in set(stored[0]["members"])]
        else:
            members = pending
        if networks is None or len(members) != len(networks):
            networks = [self.build(identity) for identity in members]
        seeds = [stable_seed("draws", run_name(identity)) for identity in members]
        compiled = self.compiles(recipe, len(members))
        learners = make_learners(networks, self.device, seeds=seeds, compiled=compiled)
        with torch.random.fork_rng(devices=[]):
            history, seconds = train(
                learners,
                self.views("train", recipe.augment),
                recipe,
                seed=seed,
                lesson=Lesson.of(members, self.device),
                teacher=teacher,
                checkpoint=checkpoint,
                note={"members": [run_name(identity) for identity in members]},
                deadline=self.deadline,
                tick=lambda steps: self.bar.update(steps * len(members)),
            )
        self.save(members, learners, history, seconds / len(members))
        checkpoint.clear()

    def compiles(self, recipe: Recipe, n_learners: int) -> bool:
        """Whether a training of so many networks runs as compiled programs."""
        if not self.dataset.mean:  # texts come in too many shapes
            return False
        shown = len(self.dataset.train.y) * recipe.epochs * n_learners
        return compiling.pays(shown, self.device) if self.compiled is None else self.compiled

    def save(
        self, members: list[Identity], learners: Learners, history: np.ndarray, seconds: float
    ) -> None:
        """Predict the test set in float32 and store each run."""
        test = self.views("test")
        labels = self.dataset.test.y
        for identity, network, losses in zip(members, learners.finish(), history, strict=True):
            if self.store.has(identity):
                continue
            teacher = identity["role"] == "teacher"
            call = logits_and_features(network) if teacher else None
            logits, features = np.split(
                predict(network, test, call=call).cpu().numpy(), [self.study.n_classes], axis=1
            )
            diverged = not (np.isfinite(losses).all() and np.isfinite(logits).all())
            if diverged:
                warnings.warn(f"run {run_name(identity)} diverged", RuntimeWarning, stacklevel=2)
            prediction = logits.argmax(1)
            arrays = {
                "logits": np.clip(logits, -65504, 65504).astype(np.float16),
                "prediction": prediction.astype(np.uint16 if logits.shape[1] > 256 else np.uint8),
                "history": losses[:, None],
            }
            if teacher:
                arrays["features"] = features.astype(np.float16)
            info = {
                "accuracy": float((prediction == labels).mean()),
                "diverged": diverged,
                "seconds": seconds,
                "parameters": sum(p.numel() for p in network.parameters()),
                "history_columns": ["loss"],
                "trained_beside": len(members),
                "compiled": learners.compiled,
                "environment": environment(self.device),
            }
            weights = None
            if teacher:
                state = network.state_dict()
                weights = {name: t.cpu().contiguous().numpy() for name, t in state.items()}
            self.store.write(identity, arrays, info, weights)
            self.written += 1

    def build(self, identity: Identity) -> nn.Module:
        """The network of a run with its own initial weights, whoever is trained beside it."""
        role = "nds" if identity["role"] == "null" else identity["role"]
        parts = (identity["temperature"], identity["alpha"], identity["soft_scale"])
        first = self.dataset.train.x[np.array([0])]
        return models.build(
            identity["network"],
            self.study.n_classes,
            in_shape=first.shape[1:] if self.dataset.mean else (3, 32, 32),
            seed=stable_seed("init", role, identity["seed"], *parts),
            pretrained=identity["recipe"]["pretrained"],
        )

    def views(self, split: str, augment: tuple[str, ...] = ()) -> Views:
        key = (split, augment)
        if key not in self._views:
            self._views[key] = make_views(
                self.dataset, getattr(self.dataset, split), self.device, augment
            )
        return self._views[key]


def _common(identities: list[Identity]) -> Identity:
    """What all runs of a sweep share: what a checkpoint must have been made with."""
    first = identities[0]
    shared = ("study", "profile", "seed", "dataset", "network", "recipe", "engine")
    teachers = sorted({i["teacher"] for i in identities if "teacher" in i})
    return {key: first[key] for key in shared} | {"teachers": teachers}


def _company_name(identities: list[Identity]) -> str:
    """Name of the checkpoint of runs requested together: role, seed, and which they are."""
    first = identities[0]
    which = [[i["role"], i["temperature"], i["alpha"], i["soft_scale"]] for i in identities]
    role = "teacher" if first["role"] == "teacher" else "students"
    return f"{role}-s{first['seed']}-{identity_hash({'which': which})[:8]}"


def logits_and_features(network: nn.Module) -> Callable[..., Tensor]:
    """What gives ``[batch, class + feature]`` in one look: logits, and what the last layer read."""
    last = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
    read: list[Tensor] = []
    last.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))

    def call(*inputs: Tensor) -> Tensor:
        logits = network(*inputs)
        return torch.cat([logits, read.pop()], 1)

    return call
