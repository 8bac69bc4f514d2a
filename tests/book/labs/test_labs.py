"""The labs with solutions inserted run through; without one they stop at its check."""

import importlib.util
import json
import re
import warnings
from pathlib import Path

import pytest

from kdfair_book.labs import NotYet, check, questions

HERE = Path(__file__).parent
LABS = HERE.parents[2] / "notebooks" / "labs"


def load(name):
    """A neighbor of this file; the folder is no package."""
    spec = importlib.util.spec_from_file_location(f"lab_{name}", HERE / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SOLUTIONS, MISTAKES = load("solutions").SOLUTIONS, load("mistakes").MISTAKES


def cells(lab):
    """(id, source, tags) of the code cells of a lab."""
    notebook = json.loads((LABS / f"lab{lab}.ipynb").read_text())
    return [
        (cell["id"], "".join(cell["source"]), cell["metadata"].get("tags", []))
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    ]


def work(lab, answers, until=None):
    """Run a lab in one namespace, with answers in place of the exercises' cells."""
    scope = {}
    for identity, source, _ in cells(lab):
        number = identity.removeprefix("exercise-").replace("-", ".")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a student's division by zero is not ours
            exec(answers.get(number, source) if "exercise" in identity else source, scope)
        if until is not None and identity == f"check-{until.replace('.', '-')}":
            return


def own(lab):
    return {n: s for n, s in SOLUTIONS.items() if n.startswith(f"{lab}.")}


@pytest.mark.parametrize("lab", range(1, 6))
def test_with_solutions_a_lab_runs_through(lab, capsys):
    work(lab, own(lab))
    ticks = re.findall(r"✓ ([\d.]+)", capsys.readouterr().out)
    assert ticks == questions(lab)


@pytest.mark.parametrize("number", SOLUTIONS)
def test_without_a_solution_the_lab_stops_there(number, capsys):
    answers = own(number[0])
    del answers[number]
    with pytest.raises(NotYet, match=rf"^{re.escape(number)}: "):
        work(int(number[0]), answers, until=number)


@pytest.mark.parametrize(("number", "said", "answer"), MISTAKES)
def test_a_usual_mistake_is_told_from_a_right_answer(number, said, answer, capsys):
    answers = own(number[0]) | {number: answer}
    with pytest.raises(NotYet) as raised:
        work(int(number[0]), answers, until=number)
    assert str(raised.value).startswith(f"{number}: ")
    assert said in str(raised.value)


def test_every_question_has_a_solution_and_a_mistake():
    assert list(SOLUTIONS) == questions()
    assert {number for number, _, _ in MISTAKES} == set(questions())


@pytest.mark.parametrize("lab", range(1, 6))
def test_labs_are_sources_to_be_filled_in(lab):
    notebook = json.loads((LABS / f"lab{lab}.ipynb").read_text())
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None
    exercises = [(i, s) for i, s, tags in cells(lab) if "exercise" in tags]
    assert all("..." in source for _, source in exercises)
    assert [i.removeprefix("exercise-").replace("-", ".") for i, _ in exercises] == questions(lab)
    opening = "".join(notebook["cells"][0]["source"])
    assert "you will be able to" in opening and "Time:" in opening and "You need:" in opening


def test_numbers_are_not_given_away():
    """No message holds the number that its check wants."""
    from kdfair_book.labs import lab1, lab5

    wrong = {"1.3": 7.7, "1.7": {"T2": 0.1, "none": 0.1}, "5.4": 0.5, "5.8": dict.fromkeys(
        ("cifar100", "cifar100-densenet", "imagenet", "imagenet-vit"), 0.5)}  # fmt: skip
    hidden = ["4.7", *(f"{v:.2f}" for v in lab1.expected_agreement().values())]
    hidden += [f"{v:.3g}" for v in lab5.largest_shares().values()]
    for number, answer in wrong.items():
        with pytest.raises(NotYet) as raised:
            check(number, answer)
        assert not any(h in str(raised.value) for h in hidden)


def test_check_says_what_it_was_given():
    with pytest.raises(ValueError, match=r"no question '9.9'; expected one of 1.1, 1.2"):
        check("9.9", 1)
    with pytest.raises(NotYet, match="no answer yet"):
        check("1.3", ...)
    with pytest.raises(NotYet, match="no answer yet"):
        check("1.7", {"T2": 0.5, "none": ...})
    with pytest.raises(NotYet, match="without parentheses"):
        check("1.1", 3)
    with pytest.raises(NotYet, match="ZeroDivisionError"):
        check("1.2", lambda p: 1 / 0)


def test_jupyter_shows_the_sentence_alone():
    assert NotYet("1.1: no.")._render_traceback_() == ["✗ 1.1: no."]


@pytest.mark.slow
def test_a_lab_runs_in_a_kernel():
    """Once through the machinery that students use."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(LABS / "lab1.ipynb", as_version=4)
    for cell in notebook.cells:
        if "exercise" in cell.metadata.get("tags", []):
            cell.source = SOLUTIONS[cell.id.removeprefix("exercise-").replace("-", ".")]
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    printed = "".join(
        o.get("text", "") for c in notebook.cells if c.cell_type == "code" for o in c.outputs
    )
    assert printed.count("✓") == len(questions(1))
