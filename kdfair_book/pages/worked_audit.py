"""What the worked audits show: a small one on one screen, and a report's lines under the dial."""

from __future__ import annotations

import os
from dataclasses import dataclass
from html import escape
from pathlib import Path

import pandas as pd

import kdfair_audit
from kdfair_audit import AuditReport
from kdfair_book.charts.figure import BOOK_VARIABLE
from kdfair_book.pages.text import Text
from kdfair_core import results

#: Where the book keeps the sample of a report, below its static files.
SAMPLE = Path(__file__).parents[2] / "book" / "_static" / "vendor" / "sample-report.html"


def small_table() -> pd.DataFrame:
    """Predictions of one teacher and one distilled student (T = 4) for faces.

    Returns
    -------
    DataFrame
        A row a face: age (the true class), gender, teacher, student.
    """
    frame, _ = kdfair_audit.published_frame(results.load("faces"), groups="gender", temperatures=4)
    names = {
        "label": "age",
        "gender": "gender",
        "teacher_s0": "teacher",
        "student_T4_s0": "student",
    }
    return frame[list(names)].rename(columns=names)


def lines(report: AuditReport, *, start: float | None = None) -> Text | UnderTheDial:
    """The five lines of a report: under the dial, from ``start``, where it has temperatures."""
    if report.temperatures:
        return UnderTheDial(
            report, start if start in report.temperatures else report.temperatures[0]
        )
    return Text("\n".join(f"- **{said.replace(': ', '.** ', 1)}" for said in report.verdict()))


def paragraph(report: AuditReport, *, model: str, what: str) -> Text:
    """One paragraph for a model card, out of a report's lines on accuracy, groups and odds.

    Parameters
    ----------
    report : AuditReport
        Of one student.
    model, what : str
        Name of the student, and what its groups are.
    """
    told = {line.partition(": ")[0]: line.partition(": ")[2] for line in report.verdict()}
    return Text(
        f"> **{model}, audited by {what}.** {told['Accuracy']} {told['Worst group']} "
        f"{told['Equalized odds']} One training of each model was audited: another seed may "
        "differ, and nothing is said of people who are not like those in the test set."
    )


def sample(report: AuditReport) -> Text:
    """A link to the whole report, which the book's build writes beside its pages."""
    if not os.environ.get(BOOK_VARIABLE):
        return Text('`report.save("report")` writes `report.html`, `report.json` and `report.md`.')
    SAMPLE.parent.mkdir(parents=True, exist_ok=True)
    SAMPLE.write_text(report.to_html(), encoding="utf-8")
    return Text(
        '<a href="../../_static/vendor/sample-report.html">Open the whole report</a>: one file, '
        'as `report.save("report")` writes it.'
    )


@dataclass(frozen=True)
class UnderTheDial:
    """The lines of a report, of the student at the dial's temperature.

    Attributes
    ----------
    report : AuditReport
        Of students of several temperatures.
    start : float
        Temperature at which the dial starts.
    """

    report: AuditReport
    start: float

    def _repr_html_(self) -> str:
        parts = []
        for t in self.report.temperatures:
            told = (line.partition(": ") for line in self.report.verdict(t))
            items = "".join(
                f"<li><strong>{escape(a)}.</strong> {escape(b)}</li>" for a, _, b in told
            )
            hidden = "" if t == self.start else " hidden"
            parts.append(f'<ul data-kd-at="{t:g}"{hidden}>{items}</ul>')
        listed = " ".join(f"{t:g}" for t in self.report.temperatures)
        return (
            f'<div class="kd-effects" data-kd-temperatures="{listed}" '
            f'data-kd-start="{self.start:g}">{"".join(parts)}</div>'
        )

    def __repr__(self) -> str:
        return "\n".join(self.report.verdict(self.start))
