"""One network on several devices: each process learns from its part of every batch.

What torch's DistributedDataParallel adds up is what one process would have learned: losses are
weighted by the examples of each part, and batch norm uses the whole batch's mean and variance.
Weights, checkpoints and histories have the names and shapes of one process: a training goes on
with another number of devices. What differs is rounding, and the random numbers of dropout.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from kdfair_core.checkpoints import Checkpoint
from kdfair_core.training.batches import stable_seed
from kdfair_core.training.learners import Learners, LossOf, to_device
from kdfair_core.training.views import DatasetViews, Views


class Finished(Exception):
    """A process other than the first has nothing to do after the last step."""


class SharedLearners(Learners):
    """One network, trained by all processes of the default group.

    Takes the place of :func:`kdfair_core.training.learners.make_learners`.

    Raises
    ------
    ValueError
        For several networks, and kinds of batch norm whose statistics cannot be shared.
    """

    def __init__(
        self,
        networks: Sequence[nn.Module],
        device: torch.device,
        *,
        seeds: Sequence[int],
        **_: Any,
    ) -> None:
        if len(networks) != 1:
            raise ValueError(f"{len(networks)} networks; expected one that processes share")
        network = share_batch_norm(to_device(networks[0], device), device)
        super().__init__([network], seeds)
        ids = [device] if device.type == "cuda" else None
        self._calls = [DistributedDataParallel(network, ids, forward_sync_buffers=False)]
        self._checked = False

    def _learn(self, inputs: tuple[Tensor, ...], loss_of: LossOf, step: int, i: int) -> Tensor:
        rank, processes = dist.get_rank(), dist.get_world_size()
        if self.draws:
            torch.manual_seed(stable_seed("draws", self.seeds[i], step, rank))
        examples = torch.tensor([float(len(inputs[0]))], device=inputs[0].device)
        whole = _summed(examples)
        logits = self._calls[i](*inputs)
        if len(inputs[0]):
            loss = loss_of(logits[None], self.parts[i].which) * examples / whole
        else:  # the last batch may have fewer examples than there are processes
            loss = logits.sum()[None] * 0
        (loss.sum() * processes).backward()  # the gradients' mean over processes is taken
        if not self._checked:
            self._check()
        return _summed(loss.detach())

    def _check(self) -> None:
        self._checked = True
        for name, parameter in self.networks[0].named_parameters():
            if parameter.requires_grad and parameter.grad is None:
                raise ValueError(
                    f"the parameter {name} of {type(self.networks[0]).__name__} has no part in "
                    "its logits, which several devices cannot share: leave gpus_per_teacher out"
                )

    def finish(self) -> list[nn.Module]:
        if dist.get_rank():
            raise Finished
        return super().finish()


class SharedViews(DatasetViews):
    """A data set of which this process shows its part of each training batch."""

    def __call__(self, split: str, augment: tuple[str, ...] = ()) -> Views:
        views = super().__call__(split, augment)
        if split == "train":
            views.share = (dist.get_rank(), dist.get_world_size())
        return views


class SharedCheckpoint(Checkpoint):
    """A checkpoint that the first process reads and writes; the others are told what it holds."""

    def __init__(self, one: Checkpoint) -> None:
        super().__init__(one.path, one.identity)
        self.one = one

    def load(self, **how: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
        told: list[Any] = [None]
        if dist.get_rank() == 0:
            told = [self.one.load(**how)]
        dist.broadcast_object_list(told, src=0, device=torch.device("cpu"))
        return told[0]

    def beside(self) -> list[Checkpoint]:
        return []  # a teacher is alone

    def save(self, meta: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> None:
        if dist.get_rank() == 0:
            self.one.save(meta, tensors)

    def clear(self) -> None:
        if dist.get_rank() == 0:
            self.one.clear()


def share_batch_norm(network: nn.Module, device: torch.device) -> nn.Module:
    """Let a network's batch norm use the mean and variance of all processes' examples."""
    if device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(network)
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if isinstance(child, _BatchNorm):
                setattr(parent, name, _BatchNormOfAll.like(child))
    return network


class _BatchNormOfAll(_BatchNorm):
    """Batch norm by the whole batch's mean and variance, on CPUs, where torch has none."""

    @classmethod
    def like(cls, given: _BatchNorm) -> _BatchNormOfAll:
        plain = type(given) in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
        if not plain or given.momentum is None or given.running_mean is None:
            raise ValueError(
                f"{given} cannot be shared by several processes; expected torch's batch norm with "
                "a momentum and running statistics"
            )
        made = cls(given.num_features, given.eps, given.momentum, given.affine)
        for name, tensor in (*given.named_parameters(), *given.named_buffers()):
            setattr(made, name, tensor)
        return made.train(given.training)

    def _check_input_dim(self, input: Tensor) -> None:
        return

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        wide = input if input.dtype == torch.float64 else input.float()
        axes = [axis for axis in range(wide.dim()) if axis != 1]
        count = _summed(torch.tensor(wide.numel() / wide.shape[1]))
        mean = _Sum.apply(wide.sum(axes)) / count
        shape = [1, -1] + [1] * (wide.dim() - 2)
        centered = wide - mean.view(shape)
        variance = _Sum.apply(centered.square().sum(axes)) / count
        with torch.no_grad():
            assert self.running_mean is not None and self.running_var is not None
            assert self.momentum is not None and self.num_batches_tracked is not None
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        out = centered * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            out = out * self.weight.view(shape) + self.bias.view(shape)
        return out.to(input.dtype)


class _Sum(torch.autograd.Function):
    """The sum of all processes' tensors; so is its gradient."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        return _summed(tensor)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _summed(gradients[0])


def _summed(tensor: Tensor) -> Tensor:
    total = tensor.clone(memory_format=torch.contiguous_format)
    dist.all_reduce(total)
    return total


def shared_checkpoints(
    checkpoints: Callable[[str, dict[str, Any]], Checkpoint],
) -> Callable[[str, dict[str, Any]], Checkpoint]:
    """Checkpoints of a store, as all processes share them."""
    return lambda name, identity: SharedCheckpoint(checkpoints(name, identity))
