"""What a sweep costs on a GPU: one command, at most 150 seconds, for the speed page.

The work is the paper's on CIFAR-100: a step of 14 ResNet-20 on a batch of 128 images of 32x32 from
one look of a ResNet-56, forward, loss, backward and optimizer, each way in the same process:

the loop of before     one after another, each operation asked for by Python
captured, on streams   the step as one CUDA graph, a stream a student
stack                  the students as one network (grouped convolutions), captured
stack, compiled        the same, compiled first

Batches are made and the teacher looks at them as in training. "of_bandwidth" is the share of the
time that the GPU would need to move every operation's inputs and outputs once, uncompiled, at the
rate of a large copy. Then the kernels that take most, and what a seed and a study of every paper
profile for images would take at the rates measured; what time or memory had no room for is named.

    python benchmarks/gpu.py
    python benchmarks/gpu.py --json data/benchmarks/gpu.json
    python benchmarks/gpu.py --device cpu        a rehearsal that says nothing of speed
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from arrangements import bandwidth, moved, timed
from machine import machine

from kdfair_core import models, studies
from kdfair_core.datasets import Split
from kdfair_core.studies import Recipe
from kdfair_core.training.captured import Captured
from kdfair_core.training.compiling import can_compile
from kdfair_core.training.learners import Learners, make_learners, to_device
from kdfair_core.training.loop import _taught
from kdfair_core.training.plan import plan, steps_per_epoch
from kdfair_core.training.step import Lesson, Step, make_optimizer
from kdfair_core.training.sweep import environment
from kdfair_core.training.teacher import TeacherOutputs, products
from kdfair_core.training.views import ImageViews

# Pixels of a side and images to learn from, of data sets that need not be here.
SIZES = {
    "cifar10": (32, 50_000),
    "cifar100": (32, 50_000),
    "svhn": (32, 73_257),
    "tinyimagenet": (64, 100_000),
    "celeba": (64, 162_770),
    "trifeature": (224, 80_000),
    "imagenet": (224, 1_281_167),
}
WAYS = ("the loop of before", "captured, on streams", "stack", "stack, compiled")


class Work:
    """Networks that learn from batches of random images, as in training."""

    def __init__(self, device: torch.device, recipe: Recipe, side: int, n_classes: int) -> None:
        self.device, self.recipe, self.side, self.n_classes = device, recipe, side, n_classes
        batches = max(6, min(120, 2**28 // (3 * side**2 * recipe.batch_size)))
        if device.type == "cpu":
            batches = 4
        draws = np.random.default_rng(0)
        shape = (batches * recipe.batch_size, 3, side, side)
        split = Split(
            draws.integers(0, 256, shape, dtype=np.uint8),
            draws.integers(n_classes, size=shape[0]),
            {},
        )
        self.views = ImageViews(split, (0.5,) * 3, (0.25,) * 3, device, recipe.augment)

    def networks(self, name: str, count: int) -> list[torch.nn.Module]:
        shape = (3, self.side, self.side)
        found = [models.build(name, self.n_classes, in_shape=shape, seed=i) for i in range(count)]
        return [to_device(network, self.device) for network in found]

    def learners(self, name: str, count: int, way: str = WAYS[2]) -> Learners:
        networks = self.networks(name, count)
        if way == WAYS[0]:
            return Learners(networks, range(count))
        if way == WAYS[1]:
            return Learners(networks, range(count), captured=self.device.type == "cuda")
        return make_learners(networks, self.device, compiled=way == WAYS[3])

    def steps(
        self, learners: Learners, teacher: str | None, temperatures: list[float] | None = None
    ) -> Iterator[None]:
        """Make a step at each turn; run inside of ``learners`` and the recipe's products."""
        count = len(learners.networks)
        rows = [(T or 1.0, 0.8 * (T > 0), T * T or 1.0) for T in temperatures or [0.0] * count]
        lesson = Lesson(*torch.tensor(rows, device=self.device).T)
        optimizer = make_optimizer(self.recipe, list(learners.trained.parameters()))
        step = Step(learners, optimizer, lesson, self.recipe.precision)
        make_step = Captured(step, step.changes) if learners.captured else step
        looks = None
        if teacher:
            looks = TeacherOutputs(self.networks(teacher, 1)[0], self.views, self.recipe.precision)
        epoch = 0
        while True:
            batches = self.views.epoch(0, epoch, self.recipe.batch_size)
            for batch, wanted in _taught(batches, looks, learners):
                make_step(batch.labels, wanted, *batch.inputs)
                yield
            epoch += 1

    def seconds(
        self,
        learners: Learners,
        teacher: str | None = None,
        temperatures: list[float] | None = None,
        *,
        profiled: bool = False,
    ) -> tuple[float, float, list[dict[str, Any]]]:
        """Seconds to begin, seconds a step, and the kernels of a step."""
        turns = self.steps(learners, teacher, temperatures)

        def go(n: int) -> None:
            for _ in islice(turns, n):
                pass

        with learners, products(self.device, self.recipe.precision):
            begun = timed(lambda: go(2), self.device)
            one = timed(lambda: go(2), self.device) / 2
            n = max(2, min(100, int(1.5 / one))) if self.device.type == "cuda" else 1
            seconds = min(timed(lambda: go(n), self.device) / n for _ in range(2))
            table = kernels(go, self.device) if profiled else []
            turns.close()  # type: ignore[attr-defined]
        return begun, seconds, table


def kernels(go: Any, device: torch.device, n: int = 3) -> list[dict[str, Any]]:
    """The kernels of a step that take most, milliseconds and launches a step."""
    gpu = device.type == "cuda"
    activity = torch.profiler.ProfilerActivity
    with torch.profiler.profile(activities=[activity.CUDA if gpu else activity.CPU]) as profile:
        go(n)
        if gpu:
            torch.cuda.synchronize(device)
    spent = "self_device_time_total" if gpu else "self_cpu_time_total"
    events = sorted(profile.key_averages(), key=lambda e: -getattr(e, spent))[:15]
    return [
        {"kernel": e.key[:90], "ms": getattr(e, spent) / 1e3 / n, "launches": e.count / n}
        for e in events
    ]


class Clock:
    """The seconds that are left."""

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds

    def left(self) -> float:
        return self.end - time.monotonic()


def attempt(what: str, work: Any, needs: float, clock: Clock) -> Any:
    """What ``work`` gives, or the reason why not."""
    if clock.left() < needs:
        print(f"{what}: no time left", flush=True)
        return "no time left"
    try:
        return work()
    except (RuntimeError, ValueError) as error:  # out of memory is a RuntimeError
        said = (str(error).splitlines() or [type(error).__name__])[0]
        print(f"{what}: {said}", flush=True)
        return said
    finally:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def compare_ways(device: torch.device, precision: str, clock: Clock) -> dict[str, Any]:
    """Rows of the ways, the teacher's steps and the kernels of the fastest way."""
    small = device.type == "cpu"
    recipe = Recipe(precision=precision, batch_size=8 if small else 128)
    work = Work(device, recipe, 16 if small else 32, 100)
    student, teacher, count = ("resnet20", "resnet20", 2) if small else ("resnet20", "resnet56", 14)
    temperatures = [0.0, *studies.TEMPERATURES][:count]
    images = next(work.views.batches(recipe.batch_size))
    alone = work.networks(student, 1)[0]
    floor = count * moved(alone, images.inputs[0], images.labels, precision) / bandwidth(device)
    rows, table = [], []
    for way in WAYS:
        if way == WAYS[3] and (small or not can_compile(device.type)):
            continue

        def time_it(way: str = way) -> dict[str, Any]:
            learners = work.learners(student, count, way)
            if not small:
                torch.cuda.reset_peak_memory_stats(device)
            last = way in WAYS[2:]
            begun, seconds, found = work.seconds(learners, teacher, temperatures, profiled=last)
            table[:] = found or table
            return {
                "way": way,
                "step_ms": 1e3 * seconds,
                "images_s": recipe.batch_size / seconds,
                "student_images_s": count * recipe.batch_size / seconds,
                "of_bandwidth": floor / seconds,
                "begin_s": begun,
                "memory_gb": 0 if small else torch.cuda.max_memory_allocated(device) / 2**30,
            }

        found = attempt(way, time_it, 60 if way == WAYS[3] else 15, clock)
        rows.append(found if isinstance(found, dict) else {"way": way, "said": found})
        say(rows[-1])
    for row in rows:
        if "step_ms" in row and "step_ms" in rows[0]:
            row["times_faster"] = rows[0]["step_ms"] / row["step_ms"]
    return {"rows": rows, "kernels": table}


def profiles(device: torch.device, precision: str, clock: Clock) -> list[dict[str, Any]]:
    """A row for the paper profile of each study of images: what a seed and the study would take."""
    rows: list[dict[str, Any]] = []
    known: dict[tuple, dict[str, float]] = {}
    asked = [name for name in studies.names() if studies.get(name).in_paper]
    for name in asked if device.type == "cuda" else asked[:2]:
        study = studies.get(name)
        if study.dataset not in SIZES:
            continue
        profile = study.profile("paper")
        side, n_train = SIZES[study.dataset]
        side = profile.dataset.get("size", side)
        recipe = replace(profile.student_recipe, precision=precision)
        if device.type == "cpu":
            side, recipe = max(16, side // 8), replace(recipe, batch_size=4)
        first = plan(study, "paper", has=lambda _: False)[0]
        temperatures = [i["temperature"] if i["role"] == "ds" else 0.0 for i in first.students]
        pair = (profile.teacher, profile.student, side, recipe.batch_size, len(temperatures))
        row = {
            "study": name,
            "teacher": pair[0],
            "student": pair[1],
            "side": side,
            "batch": pair[3],
            "students": pair[4],
            "epochs": recipe.epochs,
        }

        def time_it(
            recipe: Recipe = recipe,
            side: int = side,
            row: dict[str, Any] = row,
            temperatures: list[float] = temperatures,
            n_classes: int = study.n_classes,
        ) -> dict[str, float]:
            work = Work(device, recipe, side, n_classes)
            count = row["students"] if device.type == "cuda" else 1
            alone = work.seconds(work.learners(row["teacher"], 1))[1]
            null = work.seconds(work.learners(row["student"], 1))[1]
            learners = work.learners(row["student"], count)
            beside = work.seconds(learners, row["teacher"], temperatures[:count])[1]
            return {"teacher_ms": 1e3 * alone, "null_ms": 1e3 * null, "students_ms": 1e3 * beside}

        if pair not in known:
            needs = 15 if side <= 32 else 30 if side <= 64 else 60
            found = attempt(name, time_it, needs, clock)
            if isinstance(found, str):
                rows.append(row | {"said": found})
                continue
            known[pair] = found
        took = known[pair]
        steps = recipe.epochs * steps_per_epoch(n_train, recipe.batch_size)
        seed_s = steps * (took["teacher_ms"] + took["students_ms"]) / 1e3
        null_s = len(profile.null_seeds) * steps * took["null_ms"] / 1e3
        hours = (len(profile.seeds) * seed_s + null_s) / 3600
        rows.append(row | took | {"seed_s": seed_s, "study_hours": hours})
        say(rows[-1])
    return rows


def say(row: dict[str, Any]) -> None:
    parts = (f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in row.items())
    print("  ".join(parts), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--precision", default="bf16", choices=["bf16", "tf32", "fp32"])
    parser.add_argument("--seconds", type=float, default=140, help="what does not fit is left out")
    parser.add_argument("--json", type=Path, help="write what is printed there too")
    options = parser.parse_args()
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print("no GPU here: nothing was measured")
        return
    clock = Clock(options.seconds)
    about = {
        **machine(),
        "device": environment(device)["device"],
        "precision": options.precision,
        "date": date.today().isoformat(),
        "copy_gb_s": bandwidth(device) / 1e9,
    }
    say(about)
    found = compare_ways(device, options.precision, clock)
    for row in found["kernels"]:
        say(row)
    content = {"about": about, **found, "profiles": profiles(device, options.precision, clock)}
    if options.json:
        options.json.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
