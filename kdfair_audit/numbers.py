"""Numbers as the report writes them."""

from __future__ import annotations

import math
from typing import Any

ROLE_NAMES = {"teacher": "teacher", "baseline": "baseline", "distilled": "distilled student"}
METRIC_NAMES = {"dpd": "demographic parity difference", "eod": "equalized odds difference"}
RATE_NAMES = {
    "accuracy": "accuracy",
    "selection_rate": "selection rate",
    "tpr": "true positive rate",
    "fpr": "false positive rate",
}


def printable(text: object) -> str:
    """Text without control signs, line ends and signs that turn the direction of writing."""
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in str(text))


def percent(value: float, digits: int = 1) -> str:
    """``0.912`` as ``91.2%``."""
    return "undefined" if _nothing(value) else f"{100 * value:.{digits}f}%"


def points(value: float) -> str:
    """``-0.04`` as ``−4.0``: a difference in percentage points, with its sign."""
    if _nothing(value):
        return "undefined"
    text = f"{100 * value:+.1f}"
    return "0.0" if float(text) == 0 else text.replace("-", "−")


def plain_points(value: float) -> str:
    """``0.04`` as ``4.0``: percentage points of a size."""
    return "undefined" if _nothing(value) else f"{100 * value:.1f}"


def span(low: float, high: float, kind: str = "percent") -> str:
    """An interval in the same style."""
    if _nothing(low) or _nothing(high):
        return "no interval"
    if kind == "points":
        return f"{points(low)} to {points(high)}"
    return f"{100 * low:.1f} to {100 * high:.1f}"


def p_value(value: float) -> str:
    """A p-value to two digits."""
    if _nothing(value):
        return "–"
    return "<0.001" if value < 0.001 else f"{value:.2g}" if value < 0.1 else f"{value:.2f}"


def temperature(value: Any) -> str:
    """`` (T = 4)`` where there is a temperature."""
    return "" if _nothing(value) else f" (T = {value:g})"


def name_list(names: list[str], shown: int = 4) -> str:
    """Names in quotation marks, and how many more there are."""
    text = ", ".join(f"“{name}”" for name in names[:shown])
    return text + (f" and {len(names) - shown} more" if len(names) > shown else "")


def count(n: int, one: str, many: str | None = None) -> str:
    """``3 groups``, ``1 group``, ``no groups``."""
    word = one if n == 1 else (many or one + "s")
    return f"{n:,} {word}" if n else f"no {word}"


def _nothing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
