"""Where the report's numbers lie on its tracks and curves; ``static/report.html`` draws them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from kdfair_audit.frames import Rows


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
    def around_zero(cls, values: Iterable[float], step: float = 0.05) -> Scale:
        """A scale with 0 in its middle."""
        reach = max([abs(value) for value in values if not math.isnan(value)], default=step)
        reach = min(1.0, math.ceil(reach / step) * step) or step
        return cls(-reach, reach)

    @property
    def marks(self) -> list[str]:
        """What stands at its ends, and at 0 where that is its middle."""
        if self.low < 0:
            reach = f"{100 * self.high:g}"
            return [f"−{reach}", "0", f"+{reach}"]
        return [f"{100 * end:g}%" for end in (self.low, self.high)]

    def at(self, value: float) -> float:
        """Position in percent, kept on the scale."""
        return 100 * min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    def place(self, value: float) -> str:
        """Position in percent, as CSS has it."""
        return f"{self.at(value):.2f}"

    def width(self, low: float, high: float) -> str:
        """What lies between two values in percent, as CSS has it."""
        return f"{self.at(high) - self.at(low):.2f}"


@dataclass(frozen=True)
class Mark:
    """One model's point and interval, and what was measured where the point is corrected."""

    role: str
    value: float
    low: float
    high: float
    small: bool = False
    measured: float = math.nan


@dataclass(frozen=True)
class Curve:
    """A student over the list of temperatures, and other models as level lines: 320 by 150.

    ``rows`` have temperature, value, low and high, and perhaps measured: the value before it was
    corrected. ``others`` is role -> value.
    """

    rows: Rows
    others: dict[str, float]

    @cached_property
    def scale(self) -> Scale:
        """Of all that is drawn."""
        ends = ("value", "low", "high", "measured")
        values = [row[end] for row in self.rows for end in ends if end in row]
        return Scale.over([*values, *self.others.values()], 0.01, -1, 1)

    @property
    def known(self) -> Rows:
        """The rows with a value."""
        return [row for row in self.rows if not math.isnan(row["value"])]

    @property
    def banded(self) -> bool:
        """Whether all of them have an interval."""
        return not any(math.isnan(row["low"]) for row in self.known)

    @property
    def every(self) -> int:
        """Which temperatures are written below it: all, or every second of many, and so on."""
        return max(1, math.ceil(len(self.rows) / 12))

    def x(self, i: int, by: float = 0) -> str:
        """Where the i-th temperature lies, moved by so much."""
        n = len(self.rows)
        return f"{42 + 268 * (i / (n - 1) if n > 1 else 0.5) + by:.1f}"

    def y(self, value: float, by: float = 0) -> str:
        """Where a value lies, moved by so much."""
        return f"{126 - 118 * self.scale.at(value) / 100 + by:.1f}"
