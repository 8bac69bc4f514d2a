"""Figures of what a sweep costs."""

import altair as alt
import pandas as pd

from kdfair_book.evidence import benchmarks

from . import theme
from .figure import Panel
from .temperature import rows_csv
from .without_dial import Still, still

WAYS = {"conventional_s": "one run a temperature", "sweep_s": "sweep"}
PAIRS = {
    "cifar10": "ResNet-56 to ResNet-20, 32x32",
    "trifeature": "ResNet-20 to LeNet-5, 64x64",
    "text": "6 to 3 layers, 384 wide",
}


def sweep_speed(frame: pd.DataFrame) -> Still:
    """Seconds a student-epoch, both ways, from the stored benchmark "sweep"."""
    color = alt.Color(
        "way:N",
        title=None,
        scale=alt.Scale(domain=list(WAYS.values()), range=[theme.LIGHT["nds"], theme.LIGHT["ds"]]),
    )
    y = alt.Y(
        "way:N",
        title=None,
        scale=alt.Scale(domain=list(WAYS.values())),
        axis=alt.Axis(labelLimit=150, ticks=False, domain=False),
    )
    panels = []
    for row in frame.to_dict("records"):
        pair = PAIRS[row["study"]]
        each = [1000 * row[column] / row["examples"] for column in WAYS]
        lines = pd.DataFrame({"way": list(WAYS.values()), "milliseconds": each})
        base = alt.Chart(rows_csv(lines)).encode(
            x=alt.X("milliseconds:Q", title="ms a student and example", scale=alt.Scale(zero=True)),
            y=y,
        )
        said = (
            f"Bar chart, {pair}: {said_of(row)} Memory at its peak {row['peak_memory_gb']:.1f} GB."
        )
        panels.append(
            Panel(
                base.mark_bar(height=18).encode(
                    tooltip=["way:N", alt.Tooltip("milliseconds:Q", format=".3g")], color=color
                ),
                pair,
                said,
                width=740,
                height=135,
            )
        )
    about = frame.attrs
    said = " ".join(f"{PAIRS[r['study']]}: {said_of(r)}" for r in frame.to_dict("records"))
    return still(
        "sweep-speed",
        "What a student's epoch costs, by itself and in a sweep",
        (
            f"{frame['temperatures'].iloc[0]} temperatures, on {about['cores']} cores of "
            f"{about['processor']}, torch {about['torch']}. Both ways train on the same examples, "
            "alternating in one process. *Shorter is faster.*"
        ),
        "timed",
        panels,
        speed_table(frame),
        said,
    )


def said_of(row: dict) -> str:
    """One sentence of a row of the benchmark."""
    return (
        f"{1000 * row['conventional_s'] / row['examples']:.3g} ms one run a temperature, "
        f"{1000 * row['sweep_s'] / row['examples']:.3g} ms in a sweep, {row['ratio']:.1f} times "
        f"faster ({row['ratio_low']:.1f} to {row['ratio_high']:.1f})."
    )


def speed_table(frame: pd.DataFrame) -> pd.DataFrame:
    """The benchmark "sweep" in words and rounded numbers."""
    rows = frame.to_dict("records")  # rows stored before networks were compiled do not say so
    return pd.DataFrame(
        {
            "pair": frame["study"].map(PAIRS),
            "precision of the sweep": frame["precision"],
            "compiled": ["yes" if row.get("compiled") is True else "no" for row in rows],
            "s a student-epoch, one by one": frame["conventional_s"].map("{:.2f}".format),
            "s a student-epoch, sweep": frame["sweep_s"].map("{:.2f}".format),
            "times faster": [
                f"{r:.1f} ({low:.1f} to {high:.1f})"
                for r, low, high in zip(
                    frame["ratio"], frame["ratio_low"], frame["ratio_high"], strict=True
                )
            ],
            "times faster at the limit": (frame["ratio"] / frame["of_limit"]).map("{:.1f}".format),
            "examples": frame["examples"],
            "epochs": frame["epochs"],
            "accuracy, one by one": (100 * frame["accuracy_conventional"]).map("{:.1f} %".format),
            "accuracy, sweep": (100 * frame["accuracy_sweep"]).map("{:.1f} %".format),
            "peak memory (GB)": frame["peak_memory_gb"].map("{:.1f}".format),
            "share of the limit": (100 * frame["of_limit"]).map("{:.0f} %".format),
            "time in products": (100 * frame["in_products"]).map("{:.0f} %".format),
        }
    )


def precision_gap(noise: pd.DataFrame) -> Still:
    """What bfloat16 changes in accuracy, beside what a seed does, from the benchmark "noise"."""
    frame = benchmarks.precision_gap(noise)
    percent = frame.assign(
        temperature=frame["temperature"].map("T = {:g}".format),
        **{name: 100 * frame[name] for name in ("gap", "low", "high", "seed_sd")},
    )
    base = alt.Chart(rows_csv(percent[["temperature", "gap", "low", "high", "seed_sd"]])).encode(
        y=alt.Y(
            "temperature:N",
            title=None,
            scale=alt.Scale(domain=list(percent["temperature"])),
            axis=alt.Axis(ticks=False, domain=False, grid=True),
        )
    )
    axis = "accuracy in bfloat16 less in float32 (percentage points)"
    chart = alt.layer(
        base.transform_calculate(below="-datum.seed_sd")
        .mark_bar(height=22, color=theme.LIGHT["chance"], opacity=0.6)
        .encode(x=alt.X("below:Q", title=axis), x2="seed_sd:Q"),
        base.mark_rule(color=theme.LIGHT["ds"], strokeWidth=2).encode(x="low:Q", x2="high:Q"),
        base.mark_point(filled=True, size=75, color=theme.LIGHT["ds"]).encode(
            x="gap:Q",
            tooltip=[alt.Tooltip(f"{c}:Q", format=".2f") for c in ("gap", "low", "high")],
        ),
    )
    said = " ".join(
        f"{r['temperature']}: {r['gap']:+.2f} points [{r['low']:.2f}, {r['high']:.2f}], one seed "
        f"moves {r['seed_sd']:.2f}."
        for r in percent.to_dict("records")
    )
    table = percent.copy()
    for column in ("fp32", "bf16"):
        table[column] = (100 * frame[column]).map("{:.2f} %".format)
    for column in ("gap", "low", "high", "seed_sd"):
        table[column] = table[column].map("{:.2f}".format)
    return still(
        "precision-gap",
        "bfloat16 against float32, beside seed noise",
        (
            f"Mean over {frame['n'].iloc[0]} seeds and its 95 % interval; the gray bars reach one "
            "standard deviation over seeds either way. *A gap inside its bar is less than another "
            "seed would have changed.*"
        ),
        "timed",
        [
            Panel(
                chart, "Gap in accuracy", f"Dot chart with intervals. {said}", width=740, height=190
            )
        ],
        table,
        said,
    )
