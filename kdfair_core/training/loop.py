"""The training loop: a batch is made once, the teacher sees it once, every learner learns from it.

A teacher is trained by the same loop: one learner, and nobody to learn from but the labels.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kdfair_core import distillation
from kdfair_core.checkpoints import Checkpoint
from kdfair_core.studies import Recipe
from kdfair_core.training.batches import Batch
from kdfair_core.training.captured import Captured
from kdfair_core.training.learners import Learners
from kdfair_core.training.teacher import TeacherOutputs, autocast, products
from kdfair_core.training.views import Views

CHECKPOINT_MINUTES = 5
"""Training is stored at each epoch's end, and within an epoch when it was not for so long."""

GPU_SECONDS = 60
"""Epochs of a GPU that end sooner after what was stored are not stored."""

FORMAT = 2
"""Of what a checkpoint holds; one of another format is passed over."""


class OutOfTime(Exception):
    """The time limit came before the last epoch; the checkpoint holds what was done."""


@dataclass
class Lesson:
    """What each learner is asked to minimize.

    Attributes
    ----------
    temperature, alpha, soft_factor : Tensor, shape [learner]
        T, the weight of the soft term (0: learn from labels alone) and s(T).
    soft_loss : callable
        The soft term; see :func:`kdfair_core.distillation.distillation_loss`.
    """

    temperature: Tensor
    alpha: Tensor
    soft_factor: Tensor
    soft_loss: distillation.LossOf = distillation.hinton

    @classmethod
    def of(
        cls,
        identities: Sequence[dict],
        device: torch.device,
        soft_loss: distillation.LossOf = distillation.hinton,
    ) -> Lesson:
        """The lesson of the runs with these identities."""
        rows = [
            (
                i["temperature"],
                i["alpha"],
                distillation.soft_factor(i["temperature"], i["soft_scale"]),
            )
            if i["role"] == "ds"
            else (1.0, 0.0, 1.0)
            for i in identities
        ]
        temperature, alpha, factor = torch.tensor(rows, dtype=torch.float32, device=device).T
        return cls(temperature, alpha, factor, soft_loss)


def learning_rate(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """Learning rate of one step: drops at milestones, or one cycle (see :class:`Recipe`)."""
    if recipe.schedule not in ("steps", "cycle"):
        raise ValueError(f"unknown schedule {recipe.schedule!r}; expected steps or cycle")
    warmup = recipe.warmup * recipe.epochs * steps_per_epoch
    ramp = min(1.0, (step + 1) / warmup) if warmup else 1.0
    if recipe.schedule == "cycle" or recipe.optimizer == "adamw":
        total = recipe.epochs * steps_per_epoch
        return recipe.lr * min(ramp, (total - step) / max(total - warmup, 1))
    epoch = step // steps_per_epoch
    return recipe.lr * ramp * recipe.gamma ** sum(epoch >= m for m in recipe.milestones)


def make_optimizer(recipe: Recipe, parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
    """The recipe's optimizer; element by element, so that learners stay strangers.

    Fused: a step passes over the memory of parameters and moments once, not once an operation.
    On a GPU the learning rate is a tensor, which a captured step reads anew.
    """
    decay, device = recipe.weight_decay, parameters[0].device
    gpu = device.type == "cuda"
    rate = torch.tensor(recipe.lr, device=device) if gpu else recipe.lr
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            parameters,
            rate,
            momentum=recipe.momentum,
            nesterov=recipe.nesterov,
            weight_decay=decay,
            fused=True,
        )
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(parameters, rate, weight_decay=decay, fused=True, capturable=gpu)
    raise ValueError(f"unknown optimizer {recipe.optimizer!r}; expected sgd or adamw")


@dataclass
class Step:
    """One step of all learners: forward pass, losses ``[learner]``, backward pass, optimizer."""

    learners: Learners
    optimizer: torch.optim.Optimizer
    lesson: Lesson
    precision: str
    number: int = 0

    def __call__(self, labels: Tensor, wanted: Tensor | None, *inputs: Tensor) -> Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        with autocast(labels.device, self.precision):
            loss_of = partial(_losses, self.lesson, labels, wanted)
            losses = self.learners.backward(inputs, loss_of, self.number)
        self.optimizer.step()
        return losses

    def changes(self) -> list[Tensor]:
        """The tensors that a step changes."""
        trained = self.learners.trained
        moments = [v for of in self.optimizer.state.values() for v in of.values()]
        return [
            *trained.parameters(),
            *trained.buffers(),
            *(value for value in moments if isinstance(value, Tensor)),
        ]


def train(
    learners: Learners,
    views: Views,
    recipe: Recipe,
    *,
    seed: int,
    lesson: Lesson,
    teacher: TeacherOutputs | None = None,
    checkpoint: Checkpoint | None = None,
    names: Sequence[str] | None = None,
    deadline: float | None = None,
    tick: Callable[[int], object] | None = None,
) -> tuple[np.ndarray, float]:
    """Train all learners to the recipe's last epoch.

    Parameters
    ----------
    learners : Learners
        Trained in place.
    views : Views
    recipe : Recipe
    seed : int
        Seed of the order and the augmentation of examples.
    lesson : Lesson
    teacher : TeacherOutputs, optional
        None where everyone learns from labels alone.
    checkpoint : Checkpoint, optional
        Saved after each epoch and every few minutes; where one is there, training goes on from it.
    names : sequence of str, optional
        What the checkpoint calls the learners; by default their positions.
    deadline : float, optional
        ``time.monotonic()`` after which no further step is made.
    tick : callable, optional
        Told the number of finished steps, to draw progress.

    Returns
    -------
    history : array, shape [learner, epoch]
        Mean training loss; NaN where a learner diverged.
    seconds : float
        Training time, of earlier sittings too.

    Raises
    ------
    OutOfTime
        At the deadline.
    """
    parameters = list(learners.trained.parameters())
    device = parameters[0].device
    optimizer = make_optimizer(recipe, parameters)
    steps_per_epoch = views.steps(recipe.batch_size)
    names = [str(i) for i in range(len(learners.networks))] if names is None else names
    history = np.full((len(names), recipe.epochs), np.nan, np.float32)
    total = torch.zeros(len(names), device=device)
    done, seconds, seen = 0, 0.0, 0
    stored = read_checkpoint(checkpoint, names)
    if stored:
        meta, states, arrays = stored
        done, seconds, seen = meta["step"], meta["seconds"], meta["seen"]
        history, total = arrays["history"].numpy().copy(), arrays["total"].to(device)
        learners.load(states, optimizer)
        if tick:
            tick(done)
    step = Step(learners, optimizer, lesson, recipe.precision)
    make_step = Captured(step, step.changes) if learners.captured else step
    began = saved = time.monotonic()
    kept = done

    def save() -> None:
        nonlocal kept, saved
        if checkpoint:
            spent = seconds + time.monotonic() - began
            meta = {"format": FORMAT, "members": list(names), "step": done, "seen": seen}
            tensors = {"history": torch.from_numpy(history), "total": total}
            for name, state in zip(names, learners.state(optimizer), strict=True):
                tensors |= {f"{name}/{key}": value for key, value in state.items()}
            arrays = {n: t.detach().cpu().contiguous().numpy() for n, t in tensors.items()}
            checkpoint.save({**meta, "seconds": spent}, arrays)
            kept, saved = done, time.monotonic()

    with learners, products(device, recipe.precision):
        for epoch in range(done // steps_per_epoch, recipe.epochs):
            batches = views.epoch(seed, epoch, recipe.batch_size, start=done % steps_per_epoch)
            for batch, wanted in _taught(batches, teacher, learners):
                if deadline is not None and time.monotonic() > deadline:
                    if done != kept:
                        save()
                    raise OutOfTime
                for group in optimizer.param_groups:
                    _set_rate(group, learning_rate(recipe, done, steps_per_epoch))
                step.number = done
                losses = make_step(batch.labels, wanted, *batch.inputs)
                total += losses * len(batch.index)
                seen += len(batch.index)
                done += 1
                if tick:
                    tick(1)
                within = done % steps_per_epoch
                if within and time.monotonic() - saved > 60 * CHECKPOINT_MINUTES:
                    save()
            history[:, epoch] = (total / seen).cpu().numpy()
            total, seen = torch.zeros_like(total), 0
            rest = device.type == "cuda" and epoch + 1 < recipe.epochs
            if not rest or time.monotonic() - saved > GPU_SECONDS:
                save()
    return history, seconds + time.monotonic() - began


def read_checkpoint(
    checkpoint: Checkpoint | None, names: Sequence[str] | None = None
) -> tuple[dict[str, Any], list[dict[str, Tensor]], dict[str, Tensor]] | None:
    """What a checkpoint notes, each learner's tensors, and the other arrays; None without one.

    With ``names``, of these learners only, which must be among its members.
    """
    stored = checkpoint.load() if checkpoint else None
    if stored is None:
        return None
    meta, arrays = stored
    if meta.get("format") != FORMAT:
        assert checkpoint is not None
        warnings.warn(
            f"the checkpoint {checkpoint.path} has format {meta.get('format', 1)}, expected "
            f"{FORMAT}: training begins anew",
            RuntimeWarning,
            stacklevel=2,
        )
        return None
    states: dict[str, dict[str, Tensor]] = {name: {} for name in meta["members"]}
    rest: dict[str, Tensor] = {}
    for key, array in arrays.items():
        name, _, what = key.partition("/")
        (states[name] if what else rest)[what or name] = torch.as_tensor(array)
    return meta, [states[name] for name in names or meta["members"]], rest


def _set_rate(group: dict[str, Any], rate: float) -> None:
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate


def _losses(
    lesson: Lesson, labels: Tensor, wanted: Tensor | None, logits: Tensor, which: slice
) -> Tensor:
    """The losses ``[learner]`` of the learners in a slice, in float32."""
    with torch.autocast(logits.device.type, enabled=False):
        return distillation.distillation_loss(
            logits.float(),
            wanted,
            labels,
            temperature=lesson.temperature[which],
            alpha=lesson.alpha[which],
            soft_factor=lesson.soft_factor[which],
            soft_loss=lesson.soft_loss,
        )


def _taught(
    batches: Iterator[Batch], teacher: TeacherOutputs | None, learners: Learners
) -> Iterator[tuple[Batch, Tensor | None]]:
    """Each batch with the teacher's logits.

    Where learners have a core each, the teacher looks at the next batch on one of them while they
    learn from this one: no core waits for it, or for the last of an odd number of learners.
    """
    if teacher is None:
        yield from ((batch, None) for batch in batches)
        return
    ahead: tuple[Batch, Callable[[], Tensor]] | None = None
    for batch in batches:
        ready = (ahead[0], ahead[1]()) if ahead else None
        ahead = batch, learners.beside(partial(teacher, batch))
        if ready:
            yield ready
    if ahead:
        yield ahead[0], ahead[1]()
