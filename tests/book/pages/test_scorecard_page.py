"""The scorecard as its page shows it: regimes, and what undecided cells lack."""

import pytest
from bs4 import BeautifulSoup

from kdfair_book import claims
from kdfair_book.charts import scorecard
from kdfair_book.evidence.regime import regime
from kdfair_book.pages import claim_sentences, deciding
from kdfair_core import results


@pytest.fixture(scope="module")
def card():
    return deciding.complete(claims.scorecard())


def test_every_undecided_cell_says_what_it_lacks(card):
    undecided = card["verdict"] == "undecided"
    assert undecided.any() and card.loc[undecided, "missing"].notna().all()
    assert card.loc[~undecided, "missing"].isna().all()
    page = BeautifulSoup(scorecard.Scorecard(card)._repr_html_(), "html.parser")
    for cell in page.select(".kd-undecided"):
        beside = cell.find_next_sibling("small").text
        assert any(word in beside for word in ("seeds", "examples")), beside
        assert "what would decide it" in cell["title"]


def test_ten_gpu_hours_are_spent_on_what_undecided_cells_lack(card):
    said = str(deciding.gpu_hours(card))
    lacks = [one.short for one in card.loc[card["verdict"] == "undecided", "missing"]]
    assert f"{lacks.count('more examples')} lack test examples" in said
    assert f"of {len(lacks)} undecided verdicts decidable" in said
    named = card.loc[card["verdict"] == "undecided", "claim"].unique()
    assert any(f"{claim} " in said.split("| --- |")[-1] for claim in named)
    assert len(str(deciding.gpu_hours(card, hours=0.001))) < len(said)


def test_column_heads_name_studies_as_people_do_and_their_regime(card):
    page = BeautifulSoup(scorecard.Scorecard(card)._repr_html_(), "html.parser")
    heads = [head.text for head in page.select("thead th")[1:]]
    assert any(head.startswith("CIFAR-100laptop") for head in heads)
    assert not any("cifar100" in head for head in heads)
    for study, profile in card.loc[card["regime"] != "", ["study", "profile"]].to_numpy():
        label = regime(results.load(study, profile)).label
        mine = [head for head in heads if head.startswith(scorecard.titled(study) + profile)]
        assert mine and label in mine[0]


def test_verdicts_in_the_papers_regime_are_counted_apart(card):
    measured = card[card["verdict"] != "not measured"]
    near = measured["regime"] == "the paper's regime"
    apart = f"The others, {(~near).sum()}, are" if near.any() else f"all {len(measured)} are"
    said = claim_sentences.verdicts(card)
    assert f"{apart} verdicts on these studies" in said and "not on the paper" in said
    one = card.assign(regime=["the paper's regime"] * 3 + ["another"] * (len(card) - 3))
    left = (one.loc[card["verdict"] != "not measured", "regime"] == "another").sum()
    assert f"The others, {left}, are" in claim_sentences.verdicts(one)
    inside = card.assign(regime="the paper's regime")
    assert "The others, 0," in claim_sentences.verdicts(inside)


def test_a_verdict_from_another_regime_is_no_check_or_cross(card):
    """Beside the paper's claim only a study in its regime, or its own tables, may have them."""
    page = BeautifulSoup(scorecard.Scorecard(card)._repr_html_(), "html.parser")
    apart = card[(card["regime"] != "the paper's regime") & (card["regime"] != "")]
    for word, sign in (("holds", "●"), ("fails", "○")):
        cells = page.select(f".kd-elsewhere.kd-{word}")
        assert {cell.text for cell in cells} == {f"{sign} {word}"}
        assert len(cells) == (apart["verdict"] == word).sum() > 0
    inside = card.assign(regime="the paper's regime")
    plain = BeautifulSoup(scorecard.Scorecard(inside)._repr_html_(), "html.parser")
    assert not plain.select(".kd-elsewhere") and plain.select("a.kd-fails")[0].text == "✗ fails"


def test_a_collapsed_training_is_named_beside_its_verdict(card):
    page = BeautifulSoup(scorecard.Scorecard(card)._repr_html_(), "html.parser")
    named = card["why"].str.contains("collapsed").sum()
    assert named and page.text.count("a training collapsed") == named


def test_reasons_are_tables_with_rounded_numbers(card):
    page = BeautifulSoup(scorecard.Reasons(card)._repr_html_(), "html.parser")
    assert len(page.find_all("table")) == len(claims.CLAIMS)
    assert "e-1" not in page.text and "no number of seeds" in page.text
    assert all(box["tabindex"] == "0" for box in page.select(".kd-scroll"))


def test_the_papers_protocol_is_named_only_while_it_is_not_measured(card):
    assert "under the paper's protocol" in str(deciding.gpu_hours(card, hours=0.001))
    measured = card.assign(study="cifar100", profile="paper", verdict="holds", missing=None)
    assert "under the paper's protocol" not in str(deciding.gpu_hours(measured, hours=0.001))
