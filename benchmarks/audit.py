"""How long an audit takes, and beside it fairlearn's MetricFrame.

    python benchmarks/audit.py                        100 million rows, 3 models, 3 group columns
    python benchmarks/audit.py --rows 5000000 --classes 10 --format csv

A file of predictions is drawn into a temporary folder (a few hundred megabytes for the default),
audited by the command in a process of its own, and deleted. fairlearn, and AIF360 where it is
installed, get as many of the rows as ``--fairlearn-rows`` says: they keep all of them in memory,
and fairlearn bootstraps by resampling them.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

import kdfair_audit

GROUPS = {
    "sex": ["F", "M"],
    "age": ["0-17", "18-29", "30-39", "40-49", "50-59", "60-69", "70-79", "80+"],
    "region": ["north", "south", "east", "west", "center"],
}
MODELS = {"teacher": 0.08, "student": 0.12, "scratch": 0.14}
CHUNK = 1 << 20
ROLES = ["--label", "y", "--teacher", "teacher", "--distilled", "student", "--baseline", "scratch"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--classes", type=int, default=2)
    parser.add_argument("--format", choices=("parquet", "csv"), default="parquet")
    parser.add_argument("--fairlearn-rows", type=int, default=1_000_000, help="0: leave it out")
    parser.add_argument("--fairlearn-boot", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where the file goes (a temporary folder)")
    args = parser.parse_args()

    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        path = Path(folder) / f"predictions.{args.format}"
        draw(path, args.rows, args.classes)
        print(f"{args.rows:,} rows, {args.classes} classes: {path.stat().st_size / 1e6:,.0f} MB")
        options = [str(path), *ROLES]
        for group in GROUPS:
            options += ["--group", group]
        print("counts only: ", command([*options, "--counts-only", "--out", f"{folder}/a.counts"]))
        print("whole report:", command([*options, "--out", f"{folder}/report"]))
        if args.fairlearn_rows and args.classes == 2 and args.format == "parquet":
            beside_fairlearn(path, args.fairlearn_rows, args.fairlearn_boot)


def draw(path: Path, rows: int, n_classes: int) -> None:
    """Write a table of predictions, a chunk at a time."""
    rng = np.random.default_rng(0)
    writer = None
    for start in range(0, rows, CHUNK):
        n = min(CHUNK, rows - start)
        y = rng.integers(0, n_classes, n, dtype=np.int8)
        columns = {"y": pa.array(y)}
        for name, error in MODELS.items():
            guess = rng.integers(0, n_classes, n, dtype=np.int8)
            wrong = rng.random(n, dtype=np.float32) < error
            columns[name] = pa.array(np.where(wrong, guess, y))
        for name, values in GROUPS.items():
            codes = rng.integers(0, len(values), n, dtype=np.int8)
            columns[name] = pa.DictionaryArray.from_arrays(codes, values)
        table = pa.table(columns)
        if path.suffix == ".csv":
            table = pa.table([c.cast(pa.string()) for c in table.columns], table.column_names)
        if writer is None:
            kind = pa.csv.CSVWriter if path.suffix == ".csv" else pa.parquet.ParquetWriter
            writer = kind(str(path), table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def command(options: list[str]) -> str:
    """What ``python -m kdfair_core audit`` takes: time on the clock, of the cores, and memory.

    The time of the cores is what counts where others use the machine at the same time.
    """
    begin, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "kdfair_core", "audit", *options], stdout=subprocess.DEVNULL
    )
    seconds = time.perf_counter() - begin
    if done.returncode:
        sys.exit("the audit failed")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cores = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    peak = after.ru_maxrss / 1e3
    return f"{seconds:6.1f} s ({cores:.1f} s of a core), {peak:,.0f} MB at most"


def beside_fairlearn(path: Path, rows: int, n_boot: int) -> None:
    """The same numbers from fairlearn: DPD, EOD and rates by group, with bootstrap intervals."""
    from fairlearn.metrics import (
        MetricFrame,
        demographic_parity_difference,
        equalized_odds_difference,
        false_positive_rate,
        selection_rate,
        true_positive_rate,
    )
    from sklearn.metrics import accuracy_score

    file = pa.parquet.ParquetFile(path)
    batches = []
    for batch in file.iter_batches():
        batches.append(batch)
        if sum(b.num_rows for b in batches) >= rows:
            break
    frame = pa.Table.from_batches(batches).slice(0, rows).to_pandas()
    begin = time.process_time()
    report = kdfair_audit.audit(
        frame,
        label="y",
        groups=list(GROUPS),
        teacher="teacher",
        distilled="student",
        baseline="scratch",
    )
    ours = time.process_time() - begin
    functions = {
        "accuracy": accuracy_score,
        "selection_rate": selection_rate,
        "tpr": true_positive_rate,
        "fpr": false_positive_rate,
    }
    roles = {"teacher": "teacher", "scratch": "baseline", "student": "distilled"}
    once = resampled = 0.0
    for model, role in roles.items():
        for group in GROUPS:
            given = {"y_true": frame["y"], "y_pred": frame[model]}
            given["sensitive_features"] = frame[group].astype(str)
            begin = time.process_time()
            values = MetricFrame(metrics=functions, **given).by_group
            dpd, eod = demographic_parity_difference(**given), equalized_odds_difference(**given)
            once += time.process_time() - begin
            rates = report.frames["groups"]
            mine = rates[(rates["role"] == role) & (rates["attribute"] == group)]
            table = mine.pivot(index="group", columns="metric", values="value")[list(functions)]
            pd.testing.assert_frame_equal(
                table.astype(float), values.astype(float), check_names=False, rtol=1e-12
            )
            fairness = report.frames["fairness"]
            own = fairness[(fairness["role"] == role) & (fairness["attribute"] == group)]
            assert list(own["value"]) == [dpd, eod]
        if model == "student":
            begin = time.process_time()
            MetricFrame(
                metrics=functions, **given, n_boot=n_boot, ci_quantiles=[0.025, 0.975],
                random_state=0,
            )  # fmt: skip
            resampled = time.process_time() - begin
    print(f"{len(frame):,} rows in memory, all numbers equal; seconds of a core:")
    print(f"  this audit, whole report, 1,000 resamples: {ours:6.1f} s")
    print(f"  fairlearn, 3 models by 3 columns, no intervals: {once:6.1f} s")
    print(f"  fairlearn, 1 model by 1 column, {n_boot} resamples: {resampled:6.1f} s")
    try:
        seconds = beside_aif360(frame)
    except ImportError as error:
        print(f"  AIF360 is not installed ({error})")
    else:
        print(f"  AIF360, 3 models by 1 column (sex), no intervals: {seconds:6.1f} s")


def beside_aif360(frame: pd.DataFrame) -> float:
    """Seconds of a core for DPD and EOD of the two groups of one column, as AIF360 has them."""
    from aif360.datasets import BinaryLabelDataset
    from aif360.metrics import ClassificationMetric
    from fairlearn.metrics import demographic_parity_difference

    begin = time.process_time()
    women = {"sex": (frame["sex"] == "F").astype(int)}
    truth = BinaryLabelDataset(
        df=frame[["y"]].assign(**women), label_names=["y"], protected_attribute_names=["sex"]
    )
    for model in MODELS:
        predicted = truth.copy()
        predicted.labels = frame[[model]].to_numpy(float)
        groups = {"unprivileged_groups": [{"sex": 1}], "privileged_groups": [{"sex": 0}]}
        metric = ClassificationMetric(truth, predicted, **groups)
        found = metric.statistical_parity_difference(), metric.equalized_odds_difference()
    seconds = time.process_time() - begin
    given = {"y_true": frame["y"], "y_pred": frame[model], "sensitive_features": frame["sex"]}
    assert abs(abs(found[0]) - demographic_parity_difference(**given)) < 1e-9
    return seconds


if __name__ == "__main__":
    main()
