"""Abbreviations are spelled out at their first use on every page."""

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "book" / "_ext"))
from spelled_out import FULL, spelled_out


def test_the_first_use_alone_is_spelled_out():
    assert spelled_out("<p>EOD by color, EOD by texture.</p>") == (
        "<p>EOD (equalized odds difference) by color, EOD by texture.</p>"
    )
    assert "#SC (the number of classes" in spelled_out("<li>#SC rises</li>")
    assert spelled_out("<p>At T = 4 and T = 5</p>") == "<p>At temperature T = 4 and T = 5</p>"
    assert spelled_out("<p>the factor T²</p>") == "<p>the factor T² (T: the temperature)</p>"


@pytest.mark.parametrize(
    "said",
    [
        "<p>The <em>equalized odds difference</em> (EOD) is small.</p>",
        "<p>EOD, the equalized odds difference, is small.</p>",
        "<p>The temperature is turned. At T = 4</p>",
        "<h2>EOD</h2><p>nothing</p>",
        "<pre>EOD</pre><code>EOD</code><svg><text>EOD</text></svg>",
        '<table class="kd-table"><tr><td>EOD</td></tr></table>',
        '<p class="kd-readout">T = 4. EOD 3 %</p>',
        "<p>RECORDS and EODs, a TDS</p>",
        '<script type="application/json">{"a": "EOD"}</script>',
    ],
)
def test_the_rest_is_left_as_it_is(said):
    assert spelled_out(said) == said


def test_a_far_explanation_does_not_count():
    filler = "word " * 100
    said = f"<p>equalized odds difference</p><p>{filler}</p><p>EOD</p><p>{filler}EOD</p>"
    assert spelled_out(said).count("EOD (equalized odds difference)") == 1


@pytest.mark.browser
def test_every_page_of_the_book_is_spelled_out(book, pages):
    """The rule finds nothing left to do, and did something."""
    did = 0
    for name in pages:
        if name.endswith(("glossary.html", "api.html")):
            continue
        text = (book / name).read_text(encoding="utf-8")
        article = re.search(r"<article.*</article>", text, re.DOTALL)[0]
        assert spelled_out(article) == article, name
        did += any(f"{short} ({full})" in article for short, (full, _) in FULL.items())
    assert did > 5
