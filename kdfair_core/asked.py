"""What is asked for, as numbers of the right kind: the one place that checks seeds and settings.

Python, notebooks, papermill and the command line all come through here, so that one seed is one
seed and 4, 4.0 and ``numpy.float32(4)`` are one temperature. What cannot be raises a ValueError
that names it. Nothing here imports torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from numbers import Integral, Real
from typing import Any

import numpy as np

SOFT_SCALES = ("T2", "none")
LARGEST_SEED = 2**31 - 1


def seeds(values: Any) -> tuple[int, ...]:
    """Whole numbers from 0, each once; one number is a list of one."""
    return _each("seeds", values, _seed, "[0, 1]")


def temperatures(values: Any) -> tuple[float, ...]:
    """Positive finite numbers, each once; one number is a list of one."""
    return _each("temperatures", values, _temperature, "[1, 4, 20]")


def alphas(values: Any) -> tuple[float, ...]:
    """Numbers from 0 to 1, each once; one number is a list of one."""
    return _each("alphas", values, _alpha, "[0.8]")


def soft_scales(values: Any) -> tuple[str, ...]:
    """Names out of "T2" and "none", each once; one name is a list of one."""
    return _each("soft_scales", [values] if isinstance(values, str) else values, _soft_scale, "")


def minutes(value: Any) -> float | None:
    """A time limit: None, or minutes from 0, or ValueError."""
    if value is None:
        return None
    if not _is_number(value) or not 0 <= value < math.inf:
        raise ValueError(f"time_limit is {shown(value)}; expected minutes, such as 30, or None")
    return float(value)


def count(what: str, value: Any, low: int = 1) -> int:
    """A whole number from ``low``, or ValueError that names it."""
    whole = isinstance(value, Integral) or (_is_number(value) and value == np.floor(value))
    if not whole or not _is_number(value) or not low <= value <= LARGEST_SEED:
        raise ValueError(f"{what} is {shown(value)}; expected a whole number from {low}")
    return int(value)


def share(what: str, value: Any) -> float:
    """A number between 0 and 1, both excluded, or ValueError that names it."""
    if not _is_number(value) or not 0 < value < 1:
        raise ValueError(f"{what} is {shown(value)}; expected a number between 0 and 1")
    return float(value)


def choice(what: str, value: Any, choices: Iterable[str]) -> str:
    """One of some names, or ValueError that lists them."""
    choices = list(choices)
    if not isinstance(value, str) or value not in choices:
        listed = ", ".join(choices) or "none"
        raise ValueError(f"unknown {what} {shown(value)}; expected one of {listed}")
    return value


def floats(what: str, values: Any) -> np.ndarray:
    """An array of floats, or ValueError that says what was given."""
    try:
        return np.asarray(values, dtype=float)
    except (TypeError, ValueError, OverflowError):
        kind = getattr(values, "dtype", type(values).__name__)
        raise ValueError(f"{what} holds {kind} values; expected numbers") from None


def number(value: Any) -> int | float:
    """A number in its one form: 4.0 is 4, and a float32 is what it prints as; else ValueError."""
    if not _is_number(value):
        raise ValueError(f"{shown(value)} is not a number")
    if isinstance(value, np.floating):
        value = float(str(value))  # 0.8 for numpy.float32(0.8), not 0.800000011920929
    value = value if isinstance(value, Integral) else float(value)
    return int(value) if math.isfinite(value) and value == int(value) else value


def shown(value: Any) -> str:
    """A value as an error should print it: a NumPy scalar like Python's own."""
    return repr(value.item() if isinstance(value, np.generic) else value)


def _each(what: str, values: Any, check: Callable[[Any], Any], example: str) -> tuple[Any, ...]:
    if isinstance(values, (str, bytes)):
        raise ValueError(
            f"{what} is the text {values!r}; expected numbers: {what}={example} in Python, "
            f'-y "{what}: {example}" for papermill'
        )
    try:
        listed = list(values) if isinstance(values, Iterable) else [values]
    except TypeError:  # an array of no dimensions
        listed = [values[()]]
    return tuple(dict.fromkeys(check(value) for value in listed))


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, (bool, np.bool_))


def _seed(value: Any) -> int:
    whole = isinstance(value, Integral) and _is_number(value)
    if not whole or not 0 <= value <= LARGEST_SEED:
        raise ValueError(f"seed {shown(value)}: expected a whole number from 0 on")
    return int(value)


def _temperature(value: Any) -> float:
    if not _is_number(value) or not 0 < value < math.inf:
        raise ValueError(f"temperature {shown(value)} is not a positive finite number")
    return number(value)


def _alpha(value: Any) -> float:
    if not _is_number(value) or not 0 <= value <= 1:
        raise ValueError(f"alpha {shown(value)} is not a number from 0 to 1")
    return number(value)


def _soft_scale(value: Any) -> str:
    if value not in SOFT_SCALES:
        raise ValueError(
            f"unknown soft_scale {shown(value)}; expected one of {', '.join(SOFT_SCALES)}"
        )
    return value
