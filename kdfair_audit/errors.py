"""What is said when an audit cannot be made."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class AuditError(ValueError):
    """The input or a request cannot be audited; the message is one clear sentence."""


def nearest(name: str, choices: Iterable[str], shown: int = 8) -> str:
    """The part of a message that helps: names close to a wrong one, or those there are."""
    choices = [str(choice) for choice in choices]
    close = difflib.get_close_matches(name, choices, n=3, cutoff=0.6)
    lowered = {choice.lower(): choice for choice in choices}
    if name.lower() in lowered and lowered[name.lower()] not in close:
        close.insert(0, lowered[name.lower()])
    if close:
        return "did you mean " + " or ".join(quoted(choice) for choice in close) + "?"
    return "there are: " + listed(choices, shown) if choices else "there are none"


def quoted(value: object, width: int = 60) -> str:
    """A value as a message shows it: one line, control characters escaped, not too long."""
    text = repr(value)
    return text if len(text) <= width else text[: width - 1] + "…"


def listed(values: Iterable[object], shown: int = 5) -> str:
    """The first few values, and how many more there are."""
    values = list(values)
    more = f" and {len(values) - shown:,} more" if len(values) > shown else ""
    return ", ".join(quoted(value) for value in values[:shown]) + more


@contextmanager
def said(name: str) -> Iterator[None]:
    """Turn whatever goes wrong into one sentence."""
    try:
        yield
    except AuditError:
        raise
    except Exception as error:  # engines and file systems raise errors of their own
        reason = " ".join(str(error).split())
        codec = getattr(error, "encoding", "")
        if "invalid unicode" in reason.lower() or "utf-8 encoded" in reason or codec == "utf-8":
            raise AuditError(
                f"{name} is not in UTF-8; give its encoding, for example --encoding latin-1"
            ) from error
        if type(error).__name__ in ("OperationNotDefinedError", "UnsupportedOperationError"):
            raise AuditError(f"the engine of {name} cannot do what an audit asks: {reason}") from (
                error
            )
        reason = reason[:300] or type(error).__name__
        raise AuditError(f"cannot read {name}: {reason}") from error
