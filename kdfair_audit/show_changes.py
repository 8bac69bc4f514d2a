"""The parts of the report about what changed: verdict, groups, classes, disagreement."""

from __future__ import annotations

from typing import Any

import numpy as np

from kdfair_audit.findings import Findings
from kdfair_audit.frames import Rows, rows_at
from kdfair_audit.numbers import ROLE_NAMES, count, p_value, percent, points, span
from kdfair_audit.report_charts import Mark, Scale, text, track
from kdfair_audit.tables import ROWS, Head, h2, table

MATRIX = 12  # classes; a larger matrix of disagreements becomes a list


def verdict(report: Findings, at: float) -> str:
    """The five lines."""
    items = "".join(
        f"<li{' class=ka-shown' if row['shown'] else ''}><strong>{text(row['heading'])}</strong>"
        f"<span>{text(row['text'])}</span></li>"
        for row in rows_at(report.frames["verdict"], at)
    )
    return f'<ol class="ka-verdict">{items}</ol>'


def changes(report: Findings, at: float) -> str:
    """Which groups and which classes changed, against each other model."""
    parts = []
    for frame, column, title in (
        ("changed_groups", "group", "For whom it changed"),
        ("changed_classes", "class", "Which classes changed"),
    ):
        every = report.frames[frame]
        if every.empty:
            continue
        parts.append(h2(title))
        for against in every["against"].unique():
            rows = [row for row in rows_at(every, at) if row["against"] == against]
            parts.append(_change_table(rows, column, against))
    return "".join(parts)


def _change_table(rows: Rows, column: str, against: str) -> str:
    scale = Scale.around_zero([row[end] for row in rows for end in ("low", "high")], 0.05)
    significant = sum(bool(row["significant"]) for row in rows)
    judged = sum(not row["small"] for row in rows)
    by = "relative" if column == "class" and "Welch" in rows[0]["test"] else "change"
    if column == "class":  # groups stay in their own order, which may mean something
        rows = sorted(rows, key=lambda row: (not row["significant"], -abs(np.nan_to_num(row[by]))))
    other = ROLE_NAMES[against]

    def relative_of(row: dict[str, Any]) -> str:
        return f'<td class="ka-num">{points(row["relative"])}</td>' if column == "class" else ""

    def cells(row: dict[str, Any]) -> str:
        mark = Mark("distilled", row["change"], row["low"], row["high"], bool(row["small"]))
        name = text(row[column])
        if column == "group":
            name += f" <small>{text(row['attribute'])}</small>"
        return (
            f'<th scope="row">{name}</th><td class="ka-num">{points(row["change"])}</td>'
            f'<td class="ka-num">{span(row["low"], row["high"], "points")}</td>{relative_of(row)}'
            f'<td class="ka-wide">{track([mark], scale, lines=[("zero", 0.0)])}</td>'
            f'<td class="ka-said">{_said(row, by)}</td>'
            f'<td class="ka-num">{p_value(row["p_corrected"])}</td>'
            f'<td class="ka-num">{percent(row["accuracy_a"])}</td>'
            f'<td class="ka-num">{percent(row["accuracy_b"])}</td>'
            f'<td class="ka-num">{row["n"]:,}</td>'
        )

    what = ("class", "classes") if column == "class" else ("group", "groups")
    relative = " relative to the rest" if by == "relative" else ""
    caption = (
        f"Accuracy, from the {other} to the distilled student, in points: {significant} of "
        f"{count(judged, *what)} changed{relative} ({rows[0]['test']}; p corrected by "
        "Benjamini-Hochberg)."
    )
    beside = ["relative to overall"] if column == "class" else []
    head: Head = [column, "change", "interval", *beside, scale, "", "p", other, "student", "n"]
    small = [bool(row["small"]) for row in rows]
    shown = ROWS if column == "class" else 3 * ROWS
    return table(caption, head, [cells(row) for row in rows], small, shown=shown)


def _said(row: dict[str, Any], by: str) -> str:
    if row["small"]:
        return "too few to judge"
    if not row["significant"]:
        return "no change shown"
    relative = " than the rest" if by == "relative" else ""
    return f"<b>{'▼ worse' if row[by] < 0 else '▲ better'}{relative}</b>"


def disagreement(report: Findings, at: float) -> str:
    """Where the student predicts something else."""
    every = report.frames["disagreement"]
    if every.empty:
        return ""
    matrices = report.frames["disagreement_matrix"]
    n_classes = len(report.counts.classes)
    parts = [h2("Where they disagree")]
    scale = Scale.over([row["high"] for row in rows_at(every, at)], 0.05, 0.0, 1.0, zero=True)
    for against in every["against"].unique():
        rows = [row for row in rows_at(every, at) if row["against"] == against]
        total = rows[0]
        parts.append(
            f"<p>Distilled student and {ROLE_NAMES[against]} predict different classes for "
            f"{percent(total['value'])} of the examples ({span(total['low'], total['high'])}).</p>"
        )
        pairs = [row for row in rows_at(matrices, at) if row["against"] == against]
        if pairs and n_classes <= MATRIX:
            parts.append(_matrix(report, pairs, against))
        elif pairs:
            lines = [
                f'<th scope="row">{text(row["class_a"])}</th>'
                f'<td class="ka-free">{text(row["class_b"])}</td>'
                f'<td class="ka-num">{row["count"]:,.0f}</td>'
                for row in pairs
            ]
            caption = f"What the {ROLE_NAMES[against]} and the student say where they differ."
            head = [ROLE_NAMES[against], "student", "examples"]
            parts.append(table(caption, head, lines, shown=8, most=40))
        lines = [
            f'<th scope="row">{text(row["group"])} <small>{text(row["attribute"])}</small></th>'
            f'<td class="ka-num">{percent(row["value"])}</td>'
            f'<td class="ka-num">{span(row["low"], row["high"])}</td><td class="ka-wide">'
            f"{track([Mark('distilled', row['value'], row['low'], row['high'])], scale)}</td>"
            f'<td class="ka-num">{row["n"]:,}</td>'
            for row in rows[1:]
        ]
        caption = f"Disagreement with the {ROLE_NAMES[against]} by group."
        parts.append(
            table(caption, ["group", "disagree", "interval", scale, "n"], lines, shown=3 * ROWS)
        )
    return "".join(parts)


def _matrix(report: Findings, pairs: Rows, against: str) -> str:
    names = report.counts.class_names
    held = {(row["class_a"], row["class_b"]): row["count"] for row in pairs}
    most = max(held.values())
    lines = []
    for a in names:
        cells = []
        for b in names:
            n = held.get((a, b), 0)
            shade = f' style="--heat:{n / most:.2f}"' if n else ""
            cells.append('<td class="ka-same">–</td>' if a == b else f"<td{shade}>{n:,.0f}</td>")
        lines.append(f'<th scope="row">{text(a)}</th>{"".join(cells)}')
    caption = f"Rows: what the {ROLE_NAMES[against]} says; columns: what the student says instead."
    return table(caption, ["", *names], lines, kind="ka-heat", shown=len(lines))
