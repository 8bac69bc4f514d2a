"""Figures of individual fairness and its confound, and of the loss's two terms."""

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from kdfair_book import evidence
from kdfair_book.evidence import Sweep

from . import dial, theme
from .figure import Figure, Panel
from .intervals import start_near
from .temperature import against_temperature, rows_csv, typical_scale

NAMES = {
    "teacher": "teacher",
    "nds": "NDS",
    "ds": "DS",
    "softened": "softened NDS",
    "constant": "constant",
}


def unfairness(found: Sweep, space: str, *, start: float = 4) -> Figure:
    """Individual unfairness against temperature, beside what softening alone would give.

    Parameters
    ----------
    found
        A sweep over temperatures.
    space
        Where distances between examples are measured.
    start
        Temperature at which the dial starts.
    """
    frame = evidence.individual_intervals(found, space)
    lines = pd.DataFrame({"series": frame["role"].map(NAMES), "T": frame["temperature"]})
    lines[["mean", "low", "high"]] = frame[["mean", "low", "high"]]
    at = {
        role: part.set_index("temperature").to_dict("index")
        for role, part in frame.groupby("role")
        if role in ("ds", "softened")
    }
    said = {
        t: (
            f"T = {t:g}. DS {at['ds'][t]['mean']:.3f} with a mean confidence of "
            f"{100 * at['ds'][t]['confidence']:.0f} %; the NDS softened to that confidence "
            f"{at['softened'][t]['mean']:.3f}."
        )
        for t in found.temperatures
    }
    label = lines["series"] + lines["T"].map(lambda t: "" if pd.isna(t) else f", T = {t:g}")
    table = pd.DataFrame({"model": label})
    for column in ("mean", "low", "high"):
        table[column] = frame[column].map("{:.4f}".format)
    table["confidence (%)"] = 100 * frame["confidence"]
    return Figure(
        name=f"unfairness-{space}",
        title=f"Individual unfairness and its controls, distances in {space} space",
        caption=(
            "Lower counts as fairer. The softened NDS is the non-distilled student of the same "
            "seed with its logits divided until its mean confidence is that of the DS: *not one of "
            "its decisions has changed*. A constant model is perfectly fair by this measure. "
            "Bands are 95 % intervals over examples and seeds. *What lies between DS and softened "
            "NDS is what distillation did beyond making the student less sure.*"
        ),
        badge=found.results.profile,
        panels=[
            Panel(
                against_temperature(
                    lines,
                    found.temperatures,
                    y_title="individual unfairness",
                    digits=4,
                    zero=True,
                ),
                "Individual unfairness: lower is fairer",
                "Line chart of individual unfairness. " + " ".join(said.values()),
                width=740,
                height=300,
            )
        ],
        table=table,
        temperatures=found.temperatures,
        start=start_near(found.temperatures, start),
        readout=said,
        columns=1,
    )


def confidence(found: Sweep, space: str, *, start: float = 4) -> Figure:
    """Individual unfairness of every run against how sure it is of itself."""
    runs = evidence.individual_by_run(found, space)
    curve = evidence.softening_curve(found, space)
    curve = curve[curve["confidence"] >= 0.95 * runs["confidence"].min()]
    points = pd.DataFrame(
        {
            "series": runs["role"].map(NAMES),
            "T": runs["temperature"],
            "confidence": 100 * runs["confidence"],
            "unfairness": runs["unfairness"],
        }
    )
    path = pd.DataFrame(
        {
            "seed": curve["seed"],
            "confidence": 100 * curve["confidence"],
            "unfairness": curve["unfairness"],
        }
    )
    both = pd.concat([points, path])
    x = alt.X("confidence:Q", title="mean confidence (%)", scale=typical_scale(both["confidence"]))
    y = alt.Y(
        "unfairness:Q",
        title="individual unfairness",
        scale=typical_scale(both["unfairness"]),
    )
    kinds = ["teacher", "NDS", "DS"]
    looks: dict[str, Any] = {
        "color": alt.Color(
            "series:N",
            title=None,
            scale=alt.Scale(domain=kinds, range=[theme.LIGHT[theme.SERIES[k][0]] for k in kinds]),
        ),
        "shape": alt.Shape(
            "series:N",
            title=None,
            scale=alt.Scale(domain=kinds, range=[theme.SERIES[k][2] for k in kinds]),
        ),
    }
    tooltip = [
        alt.Tooltip("series:N"),
        alt.Tooltip("T:Q", format="d"),
        alt.Tooltip("confidence:Q", format=".1f"),
        alt.Tooltip("unfairness:Q", format=".4f"),
    ]
    base = alt.Chart(rows_csv(points))
    chart = alt.layer(
        alt.Chart(rows_csv(path))
        .mark_line(color=theme.LIGHT["nds"], strokeDash=[2, 3], strokeWidth=1.5)
        .encode(x=x, y=y, detail="seed:N"),
        base.mark_point(filled=True, size=28, opacity=0.5).encode(
            x=x, y=y, tooltip=tooltip, **looks
        ),
        base.transform_filter(dial.AT_DIAL)
        .mark_point(
            filled=True,
            size=130,
            opacity=1,
            stroke=theme.LIGHT["surface"],
            color=theme.LIGHT["ds"],
            strokeWidth=1.5,
        )
        .encode(x=x, y=y, tooltip=tooltip),
    )
    ds = runs[runs["role"] == "ds"]
    means = ds.groupby("temperature")[["confidence", "unfairness", "softened"]].mean()
    rows = means.to_dict("index")
    said = {
        t: (
            f"T = {t:g}. Mean confidence {100 * rows[t]['confidence']:.0f} %, unfairness "
            f"{rows[t]['unfairness']:.3f}; on the dashed curves at that confidence "
            f"{rows[t]['softened']:.3f}."
        )
        for t in found.temperatures
    }
    table = means.reset_index().rename(
        columns={
            "temperature": "T",
            "unfairness": "unfairness of the DS",
            "softened": "of the softened NDS",
        }
    )
    table["confidence"] *= 100
    table = table.rename(columns={"confidence": "confidence (%)"})
    for column in ("unfairness of the DS", "of the softened NDS"):
        table[column] = table[column].map("{:.4f}".format)
    return Figure(
        name=f"confidence-{space}",
        title="Individual unfairness and confidence",
        caption=(
            "Every point is a trained model. The dashed curves are the non-distilled students, one "
            "a seed, as their logits are divided by more and more: from sure (right) to undecided "
            "(left), without changing a decision. *If distillation did no more than soften, its "
            "students would lie on these curves.* What lies beyond the frame is drawn at its edge."
        ),
        badge=found.results.profile,
        panels=[
            Panel(
                chart,
                f"Unfairness against confidence, {space} distances",
                "Scatter of individual unfairness against mean confidence. "
                + " ".join(said.values()),
                width=740,
                height=330,
            )
        ],
        table=table,
        temperatures=found.temperatures,
        start=start_near(found.temperatures, start),
        readout=said,
        columns=1,
    )


def gradients(found: Sweep, *, start: float = 4) -> Figure:
    """How hard each term of the loss pulls at the student's logits, with and without T²."""
    frame = evidence.gradient_sizes(found)
    panels, tables = [], []
    states = {
        "untrained": "A student at the start",
        "trained": "A student trained without teacher",
    }
    share: dict[str, dict[Any, Any]] = {}
    for state, title in states.items():
        rows = frame[frame["state"] == state]
        names = {"T2": "T² scale", "none": "no scale"}
        soft = pd.DataFrame(
            {
                "series": rows["soft_scale"].map(names),
                "T": rows["temperature"],
                "mean": np.log10(rows["soft"]),
            }
        )
        hard = pd.DataFrame(
            [{"series": "hard term", "T": np.nan, "mean": np.log10(rows["hard"].iloc[0])}]
        )
        lines = pd.concat([soft, hard], ignore_index=True)
        lines[["low", "high"]] = np.nan
        ratio = rows.assign(ratio=rows["soft"] / rows["hard"])
        share[state] = ratio.pivot(
            index="temperature", columns="soft_scale", values="ratio"
        ).to_dict("index")
        first, last = found.temperatures[0], found.temperatures[-1]
        ends = "; ".join(
            f"{names[scale]} {share[state][first][scale]:.3g} times the hard term at "
            f"T = {first:g}, {share[state][last][scale]:.3g} at T = {last:g}"
            for scale in ("T2", "none")
        )
        panels.append(
            Panel(
                against_temperature(
                    lines, found.temperatures, y_title="log₁₀ of mean gradient length"
                ),
                title,
                f"Length of the soft term's gradient against temperature: {ends}.",
                width=370,
                height=270,
            )
        )
        tables.append(rows)
    table = pd.concat(tables, ignore_index=True)
    return Figure(
        name="gradients",
        title="How loud the teacher is",
        caption=(
            "Mean length of the gradient that each term of the loss puts on the student's logits, "
            "on a log scale, computed from published logits. The level line is the labels' term; "
            "the curves are the teacher's, multiplied by T² or not. *Without T² a hot teacher "
            "whispers, and the labels decide alone.*"
        ),
        badge=found.results.profile,
        panels=panels,
        table=pd.DataFrame(
            {
                "T": table["temperature"],
                "student": table["state"],
                "scale": table["soft_scale"].map({"T2": "T²", "none": "none"}),
                "soft term": table["soft"].map("{:.5f}".format),
                "hard term": table["hard"].map("{:.5f}".format),
            }
        ),
        temperatures=found.temperatures,
        start=start_near(found.temperatures, start),
        readout={
            t: (
                f"T = {t:g}. The teacher's term pulls {share['untrained'][t]['T2']:.2g} times as "
                f"hard as the labels' with T² at the start, {share['untrained'][t]['none']:.2g} "
                f"times without; once trained, {share['trained'][t]['T2']:.2g} and "
                f"{share['trained'][t]['none']:.2g} times."
            )
            for t in found.temperatures
        },
        columns=2,
    )
