"""The report as a section of a model card."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from kdfair_audit.findings import Findings
from kdfair_audit.frames import Rows, at_temperature, records
from kdfair_audit.numbers import ROLE_NAMES, percent, points, printable, span
from kdfair_audit.numbers import temperature as at_text
from kdfair_audit.page import bearing

ROWS = 12  # changed classes of a comparison that are listed


def section(report: Findings, temperature: float | None = None) -> str:
    """Markdown under a card's heading "Evaluation": of all students, or of one temperature's."""
    counts = report.counts

    def rows_of(name: str) -> Rows:
        frame = report.frames[name]
        return records(frame if temperature is None else at_temperature(frame, temperature))

    parts = [
        "## Fairness after distillation",
        f"Audited on {counts.n:,} examples, by {escape(', '.join(counts.groups))}. "
        f"Intervals are {report.options.level:.0%} intervals.",
    ]
    verdict = rows_of("verdict")
    lines = [f"- **{escape(row['heading'])}.** {escape(row['text'])}" for row in verdict]
    for start in range(0, len(verdict), 5):
        if len(verdict) > 5:
            parts.append(f"### T = {verdict[start]['temperature']:g}")
        parts.append("\n".join(lines[start : start + 5]))
    accuracy = [
        [_name(row), str(row["n_runs"]), percent(row["accuracy"]), _span(row)]
        for row in rows_of("models")
    ]
    parts.append(_table(["Model", "Runs", "Accuracy", "Interval"], accuracy))
    metrics = [
        [
            *(row["attribute"], row["metric"].upper(), _name(row), percent(row["value"])),
            *(_span(row), percent(row["floor"]), percent(row["chance"])),
        ]
        for row in rows_of("fairness")
    ]
    head = ["Groups of", "Metric", "Model", "Value", "Interval", "Floor", "Chance"]
    parts.append(_table(head, metrics))
    parts.append(_group_table([row for row in rows_of("groups") if row["metric"] == "accuracy"]))
    parts += _class_tables([row for row in rows_of("changed_classes") if row["significant"]])
    parts.append("\n".join(f"- {escape(sentence)}" for sentence in bearing(report)))
    return "\n\n".join(parts) + "\n"


def _group_table(rows: Rows) -> str:
    """Accuracy of every group, a column a model."""
    cells: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        few = " (too few to judge)" if row["small"] else ""
        key = (row["attribute"], row["group"])
        line = cells.setdefault(key, [*key, f"{row['n']:,}{few}"])
        line.append(f"{percent(row['value'])} ({_span(row)})")
    names = dict.fromkeys(_name(row) for row in rows)
    return _table(["Groups of", "Group", "Examples", *names], cells.values())


def _class_tables(rows: Rows) -> list[str]:
    """The classes that changed, those that changed most first, and how many are left out."""
    lines, left_out = [], 0
    compared: dict[tuple[str, str], Rows] = {}
    for row in rows:
        compared.setdefault((row["against"], _name({**row, "role": "distilled"})), []).append(row)
    for (against, name), own in compared.items():
        left_out += max(0, len(own) - ROWS)
        for row in sorted(own, key=lambda row: -abs(row["change"]))[:ROWS]:
            moved = [points(row["change"]), span(row["low"], row["high"], "points")]
            lines.append([row["class"], against, name, f"{row['n']:,}", *moved])
            lines[-1].append(points(row["relative"]))
    head = ["Changed class", "Against", "Model", "Examples", "Change", "Interval"]
    more = [f"- {left_out:,} more changed classes are in the JSON report."] if left_out else []
    return [_table([*head, "Relative to overall"], lines), *more] if lines else []


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


def _name(row: dict[str, Any]) -> str:
    return ROLE_NAMES[row["role"]] + at_text(row["temperature"])


def _span(row: dict[str, Any]) -> str:
    return span(row["low"], row["high"])
