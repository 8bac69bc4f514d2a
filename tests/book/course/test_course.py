"""The course's pages: complete, consistent with the data they quote, and honest about time."""

import re

import pytest

from kdfair_book import paper
from kdfair_book.labs import questions
from kdfair_book.toy import ROOT

COURSE = ROOT / "book" / "course"
SESSIONS = [COURSE / f"session{i}.md" for i in range(1, 6)]
NOTES = [COURSE / f"notes{i}.md" for i in range(1, 6)]
READ = [
    *sorted(COURSE.glob("*.md")),
    *sorted((ROOT / "book" / "explain").glob("*.md")),
    ROOT / "book" / "explore.md",
]
BLOCK = r"::::\{container\} kx-quiz\n(.*?)\n::::\n"


def name(path):
    return path.stem


@pytest.mark.parametrize("page", READ, ids=name)
def test_a_page_says_what_it_takes(page):
    """Reading time (180 words a minute, and up to three more a figure), prerequisites."""
    text = page.read_text()
    stated = re.search(r"^\*Reading time: (\d+) minutes?\. You need: .+\.\*$", text, re.M)
    assert stated
    prose = re.sub(r"```\{raw\}.*?```", "", text, flags=re.S)
    minutes = len(re.findall(r"\w[\w'’-]*", prose)) / 180
    playing = 3 * text.count("data-explain")
    assert minutes - 1 <= int(stated[1]) <= minutes + 1 + playing


@pytest.mark.parametrize("page", SESSIONS, ids=name)
def test_a_session_has_all_its_parts(page):
    text = page.read_text()
    number = page.stem[-1]
    for part in ("**Goals.**", "**Read before.**", "## Lecture", "## Exercises", "## Quiz"):
        assert part in text
    lab = re.search(r"\{download\}`lab\d\.ipynb <(.+?)>`", text)
    assert (COURSE / lab[1]).resolve() == ROOT / "notebooks" / "labs" / f"lab{number}.ipynb"
    assert (COURSE / lab[1]).resolve().is_file()
    # Each exercise is followed by its folded solution.
    labels = re.findall(r"```\{exercise\} .+\n:label: (\S+)\n", text)
    solved = re.findall(r"```\{solution\} (\S+)\n:class: dropdown\n", text)
    assert labels == solved and len(labels) >= 4
    assert all(label.startswith(f"ex{number}-") for label in labels)


@pytest.mark.parametrize("page", SESSIONS, ids=name)
def test_a_quiz_has_one_right_answer_each(page):
    blocks = re.findall(BLOCK, page.read_text(), re.S)
    assert len(blocks) == 5
    for i, block in enumerate(blocks, start=1):
        assert block.startswith(f"**{i}.** ")
        choices = re.findall(r"^(\d)\. (.+)$", block.split(":::")[0], re.M)
        assert [int(n) for n, _ in choices] == list(range(1, len(choices) + 1))
        # A choice that is a number and a period would become a list in the list.
        assert not any(re.fullmatch(r"\d+\.", text) for _, text in choices)
        right = re.search(r":::\{dropdown\} Answer\n\*\*(\d)\.\*\* \S", block)
        assert 1 <= int(right[1]) <= len(choices)


def test_right_answers_are_not_always_in_the_same_place():
    rights = [
        re.search(r"Answer\n\*\*(\d)", block)[1]
        for page in SESSIONS
        for block in re.findall(BLOCK, page.read_text(), re.S)
    ]
    assert max(rights.count(place) for place in "123") <= 15


@pytest.mark.parametrize("page", NOTES, ids=name)
def test_notes_fill_ninety_minutes_and_twenty_points(page):
    text = page.read_text()
    rows = re.findall(r"^\| (\d+)–(\d+) \|", text, re.M)
    assert rows[0][0] == "0" and rows[-1][1] == "90"
    assert all(int(a) < int(b) for a, b in rows)
    marks = text.split("## Marking scheme")[1]
    assert sum(int(n) for n in re.findall(r"^\| .+? \| (\d+) \|", marks, re.M)) == 20
    assert text.count('| "') >= 5  # misconceptions, in students' words
    covered = set()
    for first, last in re.findall(r"(\d\.\d)(?: to (\d\.\d))?", marks):
        covered |= {q for q in questions() if first <= q <= (last or first)}
    assert covered == set(questions(int(page.stem[-1])))


def test_the_counts_of_session_2_are_the_papers():
    text = SESSIONS[1].read_text()
    head = re.search(r"^\| #SC at .+$", text, re.M)[0]
    temperatures = [int(t) for t in re.findall(r"\| (\d+)", head)]
    sources = {"CIFAR-10": ("table5", "cifar10"), "CIFAR-100": ("table1", "cifar100"),
               "ImageNet": ("table1", "imagenet")}  # fmt: skip
    for title, (table, study) in sources.items():
        row = re.search(rf"^\| {title} \|(.+)\|$", text, re.M)[1].split("|")
        frame = paper.table(table)
        frame = frame[(frame["study"] == study) & (frame["metric"] == "sc")]
        counts = frame.set_index("temperature")["mean"]
        assert [int(c) for c in row[:-1]] == [counts[t] for t in temperatures]


def number(table, study, role, metric, temperature=None, attribute=None):
    frame = paper.table(table)
    frame = frame[(frame["study"] == study) & (frame["role"] == role) & (frame["metric"] == metric)]
    if temperature is not None:
        frame = frame[frame["temperature"] == temperature]
    return frame["mean"].iloc[0]


def test_numbers_quoted_from_the_paper():
    fairness = (ROOT / "book" / "explain" / "fairness.md").read_text()
    at_10 = [number("table2", "trifeature", "ds", m, 10) for m in ("accuracy", "eod", "dpd")]
    assert "accuracy {:.2f} %, EOD {:.2f} and DPD {:.2f}".format(*at_10) in fairness
    assert f"DPD of {number('table2', 'trifeature', 'teacher', 'dpd'):.2f}" in fairness
    session4 = SESSIONS[3].read_text()
    for role, T, shown in [("nds", None, "0.124"), ("ds", 1, "0.113"), ("ds", 10, "0.0697"),
                           ("teacher", None, "0.0407")]:  # fmt: skip
        value = number("individual_fairness", "celeba-smiling", role, "individual_unfairness", T)
        assert float(shown) == value and shown in session4
    frame = paper.table("individual_fairness").query("role == 'ds'")
    for _, rows in frame.groupby("study"):
        values = rows.sort_values("temperature")["mean"]
        assert values.is_monotonic_decreasing  # "fall with every temperature from 1 to 10"


def test_base_rates_of_session_3():
    """Exercise 3, from the paper's Table 4."""
    text = SESSIONS[2].read_text()
    for count in paper.table("table4").select_dtypes("number").to_numpy().ravel():
        if count == int(count) and count > 1000:
            assert f"{int(count):,}" in text
    young = 61793 / (61793 + 59765) - 16287 / (16287 + 18315)
    male = 37780 / (37780 + 27259) - 40300 / (40300 + 50821)
    assert f"{100 * young:.1f} points" in text and f"{100 * male:.1f} points" in text


def test_the_index_names_every_session():
    text = (COURSE / "index.md").read_text()
    for i in range(1, 6):
        assert f"{{doc}}`session{i}`" in text and f"{{doc}}`notes{i}`" in text
        assert f"lab{i}.ipynb" in text


@pytest.mark.browser
def test_a_quiz_answers(chromium):
    """As Sphinx writes it: a list, and a folded answer."""
    page = chromium.new_page()
    page.set_content(
        '<div class="kx-quiz container"><p><strong>1.</strong> Which?</p><ol><li><p>one</p></li>'
        "<li><p>two</p></li></ol><details><summary>Answer</summary><p><strong>2.</strong> Why."
        "</p></details></div>"
    )
    page.add_script_tag(path=ROOT / "book" / "_static" / "explain" / "quiz.js")
    group = page.get_by_role("radiogroup")
    assert "Which?" in group.get_attribute("aria-labelledby") or page.locator(
        f"#{group.get_attribute('aria-labelledby')}"
    ).inner_text().endswith("Which?")
    page.get_by_label("one").focus()
    page.keyboard.press("Space")
    assert page.get_by_role("status").inner_text().startswith("Not this one")
    assert not page.locator("details").evaluate("d => d.open")
    page.keyboard.press("ArrowDown")
    assert page.get_by_role("status").inner_text().startswith("Right")
    assert page.locator("details").evaluate("d => d.open")
    page.close()
