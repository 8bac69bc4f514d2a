"""A stranger recomputes what is published, without this project's code."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kdfair_book.evidence.chance import affected_counts
from kdfair_core import results

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "scripts" / "recompute.py"
FOLDERS = sorted(path.parent for path in (ROOT / "data").glob("**/summary.csv"))


@pytest.fixture(scope="module")
def recompute():
    spec = importlib.util.spec_from_file_location("recompute", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.recompute


def test_the_script_is_short_and_knows_nothing_of_ours():
    text = SCRIPT.read_text()
    assert len(text.splitlines()) <= 80
    assert "kdfair" not in text.replace(str(ROOT), "")


@pytest.mark.slow
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_every_row_and_every_count(folder, recompute):
    difference, n, counts = recompute(folder)
    assert n == len(pd.read_csv(folder / "summary.csv")) and difference < 1e-6
    ours = affected_counts(results.load(folder.parent.name, folder.name, root=folder.parents[1]))
    for comparison in ("SC", "TC"):
        part = ours[ours["comparison"] == comparison]
        both = [
            {
                (float(row["temperature"]), float(row["alpha"]), row["soft_scale"]): row[column]
                for _, row in frame.iterrows()
            }
            for frame, column in ((part, "significant"), (counts, comparison))
        ]
        assert both[0] == both[1]


def test_a_changed_prediction_is_noticed(tmp_path):
    copy = tmp_path / "cifar10"
    shutil.copytree(ROOT / "data" / "cifar10" / "laptop", copy)
    with np.load(copy / "predictions.npz") as packed:
        arrays = dict(packed)
    right = np.flatnonzero(arrays["pred"][0] == arrays["y_true"])[0]
    arrays["pred"][0, right] = (arrays["pred"][0, right] + 1) % 10
    np.savez(copy / "predictions.npz", **arrays)
    done = subprocess.run([sys.executable, SCRIPT, copy], capture_output=True, text=True)
    assert done.returncode == 1 and "largest difference" in done.stdout
