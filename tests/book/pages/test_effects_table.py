"""A table of effects says what the frame says, and follows the dial."""

import pytest
from bs4 import BeautifulSoup

from kdfair_book import paper
from kdfair_book.pages.effects_table import (
    CHANCE,
    effects_table,
    reported_table,
    side_by_side,
)
from kdfair_core import results, studies

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def table():
    return effects_table(results.load("trifeature", "laptop"))


def test_rows_hold_the_three_accuracies_and_the_papers(table):
    row = table.rows(4)[0]
    runs = table.frame
    nds = runs[(runs["measure"] == "accuracy") & (runs["role"] == "nds")]["value"].iloc[0]
    assert row["student alone"].startswith(f"{100 * nds:.1f} % (")
    assert row["paper: teacher / alone / distilled"] == "100.0 % / 90.3 % / 92.6 %"


def test_differences_that_chance_explains_are_marked(table):
    frame = table.frame
    for row, (measure, attribute) in zip(
        table.rows(4), frame[["measure", "attribute"]].drop_duplicates().to_numpy(), strict=True
    ):
        mine = frame[(frame["measure"] == measure) & (frame["attribute"] == attribute)]
        gap = mine[(mine["role"] == "difference") & (mine["T"] == 4)]
        if len(gap):
            zero = bool(gap["low"].iloc[0] <= 0 <= gap["high"].iloc[0])
            assert (CHANCE in row["distilled less alone"]) == zero


def test_on_a_page_one_temperature_is_shown_of_each_cell(table):
    page = BeautifulSoup(table._repr_html_(), "html.parser")
    for cell in page.select("td, th"):
        texts = cell.select("[data-kd-at]")
        if texts:
            (shown,) = [text for text in texts if not text.has_attr("hidden")]
            assert shown["data-kd-at"] == "4" and len(texts) == len(table.temperatures)
    region = page.select_one('[role="region"]')
    assert region["tabindex"] == "0" and region["aria-label"]
    assert "another regime" in page.select_one(".kd-badge").text


def test_studies_stand_side_by_side():
    names = ["trifeature", "faces", "cifar100"]
    wide = side_by_side([results.load(name, "laptop") for name in names]).table()
    assert list(wide.columns) == ["Trifeature", "Faces", "CIFAR-100"]
    assert wide.loc["regime", "Faces"] == "not in the paper"
    assert "gender" in wide.loc["EOD", "Faces"] and wide.loc["EOD", "CIFAR-100"] == "–"
    assert "more than chance (10)" in wide.filter(like="#SC", axis=0)["CIFAR-100"].iloc[0]


@pytest.mark.parametrize("study", [n for n in studies.names() if n in paper.studies()])
def test_an_unmeasured_study_has_the_papers_numbers(study):
    table = reported_table(study)
    rows = {row["measure"]: row for row in table.rows(4)}
    printed = paper.results(study, "accuracy")
    ds = printed[(printed["role"] == "ds") & (printed["temperature"] == 4)]
    ds = ds[ds["alpha"].isna() | (ds["alpha"] == 0.8)]
    shown = [row["distilled student"] for name, row in rows.items() if name.startswith("accuracy")]
    assert sorted(shown) == sorted(f"{mean:.1f} %" for mean in ds["mean"])
    assert "nan" not in table._repr_html_() and "reported by the paper" in table._repr_html_()
