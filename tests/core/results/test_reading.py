"""Finding and reading what is published; what is damaged or missing is said in one sentence."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from kdfair_core import results
from kdfair_core.results import manifest, publishing


def rewrite(toy, **changes):
    """Write a manifest with changes, sealed as if it were whole."""
    path = toy.folder / "manifest.json"
    content = json.loads(path.read_text()) | changes
    del content["sha256"]
    path.write_bytes(manifest.manifest_bytes(content))


def replace_arrays(toy, **changes):
    path = toy.folder / "predictions.npz"
    with np.load(path) as file:
        arrays = dict(file) | changes
    publishing._write_npz(path, {k: v for k, v in arrays.items() if v is not None})
    files = json.loads((toy.folder / "manifest.json").read_text())["files"]
    rewrite(toy, files=files | {path.name: manifest.sha256(path)})


def test_the_best_profile_is_the_default(published):
    for name in ("zeta", "laptop", "paper"):
        folder = published.folder.with_name(name)
        folder.mkdir()
        for path in published.folder.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        published_manifest = json.loads((folder / "manifest.json").read_text())
        published_manifest["profile"] = name
        del published_manifest["sha256"]
        (folder / "manifest.json").write_bytes(manifest.manifest_bytes(published_manifest))
        assert results.load("toy").profile == (name if name != "zeta" else "smoke")
    assert results.published() == {"toy": ["paper", "laptop", "smoke", "zeta"]}
    assert results.load("toy", "smoke").profile == "smoke"


def test_roots(published, monkeypatch, tmp_path):
    assert results.results_root() == published.root
    monkeypatch.delenv("KDFAIR_RESULTS")
    assert results.results_root().name == "data" and results.results_root() != published.root
    assert results.load("toy", root=published.root).study == "toy"


@pytest.mark.parametrize(
    ("study", "profile", "words"),
    [
        ("tory", None, ["study 'tory'", "published are toy (smoke)", "run tory"]),
        ("toy", "paper", ["under profile 'paper'", "toy (smoke)", "run toy --profile paper"]),
        ("..", None, ["study '..'"]),
    ],
)
def test_not_measured(published, study, profile, words):
    with pytest.raises(results.NotMeasured) as error:
        results.load(study, profile)
    assert all(word in str(error.value) for word in words)
    with pytest.raises(results.NotMeasured, match="published are none"):
        results.load(study, profile, root=published.root / "nowhere")


def test_whole_results_are_valid(published):
    results.validate("toy")
    results.validate("toy", "smoke", root=published.root)


def flip_last_byte(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def halve(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("harm", [flip_last_byte, halve, lambda path: path.unlink()])
@pytest.mark.parametrize("name", ["predictions.npz", "runs.csv", "summary.csv"])
def test_damaged_files_are_named(published, name, harm):
    harm(published.folder / name)
    with pytest.raises(results.Damaged) as error:
        results.load("toy")
    assert f"{published.folder / name} is damaged" in str(error.value)
    assert "publish toy --profile smoke --replace" in str(error.value)


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"schema": 1}', "\xff"])
def test_a_manifest_that_is_none(published, text):
    (published.folder / "manifest.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(results.Damaged, match=r"manifest\.json is damaged"):
        results.load("toy")


def test_another_schema(published):
    rewrite(published, schema=7)
    with pytest.raises(
        results.Damaged, match=r"has schema 7 and .* reads schema 1: use the version"
    ):
        results.load("toy")


def test_an_edited_manifest(published):
    path = published.folder / "manifest.json"
    path.write_text(path.read_text().replace("A toy", "A joy"))
    with pytest.raises(results.Damaged, match="its content has SHA-256"):
        results.load("toy")


def test_a_moved_folder(published):
    published.folder.rename(published.folder.with_name("paper"))
    with pytest.raises(results.Damaged, match="belongs to study 'toy' under profile 'smoke'"):
        results.load("toy")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"y_true": np.zeros(7, np.uint8)}, r"y_true has shape \(7,\), expected \(8,\)"),
        ({"pred": None}, r"pred has shape nothing, expected \(10, 8\)"),
        ({"group_side": None}, "group_side has shape nothing"),
        ({"scored": np.arange(3)}, r"logits has shape \(10, 8, 2\), expected \(10, 3, 2\)"),
    ],
)
def test_arrays_that_do_not_fit(published, changes, words):
    replace_arrays(published, **changes)
    with pytest.raises(results.Damaged, match=words):
        results.load("toy")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pred": np.full((10, 8), 2, np.uint8)}, "pred runs from 2 to 2, expected 0 to 1"),
        ({"group_side": np.full(8, -2, np.int16)}, "group_side runs from -2 to -2, expected -1 to"),
        ({"pred": np.zeros((10, 8), np.uint8)}, "it says accuracy 1.0 of teacher-s0-"),
    ],
)
def test_validate_finds_more(published, changes, words):
    replace_arrays(published, **changes)
    results.load("toy")
    with pytest.raises(results.Damaged, match=words):
        results.validate("toy")


def test_validate_recomputes_the_tables(published):
    path = published.folder / "summary.csv"
    frame = pd.read_csv(path)
    frame.loc[0, "mean"] += 0.01
    frame.to_csv(path, index=False)
    files = json.loads((published.folder / "manifest.json").read_text())["files"]
    rewrite(published, files=files | {path.name: manifest.sha256(path)})
    results.load("toy")
    with pytest.raises(
        results.Damaged, match=r"summary\.csv is damaged .*not what the predictions"
    ):
        results.validate("toy")


def test_reading_results_needs_no_torch():
    code = "import sys, kdfair_core.results; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def published_here():
    """What the repository publishes, as (study, profile)."""
    root = manifest.Path(manifest.__file__).parents[2] / "data"
    found = results.published(root)
    return root, [(study, profile) for study, profiles in found.items() for profile in profiles]


@pytest.mark.parametrize(("study", "profile"), published_here()[1])
def test_what_the_repository_publishes_is_valid(study, profile):
    results.validate(study, profile, root=published_here()[0])
