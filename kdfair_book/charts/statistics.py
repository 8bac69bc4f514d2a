"""Figures of what the numbers can bear: chance, power, coverage."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from kdfair_book import evidence
from kdfair_book.evidence import Sweep

from . import signals, theme
from .figure import Figure, Panel
from .intervals import start_near
from .temperature import looks, rows_csv, tooltip, typical_scale

#: Smallest p-value that a volcano chart tells apart.
FAINTEST = 1e-6

#: How a class came out -> color, shape.
OUTCOMES = {
    "not significant": ("floor", "circle"),
    "level 0.05": ("ds", "diamond"),
    "after correction": ("mark", "cross"),
}

#: Method of an interval -> its name on charts, color, shape.
METHODS = {
    "inversion": ("test inversion (used here)", "ds", "circle"),
    "percentile": ("percentile bootstrap", "other", "diamond"),
    "seeds": ("Student's t over seeds", "nds", "triangle-up"),
}


TITLE = "intervals that hold the truth (%)"


def volcano(found: Sweep, *, start: float = 4) -> Figure:
    """Effect against p-value of every class, at the dial's temperature: DS against NDS, teacher.

    Parameters
    ----------
    found
        A sweep over temperatures.
    start
        Temperature at which the dial starts.
    """
    n = len(found.results.classes)
    panels, tables = [], []
    readout: dict[float, list[str]] = {t: [] for t in found.temperatures}
    for comparison, other in (("SC", "student alone"), ("TC", "teacher")):
        parts = [evidence.class_effects(found, comparison, t).assign(T=t) for t in readout]
        frame = pd.concat(parts, ignore_index=True)
        said = []
        for t, part in zip(readout, parts, strict=True):
            a, b = int(part["significant"].sum()), int(part["significant_bh"].sum())
            said.append(f"{a} at T = {t:g} ({b} after correction)")
            readout[t].append(f"against the {other} {a} of {n} classes, {b} after correction")
        title = f"Distilled student against {other}"
        says = f"Scatter of effect against evidence for {n} classes, {title.lower()}. Significant: "
        panels.append(Panel(_volcano_chart(frame), title, says + "; ".join(said), height=330))
        tables.append(_volcano_table(frame, f"#{comparison}"))
    return Figure(
        name="volcano",
        title="Effect and evidence",
        caption=(
            "Each point is a class: how much its accuracy, relative to the accuracy over all "
            "classes, is larger for the distilled student, against the evidence of Welch's test. "
            "Above the dashed line p is below 0.05. *A class far to the side but low is a large "
            "difference that a few seeds cannot tell from luck; one high up but near the middle "
            "is a small difference that they can.* What lies beyond the frame is drawn at its "
            "edge."
        ),
        badge=found.results.profile,
        panels=panels,
        table=pd.concat(tables, ignore_index=True),
        temperatures=found.temperatures,
        start=start_near(found.temperatures, start),
        readout={t: f"T = {t:g}. At level 0.05: {'; '.join(said)}." for t, said in readout.items()},
    )


def _volcano_chart(frame: pd.DataFrame) -> Any:
    points = pd.DataFrame(
        {
            "T": frame["T"],
            "class": frame["class_name"],
            "effect": 100 * frame["effect"],
            "p": frame["p_value"],
            "evidence": -np.log10(frame["p_value"].clip(lower=FAINTEST)),
            "outcome": np.where(
                frame["significant_bh"],
                "after correction",
                np.where(frame["significant"], "level 0.05", "not significant"),
            ),
        }
    )
    scale = typical_scale(points["effect"], zero=True)
    colors, shapes = zip(*OUTCOMES.values(), strict=True)
    y = alt.Y(
        "evidence:Q",
        title="evidence: −log₁₀ p",
        scale=alt.Scale(domain=[0, -np.log10(FAINTEST)], nice=False),
    )
    x = alt.X("effect:Q", title="change of relative class accuracy (%)", scale=scale)
    level = alt.Chart(rows_csv({"evidence": [-np.log10(0.05)]}))
    return alt.layer(
        level.mark_rule(color=theme.LIGHT["muted"], strokeDash=[4, 3]).encode(y=y),
        alt.Chart(rows_csv(points))
        .transform_filter(signals.AT_DIAL)
        .mark_point(filled=True, size=60, opacity=0.85)
        .encode(
            x=x,
            y=y,
            tooltip=tooltip("class:N", effect="+.2f", p=".2g"),
            **looks("outcome", list(OUTCOMES), color=colors, shape=shapes),
        ),
    )


def _volcano_table(frame: pd.DataFrame, comparison: str) -> pd.DataFrame:
    shown = frame[frame["significant"]] if len(frame) > 300 else frame
    return pd.DataFrame(
        {
            "class": shown["class_name"],
            "comparison": comparison,
            "T": shown["T"].map("{:g}".format),
            "effect (%)": 100 * shown["effect"],
            "p": shown["p_value"].map("{:.2g}".format),
            "after correction": shown["significant_bh"].map({True: "yes", False: "no"}),
        }
    )


def permuted_counts(found: Sweep) -> Figure:
    """Significant classes, beside how many students that nothing tells apart would give."""
    test = evidence.affected_classes_test(found)
    n = len(found.results.classes)
    step = max(0.1, round(float(np.ptp(test.permuted)) / 30, 2)) or 0.1
    edges = np.arange(0, test.permuted.max() + 2 * step, step)
    counts, _ = np.histogram(test.permuted[1:], bins=edges)
    bars = pd.DataFrame({"from": edges[:-1], "to": edges[1:], "share": 100 * counts / counts.sum()})
    x = alt.X("from:Q", title="significant classes, mean over T = 1 to 10")
    chart = alt.layer(
        alt.Chart(rows_csv(bars))
        .mark_rect(color=theme.LIGHT["chance"])
        .encode(
            x=x,
            x2="to:Q",
            y=alt.Y("share:Q", title="share of permutations (%)"),
            y2=alt.Y2Datum(0),
            tooltip=tooltip(**dict.fromkeys(bars.columns, ".2f")),
        ),
        alt.Chart(rows_csv({"from": [test.observed]}))
        .mark_rule(color=theme.LIGHT["mark"], strokeWidth=2.5)
        .encode(x=x),
    )
    said = (
        f"Measured: {test.observed:.1f} of {n} classes on average, "
        f"{test.permuted[1:].mean():.1f} when the students of a seed are permuted: "
        f"p = {test.p_value:.2g}."
    )
    return Figure(
        "permuted-counts",
        "Affected classes, and chance",
        (
            "If distillation changed nothing about classes, both students of one seed could swap "
            "names. Gray: the number of significant classes after such swaps, at random and many "
            "times; the line: what was measured. *Unlike the binomial, this keeps whatever "
            "dependence there is between classes and between students of one seed.*"
        ),
        found.results.profile,
        [
            Panel(
                chart,
                "Permuted and measured",
                f"Histogram of permuted counts with a line for the measured one. {said}",
                width=740,
                height=220,
            )
        ],
        bars.rename(columns={"share": "share of permutations (%)"}),
        said,
    )


def power(found: Sweep, *, start: float = 4, effects: Sequence[float] = evidence.EFFECTS) -> Figure:
    """Chance to see one affected class against the number of seeds, at the dial's spread."""
    parts = [
        evidence.power_curve(found, t, effects=effects).assign(T=t) for t in found.temperatures
    ]
    frame = pd.concat(parts, ignore_index=True)
    frame["change"] = (100 * frame["effect"]).map("{:g} %".format)
    names = list(dict.fromkeys(frame["change"]))
    channels = looks(
        "change",
        names,
        title="change",
        color=("nds", "other", "ds", "mark")[: len(names)],
        shape=("triangle-up", "diamond", "circle", "square")[: len(names)],
    )
    x = alt.X(
        "seeds:Q",
        title="seeds of each model (log scale)",
        scale=alt.Scale(type="log", nice=False),
        axis=alt.Axis(values=[2, 3, 5, 10, 20, 50, 100], grid=False),
    )
    y = alt.Y("power:Q", title="power (%)", scale=alt.Scale(domain=[0, 100]))
    panels = []
    for correction, title in (("none", "One class, level 0.05"), ("bh", "After correction (BH)")):
        rows = frame[frame["correction"] == correction].assign(power=lambda f: 100 * f["power"])
        base = alt.Chart(rows_csv(rows[["T", "change", "seeds", "power"]]))
        here = base.transform_filter(signals.AT_DIAL).encode(x=x, y=y, **channels)
        here = here.mark_line(strokeWidth=2, point={"filled": True, "size": 40})
        usual = alt.Chart(rows_csv({"seeds": [5]}))
        rule = usual.mark_rule(color=theme.LIGHT["muted"], strokeDash=[4, 3]).encode(x=x)
        at_five = rows[rows["seeds"] == 5].groupby("change", sort=False)["power"].mean()
        panels.append(
            Panel(
                alt.layer(rule, here.encode(tooltip=tooltip("change:N", "seeds:Q", power=".0f"))),
                title,
                f"Power against the number of seeds for changes of {', '.join(names)}. With five "
                "seeds, on average over temperatures: "
                + ", ".join(f"{change} {value:.0f} %" for change, value in at_five.items())
                + ".",
            )
        )
    wide = frame.assign(power=100 * frame["power"]).pivot_table(
        index=["change", "seeds"], columns="correction", values="power", sort=False
    )
    table = wide.reset_index().rename(
        columns={"none": "power (%)", "bh": "power after correction (%)"}
    )
    needed = {t: evidence.seeds_for(found, t, 0.01) for t in found.temperatures}
    return Figure(
        name="power",
        title="How many seeds it would take",
        caption=(
            "How often Welch's test would see a class whose relative accuracy truly changes by the "
            "amount given, with the spread between seeds that was measured at the dial's "
            "temperature. Dashed: the paper's five seeds. Right: after Benjamini and Hochberg's "
            "correction, if one class in five changes that much. *Find your effect, then read off "
            "the seeds at 80 %.*"
        ),
        badge=found.results.profile,
        panels=panels,
        table=table,
        temperatures=found.temperatures,
        start=start_near(found.temperatures, start),
        readout={
            t: f"T = {t:g}. A change of one percent in a class is seen four times in five with "
            f"{_seeds(need['none'])}; after correction with {_seeds(need['bh'])}."
            for t, need in needed.items()
        },
    )


def _seeds(n: float) -> str:
    return "more than 10,000 seeds" if np.isinf(n) else f"{n:.0f} seeds"


def coverage(frame: pd.DataFrame, *, title: str = "How often intervals hold the truth") -> Figure:
    """Simulated coverage of intervals, a row a world (see ``coverage.simulate_coverage``)."""
    frame = frame.assign(
        interval=frame["method"].map(lambda m: METHODS[m][0]), percent=100 * frame["coverage"]
    )
    names, colors, shapes = zip(
        *(look for method, look in METHODS.items() if method in set(frame["method"])), strict=True
    )
    order = list(dict.fromkeys(frame["world"]))
    x = alt.X("percent:Q", title=TITLE, scale=alt.Scale(domain=[0, 100]))
    y = alt.Y(
        "world:N",
        scale=alt.Scale(domain=order),
        title=None,
        axis=alt.Axis(
            labelExpr="split(datum.label, ' against ')",
            labelLimit=alt.expr("width < 420 ? 110 : 240"),
            ticks=False,
            domain=False,
            grid=True,
        ),
    )
    error = 100 * float(frame["error"].iloc[0])
    near = {"low": [95 - 2 * error], "high": [min(95 + 2 * error, 100)]}
    chart = alt.layer(
        alt.Chart(rows_csv(near))
        .mark_rect(color=theme.LIGHT["chance"], opacity=0.45)
        .encode(x=alt.X("low:Q", title=TITLE, scale=alt.Scale(domain=[0, 100])), x2="high:Q"),
        alt.Chart(rows_csv(frame[["world", "interval", "percent", "width", "truth"]]))
        .mark_point(filled=True, size=75, opacity=0.95)
        .encode(
            x=x,
            y=y,
            tooltip=tooltip("interval:N", percent=".1f", width=".3f", truth=".3f"),
            **looks("interval", names, color=colors, shape=shapes),
        ),
    )
    spans = [
        f"{METHODS[m][0]} {rows['percent'].min():.1f} to {rows['percent'].max():.1f} %"
        for m, rows in ((m, frame[frame["method"] == m]) for m in frame["method"].unique())
    ]
    said = f"Simulated coverage of 95 % intervals, {len(order)} worlds: {'; '.join(spans)}."
    table = frame[["world", "interval", "truth", "coverage", "width"]].copy()
    for column in ("truth", "coverage", "width"):
        table[column] = table[column].map("{:.3f}".format)
    return Figure(
        "coverage",
        title,
        (
            "Worlds with a known true DPD, many simulated studies in each, and how many of their "
            "95 % intervals hold it. The gray band is where a right interval would lie, given the "
            "number of studies. *Look at the rows with equal groups, where the truth is zero.*"
        ),
        "simulated",
        [
            Panel(
                chart,
                "Coverage",
                said,
                width=740,
                height=80 + (36 if " against " in order[0] else 30) * len(order),
            )
        ],
        table,
        said,
    )
