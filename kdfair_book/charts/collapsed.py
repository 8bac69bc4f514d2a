"""Trainings that collapsed, drawn and named wherever a mean over seeds would hide them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pandas as pd

from kdfair_book.evidence import collapse
from kdfair_core.results import Results

from .figure import Figure

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
KEYS = ["alpha", "soft_scale", "temperature", "seed"]


def in_words(n: int) -> str:
    """A small number as a word."""
    return NUMBERS[n] if n < len(NUMBERS) else str(n)


def collapsed_runs(results: Results, alpha: float, scales: Iterable[str]) -> pd.DataFrame:
    """All distilled students at the temperatures at which the training of one collapsed.

    Returns
    -------
    DataFrame
        Columns alpha, soft_scale, temperature, seed and collapsed (bool); a row a run.
    """
    runs = results.runs
    ds = (runs["role"] == "ds") & (runs["alpha"] == alpha) & runs["soft_scale"].isin(list(scales))
    found = []
    for _, same in runs[ds].groupby(["soft_scale", "temperature"]):
        low = collapse.collapsed(same["accuracy"])
        if low.any():
            found.append(same[KEYS].assign(collapsed=low))
    return pd.concat(found) if found else pd.DataFrame(columns=[*KEYS, "collapsed"])


def seeds_beside(runs: pd.DataFrame, frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """What each of :func:`collapsed_runs` has in ``column`` of a frame with a row a run.

    Returns
    -------
    DataFrame
        Columns soft_scale, T, value, collapsed.
    """
    joined = runs.merge(frame[[*KEYS, column]], on=KEYS)
    joined = joined.rename(columns={"temperature": "T", column: "value"})
    return joined[["soft_scale", "T", "value", "collapsed"]]


def noted(figure: Figure, runs: pd.DataFrame) -> Figure:
    """The figure, whose readout names the collapsed trainings at their temperatures."""
    if runs.empty or isinstance(figure.readout, str):
        return figure
    readout: dict[Any, str] = dict(figure.readout)
    for t, same in runs.groupby("temperature"):
        if t in readout:
            low, n = in_words(int(same["collapsed"].sum())), in_words(len(same))
            readout[t] += (
                f" The training of {low} of {n} seeds collapsed here: the mean mixes two kinds of "
                "student."
            )
    return replace(figure, readout=readout)


def caption(runs: pd.DataFrame) -> str:
    """What the marks of :func:`seeds_beside` are, for a caption; "" without them."""
    if runs.empty:
        return ""
    told = [
        f"at T = {t:g} the training of {in_words(int(same['collapsed'].sum()))} of "
        f"{in_words(len(same))} seeds collapsed"
        for t, same in runs.groupby("temperature")
    ]
    said = ", ".join(told)
    return f"{said[0].upper()}{said[1:]} (cross; rings: the other seeds). "
