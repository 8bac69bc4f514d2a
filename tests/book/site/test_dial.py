"""The temperature dial turns every chart of its page."""

import statistics

import pytest
from browsing import FIRST, STUDY

pytestmark = pytest.mark.browser

STATE = """() => kdfair.figures.map(f => ({
    name: f.state.name,
    T: f.views.map(v => v.signal('T')),
    svg: f.panels.map(p => p.innerHTML).join(''),
    said: f.element.querySelector('.kd-said').textContent,
}))"""
SETTLED = """async () => {
    const own = f => f.state.temperatures[kdfair.nearest(f.state.temperatures, kdfair.dial.value)];
    const behind = () => kdfair.figures.some(f => f.views.some(v => v.signal('T') !== own(f)));
    for (let i = 0; i < 100 && behind(); i++) await new Promise(go => setTimeout(go, 20));
}"""


def settled(page):
    """State of every figure once all of them have answered."""
    page.evaluate(SETTLED)
    return page.evaluate(STATE)


def expect_all_changed(before, after, T):
    assert len(before) == len(after) > 0
    for old, new in zip(before, after, strict=True):
        assert set(new["T"]) == {T}, new["name"]
        assert old["svg"] != new["svg"], f"{new['name']} shows the same at another T"
        assert f"T = {T}" in new["said"]


def test_arrow_keys_turn_every_chart(study):
    page = study.page
    before = settled(page)
    values = page.evaluate("kdfair.dial.values")
    page.focus(".kd-dial input")
    page.keyboard.press("ArrowRight")
    T = values[values.index(4) + 1]
    expect_all_changed(before, settled(page), T)
    assert page.get_attribute(".kd-dial input", "aria-valuetext") == f"T = {T}"
    page.keyboard.press("End")
    assert page.evaluate("kdfair.dial.value") == values[-1]
    assert not study.errors


def test_mouse_turns_every_chart(study):
    page = study.page
    before = settled(page)
    box = page.locator(".kd-dial input").bounding_box()
    page.mouse.click(box["x"] + box["width"] - 12, box["y"] + box["height"] / 2)
    T = page.evaluate("kdfair.dial.values.at(-1)")
    expect_all_changed(before, settled(page), T)


def test_touch_turns_the_dial(chromium, book):
    context = chromium.new_context(viewport={"width": 390, "height": 800}, has_touch=True)
    page = context.new_page()
    page.goto(f"file://{book}/{FIRST}#T=4")
    page.evaluate("kdfair.ready")
    page.locator(".kd-dial").scroll_into_view_if_needed()
    box = page.locator(".kd-dial input").bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] - 12, box["y"] + box["height"] / 2)
    assert page.evaluate("kdfair.dial.value") == page.evaluate("kdfair.dial.values.at(-1)")
    context.close()


def test_place_is_kept_in_the_address_and_from_page_to_page(visit, book):
    _, page = visit(STUDY + "#T=10")
    assert page.evaluate("kdfair.dial.value") == 10
    page.evaluate("kdfair.dial.set(1)")
    page.wait_for_function("location.hash === '#T=1'")
    page.goto(f"file://{book}/{FIRST}")
    page.evaluate("kdfair.ready")
    assert page.evaluate("kdfair.dial.value") == 1
    assert {T for figure in settled(page) for T in figure["T"]} == {1}


def test_address_keeps_its_anchor(visit):
    _, page = visit(STUDY + "#class-by-class&T=10")
    assert page.evaluate("kdfair.dial.value") == 10
    assert page.evaluate("scrollY") > 500
    page.evaluate("kdfair.dial.set(1)")
    page.wait_for_function("location.hash === '#class-by-class&T=1'")


def test_play_goes_through_the_list_and_stops(visit):
    _, page = visit(FIRST + "#T=1")
    values = page.evaluate("kdfair.dial.values")
    page.evaluate("kdfair.dial.set(kdfair.dial.values.at(-2))")
    page.click(".kd-play")
    assert page.get_attribute(".kd-play", "aria-label") == "Pause"
    page.wait_for_function(f"kdfair.dial.value === {values[-1]}")
    page.wait_for_function(
        "document.querySelector('.kd-play').getAttribute('aria-label') !== 'Pause'"
    )


def test_other_scripts_can_subscribe(visit):
    _, page = visit(FIRST + "#T=1")
    heard = page.evaluate(
        """() => { const heard = []; const undo = kdfair.dial.subscribe(T => heard.push(T));
        kdfair.dial.set(10); undo(); kdfair.dial.set(1); return heard; }"""
    )
    assert heard == [1, 10]


def test_a_temperature_that_is_not_on_the_list_takes_the_nearest(visit):
    _, page = visit(FIRST + "#T=1000")
    assert page.evaluate("kdfair.dial.value") == page.evaluate("kdfair.dial.values.at(-1)")


def test_charts_keep_their_size(study):
    page = study.page
    page.evaluate("kdfair.dial.set(1)")
    settled(page)
    boxes = "() => [...document.querySelectorAll('.kd-figure')].map(f => f.offsetHeight)"
    still = page.evaluate(boxes)
    for T in page.evaluate("kdfair.dial.values"):
        page.evaluate(f"kdfair.dial.set({T})")
        settled(page)
        assert page.evaluate(boxes) == still


def test_repaint_takes_less_than_50_ms(study):
    page = study.page
    page.evaluate("kdfair.dial.set(1)")
    settled(page)
    page.evaluate("document.querySelector('.kd-figure').scrollIntoView()")
    page.wait_for_timeout(200)
    took = page.evaluate(
        """async () => {
            kdfair.repaints.length = 0;
            for (let round = 0; round < 3; round++)
                for (const T of kdfair.dial.values) {
                    kdfair.dial.set(T);
                    await new Promise(go => setTimeout(go, 60));
                }
            return kdfair.repaints;
        }"""
    )
    assert len(took) >= 6
    assert statistics.median(took) < 50, sorted(took)


@pytest.mark.parametrize(("width", "labeled"), [(1280, True), (360, False)])
def test_lines_are_labeled_at_their_ends_where_there_is_room(visit, width, labeled):
    """Else the legend names them; at any width one of both does, and no label is cut."""
    _, page = visit("book/studies/cifar10.html", width=width)
    figure = page.locator(".kd-figure").first
    assert figure.locator(".kd-key").is_visible() == (not labeled)
    panel = figure.locator(".kd-panel").first
    names = panel.locator("svg text", has_text="null control")
    assert names.count() == int(labeled)
    if labeled:
        box, room = names.bounding_box(), panel.bounding_box()
        assert box["x"] + box["width"] <= room["x"] + room["width"] + 1
