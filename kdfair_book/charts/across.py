"""All studies on one page: what temperature does to each, and what that has to do with difficulty.

A figure shows one source, the paper or the studies measured here under one profile, so that its
badge says where all of its numbers come from. Picking a study in one chart picks it in every
chart of the page: in a figure the charts share the selection ``pick``, and in the book the page
carries it from figure to figure.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from kdfair_book.evidence.across_studies import by_attribute, curves, everyone, sources

from . import dial, theme
from .figure import Figure, Panel
from .intervals import start_near
from .section import Section
from .temperature import fixed_scale, rows_csv, temperature_axis

CLASS_BIAS = {
    "accuracy": ("Accuracy: DS minus NDS", "points"),
    "sc": ("#SC: NDS and DS differ", "share of classes (%)"),
    "tc": ("#TC: teacher and DS differ", "share of classes (%)"),
}
FAIRNESS = {
    "accuracy": ("Accuracy: DS minus NDS", "points"),
    "eod": ("EOD: DS against NDS", "percent of the NDS's"),
    "dpd": ("DPD: DS against NDS", "percent of the NDS's"),
}
SAID = {
    "points": "{:+.2f} points",
    "share of classes (%)": "{:.3g} % of classes",
    "percent of the NDS's": "{:.3g} % of the NDS's",
}
"""A value with its unit, by the title of its axis."""
DIFFICULTY = {
    "difficulty": ("teacher's error (%)", "the teacher's error"),
    "n_classes": ("number of classes (log scale)", "number of classes"),
}
FEW = 3
"""With fewer studies than this nothing can be said of difficulty."""
CLASSES = [10, 30, 100, 300, 1000]

COLORS = ("ds", "nds", "other", "mark", "dial", "teacher", "floor")
SHAPES = ("circle", "triangle-up", "diamond", "square", "triangle-down", "cross", "triangle-right")
DASHES = ([1, 0], [7, 3], [5, 2], [2, 2], [9, 2, 2, 2])


class NothingToShow(ValueError):
    """A source has no study of the kind that a chart shows."""


class Linked(Figure):
    """A figure whose charts share the selection ``pick``."""

    def to_altair(self) -> Any:
        """All panels as one Altair chart; it has the shared selection once."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Automatically deduplicated selection")
            return super().to_altair()


def _pick() -> alt.Parameter:
    """The selection of a study: a click on its line, points or legend entry."""
    return alt.selection_point(
        name="pick", fields=["series"], bind="legend", on="click", clear="dblclick", toggle=False
    )


def _looks(names: Sequence[str]) -> dict[str, Any]:
    """Color, dash and shape of each study, the same in every chart of its kind."""
    groups = by_attribute()
    order = groups if set(names) <= set(groups) else everyone()
    at = [order.index(name) for name in names]
    # One column: how many would fit depends on the width, which depends on the legend's height.
    legend = alt.Legend(
        columns=1, symbolSize=70, symbolOpacity=1, symbolDash=[1, 0], symbolStrokeWidth=1
    )
    names = list(names)
    ranges: dict[str, Any] = {
        "color": [theme.LIGHT[COLORS[i % 7]] for i in at],
        "shape": [SHAPES[(i + i // 7) % 7] for i in at],
        "strokeDash": [DASHES[(i + i // 7) % 5] for i in at],
    }
    scales = {key: alt.Scale(domain=names, range=values) for key, values in ranges.items()}
    return {
        "color": alt.Color("series:N", title=None, legend=legend, scale=scales["color"]),
        "shape": alt.Shape("series:N", title=None, legend=legend, scale=scales["shape"]),
        "strokeDash": alt.StrokeDash("series:N", legend=None, scale=scales["strokeDash"]),
    }


def _chart(rows: pd.DataFrame, temperatures: Sequence[float], unit: str, level: float) -> Any:
    names = [n for n in everyone() if n in set(rows["series"])]
    looks = _looks(names)
    x = temperature_axis(temperatures)
    scale = fixed_scale(np.append(rows["value"].to_numpy(dtype=float), level))
    y = alt.Y("value:Q", title=unit, scale=scale)
    pick = _pick()
    faded = {"opacity": alt.condition(pick, alt.value(1), alt.value(0.12))}
    base = alt.Chart(rows_csv(rows[["series", "T", "value"]]))
    tooltip = ["series:N", alt.Tooltip("T:Q", format="d"), alt.Tooltip("value:Q", format=".2f")]
    line = {key: looks[key] for key in ("color", "strokeDash")}
    point = {key: looks[key] for key in ("color", "shape")}
    return alt.layer(
        base.transform_filter(dial.AT_DIAL)
        .transform_aggregate(T="max(T)")
        .mark_rule(color=theme.LIGHT["dial"], strokeWidth=1.5)
        .encode(x=x),
        alt.Chart(rows_csv(pd.DataFrame({"value": [level]})))
        .mark_rule(color=theme.LIGHT["floor"], strokeDash=[2, 3])
        .encode(y=y),
        base.mark_line(strokeWidth=2).encode(x=x, y=y, detail="series:N", **line, **faded),
        base.mark_point(filled=True, size=30)
        .encode(x=x, y=y, tooltip=tooltip, **point, **faded)
        .add_params(pick),
        base.transform_filter(dial.AT_DIAL)
        .mark_point(filled=True, size=110, stroke=theme.LIGHT["surface"], strokeWidth=1)
        .encode(x=x, y=y, tooltip=tooltip, **point, **faded),
    )


def _compared(
    rows: pd.DataFrame,
    kinds: dict[str, tuple[str, str]],
    levels: dict[str, float],
    *,
    name: str,
    title: str,
    caption: str,
    source: str,
    start: float,
) -> Linked:
    temperatures = sorted(rows["T"].unique())
    panels = []
    for metric, (heading, unit) in kinds.items():
        some = rows[rows["metric"] == metric]
        said = "; ".join(
            f"{n}: from {r['value'].iloc[0]:.3g} at T = {r['T'].iloc[0]:g} to "
            f"{r['value'].iloc[-1]:.3g} at T = {r['T'].iloc[-1]:g}"
            for n, r in some.sort_values("T").groupby("series", sort=False)
        )
        panels.append(
            Panel(
                _chart(some, temperatures, unit, levels[metric]),
                heading,
                f"Line chart of {heading}, {unit}, against temperature. {said}.",
                width=370,
                height=380,
            )
        )
    table = rows.assign(metric=rows["metric"].map({k: h for k, (h, _) in kinds.items()}))
    table = table.pivot(index=["series", "metric"], columns="T", values="value")
    table.columns = pd.Index([f"T = {t:g}" for t in table.columns])
    table = table.reset_index()
    table.insert(0, "study and metric", table.pop("series") + ": " + table.pop("metric"))
    return Linked(
        name=f"{name}-{source}",
        title=title,
        caption=caption,
        badge=source,
        panels=panels,
        table=table,
        temperatures=temperatures,
        start=start_near(temperatures, start),
        readout={t: _said_at(rows[rows["T"] == t], kinds, t) for t in temperatures},
        columns=3,
    )


def _said_at(rows: pd.DataFrame, kinds: dict[str, tuple[str, str]], t: float) -> str:
    parts = []
    for metric, (heading, unit) in kinds.items():
        some = rows[rows["metric"] == metric]
        if some.empty:
            continue
        said = SAID[unit]
        low, high = some.iloc[some["value"].argmin()], some.iloc[some["value"].argmax()]
        if len(some) == 1:
            parts.append(f"{heading.partition(':')[0]} {said.format(low['value'])}")
            continue
        parts.append(
            f"{heading.partition(':')[0]} from {said.format(low['value'])} ({low['series']}) to "
            f"{said.format(high['value'])} ({high['series']})"
        )
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


def class_bias(source: str = "reported", *, start: float = 4) -> Linked:
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
    rows = _some(source, lambda r: (r["attribute"] == "") & r["metric"].isin(CLASS_BIAS))
    return _compared(
        rows,
        CLASS_BIAS,
        {"accuracy": 0.0, "sc": 5.0, "tc": 5.0},
        name="across-class-bias",
        title="Class bias across studies",
        caption="What the DS gains over the NDS in accuracy, and the share of classes that differ "
        "significantly. Dotted: no change, and the 5 % of classes that a test at level 0.05 names "
        "when nothing differs. *Click a line or a name to follow one study through every chart; "
        "double-click to let go.*",
        source=source,
        start=start,
    )


def fairness(source: str = "reported", *, start: float = 4) -> Linked:
    """Change of accuracy, EOD and DPD of every study with groups.

    Parameters and errors are those of :func:`class_bias`.
    """
    rows = _some(source, lambda r: (r["attribute"] != "") & r["metric"].isin(FAIRNESS))
    return _compared(
        rows,
        FAIRNESS,
        {"accuracy": 0.0, "eod": 100.0, "dpd": 100.0},
        name="across-fairness",
        title="Group fairness across studies",
        caption="What the DS gains over the NDS in accuracy, and its EOD and DPD as a percentage "
        "of the NDS's, so that studies of different difficulty share an axis. Dotted: as the NDS. "
        "*Below the dotted line the distilled student has the smaller difference. A smaller EOD is "
        "fairer; a DPD only as far as it comes closer to the labels' own, on the study's page.*",
        source=source,
        start=start,
    )


def difficulty(source: str = "reported", *, start: float = 4) -> Linked:
    """Share of affected classes against the difficulty of the study, at the dial's temperature.

    Parameters and errors are those of :func:`class_bias`; it takes three studies or more.
    """
    rows = _some(source, lambda r: r["metric"].isin(["sc", "tc"]))
    if rows["series"].nunique() < FEW:
        raise NothingToShow(f"fewer than {FEW} studies were measured under {source!r}")
    temperatures = sorted(rows["T"].unique())
    panels = [_scatter(rows, metric, measure) for measure in DIFFICULTY for metric in ("sc", "tc")]
    table = rows.assign(metric=rows["metric"].map({"sc": "#SC", "tc": "#TC"}))
    table = table.pivot(
        index=["series", "n_classes", "difficulty", "metric"], columns="T", values="value"
    )
    table.columns = pd.Index([f"T = {t:g}" for t in table.columns])
    table = table.reset_index().rename(
        columns={"series": "study", "n_classes": "classes", "difficulty": "teacher's error (%)"}
    )
    return Linked(
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
        columns=2,
    )


def _scatter(rows: pd.DataFrame, metric: str, measure: str) -> Panel:
    """Share of affected classes against one measure of difficulty."""
    title, words = DIFFICULTY[measure]
    looks = _looks([n for n in everyone() if n in set(rows["series"])])
    point = {key: looks[key] for key in ("color", "shape")}
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
    pick = _pick()
    faded = {"opacity": alt.condition(pick, alt.value(1), alt.value(0.12))}
    base = alt.Chart(rows_csv(some[["series", "n_classes", "difficulty", "T", "value"]]))
    tooltip = [
        "series:N",
        alt.Tooltip("n_classes:Q", title="classes"),
        alt.Tooltip("difficulty:Q", title="teacher's error", format=".2f"),
        alt.Tooltip("value:Q", title="share", format=".1f"),
    ]
    now = base.transform_filter(dial.AT_DIAL)
    chart = alt.layer(
        alt.Chart(rows_csv(pd.DataFrame({"value": [5.0]})))
        .mark_rule(color=theme.LIGHT["floor"], strokeDash=[2, 3])
        .encode(y=y),
        base.mark_point(filled=True, size=12, opacity=0.3).encode(x=x, y=y, **point),
        now.mark_point(filled=True, size=120)
        .encode(x=x, y=y, tooltip=tooltip, **point, **faded)
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
        width=370,
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


def _some(source: str, keep: Callable[[pd.DataFrame], pd.Series]) -> pd.DataFrame:
    rows = curves(source)
    rows = rows[keep(rows)].dropna(subset=["T", "value"])
    if rows.empty:
        raise NothingToShow(f"nothing of this kind was measured under {source!r}")
    return rows
