"""How an answer is checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

CHECKS: dict[str, Callable[[Any], None]] = {}


class NotYet(AssertionError):
    """An answer that is not right yet, and what is wrong with it."""

    def _render_traceback_(self) -> list[str]:
        """What IPython prints: the sentence alone."""
        return [f"✗ {self}"]


def question(number: str) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Register what checks a question: a function of the answer that raises :class:`NotYet`."""

    def register(check_answer: Callable[[Any], None]) -> Callable[[Any], None]:
        CHECKS[number] = check_answer
        return check_answer

    return register


def questions(lab: int | None = None) -> list[str]:
    """The numbers of all questions, or of one lab's."""
    return [number for number in CHECKS if lab is None or number.startswith(f"{lab}.")]


def check(number: str, answer: Any) -> None:
    """Check an answer to a question of the labs.

    Parameters
    ----------
    number : str
        As written above the exercise, such as "1.2".
    answer : function or value
        What the exercise asks for.

    Raises
    ------
    NotYet
        With a sentence about what is not right yet.
    ValueError
        If there is no such question.
    """
    if number not in CHECKS:
        raise ValueError(f"there is no question {number!r}; expected one of {', '.join(CHECKS)}")
    if missing(answer):
        raise NotYet(f"{number}: there is no answer yet.")
    try:
        CHECKS[number](answer)
    except NotYet as why:
        raise NotYet(f"{number}: {why}") from None
    except Exception as error:
        raise NotYet(
            f"{number}: your answer could not be checked; it led to {type(error).__name__}: {error}"
        ) from error
    print(f"✓ {number}")


def need(condition: Any, message: str) -> None:
    """Raise :class:`NotYet` with the message unless the condition holds."""
    if not condition:
        raise NotYet(message)


def missing(value: Any) -> bool:
    """Whether a value is a placeholder, or holds one."""
    if isinstance(value, dict):
        return any(missing(v) for v in value.values())
    if isinstance(value, list | tuple):
        return any(missing(v) for v in value)
    return value is None or value is Ellipsis


def call(function: Any, *arguments: Any, **named: Any) -> Any:
    """What the answer's function returns; a placeholder is not yet an answer."""
    need(callable(function), "expected a function: give its name, without parentheses.")
    returned = function(*arguments, **named)
    need(not missing(returned), "your function returns nothing yet.")
    return returned


def array(function: Any, *arguments: Any, shape: tuple[int, ...] | None = None) -> NDArray[Any]:
    """:func:`call`, as an array of floats of the given shape."""
    values = np.asarray(call(function, *arguments), dtype=float)
    if shape is not None:
        need(
            values.shape == shape,
            f"the result has shape {values.shape}; expected {shape}.",
        )
    return values


def number_of(answer: Any) -> float:
    """An answer that should be one number."""
    values = np.asarray(answer, dtype=float)
    need(values.size == 1, f"expected one number; got {values.size}.")
    return float(values.reshape(()))


def close(answer: Any, expected: Any, message: str, *, within: float = 1e-6) -> None:
    """Raise :class:`NotYet` unless two numbers or arrays agree; NaN agrees with NaN alone."""
    answer, expected = np.asarray(answer, dtype=float), np.asarray(expected, dtype=float)
    same = answer.shape == expected.shape and np.allclose(
        answer, expected, rtol=0, atol=within, equal_nan=True
    )
    need(same, message)
