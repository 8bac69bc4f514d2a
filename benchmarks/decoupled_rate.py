"""A trial: at which learning rate do Trifeature's students survive decoupled distillation?

Its second weight, 8, multiplies the gradient; at the laptop profile's rate students collapse. The
rule, written down before the trial: the largest of ``RATES`` at which no student collapses, judged
by accuracy alone, on a seed that no page shows. Resumable.

    python benchmarks/decoupled_rate.py --store runs/trial
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from kdfair_core import studies
from kdfair_core.runs import RunStore
from kdfair_core.training import run_study

RATES = (0.004, 0.002, 0.001, 0.0005)
TEMPERATURES = (1, 4, 20)
SEED = 20
OUT = Path(__file__).parents[1] / "data" / "benchmarks" / "decoupled_rate.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", default="runs/trial")
    store = RunStore(parser.parse_args().store)
    study = studies.get("trifeature")
    laptop = study.profile("laptop")
    rows = []
    for rate in RATES:
        profile = replace(
            laptop,
            student_recipe=replace(laptop.student_recipe, loss="dkd", lr=rate),
            seeds=(SEED,),
            null_seeds=(),
            temperatures=TEMPERATURES,
            soft_scales=("T2",),
        )
        trial = replace(study, profiles={"trial": profile})
        run_study(trial, "trial", store=store)
        accuracy = {}
        for run in store.runs("trifeature", "trial"):
            identity = run.identity
            if identity["role"] != "teacher" and identity["recipe"]["lr"] == rate:
                key = f"T={identity['temperature']:g}" if identity["role"] == "ds" else "alone"
                accuracy[key] = round(100 * run.info["accuracy"], 2)
                environment = run.info["environment"]
        alone = accuracy["alone"]
        survive = all(value >= 2 / 3 * alone for value in accuracy.values())
        rows.append({"lr": rate, "accuracy": accuracy, "no_collapse": survive})
        print(json.dumps(rows[-1]), flush=True)
    found = {"seed": SEED, "rows": rows, "environment": environment}
    OUT.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
