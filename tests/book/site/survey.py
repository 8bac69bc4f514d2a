"""Every page opened once at one width, and all that is asked of it there looked up at once.

A page takes seconds to load and seconds more for axe, so the tests of all pages share the visits.
"""

import gzip
from typing import Any
from urllib.parse import urldefrag

from axe_playwright_python.sync_playwright import Axe
from browsing import AUDIT, STUDY, Visit

#: What no page may have; in each theme where it is drawn.
FINDINGS = ["foreign", "failed", "errors", "axe", "wide", "printed dial"]
#: Pages that Sphinx makes by itself.
APART = ("search.html", "genindex.html")
# preload: axe would fetch style sheets, which Chromium refuses a page from a folder. Details of
# what passes would take half of the time.
AXE = {"preload": False, "resultTypes": ["violations"]}
SETTLED = """() => Promise.race([
    Promise.allSettled(document.getAnimations().map((a) => a.finished)),
    new Promise((done) => setTimeout(done, 1000)),
])"""

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

# Tables that a page shows at once, wider than the page.
SCROLLED = """() => [...document.querySelectorAll("article :is(table, pre)")].filter((part) => {
    if (!part.checkVisibility() || part.closest("details:not(.kd-folded)")) return false;
    const box = part.tagName === "TABLE" ? part.parentElement : part;
    return Math.max(part.scrollWidth, box.scrollWidth) > box.clientWidth + 1;
}).map((part) => part.textContent.replace(/\\s+/g, " ").trim().slice(0, 60))"""

# Opens what is folded, and remembers it to close it again.
OPEN = """(which) => {
    window.opened ??= [];
    for (const d of document.querySelectorAll(which + ':not([open])')) {
        d.open = true;
        window.opened.push(d);
    }
}"""
CLOSE = "window.opened.forEach((d) => { d.open = false; })"


def visit_all(
    browser: Any,
    url: str,
    names: list[str],
    *,
    size: tuple[int, int],
    narrower: tuple[int, ...],
    dark_first: bool,
) -> dict[str, dict[Any, Any]]:
    """What is found on each page below ``url``, opened at ``size`` in one theme, then the other.

    ``narrower`` are further widths at which a page must not scroll sideways.
    """
    themes = ("dark", "light") if dark_first else ("light", "dark")
    width, height = size
    screen = {"width": width, "height": height}
    allowed = "file://" if url.startswith("file://") else url
    seen = Visit(browser, (allowed,), viewport=screen, color_scheme=themes[0])
    fetched: dict[str, int] = {}

    def weigh(response: Any) -> None:
        """Over the wire, compressed; each file once."""
        at = urldefrag(response.url)[0]
        if at.startswith("http") and at not in fetched and response.status == 200:
            body = response.body()
            packed = at.endswith((".woff2", ".png"))
            fetched[at] = len(body) if packed else len(gzip.compress(body))

    seen.page.on("response", weigh)
    survey = {}
    for name in names:
        before = sum(fetched.values())
        page = seen.open(f"{url}/{name}")
        page.wait_for_timeout(300)  # what the page fetches when it is alive
        found = survey[name] = {"weight": sum(fetched.values()) - before, **first_screen(page)}
        page.evaluate(Axe().axe_script)
        for theme in themes:
            page.emulate_media(color_scheme=theme)
            page.wait_for_function(f"document.documentElement.dataset.theme === '{theme}'")
            page.evaluate(SETTLED)  # colors that are still changing are nobody's
            found["axe", theme] = violations(page)
            found["wide", theme] = [width] if scroll_width(page) > width else []
        found |= unfolded(page, name)
        for theme in themes:
            page.emulate_media(color_scheme=theme)
            for other in narrower:
                page.set_viewport_size({"width": other, "height": 800})
                if scroll_width(page) > other:
                    found["wide", theme].append(other)
            page.emulate_media(media="print")
            found["printed dial", theme] = page.locator(".kd-dial:visible").count()
            page.emulate_media(media="screen")
        found |= {"foreign": [*seen.foreign], "failed": [*seen.failed], "errors": [*seen.errors]}
        for happened in (seen.foreign, seen.failed, seen.errors):
            happened.clear()
        # The next page opens as the first one did.
        page.evaluate("localStorage.clear()")
        page.emulate_media(color_scheme=themes[0])
        page.set_viewport_size(screen)
    seen.context.close()
    return survey


def scroll_width(page: Any) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth"))


def violations(page: Any) -> list[tuple[str, list[str]]]:
    """Serious and critical ones, as (rule, the first elements)."""
    return [
        (v["id"], [node["html"][:160] for node in v["nodes"][:3]])
        for v in page.evaluate("(options) => axe.run(options).then((r) => r.violations)", AXE)
        if v["impact"] in ("serious", "critical")
    ]


def first_screen(page: Any) -> dict[str, Any]:
    """What stands where on a page that was just opened; boxes are None where there is nothing."""

    def box(found: Any) -> dict[str, float] | None:
        return found.first.bounding_box() if found.count() else None

    article = page.locator("article")
    code = page.get_by_text("Show the code")
    first = article.locator("p")
    return {
        "height": page.evaluate("document.documentElement.scrollHeight"),
        "dials": page.locator(".kd-dial").count(),
        "covered": page.evaluate(COVERED),
        "opening": first.first.inner_text() if first.count() else "",
        "charts": box(page.locator(".kd-figure").first.locator(".kd-panels")),
        "dial": box(page.locator(".kd-dial")),
        "folded": box(article.locator("details")),
        "code lines": code.count(),
        "code": box(code),
        "last heading": box(article.locator("h2").last),
    }


def unfolded(page: Any, name: str) -> dict[str, list[str]]:
    """What is cut or scrolls sideways when folded parts are open; they are closed again."""
    page.evaluate(OPEN, ".kd-folded")
    page.wait_for_timeout(300)  # what scrolls is found again
    scrolled = page.evaluate(SCROLLED)
    page.evaluate(OPEN, "details")
    page.wait_for_timeout(300)
    cut = page.evaluate(CUT)
    if name in (STUDY, AUDIT):
        page.evaluate("kdfair.dial.set(kdfair.dial.values.at(-1))")
        page.wait_for_timeout(300)
        cut += page.evaluate(CUT)
    page.evaluate(CLOSE)
    return {"scrolled": scrolled, "cut": cut}


def where(survey: dict[str, dict[Any, Any]], finding: str) -> dict[Any, Any]:
    """{(page, finding and theme): what was found}, where anything was."""
    return {
        (name, key): what
        for name, page in survey.items()
        for key, what in page.items()
        if finding in (key, key[0]) and what
    }
