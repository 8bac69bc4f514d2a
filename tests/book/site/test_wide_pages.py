"""Every page from a static host, 1280 wide: nothing from elsewhere, readable by all, light."""

import subprocess
import sys

import pytest
from browsing import FIRST, STUDIES, STUDY
from survey import APART, FINDINGS, visit_all, where

from kdfair_book.build import REFERENCE, TALLEST

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def survey(chromium, host, pages):
    """What was found on each page: {page: findings}."""
    assert FIRST in pages and STUDY in pages
    names = [FIRST, *(name for name in pages if name != FIRST), *APART]
    return visit_all(chromium, host, names, size=(1280, 900), narrower=(768, 360), dark_first=False)


@pytest.mark.parametrize("finding", FINDINGS)
def test_no_page_has(survey, finding):
    """Requests to elsewhere, missing files, errors on the console, serious or critical
    violations of axe's rules, sideways scrolling at 1280, 768 or 360 pixels, a dial on paper."""
    assert where(survey, finding) == {}


def test_pages_are_light(survey, book):
    """Over the wire, compressed: the first page with all that it loads, then what others add."""
    assert survey[FIRST]["weight"] < 1_500_000
    for path in book.rglob("book/**/*.html"):
        name = path.relative_to(book).as_posix()
        assert name == FIRST or survey[name]["weight"] < 400_000, name
    assert survey[FIRST]["weight"] > 100_000  # it was weighed at all


def test_no_page_is_too_tall(survey):
    """None above the limit that the build names."""
    heights = {name: page["height"] for name, page in survey.items() if name not in APART}
    assert {n: h for n, h in heights.items() if h > TALLEST and n not in REFERENCE} == {}


def test_the_build_measures_the_same_height(survey, book):
    code = "from kdfair_book import build; from pathlib import Path; import sys;"
    code += "print(build.page_heights(Path(sys.argv[1]), [Path(sys.argv[1], sys.argv[2])]))"
    done = subprocess.run([sys.executable, "-c", code, book, FIRST], capture_output=True, text=True)
    assert done.stdout.strip() == str({FIRST: survey[FIRST]["height"]}), done.stderr


def test_the_dial_covers_no_text_on_a_first_screen(survey):
    assert sum(page["dials"] for page in survey.values()) > 12
    assert {name: page["covered"] for name, page in survey.items() if page["covered"]} == {}


def test_no_column_is_cut(survey):
    """With all that is folded opened and at other temperatures of the dial."""
    assert {name: page["cut"] for name, page in survey.items() if page["cut"]} == {}


def test_nothing_scrolls_sideways(survey):
    """Every table and every line of code is whole, but a table of 28 columns."""
    found = {
        name: [text for text in page["scrolled"] if "teacher_s0 teacher_s1" not in text]
        for name, page in survey.items()
        if name.rpartition("/")[2] not in ("paper_tables.html", "speed.html")  # as printed
    }
    assert {name: wide for name, wide in found.items() if wide} == {}


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_answers_on_its_first_screen(survey, study):
    """What was found, and the main figure's charts, above the dial."""
    page = survey[f"book/studies/{study}.html"]
    assert page["opening"].startswith(("What we found", "Not measured"))
    figure, dial = page["charts"], page["dial"]
    assert figure["y"] + figure["height"] < dial["y"] < dial["y"] + dial["height"] <= 900
    assert page["folded"]["y"] > figure["y"]


@pytest.mark.parametrize("study", [*STUDIES, "welcome", "claims", "across", "statistics"])
def test_code_waits_at_the_end_behind_one_line(survey, study):
    page = survey[f"book/studies/{study}.html"]
    assert page["code lines"] <= 1
    if page["code lines"]:
        assert page["code"]["y"] > page["last heading"]["y"]
