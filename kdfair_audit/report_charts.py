"""The report's charts: marks on a line, small multiples, and lines over temperature.

Plain HTML and SVG. Every text that comes from the data goes through :func:`text`.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from kdfair_audit.frames import Rows, records
from kdfair_audit.numbers import ROLE_NAMES, printable

ROLES = ("teacher", "baseline", "distilled")


def text(value: object) -> str:
    """Text from the data, safe in an element and in an attribute; control signs made visible."""
    return html.escape(printable(value), quote=True)


@dataclass(frozen=True)
class Scale:
    """A stretch of numbers and where each lies on it, in percent."""

    low: float
    high: float

    @classmethod
    def over(
        cls, values: Iterable[float], step: float, least: float, most: float, *, zero: bool = False
    ) -> Scale:
        """A scale that holds all values (and 0), with ends on multiples of ``step``."""
        known = [value for value in values if not math.isnan(value)] + [0.0] * zero
        low = max(least, math.floor(min(known, default=least) / step) * step)
        high = min(most, math.ceil(max(known, default=most) / step) * step)
        return cls(low, high if high > low else low + step)

    @classmethod
    def around_zero(cls, values: Iterable[float], step: float) -> Scale:
        """A scale with 0 in its middle."""
        reach = max([abs(value) for value in values if not math.isnan(value)], default=step)
        reach = min(1.0, math.ceil(reach / step) * step) or step
        return cls(-reach, reach)

    def ends(self) -> str:
        """Both ends, as the head of a column of tracks."""
        if self.low < 0:
            reach = f"{100 * self.high:g}"
            marks = [f"−{reach}", "0", f"+{reach}"]
        else:
            marks = [f"{100 * end:g}%" for end in (self.low, self.high)]
        return f'<span class="ka-ends">{"".join(f"<span>{mark}</span>" for mark in marks)}</span>'

    def at(self, value: float) -> float:
        """Position in percent, kept on the scale."""
        return 100 * min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))


@dataclass(frozen=True)
class Mark:
    """One model's point and interval, and what was measured where the point is corrected."""

    role: str
    value: float
    low: float
    high: float
    small: bool = False
    measured: float = math.nan


def track(marks: Sequence[Mark], scale: Scale, *, lines: Sequence[tuple[str, float]] = ()) -> str:
    """Points with intervals on a line, one lane each; ``lines`` are upright: (class, value)."""
    parts = [
        f'<i class="ka-{kind}" style="left:{scale.at(value):.2f}%"></i>'
        for kind, value in lines
        if not math.isnan(value)
    ]
    for lane, mark in enumerate(marks):
        if math.isnan(mark.value):
            continue
        top = f"top:{100 * (lane + 0.5) / len(marks):.0f}%"
        kind = f"ka-{mark.role}" + (" ka-faint" if mark.small else "")
        if not math.isnan(mark.low):
            left, end = scale.at(mark.low), scale.at(mark.high)
            parts.append(
                f'<i class="ka-line {kind}" style="{top};left:{left:.2f}%;'
                f'width:{end - left:.2f}%"></i>'
            )
        left = scale.at(mark.value)
        if not math.isnan(mark.measured):
            raw = scale.at(mark.measured)
            parts.append(f'<i class="ka-measured {kind}" style="{top};left:{raw:.2f}%"></i>')
        parts.append(f'<i class="ka-point {kind}" style="{top};left:{left:.2f}%"></i>')
    lanes = f" ka-{len(marks)}" if len(marks) > 1 else ""
    return f'<span class="ka-track{lanes}" aria-hidden="true">{"".join(parts)}</span>'


def key(roles: Sequence[str], extra: Sequence[tuple[str, str]] = ()) -> str:
    """What the marks stand for."""
    items = [
        f'<span><i class="ka-point ka-{role}"></i>{ROLE_NAMES[role]}</span>'
        for role in ROLES
        if role in roles
    ]
    items += [f'<span><i class="ka-{kind}"></i>{text(what)}</span>' for kind, what in extra]
    return f'<p class="ka-key">{"".join(items)}</p>'


def plot(title: str, rows: Sequence[tuple[str, int, list[Mark]]], scale: Scale) -> str:
    """Small multiple: a row a group, a lane a model."""
    lines = "".join(
        f'<div class="ka-row"><span>{text(name)} <small>{n:,}</small></span>{track(marks, scale)}'
        "</div>"
        for name, n, marks in rows
    )
    ends = f"<span>{100 * scale.low:.0f}%</span><span>{100 * scale.high:.0f}%</span>"
    return (
        f'<div class="ka-plot"><h4 class="ka-plot-title">{text(title)}</h4>{lines}'
        f'<div class="ka-scale" aria-hidden="true"><span></span><span>{ends}</span></div></div>'
    )


def over_temperature(title: str, student: pd.DataFrame, others: dict[str, float], now: int) -> str:
    """A line over the list of temperatures, the other models as level lines.

    ``student`` has temperature, value, low and high, and perhaps measured: the value before it
    was corrected, a small mark; ``others`` is role -> value.
    """
    shown = student[student.columns.intersection(["value", "low", "high", "measured"])]
    values = [*shown.to_numpy().ravel(), *others.values()]
    scale = Scale.over(values, 0.01, -1, 1)
    width, height, left, right, top, bottom = 320, 150, 42, 10, 8, 24
    n = len(student)

    def x(i: int) -> float:
        return left + (width - left - right) * (i / (n - 1) if n > 1 else 0.5)

    def y(value: float) -> float:
        return height - bottom - (height - top - bottom) * scale.at(value) / 100

    parts = []
    for end in (scale.low, scale.high):
        parts.append(
            f'<path class="ka-axis" d="M{left} {y(end):.1f}H{width - right}"/>'
            f'<text x="{left - 6}" y="{y(end) + 4:.1f}" text-anchor="end">{100 * end:.0f}%</text>'
        )
    known = [(i, row) for i, row in enumerate(records(student)) if not math.isnan(row["value"])]
    if known and not any(math.isnan(row["low"]) for _, row in known):
        upper = [f"{x(i):.1f} {y(row['high']):.1f}" for i, row in known]
        lower = [f"{x(i):.1f} {y(row['low']):.1f}" for i, row in known]
        parts.append(f'<path class="ka-band" d="M{"L".join([*upper, *reversed(lower)])}Z"/>')
    for role, value in others.items():
        if not math.isnan(value):
            parts.append(f'<path class="ka-s-{role}" d="M{left} {y(value):.1f}H{width - right}"/>')
    line = [f"{x(i):.1f} {y(row['value']):.1f}" for i, row in known]
    if line:
        parts.append(f'<path class="ka-s-distilled" d="M{"L".join(line)}"/>')
    for i, row in known:
        here = " ka-now" if i == now else ""
        place = f'cx="{x(i):.1f}" cy="{y(row["value"]):.1f}"'
        if not math.isnan(row.get("measured", math.nan)):
            mark = f"M{x(i) - 5:.1f} {y(row['measured']):.1f}h10"
            parts.append(f'<path class="ka-raw" d="{mark}"/>')
        parts.append(f'<circle class="ka-dot{here}" data-ka-at="{i}" {place} r="3.5"/>')
    every = max(1, math.ceil(n / 12))
    for i, at in enumerate(student["temperature"]):
        if i % every == 0:
            parts.append(
                f'<text x="{x(i):.1f}" y="{height - 6}" text-anchor="middle">{at:g}</text>'
            )
    said = ", ".join(f"T = {row['temperature']:g}: {100 * row['value']:.1f}%" for _, row in known)
    return (
        f'<div class="ka-plot"><h3 class="ka-plot-title">{text(title)}</h3>'
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{text(f"{title}. {said}")}">'
        f"{''.join(parts)}</svg></div>"
    )


def reliability(title: str, rows: Rows) -> str:
    """A reliability diagram: how often what was scored came true, by score."""
    size, left, bottom = 150, 30, 22
    inner = size - left - 6

    def x(value: float) -> float:
        return left + inner * value

    def y(value: float) -> float:
        return size - bottom - inner * value + 6

    parts = [
        f'<path class="ka-axis" d="M{x(0)} {y(1):.1f}V{y(0):.1f}H{x(1)}"/>',
        f'<path class="ka-ideal" d="M{x(0)} {y(0):.1f}L{x(1)} {y(1):.1f}"/>',
        f'<text x="{x(0)}" y="{size - 2}" text-anchor="middle">0</text>'
        f'<text x="{x(1) - 2}" y="{size - 2}" text-anchor="middle">1</text>'
        f'<text x="{left - 5}" y="{y(1) + 8:.1f}" text-anchor="end">1</text>',
    ]
    for row in rows:
        places = (x(row["score"]), y(row["outcome"]), y(row["low"]), y(row["high"]))
        score, outcome, low, high = (f"{place:.1f}" for place in places)
        parts.append(
            f'<path class="ka-error" d="M{score} {low}V{high}"/>'
            f'<circle class="ka-filled" cx="{score}" cy="{outcome}" r="3"/>'
        )
    said = "; ".join(f"{row['score']:.2f}: {row['outcome']:.2f}" for row in rows)
    label = text(f"Reliability for {title}, score: how often it came true. {said}")
    return (
        f'<div class="ka-plot"><h4 class="ka-plot-title">{text(title)}</h4>'
        f'<svg viewBox="0 0 {size} {size}" style="max-width:11rem" role="img" '
        f'aria-label="{label}">{"".join(parts)}</svg></div>'
    )
