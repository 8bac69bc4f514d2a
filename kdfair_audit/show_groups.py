"""The parts of the report about groups: metrics, rates, the worst, intersections, calibration."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kdfair_audit.fairness import estimate
from kdfair_audit.findings import Findings
from kdfair_audit.frames import Rows, rows_at
from kdfair_audit.numbers import (
    METRIC_NAMES,
    RATE_NAMES,
    ROLE_NAMES,
    count,
    percent,
    points,
    span,
)
from kdfair_audit.report_charts import Mark, Scale, key, plot, reliability, text, track
from kdfair_audit.tables import ROWS, Head, h2, h3, table


def groups(report: Findings, at: float) -> str:
    """Rates of every group, by attribute."""
    every = report.frames["groups"]
    roles = [role for role in ROLE_NAMES if (every["role"] == role).any()]
    sizes = report.frames["sizes"]
    parts = [h2("What each group gets"), key(roles)]
    for attribute in report.counts.groups:
        own = every[every["attribute"] == attribute]
        about = _most_unequal_class(report, own)
        shown = own[(own["metric"] == "accuracy") | (own["class"] == about)]
        parts.append(h3(f"Groups of {attribute}"))
        if len(report.counts.classes) > 2:
            parts.append(
                f'<p class="ka-muted">Rates are of one class against the rest. Shown is '
                f"“{text(about)}”, on which the groups differ most; the others are in the JSON "
                "report.</p>"
            )
        counted = sizes[(sizes["attribute"] == attribute) & ~sizes["left_out"]]
        n_of = dict(zip(counted["group"], counted["n"], strict=True))
        plots = []
        for metric, name in RATE_NAMES.items():
            rates = shown[shown["metric"] == metric]
            rows = rows_at(rates, at)
            scale = Scale.over([r[end] for r in rows for end in ("low", "high")], 0.1, 0.0, 1.0)
            lanes = [
                (group, int(n_of[group]), [_mark(row) for row in rows if row["group"] == group])
                for group in report.counts.group_names(attribute)
            ]
            title = name.capitalize()
            plots.append(plot(title, lanes, scale))
        parts.append(f'<div class="ka-plots">{"".join(plots)}</div>')
        parts.append(_numbers(rows_at(shown, at), report))
    return "".join(parts)


def _numbers(rows: Rows, report: Findings) -> str:
    lines, small = [], []
    for row in rows:
        name = text(row["group"])
        rate = RATE_NAMES[row["metric"]]
        lines.append(
            f'<th scope="row">{name}</th><td>{ROLE_NAMES[row["role"]]}</td><td>{rate}</td>'
            f'<td class="ka-num">{percent(row["value"])}</td>'
            f'<td class="ka-num">{span(row["low"], row["high"])}</td>'
            f'<td class="ka-num">{row["n"]:,.0f}</td>'
            f"<td>{'too few to judge' if row['small'] else ''}</td>"
        )
        small.append(bool(row["small"]))
    head = ["group", "model", "rate", "value", "interval", "n", ""]
    numbers = table("", head, lines, small, shown=len(lines))
    return f"<details><summary>The numbers</summary>{numbers}</details>"


def fairness(report: Findings, at: float) -> str:
    """DPD and EOD of every model, and their changes."""
    every = report.frames["fairness"]
    moved = report.frames["fairness_changes"]
    roles = [role for role in ROLE_NAMES if (every["role"] == role).any()]
    extra = [
        ("floor", "a perfect classifier (base rates differ)"),
        ("chance", "what groups with equal rates would show"),
    ]
    parts = [h2("Fairness metrics"), key(roles, extra)]
    rows = rows_at(every, at)
    ends = [row[end] for row in rows for end in ("high", "value", "floor", "chance")]
    scale = Scale.over(ends, 0.05, 0.0, 1.0, zero=True)
    order = list(report.counts.groups)
    any_small = bool(every["n_small"].any())
    lines = []
    for row in sorted(rows, key=lambda row: (order.index(row["attribute"]), row["metric"])):
        middle = estimate(row)
        mark = Mark(row["role"], middle, row["low"], row["high"], measured=row["value"])
        marks = [("chance", row["chance"])]
        if row["metric"] == "dpd":
            marks.append(("floor", row["floor"]))
        judged = f"{percent(row['judged'])} ({span(row['judged_low'], row['judged_high'])})"
        lines.append(
            f'<th scope="row">{row["metric"].upper()} <small>{text(row["attribute"])}</small></th>'
            f"<td>{ROLE_NAMES[row['role']]}</td>"
            f'<td class="ka-num">{percent(row["value"])}</td>'
            f'<td class="ka-num">{percent(middle)}</td>'
            f'<td class="ka-num">{span(row["low"], row["high"])}</td>'
            f'<td class="ka-wide">{track([mark], scale, lines=marks)}</td>'
            f'<td class="ka-num">{percent(row["floor"])}</td>'
            f'<td class="ka-num">{percent(row["chance"])}</td>'
            + (f'<td class="ka-num">{judged if row["n_small"] else ""}</td>' if any_small else "")
        )
    head: list[str | Scale] = ["metric", "model", "as measured", "corrected", "interval", scale]
    head += ["floor", "chance", *(["large groups"] if any_small else [])]
    caption = (
        f"{METRIC_NAMES['dpd'].capitalize()} (DPD) and {METRIC_NAMES['eod']} (EOD). "
        "Chance makes a largest difference larger: corrected is less that, with its 95 % interval; "
        "the short mark is the value as measured."
    )
    parts.append(table(caption, head, lines, shown=len(lines)))
    if len(moved):
        rows = rows_at(moved, at)
        reach = [row[end] for row in rows for end in ("low", "high", "change")]
        scale = Scale.around_zero(reach, 0.05)
        lines = []
        for row in rows:
            known = (row["corrected"], row["low"], row["high"])
            mark = Mark("distilled", *known, measured=row["change"])
            said = "no change shown"
            if row["significant"]:
                said = f"<b>{'▲ less equal' if row['change'] > 0 else '▼ more equal'}</b>"
            lines.append(
                f'<th scope="row">{row["metric"].upper()} <small>{text(row["attribute"])}</small>'
                f"</th><td>{ROLE_NAMES[row['against']]}</td>"
                f'<td class="ka-num">{points(row["change"])}</td>'
                f'<td class="ka-num">{points(row["corrected"])}</td>'
                f'<td class="ka-num">{span(row["low"], row["high"], "points")}</td>'
                f'<td class="ka-wide">{track([mark], scale, lines=[("zero", 0.0)])}</td>'
                f'<td class="ka-said">{said}</td>'
            )
        head = ["metric", "against", "as measured", "corrected", "interval", scale, ""]
        caption = (
            "Change with distillation, in points, over the groups large enough to judge. A change "
            "is said to be shown where the interval of the corrected change leaves out zero even "
            "when widened for all of them (Bonferroni)."
        )
        parts.append(table(caption, head, lines, shown=len(lines)))
    return "".join(parts)


def worst(report: Findings, at: float) -> str:
    """The group that each model serves worst."""
    frame = report.frames["worst"]
    if frame.empty:
        return ""
    lines = [
        f'<th scope="row">{text(row["group"])} <small>{text(row["attribute"])}</small></th>'
        f"<td>{ROLE_NAMES[row['role']]}</td>"
        f'<td class="ka-num">{percent(row["accuracy"])}</td>'
        f'<td class="ka-num">{span(row["low"], row["high"])}</td>'
        f'<td class="ka-num">{points(row["gap"])}</td>'
        f'<td class="ka-num">{span(row["gap_low"], row["gap_high"], "points")}</td>'
        f'<td class="ka-said">{"<b>▼ worse</b>" if row["clear"] else "may be chance"}</td>'
        for row in rows_at(frame, at)
    ]
    head = ["group", "model", "accuracy", "interval", "gap", "interval", ""]
    caption = (
        "The large enough group with the lowest accuracy; its gap to everyone else in points, with "
        "an interval widened for having picked the worst (Bonferroni)."
    )
    return h2("Worst group") + table(caption, head, lines, shown=len(lines))


def intersections(report: Findings, at: float) -> str:
    """Accuracy of combinations of groups."""
    frame = report.frames["intersections"]
    if frame.empty:
        return ""
    rates = frame[frame["metric"] == "accuracy"]
    rows = rows_at(rates, at)
    scale = Scale.over([row[end] for row in rows for end in ("low", "high")], 0.1, 0.0, 1.0)
    student = [row for row in rows if row["role"] == "distilled"]
    student.sort(key=lambda row: (row["members"] > 1, row["value"]))
    lines = []
    for own in student:
        marks = [_mark(row) for row in rows if row["group"] == own["group"]]
        lines.append(
            f'<th scope="row">{text(own["group"])}</th>'
            f'<td class="ka-num">{percent(own["value"])}</td>'
            f'<td class="ka-num">{span(own["low"], own["high"])}</td>'
            f'<td class="ka-wide">{track(marks, scale)}</td>'
            f'<td class="ka-num">{own["n"]:,.0f}</td>'
        )
    caption = "Accuracy of the student, worst first."
    head: Head = ["groups", "student", "interval", scale, "n"]
    folded = ""
    if report.pooled:
        names = "".join(f"<li>{text(name)}</li>" for name in report.pooled[:200])
        folded = (
            f"<details><summary>Pooled: {count(len(report.pooled), 'combination')} of fewer than "
            f'{report.options.min_group} examples</summary><ul class="ka-notes">{names}</ul>'
            "</details>"
        )
    roles = [role for role in ROLE_NAMES if (rates["role"] == role).any()]
    return h2("Intersections") + key(roles) + table(caption, head, lines, most=40) + folded


def calibration(report: Findings, at: float) -> str:
    """Whether scores mean what they say."""
    frame = report.frames["calibration"]
    if frame.empty:
        return ""
    found = rows_at(frame, at)
    scale = Scale.around_zero([row[end] for row in found for end in ("low", "high")], 0.05)
    lines, small = [], []
    for row in found:
        mark = Mark(row["role"], row["gap"], row["low"], row["high"], bool(row["small"]))
        lines.append(
            f'<th scope="row">{text(row["group"])} <small>{text(row["attribute"])}</small></th>'
            f'<td>{ROLE_NAMES[row["role"]]}</td><td class="ka-num">{points(row["gap"])}</td>'
            f'<td class="ka-num">{span(row["low"], row["high"], "points")}</td>'
            f'<td class="ka-wide">{track([mark], scale, lines=[("zero", 0.0)])}</td>'
            f'<td class="ka-num">{percent(row["score"])}</td>'
            f'<td class="ka-num">{percent(row["outcome"])}</td>'
            f'<td class="ka-num">{percent(row["ece"])}</td><td class="ka-num">{row["n"]:,}</td>'
        )
        small.append(bool(row["small"]))
    head: Head = ["group", "model", "gap", "interval", scale, "mean score", "came true", "ECE", "n"]
    caption = "Mean score less how often it came true: above zero is overconfident."
    diagrams: list[str] = []
    curves = report.frames["reliability"]
    own = rows_at(curves[curves["role"] == "distilled"], at)
    for attribute in report.counts.groups:
        for group in report.counts.group_names(attribute):
            rows = [r for r in own if (r["attribute"], r["group"]) == (attribute, group)]
            if rows and len(diagrams) < ROWS:
                diagrams.append(reliability(f"{group} ({attribute})", rows))
    drawn = ""
    if diagrams:
        drawn = h3("The student's scores, and how often they came true")
        drawn += f'<div class="ka-plots ka-tight">{"".join(diagrams)}</div>'
    gaps = table(caption, head, lines, small)
    return h2("Calibration") + gaps + drawn


def _mark(row: dict[str, Any]) -> Mark:
    return Mark(row["role"], row["value"], row["low"], row["high"], bool(row["small"]))


def _most_unequal_class(report: Findings, rates: pd.DataFrame) -> str:
    """The class on which the student's groups differ most, at any temperature."""
    own = rates[(rates["role"] == "distilled") & rates["metric"].isin(["tpr", "fpr"])]
    own = own[~own["small"]]
    by = own.groupby(["class", "metric", "temperature"], dropna=False, sort=False)["value"]
    spread = (by.max() - by.min()).dropna()
    if spread.empty:
        return report.counts.class_names[-1]
    return str(spread.index.get_level_values("class")[int(spread.to_numpy().argmax())])
