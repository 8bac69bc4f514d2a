"""The training loop: a batch is made once, the teacher sees it once, every learner learns from it.

A teacher is trained by the same loop: one learner, and nobody to learn from but the labels.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kdfair_core.checkpoints import CHECKPOINT_MINUTES, FORMAT, GPU_SECONDS, Checkpoint
from kdfair_core.studies import Recipe
from kdfair_core.training.batches import Batch
from kdfair_core.training.captured import Captured
from kdfair_core.training.learners import Learners
from kdfair_core.training.step import Lesson, Step, learning_rate, make_optimizer, set_rate
from kdfair_core.training.teacher import TeacherOutputs, products
from kdfair_core.training.views import Views


class OutOfTime(Exception):
    """The time limit came before the last epoch; the checkpoint holds what was done."""


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
    """Train all learners, in place, to the recipe's last epoch.

    ``seed`` is that of the order and the augmentation of examples. Without a ``teacher`` everyone
    learns from labels alone. Where a ``checkpoint`` is there, training goes on from it; it is saved
    after each epoch and every few minutes, and calls the learners by ``names`` (by default their
    positions). ``deadline`` is the ``time.monotonic()`` after which no further step is made;
    ``tick`` is told the number of finished steps.

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
                    set_rate(group, learning_rate(recipe, done, steps_per_epoch))
                step.number = done
                losses = make_step(batch.labels, wanted, *batch.inputs)
                total += losses * batch.size
                seen += batch.size
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
