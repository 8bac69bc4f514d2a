"""Figures of individual fairness and its confound, and of the loss's two terms."""

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from kdfair_book import evidence
from kdfair_book.evidence import Sweep

from . import signals, theme
from .figure import Figure, Panel
from .intervals import start_near
from .study import model_names
from .temperature import against_temperature, rows_csv, series_looks, tooltip, typical_scale

NAMES = {
    "teacher": "teacher",
    "nds": "student alone",
    "ds": "distilled student",
    "softened": "softened student alone",
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
            f"T = {t:g}. Distilled student {at['ds'][t]['mean']:.3f} with a mean confidence of "
            f"{100 * at['ds'][t]['confidence']:.0f} %; the student alone softened to that "
            f"{at['softened'][t]['mean']:.3f}."
        )
        for t in found.temperatures
    }
    table = lines[["mean", "low", "high"]].map("{:.4f}".format)
    table.insert(0, "model", model_names(lines["series"], lines["T"]))
    table["confidence (%)"] = 100 * frame["confidence"]
    return Figure(
        name=f"unfairness-{space}",
        title=f"Individual unfairness and its controls, distances in {space} space",
        caption=(
            "Lower counts as fairer. The softened student alone is the non-distilled one of the "
            "same seed with its logits divided until its mean confidence is the distilled one's: "
            "*not one of its decisions has changed*. A constant model is perfectly fair by this "
            "measure. Bands are 95 % intervals over examples and seeds. *What lies between "
            "distilled and softened student is what distillation did beyond making the student "
            "less sure.*"
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
    )


def confidence(found: Sweep, space: str, *, start: float = 4) -> Figure:
    """Individual unfairness of every run against how sure it is of itself."""
    runs = evidence.individual_by_run(found, space)
    curve = evidence.softening_curve(found, space)
    curve = curve[curve["confidence"] >= 0.95 * runs["confidence"].min()]
    points = runs[["temperature", "confidence", "unfairness"]].rename(columns={"temperature": "T"})
    points.insert(0, "series", runs["role"].map(NAMES))
    path = curve[["seed", "confidence", "unfairness"]].copy()
    points["confidence"] *= 100
    path["confidence"] *= 100
    both = pd.concat([points, path])
    x = alt.X("confidence:Q", title="mean confidence (%)", scale=typical_scale(both["confidence"]))
    y = alt.Y(
        "unfairness:Q",
        title="individual unfairness",
        scale=typical_scale(both["unfairness"]),
    )
    hover = tooltip("series:N", T="d", confidence=".1f", unfairness=".4f")
    looks = series_looks(["teacher", "student alone", "distilled student"], "color", "shape")
    base = alt.Chart(rows_csv(points))
    chart = alt.layer(
        alt.Chart(rows_csv(path))
        .mark_line(color=theme.LIGHT["nds"], strokeDash=[2, 3], strokeWidth=1.5)
        .encode(x=x, y=y, detail="seed:N"),
        base.mark_point(filled=True, size=28, opacity=0.5).encode(x=x, y=y, tooltip=hover, **looks),
        base.transform_filter(signals.AT_DIAL)
        .mark_point(
            filled=True,
            size=130,
            opacity=1,
            stroke=theme.LIGHT["surface"],
            color=theme.LIGHT["ds"],
            strokeWidth=1.5,
        )
        .encode(x=x, y=y, tooltip=hover),
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
    table = pd.DataFrame({"T": means.index, "confidence (%)": 100 * means["confidence"].to_numpy()})
    titles = {"unfairness": "unfairness, distilled student", "softened": "softened student alone"}
    for column, title in titles.items():
        table[title] = means[column].map("{:.4f}".format).to_numpy()
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
    )


def gradients(found: Sweep, *, start: float = 4) -> Figure:
    """How hard each term of the loss pulls at the student's logits, with and without T²."""
    frame = evidence.gradient_sizes(found)
    states = {
        "untrained": "A student at the start",
        "trained": "A student trained without teacher",
    }
    names = {"T2": "T² scale", "none": "no scale"}
    first, last = found.temperatures[0], found.temperatures[-1]
    panels = []
    share: dict[str, dict[Any, Any]] = {}
    for state, title in states.items():
        rows = frame[frame["state"] == state].rename(columns={"temperature": "T"})
        rows = rows.assign(mean=np.log10(rows["soft"]), ratio=rows["soft"] / rows["hard"])
        hard = {"series": ["hard term"], "mean": np.log10(rows["hard"].iloc[:1])}
        soft = rows.assign(series=rows["soft_scale"].map(names))[["series", "T", "mean"]]
        lines = pd.concat([soft, pd.DataFrame(hard)], ignore_index=True)
        chart = against_temperature(
            lines, found.temperatures, y_title="log₁₀ of mean gradient length"
        )
        share[state] = rows.pivot(index="T", columns="soft_scale", values="ratio").to_dict("index")
        ends = "; ".join(
            f"{name} {share[state][first][scale]:.3g} times the hard term at "
            f"T = {first:g}, {share[state][last][scale]:.3g} at T = {last:g}"
            for scale, name in names.items()
        )
        says = f"Length of the soft term's gradient against temperature: {ends}."
        panels.append(Panel(chart, title, says))
    table = pd.concat([frame[frame["state"] == state] for state in states])
    return Figure(
        name="gradients",
        title="How strongly each part of the loss pulls",
        caption=(
            "Mean length of the gradient that each term of the loss puts on the student's logits, "
            "on a log scale, computed from published logits. The level line is the labels' term; "
            "the curves are the teacher's, multiplied by T² or not. *Without T² the teacher's "
            "part fades as T rises, and the labels decide alone.*"
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
    )
