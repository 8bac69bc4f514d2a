"""How should thirteen students run side by side on a CPU? Each way, on the same batches.

one after another   every operation on all cores
a core each         as the sweep does it
one program         torch.func: all students' weights stacked, their convolutions grouped
compiled            by torch.compile, a core each

For a GPU see gpu.py.

A step is forward, loss and backward of all students and one fused step of SGD. Times alternate
over the rounds; "images_s" are images a second of each student. "apart" is how far the gradients
are from those of the first way, over their length: rounding, mostly where it carries a unit across
zero. "of_bandwidth" is the share of the time that the machine would need to move every operation's
inputs and outputs once, uncompiled, at the rate of a large copy: above 1 where caches hold them or
a compiler moved less.

    python benchmarks/arrangements.py
    python benchmarks/arrangements.py --precision bf16
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from machine import machine
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from kdfair_core import models
from kdfair_core.training.compiling import can_compile
from kdfair_core.training.learners import Learners, to_device
from kdfair_core.training.memory import kept_memory
from kdfair_core.training.teacher import autocast


class OneProgram:
    """Networks of one kind as one program: images to logits ``[network, batch, class]``."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        self.weights, self.statistics = torch.func.stack_module_state(list(networks))
        self.skeleton = copy.deepcopy(networks[0]).to("meta")

    def __call__(self, x: Tensor) -> Tensor:
        def one(weights: dict, statistics: dict) -> Tensor:
            return torch.func.functional_call(self.skeleton, (weights, statistics), (x,))

        return torch.func.vmap(one)(self.weights, self.statistics)


class Way:
    """One way to run the students: their parameters, and what a batch does to the gradients."""

    def __init__(
        self,
        parameters: list[nn.Parameter],
        backward: Callable[[Tensor, Tensor], None],
        *,
        stacked: bool = False,
        company: Learners | None = None,  # whose cores are taken while it works
    ) -> None:
        self.parameters, self.backward, self.stacked = parameters, backward, stacked
        self.company = company
        self.optimizer = torch.optim.SGD(parameters, 0.01, momentum=0.9, fused=True)

    def steps(self, n: int, x: Tensor, labels: Tensor) -> float:
        """Seconds that so many steps take."""
        if self.company:
            self.company.__enter__()

        def work() -> None:
            for _ in range(n):
                self.optimizer.zero_grad(set_to_none=True)
                self.backward(x, labels)
                self.optimizer.step()

        seconds = timed(work, x.device)
        if self.company:
            self.company.__exit__()
        return seconds


def ways(networks: list[nn.Module], sample: Tensor, precision: str) -> dict[str, Way]:
    """Every way that this machine has, each with copies of the networks."""
    device = sample.device
    found = {}

    def calls(networks: Sequence[nn.Module]) -> Way:
        def backward(x: Tensor, labels: Tensor) -> None:
            for call in networks:
                with autocast(device, precision):
                    logits = call(x)
                F.cross_entropy(logits.float(), labels).backward()

        return Way([p for n in networks for p in n.parameters()], backward)

    def learners(*, compiled: bool) -> Way:
        company = Learners(copies(), range(len(networks)), compiled=compiled)

        def backward(x: Tensor, labels: Tensor) -> None:
            def loss_of(logits: Tensor, which: slice) -> Tensor:
                return torch.stack([F.cross_entropy(row.float(), labels) for row in logits])

            with autocast(device, precision):
                company.backward((x,), loss_of, 0)

        return Way(list(company.trained.parameters()), backward, company=company)

    def copies() -> list[nn.Module]:
        return [copy.deepcopy(network).train() for network in networks]

    found["one after another"] = calls(copies())
    found["a core each"] = learners(compiled=False)
    if can_compile():
        found["compiled"] = learners(compiled=True)
    together = OneProgram(copies())

    def all_at_once(x: Tensor, labels: Tensor) -> None:
        with autocast(device, precision):
            logits = together(x)
        losses = [F.cross_entropy(row.float(), labels) for row in logits]
        torch.stack(losses).sum().backward()

    found["one program"] = Way(list(together.weights.values()), all_at_once, stacked=True)
    return found


def gradients(way: Way, n_networks: int) -> Tensor:
    """Gradients of every student, ``[student, parameter]``, however the way holds them."""
    parts = [p.grad.float() for p in way.parameters if p.grad is not None]
    if len(parts) != len(way.parameters):
        raise RuntimeError("a parameter got no gradient")
    if way.stacked:
        return torch.cat([part.flatten(1) for part in parts], 1)
    each = len(parts) // n_networks
    rows = [parts[i * each : (i + 1) * each] for i in range(n_networks)]
    return torch.stack([torch.cat([part.flatten() for part in row]) for row in rows])


class Moved(TorchDispatchMode):
    """Counts the bytes of what operations read and write; views move nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        if not function.is_view:
            both = tree_leaves((args, kwargs, out))
            self.bytes += sum(t.nbytes for t in both if isinstance(t, Tensor))
        return out


def bandwidth(device: torch.device) -> float:
    """Bytes a second that a large copy reads and writes, the best of ten."""
    source = torch.ones(2**26, device=device)
    target = torch.empty_like(source)
    best = min(timed(lambda: target.copy_(source), device) for _ in range(10))
    return 2 * source.nbytes / best


def timed(work: Callable[[], object], device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    started = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started


def compare(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Time every way, alternating; a row for each."""
    device = torch.device("cpu")
    shape = (3, options.size, options.size)
    networks = [
        to_device(models.build(options.network, 10, in_shape=shape, seed=i), device)
        for i in range(options.students)
    ]
    draws = torch.Generator().manual_seed(0)
    x = torch.randn(options.batch, *shape, generator=draws).to(device)
    x = x.contiguous(memory_format=torch.channels_last)
    labels = torch.randint(10, (options.batch,), generator=draws).to(device)
    known = ways(networks, x, options.precision)
    bytes_moved = options.students * moved(networks[0], x, labels, options.precision)
    first: Tensor | None = None
    apart = {}
    for name, way in known.items():  # the first step compiles, captures and warms up
        way.steps(1, x, labels)
        found = gradients(way, options.students)
        first = found if first is None else first
        apart[name] = ((found - first).norm() / first.norm()).item()
    seconds: dict[str, list[float]] = {name: [] for name in known}
    for _ in range(options.rounds):
        for name, way in known.items():
            seconds[name].append(way.steps(options.steps, x, labels) / options.steps)
    rate = bandwidth(device)
    rows = []
    for name, times in seconds.items():
        median = statistics.median(times)
        rows.append(
            {
                "way": name,
                "step_ms": 1e3 * median,
                "low_ms": 1e3 * min(times),
                "high_ms": 1e3 * max(times),
                "images_s": options.batch / median,
                "of_bandwidth": bytes_moved / rate / median,
                "apart": apart[name],
            }
        )
    return rows


def moved(network: nn.Module, x: Tensor, labels: Tensor, precision: str) -> int:
    """Bytes that the operations of one student's step read and write."""
    network = copy.deepcopy(network).train()
    with Moved() as counter:
        with autocast(x.device, precision):
            logits = network(x)
        F.cross_entropy(logits.float(), labels).backward()
    return counter.bytes


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--network", default="resnet20", choices=["resnet20", "resnet32", "resnet56"]
    )
    parser.add_argument("--students", type=int, default=13)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--size", type=int, default=32, help="pixels of a side")
    parser.add_argument("--steps", type=int, default=2, help="in a row")
    parser.add_argument("--rounds", type=int, default=3, help="alternations")
    parser.add_argument("--precision", default="fp32", choices=["bf16", "fp32"])
    parser.add_argument("--json", type=Path, help="write the rows there too")
    options = parser.parse_args()
    with kept_memory():
        rows = compare(options)
    for row in rows:
        print("  ".join(f"{k}={v:.4g}" if isinstance(v, float) else v for k, v in row.items()))
    if options.json:
        about = {
            **machine(),
            "device": "cpu",
            **{
                k: getattr(options, k)
                for k in ("network", "students", "batch", "size", "precision")
            },
        }
        options.json.write_text(json.dumps({"about": about, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
