"""Figures of what a sweep costs."""

import altair as alt
import pandas as pd

from kdfair_book.evidence import benchmarks

from . import theme
from .figure import Figure, Panel
from .temperature import looks, rows_csv, tooltip

WAYS = {"conventional_s": "one run a temperature", "sweep_s": "sweep"}
PAIRS = {
    "cifar10": "ResNet-56 to ResNet-20, 32x32",
    "trifeature": "ResNet-20 to LeNet-5, 64x64",
    "text": "6 to 3 layers, 384 wide",
}


def sweep_speed(frame: pd.DataFrame) -> Figure:
    """Milliseconds a student and example, both ways, from the stored benchmark "sweep"."""
    names = list(WAYS.values())
    y = alt.Y(
        "way:N",
        title=None,
        scale=alt.Scale(domain=names),
        axis=alt.Axis(labelLimit=150, ticks=False, domain=False),
    )
    x = alt.X("milliseconds:Q", title="ms a student and example", scale=alt.Scale(zero=True))
    panels, said = [], []
    for row in frame.to_dict("records"):
        pair = PAIRS[row["study"]]
        each = [1000 * row[column] / row["examples"] for column in WAYS]
        said.append(
            f"{pair}: {each[0]:.3g} ms one run a temperature, {each[1]:.3g} ms in a sweep, "
            f"{row['ratio']:.1f} times faster ({row['ratio_low']:.1f} to {row['ratio_high']:.1f})."
        )
        chart = alt.Chart(rows_csv({"way": names, "milliseconds": each})).mark_bar(height=18)
        chart = chart.encode(
            x=x,
            y=y,
            tooltip=tooltip("way:N", milliseconds=".3g"),
            **looks("way", names, color=["nds", "ds"]),
        )
        says = f"Bar chart, {said[-1]} Memory at its peak {row['peak_memory_gb']:.1f} GB."
        panels.append(Panel(chart, pair, says, width=740, height=135))
    about = frame.attrs
    return Figure(
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
        " ".join(said),
        columns=1,
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


def precision_gap(noise: pd.DataFrame) -> Figure:
    """What bfloat16 changes in accuracy, beside what a seed does, from the benchmark "noise"."""
    frame = benchmarks.precision_gap(noise)
    points = ["gap", "low", "high", "seed_sd"]
    frame["temperature"] = frame["temperature"].map("T = {:g}".format)
    frame[["fp32", "bf16", *points]] *= 100
    y = alt.Y(
        "temperature:N",
        title=None,
        scale=alt.Scale(domain=list(frame["temperature"])),
        axis=alt.Axis(ticks=False, domain=False, grid=True),
    )
    base = alt.Chart(rows_csv(frame[["temperature", *points]])).encode(y=y)
    axis = "accuracy in bfloat16 less in float32 (percentage points)"
    chart = alt.layer(
        base.transform_calculate(below="-datum.seed_sd")
        .mark_bar(height=22, color=theme.LIGHT["chance"], opacity=0.6)
        .encode(x=alt.X("below:Q", title=axis), x2="seed_sd:Q"),
        base.mark_rule(color=theme.LIGHT["ds"], strokeWidth=2).encode(x="low:Q", x2="high:Q"),
        base.mark_point(filled=True, size=75, color=theme.LIGHT["ds"]).encode(
            x="gap:Q", tooltip=tooltip(gap=".2f", low=".2f", high=".2f")
        ),
    )
    said = " ".join(
        f"{r['temperature']}: {r['gap']:+.2f} points [{r['low']:.2f}, {r['high']:.2f}], one seed "
        f"moves {r['seed_sd']:.2f}."
        for r in frame.to_dict("records")
    )
    shown = dict.fromkeys(("fp32", "bf16"), "{:.2f} %") | dict.fromkeys(points, "{:.2f}")
    table = frame.assign(**{name: frame[name].map(form.format) for name, form in shown.items()})
    return Figure(
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
