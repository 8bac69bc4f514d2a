"""Simulated coverage, error rates and power, as stored under ``data/simulations/``.

    python -m kdfair_book.evidence.simulations [TABLE ...]

makes the tables anew (some minutes); the pages read them and repeat a small part on the spot.
"pooling" starts from published predictions and needs statsmodels, of ``requirements-test.txt``.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy

from kdfair_book.evidence import coverage, other_tests, pooling_simulated
from kdfair_core.results import load

FOLDER = Path(__file__).parents[2] / "data" / "simulations"

ARGUMENTS: dict[str, Any] = {"n_studies": 1000, "n_boot": 400, "level": 0.95, "seed": 20250}

TABLES: dict[str, Callable[..., pd.DataFrame]] = {
    "coverage": coverage.simulate_coverage,
    "differences": coverage.simulate_difference_coverage,
    "pooling": pooling_simulated.simulate_pooling,
    "pairing": other_tests.simulate_pairing,
    "probabilities": other_tests.simulate_probabilities,
}

STARTS_FROM = {
    "pooling": (*pooling_simulated.GROUPS, *pooling_simulated.CLASSES),
    "probabilities": other_tests.CLASSES,
}
"""Tables made from published runs: study and profile of each."""


def stored(name: str, folder: Path = FOLDER) -> pd.DataFrame:
    """A stored table, one of :data:`TABLES`; ``attrs`` hold how it was made.

    Raises
    ------
    ValueError
        For another name.
    """
    if name not in TABLES:
        raise ValueError(f"unknown simulation {name!r}; expected one of {', '.join(TABLES)}")
    frame = pd.read_csv(folder / f"{name}.csv")
    frame.attrs = json.loads((folder / "manifest.json").read_text())[name]
    return frame


def make(folder: Path = FOLDER, names: Sequence[str] = (), **arguments: Any) -> None:
    """Simulate some tables, or all, and write them with a manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    arguments = ARGUMENTS | arguments
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text()) if path.is_file() else {}
    for name in names or TABLES:
        if name not in TABLES:
            raise ValueError(f"unknown simulation {name!r}; expected one of {', '.join(TABLES)}")
        simulate = TABLES[name]
        runs = {
            f"{study}/{profile}": load(study, profile).manifest["files"]["predictions.npz"]
            for study, profile in STARTS_FROM.get(name, ())
        }
        start = time.perf_counter()
        simulate(**arguments).to_csv(
            folder / f"{name}.csv", index=False, float_format="%.6g", lineterminator="\n"
        )
        manifest[name] = {
            "function": f"{simulate.__module__}.{simulate.__name__}",
            "arguments": arguments,
            "seconds": round(time.perf_counter() - start),
            "versions": {
                "python": ".".join(map(str, sys.version_info[:3])),
                "numpy": np.__version__,
                "scipy": scipy.__version__,
            },
        }
        if runs:
            manifest[name]["runs"] = runs
        path.write_text(json.dumps(manifest, indent=2) + "\n")


if __name__ == "__main__":
    make(names=sys.argv[1:])
