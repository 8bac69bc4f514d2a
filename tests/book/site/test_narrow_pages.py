"""Every page from its folder, on a phone: nothing from elsewhere, readable by all, nothing cut."""

import pytest
from browsing import FIRST, STUDY
from survey import APART, FINDINGS, visit_all, where

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def survey(chromium, book, pages):
    """What was found on each page: {page: findings}."""
    assert FIRST in pages and STUDY in pages
    return visit_all(
        chromium,
        f"file://{book}",
        [*pages, *APART],
        size=(360, 780),
        narrower=(),
        dark_first=True,
    )


@pytest.mark.parametrize("finding", FINDINGS)
def test_no_page_has(survey, finding):
    """Requests to elsewhere, missing files, errors on the console, serious or critical
    violations of axe's rules, sideways scrolling, a dial on paper."""
    assert where(survey, finding) == {}


def test_the_dial_covers_no_text_on_a_first_screen(survey):
    assert sum(page["dials"] for page in survey.values()) > 12
    assert {name: page["covered"] for name, page in survey.items() if page["covered"]} == {}


def test_no_column_is_cut(survey):
    """With all that is folded opened and at other temperatures of the dial."""
    assert {name: page["cut"] for name, page in survey.items() if page["cut"]} == {}
