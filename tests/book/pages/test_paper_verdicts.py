"""What the scorecard's page says of the paper's own tables."""

import pytest
from bs4 import BeautifulSoup

from kdfair_book import claims
from kdfair_book.charts import scorecard
from kdfair_book.pages import paper_verdicts


@pytest.fixture(scope="module")
def tables():
    return claims.paper_tables()


def test_the_sentence_counts_what_is_in_the_frame(tables):
    said = paper_verdicts.summary(tables)
    counts = tables["verdict"].value_counts()
    assert f"of {tables['claim'].nunique()} claims by the same rule" in said
    assert f"{counts['holds']} hold" in said and f"{counts['fails']} fail" in said
    assert "EOD of the distilled student is below the teacher's” fails in 5 of 6" in said
    one = tables[tables["claim"] == "sc-rises"].assign(verdict="holds")
    assert "1 claim holds wherever printed" in paper_verdicts.summary(one)


def test_every_test_is_a_row_with_rounded_numbers(tables):
    page = BeautifulSoup(paper_verdicts.details(tables)._repr_html_(), "html.parser")
    assert len(page.select("tbody tr")) == len(tables) + tables["claim"].nunique()
    assert "e-1" not in page.text and "< 0.0001" in page.text
    assert "verdicts would change" in page.text
    assert page.select_one(".kd-scroll")["tabindex"] == "0"


def test_the_scorecard_has_a_column_of_the_papers_tables(tables):
    card = claims.scorecard(names=["cifar10"])
    page = BeautifulSoup(scorecard.Scorecard(card, tables)._repr_html_(), "html.parser")
    assert page.select("thead th")[1].text.startswith(scorecard.PAPER_COLUMN)
    rows = page.select("tbody tr")
    assert len(rows) == len(claims.CLAIMS)
    for claim, row in zip(claims.CLAIMS, rows, strict=True):
        mine = tables[tables["claim"] == claim.id]
        cell = row.find_all("td")[0]
        if mine.empty:
            assert "not printed" in cell.text
        else:
            assert sum(int(s.text.split()[0]) for s in cell.select("small")) == len(mine)
    plain = BeautifulSoup(scorecard.Scorecard(card)._repr_html_(), "html.parser")
    assert scorecard.PAPER_COLUMN not in plain.text
