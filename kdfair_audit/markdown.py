"""The report as a section of a model card."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import pandas as pd

from kdfair_audit.findings import Findings
from kdfair_audit.frames import at_temperature, records
from kdfair_audit.numbers import ROLE_NAMES, percent, points, printable, span
from kdfair_audit.numbers import temperature as at_text
from kdfair_audit.page import bearing

ROWS = 12  # changed classes of a comparison that are listed


def section(report: Findings, temperature: float | None = None) -> str:
    """Markdown that stands under a card's heading "Evaluation".

    Parameters
    ----------
    report : Findings
    temperature : float, optional
        Only the student of this temperature.
    """
    counts = report.counts

    def frame(name: str) -> pd.DataFrame:
        found = report.frames[name]
        return found if temperature is None else at_temperature(found, temperature)

    parts = [
        "## Fairness after distillation",
        f"Audited on {counts.n:,} examples, by {escape(', '.join(counts.groups))}. "
        f"Intervals are {report.options.level:.0%} intervals.",
    ]
    verdicts = frame("verdict")
    several = len(verdicts) > 5
    for at, rows in verdicts.groupby("temperature", dropna=False, sort=False):
        if several:
            parts.append(f"### T = {at:g}")
        lines = [f"- **{escape(row['heading'])}.** {escape(row['text'])}" for row in records(rows)]
        parts.append("\n".join(lines))
    models = frame("models")
    parts.append(
        _table(
            ["Model", "Runs", "Accuracy", "Interval"],
            (
                [
                    _name(row["role"], row["temperature"]),
                    str(row["n_runs"]),
                    percent(row["accuracy"]),
                    span(row["low"], row["high"]),
                ]
                for row in records(models)
            ),
        )
    )
    parts.append(
        _table(
            ["Groups of", "Metric", "Model", "Value", "Interval", "Floor", "Chance"],
            (
                [
                    row["attribute"],
                    row["metric"].upper(),
                    _name(row["role"], row["temperature"]),
                    percent(row["value"]),
                    span(row["low"], row["high"]),
                    percent(row["floor"]),
                    percent(row["chance"]),
                ]
                for row in records(frame("fairness"))
            ),
        )
    )
    parts.append(_group_table(frame("groups")))
    parts += _class_tables(frame("changed_classes"))
    parts.append("\n".join(f"- {escape(sentence)}" for sentence in bearing(report)))
    return "\n\n".join(parts) + "\n"


def _group_table(frame: pd.DataFrame) -> str:
    """Accuracy of every group, a column a model."""
    rows = frame[frame["metric"] == "accuracy"]
    keys = rows[["role", "temperature"]].drop_duplicates()
    models = [(row["role"], row["temperature"]) for row in records(keys)]
    cells: dict[tuple[str, str], list[str]] = {}
    for row in records(rows):
        line = cells.setdefault(
            (row["attribute"], row["group"]),
            [
                row["attribute"],
                row["group"],
                f"{row['n']:,}{' (too few to judge)' if row['small'] else ''}",
            ],
        )
        line.append(f"{percent(row['value'])} ({span(row['low'], row['high'])})")
    head = ["Groups of", "Group", "Examples", *(_name(*model) for model in models)]
    return _table(head, cells.values())


def _class_tables(frame: pd.DataFrame) -> list[str]:
    """The classes that changed, those that changed most first, and how many are left out."""
    hits = frame[frame["significant"].astype(bool)]
    if hits.empty:
        return []
    lines, left_out = [], 0
    for _, rows in hits.groupby(["against", "temperature"], dropna=False, sort=False):
        rows = rows.sort_values("change", key=lambda change: -change.abs(), kind="stable")
        left_out += max(0, len(rows) - ROWS)
        lines += [
            [
                row["class"],
                row["against"],
                _name("distilled", row["temperature"]),
                f"{row['n']:,}",
                points(row["change"]),
                span(row["low"], row["high"], "points"),
                points(row["relative"]),
            ]
            for row in records(rows.head(ROWS))
        ]
    head = ["Changed class", "Against", "Model", "Examples", "Change", "Interval"]
    more = [f"- {left_out:,} more changed classes are in the JSON report."] if left_out else []
    return [_table([*head, "Relative to overall"], lines), *more]


def escape(text: str) -> str:
    """Text as text: no markup, no line of its own, no cell's end."""
    flat = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]|~$])", r"\\\1", flat)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell if cell == "---" else escape(cell) for cell in line) + " |"
        for line in lines
    )


def _name(role: str, at: float) -> str:
    return ROLE_NAMES[role] + at_text(at)
