"""The sweep's benchmark runs, and its stored results are read as what they are."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from kdfair_book.charts import speed
from kdfair_book.evidence import benchmarks

SMALL = "--examples 40 --epochs 1 --rounds 1 --temperatures 2".split()
ROOT = Path(__file__).resolve().parents[1]


def run_benchmark(script, folder, *options):
    """What a benchmark stores, run as a user would."""
    file = folder / "rows.json"
    done = subprocess.run(
        [sys.executable, f"benchmarks/{script}", "--json", str(file), *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(file.read_text())


@pytest.mark.slow
@pytest.mark.parametrize("study", ["cifar10", "trifeature", "text"])
def test_the_sweep_benchmark_runs(study, tmp_path):
    content = run_benchmark("sweep.py", tmp_path, "--study", study, *SMALL)
    assert content["about"]["torch"]
    (row,) = content["rows"]
    assert row["study"] == study and row["temperatures"] == 2
    assert row["ratio"] == pytest.approx(row["conventional_s"] / row["sweep_s"])
    assert 0 < row["in_products"] < 1 and 0 < row["of_limit"] < 1
    # a student-epoch of ResNet-20 is three passes of 41 million products an image
    if study == "cifar10":
        assert row["gflop"] / 40 == pytest.approx(3 * 2 * 0.041, rel=0.05)


@pytest.fixture(scope="module")
def sweep():
    sys.path.append(str(ROOT / "benchmarks"))
    spec = importlib.util.spec_from_file_location("sweep", ROOT / "benchmarks" / "sweep.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["sweep"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_every_way_to_arrange_students_teaches_the_same(tmp_path):
    """As compared in float32: one step's gradients, however the networks run."""
    small = "--students 3 --batch 8 --size 16 --steps 1 --rounds 1".split()
    content = run_benchmark("arrangements.py", tmp_path, *small)
    assert content["about"]["students"] == 3 and content["about"]["torch"]
    rows = {row["way"]: row for row in content["rows"]}
    assert {"one after another", "a core each", "one program"} <= set(rows)
    for row in rows.values():
        assert row["apart"] < 0.01  # rounding that crosses a zero of a ReLU weighs more than itself
        assert row["images_s"] == pytest.approx(8 / (row["step_ms"] / 1e3))
    table = benchmarks.arrangements_table(pd.DataFrame(content["rows"]))
    assert list(table["way"]) == sorted(rows, key=lambda way: rows[way]["step_ms"])


def test_a_study_timed_anew_replaces_its_own_row(sweep, tmp_path):
    file, here = tmp_path / "rows.json", {"cores": 2}

    def rows():
        return [(row["study"], row["ratio"]) for row in json.loads(file.read_text())["rows"]]

    sweep.store(file, here, [{"study": "cifar10", "ratio": 2}, {"study": "text", "ratio": 4}])
    sweep.store(file, here, [{"study": "cifar10", "ratio": 3}])
    assert rows() == [("cifar10", 3), ("text", 4)]
    sweep.store(file, {"cores": 4}, [{"study": "text", "ratio": 5}])
    assert rows() == [("text", 5)]


def test_all_studies_give_one_row_each(sweep, monkeypatch):
    def timed(command, **_):
        options = dict(zip(command[-4::2], command[-3::2], strict=True))
        sweep.store(Path(options["--json"]), {"cores": 2}, [{"study": options["--study"]}])

    monkeypatch.setattr(sweep.subprocess, "run", timed)
    assert [row["study"] for row in sweep._apart()] == list(sweep.STUDIES)


@pytest.mark.slow
def test_the_reading_benchmark_runs(tmp_path):
    content = run_benchmark("reading.py", tmp_path, "--images", "6", "--rounds", "1")
    rows = {row["what"]: row for row in content["rows"]}
    assert 60e3 < rows["files"]["bytes"] < 200e3 and rows["array"]["bytes"] == 3 * 224 * 224
    assert rows["array"]["images_s"] > rows["files"]["images_s"] > 0
    (teacher,) = (row for what, row in rows.items() if "teacher" in what)
    assert teacher["stands_on"] == "arithmetic" and teacher["rate"] == "h100-eager"


def test_pages_say_what_was_measured_and_what_a_bound_stands_on():
    table, found = benchmarks.reading_table(), benchmarks._read("reading", benchmarks.FOLDER)
    assert len(table) == 5
    assert table["images a second"][0] == f"{found['images_s'][0]:,.0f}"
    assert table["who"][0].startswith("one core reads") and "resnet50" in table["who"][3]
    assert table["stands on"].str.startswith("measured").tolist() == [True] * 3 + [False] * 2
    costs = benchmarks.ray_costs()
    assert len(costs) == 4 and "lost" in costs["took"][3] and "nan" not in costs.to_string()


def test_without_a_gpu_its_benchmark_says_so():
    if torch.cuda.is_available():
        pytest.skip("there is one")
    done = subprocess.run(
        [sys.executable, "benchmarks/gpu.py"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "no GPU here: nothing was measured\n"


@pytest.mark.slow
def test_the_gpu_benchmark_rehearses_on_a_cpu(tmp_path):
    content = run_benchmark("gpu.py", tmp_path, "--device", "cpu")
    rows = {row["way"]: row for row in content["rows"]}
    assert list(rows) == ["the loop of before", "captured, on streams", "stack"]
    assert all(row["step_ms"] > 0 and 0 < row["of_bandwidth"] < 2 for row in rows.values())
    assert any("convolution" in row["kernel"] for row in content["kernels"])
    assert content["profiles"]
    for row in content["profiles"]:
        steps = {"svhn": 1_831_400, "cifar10": 1_250_000}[row["study"]]
        each = row["teacher_ms"] + row["students_ms"]
        assert row["seed_s"] == pytest.approx(steps * each / 1e3)


def test_our_own_gpu_rows_stand_beside_the_prototypes(tmp_path):
    prototype = json.loads((benchmarks.FOLDER / "h100.json").read_text())
    (tmp_path / "h100.json").write_text(json.dumps(prototype))
    assert len(benchmarks.gpu_table(tmp_path)) == sum("way" in row for row in prototype["rows"])
    about = {"device": "GPU of a test", "torch": "2.13", "date": "2026-01-01"}
    ours = {"about": about, "rows": [{"way": "stack", "step_ms": 10.0}]}
    (tmp_path / "gpu.json").write_text(json.dumps(ours))
    last = benchmarks.gpu_table(tmp_path).iloc[-1]
    assert last.tolist() == [
        "stack",
        "10.0",
        "391",
        "this project, GPU of a test, torch 2.13, 2026-01-01",
    ]


def test_the_peers_table_says_what_was_compared():
    (row,) = benchmarks.peers_table(benchmarks.stored("peers")).to_dict("records")
    found = benchmarks.stored("peers").iloc[0]
    assert row["library"] == found["peer"].replace("==", " ")
    assert row["times faster"].startswith(f"{found['ratio']:.1f} (")
    assert "threads" in row["on"]


@pytest.mark.parametrize("name", [n for n in benchmarks.NAMES if n != "gpu"])
def test_stored_benchmarks_say_where_they_ran(name):
    found = benchmarks.stored(name)
    assert len(found) and {"torch", "processor", "cores"} <= set(found.attrs)


def test_unknown_benchmark():
    with pytest.raises(
        ValueError, match="'speed'; expected one of sweep, linear, noise, arrangements, peers"
    ):
        benchmarks.stored("speed")


def test_cost_of_each():
    linear = pd.DataFrame({"seconds": [2.0, 8.0], "temperatures": [4, 8], "examples": [100, 200]})
    assert benchmarks.milliseconds_each(linear)["milliseconds_each"].tolist() == [5.0, 5.0]


def test_precision_gap_is_paired_over_seeds():
    rows = [
        {
            "seed": s,
            "precision": p,
            "temperature": 4,
            "accuracy": 0.8 + 0.02 * s + (p == "bf16") * g,
        }
        for s, g in enumerate([0.01, 0.02, 0.03])
        for p in ("fp32", "bf16")
    ]
    (row,) = benchmarks.precision_gap(pd.DataFrame(rows)).to_dict("records")
    assert row["gap"] == pytest.approx(0.02) and row["n"] == 3
    assert row["high"] - row["gap"] == pytest.approx(4.302653 * 0.01 / np.sqrt(3), rel=1e-5)
    assert row["seed_sd"] == pytest.approx(0.02)


def test_figures_say_what_was_timed():
    figure = speed.sweep_speed(benchmarks.stored("sweep"))
    assert all("times faster" in panel.says for panel in figure.panels)
    assert "nan" not in figure.readout
    gap = speed.precision_gap(benchmarks.stored("noise"))
    assert len(gap.table) == 3 and "points" in gap.panels[0].says
