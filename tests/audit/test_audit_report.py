"""The report's forms: whole, equal, and safe whatever the data are called."""

import html.parser
import json
import re

import numpy as np
import pandas as pd
import pytest

import kdfair_audit
from kdfair_audit import merging
from kdfair_audit.errors import AuditError
from kdfair_audit.numbers import points, span

HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "<!--",
    "]]>",
    "&lt;b&gt; &amp; &#60;",
    "{{7*7}} ${7*7} `id`",
    "| a | b |\n| --- | --- |",
    "[click](javascript:alert(1)) ![x](http://evil.example/x.png)",
    "# heading\n- item",
    "\u202eabc\u202d \u0000 \x1b[31m",
    "</style><style>*{display:none}",
    "=cmd|' /C calc'!A0",
    " ",
    "",
    "naïve 中文 🙂",
]


@pytest.fixture
def report(binary, roles):
    return kdfair_audit.audit(binary, **roles)


@pytest.fixture
def hostile():
    """Every name and value in the table is hostile."""
    rng = np.random.default_rng(0)
    n = 1200
    y = rng.integers(0, len(HOSTILE), n)
    names = np.array(HOSTILE, dtype=object)
    columns = {
        "<b>label</b>": names[y],
        '<i onclick="alert(1)">group</i>': names[rng.integers(0, len(HOSTILE), n)],
        "</script><script>alert(2)</script>": rng.choice(["<u>a", "b&amp;c"], n),
        "<img src=x onerror=alert(3)>": names[
            np.where(rng.random(n) < 0.3, rng.integers(0, len(HOSTILE), n), y)
        ],
        "t:T=4": names[np.where(rng.random(n) < 0.1, rng.integers(0, len(HOSTILE), n), y)],
    }
    label, group, other, student, teacher = columns
    return kdfair_audit.audit(
        columns,
        label=label,
        groups=[group, other],
        teacher=teacher,
        distilled=student,
        title="</title><script>alert(4)</script>",
    )


class Tags(html.parser.HTMLParser):
    """Names of elements and attributes, and the text between them."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.texts = [], set(), []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data):
        self.texts.append(data)


def test_hostile_names_are_text(hostile):
    page = Tags(hostile.to_html())
    assert page.tags.count("script") == 1
    assert page.tags.count("style") == 2
    assert not {"img", "i onclick", "u", "a"} & set(page.tags)
    assert not any(name.startswith("on") for name in page.attributes)
    shown = "".join(page.texts)
    for name in HOSTILE:
        if name.isprintable() and name.strip():
            assert name in shown
    assert "<b>label</b>" not in hostile.to_html()
    assert "\u202e" not in hostile.to_html()


def test_hostile_names_do_not_leave_their_cell_of_markdown(hostile):
    text = hostile.to_markdown()
    assert "<" not in text
    assert "](" not in text.replace("\\](", "")
    for line in text.splitlines():
        assert line == "" or line[0] in "#-|" or line.startswith("Audited on")
    bars = {
        len(line.replace("\\|", "").split("|")) for line in text.splitlines() if line[:1] == "|"
    }
    assert len(bars) <= 3  # the three tables
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings == ["## Fairness after distillation"]


def test_hostile_names_survive_in_json(hostile):
    report = json.loads(hostile.to_json())
    assert set(HOSTILE) - {" ", ""} <= set(report["classes"])
    assert report["title"] == "</title><script>alert(4)</script>"


def test_nothing_is_fetched(report):
    text = report.to_html()
    assert "http:" not in text and "https:" not in text and "//" not in text.replace("// ", "")
    assert "default-src 'none'" in text
    page = Tags(text)
    assert not {"link", "img", "iframe", "object", "embed", "base", "form"} & set(page.tags)
    assert not {"src", "href", "srcset", "action"} & page.attributes


def test_json_holds_every_number(report):
    read = json.loads(report.to_json())
    assert read["examples"] == 2000
    assert read["groups"]["sex"] == ["F", "M"]
    assert set(read["frames"]) == set(report.frames)
    for name, frame in report.frames.items():
        again = pd.DataFrame(read["frames"][name]["rows"], columns=read["frames"][name]["columns"])
        assert list(again.columns) == list(frame.columns)
        for column in frame.select_dtypes("number"):
            np.testing.assert_array_equal(again[column].astype(float), frame[column].astype(float))


def test_html_and_markdown_show_the_same_numbers(report):
    shown, text = "".join(Tags(report.to_html()).texts), report.to_markdown()
    for line in report.verdict():
        heading, _, sentence = line.partition(": ")
        assert sentence in shown
        assert f"- **{heading}.** {sentence}" in text
    for row in report.frames["fairness"].to_dict("records"):
        value = f"{100 * row['value']:.1f}%"
        assert value in shown
        assert f"{row['metric'].upper()} | " in text and f"| {value} |" in text


def test_changed_classes_are_shown_relative_to_overall(report, seeds, seed_roles):
    seeded = kdfair_audit.audit(seeds, **seed_roles, n_boot=50)
    for one in (report, seeded):
        changed = one.frames["changed_classes"]
        hits = changed[changed["significant"]]
        assert len(hits)
        page, text = Tags(one.to_html()), one.to_markdown()
        assert "“Relative to overall” is the change" in text
        assert page.texts.count("relative to overall") == len(
            changed[["against", "temperature"]].drop_duplicates()
        )
        for row in changed.to_dict("records"):
            assert points(row["relative"]) in page.texts
            cells = [points(row["change"]), span(row["low"], row["high"], "points")]
            line = f"| {' | '.join([*cells, points(row['relative'])])} |"
            assert (f"| {row['class']} | {row['against']} |" in text) or not row["significant"]
            assert (line in text) or not row["significant"]
        assert text.count("| Changed class |") == 1


def test_a_card_lists_the_classes_that_changed_most_and_says_how_many_more():
    n = 20
    y = np.repeat(np.arange(n), 60)
    student = np.where(np.arange(len(y)) % 60 < np.repeat(np.arange(n) + 12, 60), (y + 1) % n, y)
    columns = {"y": y, "g": np.tile(["a", "b"], 600), "t": y, "s": student}
    report = kdfair_audit.audit(
        columns, label="y", groups="g", teacher="t", distilled="s", n_boot=50
    )
    assert report.frames["changed_classes"]["significant"].all()
    text = report.to_markdown()
    table = text[text.index("| Changed class |") :]
    rows = [line.split(" | ")[0] for line in table.splitlines() if " | teacher | " in line]
    assert rows == [f"| {19 - i}" for i in range(12)]
    assert "- 8 more changed classes are in the JSON report." in text


def test_a_notebook_shows_a_part_of_a_page(report, seeds, seed_roles):
    part = report._repr_html_()
    assert "<html" not in part and "<h1" not in part
    assert part.count("data-ka-theme") == report.to_html().count("data-ka-theme") - 1
    with_dial = kdfair_audit.audit(seeds, **seed_roles, n_boot=100)._repr_html_()
    assert 'data-kd-temperatures="1 4" data-kd-start="1"' in with_dial
    assert with_dial.count("<section data-ka-at=") == 4
    assert "kd-temperatures" not in part.replace("kdTemperatures", "")


def test_a_report_is_written_whole_or_not_at_all(report, tmp_path, monkeypatch):
    out = tmp_path / "deep" / "report"
    paths = report.save(out)
    assert [path.name for path in paths] == ["report.html", "report.json", "report.md"]
    assert (tmp_path / "deep" / "report.md").read_text() == report.to_markdown()
    (only,) = report.save(tmp_path / "only.json")
    assert only.name == "only.json"
    with pytest.raises(AuditError, match="there is no format 'pdf'"):
        report.save(tmp_path / "x", formats=["pdf"])

    def full(*_):
        raise OSError(28, "No space left on device")

    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr(merging.os, "fsync", full)
    with pytest.raises(AuditError, match="No space left on device"):
        report.save(tmp_path / "late")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_place_that_cannot_be_written(report, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AuditError, match="cannot write into"):
        report.save(tmp_path / "file" / "report")
    (tmp_path / "x.html").mkdir()
    with pytest.raises(AuditError, match="cannot write"):
        report.save(tmp_path / "x.html")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "x.html"]


def test_the_look_is_the_books():
    from importlib import resources

    from kdfair_book.charts import theme

    css = (resources.files("kdfair_audit") / "static" / "report.css").read_text()
    same = {"ink": "ink", "muted": "muted", "grid": "grid", "surface": "surface"}
    same |= {"teacher": "teacher", "baseline": "nds", "distilled": "ds"}
    for mine, name in same.items():
        for color in theme.COLORS[name]:
            assert f"--{mine}: {color};" in css


def test_points_lie_in_their_intervals_and_what_was_measured_beside_them():
    """DPD and EOD as measured hold what chance adds; drawn is the estimate without it."""
    from bs4 import BeautifulSoup

    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 600)
    table = {"y": y, "g": rng.integers(0, 12, 600).astype(str)}  # groups that differ in nothing
    for name in ("t_s", "s_T1_s", "s_T4_s"):
        for seed in range(3):
            table[f"{name}{seed}"] = np.where(rng.random(600) < 0.8, y, 1 - y)
    roles = {"teacher": "t_s{seed}", "distilled": "s_T{T}_s{seed}"}
    report = kdfair_audit.audit(table, label="y", groups="g", **roles, n_boot=200)
    page = BeautifulSoup(report.to_html(), "html.parser")

    def percent(mark, name):
        return float(re.search(rf"{name}:([-\d.]+)%", mark["style"])[1])

    checked, outside = 0, 0
    for track in page.select(".ka-track"):
        lines = {percent(line, "top"): line for line in track.select(".ka-line")}
        for point in track.select(".ka-point"):
            line = lines.get(percent(point, "top"))
            if line is None:
                continue
            low, at = percent(line, "left"), percent(point, "left")
            high = low + percent(line, "width")
            assert low - 0.02 <= at <= high + 0.02, track
            checked += 1
            for raw in track.select(".ka-measured"):
                outside += not low <= percent(raw, "left") <= high
    assert checked > 20 and outside
    curves = 0
    for svg in page.select("svg:has(.ka-band)"):
        ends = re.findall(r"([\d.]+) ([\d.]+)", svg.select_one(".ka-band")["d"])
        band: dict[str, list[float]] = {}
        for x, y in ends:
            band.setdefault(x, []).append(float(y))
        for dot in svg.select(".ka-dot"):
            low, high = sorted(band[dot["cx"]])
            assert low - 0.2 <= float(dot["cy"]) <= high + 0.2, svg["aria-label"]
            curves += 1
    assert curves >= 2 * len(report.temperatures)
    for row in report.frames["fairness"].to_dict("records"):
        assert f"{100 * np.clip(row['corrected'], row['low'], row['high']):.1f}%" in page.text
