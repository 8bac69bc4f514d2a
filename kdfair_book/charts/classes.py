"""Figures of classes at the dial's temperature: accuracies and disagreements."""

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from kdfair_core.results import Results

from . import collapsed, signals, theme
from .figure import Figure, Panel
from .study import ROLE_NAMES, at_setting, model_names, setting
from .temperature import fixed_scale, rows_csv, series_looks, tooltip

#: With more classes than this their names no longer fit beside the axis.
NAMED = 30
#: The disagreement matrices show at most this many classes.
MATRIX = 20


def class_accuracy(
    results: Results,
    *,
    start: float = 4,
    alpha: float | None = None,
    soft_scale: str | None = None,
) -> Figure:
    """Class-wise accuracy at the dial's temperature, significant classes marked, as Figure 1.

    Parameters
    ----------
    results
        Published results.
    start
        Temperature at which the dial starts.
    alpha, soft_scale
        Which distilled students.
    """
    alpha, scale = setting(results, alpha, soft_scale)
    runs = at_setting(results.class_accuracy(), alpha, [scale])
    runs = runs[runs["role"].isin(ROLE_NAMES)]
    keys = ["role", "temperature", "class", "class_name"]
    means = runs.groupby(keys, dropna=False, sort=False)["accuracy"].mean().reset_index()
    affected = at_setting(results.affected_classes(), alpha, [scale])
    affected = affected[affected["significant"].astype(bool)]
    where = set(
        zip(affected["comparison"], affected["temperature"], affected["class"], strict=True)
    )
    points = pd.DataFrame(
        {
            "series": means["role"].map(ROLE_NAMES),
            "T": means["temperature"],
            "name": means["class_name"],
            "accuracy": 100 * means["accuracy"],
        }
    )
    for comparison in ("SC", "TC"):
        points[comparison] = [
            int((comparison, t, c) in where)
            for t, c in zip(means["temperature"], means["class"], strict=True)
        ]
    marked = {t: _marked(points[points["T"] == t]) for t in results.temperatures}
    n = len(results.classes)
    named = n <= NAMED
    panel = Panel(
        _classes_chart(points, list(results.classes), named),
        "Accuracy of each class",
        f"Accuracy of each of {n} classes for teacher, student alone and distilled student at "
        "the dial's temperature. "
        + " ".join(f"At T = {t:g}: {marked[t]}." for t in results.temperatures),
        width=740,
        height=110 + 24 * n if named else 340,
    )
    wide = points.assign(
        model=model_names(points["series"], points["T"]),
        text=points["accuracy"].map("{:.2f}".format)
        + points["SC"].map({0: "", 1: " ×"})
        + points["TC"].map({0: "", 1: " ◇"}),
    )
    table = wide.pivot(index="name", columns="model", values="text")
    table = table.loc[list(results.classes), list(dict.fromkeys(wide["model"]))]
    figure = Figure(
        name="class-accuracy",
        title="Class-wise accuracy at the dial's temperature",
        caption=(
            "Mean accuracy of each class over seeds. A cross marks a class whose accuracy, "
            "relative to the accuracy over all classes, differs between the student alone and the "
            "distilled one (Welch's test, level 0.05); an open diamond, between teacher and "
            "distilled student. Small dots: the distilled student at the other temperatures. "
            "*Which classes gain more than the mean, which less?*"
        ),
        badge=results.profile,
        panels=[panel],
        table=table.rename_axis("class").rename_axis(None, axis=1).reset_index(),
        temperatures=results.temperatures,
        start=start,
        readout={t: f"T = {t:g}. {marked[t]}." for t in results.temperatures},
    )
    return collapsed.noted(figure, collapsed.collapsed_runs(results, alpha, [scale]))


def _marked(points: pd.DataFrame) -> str:
    """How many classes are marked, and which if they are few."""
    said = []
    for comparison in ("SC", "TC"):
        names = points.loc[points[comparison] == 1, "name"].tolist()
        said.append(f"{len(names)}" + (f" ({', '.join(names)})" if 0 < len(names) <= 10 else ""))
    return f"Classes that differ from the student alone: {said[0]}; from the teacher: {said[1]}"


def _classes_chart(points: pd.DataFrame, order: list[str], named: bool) -> Any:
    """A row a class where names fit, else a column a class without names."""
    title = None if named else f"{len(order)} classes"
    labels: dict[str, Any] = {"domain": False, "grid": True} if named else {"labels": False}
    channel, beside = ("y", "x") if named else ("x", "y")
    kinds: dict[str, Any] = {"x": alt.X, "y": alt.Y}
    at = {
        channel: kinds[channel](
            "name:N",
            title=title,
            scale=alt.Scale(domain=order),
            axis=alt.Axis(ticks=False, **labels),
        ),
        beside: kinds[beside](
            "accuracy:Q", title="accuracy (%)", scale=fixed_scale(points["accuracy"])
        ),
    }
    looks = series_looks(["teacher", "student alone", "distilled student"], "color", "shape")
    hover = tooltip("name:N", "series:N", "T:Q", accuracy=".2f")
    base = alt.Chart(rows_csv(points))
    now = base.transform_filter(signals.AT_DIAL)
    size = 90 if named else 26
    return alt.layer(
        base.transform_filter("isValid(datum.T)")
        .mark_circle(size=8, opacity=0.45, color=theme.LIGHT["ds"])
        .encode(**at),
        base.transform_filter("!isValid(datum.T)")
        .mark_point(filled=True, size=size * 0.7, opacity=1)
        .encode(tooltip=hover, **looks, **at),
        now.mark_point(filled=True, size=size, opacity=1).encode(tooltip=hover, **looks, **at),
        now.transform_filter("datum.SC == 1")
        .mark_point(shape="cross", angle=45, size=size * 2.4, color=theme.LIGHT["mark"])
        .encode(**at),
        now.transform_filter("datum.TC == 1")
        .mark_point(shape="diamond", size=size * 4, color=theme.LIGHT["teacher"])
        .encode(**at),
    )


def disagreement(
    results: Results,
    *,
    start: float = 4,
    alpha: float | None = None,
    soft_scale: str | None = None,
) -> Figure:
    """Disagreement matrices: teacher and NDS beside teacher and DS at the dial, as Figure 2.

    Parameters are those of :func:`class_accuracy`. With many classes, those with the most
    disagreement between teacher and NDS are shown.
    """
    alpha, scale = setting(results, alpha, soft_scale)
    cells = at_setting(results.disagreement(), alpha, [scale])
    cells = cells.assign(class_a=cells["class_a"].astype(str), class_b=cells["class_b"].astype(str))
    nds_all = cells[cells["pair"] == "teacher-nds"]
    total_nds = nds_all["count"].sum()
    ds_rows = cells[cells["pair"] == "teacher-ds"]
    totals = ds_rows.groupby("temperature")["count"].sum().reindex(results.temperatures)
    shown = _most_disagreed(nds_all, list(results.classes))
    cells = cells[
        cells["class_a"].isin(shown)
        & cells["class_b"].isin(shown)
        & (cells["class_a"] != cells["class_b"])
    ]
    top = float(cells["count"].max())
    data = pd.DataFrame(
        {
            "a": cells["class_a"],
            "b": cells["class_b"],
            "T": cells["temperature"],
            "n": cells["count"].round(1),
        }
    )
    nds, ds = data[data["T"].isna()], data[data["T"].notna()]
    some = (
        ""
        if len(shown) == len(results.classes)
        else (
            f" Of {len(results.classes)} classes the {len(shown)} with the most disagreement "
            "between teacher and student alone are shown; totals are over all."
        )
    )
    panels = [
        Panel(
            matrix(nds, shown, top, "student alone predicts"),
            "Teacher and student alone",
            f"Matrix of disagreements between teacher and student alone, {total_nds:.0f} examples "
            f"in all; most: {largest(nds)}.",
            height=395,
        ),
        Panel(
            matrix(ds, shown, top, "distilled student predicts", moving=True),
            "Teacher and distilled student, at the dial's T",
            "Matrix of disagreements between teacher and distilled student: "
            + ", ".join(f"{totals[t]:.0f} examples at T = {t:g}" for t in results.temperatures)
            + ".",
            height=395,
        ),
    ]
    pair = data["a"] + " → " + data["b"]
    wide = data.assign(
        pair=pair,
        model=model_names(
            data["T"].notna().map({True: ROLE_NAMES["ds"], False: ROLE_NAMES["nds"]}), data["T"]
        ),
    )
    table = wide.pivot(index="pair", columns="model", values="n")
    table = table.loc[list(dict.fromkeys(pair)), list(dict.fromkeys(wide["model"]))]
    table = table.map("{:.1f}".format)
    figure = Figure(
        name="disagreement",
        title="Where student and teacher disagree",
        caption=(
            "Test examples on which the two models predict differently, mean over seeds: the row "
            "is what the teacher predicts, the column what the student predicts. Where they agree "
            f"(the diagonal) nothing is counted.{some} *As T rises, do dark cells fade or move?*"
        ),
        badge=results.profile,
        panels=panels,
        table=table.rename_axis("teacher → student").rename_axis(None, axis=1).reset_index(),
        temperatures=results.temperatures,
        start=start,
        readout={
            t: f"T = {t:g}. Teacher and distilled student disagree on {totals[t]:.0f} examples; "
            f"teacher and student alone on {total_nds:.0f}."
            for t in results.temperatures
        },
    )
    return collapsed.noted(figure, collapsed.collapsed_runs(results, alpha, [scale]))


def _most_disagreed(cells: pd.DataFrame, classes: list[str]) -> list[str]:
    if len(classes) <= MATRIX:
        return classes
    sums = [cells.groupby(side)["count"].sum() for side in ("class_a", "class_b")]
    both = sums[0].add(sums[1], fill_value=0)
    chosen = set(both.nlargest(MATRIX).index)
    return [name for name in classes if name in chosen]


def largest(cells: pd.DataFrame) -> str:
    """The three largest cells of a matrix in words."""
    most = cells.nlargest(3, "n")
    return ", ".join(
        f"{a} taken for {b} ({n:.0f})"
        for a, b, n in zip(most["a"], most["b"], most["n"], strict=True)
    )


def matrix(
    cells: pd.DataFrame, classes: list[str], top: float, x_title: str, *, moving: bool = False
) -> Any:
    """A heat map in seven steps, its numbers written in where they fit."""
    steps = len(theme.SEQUENCE)
    bounds = [float(b) for b in np.linspace(0, max(top, 1.0), steps + 1)[1:-1]]
    base = alt.Chart(rows_csv(cells))
    if moving:
        base = base.transform_filter(signals.AT_DIAL)
    order: dict[str, Any] = {"sort": classes, "scale": alt.Scale(domain=classes)}
    plain: dict[str, Any] = {"ticks": False, "domain": False}
    x = alt.X("b:N", title=x_title, axis=alt.Axis(labelAngle=-45, **plain), **order)
    y = alt.Y("a:N", title="teacher predicts", axis=alt.Axis(**plain), **order)
    squares = base.mark_rect(stroke=theme.LIGHT["surface"], strokeWidth=1).encode(
        x=x,
        y=y,
        color=alt.Color(
            "n:Q",
            legend=None,
            scale=alt.Scale(type="threshold", domain=bounds, range=theme.SEQUENCE),
        ),
        tooltip=[
            alt.Tooltip("a:N", title="teacher"),
            alt.Tooltip("b:N", title="student"),
            alt.Tooltip("n:Q", title="examples", format=".1f"),
        ],
    )
    if len(classes) > 12:
        return alt.layer(squares)
    ink = alt.condition(
        f"datum.n >= {bounds[3]}",
        alt.value(theme.LIGHT["on-high"]),
        alt.value(theme.LIGHT["on-low"]),
    )
    numbers = base.mark_text(fontSize=10).encode(
        x=x, y=y, text=alt.Text("n:Q", format=".0f"), color=ink
    )
    return alt.layer(squares, numbers)
