"""Networks that learn from the same batches side by side, none of them seeing another.

The loop trains *learners*; whether they run one after another, on a core each or as one program is
settled here, by :func:`make_learners`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from kdfair_core.models.lenet import LeNet5, StackedLeNet5
from kdfair_core.models.resnet import SmallResNet, StackedSmallResNet
from kdfair_core.training.batches import stable_seed
from kdfair_core.training.captured import stream
from kdfair_core.training.compiling import Compiled
from kdfair_core.training.parts import Part, may_draw

# What a learner is told: logits [learner, batch, class] of the learners in a slice -> their losses.
LossOf = Callable[[Tensor, slice], Tensor]

STACK = 4
"""LeNet-5 networks that run as one program on a CPU: their activations still fit its caches."""

ROOM = 0.6
"""Share of a GPU's free memory that networks on streams of their own may take."""

log = logging.getLogger(__name__)


class Learners:
    """Networks that learn together; a context that lets its workers go at the end.

    On a CPU of several cores, every core works on another part: nothing waits for the slowest core
    of each operation, and no sum depends on how many there are. Only as many parts' activations
    are alive as there are cores, so memory does not grow with the networks. Networks that draw
    random numbers (dropout), or of which that cannot be told, run one after another, since torch
    has one stream of them.

    ``seeds`` are of what each network draws while it learns; ``parts`` say how they run, by default
    each on its own; ``compiled`` and ``captured``, whether as compiled programs and whether a step
    may be captured (see the modules of these names).
    """

    def __init__(
        self,
        networks: Sequence[nn.Module],
        seeds: Sequence[int],
        parts: Sequence[Part] | None = None,
        *,
        compiled: bool = False,
        captured: bool = False,
    ) -> None:
        self.networks = list(networks)
        self.seeds = list(seeds)
        alone = [Part(network, slice(i, i + 1)) for i, network in enumerate(self.networks)]
        self.parts = list(parts) if parts else alone
        self.trained: nn.Module = nn.ModuleList([part.module for part in self.parts])
        self.draws = any(may_draw(part.module) for part in self.parts)
        self.compiled = compiled and not self.draws
        self.captured = captured and not self.draws
        self._calls = [Compiled(p.module) if self.compiled else p.module for p in self.parts]
        self._cold = self.compiled  # one core compiles, the others wait and share the program
        self._pool: ThreadPoolExecutor | None = None
        self._threads = 1  # torch's, when the pool was opened
        self._streams: list[torch.cuda.Stream] = []  # on a GPU, of the parts
        self._aside: torch.cuda.Stream | None = None  # and of what is done beside them
        self._calls_made = 0

    def __enter__(self) -> Learners:
        """Make ready to learn."""
        self.trained.train()
        device = next(self.trained.parameters()).device
        self._threads = torch.get_num_threads()
        cores = min(self._threads, len(self.parts))
        if device.type == "cpu" and cores > 1 and not self.draws and self._pool is None:
            one_core = partial(torch.set_num_threads, 1)
            self._pool = ThreadPoolExecutor(cores, initializer=one_core)
        if device.type == "cuda":
            self._aside = stream("beside")
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
            torch.set_num_threads(self._threads)  # a worker's setting reaches parts of torch

    def backward(self, inputs: tuple[Tensor, ...], loss_of: LossOf, step: int) -> Tensor:
        """Add each network's gradient of its own loss; return the losses, ``[learner]``."""
        learn = partial(self._learn, inputs, loss_of, step)
        if self._pool is None:
            if self.captured and len(self.parts) > 1:
                return torch.cat(self._on_streams(learn))
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

        On a GPU it is done on a stream of its own. Where the learners share one core, it is done
        when its result is asked for.
        """
        if self._aside is None:
            return work if self._pool is None else self._pool.submit(work).result
        aside = self._aside
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            result = work()

        def wait() -> Tensor:
            here = torch.cuda.current_stream()
            here.wait_stream(aside)
            result.record_stream(here)
            return result

        return wait

    def _on_streams(self, learn: Callable[[int], Tensor]) -> list[Tensor]:
        """Each part's losses, learned on as many streams of the GPU as its memory has room for.

        The first call chooses kernels; at the second, what the first part takes is measured.
        """
        here, everyone = torch.cuda.current_stream(), range(len(self.parts))
        self._calls_made += 1
        if self._calls_made == 1:
            return [learn(i) for i in everyone]
        if self._calls_made == 2:
            before = torch.cuda.memory_allocated()
            torch.cuda.reset_peak_memory_stats()
            losses = [learn(0)]
            each = torch.cuda.max_memory_allocated() - before
            room = int(ROOM * torch.cuda.mem_get_info()[0] / max(each, 1))
            count = max(1, min(len(self.parts), room))
            self._streams = [stream(f"part {i}") for i in range(count)]
            log.info("%d streams for %d networks", count, len(self.parts))
            return losses + [learn(i) for i in everyone[1:]]
        for one in self._streams:
            one.wait_stream(here)
        losses = []
        for i in everyone:
            with torch.cuda.stream(self._streams[i % len(self._streams)]):
                losses.append(learn(i))
        for one in self._streams:
            here.wait_stream(one)
        return losses

    def _learn(self, inputs: tuple[Tensor, ...], loss_of: LossOf, step: int, i: int) -> Tensor:
        part = self.parts[i]
        if self.draws:
            torch.manual_seed(stable_seed("draws", self.seeds[i], step))
        logits = self._calls[i](*inputs)
        loss = loss_of(logits if part.stack else logits[None], part.which)
        loss.sum().backward()
        return loss.detach()

    def state(self, optimizer: torch.optim.Optimizer) -> list[dict[str, Tensor]]:
        """Each network's tensors and what the optimizer remembers of them, by the network's names,
        on the CPU.

        "network.linear.weight" is a weight, "momentum_buffer.linear.weight" its momentum.
        """
        states: list[dict[str, Tensor]] = [{} for _ in self.networks]
        for part in self.parts:
            kinds = {"network": {n: t.cpu() for n, t in part.module.state_dict().items()}}
            for name, parameter in part.module.named_parameters():
                for key, value in optimizer.state[parameter].items():
                    if isinstance(value, Tensor):
                        kinds.setdefault(key, {})[name] = value.cpu()
            for kind, tensors in kinds.items():
                for state, share in zip(states[part.which], part.shares(tensors), strict=True):
                    state.update({f"{kind}.{name}": value for name, value in share.items()})
        return states

    def load(
        self, states: Sequence[Mapping[str, Tensor]], optimizer: torch.optim.Optimizer
    ) -> None:
        """Take up what :meth:`state` gave, however the networks ran there."""
        of: dict[nn.Parameter, dict[str, Tensor]] = {}
        for part in self.parts:
            kinds: dict[str, list[dict[str, Tensor]]] = {}
            for i, state in enumerate(states[part.which]):
                for key, value in state.items():
                    kind, _, name = key.partition(".")
                    shares = kinds.setdefault(kind, [{} for _ in states[part.which]])
                    shares[i][name] = value
            part.module.load_state_dict(part.joined(kinds.pop("network")))
            parameters = dict(part.module.named_parameters())
            for kind, shares in kinds.items():
                for name, value in part.joined(shares).items():
                    if value.dim():  # laid out as the parameter, so that sums come out bit for bit
                        value = torch.empty_like(parameters[name]).copy_(value)
                    of.setdefault(parameters[name], {})[kind] = value
        order = [p for group in optimizer.param_groups for p in group["params"]]
        remembered = {i: of[p] for i, p in enumerate(order) if p in of}
        # torch's own loading knows where each value must lie (AdamW's count of steps on a GPU)
        optimizer.load_state_dict({**optimizer.state_dict(), "state": remembered})

    @torch.no_grad()
    def finish(self) -> list[nn.Module]:
        """The networks with what they have learned, ready to predict."""
        for part in self.parts:
            if part.stack:
                part.module.copy_to(self.networks[part.which])  # type: ignore[operator]
        for network in self.networks:
            network.eval()
        return self.networks


def to_device(network: nn.Module, device: torch.device) -> nn.Module:
    """Move a network, its convolutions laid out channels last."""
    return network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def make_learners(
    networks: Sequence[nn.Module],
    device: torch.device,
    *,
    seeds: Sequence[int] | None = None,
    compiled: bool = False,
    fixed: bool = True,
) -> Learners:
    """The fastest way known to train these networks together; the log says which.

    ``seeds`` are those of what each draws while it learns; by default their positions.
    ``compiled`` is for long trainings, and has no effect on LeNets. ``fixed`` says whether all
    batches but the last have one shape; on a GPU their steps are captured then.
    """
    for network in networks:
        to_device(network, device)
    seeds = range(len(networks)) if seeds is None else seeds
    # by exact type: a subclass may have a forward of its own
    kinds = {type(network) for network in networks}
    shapes = {tuple((n, t.shape) for n, t in m.state_dict().items()) for m in networks}
    gpu = device.type == "cuda"
    stacked = len(networks) > 1 and len(shapes) == 1
    parts: list[Part] = []
    if stacked and (kinds == {LeNet5} or (gpu and kinds == {SmallResNet})):
        size = len(networks) if gpu else STACK
        slices = [slice(i, min(i + size, len(networks))) for i in range(0, len(networks), size)]
        members: list[Any] = list(networks)
        for which in slices:
            of: Any = members[which]
            stack = StackedLeNet5(of) if kinds == {LeNet5} else StackedSmallResNet(of, halved=gpu)
            parts.append(Part(to_device(stack, device), which, True))
        way = f"up to {size} as one program"
    else:
        alone = len(networks) == 1 or any(map(may_draw, networks))
        way = "one after another" if alone else "side by side"
    learners = Learners(
        networks, seeds, parts, compiled=compiled and LeNet5 not in kinds, captured=gpu and fixed
    )
    if learners.compiled:
        way += ", compiled"
    if learners.captured:
        way += ", captured"
    elif gpu:
        why = "they may draw random numbers" if learners.draws else "batches change their shape"
        way += f", not captured: {why}"
    named = ", ".join(sorted(kind.__name__ for kind in kinds))
    log.info("%d %s on %s, %s", len(networks), named, device, way)
    return learners
