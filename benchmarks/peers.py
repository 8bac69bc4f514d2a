"""How long does a student's epoch take in torchdistill, and in a sweep of ours?

torchdistill (Matsubara, 2021) is a public library of distillation. This installs it in an
environment of its own, which sees this one's torch, and lets it distill a ResNet-56 into a
ResNet-20 as its own examples do: its networks, its KDLoss, its training box and data loader,
torchvision's crop and flip. Ours is a sweep of 13 temperatures, ResNet-56 to ResNet-20 too. Both
learn from the same random images of CIFAR's shape, alternating in one process; no teacher is
trained. On a GPU both multiply in TF32, as torchdistill does if nothing is said.

    python benchmarks/peers.py
    python benchmarks/peers.py --device cuda --examples 50000 --workers 8
    python benchmarks/peers.py --json data/benchmarks/peers.json
"""

from __future__ import annotations

import argparse
import json
import os
import site
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import machine

from kdfair_core import distillation, models
from kdfair_core.datasets import Split
from kdfair_core.models._torchvision import import_torchvision
from kdfair_core.studies import TEMPERATURES, Recipe
from kdfair_core.training.learners import make_learners, to_device
from kdfair_core.training.loop import train
from kdfair_core.training.memory import kept_memory
from kdfair_core.training.step import Lesson
from kdfair_core.training.sweep import environment
from kdfair_core.training.teacher import TeacherOutputs
from kdfair_core.training.views import ImageViews

PEER = "torchdistill==1.1.5"
ALSO = ["pyyaml", "cython"]  # what it needs beside what is here
N_CLASSES = 100
MEAN, STD = (0.5,) * 3, (0.25,) * 3


def make_environment(folder: Path) -> Path:
    """Python of an environment with the peer and all that this one has."""
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        where = [*site.getsitepackages(), str(Path(__file__).resolve().parents[1])]
        ask = "import site; print(site.getsitepackages()[0])"
        here = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True)
        (Path(here.stdout.strip()) / "ours.pth").write_text("\n".join(where) + "\n")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "--no-deps", PEER, *ALSO], check=True)
    return python


def images(n: int) -> Split:
    draws = np.random.default_rng(0)
    x = draws.integers(0, 256, (n, 3, 32, 32), dtype=np.uint8)
    return Split(x, draws.integers(N_CLASSES, size=n), {})


class Ours:
    """A sweep of all temperatures."""

    def __init__(self, split: Split, device: torch.device) -> None:
        self.split, self.device = split, device
        precision = "tf32" if device.type == "cuda" else "fp32"
        self.recipe = Recipe(epochs=1, milestones=(), precision=precision)
        self.teacher = to_device(self.network("resnet56", 0), device)

    def network(self, name: str, seed: int) -> torch.nn.Module:
        return models.build(name, N_CLASSES, seed=seed)

    def epoch(self) -> float:
        """Seconds a student-epoch."""
        rows = [(T, 0.8, distillation.soft_factor(T, "T2")) for T in TEMPERATURES]
        students = [self.network("resnet20", i) for i in range(len(rows))]
        with kept_memory():
            started = time.perf_counter()
            views = ImageViews(self.split, MEAN, STD, self.device, self.recipe.augment)
            train(
                make_learners(students, self.device),
                views,
                self.recipe,
                seed=0,
                lesson=Lesson(*torch.tensor(rows, device=self.device).T),
                teacher=TeacherOutputs(self.teacher, views, self.recipe.precision),
            )
            return (time.perf_counter() - started) / len(rows)


class Theirs:
    """One student by torchdistill, as its examples/torchvision/image_classification.py does it."""

    def __init__(self, split: Split, device: torch.device, workers: int) -> None:
        import_torchvision()
        from PIL import Image
        from torchvision import transforms

        pixels, labels = split.x.transpose(0, 2, 3, 1), split.y
        steps = [
            transforms.RandomCrop(32, padding=4),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
        transform = transforms.Compose(steps)

        class Images(torch.utils.data.Dataset):
            def __len__(self) -> int:
                return len(labels)

            def __getitem__(self, i: int):
                return transform(Image.fromarray(pixels[i])), int(labels[i])

        self.data, self.device, self.workers = Images(), device, workers

    def epoch(self) -> float:
        """Seconds a student-epoch."""
        from torchdistill.core.distillation import get_distillation_box
        from torchdistill.models.classification.resnet import resnet20, resnet56

        started = time.perf_counter()
        gpu = self.device.type == "cuda"
        logits = {"module_path": ".", "io": "output"}
        loss = {
            "key": "KDLoss",
            "kwargs": {
                "student_module_path": logits["module_path"],
                "student_module_io": logits["io"],
                "teacher_module_path": logits["module_path"],
                "teacher_module_io": logits["io"],
                "temperature": 4.0,
                "alpha": 0.2,
            },
        }
        config: dict[str, Any] = {
            "num_epochs": 1,
            "train_data_loader": {
                "dataset_id": "train",
                "sampler": {"class_or_func": torch.utils.data.RandomSampler},
                "kwargs": {"batch_size": 128, "num_workers": self.workers, "pin_memory": gpu},
            },
            "teacher": {"requires_grad": False, "forward_proc": "forward_batch_only"},
            "student": {"forward_proc": "forward_batch_only"},
            "optimizer": {
                "key": "SGD",
                "kwargs": {"lr": 0.1, "momentum": 0.9, "weight_decay": 1e-3},
            },
            "criterion": {
                "key": "WeightedSumLoss",
                "kwargs": {"sub_terms": {"kd": {"criterion": loss, "weight": 1.0}}},
            },
        }
        box = get_distillation_box(
            resnet56(N_CLASSES).to(self.device).eval(),
            resnet20(N_CLASSES).to(self.device),
            {"train": self.data},
            config,
            self.device,
            None,
            False,
            1,
        )
        box.pre_epoch_process(epoch=0)
        for batch, targets, more in box.train_data_loader:
            batch, targets = batch.to(self.device), targets.to(self.device)
            loss_value = box.forward_process(batch, targets, more)
            box.post_forward_process(loss=loss_value)
            loss_value.item()  # its MetricLogger asks for it at each step
        box.post_epoch_process()
        box.clean_modules()
        return time.perf_counter() - started


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """Time both, alternating, after a round that is not counted."""
    device = torch.device(options.device)
    split = images(options.examples)
    ours, theirs = Ours(split, device), Theirs(split, device, options.workers)
    pairs = [(theirs.epoch(), ours.epoch()) for _ in range(options.rounds + 1)][1:]
    ratios = [their / our for their, our in pairs]
    about = {
        **machine(),
        "device": environment(device)["device"],
        "torchdistill": version("torchdistill"),
        "torchvision": version("torchvision"),
        "workers": options.workers,
        "rounds": options.rounds,
        "temperatures": len(TEMPERATURES),
        "examples": options.examples,
    }
    row = {
        "pair": "ResNet-56 to ResNet-20, 32x32",
        "peer": PEER,
        "peer_s": statistics.median(their for their, _ in pairs),
        "sweep_s": statistics.median(our for _, our in pairs),
        "ratio": statistics.median(ratios),
        "ratio_low": min(ratios),
        "ratio_high": max(ratios),
    }
    return {"about": about, "rows": [row]}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--examples", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=0, help="of torchdistill's data loader")
    parser.add_argument(
        "--env",
        type=Path,
        default=Path(tempfile.gettempdir()) / "kdfair-peers",
        help="folder of the environment that is made for torchdistill",
    )
    parser.add_argument("--json", type=Path, help="write the row there too")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.inside:
        python = make_environment(options.env)
        command = [python, __file__, "--inside", *sys.argv[1:]]
        sys.exit(subprocess.run(command, check=False).returncode)
    content = compare(options)
    for part in (content["about"], *content["rows"]):
        shown = (f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in part.items())
        print("  ".join(shown))
    if options.json:
        options.json.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
