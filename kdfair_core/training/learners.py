"""Networks that learn from the same batches side by side, none of them seeing another.

The loop trains *learners*; whether they run one after another, on a core each or as one program is
settled here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import torch
from torch import Tensor, nn

from kdfair_core.models.lenet import LeNet5, StackedLeNet5
from kdfair_core.training.compiling import Compiled
from kdfair_core.training.views import stable_seed

# What a learner is told: logits [learner, batch, class] of the learners in a slice -> their losses.
LossOf = Callable[[Tensor, slice], Tensor]

STACK = 4
"""LeNet-5 networks that run as one program on a CPU: their activations still fit its caches."""


class Learners:
    """Any networks, each on its own.

    On a CPU of several cores, every core works on another network: nothing waits for the slowest
    core of each operation, and no sum depends on how many there are. Only as many networks'
    activations are alive as there are cores, so memory does not grow with the networks. Networks
    with dropout run one after another, since torch has one stream of random numbers.

    Parameters
    ----------
    networks : sequence of Module
    seeds : sequence of int
        Seed of what each network draws while it learns (dropout).
    compiled : bool
        Run them as compiled programs (see :mod:`kdfair_core.training.compiling`).
    """

    def __init__(
        self, networks: Sequence[nn.Module], seeds: Sequence[int], *, compiled: bool = False
    ) -> None:
        self.networks = list(networks)
        self.seeds = list(seeds)
        self.parts = self._make_parts()
        self.trained: nn.Module = nn.ModuleList([part for part, _ in self.parts])
        self.draws = any(
            "dropout" in type(part).__name__.lower() and getattr(part, "p", 0) > 0
            for part in self.trained.modules()
        )
        self.compiled = compiled and not self.draws
        self._calls = [Compiled(part) if self.compiled else part for part, _ in self.parts]
        self._cold = self.compiled  # one core compiles, the others wait and share the program
        self._pool: ThreadPoolExecutor | None = None
        self._threads = 1  # torch's, when the pool was opened

    def _make_parts(self) -> list[tuple[nn.Module, slice]]:
        """Modules that run at a time, and which learners each holds."""
        return [(network, slice(i, i + 1)) for i, network in enumerate(self.networks)]

    def train(self) -> None:
        """Make ready to learn."""
        self.trained.train()
        device = next(self.trained.parameters()).device
        self._threads = torch.get_num_threads()
        cores = min(self._threads, len(self.parts))
        if device.type == "cpu" and cores > 1 and not self.draws and self._pool is None:
            one_core = partial(torch.set_num_threads, 1)
            self._pool = ThreadPoolExecutor(cores, initializer=one_core)

    def backward(self, inputs: tuple[Tensor, ...], loss_of: LossOf, step: int) -> Tensor:
        """Add each network's gradient of its own loss; return the losses, ``[learner]``."""
        learn = partial(self._learn, inputs, loss_of, step)
        if self._pool is None:
            return torch.cat([learn(i) for i in range(len(self.parts))])
        # autocast holds for the thread that entered it
        enabled = torch.is_autocast_enabled("cpu")
        dtype = torch.get_autocast_dtype("cpu")

        def in_thread(i: int) -> Tensor:
            with torch.autocast("cpu", dtype, enabled=enabled):
                return learn(i)

        if self._cold:
            self._cold = False
            first = self._pool.submit(in_thread, 0).result()
            rest = self._pool.map(in_thread, range(1, len(self.parts)))
            return torch.cat([first, *rest])
        return torch.cat(list(self._pool.map(in_thread, range(len(self.parts)))))

    def beside(self, work: Callable[[], Tensor]) -> Callable[[], Tensor]:
        """Begin work on one of the learners' cores; calling what is returned waits for its result.

        Where the learners share one core or a GPU, the work is done when its result is asked for.
        """
        return work if self._pool is None else self._pool.submit(work).result

    def _learn(self, inputs: tuple[Tensor, ...], loss_of: LossOf, step: int, i: int) -> Tensor:
        part, which = self.parts[i]
        if self.draws:
            torch.manual_seed(stable_seed("draws", self.seeds[i], step))
        logits = self._calls[i](*inputs)
        loss = loss_of(logits if isinstance(part, StackedLeNet5) else logits[None], which)
        loss.sum().backward()
        return loss.detach()

    def finish(self) -> list[nn.Module]:
        """The networks with what they have learned, ready to predict."""
        self.close()
        for network in self.networks:
            network.eval()
        return self.networks

    def close(self) -> None:
        """Let the workers go."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
            torch.set_num_threads(self._threads)  # a worker's setting reaches parts of torch


class StackedLearners(Learners):
    """LeNet-5 networks of one shape, several as one program (see :class:`StackedLeNet5`).

    Parameters
    ----------
    networks : sequence of LeNet5
    device : torch.device
    """

    def __init__(self, networks: Sequence[LeNet5], device: torch.device) -> None:
        self.device = device
        super().__init__(networks, range(len(networks)))

    def _make_parts(self) -> list[tuple[nn.Module, slice]]:
        n = len(self.networks)
        size = STACK if self.device.type == "cpu" else n
        slices = [slice(start, min(start + size, n)) for start in range(0, n, size)]
        lenets: list[LeNet5] = self.networks  # type: ignore[assignment]
        return [(to_device(StackedLeNet5(lenets[s]), self.device), s) for s in slices]

    def finish(self) -> list[nn.Module]:
        for part, which in self.parts:
            part.copy_to(self.networks[which])  # type: ignore[operator]
        return super().finish()


def to_device(network: nn.Module, device: torch.device) -> nn.Module:
    """Move a network, its convolutions laid out channels last."""
    return network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def make_learners(
    networks: Sequence[nn.Module],
    device: torch.device,
    *,
    seeds: Sequence[int] | None = None,
    compiled: bool = False,
) -> Learners:
    """The fastest way known to train these networks together.

    ``seeds`` are those of what each draws while it learns; by default their positions.
    ``compiled`` is for long trainings, and has no effect on LeNets.
    """
    for network in networks:
        to_device(network, device)
    lenets = [network for network in networks if isinstance(network, LeNet5)]
    if len(lenets) == len(networks) > 1:
        return StackedLearners(lenets, device)
    seeds = range(len(networks)) if seeds is None else seeds
    return Learners(networks, seeds, compiled=compiled and not lenets)
