"""A study of one's own in one file: alive without a server, and nothing fetched."""

from pathlib import Path

import pytest

from kdfair_book import report
from kdfair_core import results

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[3] / "data" / "examples"


@pytest.fixture(scope="module")
def found():
    return results.load("digits", root=EXAMPLES)


@pytest.fixture(scope="module")
def page(found, tmp_path_factory):
    out = tmp_path_factory.mktemp("report") / "mine.html"
    title = "Digits <script>alert(1)</script>"
    assert report(found, out, title=title, start=5) == out
    return out


def test_it_says_what_it_shows(page, found):
    text = page.read_text(encoding="utf-8")
    assert "Digits &lt;script&gt;alert(1)" in text
    assert text.count('class="kd-figure"') == 5
    assert "measured here (own)" in text and "decides nothing about the paper" in text
    assert "40 runs on 899 test examples of 10 classes: 5 seeds, T = 1, 2, 4, 8, 20" in text
    assert "<td" in text and "undecided" in text
    assert page.stat().st_size < 3e6
    assert [p.name for p in page.parent.iterdir()] == ["mine.html"]


@pytest.mark.browser
def test_the_dial_turns_every_figure_and_nothing_is_fetched(page, chromium):
    context = chromium.new_context(viewport={"width": 1100, "height": 900})
    asked, errors = [], []
    tab = context.new_page()
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.on("console", lambda m: errors.append(m.text) if m.type in ("error", "warning") else None)
    tab.goto(f"file://{page}#T=4")
    tab.evaluate("() => kdfair.ready")
    assert tab.evaluate("kdfair.figures.every(f => f.views.length)")
    said = [said.inner_text() for said in tab.locator(".kd-said").all()]
    tab.locator(".kd-dial input").focus()
    tab.keyboard.press("ArrowRight")
    tab.wait_for_function("location.hash === '#T=8'")
    now = [said.inner_text() for said in tab.locator(".kd-said").all()]
    assert len(now) == 5 and all(a != b and "T = 8" in b for a, b in zip(said, now, strict=True))
    assert asked == [f"file://{page}#T=4"] or [u.split("#")[0] for u in asked] == [f"file://{page}"]
    assert errors == []
    context.close()


def test_what_cannot_be_shown(found, tmp_path):
    with pytest.raises(ValueError, match="does not end in"):
        report(found, tmp_path / "mine.pdf")
    alone = found.only(seeds=[5, 6])  # null seeds: students alone
    with pytest.raises(ValueError, match="has no distilled students"):
        report(alone, tmp_path / "mine.html")


def test_one_seed_says_what_it_would_take(found, tmp_path):
    text = report(found.only(seeds=[0]), tmp_path / "one.html").read_text(encoding="utf-8")
    assert "Not shown: there are 1 whole seeds; this needs 2" in text
