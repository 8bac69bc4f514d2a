"""What was found of the losses, in sentences."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from kdfair_book.charts.collapsed import in_words
from kdfair_book.evidence.benchmarks import FOLDER
from kdfair_book.evidence.losses import fallen
from kdfair_book.pages.text import Text, at, listed, spelled_out, table
from kdfair_core.results import Results


def losses_found(found: Mapping[str, Results], changes: pd.DataFrame) -> Text:
    """What a rise of temperature changes under each loss, and whether the losses agree.

    Parameters
    ----------
    found : mapping of str to Results
        Name of the loss -> its runs.
    changes : DataFrame
        From :func:`kdfair_book.evidence.losses.temperature_effects`.
    """
    low, high = changes.attrs["low"], changes.attrs["high"]
    said, lost = [], []
    for name, results in found.items():
        rows = changes[changes["loss"] == name]
        said.append(_changes(name, rows) if len(rows) else f"{name} is left out")
        if there := fallen(results):
            lost.append(f"under {name} at {at(there)}")
    text = (
        f"**What we found.** From T = {low:g} to T = {high:g}: {'; '.join(said)}. {_agree(changes)}"
    )
    if lost:
        text += f" **Collapsed or diverged students**: {listed(lost)}."
    return Text(spelled_out(text))


def losses_table(changes: pd.DataFrame) -> Text:
    """Every change behind :func:`losses_found`, in points, with its 95 % interval."""
    low, high = changes.attrs["low"], changes.attrs["high"]
    rows = [
        {
            "loss": row["loss"],
            "measure": _measure(row),
            f"T = {high:g} less T = {low:g} (points)": f"{100 * row['change']:+.1f}",
            "95 % interval": f"{100 * row['low']:+.1f} to {100 * row['high']:+.1f}",
        }
        for row in changes.to_dict("records")
    ]
    return table(pd.DataFrame(rows))


def _measure(row: Mapping[Any, Any]) -> str:
    if not row["attribute"]:
        return "accuracy"
    return f"{str(row['metric']).upper()} by {str(row['attribute']).replace('_', ' ')}"


def _changes(name: str, rows: pd.DataFrame) -> str:
    sure = rows[(rows["low"] > 0) | (rows["high"] < 0)]
    if sure.empty:
        return f"under {name} nothing changes by more than chance explains"
    told = (
        f"{_measure(row)} changes by {100 * row['change']:+.1f} points "
        f"({100 * row['low']:+.1f} to {100 * row['high']:+.1f})"
        for row in sure.to_dict("records")
    )
    return f"under {name} {listed(told)}".replace("-", "\u2212")


def _agree(frame: pd.DataFrame) -> str:
    """For how many measures the losses' intervals exclude each other."""
    apart, total = [], 0
    for _, rows in frame.groupby(["metric", "attribute"], sort=False):
        if len(rows) < 2:
            continue
        total += 1
        if rows["low"].max() > rows["high"].min():
            apart.append(_measure(rows.to_dict("records")[0]))
    if not total:
        return "There is nothing to compare."
    if not apart:
        return (
            f"**The intervals of the losses overlap for all {in_words(total)} measures**: that "
            "temperature does something else under another loss is not shown."
        )
    return (
        f"**What temperature does depends on the loss**: for {listed(apart)} the intervals of two "
        f"losses exclude each other ({in_words(len(apart))} of {in_words(total)} measures). Each "
        "interval is at 95 % by itself."
    )


def rate_found() -> Text:
    """At which learning rate decoupled distillation was run, and what the trial showed."""
    rows = json.loads((FOLDER / "decoupled_rate.json").read_text())["rows"]
    sound = [row["lr"] for row in rows if row["no_collapse"]]
    first = rows[0]
    at_first = listed(
        f"{value:.1f} % {'at ' * (where != 'alone')}{where.replace('=', ' = ')}"
        for where, value in first["accuracy"].items()
    )
    said = (
        f"**The learning rate of decoupled distillation.** Its second weight multiplies the "
        f"gradient by eight. At the rate of the other two losses, {first['lr']:g}, students "
        f"collapsed in a trial on a seed that is not shown here (accuracy {at_first})"
    )
    if not sound:
        return Text(f"{said}, and at every rate down to {rows[-1]['lr']:g} that was tried.")
    return Text(
        f"{said}. Its students here learn at {max(sound):g}, the largest of {in_words(len(rows))} "
        "rates at which none did; by accuracy alone, before any fairness number was computed."
    )
