"""A trial: how short may CIFAR's training be and stay in the paper's regime?

Each candidate trains a teacher, a student alone and a student distilled at T = 4 on 45,000
training images and is judged on the other 5,000; test images are never read. Training is the
sweep's own, resumable; a killed trial goes on. The regime is that of ``TOLERANCE``, which was
written down before the first candidate was trained.

    python benchmarks/short_schedule.py cifar10 --epochs 10 --store runs/trial
    python benchmarks/short_schedule.py cifar10 --table        # what was tried, as JSON
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from kdfair_core import studies
from kdfair_core.runs import RunStore
from kdfair_core.studies import Profile, Recipe
from kdfair_core.training import run_study

TOLERANCE = {"cifar10": 3.0, "cifar100": 5.0}
"""Points by which a student alone may stay behind the paper's; the gain of a distilled student
must be above 0 and at most twice the paper's best."""

PAPER = {  # Table 6 and 7: student alone, best distilled student, in percent
    "cifar10": {"nds": 90.72, "best": 91.82},
    "cifar100": {"nds": 68.39, "best": 69.81},
}
OUT = Path(__file__).parents[1] / "data" / "benchmarks" / "short_schedule.json"


def candidate(epochs: int, lr: float, teacher_lr: float, decay: float, precision: str) -> Profile:
    """Everything as in the paper but the schedule: one cycle of so many epochs."""
    recipe = Recipe(
        epochs=epochs,
        lr=lr,
        milestones=(),
        schedule="cycle",
        warmup=0.2,
        nesterov=True,
        weight_decay=decay,
        precision=precision,
    )
    return Profile(
        {"held_out": 5_000},
        "resnet56",
        "resnet20",
        replace(recipe, lr=teacher_lr),
        recipe,
        seeds=(0,),
        null_seeds=(),
        temperatures=(4,),
    )


def judged(study: str, accuracies: dict[str, float]) -> dict[str, Any]:
    """Whether a candidate's accuracies, in percent, lie in the paper's regime."""
    paper = PAPER[study]
    behind = paper["nds"] - accuracies["nds"]
    gain = accuracies["ds"] - accuracies["nds"]
    most = 2 * (paper["best"] - paper["nds"])
    return {
        "behind": round(behind, 2),
        "gain": round(gain, 2),
        "in_regime": behind <= TOLERANCE[study] and 0 < gain <= most,
    }


def rows(name: str, store: RunStore) -> list[dict[str, Any]]:
    """A row a finished candidate, read off the store."""
    found: dict[str, dict[str, Any]] = {}
    for run in store.runs(name, "trial"):
        recipe = run.identity["recipe"]
        key = json.dumps([recipe["epochs"], recipe["weight_decay"], recipe["precision"]])
        row = found.setdefault(key, {"study": name, "recipe": {}, "accuracy": {}, "minutes": {}})
        role = run.identity["role"]
        row["recipe"][role] = recipe
        row["accuracy"][role] = round(100 * run.info["accuracy"], 2)
        row["minutes"][role] = round(run.info["seconds"] / 60, 1)
        row["environment"] = run.info["environment"]
    complete = [row for row in found.values() if {"teacher", "nds", "ds"} <= row["accuracy"].keys()]
    return [{**row, **judged(name, row["accuracy"])} for row in complete]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", choices=sorted(PAPER))
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--lr", type=float, default=0.2)
    parser.add_argument("--teacher-lr", type=float, default=0.15)
    parser.add_argument("--decay", type=float, default=5e-4)
    parser.add_argument("--precision", default="bf16")
    parser.add_argument("--store", default="runs/trial")
    parser.add_argument("--table", action="store_true", help="train nothing; print and write")
    args = parser.parse_args()
    store = RunStore(args.store)
    if not args.table:
        study = studies.get(args.study)
        profile = candidate(args.epochs, args.lr, args.teacher_lr, args.decay, args.precision)
        trial = replace(study, profiles={"trial": profile})
        run_study(trial, "trial", store=store)
    table = rows(args.study, store)
    kept = json.loads(OUT.read_text())["rows"] if OUT.exists() else []
    fresh = [row for row in kept if row["study"] != args.study] + table
    OUT.write_text(json.dumps({"tolerance": TOLERANCE, "rows": fresh}, indent=1) + "\n")
    print(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
