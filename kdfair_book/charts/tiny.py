"""Charts of a few intervals, small enough to stand in a sentence's place."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

from kdfair_book.charts import theme

WIDTH, ROW, LABEL, TOP, BOTTOM = 300, 19, 128, 4, 32


@dataclass(frozen=True)
class Interval:
    """A value with its interval, in the unit of the chart."""

    label: str
    value: float
    low: float
    high: float


def round_ticks(low: float, high: float) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten between both ends: two to five of them."""
    step = 10.0 ** math.floor(math.log10(high - low))
    step *= next(k for k in (0.2, 0.5, 1, 2) if (high - low) / (k * step) < 5)
    return [k * step + 0.0 for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def intervals_svg(rows: list[Interval], *, unit: str, says: str) -> str:
    """A row an interval, with the line of no difference.

    Parameters
    ----------
    rows : list of Interval
    unit : str
        Title of the axis.
    says : str
        Text alternative: what the chart shows.
    """
    low = min(0.0, *(row.low for row in rows))
    high = max(0.0, *(row.high for row in rows))
    span = (high - low) or 1.0
    left, right = LABEL + 6, WIDTH - 8

    def x(value: float) -> float:
        return left + (right - left) * (value - low) / span

    ink, muted, ds, grid = (theme.LIGHT[name] for name in ("ink", "muted", "ds", "grid"))
    bottom = TOP + ROW * len(rows)
    marks = [
        f'<line x1="{x(0):.1f}" x2="{x(0):.1f}" y1="{TOP}" y2="{bottom}" stroke="{muted}"/>',
    ]
    for k, row in enumerate(rows):
        y = TOP + ROW * (k + 0.5)
        hollow = row.low <= 0 <= row.high  # chance alone explains it
        fill = theme.LIGHT["surface"] if hollow else ds
        marks.append(
            f'<text x="{LABEL}" y="{y + 4:.1f}" text-anchor="end" fill="{ink}">'
            f"{escape(row.label)}</text>"
            f'<line x1="{x(row.low):.1f}" x2="{x(row.high):.1f}" y1="{y:.1f}" y2="{y:.1f}" '
            f'stroke="{ds}" stroke-width="2"/>'
            f'<circle cx="{x(row.value):.1f}" cy="{y:.1f}" r="4" fill="{fill}" stroke="{ds}" '
            'stroke-width="2"/>'
        )
    for tick in round_ticks(low, high):
        label = f"{tick:g}".replace("-", "\u2212")
        marks.append(
            f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{bottom}" y2="{bottom + 3}" '
            f'stroke="{muted}"/>'
            f'<text x="{x(tick):.1f}" y="{bottom + 13}" text-anchor="middle" fill="{muted}">'
            f"{label}</text>"
        )
    marks.append(
        f'<line x1="{left}" x2="{right}" y1="{bottom}" y2="{bottom}" stroke="{grid}"/>'
        f'<text x="{right}" y="{bottom + 27}" text-anchor="end" fill="{muted}">'
        f"{escape(unit)}</text>"
    )
    listed = "; ".join(
        f"{row.label} {row.value:.1f}, 95 % interval {row.low:.1f} to {row.high:.1f}"
        for row in rows
    )
    svg = (
        f'<svg class="kd-tiny" role="img" aria-label="{escape(f"{says} {unit}: {listed}.")}" '
        f'viewBox="0 0 {WIDTH} {bottom + BOTTOM}" xmlns="http://www.w3.org/2000/svg" '
        f'font-family="{escape(theme.FONT)}" font-size="11">{"".join(marks)}</svg>'
    )
    return theme.themed(svg)
