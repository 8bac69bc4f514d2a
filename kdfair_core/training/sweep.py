"""The training loop: a batch is made once, the teacher sees it once, every learner learns from it.

A teacher is trained by the same loop: one learner, and nobody to learn from but the labels.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from kdfair_core import distillation
from kdfair_core.runs import Checkpoint
from kdfair_core.studies import Recipe
from kdfair_core.training.compiling import Compiled
from kdfair_core.training.learners import Learners
from kdfair_core.training.memory import kept_memory
from kdfair_core.training.views import Batch, Views

EVALUATION_BATCH = 250


class OutOfTime(Exception):
    """The time limit came before the last epoch; the checkpoint holds what was done."""


@dataclass
class Lesson:
    """What each learner is asked to minimize.

    Attributes
    ----------
    temperature, alpha, soft_factor : Tensor, shape [learner]
        T, the weight of the soft term (0: learn from labels alone) and s(T).
    """

    temperature: Tensor
    alpha: Tensor
    soft_factor: Tensor

    @classmethod
    def of(cls, identities: Sequence[dict], device: torch.device) -> Lesson:
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
        return cls(*torch.tensor(rows, dtype=torch.float32, device=device).T)


class TeacherOutputs:
    """A teacher's logits for every view that its students are shown.

    Where an example has one view or two, the teacher looks at each once, before the first epoch;
    where it has many, at each batch as it comes. Either way the logits belong to the view that the
    students see.
    """

    def __init__(
        self, network: nn.Module, views: Views, precision: str, *, compiled: bool = False
    ) -> None:
        self.network, self.precision = network.eval(), precision
        self._call = Compiled(network) if compiled else network
        self.table: Tensor | None = None
        if views.n_views is not None:
            columns = [
                predict(network, views, precision, view=view) for view in range(views.n_views)
            ]
            self.table = torch.stack(columns, 1)

    def __call__(self, batch: Batch) -> Tensor:
        """Logits ``[batch, class]``, float32."""
        if self.table is not None and batch.view is not None:
            return self.table[batch.index, batch.view]
        with torch.no_grad(), autocast(batch.labels.device, self.precision):
            return self._call(*batch.inputs).float()


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Mixed precision for "bf16", nothing for "fp32".

    Raises
    ------
    ValueError
        For another name.
    """
    if precision not in ("fp32", "bf16"):
        raise ValueError(f"unknown precision {precision!r}; expected fp32 or bf16")
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


@kept_memory()
@torch.no_grad()
def predict(
    network: nn.Module,
    views: Views,
    precision: str = "fp32",
    *,
    view: int = 0,
    call: Callable[..., Tensor] | None = None,
) -> Tensor:
    """Logits of every example, ``[example, class]``, in the order of the split.

    ``call`` is what is evaluated in place of the network, such as its ``features``.
    """
    network.eval()
    out: Tensor | None = None
    for batch in views.batches(EVALUATION_BATCH, view):
        with autocast(batch.labels.device, precision):
            rows = (call or network)(*batch.inputs).float()
        if out is None:
            out = rows.new_empty((len(views), rows.shape[1]))
        out[batch.index] = rows
    if out is None:
        raise ValueError("no examples to predict: the split is empty")
    return out


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
    """
    decay = recipe.weight_decay
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            parameters,
            recipe.lr,
            momentum=recipe.momentum,
            nesterov=recipe.nesterov,
            weight_decay=decay,
            fused=True,
        )
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(parameters, recipe.lr, weight_decay=decay, fused=True)
    raise ValueError(f"unknown optimizer {recipe.optimizer!r}; expected sgd or adamw")


@kept_memory()
def train(
    learners: Learners,
    views: Views,
    recipe: Recipe,
    *,
    seed: int,
    lesson: Lesson,
    teacher: TeacherOutputs | None = None,
    checkpoint: Checkpoint | None = None,
    note: dict | None = None,
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
        Saved after each epoch; where one is there, training goes on from it.
    note : dict, optional
        What the checkpoint should say of itself.
    deadline : float, optional
        ``time.monotonic()`` after which no further epoch is begun.
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
    steps_per_epoch = sum(1 for n in _sizes(len(views), recipe.batch_size) if n > 1)
    history = np.full((len(learners.networks), recipe.epochs), np.nan, np.float32)
    first, seconds = 0, 0.0
    stored = checkpoint.load() if checkpoint else None
    if stored:
        meta, tensors = stored
        first, seconds = meta["epoch"], meta["seconds"]
        history[:, :first] = tensors.pop("history")[:, :first]
        _restore(learners.trained, optimizer, tensors, device)
        if tick:
            tick(first * steps_per_epoch)
    learners.train()
    for epoch in range(first, recipe.epochs):
        if deadline is not None and time.monotonic() > deadline:
            learners.close()
            raise OutOfTime
        started = time.monotonic()
        total = torch.zeros(len(learners.networks), device=device)
        seen = 0
        batches = views.epoch(seed, epoch, recipe.batch_size)
        for i, (batch, wanted) in enumerate(_taught(batches, teacher, learners)):
            step = epoch * steps_per_epoch + i
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(recipe, step, steps_per_epoch)

            def loss_of(logits: Tensor, which: slice, batch=batch, wanted=wanted) -> Tensor:
                with torch.autocast(device.type, enabled=False):
                    return distillation.distillation_loss(
                        logits.float(),
                        wanted,
                        batch.labels,
                        temperature=lesson.temperature[which],
                        alpha=lesson.alpha[which],
                        soft_factor=lesson.soft_factor[which],
                    )

            optimizer.zero_grad(set_to_none=True)
            with autocast(device, recipe.precision):
                losses = learners.backward(batch.inputs, loss_of, step)
            optimizer.step()
            total += losses * len(batch.index)
            seen += len(batch.index)
            if tick:
                tick(1)
        history[:, epoch] = (total / seen).cpu().numpy()  # the one synchronization of an epoch
        seconds += time.monotonic() - started
        if checkpoint:
            meta = {**(note or {}), "epoch": epoch + 1, "seconds": seconds}
            checkpoint.save(meta, {"history": history, **_state(learners.trained, optimizer)})
    return history, seconds


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


def _sizes(n: int, batch_size: int) -> list[int]:
    return [min(batch_size, n - start) for start in range(0, n, batch_size)]


def _state(trained: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, np.ndarray]:
    tensors = {f"network.{name}": t for name, t in trained.state_dict().items()}
    for i, parameter in enumerate(optimizer.param_groups[0]["params"]):
        for name, value in optimizer.state[parameter].items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{i}.{name}"] = value
    return {name: t.detach().cpu().contiguous().numpy() for name, t in tensors.items()}


def _restore(
    trained: nn.Module,
    optimizer: torch.optim.Optimizer,
    tensors: dict[str, np.ndarray],
    device: torch.device,
) -> None:
    parameters = optimizer.param_groups[0]["params"]
    state = {}
    for name, array in tensors.items():
        kind, _, rest = name.partition(".")
        if kind == "network":
            state[rest] = torch.as_tensor(array)
        else:
            i, _, key = rest.partition(".")
            value = torch.as_tensor(array)
            if value.dim():  # lay it out as the parameter is, so that sums come out bit for bit
                value = torch.empty_like(parameters[int(i)]).copy_(value)
            optimizer.state[parameters[int(i)]][key] = value
    trained.load_state_dict(state)
