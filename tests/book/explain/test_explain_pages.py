"""The figures of the explanations, worked as a reader works them."""

import re

import pytest

from kdfair_book import toy
from kdfair_book.toy import ROOT

pytestmark = pytest.mark.browser

PAGES = ROOT / "book" / "explain"
ALL = {
    "temperature": ("math.js", "dom.js", "temperature.js"),
    "student": ("math.js", "dom.js", "toy-data.js", "student.js"),
    "thresholds": ("math.js", "dom.js", "fairness.js"),
    "floor": ("math.js", "dom.js", "fairness.js"),
    "individual": ("math.js", "dom.js", "fairness.js"),
}
# The colors of the book's theme that the figures read.
THEMES = {
    "light": "--pst-color-background:#fff;--pst-color-text-base:#222832;"
    "--pst-color-text-muted:#48566b",
    "dark": "--pst-color-background:#14181e;--pst-color-text-base:#ced6dd;"
    "--pst-color-text-muted:#9ca4af",
}
# Stands in for the book's dial.js (tested with the book): the same four names.
DIAL = """
window.kdfair = {dial: {value: 4, values: [1, 2, 4, 10, 40], heard: [],
  set(T) { this.value = T; this.heard.forEach((fn) => fn(T)); },
  subscribe(fn) { this.heard.push(fn); fn(this.value); }}};
"""


def figure(open_page, name, **options):
    return open_page(*ALL[name], name=name, **options)


def slide(page, name, value):
    """Move a range input as a reader would."""
    page.locator(f'[data-name="{name}"]').evaluate(
        "(e, v) => { e.value = v; e.dispatchEvent(new Event('input')); }", str(value)
    )


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("width", [360, 1000])
def test_figures_start_without_an_error_and_fit(open_page, name, width):
    page = figure(open_page, name, width=width)
    assert page.problems == []
    assert page.locator(".kx-explain > *").count() > 2
    too_wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(too_wide) <= 0
    assert page.locator("svg.kx-picture").first.get_attribute("aria-label")


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_figures_have_no_accessibility_violation(open_page, name, theme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = figure(open_page, name)
    page.add_style_tag(
        content=f"html {{{THEMES[theme]}}} body {{background: var(--pst-color-background)}}"
    )
    page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
    violations = axe.Axe().run(page).response["violations"]
    serious = [(v["id"], v["nodes"][0]["html"]) for v in violations
               if v["impact"] in ("serious", "critical")]  # fmt: skip
    assert serious == []


# ---- temperature ---------------------------------------------------------------------------


def shares(page):
    return [float(t) for t in page.locator(".kx-share").all_inner_texts()]


def test_the_talks_example_is_one_click(open_page):
    page = figure(open_page, "temperature")
    page.locator('[data-name="talk"]').click()
    assert shares(page) == [0.33, 0.41, 0.26]
    assert "nearest is T = 4.7 with {0.31, 0.50, 0.19}" in page.locator(".kx-slide").inner_text()
    page.locator('.kx-slide [data-name="nearest"]').click()
    assert shares(page) == [0.31, 0.5, 0.19]
    page.locator('.kx-slide [data-name="exact"]').click()
    assert shares(page) == [0.4, 0.5, 0.1]
    assert "exactly" in page.locator(".kx-slide").inner_text()
    slide(page, "logit-0", 0)  # a changed teacher is no longer the slide's
    assert not page.locator(".kx-slide").is_visible()


def test_temperature_follows_the_dial_and_moves_it(open_page):
    page = figure(open_page, "temperature", prelude=DIAL)
    at = page.locator('[data-name="T"] + output')
    assert at.inner_text() == "T = 4.0"
    page.evaluate("kdfair.dial.set(10)")
    assert at.inner_text() == "T = 10.0"
    slide(page, "T", 63)  # log-even places: 63 of 400 is T = 1
    assert page.evaluate("kdfair.dial.value") == 1
    slide(page, "T", 200)  # between the dial's temperatures: the dial stays
    assert page.evaluate("kdfair.dial.value") == 1
    assert at.inner_text() == "T = 4.5"


def test_keyboard_turns_the_temperature(open_page):
    page = figure(open_page, "temperature")
    page.locator('[data-name="T"]').focus()
    before = shares(page)
    page.keyboard.press("End")
    assert max(shares(page)) < max(before)
    assert "T = 40.0" in page.locator('[data-name="T"] + output').inner_text()


def test_gradients_part_ways_at_high_temperature(open_page):
    page = figure(open_page, "temperature")
    slide(page, "T", 400)

    def sizes():
        return {k: float(page.locator(f'dd[data-name="{k}"]').inner_text())
                for k in ("plain", "scaled", "hard")}  # fmt: skip

    assert sizes()["scaled"] / sizes()["plain"] == pytest.approx(1600, rel=0.06)
    page.locator('[data-name="student"]').select_option("copy")
    assert sizes()["scaled"] == 0


# ---- the student ---------------------------------------------------------------------------


def test_boundaries_move_with_the_dial(open_page):
    page = figure(open_page, "student", prelude=DIAL)
    path = "document.querySelector('path.kx-{}').getAttribute('d')"
    before = {role: page.evaluate(path.format(role)) for role in ("teacher", "nds", "ds")}
    page.evaluate("kdfair.dial.set(40)")
    after = {role: page.evaluate(path.format(role)) for role in ("teacher", "nds", "ds")}
    assert before["ds"] != after["ds"] and len(after["ds"]) > 100
    assert (before["teacher"], before["nds"]) == (after["teacher"], after["nds"])
    assert "T = 40" in page.locator("table").nth(1).inner_text()
    page.locator('[data-name="seed"]').select_option("3")
    assert page.evaluate(path.format("teacher")) != after["teacher"]
    page.locator('[data-name="scale"]').select_option("none")
    page.locator('input[type="checkbox"]').first.uncheck()
    assert page.evaluate(path.format("nds")) == ""
    assert page.problems == []


def test_the_numbers_behind_the_plot(open_page):
    """Each row of the folded table, against the published data."""
    page = figure(open_page, "student")
    page.locator('[data-name="measure"]').select_option("group-1")
    page.locator('[data-name="scale"]').select_option("none")
    page.locator("summary").click()
    rows = page.locator("details tbody tr").all_inner_texts()
    models = toy.load()["models"]
    assert len(rows) == 2 + 13
    for row in rows:
        name, *shown = row.split("\t")
        role = {"Teacher": "teacher", "NDS": "nds"}.get(name, "ds")
        T = int(name.rpartition(" ")[2]) if role == "ds" else None
        kind = (role, T, "none" if role == "ds" else None)
        values = [
            100 * m["by_group"][1]
            for m in models
            if (m["role"], m["temperature"], m["soft_scale"]) == kind
        ]
        expected = [sum(values) / 5, min(values), max(values)]
        assert [float(v.removesuffix(" %")) for v in shown] == pytest.approx(expected, abs=0.051)


def test_boundary_lies_where_the_class_changes(open_page):
    """Every end of a boundary segment has two best classes within the width of a cell."""
    page = figure(open_page, "student")
    worst = page.evaluate(
        """() => {
          const model = kdfair.toy.models[0], side = 97;
          const logits = kdfair.student.onGrid(model.layers);
          let worst = 0;
          for (const [x, y] of kdfair.student.boundary(logits)) {
            const at = [x, y].map((v, i) => (i ? 3.6 - v * 7.2 / 96 : v * 7.2 / 96 - 3.6));
            const z = kdfair.math.network(model.layers, at).sort((a, b) => b - a);
            worst = Math.max(worst, z[0] - z[1]);
          }
          return worst;
        }"""
    )
    assert worst < 0.5


def test_the_cross_moves_by_keyboard_and_by_pointer(open_page):
    page = figure(open_page, "student")
    plane = page.locator("svg.kx-plane")
    plane.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    assert "(1.5, 0.3)" in page.locator("table").first.inner_text()
    box = plane.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    caption = page.locator("table caption").first.inner_text()
    assert [abs(float(v)) for v in re.findall(r"-?[\d.]+(?=[,)])", caption)] == [0, 0]


# ---- fairness ------------------------------------------------------------------------------


def verdict(page):
    """DPD and EOD in points."""
    text = page.locator(".kx-verdict").inner_text()
    return tuple(float(re.search(rf"{m}\D*([\d.]+) points", text)[1]) for m in ("DPD", "EOD"))


def test_one_can_be_made_fair_and_the_other_not(open_page):
    page = figure(open_page, "thresholds")
    done = page.locator(".kx-reached")
    assert done.count() == 0
    page.locator('[data-name="parity"]').click()
    dpd, eod = verdict(page)
    assert dpd == 0 and eod >= 20
    page.locator('[data-name="odds"]').click()
    dpd, eod = verdict(page)
    assert eod == 0 and dpd == 15  # = |1/2 - 1/4| * (0.8 - 0.2), the formula of the page
    assert done.count() == 2
    slide(page, "cut-A", 12)
    slide(page, "cut-B", 12)
    assert verdict(page) == (0, 0) and done.count() == 3
    page.locator('[data-name="perfect"]').click()
    assert verdict(page) == (25, 0)


def test_only_trivial_rules_satisfy_both(open_page):
    """The page says so; here every pair of thresholds is tried."""
    page = figure(open_page, "thresholds")
    both = page.evaluate(
        """() => {
          const found = [];
          for (let a = 0; a <= 12; a++) for (let b = 0; b <= 12; b++) {
            const f = kdfair.math.groupFairness(kdfair.fairness.crowd({A: a, B: b}));
            if (f.dpd < 1e-9 && f.eod < 1e-9) found.push([f.groups.A.selection]);
          }
          return found.flat();
        }"""
    )
    assert sorted(set(both)) == [0, 1]


def test_thresholds_can_be_dragged(open_page):
    page = figure(open_page, "thresholds")
    box = page.locator("svg.kx-drag").first.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 9.1 / 12, box["y"] + 40)
    assert page.locator('[data-name="cut-A"] + output').inner_text() == "score 9"


def test_the_floor_is_the_difference_of_base_rates(open_page):
    page = figure(open_page, "floor")
    slide(page, "rate-A", 80)
    slide(page, "rate-B", 30)
    assert "DPD is 50.0 points" in page.locator(".kx-verdict").inner_text()
    page.locator('[data-name="force"]').click()
    text = page.locator(".kx-verdict").inner_text()
    assert "DPD 0.0 points, and 20 of 80 decisions are wrong" in text
    slide(page, "rate-B", 90)  # more qualified in B than in A: the errors turn around
    assert "DPD 0.0 points, and 4 of 80" in page.locator(".kx-verdict").inner_text()


def test_softness_lowers_individual_unfairness_and_changes_no_decision(open_page):
    page = figure(open_page, "individual")
    page.locator('[data-name="shares"]').click()

    def unfairness():
        return float(re.search(r"unfairness ([\d.]+)", page.locator(".kx-verdict").inner_text())[1])

    sharp, gaps = unfairness(), verdict(page)
    slide(page, "softness", 4)
    assert unfairness() < sharp / 2 and verdict(page) == gaps
    assert "done" in page.locator(".kx-tasks li").nth(1).inner_text()
    page.locator('[data-name="one"]').click()
    dpd, eod = verdict(page)
    assert dpd == 25 and eod == 0


# ---- without JavaScript --------------------------------------------------------------------


@pytest.mark.parametrize("page_name", ["temperature", "student", "fairness"])
def test_a_picture_stands_in_without_javascript(page_name):
    text = (PAGES / f"{page_name}.md").read_text()
    stand_ins = re.findall(
        r'<noscript>\n<img src="\.\./\.\./(_static/explain/[^"]+)"[^>]* alt="([^"]+)"', text
    )
    assert len(stand_ins) == text.count('class="kx-explain')
    for path, alternative in stand_ins:
        assert (ROOT / "book" / path).stat().st_size < 150_000
        assert len(alternative) > 80
