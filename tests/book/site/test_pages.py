"""Every page: nothing from elsewhere, readable by everyone, light."""

import gzip
from urllib.parse import unquote, urldefrag, urlparse

import pytest
from browsing import FIRST, STUDY, Visit
from bs4 import BeautifulSoup

pytestmark = pytest.mark.browser


# preload: axe would fetch style sheets, which Chromium refuses a page from a folder. Details of
# what passes would take half of the time.
SETTLED = """() => Promise.race([
    Promise.allSettled(document.getAnimations().map((a) => a.finished)),
    new Promise((done) => setTimeout(done, 1000)),
])"""
AXE = {"preload": False, "resultTypes": ["violations"]}


@pytest.fixture(scope="module")
def survey(chromium, book, pages):
    """What was found on each page, light and dark: {(page, theme): findings}."""
    from axe_playwright_python.sync_playwright import Axe

    assert FIRST in pages and STUDY in pages
    found = {}
    for name in [*pages, "search.html", "genindex.html"]:
        for theme in ("light", "dark"):
            seen = Visit(chromium, ("file://",), color_scheme=theme)
            page = seen.open(f"file://{book}/{name}")
            page.evaluate(SETTLED)  # colors that are still changing are nobody's
            axe = _violations(Axe(), page)
            wide = []
            for width in (768, 360):
                page.set_viewport_size({"width": width, "height": 800})
                if page.evaluate("document.documentElement.scrollWidth") > width:
                    wide.append(width)
            page.wait_for_timeout(300)  # what scrolls is found again
            narrow = _violations(Axe(), page)
            page.emulate_media(media="print")
            found[name, theme] = {
                "foreign": seen.foreign,
                "failed": seen.failed,
                "errors": seen.errors,
                "axe": axe,
                "axe at 360": narrow,
                "wide": wide,
                "printed dial": page.locator(".kd-dial:visible").count(),
            }
            seen.context.close()
    return found


def _violations(axe, page):
    """Serious and critical ones, as (rule, the first elements)."""
    return [
        (v["id"], [node["html"][:160] for node in v["nodes"][:3]])
        for v in axe.run(page, options=AXE).response["violations"]
        if v["impact"] in ("serious", "critical")
    ]


FINDINGS = ["foreign", "failed", "errors", "axe", "axe at 360", "wide", "printed dial"]


@pytest.mark.parametrize("finding", FINDINGS)
def test_no_page_has(survey, finding):
    """Requests to elsewhere, missing files, errors on the console, serious or critical
    violations of axe's rules, sideways scrolling at 768 or 360 pixels, a dial on paper."""
    assert {where: found[finding] for where, found in survey.items() if found[finding]} == {}


def test_pages_work_below_a_path_of_any_host(chromium, host, pages):
    seen = Visit(chromium, (host,))
    for name in [FIRST, STUDY]:
        page = seen.open(f"{host}/{name}#T=4")
        assert page.evaluate("kdfair.figures.every(f => f.views.length)")
    page.goto(f"{host}/index.html")
    page.wait_for_url(f"{host}/{FIRST}")
    assert not seen.foreign and not seen.failed and not seen.errors
    seen.context.close()


def test_pages_are_light(chromium, host, book):
    """Over the wire, compressed: the first page with all that it loads, then what others add."""
    seen = Visit(chromium, (host,))
    fetched: dict[str, int] = {}

    def weigh(response):
        url = urldefrag(response.url)[0]
        if url.startswith("http") and url not in fetched and response.status == 200:
            body = response.body()
            packed = url.endswith((".woff2", ".png"))
            fetched[url] = len(body) if packed else len(gzip.compress(body))

    seen.page.on("response", weigh)
    seen.open(f"{host}/{FIRST}")
    seen.page.wait_for_timeout(300)
    first = sum(fetched.values())
    assert first < 1_500_000, fetched
    for page in sorted(book.rglob("book/**/*.html")):
        before = sum(fetched.values())
        seen.open(f"{host}/{page.relative_to(book).as_posix()}")
        seen.page.wait_for_timeout(100)
        assert sum(fetched.values()) - before < 400_000, page.name
    seen.context.close()


STUDIES = ["trifeature", "cifar10", "svhn", "cifar100", "tiny_imagenet", "imagenet", "celeba"]
STUDIES += ["hatexplain", "faces"]


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_answers_on_its_first_screen(visit, study):
    """At 1280 by 900: what was found, and the main figure's charts, above the dial."""
    _, page = visit(f"book/studies/{study}.html")
    article = page.locator("article")
    assert article.locator("p").first.inner_text().startswith(("What we found", "Not measured"))
    figure = page.locator(".kd-figure").first.locator(".kd-panels").bounding_box()
    dial = page.locator(".kd-dial").bounding_box()
    assert figure["y"] + figure["height"] < dial["y"] < dial["y"] + dial["height"] <= 900
    assert article.locator("details").first.bounding_box()["y"] > figure["y"]


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


@pytest.mark.parametrize("study", [*STUDIES, "welcome", "claims", "across", "statistics"])
def test_code_waits_at_the_end_behind_one_line(visit, study):
    _, page = visit(f"book/studies/{study}.html")
    toggles = page.get_by_text("Show the code")
    assert toggles.count() <= 1
    if toggles.count():
        last = page.locator("article h2").last.bounding_box()
        assert toggles.bounding_box()["y"] > last["y"]


# What is wider than its box and cannot be scrolled to by keyboard; what a box that does not scroll
# cuts; what lies behind a line is opened first.
CUT = """() => {
    const cut = [];
    for (const part of document.querySelectorAll("article :is(table, pre)")) {
        if (!part.checkVisibility()) continue;
        const box = part.tagName === "TABLE" ? part.parentElement : part;
        const over = Math.max(part.scrollWidth, box.scrollWidth) - box.clientWidth;
        if (over > 1 && !box.closest("[tabindex='0']")) cut.push(part.textContent.slice(0, 60));
        for (const cell of part.querySelectorAll("td, th"))
            if (cell.scrollWidth > cell.clientWidth + 1
                && getComputedStyle(cell).overflow !== "visible") cut.push(cell.textContent);
    }
    return cut;
}"""
# Tables that a page shows at once, wider than the page, in sight of a reader at 1280.
SCROLLED = """() => [...document.querySelectorAll("article :is(table, pre)")].filter((part) => {
    if (!part.checkVisibility() || part.closest("details:not(.kd-folded)")) return false;
    const box = part.tagName === "TABLE" ? part.parentElement : part;
    return Math.max(part.scrollWidth, box.scrollWidth) > box.clientWidth + 1;
}).map((part) => part.textContent.replace(/\\s+/g, " ").trim().slice(0, 60))"""
AUDIT = "book/studies/audit.html"
OPEN_ALL = "document.querySelectorAll('details').forEach((d) => (d.open = true))"


@pytest.mark.parametrize("width", [1280, 360])
def test_no_column_is_cut(chromium, book, pages, width):
    """On any page, with all that is folded opened and at other temperatures of the dial."""
    seen = Visit(chromium, ("file://",), viewport={"width": width, "height": 900})
    found = {}
    for name in pages:
        page = seen.open(f"file://{book}/{name}")
        page.evaluate(OPEN_ALL)
        page.wait_for_timeout(300)  # what scrolls is found again
        cut = page.evaluate(CUT)
        if name in (STUDY, AUDIT):
            page.evaluate("kdfair.dial.set(kdfair.dial.values.at(-1))")
            page.wait_for_timeout(300)
            cut += page.evaluate(CUT)
        found[name] = cut
    seen.context.close()
    assert {name: cut for name, cut in found.items() if cut} == {}


def test_nothing_scrolls_sideways_on_a_wide_screen(chromium, book, pages):
    """At 1280 every table and every line of code is whole, but a table of 28 columns."""
    seen = Visit(chromium, ("file://",))
    found = {}
    for name in pages:
        if name.rpartition("/")[2] in ("paper_tables.html", "speed.html"):  # printed as they are
            continue
        page = seen.open(f"file://{book}/{name}")
        page.evaluate("document.querySelectorAll('.kd-folded').forEach((d) => (d.open = true))")
        page.wait_for_timeout(200)
        wide = page.evaluate(SCROLLED)
        found[name] = [text for text in wide if "teacher_s0 teacher_s1" not in text]
    seen.context.close()
    assert {name: wide for name, wide in found.items() if wide} == {}


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


def test_every_figure_says_what_it_shows_and_where_it_is_from(visit):
    _, page = visit(STUDY)
    for panel in page.locator(".kd-panel").all():
        assert len(panel.get_attribute("aria-label")) > 40
    badges = page.locator(".kd-figure .kd-badge").all_text_contents()
    assert len(badges) == page.locator(".kd-figure").count()
    assert all(b.strip().startswith(("measured here (", "reported by the paper")) for b in badges)


def test_numbers_and_picture_can_be_taken_away(visit):
    _, page = visit(STUDY + "#T=4")
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
