"""Figures of what the numbers can bear: that they show the evidence, alive and still."""

import re

import pytest
import vl_convert
from bs4 import BeautifulSoup

from kdfair_book import charts, claims, evidence
from kdfair_book.charts import intervals, robustness, scorecard, softening, statistics, theme
from kdfair_book.evidence import coverage

DIALED = {
    "volcano": lambda r: statistics.volcano(evidence.sweep(r)),
    "power": lambda r: statistics.power(evidence.sweep(r), effects=(0.02, 0.05)),
    "choices": lambda r: robustness.other_choices(evidence.sweep(r)),
    "evidence": lambda r: intervals.fairness_evidence(r, "color"),
    "seeds": lambda r: intervals.seed_lines(evidence.sweep(r), "color"),
    "unfairness": lambda r: softening.unfairness(evidence.sweep(r), "input"),
    "confidence": lambda r: softening.confidence(evidence.sweep(r), "input"),
    "gradients": lambda r: softening.gradients(evidence.sweep(r)),
}
STILL = {
    "permuted": lambda r: statistics.permuted_counts(evidence.sweep(r)),
    "coverage": lambda r: statistics.coverage(
        coverage.simulate_coverage(coverage.WORLDS[:2], n_studies=5, n_boot=20)
    ),
}


@pytest.fixture(scope="module", params=DIALED)
def dialed(request, results):
    return DIALED[request.param](results)


@pytest.fixture(scope="module", params=STILL)
def fixed(request, results):
    return STILL[request.param](results)


def shown_at(figure, panel, t):
    return vl_convert.vegalite_to_svg(panel.spec(figure.temperatures, t, slider=False))


def test_figures_answer_the_dial(dialed):
    first, second = dialed.temperatures[1], dialed.temperatures[6]
    for panel in dialed.panels:
        assert shown_at(dialed, panel, first) != shown_at(dialed, panel, second)
    assert dialed.readout[first] != dialed.readout[second]
    assert all(said.startswith(f"T = {t:g}. ") for t, said in dialed.readout.items())


def test_figures_say_what_they_show(dialed):
    assert dialed.badge in theme.BADGES
    assert len(dialed.table) > 2
    for panel in dialed.panels:
        assert len(panel.says) > 60
        assert "nan" not in panel.says
    assert "nan" not in " ".join(dialed.readout.values())


def test_still_figures_have_no_dial(fixed, monkeypatch):
    assert isinstance(fixed.readout, str)
    page = BeautifulSoup(fixed.to_html(), "html.parser")
    assert not page.select("[data-kd-temperatures]")
    assert page.select_one(".kd-said").get_text()
    assert page.select_one(".kd-panel > svg")
    assert len(page.select("table tr")) > 2
    monkeypatch.delenv("KDFAIR_BOOK", raising=False)
    spec = fixed._repr_mimebundle_()["application/vnd.vegalite.v5+json"]
    assert not any("bind" in param for param in spec["params"])
    assert vl_convert.vegalite_to_svg(spec)


def test_the_volcano_counts_what_the_tests_count(results):
    figure = DIALED["volcano"](results)
    found = evidence.sweep(results)
    for comparison, other in (("SC", "student alone"), ("TC", "teacher")):
        for t in (1, 10, 40):
            frame = evidence.class_effects(found, comparison, t)
            n, kept = frame["significant"].sum(), frame["significant_bh"].sum()
            said = f"against the {other} {n} of 10 classes, {kept} after correction"
            assert said in figure.readout[t]


def test_evidence_shows_the_intervals(results):
    figure = DIALED["evidence"](results)
    frame = evidence.fairness_intervals(results, "color").set_index(
        ["metric", "role", "soft_scale", "temperature"]
    )
    row = frame.sort_index().loc[("eod", "ds", "T2", 4)]
    low, high = (100 * float(row[name]) for name in ("low", "high"))
    assert f"truth between {low:.2f} and {high:.2f} %" in figure.readout[4]


def test_the_scorecard_shows_every_verdict_with_its_numbers(results, monkeypatch):
    monkeypatch.setattr("kdfair_book.charts.figure._anchored", set())
    frame = claims.judge(results)
    card = scorecard.Scorecard(frame)
    page = BeautifulSoup(card._repr_html_(), "html.parser")
    rows = page.select("tbody tr")
    assert len(rows) == len(claims.CLAIMS)
    shown = page.select("td a, td span")
    assert len(shown) == len(frame)
    for cell in shown:
        sign, _, word = cell.get_text().partition(" ")
        assert scorecard.SIGNS[word] == sign
        assert cell["title"]
    links = {a["href"] for a in page.select("td a")}
    assert {link.partition("#")[0] for link in links} == {"trifeature.html"}
    assert "trifeature.html#figure-fairness-color" in links
    assert "trifeature.html#figure-individual-fairness" in links
    assert 'id="figure-fairness-color"' in charts.fairness(results, "color").to_html()
    assert scorecard.study_page("no-such-study") == ""
    measured = frame[frame["verdict"] != "not measured"].iloc[0]
    assert f"p = {measured['p_adjusted']:.2g}" in scorecard.numbers(measured.to_dict())
    plain = repr(card)
    assert len(plain.splitlines()) == len(frame)
    assert re.search(r"sc-rises", plain)


def test_the_scorecard_escapes(results):
    frame = claims.judge(results)
    frame["why"] = '<b>"x"</b>'
    assert "<b>" not in scorecard.Scorecard(frame)._repr_html_()
