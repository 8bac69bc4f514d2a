"""All studies on one page: what temperature does to each, and what that has to do with difficulty.

A figure shows one source, the paper or the studies measured here under one profile, so that its
badge says where all of its numbers come from. Picking a study in one chart picks it in every
chart of the page: in a figure the charts share the selection ``pick``, and in the book the page
carries it from figure to figure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from kdfair_book.evidence.across_studies import (
    by_attribute,
    by_classes,
    curves,
    everyone,
    sources,
)

from . import signals, theme
from .figure import Figure, Panel, Section
from .intervals import start_near
from .temperature import (
    dial_rule,
    fixed_scale,
    listed,
    looks,
    rows_csv,
    temperature_axis,
    tooltip,
)

#: Metric -> title of its panel, its unit, and the value that means "no change" or "chance".
GAIN = ("Accuracy: distilled less alone", "points", 0.0)
CLASS_BIAS = {
    "accuracy": GAIN,
    "sc": ("#SC: alone, distilled", "share of classes (%)", 5.0),
    "tc": ("#TC: teacher, distilled", "share of classes (%)", 5.0),
}
FAIRNESS = {
    "accuracy": GAIN,
    "eod": ("EOD: distilled against alone", "percent of the student alone's", 100.0),
    "dpd": ("DPD: distilled against alone", "percent of the student alone's", 100.0),
}
#: Unit -> a value with it.
SAID = {
    "points": "{:+.2f} points",
    "share of classes (%)": "{:.3g} % of classes",
    "percent of the student alone's": "{:.3g} % of the student alone's",
}
DIFFICULTY = {
    "difficulty": ("teacher's error (%)", "the teacher's error"),
    "n_classes": ("number of classes (log scale)", "number of classes"),
}
#: With fewer studies than this nothing can be said of difficulty.
FEW = 3
CLASSES = [10, 30, 100, 300, 1000]

COLORS = ("ds", "nds", "other", "mark", "dial", "teacher", "floor")
SHAPES = ("circle", "triangle-up", "diamond", "square", "triangle-down", "cross", "triangle-right")
DASHES = ([1, 0], [7, 3], [5, 2], [2, 2], [9, 2, 2, 2])


class NothingToShow(ValueError):
    """A source has no study of the kind that a chart shows."""


def _pick() -> tuple[alt.Parameter, dict[str, Any]]:
    """The selection of a study by a click on its line, points or name; others fade."""
    pick = alt.selection_point(
        name="pick", fields=["series"], bind="legend", on="click", clear="dblclick", toggle=False
    )
    return pick, {"opacity": alt.condition(pick, alt.value(1), alt.value(0.12))}


def _looks(names: Sequence[str]) -> dict[str, Any]:
    """Color, dash and shape of each study, the same in every chart of its kind."""
    kinds = (by_attribute(), by_classes(), everyone())
    order = next(kind for kind in kinds if set(names) <= set(kind))
    at = [order.index(name) for name in names]
    # One column: how many would fit depends on the width, which depends on the legend's height.
    legend = alt.Legend(
        columns=1, symbolSize=70, symbolOpacity=1, symbolDash=[1, 0], symbolStrokeWidth=1
    )
    colors = [COLORS[i % 7] for i in at]
    shapes = [SHAPES[(i + i // 7) % 7] for i in at]
    dashes = [DASHES[(i + i // 7) % 5] for i in at]
    channels = looks("series", names, legend=legend, color=colors, shape=shapes)
    return channels | looks("series", names, title=alt.Undefined, legend=None, strokeDash=dashes)


def _chart(rows: pd.DataFrame, temperatures: Sequence[float], unit: str, level: float) -> Any:
    shown = _looks([n for n in everyone() if n in set(rows["series"])])
    x = temperature_axis(temperatures)
    scale = fixed_scale(np.append(rows["value"].to_numpy(dtype=float), level))
    y = alt.Y("value:Q", title=unit, scale=scale)
    pick, faded = _pick()
    base = alt.Chart(rows_csv(rows[["series", "T", "value"]]))
    hover = tooltip("series:N", T="d", value=".2f")
    line = {key: shown[key] for key in ("color", "strokeDash")}
    point = {key: shown[key] for key in ("color", "shape")}
    return alt.layer(
        dial_rule(base, x),
        alt.Chart(rows_csv({"value": [level]}))
        .mark_rule(color=theme.LIGHT["floor"], strokeDash=[2, 3])
        .encode(y=y),
        base.mark_line(strokeWidth=2).encode(x=x, y=y, detail="series:N", **line, **faded),
        base.mark_point(filled=True, size=30)
        .encode(x=x, y=y, tooltip=hover, **point, **faded)
        .add_params(pick),
        base.transform_filter(signals.AT_DIAL)
        .mark_point(filled=True, size=110, stroke=theme.LIGHT["surface"], strokeWidth=1)
        .encode(x=x, y=y, tooltip=hover, **point, **faded),
    )


def _compared(
    name: str,
    source: str,
    metrics: dict[str, tuple[str, str, float]],
    by_group: bool,
    title: str,
    caption: str,
    start: float,
) -> Figure:
    """A panel for each metric, with every study that has it."""
    rows = _some(source, metrics, by_group)
    temperatures = sorted(rows["T"].unique())
    panels = []
    for metric, (heading, unit, level) in metrics.items():
        some = rows[rows["metric"] == metric]
        said = "; ".join(
            f"{series}: from {listed(r.iloc[[0, -1]], '{:.3g}', 'value').replace(', ', ' to ')}"
            for series, r in some.sort_values("T").groupby("series", sort=False)
        )
        says = f"Line chart of {heading}, {unit}, against temperature. {said}."
        panels.append(Panel(_chart(some, temperatures, unit, level), heading, says, height=380))
    headings = {metric: heading for metric, (heading, *_) in metrics.items()}
    table = _by_temperature(rows.assign(metric=rows["metric"].map(headings)), ["series", "metric"])
    table.insert(0, "study and metric", table.pop("series") + ": " + table.pop("metric"))
    return Figure(
        name=f"{name}-{source}",
        title=title,
        caption=caption,
        badge=source,
        panels=panels,
        table=table,
        temperatures=temperatures,
        start=start_near(temperatures, start),
        readout={t: _said_at(rows[rows["T"] == t], metrics, t) for t in temperatures},
    )


def _by_temperature(rows: pd.DataFrame, index: list[str]) -> pd.DataFrame:
    """The values with a column a temperature."""
    table = rows.pivot(index=index, columns="T", values="value")
    return table.rename(columns="T = {:g}".format).rename_axis(None, axis=1).reset_index()


def _said_at(rows: pd.DataFrame, metrics: dict[str, tuple[str, str, float]], t: float) -> str:
    parts = []
    for metric, (heading, unit, _) in metrics.items():
        some = rows[rows["metric"] == metric]
        name = heading.partition(":")[0]
        if some.empty:
            continue
        values = some["value"]
        ends = [
            (SAID[unit].format(values.iloc[i]), some["series"].iloc[i])
            for i in (values.argmin(), values.argmax())
        ]
        if len(some) == 1:
            parts.append(f"{name} {ends[0][0]}")
        else:
            parts.append(f"{name} from " + " to ".join(f"{v} ({series})" for v, series in ends))
    return f"T = {t:g}. {'; '.join(parts)}."


def every(chart: Callable[..., Figure], *, start: float = 4) -> Section:
    """A chart of this module for every source that has something to show in it.

    Parameters
    ----------
    chart
        :func:`class_bias`, :func:`fairness` or :func:`difficulty`.
    start
        Temperature at which the dial starts.
    """
    figures = []
    for source in sources():
        try:
            figures.append(chart(source, start=start))
        except NothingToShow:
            continue
    return Section(figures)


def class_bias(source: str = "reported", *, start: float = 4) -> Figure:
    """Change of accuracy, #SC and #TC of every study with more than two classes.

    Parameters
    ----------
    source
        One of :func:`kdfair_book.evidence.across_studies.sources`.
    start
        Temperature at which the dial starts; the nearest is taken.

    Raises
    ------
    ValueError
        If there is no such source, or it has no such study.
    """
    return _compared(
        "across-class-bias",
        source,
        CLASS_BIAS,
        False,
        "Class bias across studies",
        "What the distilled student (DS in the paper) gains in accuracy over the same network "
        "trained alone (NDS), and the share of classes that differ significantly. Dotted: no "
        "change, and the 5 % of classes that a test at level 0.05 names when nothing differs. "
        "*Click a line or a name to follow one study through every chart; double-click to let go.*",
        start,
    )


def fairness(source: str = "reported", *, start: float = 4) -> Figure:
    """Change of accuracy, EOD and DPD of every study with groups.

    Parameters and errors are those of :func:`class_bias`.
    """
    return _compared(
        "across-fairness",
        source,
        FAIRNESS,
        True,
        "Group fairness across studies",
        "What the distilled student gains in accuracy over the student alone, and its differences "
        "between groups (EOD, DPD) as a percentage of the student alone's, so that studies of "
        "different difficulty share an axis. Dotted: as the student alone. "
        "*Below the dotted line the distilled student has the smaller difference. A smaller EOD is "
        "fairer; a DPD only as far as it comes closer to the labels' own, on the study's page.*",
        start,
    )


def difficulty(source: str = "reported", *, start: float = 4) -> Figure:
    """Share of affected classes against the difficulty of the study, at the dial's temperature.

    Parameters and errors are those of :func:`class_bias`; it takes three studies or more.
    """
    rows = _some(source, ["sc", "tc"], False)
    if rows["series"].nunique() < FEW:
        raise NothingToShow(f"fewer than {FEW} studies were measured under {source!r}")
    temperatures = sorted(rows["T"].unique())
    panels = [_scatter(rows, metric, measure) for measure in DIFFICULTY for metric in ("sc", "tc")]
    titles = {"series": "study", "n_classes": "classes", "difficulty": "teacher's error (%)"}
    table = rows.assign(metric="#" + rows["metric"].str.upper())
    table = _by_temperature(table, [*titles, "metric"]).rename(columns=titles)
    return Figure(
        name=f"across-difficulty-{source}",
        title="Affected classes against difficulty",
        caption="Share of significantly affected classes at the dial's temperature, against how "
        "often the teacher errs (above) and against how many classes there are (below). Small "
        "points: the other temperatures. Dotted: what chance would give. *A hard task and a task "
        "with many classes are not the same: which of the two does the share go with?*",
        badge=source,
        panels=panels,
        table=table,
        temperatures=temperatures,
        start=start_near(temperatures, start),
        readout={t: _rank_said(rows[rows["T"] == t], t) for t in temperatures},
    )


def _scatter(rows: pd.DataFrame, metric: str, measure: str) -> Panel:
    """Share of affected classes against one measure of difficulty."""
    title, words = DIFFICULTY[measure]
    shown = _looks([n for n in everyone() if n in set(rows["series"])])
    point = {key: shown[key] for key in ("color", "shape")}
    upper = measure == "difficulty"
    if upper:  # the charts below have the same legend
        point = {key: channel.legend(None) for key, channel in point.items()}
    xs = (
        fixed_scale(rows[measure]) if upper else alt.Scale(type="log", domain=[7, 1500], nice=False)
    )
    ticks = alt.Axis(tickCount=5) if upper else alt.Axis(values=CLASSES)
    x = alt.X(f"{measure}:Q", title=title, scale=xs, axis=ticks)
    y = alt.Y("value:Q", title="share of classes (%)", scale=fixed_scale(rows["value"], zero=True))
    some = rows[rows["metric"] == metric]
    pick, faded = _pick()
    base = alt.Chart(rows_csv(some[["series", "n_classes", "difficulty", "T", "value"]]))
    hover = [
        "series:N",
        alt.Tooltip("n_classes:Q", title="classes"),
        alt.Tooltip("difficulty:Q", title="teacher's error", format=".2f"),
        alt.Tooltip("value:Q", title="share", format=".1f"),
    ]
    now = base.transform_filter(signals.AT_DIAL)
    chart = alt.layer(
        alt.Chart(rows_csv({"value": [5.0]}))
        .mark_rule(color=theme.LIGHT["floor"], strokeDash=[2, 3])
        .encode(y=y),
        base.mark_point(filled=True, size=12, opacity=0.3).encode(x=x, y=y, **point),
        now.mark_point(filled=True, size=120)
        .encode(x=x, y=y, tooltip=hover, **point, **faded)
        .add_params(pick),
    )
    listed = "; ".join(
        f"{r['series'].iloc[0]} (error {r['difficulty'].iloc[0]:.1f} %, "
        f"{r['n_classes'].iloc[0]:,} classes): {r['value'].min():.3g} to {r['value'].max():.3g} %"
        for _, r in some.groupby("series", sort=False)
    )
    return Panel(
        chart,
        f"#{metric.upper()} by {words}",
        f"Scatter plot of the share of affected classes (#{metric.upper()}) against the {title}. "
        f"{listed}.",
        height=270 if upper else 390,
    )


def _rank_said(rows: pd.DataFrame, t: float) -> str:
    parts = []
    for metric, some in rows.groupby("metric"):
        ranks = some[[*DIFFICULTY, "value"]].rank().corr()["value"]
        numbers = (
            f"{ranks['difficulty']:+.2f} with the teacher's error, {ranks['n_classes']:+.2f} with "
            "the number of classes"
        )
        known = len(some) >= FEW and ranks.notna().all()
        parts.append(f"#{str(metric).upper()} {numbers if known else 'too few studies to say'}")
    n = rows["series"].nunique()
    return f"T = {t:g}. Rank correlation of the share over {n} studies: {'; '.join(parts)}."


def _some(source: str, metrics: Iterable[str], by_group: bool) -> pd.DataFrame:
    """Rows of these metrics, by group or for all, that have a temperature and a value."""
    rows = curves(source)
    mine = rows["metric"].isin(list(metrics)) & ((rows["attribute"] != "") == by_group)
    rows = rows[mine].dropna(subset=["T", "value"])
    if rows.empty:
        raise NothingToShow(f"nothing of this kind was measured under {source!r}")
    return rows
