"""How tall pages are, and what the first screen shows."""

import pytest
from browsing import Visit

from kdfair_book.build import REFERENCE, TALLEST

pytestmark = pytest.mark.browser

#: Lines of text in sight of which the dial covers a part.
COVERED = """() => {
    const dial = document.querySelector('.kd-dial');
    if (!dial) return [];
    const d = dial.getBoundingClientRect();
    const found = [];
    const texts = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const node = texts.currentNode;
        if (!node.data.trim() || dial.contains(node)) continue;
        if (!node.parentElement.checkVisibility({visibilityProperty: true})) continue;
        const range = document.createRange();
        range.selectNodeContents(node);
        for (const r of range.getClientRects())
            if (r.width && r.bottom > d.top + 1 && r.top < Math.min(d.bottom, innerHeight) - 1
                && r.right > d.left && r.left < d.right) { found.push(node.data.trim()); break; }
    }
    return found;
}"""


def test_no_page_is_too_tall(chromium, book, pages):
    """At 1280: none above the limit that the build names."""
    seen = Visit(chromium, ("file://",))
    heights = {}
    for name in pages:
        page = seen.open(f"file://{book}/{name}")
        heights[name] = page.evaluate("document.documentElement.scrollHeight")
    seen.context.close()
    tall = {n: h for n, h in heights.items() if h > TALLEST and n not in REFERENCE}
    assert tall == {}


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (360, 780)])
def test_the_dial_covers_no_text_on_a_first_screen(chromium, book, pages, width, height):
    seen = Visit(chromium, ("file://",), viewport={"width": width, "height": height})
    covered, with_dial = {}, 0
    for name in pages:
        page = seen.open(f"file://{book}/{name}")
        with_dial += page.locator(".kd-dial").count()
        covered[name] = page.evaluate(COVERED)
    seen.context.close()
    assert with_dial > 12
    assert {name: texts for name, texts in covered.items() if texts} == {}


@pytest.mark.parametrize("width", [1280, 360])
def test_the_dial_follows_through_the_charts(visit, width):
    """It leaves its place in the page only when that is out of sight, and leaves no hole."""
    _, page = visit("book/studies/trifeature.html", width=width)
    assert page.locator(".kd-dock .kd-dial:not(.kd-follows)").count() == 1
    tall = "document.documentElement.scrollHeight"
    still = page.evaluate(tall)
    page.locator(".kd-figure:visible").last.scroll_into_view_if_needed()
    page.wait_for_selector(".kd-dial.kd-follows")
    box = page.locator(".kd-dial").bounding_box()
    assert box["y"] + box["height"] == pytest.approx(900, abs=1)
    assert page.evaluate(tall) == pytest.approx(still, abs=2)
    page.evaluate("document.querySelector('.kd-dock').scrollIntoView({block: 'center'})")
    page.wait_for_selector(".kd-dial:not(.kd-follows)")
