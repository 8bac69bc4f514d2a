"""One sweep trained: a teacher, then its students from one look of it at each batch.

Nothing here knows where studies are listed, where runs are stored or who draws a progress bar:
networks come from a function, what is finished is handed out, steps are told to a callback.
"""

from __future__ import annotations

import platform
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from kdfair_core.checkpoints import Checkpoint
from kdfair_core.distillation import LossOf, named_loss
from kdfair_core.files import tensors_sha256
from kdfair_core.runs import run_name
from kdfair_core.studies import recipe_of
from kdfair_core.training import compiling
from kdfair_core.training.batches import stable_seed
from kdfair_core.training.learners import Learners, make_learners, to_device
from kdfair_core.training.loop import train
from kdfair_core.training.plan import Identity, Sweep, checkpoint_of
from kdfair_core.training.regroup import clear_finished, companies
from kdfair_core.training.step import Lesson
from kdfair_core.training.teacher import (
    GivenOutputs,
    TeacherOutputs,
    has_features,
    logits_and_features,
    predict,
)
from kdfair_core.training.views import DatasetViews

Weights = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class FinishedRun:
    """What :meth:`kdfair_core.runs.RunStore.write` takes."""

    identity: Identity
    arrays: dict[str, np.ndarray]
    info: dict[str, Any]
    weights: dict[str, np.ndarray] | None


def train_sweep(
    sweep: Sweep,
    views: DatasetViews,
    build: Callable[[Identity], nn.Module],
    *,
    stored_weights: Callable[[Identity], Weights] | None = None,
    checkpoints: Callable[[str, Identity], Checkpoint] | None = None,
    deadline: float | None = None,
    tick: Callable[[int], object] | None = None,
    compiled: bool | None = None,
    soft_loss: LossOf | None = None,
    teacher_logits: np.ndarray | None = None,
    arrange: Callable[..., Learners] = make_learners,
) -> Iterator[list[FinishedRun]]:
    """Train what is missing of a sweep, on the device of its views.

    ``build`` gives the network of an identity, with its initial weights; ``stored_weights`` those
    of a teacher that is not missing; ``checkpoints`` the checkpoint of a name and what it belongs
    to. ``deadline`` is the ``time.monotonic()`` after which no further step is made (then
    OutOfTime); ``tick`` is told of finished steps, each network's counted. ``compiled`` says
    whether networks for images run as compiled programs (by default where their start-up pays),
    ``arrange`` how networks run. ``soft_loss`` takes the place of the one that the recipe names;
    ``teacher_logits``, float ``[training example, class]``, that of a network to ask, without
    augmentation.

    Yields
    ------
    list of FinishedRun
        The teacher's, then the students'. A checkpoint is cleared when the next list is asked for:
        by then the runs had better be stored.
    """
    pending = sweep.to_train()
    one = _Trained(views, build, checkpoints, deadline, tick, compiled, soft_loss, arrange)
    students = [identity for identity in pending if identity != sweep.teacher]
    lessons: dict[str, str] = {}
    teacher: TeacherOutputs | None = None
    if teacher_logits is not None and students:
        shown = views("train", recipe_of(students[0]["recipe"]).augment)
        teacher = GivenOutputs(teacher_logits, shown)
        lessons = {"teacher_weights": tensors_sha256({"logits": teacher_logits})}
    elif sweep.teacher is not None:
        network = build(sweep.teacher)
        if sweep.teacher in pending:
            if not has_features(network):
                warnings.warn(
                    f"the teacher {type(network).__name__} has neither a method features nor a "
                    "linear layer: its run will hold no features",
                    stacklevel=2,
                )
            yield from one.train([sweep.teacher], [sweep.teacher], None, {}, [network])
        if not students:
            return
        if sweep.teacher not in pending:
            if stored_weights is None:
                raise ValueError(
                    f"the teacher {run_name(sweep.teacher)} is not missing, and stored_weights "
                    "is not given"
                )
            given = stored_weights(sweep.teacher)
            network.load_state_dict({name: torch.as_tensor(w) for name, w in given.items()})
            to_device(network, views.device)
        recipe = recipe_of(students[0]["recipe"])
        lessons = {"teacher_weights": tensors_sha256(weights_of(network))}
        teacher = TeacherOutputs(
            network,
            views("train", recipe.augment),
            recipe.precision,
            compiled=one.compiles(recipe, len(students)),
        )
    if students:
        yield from one.train(list(sweep.students), students, teacher, lessons)


@dataclass
class _Trained:
    """What the trainings of one sweep share."""

    views: DatasetViews
    build: Callable[[Identity], nn.Module]
    checkpoints: Callable[[str, Identity], Checkpoint] | None
    deadline: float | None
    tick: Callable[[int], object] | None
    compiled: bool | None
    soft_loss: LossOf | None
    arrange: Callable[..., Learners]

    def train(
        self,
        requested: list[Identity],
        pending: list[Identity],
        teacher: TeacherOutputs | None,
        lessons: dict[str, str],
        networks: list[nn.Module] | None = None,
    ) -> Iterator[list[FinishedRun]]:
        """Train the networks of the pending runs side by side.

        A checkpoint belongs to what was requested and remembers who was being trained. Runs that
        were begun in another company go on from there (see :mod:`kdfair_core.training.regroup`).
        """
        checkpoint = self.checkpoints(*checkpoint_of(requested)) if self.checkpoints else None
        by_name = {run_name(identity): identity for identity in pending}
        finished = {run_name(identity) for identity in requested} - set(by_name)
        for names in companies(checkpoint, list(by_name)):
            members = [by_name[name] for name in names]
            yield self._train(members, checkpoint, teacher, lessons, networks)
            if checkpoint:
                checkpoint.clear()
                clear_finished(checkpoint.beside(), finished := finished | set(names))

    def _train(
        self,
        members: list[Identity],
        checkpoint: Checkpoint | None,
        teacher: TeacherOutputs | None,
        lessons: dict[str, str],
        networks: list[nn.Module] | None,
    ) -> list[FinishedRun]:
        recipe = recipe_of(members[0]["recipe"])
        if networks is None or len(members) != len(networks):
            networks = [self.build(identity) for identity in members]
        names = [run_name(identity) for identity in members]
        device, shown = self.views.device, self.views("train", recipe.augment)
        learners = self.arrange(
            networks,
            device,
            seeds=[stable_seed("draws", name) for name in names],
            compiled=self.compiles(recipe, len(members)),
            fixed=shown.fixed,
        )
        soft_loss = self.soft_loss or named_loss(recipe.loss)
        # who draws is alone; others leave the one stream of random numbers to other threads
        with torch.random.fork_rng([device] if device.type == "cuda" else [], learners.draws):
            history, seconds = train(
                learners,
                shown,
                recipe,
                seed=members[0]["seed"],
                lesson=Lesson.of(members, device, soft_loss),
                teacher=teacher,
                checkpoint=checkpoint,
                names=names,
                deadline=self.deadline,
                tick=lambda steps: self.tick and self.tick(steps * len(members)),
            )
        note = {
            "seconds": seconds / len(members),
            "trained_beside": len(members),
            "compiled": learners.compiled,
            "data": self.views.fingerprint,
        }
        return [
            finished_run(identity, network, losses, self.views, note | lessons)
            for identity, network, losses in zip(members, learners.finish(), history, strict=True)
        ]

    def compiles(self, recipe: Any, n_learners: int) -> bool:
        """Whether a training of so many networks runs as compiled programs."""
        if self.views.dataset.kind != "images":  # texts come in too many shapes
            return False
        shown = len(self.views.dataset.train.y) * recipe.epochs * n_learners
        device = self.views.device
        if device.type == "cuda" and self.compiled is None and self.deadline is not None:
            if self.deadline - time.monotonic() < compiling.GPU_SECONDS:
                return False
        pays = compiling.pays(shown, device)
        return pays if self.compiled is None else self.compiled


def finished_run(
    identity: Identity,
    network: nn.Module,
    losses: np.ndarray,
    views: DatasetViews,
    note: dict[str, Any],
) -> FinishedRun:
    """The run of a trained network: its predictions on the test set, in float32.

    ``losses`` [epoch] and ``note`` are what training knows of it.
    """
    test, dataset = views("test"), views.dataset
    n_classes = len(dataset.class_names)
    teacher = identity["role"] == "teacher"
    if teacher and has_features(network):
        with logits_and_features(network) as call:
            both = predict(network, test, call=call).cpu().numpy()
    else:
        both = predict(network, test).cpu().numpy()
    logits, features = np.split(both, [n_classes], axis=1)
    diverged = not (np.isfinite(losses).all() and np.isfinite(logits).all())
    if diverged:
        warnings.warn(f"run {run_name(identity)} diverged", RuntimeWarning, stacklevel=2)
    prediction = logits.argmax(1)
    arrays = {
        "logits": np.clip(logits, -65504, 65504).astype(np.float16),
        "prediction": prediction.astype(np.uint16 if n_classes > 256 else np.uint8),
        "history": losses[:, None],
    }
    if features.shape[1]:
        arrays["features"] = features.astype(np.float16)
    weights = weights_of(network) if teacher else None
    info = {
        "accuracy": float((prediction == dataset.test.y).mean()),
        "diverged": diverged,
        "parameters": sum(p.numel() for p in network.parameters()),
        "history_columns": ["loss"],
        "environment": environment(views.device),
        **note,
    }
    if weights is not None:
        info["weights"] = tensors_sha256(weights)
    return FinishedRun(identity, arrays, info, weights)


def weights_of(network: nn.Module) -> dict[str, np.ndarray]:
    """A network's parameters and buffers as arrays."""
    return {name: t.cpu().contiguous().numpy() for name, t in network.state_dict().items()}


def environment(device: torch.device) -> dict[str, Any]:
    """What a run was made on, as it is stored beside its numbers."""
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "device": gpu or "cpu",
        "threads": torch.get_num_threads(),
    }
