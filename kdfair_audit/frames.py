"""Rows of the report's frames, as what shows them needs them."""

from __future__ import annotations

from typing import Any

import pandas as pd

Rows = list[dict[str, Any]]


def records(frame: pd.DataFrame) -> Rows:
    """The rows of a frame."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def at_temperature(frame: pd.DataFrame, temperature: float) -> pd.DataFrame:
    """The rows of one temperature, and those of models that have none."""
    if "temperature" not in frame:
        return frame
    here = frame["temperature"]
    return frame[here.isna() | (here == temperature)]


def rows_at(frame: pd.DataFrame, temperature: float) -> Rows:
    """:func:`at_temperature`, as rows."""
    return records(at_temperature(frame, temperature))
