"""The dial follows a reader through a page."""

import pytest

pytestmark = pytest.mark.browser


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
