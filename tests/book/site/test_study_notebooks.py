"""Every study's notebook runs: where nothing was measured, on results, and training its own.

Notebooks are parameterized by papermill and run in this process: starting a kernel for each would
take longer than all else.
"""

import os
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
from click.testing import CliRunner
from IPython.core.displayhook import CapturingDisplayHook
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from papermill.cli import papermill as papermill_cli
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from kdfair_book.charts import theme
from kdfair_book.pages.study_page import measured
from kdfair_core import results, studies
from kdfair_core.datasets import Dataset, Split
from kdfair_core.runs import RunStore

NOTEBOOKS = Path(__file__).parents[3] / "notebooks"
STUDIES = {
    "svhn": ["svhn"],
    "cifar10": ["cifar10"],
    "cifar100": ["cifar100", "cifar100-densenet"],
    "tiny_imagenet": ["tiny-imagenet"],
    "imagenet": ["imagenet", "imagenet-vit"],
    "celeba": ["celeba-smiling", "celeba-eyeglasses"],
    "hatexplain": ["hatexplain"],
    "faces": ["faces"],
}
PARAMETERS = {"profile", "temperature", "soft_scale", "train", "device", "seeds", "runs"}
PARAMETERS |= {"temperatures", "alphas", "time_limit"}
PAGES = [*STUDIES, "across"]


def read(name):
    return load_notebook_node(str(NOTEBOOKS / f"{name}.ipynb"))


def run(name, **parameters):
    """Run a notebook; what its cells show as [{mime type: content}]."""
    notebook = parameterize_notebook(read(name), parameters)
    shell = InteractiveShell.instance()
    shell.reset(new_session=True)
    shown = []
    shell.display_trap.hook = CapturingDisplayHook(shell, shown)  # what a cell ends in
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        with capture_output() as captured:
            done = shell.run_cell(cell.source)
        done.raise_error()
        shown += [{"data": output.data} for output in captured.outputs]
    return [output["data"] for output in shown]


def texts(shown):
    return "\n".join(str(data.get("text/markdown", "")) for data in shown)


def badges(shown):
    plain = "".join(str(data.get("text/plain", "")) for data in shown)
    return {badge for badge, text in theme.BADGES.items() if f"[{text}]" in plain}


@pytest.fixture(autouse=True)
def nothing_measured(monkeypatch, tmp_path):
    monkeypatch.setenv("KDFAIR_RESULTS", str(tmp_path / "results"))
    monkeypatch.chdir(NOTEBOOKS)


@pytest.mark.parametrize("name", PAGES)
def test_sources_are_light(name):
    notebook = read(name)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    tagged = [cell for cell in code if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    assert max(len(cell.source.splitlines()) for cell in code if cell not in tagged) <= 10
    known = {line.split(" = ")[0] for line in tagged[0].source.splitlines()}
    assert name == "across" or known >= PARAMETERS


@pytest.mark.parametrize("name", STUDIES)
def test_its_data_are_declared(name):
    declared = read(name).metadata["kdfair"]["data"]
    assert {*STUDIES[name], "paper"} <= set(declared)


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_where_nothing_was_measured_the_paper_is_shown(name, monkeypatch):
    monkeypatch.setenv("KDFAIR_BOOK", "1")
    shown = run(name)
    assert badges(shown) <= {"reported", "annotations"}
    assert "reported" in badges(shown)
    said = texts(shown)
    for study in STUDIES[name]:
        profile = "laptop" if "laptop" in studies.get(study).profiles else "paper"
        assert f"python -m kdfair_core run {study} --profile {profile} --publish" in said
        for departure in studies.get(study).profile(profile).departures:
            assert departure in said
    assert not re.search(r"\bnan\b", said)


@pytest.mark.slow
def test_across_studies_shows_the_paper_alone():
    assert badges(run("across")) == {"reported"}


def publish_made_up(study, root, folder):
    """Publish results of a study whose predictions are drawn at random."""
    about = studies.get(study)
    profile = "laptop" if "laptop" in about.profiles else "paper"
    rng = np.random.default_rng(0)
    n_classes = about.n_classes
    labels = np.tile(np.arange(n_classes), max(2, 120 // n_classes))
    n = len(labels)
    images = rng.integers(0, 256, (n, 3, 8, 8), dtype=np.uint8)
    groups = {a: rng.integers(0, 2, n).astype(np.int16) for a in about.attributes}
    split = Split(images, labels, groups)
    dataset = Dataset(
        name=about.dataset,
        train=split,
        test=split,
        class_names=tuple(f"class {i}" for i in range(n_classes)),
        group_names={a: (f"no {a}", a) for a in about.attributes},
        mean=(0.5,) * 3,
        std=(0.2,) * 3,
        note="Made up.",
    )
    store = RunStore(folder / "runs")
    for identity in studies.expected_identities(about, profile, [0, 1, 5, 6]):
        wrong = rng.random(n) < (0.1 if identity["role"] == "teacher" else 0.3)
        prediction = np.where(wrong, rng.integers(0, n_classes, n), labels)
        logits = np.where(np.arange(n_classes) == prediction[:, None], 1.0, -1.0)
        arrays = {
            "logits": logits.astype(np.float16),
            "prediction": prediction.astype(np.uint16),
        }
        if identity["role"] == "teacher":
            arrays["features"] = rng.normal(size=(n, 4))
        info = {"accuracy": float((prediction == labels).mean()), "seconds": 1.0}
        store.write(identity, arrays, info)
    results.publish(about, profile, store, dataset=dataset, root=root)
    return profile


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cifar10", "cifar100", "celeba", "hatexplain", "faces"])
def test_what_was_measured_is_shown_beside_the_paper(name, tmp_path):
    root = tmp_path / "results"
    study = STUDIES[name][0]
    profile = publish_made_up(study, root, tmp_path)
    shown = run(name)
    assert {profile, "reported"} <= badges(shown)
    said = texts(shown)
    assert f"measured here ({'paper protocol' if profile == 'paper' else profile})" in said
    for departure in studies.get(study).profile(profile).departures:
        assert departure in said
    assert f"run {study} --profile" not in said  # nothing to measure any more
    titles = "\n".join(str(data.get("text/plain", "")) for data in shown)
    if studies.get(study).in_paper:
        assert "eside the paper" in titles
    if studies.get(study).dataset in ("celeba", "utkface", "hatexplain"):
        assert "(distance inside the teacher)" in titles  # people: no input is published
        assert "(distance between inputs)" not in titles
    if name == "faces":
        assert badges(run("across")) == {profile, "reported"}


@pytest.mark.slow
def test_another_start_and_setting(tmp_path):
    publish_made_up("faces", tmp_path / "results", tmp_path)
    shown = run("faces", temperature=30, soft_scale="none", attribute="ethnicity")
    assert "without the factor T²" in texts(shown)
    with pytest.raises(ValueError, match="soft_scale 'half' was not measured"):
        run("faces", soft_scale="half")
    with pytest.raises(ValueError, match="unknown profile 'desktop'"):
        run("faces", profile="desktop")


def tiny_data(folder):
    """CIFAR-10 and UTKFace as this project caches them, of random pixels."""
    rng = np.random.default_rng(0)
    y = np.tile(np.arange(10), 30)
    x = rng.integers(0, 256, (300, 3, 32, 32), dtype=np.uint8)
    parts = dict(x_train=x, y_train=y, x_test=x, y_test=y)
    np.savez(folder / "cifar10.npz", **parts)
    np.savez(
        folder / "utkface.npz",
        x=rng.integers(0, 256, (600, 3, 64, 64), dtype=np.uint8),
        age=rng.integers(1, 80, 600),
        gender=rng.choice(["male", "female"], 600),
        ethnicity=rng.choice(["white", "black", "asian", "indian", "other"], 600),
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cifar10", "faces"])
def test_smoke_trains_and_shows_it(name, tmp_path, monkeypatch):
    tiny_data(tmp_path)
    monkeypatch.setenv("KDFAIR_DATA", str(tmp_path))
    folder = tmp_path / "runs"
    before = set(os.listdir(NOTEBOOKS))
    shown = run(name, profile="smoke", train=True, device="cpu", runs=str(folder))
    assert "smoke" in badges(shown)
    assert "measured here (smoke)" in texts(shown)
    assert (folder / "published" / STUDIES[name][0] / "smoke" / "manifest.json").is_file()
    assert set(os.listdir(NOTEBOOKS)) == before


def test_training_without_the_data_says_what_to_get(tmp_path, monkeypatch):
    monkeypatch.setenv("KDFAIR_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="Download"):
        run("svhn", profile="smoke", train=True, device="cpu", runs=str(tmp_path / "runs"))


@pytest.mark.parametrize(
    ("arguments", "seeds"),
    [
        (["-p", "seeds", "1"], [1]),
        (["-y", "seeds: [0, 5]"], [0, 5]),
        (["-y", "seeds: 1"], [1]),
        (["-f", "FILE"], [1]),
        (["-p", "seeds", "[0]"], "seeds is the text '[0]'; expected numbers"),
        (["-r", "seeds", "1"], "seeds is the text '1'; expected numbers"),
        (["-p", "seeds", "0.5"], "seed 0.5: expected a whole number"),
        (["-p", "seeds", "99"], "seed 99 is not among the results of faces/laptop"),
        (["-y", "temperatures: 7"], [0, 1, 5, 6]),
        (["-p", "temperatures", "77"], "temperature 77 is not among the results"),
        (["-p", "time_limit", "-1", "-y", "{train: true, profile: smoke}"], "time_limit is -1"),
    ],
)
def test_what_papermill_makes_of_its_arguments(arguments, seeds, tmp_path):
    """Through its command line, which turns text into numbers now and then."""
    publish_made_up("faces", tmp_path / "results", tmp_path)
    (tmp_path / "given.yaml").write_text("seeds: [1]\n")
    arguments = [str(tmp_path / "given.yaml") if a == "FILE" else a for a in arguments]
    out = tmp_path / "out.ipynb"
    done = CliRunner().invoke(
        papermill_cli, ["faces.ipynb", str(out), "--prepare-only", *arguments]
    )
    assert done.exit_code == 0, done.output
    names: dict = {}
    for cell in nbformat.read(out, 4).cells:
        if {"parameters", "injected-parameters"} & set(cell.metadata.get("tags", [])):
            exec(cell.source, names)
    names["runs"] = str(tmp_path / "runs")
    how = {key: names[key] for key in ("train", "device", "time_limit", "runs")}
    how |= {key: names[key] for key in ("seeds", "temperatures", "alphas")}
    if isinstance(seeds, str):
        with pytest.raises(ValueError, match=re.escape(seeds)):
            measured("faces", names["profile"], **how)
    else:
        found = measured("faces", names["profile"], **how)
        assert sorted(set(found.runs["seed"])) == seeds
        if names["temperatures"]:
            assert found.temperatures == [7]
