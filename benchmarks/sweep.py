"""How fast is a temperature sweep, beside one run a temperature?

Two ways to distill one teacher into many students, in one process, alternating:

conventional   one run a temperature: a DataLoader decodes and augments each image with
               torchvision's transforms (or pads each batch of texts to its longest), the teacher
               looks at every batch, float32, and a loss.item() a step for the log;
sweep          this project's engine: bytes on the device, augmentation a batch at a time, texts
               batched with others of their length, the teacher once a batch (once a view where
               there are few), all students from the same views, a core each.

The conventional way costs the same for every temperature, so one temperature is timed each round
and all of them in the sweep. Both train on the same examples, rendered or drawn here so that
nothing need be downloaded, for the same number of epochs; "accuracy" is what the student at T = 4
reaches on 500 others. "of_limit" is the share of the time that the multiplications of the
students alone would take at the rate of the machine's best matrix product; "in_products" is the
share of a student's step, not compiled, that is spent in convolutions and matrix products.

    python benchmarks/sweep.py                              some minutes
    python benchmarks/sweep.py --study trifeature --rounds 5
    python benchmarks/sweep.py --linear                     cost against temperatures and examples
    python benchmarks/sweep.py --noise                      bfloat16 against float32, five seeds
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from machine import machine
from torch.utils.flop_counter import FlopCounterMode

from kdfair_core import datasets, distillation, models, studies
from kdfair_core.datasets import Dataset, Split
from kdfair_core.datasets.tokens import Tokens
from kdfair_core.models._torchvision import import_torchvision
from kdfair_core.studies import TEMPERATURES, Recipe
from kdfair_core.training.compiling import can_compile
from kdfair_core.training.learners import make_learners
from kdfair_core.training.loop import train
from kdfair_core.training.memory import kept_memory
from kdfair_core.training.step import Lesson
from kdfair_core.training.teacher import TeacherOutputs, autocast, predict
from kdfair_core.training.views import make_views

N_TEST = 500
# Tokens of HateXplain's training posts at 0, 10, .. 100 % of the posts.
LENGTHS = (4, 12, 15, 19, 23, 27, 31, 37, 45, 54, 128)


@dataclass(frozen=True)
class Work:
    """What both ways are asked to do."""

    teacher: str
    student: str
    size: int
    recipe: Recipe
    examples: int

    @property
    def text(self) -> bool:
        return self.size == 0


def _sgd(batch_size: int, epochs: int, augment: tuple[str, ...] = ()) -> Recipe:
    return Recipe(epochs=epochs, batch_size=batch_size, lr=0.02, milestones=(), augment=augment)


# batches and epochs are those of the studies, but for CIFAR-10, where an epoch costs what the
# next one does: each image is seen anew cropped, and by the teacher anew
STUDIES = {
    "cifar10": Work("resnet56", "resnet20", 32, _sgd(128, 1, ("crop", "flip")), 1024),
    "trifeature": Work("resnet20", "lenet5", 64, _sgd(32, 12), 1024),
    "text": Work(
        "minilm-l6",
        "minilm-l3",
        0,
        studies.get("hatexplain").profile("laptop").student_recipe,
        512,
    ),
}


def make_texts(n: int) -> Dataset:
    """Random texts as long as HateXplain's posts; toxic is what holds one of ten words."""
    draws = np.random.default_rng(1)

    def split(n: int) -> Split:
        lengths = np.interp(draws.random(n), np.linspace(0, 1, len(LENGTHS)), LENGTHS).astype(int)
        labels = draws.integers(2, size=n)
        texts = [draws.integers(1000, 20_000, size=length) for length in lengths]
        for text, label in zip(texts, labels, strict=True):
            if label:
                text[draws.integers(1, len(text))] = 500 + draws.integers(10)
        return Split(Tokens.of(texts), labels, {})

    return Dataset(
        "texts", split(n), split(N_TEST), ("not toxic", "toxic"), {}, (), (), "drawn", "texts"
    )


class Bench:
    """The two ways on the same work."""

    def __init__(
        self, work: Work, device: torch.device, precision: str, *, compiled: bool = False
    ) -> None:
        self.work, self.device, self.compiled = work, device, compiled
        self.recipe = replace(work.recipe, precision=precision)
        self.data = (
            make_texts(work.examples)
            if work.text
            else datasets.load(
                "trifeature", size=work.size, n_train=work.examples, n_test=N_TEST, seed=1
            )
        )
        self.test = make_views(self.data, self.data.test, device)
        self.teacher = self.network(work.teacher, 99)
        if not work.text:
            views = make_views(self.data, self.data.train, device, self.recipe.augment)
            train(
                make_learners([self.teacher], device),
                views,
                replace(self.recipe, epochs=2, lr=0.1),
                seed=99,
                lesson=_lesson([(1.0, 0.0, 1.0)], device),
            )

    def network(self, name: str, seed: int) -> torch.nn.Module:
        shape = (3, self.work.size or 32, self.work.size or 32)
        n_classes = len(self.data.class_names)
        return models.build(name, n_classes, in_shape=shape, seed=seed).to(self.device)

    def accuracy(self, network: torch.nn.Module) -> float:
        labels = torch.as_tensor(self.data.test.y, device=self.device)
        return (predict(network, self.test).argmax(1) == labels).float().mean().item()

    def sweep(self, temperatures: tuple[float, ...]) -> tuple[float, float]:
        """Seconds a student-epoch, and accuracy at T = 4."""
        networks = [self.network(self.work.student, i + 1) for i in range(len(temperatures))]
        rows = [(T, 0.8, distillation.soft_factor(T, "none")) for T in temperatures]
        started = time.perf_counter()
        with kept_memory():
            views = make_views(self.data, self.data.train, self.device, self.recipe.augment)
            learners = make_learners(networks, self.device, compiled=self.compiled)
            train(
                learners,
                views,
                self.recipe,
                seed=0,
                lesson=_lesson(rows, self.device),
                teacher=TeacherOutputs(
                    self.teacher, views, self.recipe.precision, compiled=self.compiled
                ),
            )
            best = learners.finish()[temperatures.index(4) if 4 in temperatures else 0]
        seconds = time.perf_counter() - started
        return seconds / self.recipe.epochs / len(temperatures), self.accuracy(best)

    def conventional(self, temperature: float, workers: int) -> tuple[float, float]:
        """The same of one run, as public distillation code does it."""
        recipe = self.recipe
        torch.manual_seed(0)
        student = self.network(self.work.student, 4)
        if recipe.optimizer == "adamw":
            optimizer: torch.optim.Optimizer = torch.optim.AdamW(
                student.parameters(), recipe.lr, weight_decay=recipe.weight_decay
            )
        else:
            optimizer = torch.optim.SGD(
                student.parameters(), recipe.lr, momentum=0.9, weight_decay=1e-3
            )
        started = time.perf_counter()
        loader = self._loader(workers)
        total = 0.0
        for _ in range(recipe.epochs):
            student.train()
            for batch in loader:
                *x, y = (part.to(self.device) for part in batch)
                with torch.no_grad():
                    wanted = self.teacher.eval()(*x)
                logits = student(*x)
                soft = F.kl_div(
                    F.log_softmax(logits / temperature, 1),
                    F.softmax(wanted / temperature, 1),
                    reduction="batchmean",
                )
                loss = 0.8 * soft + 0.2 * F.cross_entropy(logits, y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.item()
        seconds = time.perf_counter() - started
        return seconds / recipe.epochs, self.accuracy(student)

    def _loader(self, workers: int) -> Iterable[Any]:
        data, augment, side = self.data, self.recipe.augment, self.work.size
        labels = data.train.y
        if self.work.text:
            tokens = data.train.x

            def collate(rows: list[int]) -> tuple[torch.Tensor, ...]:
                ids, mask = tokens[np.array(rows)]
                return torch.as_tensor(ids), torch.as_tensor(mask), torch.as_tensor(labels[rows])

            return torch.utils.data.DataLoader(
                range(len(labels)),  # type: ignore[arg-type]
                self.recipe.batch_size,
                shuffle=True,
                num_workers=workers,
                collate_fn=collate,
            )
        import_torchvision()
        from PIL import Image
        from torchvision import transforms

        steps = [transforms.ToTensor(), transforms.Normalize(data.mean, data.std)]
        if "flip" in augment:
            steps.insert(0, transforms.RandomHorizontalFlip())
        if "crop" in augment:
            steps.insert(0, transforms.RandomCrop(side, padding=side // 8))
        transform = transforms.Compose(steps)
        pixels = data.train.x.transpose(0, 2, 3, 1)

        class Images(torch.utils.data.Dataset):
            def __len__(self) -> int:
                return len(labels)

            def __getitem__(self, i: int):
                return transform(Image.fromarray(pixels[i])), int(labels[i])

        return torch.utils.data.DataLoader(
            Images(), self.recipe.batch_size, shuffle=True, num_workers=workers
        )

    def student_step(self) -> tuple[float, float]:
        """Operations of a student's epoch, and the share of its time spent in products."""
        views = make_views(self.data, self.data.train, self.device, self.recipe.augment)
        network = make_learners([self.network(self.work.student, 4)], self.device).networks[0]
        network.train()
        batches = [batch for _, batch in zip(range(4), views.epoch(0, 0, self.recipe.batch_size))]  # noqa: B905

        def learn(batch: Any) -> None:
            with autocast(self.device, self.recipe.precision):
                logits = network(*batch.inputs)
            F.cross_entropy(logits.float(), batch.labels).backward()

        learn(batches[0])
        counter = FlopCounterMode(display=False)
        with counter:
            for batch in batches:
                learn(batch)
        examples = sum(len(batch.index) for batch in batches)
        with kept_memory(), torch.profiler.profile() as profile:
            for batch in batches:
                learn(batch)
        spent = {e.key: e.self_cpu_time_total for e in profile.key_averages()}
        products = sum(v for k, v in spent.items() if any(p in k for p in PRODUCTS))
        share = products / sum(spent.values())
        return counter.get_total_flops() / examples * self.work.examples, share


PRODUCTS = ("::mkldnn_convolution", "::convolution_backward", "::mm", "::addmm", "::bmm")


def _lesson(rows: list[tuple[float, float, float]], device: torch.device) -> Lesson:
    return Lesson(*torch.tensor(rows, dtype=torch.float32, device=device).T)


def rate(precision: str, device: torch.device) -> float:
    """Operations a second of a large matrix product, the best of ten."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    a, b = (torch.randn(2048, 2048, device=device).to(dtype) for _ in range(2))
    best = float("inf")
    for _ in range(10):
        started = time.perf_counter()
        (a @ b).sum().item()
        best = min(best, time.perf_counter() - started)
    return 2 * 2048**3 / best


def choose(precision: str, device: torch.device) -> str:
    """For "auto", bf16 where the machine multiplies it faster."""
    if precision != "auto":
        return precision
    return max(("fp32", "bf16"), key=lambda name: rate(name, device))


def compare(name: str, options: argparse.Namespace) -> dict:
    """Time both ways, alternating; one row of the table."""
    work = _resized(STUDIES[name], options)
    temperatures = TEMPERATURES[: options.temperatures]
    device = torch.device(options.device)
    precision = choose(options.precision, device)
    compiled = options.compile and name == "cifar10"  # the others are never compiled
    bench = Bench(work, device, precision, compiled=compiled)
    started = time.perf_counter()
    if compiled:  # once, outside of the times: a study's hours share it
        bench.sweep(temperatures)
    start_up = time.perf_counter() - started
    ours, theirs, ratios = [], [], []
    for _ in range(options.rounds):
        theirs.append(bench.conventional(4.0, options.workers))
        ours.append(bench.sweep(temperatures))
        ratios.append(theirs[-1][0] / ours[-1][0])
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    operations, in_products = bench.student_step()
    seconds = statistics.median(s for s, _ in ours)
    return {
        "study": name,
        "pair": f"{work.teacher} to {work.student}"
        + f", {work.size}x{work.size}" * (not work.text),
        "precision": precision,
        "compiled": compiled,
        "start_up_s": max(0.0, start_up - seconds * len(temperatures) * work.recipe.epochs),
        "temperatures": len(temperatures),
        "examples": work.examples,
        "epochs": work.recipe.epochs,
        "conventional_s": statistics.median(s for s, _ in theirs),
        "sweep_s": seconds,
        "ratio": statistics.median(ratios),
        "ratio_low": min(ratios),
        "ratio_high": max(ratios),
        "accuracy_conventional": statistics.mean(a for _, a in theirs),
        "accuracy_sweep": statistics.mean(a for _, a in ours),
        "peak_memory_gb": memory,
        "gflop": operations / 1e9,
        "of_limit": operations / rate(precision, device) / seconds,
        "in_products": in_products,
    }


def linear(name: str, options: argparse.Namespace) -> list[dict]:
    """Seconds a sweep takes against temperatures and examples."""
    rows = []
    device = torch.device(options.device)
    precision = choose(options.precision, device)
    for examples, count in ((256, 4), (256, 8), (256, 13), (512, 13), (1024, 13)):
        work = replace(_resized(STUDIES[name], options), examples=examples)
        bench = Bench(work, device, precision)
        seconds = bench.sweep(TEMPERATURES[:count])[0] * count * work.recipe.epochs
        rows.append(
            {"study": name, "examples": examples, "temperatures": count, "seconds": seconds}
        )
    return rows


def noise(options: argparse.Namespace) -> list[dict]:
    """Accuracy of Trifeature's students in both precisions, five seeds, three temperatures."""
    work = _resized(replace(STUDIES["trifeature"], size=32, examples=4096), options)
    device = torch.device(options.device)
    rows = []
    bench = Bench(work, device, "fp32")
    views = make_views(bench.data, bench.data.train, device)
    temperatures = (1, 4, 10)
    lesson = _lesson([(T, 0.8, distillation.soft_factor(T, "T2")) for T in temperatures], device)
    for seed in range(5):
        for precision in ("fp32", "bf16"):
            learners = make_learners(
                [bench.network(work.student, 10 * seed + i) for i in range(3)], device
            )
            train(
                learners,
                views,
                replace(bench.recipe, precision=precision, lr=0.004),
                seed=seed,
                lesson=lesson,
                teacher=TeacherOutputs(bench.teacher, views, precision),
            )
            for T, network in zip(temperatures, learners.finish(), strict=True):
                right = bench.accuracy(network)
                rows.append(
                    {"seed": seed, "precision": precision, "temperature": T, "accuracy": right}
                )
    return rows


def _resized(work: Work, options: argparse.Namespace) -> Work:
    if options.examples:
        work = replace(work, examples=options.examples)
    if options.epochs:
        work = replace(work, recipe=replace(work.recipe, epochs=options.epochs))
    return work


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--study", choices=[*STUDIES, "all"], default="all")
    parser.add_argument("--temperatures", type=int, default=13, help="how many, up to 13")
    parser.add_argument("--examples", type=int, help="to learn from, in place of the study's")
    parser.add_argument("--epochs", type=int, help="in place of the study's")
    parser.add_argument("--rounds", type=int, default=3, help="alternations")
    parser.add_argument("--workers", type=int, default=0, help="of the conventional DataLoader")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="auto", choices=["auto", "bf16", "fp32"])
    parser.add_argument(
        "--compile",
        action=argparse.BooleanOptionalAction,
        default=can_compile(),
        help="the sweep's ResNets as compiled programs, as in long studies (if that is possible)",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--linear", action="store_true", help="cost against size, and nothing else")
    what.add_argument("--noise", action="store_true", help="precision against seeds, nothing else")
    parser.add_argument(
        "--json",
        type=Path,
        help="write the rows there too, beside those of other studies timed on the same machine",
    )
    options = parser.parse_args()
    if options.study == "all" and not options.noise:
        rows = _apart()
    elif options.noise:
        rows = noise(options)
    elif options.linear:
        rows = linear(options.study, options)
    else:
        rows = [compare(options.study, options)]
    about = machine()
    if options.study != "all" or options.noise:
        for row in rows:
            print("  ".join(f"{key}={_shown(value)}" for key, value in row.items()), flush=True)
    if options.json:
        store(options.json, about, rows)
    if sys.stdout.isatty() or options.study == "all":
        print("  ".join(f"{key}={value}" for key, value in about.items()))


def store(file: Path, about: dict[str, Any], rows: list[dict]) -> None:
    """Write rows; what the file holds of other studies stays if machine and versions are these."""
    kept = []
    if file.is_file():
        before = json.loads(file.read_text())
        new = {row.get("study") for row in rows}
        if before["about"] == about:
            kept = [row for row in before["rows"] if row.get("study") not in new]
    order = list(STUDIES)
    rows = sorted(kept + rows, key=lambda row: order.index(row.get("study", order[0])))
    file.write_text(json.dumps({"about": about, "rows": rows}, indent=1) + "\n")


def _apart() -> list[dict]:
    """Every study in a process of its own, so that each one's peak memory is its own."""
    arguments = [a for a in sys.argv[1:] if a not in ("--study", "all")]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.json"
        for name in STUDIES:
            again = [sys.executable, __file__, *arguments, "--study", name, "--json", str(file)]
            subprocess.run(again, check=True)
        return json.loads(file.read_text())["rows"]


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
