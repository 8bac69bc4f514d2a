"""The report in headless Chromium: what it shows, and that nothing else happens."""

import pytest
from test_audit_report import HOSTILE, hostile  # noqa: F401  (a fixture)

import kdfair_audit

pytestmark = pytest.mark.browser

LOOK = "getComputedStyle(document.querySelector('.kdfair-audit')).backgroundColor"


@pytest.fixture
def show(chromium, tmp_path):
    """Open HTML from a file; at the end nothing may have been asked for, said or raised."""
    happened, contexts = [], []

    def open_page(text, *, width=1200, dark=False, scripts=True):
        path = tmp_path / f"{len(contexts)}.html"
        path.write_text(text, encoding="utf-8")
        context = chromium.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
        )
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda r: r.url == path.as_uri() or happened.append(r.url))
        page.on("dialog", lambda d: (happened.append(d.message), d.dismiss()))
        page.on("pageerror", lambda e: happened.append(str(e)))
        page.on("console", lambda m: happened.append(m.text))
        page.on("popup", lambda p: happened.append("popup"))
        page.goto(path.as_uri())
        return page

    yield open_page
    assert happened == []
    for context in contexts:
        context.close()


@pytest.fixture
def scored(binary, roles):
    return kdfair_audit.audit(
        binary.assign(student=(0.7 * binary["student"] + 0.1)), **roles, n_boot=200
    )


@pytest.fixture
def turned(seeds, seed_roles):
    return kdfair_audit.audit(seeds, **seed_roles, n_boot=200)


def test_hostile_names_appear_and_never_run(show, hostile):  # noqa: F811
    for text in (hostile.to_html(), f"<!doctype html><body>{hostile._repr_html_()}"):
        page = show(text)
        page.mouse.move(300, 300)
        for summary in page.locator("summary").all():
            summary.click()
        shown = page.locator(".kdfair-audit").inner_text()
        for name in HOSTILE:
            if name.isprintable() and name.strip():
                assert " ".join(name.split()) in " ".join(shown.split())
        assert page.locator("script").count() == 1
        assert page.evaluate("document.querySelectorAll('img, u, b:not(.ka-said b)').length") == 0
        assert page.evaluate("getComputedStyle(document.body).display") == "block"


def test_the_dial_drives_the_report(show, turned):
    page = show(turned.to_html())
    visible = page.locator(".ka-verdict:visible")
    assert visible.count() == 1
    assert "(T = 1)" in visible.inner_text()
    dial = page.get_by_role("slider")
    dial.focus()
    page.keyboard.press("ArrowRight")
    assert "(T = 4)" in page.locator(".ka-verdict:visible").inner_text()
    assert dial.get_attribute("aria-valuetext") == "T = 4"
    now = page.locator(".ka-dot.ka-now")
    assert now.count() == page.locator("svg").count()
    assert set(now.evaluate_all("e => e.map(x => x.dataset.kaAt)")) == {"1"}


def test_the_books_dial_takes_over(show, turned):
    page = show(f"<!doctype html><html lang=en><body>{turned._repr_html_()}")
    page.evaluate("document.dispatchEvent(new CustomEvent('kdfair:dial', {detail: {T: 5}}))")
    assert "(T = 4)" in page.locator(".ka-verdict:visible").inner_text()
    assert not page.locator(".ka-dial").is_visible()
    # Shown twice, each report is started once and has no names in common with the other.
    ids = page.evaluate("[...document.querySelectorAll('.kdfair-audit [id]')].map(e => e.id)")
    assert ids == []


def test_without_scripts_the_first_temperature_is_there(show, turned):
    page = show(turned.to_html(), scripts=False)
    assert "(T = 1)" in page.locator(".ka-verdict:visible").inner_text()
    assert not page.get_by_role("slider").is_visible()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_theme_follows_the_reader_and_the_button(show, scored, dark):
    page = show(scored.to_html(), dark=dark)
    light, night = "rgb(254, 254, 254)", "rgb(20, 24, 30)"
    assert page.evaluate(LOOK) == (night if dark else light)
    page.get_by_role("button", name="Light theme" if dark else "Dark theme").click()
    assert page.evaluate(LOOK) == (light if dark else night)
    page.get_by_role("button", name="Dark theme" if dark else "Light theme").click()
    assert page.evaluate(LOOK) == (night if dark else light)


@pytest.mark.parametrize("report", ["scored", "turned", "hostile"])
def test_no_report_scrolls_sideways(show, request, report):
    page = show(request.getfixturevalue(report).to_html(), width=1600)
    for width in (1600, 768, 360):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("report", ["scored", "turned", "hostile"])
def test_axe_finds_nothing(show, request, report):
    from axe_playwright_python.sync_playwright import Axe

    page = show(request.getfixturevalue(report).to_html())
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    colors, found = set(), []
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        page.evaluate("() => Promise.all(document.getAnimations().map((a) => a.finished))")
        colors.add(page.evaluate(LOOK))
        for violation in Axe().run(page).response["violations"]:
            nodes = [node["html"][:200] for node in violation["nodes"][:3]]
            found.append((theme, violation["id"], violation["impact"], nodes))
    assert found == []
    assert len(colors) == 2  # both were drawn
