"""What the benchmarks printed, as stored under ``data/benchmarks/``.

python benchmarks/sweep.py --json data/benchmarks/sweep.json
python benchmarks/sweep.py --study trifeature --linear --json data/benchmarks/linear.json
python benchmarks/sweep.py --noise --json data/benchmarks/noise.json
python benchmarks/arrangements.py --json data/benchmarks/arrangements.json
python benchmarks/peers.py --json data/benchmarks/peers.json
python benchmarks/gpu.py --json data/benchmarks/gpu.json     on a GPU
kdfair plan --rate h100-stacked --json data/benchmarks/scaling.json
python benchmarks/reading.py --json data/benchmarks/reading.json
python benchmarks/cluster.py --json data/benchmarks/cluster.json

"h100" was measured elsewhere, by scripts that are not the project's; those of its rows that the
page shows have a "way".
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd

STEPS = 39_100
"""Training steps of a seed on CIFAR: 100 epochs of 391 batches."""

FOLDER = Path(__file__).parents[2] / "data" / "benchmarks"
NAMES = ("sweep", "linear", "noise", "arrangements", "peers", "h100", "gpu")


def stored(name: str, folder: str | os.PathLike[str] = FOLDER) -> pd.DataFrame:
    """Rows of a benchmark of :data:`NAMES`; ``attrs`` hold machine and versions.

    Raises
    ------
    ValueError
        For another name.
    """
    if name not in NAMES:
        raise ValueError(f"unknown benchmark {name!r}; expected one of {', '.join(NAMES)}")
    return _read(name, folder)


def scaling(folder: str | os.PathLike[str] = FOLDER) -> pd.DataFrame:
    """How many devices each study keeps busy, as ``kdfair plan`` simulated it.

    Columns: study, devices, split, hours, speedup, efficiency, repeated; ``attrs`` say which rate
    it stands on.
    """
    return _read("scaling", folder)


def reading_table(folder: str | os.PathLike[str] = FOLDER) -> pd.DataFrame:
    """Images a second that one reader feeds, and that a GPU eats, in words for a page."""
    found = _read("reading", folder)
    about = found.attrs
    names = {
        "files": "one core reads: JPEG files",
        "packing": "one core packs: JPEG files into the array",
        "array": "one core reads: the packed array, in memory",
    }
    here = f"measured: {about['processor']}, {about['recorded']}"
    bound = "not timed: multiply-adds at the rate of the measured row of an H100 (a bound)"
    why = {"measured": here, "arithmetic": bound, "layers": "scaled by layers, of an H100"}
    eats = "one GPU eats: " + found["what"]
    return pd.DataFrame(
        {
            "who": found["what"].map(names).fillna(eats),
            "images a second": found["images_s"].map("{:,.0f}".format),
            "KB an image": (found["bytes"] / 1e3).map("{:.0f}".format),
            "stands on": found["stands_on"].map(why),
        }
    )


def ray_costs(folder: str | os.PathLike[str] = FOLDER) -> pd.DataFrame:
    """What Ray costs on one machine and a killed node costs, in words for a page."""
    found = _read("cluster", folder)
    about = found.attrs
    names = {
        "one process": "one process",
        "started": "on Ray, which the command starts",
        "there": "on Ray that is there, two nodes of one core",
    }
    study = f"{about['study']}/{about['profile']}, "
    seconds = found["seconds"].map("{:.0f} s".format)
    lost = found["lost_s"].map("{:.0f} s".format) + " lost, "
    lost += found["redone_s"].map("{:.0f} s".format) + " of them steps made anew"
    killed = found["what"] == "a node killed"
    what = (study + found["what"].map(names)).where(~killed, "a node killed in the middle")
    load = found["load"].map("{:.0f}".format)
    return pd.DataFrame(
        {"what": what, "took": seconds.where(~killed, lost), "the machine's load beside": load}
    )


def _read(name: str, folder: str | os.PathLike[str]) -> pd.DataFrame:
    content = json.loads((Path(folder) / f"{name}.json").read_text(encoding="utf-8"))
    frame = pd.DataFrame(content["rows"])
    frame.attrs = content["about"]
    return frame


def milliseconds_each(linear: pd.DataFrame) -> pd.DataFrame:
    """Milliseconds per temperature and example, beside the sizes: level where cost is linear."""
    each = 1000 * linear["seconds"] / (linear["temperatures"] * linear["examples"])
    return linear.assign(milliseconds_each=each)


def arrangements_table(found: pd.DataFrame) -> pd.DataFrame:
    """Ways to run students side by side, fastest first, in words for a page."""
    found = found.sort_values("step_ms")
    seconds = {c: (1e-3 * found[c]).map("{:.2f}".format) for c in ("step_ms", "low_ms", "high_ms")}
    return pd.DataFrame(
        {
            "way": found["way"],
            "seconds a step": seconds["step_ms"],
            "lowest to highest": seconds["low_ms"] + " to " + seconds["high_ms"],
            "images a second, each student": found["images_s"].map("{:.0f}".format),
            "share of the memory's rate": found["of_bandwidth"].map("{:.0%}".format),
        }
    )


def gpu_table(folder: str | os.PathLike[str] = FOLDER) -> pd.DataFrame:
    """Ways to train 14 students on a GPU, in words for a page: the prototype's, then our own.

    Ours where "gpu" was measured; a seed's students are 39,100 steps.
    """
    parts = []
    for name in ("h100", "gpu"):
        if not (Path(folder) / f"{name}.json").exists():
            continue
        found = stored(name, folder).dropna(subset="way")
        about = found.attrs
        if "seed_s" not in found:
            found["seed_s"] = found["step_ms"] / 1e3 * STEPS
        who = "prototype" if name == "h100" else "this project"
        where = f"{who}, {about['device']}, torch {about['torch']}, {about['date']}"
        parts.append(found.assign(where=where))
    both = pd.concat(parts, ignore_index=True)
    return pd.DataFrame(
        {
            "way": both["way"],
            "ms a step": both["step_ms"].map("{:.1f}".format),
            "a seed's students, 100 epochs (s)": both["seed_s"].map("{:,.0f}".format),
            "measured on": both["where"],
        }
    ).replace("nan", "")


def peers_table(found: pd.DataFrame) -> pd.DataFrame:
    """A student's epoch by another library and in a sweep, in words for a page."""
    about = found.attrs
    ratios = zip(found["ratio"], found["ratio_low"], found["ratio_high"], strict=True)
    return pd.DataFrame(
        {
            "library": found["peer"].str.replace("==", " "),
            "pair": found["pair"],
            "s a student-epoch, theirs": found["peer_s"].map("{:.2f}".format),
            "s a student-epoch, sweep": found["sweep_s"].map("{:.2f}".format),
            "times faster": ["{:.1f} ({:.1f} to {:.1f})".format(*three) for three in ratios],
            "on": f"{about['processor']}, {about['device']}, threads: {about['threads']}",
        }
    )


def precision_gap(noise: pd.DataFrame) -> pd.DataFrame:
    """What bfloat16 changes, and what another seed changes, a row a temperature.

    Returns
    -------
    DataFrame
        ``temperature``; ``fp32`` and ``bf16``, mean accuracies; ``gap``, the mean over seeds of
        bf16 less fp32; ``low`` and ``high``, Student's 95 % interval of it; ``seed_sd``, the
        standard deviation of fp32 over seeds; ``n``, seeds.
    """
    from scipy import stats

    rows = []
    for temperature, part in noise.groupby("temperature"):
        wide = part.pivot(index="seed", columns="precision", values="accuracy")
        low, high = stats.ttest_rel(wide["bf16"], wide["fp32"]).confidence_interval()
        means = wide[["fp32", "bf16"]].mean()
        rows.append(
            {
                "temperature": temperature,
                **means,
                "gap": means["bf16"] - means["fp32"],
                "low": low,
                "high": high,
                "seed_sd": wide["fp32"].std(),
                "n": len(wide),
            }
        )
    return pd.DataFrame(rows)
