"""One training step: what each learner is asked to minimize, the learning rate, the optimizer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from kdfair_core import distillation
from kdfair_core.studies import Recipe
from kdfair_core.training.learners import Learners
from kdfair_core.training.teacher import autocast


@dataclass
class Lesson:
    """What each learner is asked to minimize.

    Tensors ``[learner]`` of T, of alpha (the weight of the soft term; 0: learn from labels alone)
    and of s(T); and the soft term (see :func:`kdfair_core.distillation.distillation_loss`).
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
        factor_of = distillation.soft_factor
        rows = [
            (i["temperature"], i["alpha"], factor_of(i["temperature"], i["soft_scale"]))
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
    device = parameters[0].device
    gpu = device.type == "cuda"
    rate = torch.tensor(recipe.lr, device=device) if gpu else recipe.lr
    how: dict[str, Any] = {"weight_decay": recipe.weight_decay, "fused": True}
    if recipe.optimizer == "sgd":
        how |= {"momentum": recipe.momentum, "nesterov": recipe.nesterov}
        return torch.optim.SGD(parameters, rate, **how)
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(parameters, rate, capturable=gpu, **how)
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
        tensors = [value for value in moments if isinstance(value, Tensor)]
        return [*trained.parameters(), *trained.buffers(), *tensors]


def set_rate(group: dict[str, Any], rate: float) -> None:
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
