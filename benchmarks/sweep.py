"""How fast is a temperature sweep, beside one run a temperature?

Two ways to distill one teacher into many students, in one process, alternating:

conventional   one run a temperature: a DataLoader decodes and augments each image with
               torchvision's transforms, the teacher looks at every batch, float32, and a
               loss.item() a step for the log;
sweep          this project's engine: bytes on the device, augmentation a batch at a time, the
               teacher once a batch, all students from the same views, in bfloat16 where the
               machine multiplies it.

The conventional way costs the same for every temperature, so one temperature is timed each round
and all of them in the sweep. Both train on the same rendered images for the same number of epochs;
"accuracy" is what the student at T = 4 reaches on 500 others.

    python benchmarks/sweep.py                              some minutes
    python benchmarks/sweep.py --study trifeature --rounds 5
    python benchmarks/sweep.py --linear                     cost against temperatures and images
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import time
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F

from kdfair_core import datasets, distillation, models
from kdfair_core.models._torchvision import import_torchvision
from kdfair_core.studies import TEMPERATURES, Recipe
from kdfair_core.training.learners import make_learners
from kdfair_core.training.sweep import Lesson, TeacherOutputs, predict, train
from kdfair_core.training.views import make_views

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Work:
    """What both ways are asked to do."""

    teacher: str
    student: str
    size: int
    batch_size: int
    augment: tuple[str, ...]
    images: int


STUDIES = {
    # images as large as CIFAR-10's, rendered, so that nothing need be downloaded
    "cifar10": Work("resnet56", "resnet20", 32, 128, ("crop", "flip"), 1024),
    "trifeature": Work("resnet20", "lenet5", 64, 64, (), 1024),
}


class Bench:
    """The two ways on the same work."""

    def __init__(self, work: Work, epochs: int, device: torch.device, precision: str) -> None:
        self.work, self.epochs, self.device = work, epochs, device
        self.data = datasets.load(
            "trifeature", size=work.size, n_train=work.images, n_test=500, seed=1
        )
        self.recipe = Recipe(
            epochs=epochs,
            batch_size=work.batch_size,
            lr=0.02,
            milestones=(),
            augment=work.augment,
            precision=precision,
        )
        self.in_shape = (3, work.size, work.size)
        self.test = make_views(self.data, self.data.test, device)
        self.teacher = self.network(work.teacher, 99)
        views = make_views(self.data, self.data.train, device, work.augment)
        train(
            make_learners([self.teacher], device),
            views,
            replace(self.recipe, epochs=2, lr=0.1),
            seed=99,
            lesson=_lesson([(1.0, 0.0, 1.0)], device),
        )

    def network(self, name: str, seed: int) -> torch.nn.Module:
        return models.build(name, 10, in_shape=self.in_shape, seed=seed).to(self.device)

    def accuracy(self, network: torch.nn.Module) -> float:
        labels = torch.as_tensor(self.data.test.y, device=self.device)
        return (predict(network, self.test).argmax(1) == labels).float().mean().item()

    def sweep(self, temperatures: tuple[float, ...]) -> tuple[float, float]:
        """Seconds a student-epoch, and accuracy at T = 4."""
        networks = [self.network(self.work.student, i) for i in range(len(temperatures))]
        rows = [(T, 0.8, distillation.soft_factor(T, "none")) for T in temperatures]
        started = time.perf_counter()
        views = make_views(self.data, self.data.train, self.device, self.work.augment)
        learners = make_learners(networks, self.device)
        train(
            learners,
            views,
            self.recipe,
            seed=0,
            lesson=_lesson(rows, self.device),
            teacher=TeacherOutputs(self.teacher, views, self.recipe.precision),
        )
        seconds = time.perf_counter() - started
        best = learners.finish()[temperatures.index(4) if 4 in temperatures else 0]
        return seconds / self.epochs / len(temperatures), self.accuracy(best)

    def conventional(self, temperature: float, workers: int) -> tuple[float, float]:
        """The same of one run, as public distillation code does it."""
        import_torchvision()
        from PIL import Image
        from torchvision import transforms

        side = self.work.size
        steps = [transforms.ToTensor(), transforms.Normalize(self.data.mean, self.data.std)]
        if "flip" in self.work.augment:
            steps.insert(0, transforms.RandomHorizontalFlip())
        if "crop" in self.work.augment:
            steps.insert(0, transforms.RandomCrop(side, padding=side // 8))
        transform = transforms.Compose(steps)
        pixels, labels = self.data.train.x.transpose(0, 2, 3, 1), self.data.train.y

        class Images(torch.utils.data.Dataset):
            def __len__(self) -> int:
                return len(labels)

            def __getitem__(self, i: int):
                return transform(Image.fromarray(pixels[i])), int(labels[i])

        torch.manual_seed(0)
        student = self.network(self.work.student, 4)
        optimizer = torch.optim.SGD(student.parameters(), 0.02, momentum=0.9, weight_decay=1e-3)
        started = time.perf_counter()
        loader = torch.utils.data.DataLoader(
            Images(), self.work.batch_size, shuffle=True, num_workers=workers
        )
        total = 0.0
        for _ in range(self.epochs):
            student.train()
            for x, y in loader:
                x, y = x.to(self.device), y.to(self.device)
                with torch.no_grad():
                    wanted = self.teacher.eval()(x)
                logits = student(x)
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
        return seconds / self.epochs, self.accuracy(student)


def _lesson(rows: list[tuple[float, float, float]], device: torch.device) -> Lesson:
    return Lesson(*torch.tensor(rows, dtype=torch.float32, device=device).T)


def compare(name: str, options: argparse.Namespace) -> dict:
    """Time both ways, alternating; one row of the table."""
    work = STUDIES[name]
    if options.images:
        work = replace(work, images=options.images)
    temperatures = TEMPERATURES[: options.temperatures]
    bench = Bench(work, options.epochs, torch.device(options.device), options.precision)
    ours, theirs, ratios = [], [], []
    for _ in range(options.rounds):
        theirs.append(bench.conventional(4.0, options.workers))
        ours.append(bench.sweep(temperatures))
        ratios.append(theirs[-1][0] / ours[-1][0])
    return {
        "study": name,
        "pair": f"{work.teacher} to {work.student}, {work.size}x{work.size}",
        "temperatures": len(temperatures),
        "images": work.images,
        "epochs": options.epochs,
        "conventional_s": statistics.median(s for s, _ in theirs),
        "sweep_s": statistics.median(s for s, _ in ours),
        "ratio": statistics.median(ratios),
        "ratio_low": min(ratios),
        "ratio_high": max(ratios),
        "accuracy_conventional": statistics.mean(a for _, a in theirs),
        "accuracy_sweep": statistics.mean(a for _, a in ours),
        "peak_memory_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def linear(name: str, options: argparse.Namespace) -> list[dict]:
    """Seconds a sweep takes against temperatures and images."""
    rows = []
    for images, count in ((512, 4), (512, 8), (512, 13), (1024, 13), (2048, 13)):
        work = replace(STUDIES[name], images=images)
        bench = Bench(work, 1, torch.device(options.device), options.precision)
        seconds = bench.sweep(TEMPERATURES[:count])[0] * count
        rows.append({"study": name, "images": images, "temperatures": count, "seconds": seconds})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--study", choices=[*STUDIES, "all"], default="all")
    parser.add_argument("--temperatures", type=int, default=13, help="how many, up to 13")
    parser.add_argument("--images", type=int, help="training images, in place of the study's")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3, help="alternations")
    parser.add_argument("--workers", type=int, default=0, help="of the conventional DataLoader")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="bf16", choices=["bf16", "fp32"])
    parser.add_argument("--linear", action="store_true", help="cost against size, and nothing else")
    parser.add_argument("--json", help="write the rows there too")
    options = parser.parse_args()
    names = list(STUDIES) if options.study == "all" else [options.study]
    rows = []
    for name in names:
        for row in linear(name, options) if options.linear else [compare(name, options)]:
            rows.append(row)
            print("  ".join(f"{key}={_shown(value)}" for key, value in row.items()), flush=True)
    about = {
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "precision": options.precision,
    }
    print("  ".join(f"{key}={value}" for key, value in about.items()))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"about": about, "rows": rows}, file, indent=1)


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
