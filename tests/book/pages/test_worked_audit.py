"""The worked audits: their numbers are the predictions', and the sample is the report."""

import pytest
from bs4 import BeautifulSoup

import kdfair_audit
from kdfair_book.pages import worked_audit

ROLES = {"label": "age", "groups": "gender", "teacher": "teacher", "positive": "30 or over"}


@pytest.fixture(scope="module")
def table():
    return worked_audit.small_table()


@pytest.fixture(scope="module")
def report(table):
    return kdfair_audit.audit(table, distilled="student", **ROLES)


def test_the_paragraph_says_how_often_each_is_right(table, report):
    said = worked_audit.paragraph(report, model="Student", what="gender")
    right = table["student"].astype(str) == table["age"].astype(str)
    by = right.groupby(table["gender"], observed=True).mean()
    assert said.startswith("> **Student, audited by gender.**")
    assert f"right on {100 * right.mean():.1f}% of {len(table):,} examples" in said
    assert f"“{by.idxmin()}” (gender) worst: right on {100 * by.min():.1f}%" in said
    assert "another seed may differ" in said


def test_five_lines_without_a_temperature_and_under_the_dial(table, report):
    assert worked_audit.lines(report).count("\n") == 4
    twice = table.assign(student_T2=table["student"], student_T8=table["teacher"])
    two = kdfair_audit.audit(twice, distilled="student_T{T}", **ROLES)
    page = BeautifulSoup(worked_audit.lines(two, start=8)._repr_html_(), "html.parser")
    shown = {part["data-kd-at"]: part for part in page.select("[data-kd-at]")}
    assert {t: part.has_attr("hidden") for t, part in shown.items()} == {"2": True, "8": False}
    for t, part in shown.items():
        told = [item.get_text() for item in part.select("li")]
        assert told == [line.replace(": ", ". ", 1) for line in two.verdict(float(t))]


def test_the_sample_is_written_for_the_book_alone(report, monkeypatch, tmp_path):
    monkeypatch.setattr(worked_audit, "SAMPLE", tmp_path / "vendor" / "sample.html")
    monkeypatch.delenv("KDFAIR_BOOK", raising=False)
    assert "report.html" in worked_audit.sample(report)
    assert not worked_audit.SAMPLE.exists()
    monkeypatch.setenv("KDFAIR_BOOK", "1")
    assert "sample-report.html" in worked_audit.sample(report)
    assert worked_audit.SAMPLE.read_text(encoding="utf-8") == report.to_html()
