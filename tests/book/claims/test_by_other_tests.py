"""Both verdicts of the claims that have another test."""

import pytest
from bs4 import BeautifulSoup
from known_study import made_up

from kdfair_book import claims
from kdfair_book.claims.other_tests import TESTS
from kdfair_book.evidence import sweep
from kdfair_book.pages import other_verdicts


@pytest.fixture(scope="module")
def other():
    results = made_up(n=1500, n_classes=10, temperatures=(1, 4, 10, 20, 40))
    card = claims.judge(results)
    sweeps = {(results.study, results.profile, 0.8, "T2"): sweep(results)}
    return card, claims.by_other_tests(card, sweeps), sweeps


def test_every_measured_claim_with_another_test_is_there_beside_its_plain_verdict(other):
    card, found, _ = other
    assert list(found["claim"]) == [claim.id for claim in claims.CLAIMS if claim.id in TESTS]
    plain = card.set_index("claim")["verdict"]
    assert (found.set_index("claim")["plain_verdict"] == plain[list(found["claim"])]).all()
    verdicts = found.set_index("claim")["verdict"]
    assert verdicts["closer-to-teacher"] == verdicts["less-disagreement"] == "holds"


def test_what_was_not_swept_is_left_out(other):
    card, found, _ = other
    nothing = claims.by_other_tests(card, {})
    assert nothing.empty and list(nothing.columns) == list(found.columns)
    assert "has another test" in other_verdicts.summary(nothing)


def test_the_page_counts_changes_and_lists_both(other):
    _, found, _ = other
    turned = found.assign(verdict="holds", plain_verdict="undecided")
    said = other_verdicts.summary(turned)
    assert "undecided becomes holds 4 times" in said and "undecided becomes holds twice" in said
    assert "none changes" in other_verdicts.summary(found.assign(plain_verdict=found["verdict"]))
    page = BeautifulSoup(other_verdicts.details(found)._repr_html_(), "html.parser")
    first, pairing, scores = page.find_all("table")
    assert len(first.select("tbody tr")) == len(found)
    assert "Welch" in pairing.text and "CIFAR-100" in scores.text and "e-0" not in page.text
