"""What readers do on a page: follow links, fold, hover, take numbers away, do without scripts."""

from urllib.parse import unquote, urlparse

import pytest
from browsing import AUDIT, FIRST, STUDY, Visit
from bs4 import BeautifulSoup

pytestmark = pytest.mark.browser


def test_pages_work_below_a_path_of_any_host(chromium, host, pages):
    seen = Visit(chromium, (host,))
    for name in [FIRST, STUDY]:
        page = seen.open(f"{host}/{name}#T=4")
        assert page.evaluate("kdfair.figures.every(f => f.views.length)")
    page.goto(f"{host}/index.html")
    page.wait_for_url(f"{host}/{FIRST}")
    assert not seen.foreign and not seen.failed and not seen.errors
    seen.context.close()


def test_the_opening_answers_on_its_first_screen(visit):
    _, page = visit(FIRST)
    findings = page.locator(".kd-answer")
    assert findings.count() == 3
    dial = page.locator(".kd-dial").bounding_box()["y"]
    for finding in findings.all():
        box = finding.bounding_box()
        assert box["y"] + box["height"] < min(dial, 900)
        assert finding.locator("svg[role=img]").count() == 1
        assert finding.locator("a:not(.headerlink)").count() == 1
    unknown = page.locator("p:has(strong)").filter(has_text="What is not known").bounding_box()
    assert unknown["y"] + unknown["height"] <= 900


@pytest.mark.parametrize("name", [STUDY, "book/studies/cifar100.html", "book/studies/across.html"])
def test_nothing_that_a_link_leads_to_lies_under_the_dial(visit, name):
    """Each heading, scrolled to as a link does, and a page's very end."""
    _, page = visit(name)
    for heading in page.locator("article h2").all():
        heading.evaluate("h => h.scrollIntoView({block: 'end'})")
        page.evaluate("() => new Promise(requestAnimationFrame)")
        box, dial = heading.bounding_box(), page.locator(".kd-dial").bounding_box()
        above, below = box["y"] + box["height"] <= dial["y"] + 1, box["y"] >= dial["y"]
        assert above or (below and not page.locator(".kd-dial.kd-follows").count())
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    page.wait_for_selector(".kd-dial.kd-follows")
    end = page.locator("article").bounding_box()
    assert end["y"] + end["height"] <= page.locator(".kd-dial").bounding_box()["y"] + 1


def test_what_is_folded_says_what_it_is(visit):
    _, page = visit(AUDIT)
    lines = page.locator("details.kd-folded > summary").all_inner_texts()
    assert lines == ["The whole report", "The section, in Markdown"]


def test_a_table_of_effects_follows_the_dial(visit):
    _, page = visit(STUDY + "#T=4")
    shown = page.locator(".kd-effects td [data-kd-at]:visible")
    assert {e.get_attribute("data-kd-at") for e in shown.all()} == {"4"}
    page.evaluate("kdfair.dial.set(10)")
    assert {e.get_attribute("data-kd-at") for e in shown.all()} == {"10"}


def test_the_calculator_answers_by_keyboard(visit):
    _, page = visit("book/studies/advice.html")
    answer = page.locator('[data-kd-answer="eod"]')
    before = answer.inner_text()
    page.locator('[data-kd-choice="n"]').focus()
    page.keyboard.press("End")
    assert float(answer.inner_text().split()[0]) < float(before.split()[0])


def test_figures_follow_the_theme(visit):
    _, page = visit(STUDY, dark=True)
    look = """() => { const f = document.querySelector('.kd-figure');
        return [getComputedStyle(f).backgroundColor,
                getComputedStyle(f.querySelector('svg text')).fill]; }"""
    dark = page.evaluate(look)
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    light = page.evaluate(look)
    assert dark[0] != light[0] and dark[1] != light[1]


def test_without_scripts_pictures_and_numbers_stand(visit):
    _, page = visit(STUDY, scripts=False)
    for line in page.locator("details.kd-folded > summary").all():
        line.click()  # what is nested comes after what holds it
    figures = page.locator(".kd-figure")
    assert figures.count() > 5
    for i in range(figures.count()):
        figure = figures.nth(i)
        assert figure.locator(".kd-panel > svg").first.is_visible()
        assert figure.locator(".kd-said").inner_text().startswith("T = ")
        assert figure.locator("table tr").count() > 2
    assert page.locator(".kd-dial").count() == 0


def test_every_figure_says_what_it_shows_and_where_it_is_from(study):
    page = study.page
    for panel in page.locator(".kd-panel").all():
        assert len(panel.get_attribute("aria-label")) > 40
    badges = page.locator(".kd-figure .kd-badge").all_text_contents()
    assert len(badges) == page.locator(".kd-figure").count()
    assert all(b.strip().startswith(("measured here (", "reported by the paper")) for b in badges)


def test_numbers_and_picture_can_be_taken_away(study):
    page = study.page
    figure = page.locator(".kd-figure").first
    with page.expect_download() as download:
        figure.get_by_role("button", name="Download the numbers as CSV").click()
    text = download.value.path().read_text(encoding="utf-8")
    rows = text.strip().splitlines()
    assert len(rows) == figure.locator("table tr").count()
    assert rows[0].startswith("model,")
    with page.expect_download() as download:
        figure.get_by_role("button", name="Download the picture as SVG").click()
    svg = download.value.path().read_text(encoding="utf-8")
    assert BeautifulSoup(svg, "html.parser").find("svg")
    assert "var(" not in svg and "T = 4" in svg
    import xml.etree.ElementTree as tree

    tree.fromstring(svg)


def test_hovering_shows_values(visit):
    _, page = visit(FIRST)
    mark = page.locator(".kd-panel svg .mark-symbol path").first
    # To the middle of the window first: a scroll that is still under way hides the values again.
    mark.evaluate("mark => mark.scrollIntoView({block: 'center', behavior: 'instant'})")
    page.wait_for_timeout(200)
    mark.hover(force=True)
    tip = page.locator(".kd-tip")
    tip.wait_for(state="visible", timeout=5000)
    assert "mean" in tip.inner_text()


def test_links_between_pages_lead_somewhere(book, pages):
    anchors: dict[str, set[str]] = {}

    def ids(path):
        if path not in anchors:
            soup = BeautifulSoup((book / path).read_text(encoding="utf-8"), "html.parser")
            anchors[path] = {e["id"] for e in soup.find_all(id=True)}
        return anchors[path]

    broken = []
    for name in pages:
        soup = BeautifulSoup((book / name).read_text(encoding="utf-8"), "html.parser")
        for link in soup.find_all("a", href=True):
            target = urlparse(link["href"])
            if target.scheme or target.netloc:
                continue
            path = (book / name).parent / unquote(target.path) if target.path else book / name
            path = path.resolve()
            if not path.exists():
                broken.append((name, link["href"]))
            elif target.fragment and path.suffix == ".html":
                relative = path.relative_to(book.resolve()).as_posix()
                if unquote(target.fragment) not in ids(relative) | {""}:
                    broken.append((name, link["href"]))
    assert not broken


def test_no_table_is_left_as_text(book, pages):
    """Markdown tables that a notebook prints are tables on the page."""
    for name in pages:
        soup = BeautifulSoup((book / name).read_text(encoding="utf-8"), "html.parser")
        for element in soup.select("article p"):
            assert not element.get_text().lstrip().startswith("| "), (name, element.get_text()[:60])
