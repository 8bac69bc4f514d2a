"""Charts with the temperature along the axis."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from . import signals, theme

#: The axis: a log scale holds 1..10 and 20, 30, 40 without crowding either end.
ROOM = (0.92, 1.1)

#: Pixels that a label needs in height, and that a plot has at least.
LINE, PLOT = 13, 150

#: Labels of the ticks; those between would run into each other on a narrow page.
TICK_LABEL = "indexof([6, 8, 9, 30], datum.value) < 0 ? format(datum.value, 'd') : ''"


def rows_csv(rows: pd.DataFrame | dict[str, Any]) -> alt.Data:
    """A small frame as data of a chart: CSV, since a page carries it as text."""
    frame = pd.DataFrame(rows)
    kinds: dict[str, Any] = {
        c: "number" for c in frame.columns if pd.api.types.is_numeric_dtype(frame[c])
    }
    text = frame.to_csv(index=False, float_format="%.6g")
    return alt.InlineData(values=text, format=alt.CsvDataFormat(type="csv", parse=kinds))


def temperature_axis(temperatures: Sequence[float]) -> alt.X:
    """Temperature on a log scale, a tick for each that was measured."""
    low, high = min(temperatures), max(temperatures)
    scale = alt.Scale(type="log", domain=[low * ROOM[0], high * ROOM[1]], nice=False)
    axis = alt.Axis(
        values=list(temperatures), labelExpr=TICK_LABEL, labelOverlap="greedy", grid=False
    )
    return alt.X("T:Q", title="temperature T (log scale)", scale=scale, axis=axis)


def fixed_scale(values: Any, *, zero: bool = False) -> alt.Scale:
    """A linear scale over ``values`` at all temperatures: turning the dial moves no axis.

    Values of 0 to 100 are taken for percentages and do not make the axis leave that range; no
    axis leaves what is not negative.
    """
    known = np.asarray(values, dtype=float)
    known = known[np.isfinite(known)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    room = 0.03 * (high - low) or 0.5
    ceiling = 100.0 if 50 < high <= 100 else float("inf")
    floor = 0.0 if low >= 0 else float("-inf")
    low, high = max(low - room, floor), min(high + room, ceiling)
    if zero:
        low, high = min(0.0, low), max(0.0, high)
    return alt.Scale(domain=[low, high], nice=True, zero=False)


def shown_range(frame: pd.DataFrame, band: Mapping[str, float] | None = None) -> list[float]:
    """Lowest and highest value that a chart of ``frame`` shows.

    All means, and intervals up to half the range of the means beyond them: one run that went
    astray makes an interval that would press everything else into a line. What lies outside is
    cut at the edge of the chart and stands in its numbers.
    """
    means = [*frame["mean"].dropna(), *(band or {}).values()]
    low, high = min(means), max(means)
    room = max((high - low) / 2, 1e-9)
    ends = frame[["low", "high"]]
    return [
        float(max(ends.min().min(), low - room)) if ends.notna().any(axis=None) else low,
        float(min(ends.max().max(), high + room)) if ends.notna().any(axis=None) else high,
        low,
        high,
    ]


def is_cut(frame: pd.DataFrame, band: Mapping[str, float] | None = None) -> bool:
    """Whether an interval of ``frame`` goes on beyond what is shown."""
    shown = shown_range(frame, band)
    return bool(frame["low"].min() < min(shown) or frame["high"].max() > max(shown))


def typical_scale(values: Any, *, zero: bool = False) -> alt.Scale:
    """As :func:`fixed_scale`, but a run that collapsed does not squeeze all others.

    It spans the middle 98 % of ``values``; what lies beyond is drawn at its edge.
    """
    known = np.asarray(values, dtype=float)
    known = known[np.isfinite(known)]
    middle = np.quantile(known, [0.01, 0.99]) if known.size else known
    scale = fixed_scale(middle, zero=zero)
    scale.clamp = True
    return scale


def looks(
    field: str,
    names: Sequence[str],
    *,
    title: Any = None,
    legend: Any = alt.Undefined,
    **ranges: Sequence[Any],
) -> dict[str, Any]:
    """Channels that tell the names in a column apart.

    Parameters
    ----------
    field
        The column.
    names
        Its values, in the order of the legend.
    title, legend
        Of the legend; ``legend=None`` leaves it out.
    **ranges
        For each of color (names of :data:`.theme.COLORS`), shape and strokeDash that shall be
        used: what each name has.
    """
    kinds = {"color": alt.Color, "shape": alt.Shape, "strokeDash": alt.StrokeDash}
    if "color" in ranges:
        ranges["color"] = [theme.LIGHT[color] for color in ranges["color"]]
    return {
        key: kinds[key](
            f"{field}:N",
            title=title,
            legend=legend,
            scale=alt.Scale(domain=list(names), range=list(values)),
        )
        for key, values in ranges.items()
    }


def series_looks(names: Sequence[str], *channels: str, legend: Any = alt.Undefined) -> dict:
    """:func:`looks` of some keys of :data:`.theme.SERIES`, which stand in a column "series"."""
    styles = {
        key: [theme.SERIES[name][("color", "strokeDash", "shape").index(key)] for name in names]
        for key in channels
    }
    return looks("series", names, legend=legend, **styles)


def stroke_legend(names: Sequence[str]) -> alt.Legend:
    """Legend of lines, in as many columns as the signal ``room`` allows."""
    full = {name: theme.IN_FULL.get(name, name) for name in names}
    entry = 42 + 6 * max(map(len, full.values()))  # pixels
    written = "".join(
        f"datum.label == {name!r} ? {label!r} : " for name, label in full.items() if name != label
    )
    columns = alt.ExprRef(f"clamp(floor(room / {entry:.0f}), 1, {len(names)})")
    return alt.Legend(
        symbolType="stroke",
        symbolStrokeWidth=2.5,
        symbolSize=420,
        columns=columns,
        labelExpr=f"{written}datum.label",
    )


def tooltip(*plain: str, **formats: str) -> list[Any]:
    """What hovering shows: columns as they are, then numbers by their format."""
    return [*plain, *(alt.Tooltip(f"{name}:Q", format=form) for name, form in formats.items())]


def dial_rule(base: Any, x: alt.X) -> Any:
    """A line at the dial's place on the axis of temperatures."""
    return (
        base.transform_filter(signals.AT_DIAL)
        .transform_aggregate(T="max(T)")
        .mark_rule(color=theme.LIGHT["dial"], strokeWidth=1.5)
        .encode(x=x)
    )


def capitalized(text: str) -> str:
    """The text with a capital letter at its beginning, the rest as it is."""
    return text[:1].upper() + text[1:]


def listed(rows: pd.DataFrame, form: str = "{:g}", column: str = "mean") -> str:
    """The curve in words: "4.2 at T = 1, 3.9 at T = 2"."""
    pairs = zip(rows["T"], rows[column], strict=True)
    return ", ".join(f"{form.format(value)} at T = {t:g}" for t, value in pairs)


def against_temperature(
    frame: pd.DataFrame,
    temperatures: Sequence[float],
    *,
    y_title: str,
    digits: int = 2,
    band: Mapping[str, float] | None = None,
    zero: bool = False,
    seeds: pd.DataFrame | None = None,
) -> Any:
    """Lines against temperature, level lines for models without one, and the dial's place.

    Parameters
    ----------
    frame
        Columns series (a key of :data:`.theme.SERIES`), T (missing for a level line), mean,
        low, high (missing or absent where there is no interval), in the units of the axis;
        perhaps measured, the value before it was corrected, which is drawn as a small tick.
    temperatures
        Those under the dial.
    y_title
        Title of the axis, with its unit.
    digits
        Decimals in what hovering shows.
    band
        Bounds "low" and "high" of a gray band (what chance alone would give).
    zero
        Whether the axis begins at zero.
    seeds
        Single runs to draw behind the lines: columns series, T, value, collapsed. What lies
        beyond the axis is drawn at its edge, with its value.
    """
    measured = ["measured"] if "measured" in frame else []
    frame = frame.reindex(columns=["series", "T", "mean", "low", "high", *measured])
    names = [name for name in theme.SERIES if name in set(frame["series"])]
    stroked = series_looks(names, "color", "strokeDash", legend=stroke_legend(names))
    x = temperature_axis(sorted({*temperatures, *frame["T"].dropna()}))
    shown = shown_range(frame, band)
    scale = fixed_scale(shown, zero=zero)
    whole = alt.Axis()
    if digits == 0:  # counts: no ticks between whole numbers
        few = list(range(int(max(shown)) + 2)) if max(shown) <= 8 else None
        whole = alt.Axis(format="d", tickMinStep=1, values=few or alt.Undefined)
    y = alt.Y("mean:Q", title=y_title, scale=scale, axis=whole)
    spread = {"y": alt.Y("low:Q", title=y_title, scale=scale), "y2": alt.Y2("high:Q")}
    hover = tooltip("series:N", T="d", **dict.fromkeys(("mean", "low", "high"), f".{digits}f"))
    if measured:
        hover.append(alt.Tooltip("measured:Q", format=f".{digits}f", title="as measured"))
    base = alt.Chart(rows_csv(frame))
    curves = base.transform_filter("isValid(datum.T)")
    levels = base.transform_filter("!isValid(datum.T)")

    below: list[Any] = []
    above: list[Any] = []
    if band is not None:
        chance = alt.Chart(rows_csv({end: [value] for end, value in band.items()}))
        below.append(
            chance.mark_rect(clip=True, color=theme.LIGHT["chance"], opacity=0.45).encode(
                y=alt.Y("low:Q", title=y_title, scale=scale), y2="high:Q"
            )
        )
    if seeds is not None and not seeds.empty:
        y_run = alt.Y("at:Q", title=y_title, scale=scale)
        below += _single_runs(seeds, x, y_run, nice_ends(*scale["domain"]), digits)
    for name in names:
        color, _, shape = theme.SERIES[name]
        only = f"datum.series == {name!r}"
        flat = frame.loc[frame["series"] == name, "T"].isna().all()
        if flat:
            mark = levels.mark_rect(clip=True, color=theme.LIGHT[color], opacity=0.13)
            below.append(mark.transform_filter(only).encode(**spread))
            continue
        mark = curves.mark_area(clip=True, color=theme.LIGHT[color], opacity=0.16)
        below.append(mark.transform_filter(only).encode(x=x, **spread))
        points: dict[str, Any] = {
            "filled": True,
            "opacity": 1,
            "color": theme.LIGHT[color],
            "shape": shape,
        }
        one = curves.transform_filter(only)
        if measured:
            tick = one.transform_filter("isValid(datum.measured)").mark_tick(
                orient="horizontal", clip=True, size=9, thickness=1.5, color=theme.LIGHT[color]
            )
            raw = alt.Y("measured:Q", title=y_title, scale=scale)
            above.append(tick.encode(x=x, y=raw, tooltip=hover))
        here = one.transform_filter(signals.AT_DIAL)
        above += [
            one.mark_point(size=32, **points).encode(x=x, y=y, tooltip=hover),
            here.mark_rule(clip=True, strokeWidth=2, color=theme.LIGHT[color]).encode(
                x=x, **spread
            ),
            here.mark_point(
                size=120, stroke=theme.LIGHT["surface"], strokeWidth=1.5, **points
            ).encode(x=x, y=y, tooltip=hover),
        ]
    between = [
        dial_rule(curves, x),
        levels.mark_rule(strokeWidth=2).encode(y=y, tooltip=hover, **stroked),
        curves.mark_line(strokeWidth=2).encode(x=x, y=y, **stroked),
    ]
    return alt.layer(*below, *between, *above, *_ends(frame, names, scale, y_title))


def _ends(frame: pd.DataFrame, names: Sequence[str], scale: alt.Scale, title: str) -> list[Any]:
    """The name of each line right of the chart, where it ends; shown if the signal says so."""
    low, high = nice_ends(*scale["domain"])
    last = frame.sort_values("T", na_position="first").groupby("series")["mean"].last()
    at = apart([float(last[name]) for name in names], low, high)
    marks = []
    for name, y in zip(names, at, strict=True):
        mark = alt.Chart(rows_csv({"at": [y]})).mark_text(
            align="left",
            baseline="middle",
            dx=6,
            text=alt.ExprRef(f"ends ? {theme.AT_END.get(name, name)!r} : ''"),
            color=theme.LIGHT[theme.SERIES[name][0]],
        )
        where = alt.Y("at:Q", title=title, scale=scale)
        marks.append(mark.encode(x=alt.value("width"), y=where))
    return marks


def apart(values: Sequence[float], low: float, high: float) -> list[float]:
    """Where labels stand that belong at ``values`` on an axis: near them, none on another."""
    gap = (high - low) * LINE / PLOT
    order = sorted(range(len(values)), key=lambda k: values[k])
    placed = [min(max(values[k], low), high) for k in order]
    for k in range(1, len(placed)):
        placed[k] = max(placed[k], placed[k - 1] + gap)
    if placed and placed[-1] > high:
        placed[-1] = high
        for k in range(len(placed) - 2, -1, -1):
            placed[k] = min(placed[k], placed[k + 1] - gap)
    found = [0.0] * len(values)
    for k, y in zip(order, placed, strict=True):
        found[k] = y
    return found


def nice_ends(low: float, high: float) -> tuple[float, float]:
    """Where Vega ends an axis that holds both: on a tick, of about ten (d3's ``nice``)."""
    before = 0.0
    for _ in range(10):
        step = (high - low) / 10
        power = float(10 ** np.floor(np.log10(step)))
        error = step / power
        step = power * (
            10 if error >= 50**0.5 else 5 if error >= 10**0.5 else 2 if error >= 2**0.5 else 1
        )
        if step == before:
            break
        low, high = float(np.floor(low / step) * step), float(np.ceil(high / step) * step)
        before = step
    return low, high


def _single_runs(
    seeds: pd.DataFrame, x: alt.X, y: alt.Y, ends: tuple[float, float], digits: int
) -> list[Any]:
    """Rings for sound runs, a cross with its value for a collapsed one."""
    rows = pd.DataFrame(
        {
            "series": seeds["series"],
            "T": seeds["T"],
            "value": seeds["value"],
            "at": seeds["value"].clip(*ends),
            "run": np.where(seeds["collapsed"], "collapsed", "other seed"),
            "label": [f"collapsed: {value:.3g}" for value in seeds["value"]],
        }
    )
    base = alt.Chart(rows_csv(rows)).encode(
        x=x, y=y, tooltip=tooltip("series:N", "run:N", T="d", value=f".{digits}f")
    )
    low = base.transform_filter("datum.run == 'collapsed'")
    color = theme.LIGHT["mark"]
    return [
        base.transform_filter("datum.run != 'collapsed'").mark_point(
            size=18, strokeWidth=1, color=theme.LIGHT["muted"]
        ),
        low.mark_point(shape="M-1,-1L1,1M1,-1L-1,1", size=40, strokeWidth=2, color=color),
        low.mark_text(align="right", dx=-6, dy=-6, color=color).encode(text="label:N"),
    ]
