"""The build does what has changed, and nothing else."""

import argparse
import json

import pytest

from kdfair_book import build

NOTEBOOK = {
    "cells": [
        {
            "cell_type": "code",
            "id": "a",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": "import os\nprint('in the book', os.environ['KDFAIR_BOOK'])",
        }
    ],
    "metadata": {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "kdfair": {"data": ["one"]},
    },
    "nbformat": 4,
    "nbformat_minor": 5,
}


@pytest.fixture
def project(tmp_path):
    """A small project with two notebooks."""
    for folder in ("notebooks", "kdfair_core", "kdfair_book", "data/one", "data/two", "book"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("first", "second"):
        (tmp_path / "notebooks" / f"{name}.ipynb").write_text(json.dumps(NOTEBOOK))
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: book/studies/first\nparts:\n- caption: x\n  chapters:\n"
        "  - file: book/plain\n    sections:\n    - file: book/studies/second\n"
    )
    (tmp_path / "kdfair_core" / "metrics.py").write_text("x = 1\n")
    (tmp_path / "kdfair_book" / "build.py").write_text("y = 1\n")
    (tmp_path / "kdfair_book" / "charts.py").write_text("z = 1\n")
    (tmp_path / "data" / "one" / "a.csv").write_text("1\n")
    (tmp_path / "data" / "two" / "b.csv").write_text("1\n")
    (tmp_path / "requirements.txt").write_text("numpy\n")
    return tmp_path


@pytest.fixture
def ran(project, monkeypatch):
    """Names of the notebooks that run, without running them."""
    names = []

    def pretend(root, name):
        names.append(name)
        target = root / build.STUDIES / f"{name}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("{}")
        return 0.0

    class Now:
        def __init__(self, **_):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def submit(self, function, *arguments):
            from concurrent.futures import Future

            future = Future()
            try:
                future.set_result(function(*arguments))
            except build.BuildError as error:
                future.set_exception(error)
            return future

    monkeypatch.setattr(build, "run_notebook", pretend)
    monkeypatch.setattr(build, "ProcessPoolExecutor", Now)
    return names


def again(project, ran):
    """Which notebooks a further build runs."""
    ran.clear()
    build.run_notebooks(project, build.State(project), force=False, jobs=1)
    return sorted(ran)


def test_toc_names_the_notebooks(project):
    assert build.book_notebooks(project) == ["first", "second"]


def test_missing_notebook_is_said(project):
    (project / "notebooks" / "second.ipynb").unlink()
    with pytest.raises(build.BuildError, match=r"notebooks/second\.ipynb is missing"):
        build.book_notebooks(project)


def test_only_what_changed_runs_again(project, ran):
    assert again(project, ran) == ["first", "second"]
    assert again(project, ran) == []
    source = project / "notebooks" / "second.ipynb"
    source.write_text(source.read_text().replace("in the book", "still in it"))
    assert again(project, ran) == ["second"]
    (project / "kdfair_book" / "build.py").write_text("y = 2\n")
    assert again(project, ran) == []
    (project / "data" / "two" / "b.csv").write_text("2\n")
    assert again(project, ran) == []  # neither reads it
    (project / "data" / "one" / "a.csv").write_text("2\n")
    assert again(project, ran) == ["first", "second"]
    for module in ("kdfair_core/metrics.py", "kdfair_book/charts.py"):
        (project / module).write_text("x = 2\n")
        assert again(project, ran) == ["first", "second"]
    (project / build.STUDIES / "first.ipynb").unlink()
    assert again(project, ran) == ["first"]


def test_touching_a_file_changes_nothing(project, ran):
    again(project, ran)
    source = project / "notebooks" / "second.ipynb"
    source.write_text(source.read_text())
    assert again(project, ran) == []


def test_a_page_that_left_the_book_is_removed(project, ran):
    again(project, ran)
    (project / "_toc.yml").write_text("format: jb-book\nroot: book/studies/first\n")
    again(project, ran)
    assert [p.stem for p in (project / build.STUDIES).iterdir()] == ["first"]


def test_damaged_state_means_building_again(project, ran):
    again(project, ran)
    (project / ".build" / "state.json").write_text("{")
    assert again(project, ran) == ["first", "second"]


def test_one_failure_does_not_undo_what_ran(project, ran, monkeypatch):
    works = build.run_notebook

    def fail_first(root, name):
        if name == "first":
            raise build.BuildError("first failed")
        return works(root, name)

    monkeypatch.setattr(build, "run_notebook", fail_first)
    with pytest.raises(build.BuildError, match="first failed"):
        again(project, ran)
    monkeypatch.setattr(build, "run_notebook", works)
    assert again(project, ran) == ["first"]


def test_without_declared_data_all_of_it_counts(project):
    source = project / "notebooks" / "first.ipynb"
    plain = json.loads(source.read_text())
    del plain["metadata"]["kdfair"]
    source.write_text(json.dumps(plain))
    before = build.notebook_key(project, "first")
    (project / "data" / "two" / "b.csv").write_text("2\n")
    assert build.notebook_key(project, "first") != before


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of papermill and its kernel client
def test_papermill_runs_a_notebook_for_the_book(project, monkeypatch):
    monkeypatch.setenv("KDFAIR_BOOK", "")
    build.run_notebook(project, "first")
    done = json.loads((project / build.STUDIES / "first.ipynb").read_text())
    assert "in the book 1" in json.dumps(done["cells"][0]["outputs"])
    source = json.loads((project / "notebooks" / "first.ipynb").read_text())
    assert source == NOTEBOOK  # sources stay without outputs


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of papermill and its kernel client
def test_failing_cell_is_said_and_the_earlier_page_stays(project, monkeypatch):
    monkeypatch.setenv("KDFAIR_BOOK", "")
    target = project / build.STUDIES / "second.ipynb"
    target.parent.mkdir(parents=True)
    target.write_text("earlier")
    source = project / "notebooks" / "second.ipynb"
    broken = json.loads(source.read_text())
    broken["cells"][0]["source"] = "raise ValueError('no such thing')"
    source.write_text(json.dumps(broken))
    with pytest.raises(build.BuildError, match=r"second\.ipynb failed.*ValueError: no such thing"):
        build.run_notebook(project, "second")
    assert target.read_text() == "earlier"


def test_sphinx_failure_makes_the_next_build_read_everything(project, monkeypatch, capsys):
    doctrees = project / "_build" / ".doctrees"
    doctrees.mkdir(parents=True)
    (project / "_config.yml").write_text("title: x\n")

    class Failed:
        returncode, stdout, stderr = 1, "", "WARNING: undefined label: 'nowhere'"

    monkeypatch.setattr(build.subprocess, "run", lambda *a, **k: Failed)
    with pytest.raises(build.BuildError, match="undefined label: 'nowhere'"):
        build.make_pages(project, build.State(project), force=False)
    assert not doctrees.exists()
    assert build.State(project).done == {}


def test_errors_end_with_code_1(monkeypatch, capsys):
    def fail(**_):
        raise build.BuildError("notebooks/x.ipynb is missing")

    monkeypatch.setattr(build, "build", fail)
    assert build.main(argparse.Namespace(force=False, jobs=2, no_heights=True)) == 1
    assert "error: notebooks/x.ipynb is missing" in capsys.readouterr().err


ROOT = build.ROOT


def test_binder_needs_what_requirements_name():
    """Binder's short list: the same versions, and enough to open the notebooks without torch."""
    pinned = set((ROOT / "requirements.txt").read_text(encoding="utf-8").split())
    light = (ROOT / ".binder" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    packages = [line for line in light if not line.startswith("#")]
    assert packages and set(packages) <= pinned
    assert not any(line.startswith("torch") for line in packages)


def test_the_repositorys_address_stands_in_one_place():
    """Whatever repeats it repeats the one of _config.yml (`make address` keeps it so)."""
    import re

    import yaml

    address = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"][
        "url"
    ]
    owner, name = address.rsplit("/", 2)[1:]
    texts = [ROOT / "README.md", ROOT / "CITATION.cff", *(ROOT / "notebooks").rglob("*.ipynb")]
    for path in texts:
        if path.is_file():
            for found in re.findall(r"github\.com/([\w.-]+)/(kdfair)\b", path.read_text("utf-8")):
                assert found == (owner, name), path.name
