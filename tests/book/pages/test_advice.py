"""Advice rests on numbers that say the same."""

import json
import re

import pytest
from bs4 import BeautifulSoup

from kdfair_book import claims
from kdfair_book.evidence.what_could_be_seen import BASE_RATES, SEEDS, SIZES, visible
from kdfair_book.pages import advice, opening
from kdfair_book.pages.opening import published


@pytest.fixture(scope="module")
def found():
    return published()


@pytest.fixture(scope="module")
def given(found):
    return {one.about: one for one in advice.advise(found, claims.scorecard())}


def test_every_piece_has_a_number_a_link_and_how_sure(given):
    assert len(given) >= 8
    for one in given.values():
        assert re.search(r"\d", one.because) and re.search(r"\]\([\w/.]+\)", one.because)
        assert one.sure and "nan" not in str(one)


def test_the_temperatures_that_it_names_are_those_that_the_numbers_favor(given):
    medians = {int(t): int(m) for m, t in
               re.findall(r"(-?\d+) % at T = (\d+)", given["Temperature"].because)}  # fmt: skip
    assert medians[4] > medians[1] and medians[10] > medians[1] and medians[40] <= medians[4]


def test_its_numbers_are_those_of_the_first_page(found, given):
    first, factor, _ = opening.opening(found).answers
    low, high = re.match(r"(\d+) to (\d+) %", first.number).groups()
    assert f"from {low} to {high} % by study" in given["Temperature"].because
    assert factor.number in given["The factor T²"].because


def test_counts_are_those_of_the_scorecard(given):
    card = claims.scorecard()
    rows = card[card["claim"].isin(["dpd-falls", "eod-falls"])]
    undecided = (rows["verdict"] == "undecided").sum()
    assert f"{undecided} are undecided" in given["What not to conclude: that it is fairer"].because


@pytest.fixture(scope="module")
def calculator(found):
    return advice.calculator(found)


def test_the_calculator_holds_every_choice_and_shows_the_first(calculator):
    page = BeautifulSoup(calculator._repr_html_(), "html.parser")
    state = json.loads(page.select_one(".kd-answers-state").string)
    assert len(state) == len(SIZES) and len(state[0]) == len(BASE_RATES)
    assert len(state[0][0]) == len(SEEDS)
    chosen = [int(s.find("option", selected=True)["value"]) for s in page.find_all("select")]
    shown = {cell["data-kd-answer"]: cell.text for cell in page.select("[data-kd-answer]")}
    said = state[chosen[0]][chosen[1]][chosen[2]]
    assert shown == {name: said[name] for name in shown}
    assert all(s.find_parent("label") for s in page.find_all("select"))


def test_the_calculator_takes_its_numbers_from_the_simulation(calculator):
    how = dict(correlation=calculator.correlation, changed=calculator.changed)
    once = visible(1000, 0.25, 5, **how)
    assert calculator.said(1000, 0.25, 5)["eod"] == f"{100 * once['eod']:.1f} points"
    assert "nothing" in calculator.said(20, 0.05, 1)["eod"]
