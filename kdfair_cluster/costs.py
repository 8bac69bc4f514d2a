"""What a training costs: multiply-adds of networks, and rates that were measured.

A rate comes from ``data/benchmarks/``: ``h100.json`` (one H100, scripts apart from the engine) or
``sweep.json`` (this project's engine on two CPU cores). A network that was timed costs what was
measured. Any other is bounded from below by two measured numbers, and the larger counts: the time
that the arrangement takes a layer (waiting for kernels to start), and the time of its
multiply-adds at the rate of the fastest row (arithmetic).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from kdfair_core import asked
from kdfair_core.results.manifest import results_root
from kdfair_core.studies import Recipe, Study

RATES = {
    "h100-eager": "one H100, networks one after another, as the engine runs them without capture",
    "h100-captured": "one H100, the step captured as a CUDA graph (prototype, bf16)",
    "h100-stacked": "one H100, students as one compiled network, captured (prototype, bf16)",
    "cpu": "two CPU cores, this engine",
}
"""Names of rates, and what each stands on."""

EXAMPLES = {
    "cifar10": (50_000, 10_000),
    "cifar100": (50_000, 10_000),
    "svhn": (73_257, 26_032),
    "tinyimagenet": (100_000, 10_000),
    "imagenet": (1_281_167, 50_000),
    "celeba": (162_770, 19_962),
    "hatexplain": (15_383, 1_924),
    "utkface": (18_963, 4_741),
}
"""Training and test examples of each data set as it is published."""

BALANCED = {"Smiling": 2 * 78_080, "Eyeglasses": 2 * 10_521}
"""CelebA's training images when both labels are as frequent (data/celeba_annotations)."""

SIDE = {"cifar10": 32, "cifar100": 32, "svhn": 32, "tinyimagenet": 64, "imagenet": 224}
TOKENS = 32
"""Of a batch of posts, on average (benchmarks/sweep.py)."""

HALF_BYTES, FLOAT_BYTES = 2, 4


def examples(study: Study, profile: str) -> tuple[int, int]:
    """Training and test examples of a study, without reading its data set.

    Raises
    ------
    ValueError
        For a data set whose size is not known here.
    """
    options = study.profile(profile).dataset
    known: tuple[int | None, int | None] = EXAMPLES.get(study.dataset, (None, None))
    if study.dataset == "celeba" and options.get("balance", True):
        known = (BALANCED.get(options.get("label", ""), known[0]), known[1])
    train, test = options.get("n_train") or known[0], options.get("n_test") or known[1]
    if train is None or test is None:
        raise ValueError(
            f"study {study.name!r}: how many examples the data set {study.dataset!r} has is not "
            "known; give n_train and n_test among the profile's data set options"
        )
    return int(train), int(test)


@dataclass(frozen=True)
class Network:
    """What a network costs an example.

    Attributes
    ----------
    macs : float
        Millions of multiply-adds of one forward pass.
    layers : int
        Layers with multiply-adds.
    parameters, features : int
        Numbers that it learns; width of what its last linear layer reads.
    """

    name: str
    size: int
    macs: float
    layers: int
    parameters: int
    features: int


@cache
def network(name: str, n_classes: int, size: int) -> Network:
    """Measure a network on torch's meta device: nothing is computed. A size of 0 is text."""
    import torch
    from torch import nn
    from torch.utils.flop_counter import FlopCounterMode

    from kdfair_core import models

    with torch.random.fork_rng(devices=[]), torch.device("meta" if size else "cpu"):
        built = models.build(name, n_classes, in_shape=(3, size or 32, size or 32)).eval()
        inputs: tuple = (torch.empty(1, 3, size, size),)
        if not size:
            ids = torch.ones(1, TOKENS, dtype=torch.long)
            inputs = (ids, torch.ones(1, TOKENS, dtype=torch.bool))
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            built(*inputs)
    layers = [m for m in built.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    linear = [m for m in layers if isinstance(m, nn.Linear)]
    return Network(
        name,
        size,
        counter.get_total_flops() / 2e6,
        len(layers),
        sum(p.numel() for p in built.parameters()),
        linear[-1].in_features if linear else 0,
    )


def networks(study: Study, profile: str) -> tuple[Network, Network]:
    """Teacher and student of a study."""
    given = study.profile(profile)
    text = study.dataset == "hatexplain"
    size = 0 if text else int(given.dataset.get("size") or SIDE.get(study.dataset, 32))
    teacher, student = (network(n, study.n_classes, size) for n in (given.teacher, given.student))
    return teacher, student


class Rates:
    """How long a step takes, from what was measured.

    Parameters
    ----------
    name : str
        One of ``RATES``.
    folder : path, optional
        Where the benchmarks' JSON lies; by default ``data/benchmarks``.
    """

    def __init__(self, name: str, folder: Path | None = None) -> None:
        self.name = asked.choice("rate", name, RATES)
        self.arrangement = name.rpartition("-")[2]
        self.folder = folder or results_root() / "benchmarks"
        file = self.folder / ("sweep.json" if name == "cpu" else "h100.json")
        try:
            content = json.loads(file.read_text())
        except (OSError, ValueError) as error:
            raise ValueError(f"the rates in {file} cannot be read: {error}") from None
        self.about: dict[str, Any] = content["about"]
        self.rows: list[dict[str, Any]] = content["rows"]

    def step_ms(self, role: str, net: Network, recipe: Recipe, learners: int = 1) -> float:
        """Milliseconds of one step of some learners.

        ``role`` is "teacher", "student", or "look" (a teacher asked by its students).
        """
        if self.name == "cpu":
            return self._cpu(role, net, recipe) * learners
        row = self._row(role, net, recipe)
        if row:
            return row["step_ms"] / row["learners"] * learners
        if role == "look":  # a forward pass, of three passes
            return self.step_ms("teacher", net, recipe) / 3
        waiting = 0.0 if self.arrangement == "stacked" else net.layers * self._ms_a_layer
        arithmetic = 3 * net.macs * recipe.batch_size / self._macs_a_ms(recipe.precision)
        return learners * max(waiting, arithmetic)

    def start_s(self) -> float:
        """Seconds before a task's first step, as far as they were measured."""
        found = [r["start_s"] for r in self.rows if r.get("arrangement") == self.arrangement]
        return max(found, default=0.0)

    def stands_on(self, role: str, net: Network, recipe: Recipe) -> str:
        """One of "measured", "layers" (waiting for kernels) and "arithmetic"."""
        if self.name == "cpu":
            return "arithmetic"
        if self._row(role, net, recipe):
            return "measured"
        waiting = 0.0 if self.arrangement == "stacked" else net.layers * self._ms_a_layer
        arithmetic = 3 * net.macs * recipe.batch_size / self._macs_a_ms(recipe.precision)
        return "layers" if waiting > arithmetic else "arithmetic"

    def _row(self, role: str, net: Network, recipe: Recipe) -> dict[str, Any] | None:
        fitting = [
            row
            for row in self.rows
            if (row["role"], row["network"], row["size"]) == (role, net.name, net.size)
            and row["batch"] == recipe.batch_size
            and row["arrangement"] == self.arrangement
        ]
        # the nearest precision: that asked for, else TF32 for float32, else what there is
        order = [recipe.precision, "tf32", "fp32", "bf16"]
        return min(fitting, key=lambda row: order.index(row["precision"]), default=None)

    @cached_property
    def _student(self) -> Network:
        row = self.rows[0]
        return network(row["network"], 100, row["size"])

    @cached_property
    def _ms_a_layer(self) -> float:
        row = next(row for row in self.rows if row["arrangement"] == self.arrangement)
        return row["step_ms"] / row["learners"] / self._student.layers

    def _macs_a_ms(self, precision: str) -> float:
        """Millions of multiply-adds in a millisecond, of the fastest rows."""
        kind = "bf16" if precision == "bf16" else "tf32"
        row = next(r for r in self.rows if (r["arrangement"], r["precision"]) == ("stacked", kind))
        return 3 * self._student.macs * row["batch"] * row["learners"] / row["step_ms"]

    def _cpu(self, role: str, net: Network, recipe: Recipe) -> float:
        kind = "text" if not net.size else "trifeature" if net.name == "lenet5" else "cifar10"
        row = next(row for row in self.rows if row["study"] == kind)
        if role == "look":  # timed with its students
            return 0.0
        macs_a_ms = row["gflop"] * 500 / (1000 * row["sweep_s"])  # two operations each, in millions
        return 3 * net.macs * recipe.batch_size / macs_a_ms
