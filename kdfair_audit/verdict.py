"""The verdict: five lines in plain words, each with its number and its interval."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from kdfair_audit.changes import WELCH
from kdfair_audit.counts import Counts
from kdfair_audit.frames import at_temperature, records
from kdfair_audit.numbers import count, percent, plain_points, points, span, temperature
from kdfair_audit.rates import Options, tables_of
from kdfair_audit.roles import comparisons

Frames = dict[str, pd.DataFrame]

COLUMNS = ["temperature", "line", "heading", "text", "value", "low", "high", "shown"]


def verdict_frame(frames: Frames, counts: Counts, options: Options) -> pd.DataFrame:
    """A row a temperature and line, from the other frames and the counts behind them.

    Columns: temperature, line (1 to 5), heading, text, value with low and high (the number that
    the line is about), shown (whether the data shows a change, or a gap).
    """
    rows: list[dict[str, Any]] = []
    students = frames["models"].query("role == 'distilled'")
    for at in students["temperature"]:
        now = {name: at_temperature(frame, at) for name, frame in frames.items()}
        lines = [
            _accuracy(now, options),
            _moves(now, counts, "class"),
            _moves(now, counts, "group"),
            _fairness(now, options),
            _worst(now),
        ]
        rows += [{"temperature": at, "line": i + 1, **line} for i, line in enumerate(lines)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _accuracy(now: Frames, options: Options) -> dict[str, Any]:
    student = now["models"].query("role == 'distilled'").iloc[0]
    runs = f", mean of {int(student['n_runs'])} seeds" if student["n_runs"] > 1 else ""
    text = (
        f"The distilled student{temperature(student['temperature'])} is right on "
        f"{percent(student['accuracy'])} of {int(student['n']):,} examples "
        f"({options.level:.0%} interval {span(student['low'], student['high'])}{runs})"
    )
    changes = now["changes"]
    for row in records(changes):
        text += f"; {_change_of(row)} against the {row['against']}"
    moved = changes[_excludes_zero(changes)]
    return _line("Accuracy", text, student["accuracy"], student, bool(len(moved)))


def _moves(now: Frames, counts: Counts, what: str) -> dict[str, Any]:
    """How many classes, or groups, changed, and which most."""
    heading, frame, many = {
        "class": ("Classes", "changed_classes", "classes"),
        "group": ("For whom", "changed_groups", "groups"),
    }[what]
    changed = now[frame]
    if changed.empty:
        text = "There is neither a teacher nor a baseline to compare the distilled student with"
        return _line(heading, text)
    parts = []
    for against, rows in changed.groupby("against", sort=False):
        judged = rows[~rows["small"]]
        hits = judged[judged["significant"]]
        if judged.empty:
            parts.append(f"Against the {against}, no {what} has enough examples to be judged")
            continue
        by = "relative" if what == "class" and rows["test"].iloc[0] == WELCH else "change"
        counted = f"{len(hits)} of {count(len(judged), what, many)}"
        part = f"{counted} changed" if what == "class" else f"accuracy changed for {counted}"
        part += " relative to the rest" if by == "relative" else ""
        best = _largest(hits if len(hits) else judged, by)
        if best is not None:
            chance = f"; the largest move, which chance can explain among {len(judged)}, is"
            part += ", most of all" if len(hits) else chance
            if what == "class":
                part += f" “{best['class']}” ({_change(best)})"
                part += _taken_for(best, counts) if len(hits) else ""
            else:
                part += f" {_who(best)}: {_change_of(best)}"
        part += _shared_by_all(now, against) if len(hits) and by == "change" else ""
        parts.append(f"Against the {against}, {part}")
    first = changed[changed["against"] == changed["against"].iloc[0]]
    if what == "group":
        first = first[~first["small"]]
    best = _largest(first[first["significant"]] if first["significant"].any() else first, "change")
    value = np.nan if best is None else best["change"]
    return _line(heading, ". ".join(parts), value, best, bool(changed["significant"].any()))


def _fairness(now: Frames, options: Options) -> dict[str, Any]:
    rows = now["fairness"].query("role == 'distilled' and metric == 'eod'")
    rows = rows[rows["judged"].notna()]
    if rows.empty:
        text = "Equalized odds cannot be judged: fewer than two groups are large enough, or lack "
        return _line("Equalized odds", text + "examples of a class")
    best = rows.sort_values(["judged_low", "judged"], ascending=False).iloc[0].to_dict()
    text = (
        f"Between groups of “{best['attribute']}”, true or false positive rates of the distilled "
        f"student differ by {plain_points(best['judged'])} points (EOD). Chance alone would show "
        f"{plain_points(best['judged_chance'])} points between groups with equal rates; the "
        f"{options.level:.0%} interval of the true difference, without chance's share, is "
        f"{span(best['judged_low'], best['judged_high'])} points"
    )
    changes = now["fairness_changes"]
    changes = changes[(changes["attribute"] == best["attribute"]) & (changes["metric"] == "eod")]
    moves = [f"{_change_of(row)} against the {row['against']}" for row in records(changes)]
    text += f". EOD changed by {', by '.join(moves)}" if moves else ""
    ends = {"low": best["judged_low"], "high": best["judged_high"]}
    return _line("Equalized odds", text, best["judged"], ends, bool(best["judged_low"] > 0))


def _worst(now: Frames) -> dict[str, Any]:
    rows = now["worst"]
    rows = rows[rows["role"] == "distilled"] if len(rows) else rows
    if rows.empty:
        return _line("Worst group", "No two groups are large enough to be compared")
    row = rows.sort_values(["clear", "accuracy"], ascending=[False, True]).iloc[0].to_dict()
    text = (
        f"The distilled student serves {_who(row)} worst: right on {percent(row['accuracy'])} "
        f"({span(row['low'], row['high'])}), {points(row['gap'])} points "
        f"({span(row['gap_low'], row['gap_high'], 'points')}) against everyone else"
    )
    if not row["clear"]:
        text += "; a gap that chance can explain"
    return _line("Worst group", text, row["accuracy"], row, bool(row["clear"]))


def _line(
    heading: str, text: str, value: float = np.nan, ends: Any = None, shown: bool = False
) -> dict[str, Any]:
    low, high = (np.nan, np.nan) if ends is None else (ends["low"], ends["high"])
    line = {"heading": heading, "text": text + ".", "value": value, "low": low, "high": high}
    return line | {"shown": shown}


def _change(row: Any) -> str:
    return f"{points(row['change'])} points, {span(row['low'], row['high'], 'points')}"


def _change_of(row: Any) -> str:
    return f"{points(row['change'])} points ({span(row['low'], row['high'], 'points')})"


def _shared_by_all(now: Frames, against: object) -> str:
    """What a reader has to know of a count of changes where all examples together changed too."""
    overall = now["changes"][now["changes"]["against"] == against]
    if not _excludes_zero(overall).any():
        return ""
    change = points(overall["change"].iloc[0])
    return f"; the count does not take out the change of all examples together, {change} points"


def _taken_for(row: Any, counts: Counts) -> str:
    """What a class that lost is called instead: the answer that gained most of its examples."""
    if len(counts.classes) < 3 or not row["change"] < 0:
        return ""
    pair = next(
        (a, b)
        for a, b in comparisons(counts.models)
        if a.role == row["against"] and b.temperature in (None, row["temperature"])
    )
    own = counts.class_names.index(row["class"])
    called = [tables_of(counts, setting)[:, own].mean(axis=0) for setting in pair]
    gained = called[1] - called[0]
    gained[own] = 0
    most = int(gained.argmax())
    share = points(gained[most] / row["n"])
    return f", most often called “{counts.class_names[most]}” instead ({share} points)"


def _largest(rows: pd.DataFrame, by: str) -> dict[str, Any] | None:
    """The row of the largest change; a class counts by its change relative to the rest."""
    known = rows[rows[by].notna()]
    return None if known.empty else records(known)[int(known[by].abs().to_numpy().argmax())]


def _excludes_zero(rows: pd.DataFrame) -> pd.Series:
    return (rows["low"] > 0) | (rows["high"] < 0)


def _who(row: Any) -> str:
    return f"“{row['group']}” ({row['attribute']})"
