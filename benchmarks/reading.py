"""How many images a second does one reader feed, and how many does a GPU eat?

Files of ImageNet's usual size (500 x 375 pixels, about 110 KB) are made here, with the spectrum of
photographs (amplitude one over frequency), and read as a training at 224 pixels reads them:

files    each JPEG decoded, resized and cropped
packing  the same, and written to the array on disk
array    rows of that array at random, which the system holds in memory by then

"images_s" is an image for each second of one core's work (CPU time, so that others on the machine
do not count), the median over the rounds; the disk is not waited for. What a GPU eats is not
measured here: it comes from the rates in data/benchmarks/h100.json, and "stands_on" says how.

    python benchmarks/reading.py --json data/benchmarks/reading.json
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import machine
from PIL import Image

from kdfair_cluster.costs import Rates, network
from kdfair_core import studies
from kdfair_core.datasets._images import ImageFiles, Rows
from kdfair_core.datasets._packing import packed

SIZE, RESIZE = 224, 256
RATE = "h100-eager"


def make_files(folder: Path, count: int) -> list[Path]:
    """JPEG files of noise with the spectrum of photographs."""
    draws = np.random.default_rng(0)
    height, width = 375, 500
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = np.inf
    paths = []
    for k in range(count):
        phases = np.exp(2j * np.pi * draws.random((3, *frequency.shape)))
        image = np.fft.irfft2(phases / frequency, (height, width))
        image = 128 + 50 * image / image.std((1, 2), keepdims=True)
        pixels = np.clip(image, 0, 255).astype(np.uint8).transpose(1, 2, 0)
        paths.append(folder / f"{k}.jpg")
        Image.fromarray(np.ascontiguousarray(pixels)).save(paths[-1], "JPEG", quality=90)
    return paths


def timed(work: Callable[[], object], images: int, rounds: int) -> list[float]:
    """Images a second of one core's work, in each round."""
    found = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        found.append(images / (time.process_time() - began))
    return found


def read(folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    paths = make_files(folder, options.images)
    files, array = ImageFiles(paths, SIZE, RESIZE), folder / "array.npy"

    def pack() -> None:
        array.unlink(missing_ok=True)
        packed(files, array, workers=1)

    order = np.random.default_rng(1).permutation(options.images)

    def epoch(x: Any) -> Callable[[], None]:
        def work() -> None:  # as kdfair_core.training.views reads a batch
            for rows in np.array_split(order, max(1, len(order) // 64)):
                torch.as_tensor(x[rows]).permute(0, 2, 3, 1).contiguous()

        return work

    rates = {
        "files": timed(epoch(files), options.images, options.rounds),
        "packing": timed(pack, options.images, options.rounds),
    }
    rows = Rows(packed(files, array), np.arange(options.images))
    rates["array"] = timed(epoch(rows), options.images, options.rounds)
    size = statistics.mean(path.stat().st_size for path in paths)
    return [
        {
            "what": what,
            "images_s": statistics.median(found),
            "low": min(found),
            "high": max(found),
            "bytes": size if what != "array" else 3 * SIZE**2,
            "stands_on": "measured",
        }
        for what, found in rates.items()
    ]


def eaten(rate: Rates) -> list[dict[str, Any]]:
    """Images a second of one GPU, of the ImageNet study's teacher and of all its students."""
    profile = studies.get("imagenet").profile("paper")
    temperatures = len(profile.temperatures) * len(profile.alphas) * len(profile.soft_scales)
    rows = []
    for role, name, recipe, learners in (
        ("teacher", profile.teacher, profile.teacher_recipe, 1),
        ("student", profile.student, profile.student_recipe, temperatures + 1),
    ):
        net = network(name, 1000, SIZE)
        ms = rate.step_ms(role, net, recipe, learners)
        what = f"{name}, {role}" if learners == 1 else f"{learners} {name} side by side"
        rows.append(
            {
                "what": what,
                "images_s": 1000 * recipe.batch_size / ms,
                "bytes": 3 * SIZE**2,
                "stands_on": rate.stands_on(role, net, recipe),
                "rate": rate.name,
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the rows there")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        rows = read(Path(folder), options) + eaten(Rates(RATE))
    about = machine() | {"load": os.getloadavg()[0], "recorded": date.today().isoformat()}
    about |= {"images": options.images, "rounds": options.rounds}
    for row in rows:
        print(f"{row['what']:<32}{row['images_s']:>10,.0f} images/s  ({row['stands_on']})")
    if options.json:
        options.json.write_text(json.dumps({"about": about, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
