"""Networks that learn from the same batches side by side, none of them seeing another.

The loop trains *learners*; whether they run one after another or as one program is settled here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from kdfair_core.models.lenet import LeNet5, StackedLeNet5
from kdfair_core.training.views import stable_seed

# What a learner is told: logits [learner, batch, class] of the learners in a slice -> their losses.
LossOf = Callable[[Tensor, slice], Tensor]


class Learners:
    """Any networks, one after another on each batch.

    Only one network's activations are alive at a time, so memory does not grow with their number.

    Parameters
    ----------
    networks : sequence of Module
    seeds : sequence of int
        Seed of what each network draws while it learns (dropout).
    """

    def __init__(self, networks: Sequence[nn.Module], seeds: Sequence[int]) -> None:
        self.networks = list(networks)
        self.seeds = list(seeds)
        self.trained: nn.Module = nn.ModuleList(self.networks)
        self.draws = any(
            "dropout" in type(part).__name__.lower() and getattr(part, "p", 0) > 0
            for part in self.trained.modules()
        )

    def train(self) -> None:
        """Make ready to learn."""
        self.trained.train()

    def backward(self, inputs: tuple[Tensor, ...], loss_of: LossOf, step: int) -> Tensor:
        """Add each network's gradient of its own loss; return the losses, ``[learner]``."""
        losses = []
        for i, network in enumerate(self.networks):
            if self.draws:
                torch.manual_seed(stable_seed("draws", self.seeds[i], step))
            loss = loss_of(network(*inputs)[None], slice(i, i + 1))
            loss.sum().backward()
            losses.append(loss.detach())
        return torch.cat(losses)

    def finish(self) -> list[nn.Module]:
        """The networks with what they have learned, ready to predict."""
        for network in self.networks:
            network.eval()
        return self.networks


class StackedLearners(Learners):
    """LeNet-5 networks of one shape as one program (see :class:`StackedLeNet5`)."""

    def __init__(self, networks: Sequence[LeNet5], device: torch.device) -> None:
        self.networks: list[nn.Module] = list(networks)
        self.trained = to_device(StackedLeNet5(networks), device)

    def backward(self, inputs: tuple[Tensor, ...], loss_of: LossOf, step: int) -> Tensor:
        loss = loss_of(self.trained(*inputs), slice(None))
        loss.sum().backward()
        return loss.detach()

    def finish(self) -> list[nn.Module]:
        self.trained.copy_to(self.networks)  # type: ignore[operator]
        return super().finish()


def to_device(network: nn.Module, device: torch.device) -> nn.Module:
    """Move a network, its convolutions laid out channels last."""
    return network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def make_learners(
    networks: Sequence[nn.Module], device: torch.device, *, seeds: Sequence[int] | None = None
) -> Learners:
    """The fastest way known to train these networks together.

    ``seeds`` are those of what each draws while it learns; by default their positions.
    """
    for network in networks:
        to_device(network, device)
    lenets = [network for network in networks if isinstance(network, LeNet5)]
    if len(lenets) == len(networks) > 1:
        return StackedLearners(lenets, device)
    return Learners(networks, range(len(networks)) if seeds is None else seeds)
