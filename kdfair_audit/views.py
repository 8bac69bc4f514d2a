"""What the report's template asks of the findings: rows, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from kdfair_audit.fairness import estimate
from kdfair_audit.findings import Findings
from kdfair_audit.frames import Rows, records, rows_at
from kdfair_audit.numbers import ROLE_NAMES, count
from kdfair_audit.report_charts import Curve, Mark, Scale


def over(
    rows: Rows, step: float, ends: Sequence[str] = ("low", "high"), *, zero: bool = False
) -> Scale:
    """A scale of shares that holds these columns of the rows."""
    return Scale.over([row[end] for row in rows for end in ends], step, 0.0, 1.0, zero=zero)


def around_zero(rows: Rows, ends: Sequence[str] = ("low", "high")) -> Scale:
    """A scale of changes that holds these columns of the rows."""
    return Scale.around_zero([row[end] for row in rows for end in ends])


def marks(rows: Rows, group: str) -> list[Mark]:
    """The marks of a group, one a model."""
    return [
        Mark(row["role"], row["value"], row["low"], row["high"], bool(row["small"]))
        for row in rows
        if row["group"] == group
    ]


def largest_first(rows: Rows, by: str) -> Rows:
    """Changes, the significant ones first."""
    return sorted(rows, key=lambda row: (not row["significant"], -abs(np.nan_to_num(row[by]))))


def worst_first(rows: Rows) -> Rows:
    """Intersections of the student, the pooled ones last."""
    own = [row for row in rows if row["role"] == "distilled"]
    return sorted(own, key=lambda row: (row["members"] > 1, row["value"]))


@dataclass(frozen=True)
class View:
    """A report as the template sees it."""

    report: Findings

    def rows(self, name: str, at: float, **where: Any) -> Rows:
        """Rows of a frame at a temperature, with these values."""
        rows = rows_at(self.report.frames[name], at)
        return [row for row in rows if all(row[key] == value for key, value in where.items())]

    @cached_property
    def roles(self) -> list[str]:
        """The roles that there are models of."""
        have = {model.role for model in self.report.counts.models}
        return [role for role in ROLE_NAMES if role in have]

    @property
    def others(self) -> list[str]:
        """The roles that the student is compared with."""
        return [role for role in self.roles if role != "distilled"]

    @property
    def any_small(self) -> bool:
        """Whether a group is too small to be judged."""
        return bool(self.report.frames["fairness"]["n_small"].any())

    def sizes(self, attribute: str) -> dict[str, int]:
        """The judged groups, and how many examples each has."""
        rows = records(self.report.frames["sizes"].query("not left_out"))
        return {row["group"]: row["n"] for row in rows if row["attribute"] == attribute}

    def fairness(self, at: float) -> Rows:
        """DPD and EOD by attribute, then metric, then model."""
        order = list(self.report.counts.groups)
        rows = self.rows("fairness", at)
        return sorted(rows, key=lambda row: (order.index(row["attribute"]), row["metric"]))

    def rates(self, attribute: str, at: float) -> Rows:
        """Accuracy of every group, and its rates of the class on which groups differ most."""
        rows = self.rows("groups", at, attribute=attribute)
        return [row for row in rows if row["class"] in ("", self.unequal[attribute])]

    @cached_property
    def unequal(self) -> dict[str, str]:
        """Attribute -> the class on which the student's groups differ most, at any temperature."""
        found = dict.fromkeys(self.report.counts.groups, self.report.counts.class_names[-1])
        rates = self.report.frames["groups"]
        own = rates.query("role == 'distilled' and metric in ('tpr', 'fpr') and not small")
        for attribute, part in own.groupby("attribute"):
            by = part.groupby(["class", "metric", "temperature"], dropna=False, sort=False)["value"]
            spread = (by.max() - by.min()).dropna()
            if len(spread):
                classes = spread.index.get_level_values("class")
                found[str(attribute)] = str(classes[int(spread.to_numpy().argmax())])
        return found

    def matrix(self, pairs: Rows) -> dict[tuple[str, str], float]:
        """What the other model says and what the student says instead -> how often."""
        return {(row["class_a"], row["class_b"]): row["count"] for row in pairs}

    def reliability(self, at: float) -> list[tuple[str, Rows]]:
        """The student's bins of scores, by group."""
        found = []
        for attribute in self.report.counts.groups:
            for group in self.report.counts.group_names(attribute):
                which = {"role": "distilled", "attribute": attribute, "group": group}
                found.append((f"{group} ({attribute})", self.rows("reliability", at, **which)))
        return [(name, rows) for name, rows in found if rows]

    def curves(self) -> list[tuple[str, Curve]]:
        """Accuracy and fairness over temperature; the latter less what chance adds."""
        fairness = self.report.frames["fairness"]
        corrected = [estimate(row) for row in records(fairness)]
        fairness = fairness.assign(measured=fairness["value"], value=corrected)
        accuracy = self.report.frames["models"].rename(columns={"accuracy": "value"})
        series = [("Accuracy", accuracy)]
        for attribute in self.report.counts.groups:
            for metric in ("eod", "dpd"):
                own = fairness["attribute"].eq(attribute) & fairness["metric"].eq(metric)
                series.append((f"{metric.upper()}, groups of {attribute}", fairness[own]))
        charts = []
        for title, frame in series:
            student = frame[frame["role"] == "distilled"].sort_values("temperature")
            others = records(frame[frame["role"] != "distilled"])
            levels = {row["role"]: row["value"] for row in others}
            rows = [{**row, "i": i} for i, row in enumerate(records(student))]
            charts.append((title, Curve(rows, levels)))
        return charts

    def curves_caption(self) -> str:
        """What the curves show."""
        dashes = {"teacher": "dashed", "baseline": "dotted"}
        said = "".join(f", {dashes[role]} the {ROLE_NAMES[role]}" for role in self.others)
        return (
            "The line is the student's, with its 95 % interval as a band. DPD and EOD are "
            "corrected for what chance adds to a largest difference; short marks: as measured"
            f"{said.replace(',', ';', 1)}."
        )

    def data_line(self) -> str:
        """How much there is of what."""
        counts = self.report.counts
        runs = {role: sum(model.role == role for model in counts.models) for role in self.roles}
        roles = ", ".join(f"{ROLE_NAMES[role]} ({count(n, 'run')})" for role, n in runs.items())
        groups = ", ".join(
            f"{name} ({count(len(counts.group_names(name)), 'group')})" for name in counts.groups
        )
        return (
            f"{counts.n:,} examples · {count(len(counts.classes), 'class', 'classes')} · "
            f"{roles} · groups of {groups}"
        )
