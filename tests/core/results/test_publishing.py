"""Publishing: what goes into data/, the same bytes each time, nothing lost."""

import dataclasses
import json
import random
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from toy_study import LABELS, SIDE, make_dataset, make_study, write_run

from kdfair_core import files, results, runs, studies
from kdfair_core.datasets import fingerprint
from kdfair_core.results import collecting, publishing
from kdfair_core.runs import RunStore, run_name


def test_what_is_published(toy):
    flipped = 1 - LABELS
    toy.fill(lambda identity: flipped if identity["role"] == "nds" else LABELS)
    assert toy.publish() == toy.folder
    assert sorted(path.name for path in toy.folder.iterdir()) == [
        "manifest.json",
        "predictions.npz",
        "runs.csv",
        "summary.csv",
    ]
    assert [path.name for path in toy.folder.parent.iterdir()] == ["smoke"]

    with np.load(toy.folder / "predictions.npz") as file:
        np.testing.assert_array_equal(file["y_true"], LABELS)
        np.testing.assert_array_equal(file["group_side"], SIDE)
        np.testing.assert_array_equal(file["scored"], np.arange(8))
        assert file["pred"].shape == (10, 8) and file["pred"].dtype == np.uint8
        assert file["logits"].shape == (10, 8, 2) and file["logits"].dtype == np.float16
        assert file["features_teacher"].shape == (8, 4)
        assert file["features_input"].shape == (8, 192)
        np.testing.assert_array_equal(file["pred"][2], flipped)

    manifest = json.loads((toy.folder / "manifest.json").read_text())
    expected = {
        "study": "toy",
        "title": "A toy",
        "profile": "smoke",
        "badge": "measured here (smoke)",
        "engine": studies.ENGINE,
        "classes": ["no", "yes"],
        "groups": {"side": ["left", "right"]},
        "examples": 8,
        "departures": ["Everything is made up."],
        "missing": [],
        "hours": 0.1,
    }
    assert expected.items() <= manifest.items()
    assert manifest["dataset"] == {"name": "toy", "note": "Made up."}
    assert manifest["identities"]["ds"]["network"] == "lenet5"
    roles = [run["role"] for run in manifest["runs"]]
    assert roles == ["teacher"] * 2 + ["nds"] * 2 + ["ds"] * 4 + ["null"] * 2
    assert [run["accuracy"] for run in manifest["runs"]] == [1, 1, 0, 0, 1, 1, 1, 1, 1, 1]
    assert [run["temperature"] for run in manifest["runs"][4:8]] == [1, 4, 1, 4]
    assert "/" not in manifest["code"] and str(toy.root) not in json.dumps(manifest)


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        ("paper", "measured here (paper protocol)"),
        ("laptop", "measured here (laptop)"),
        ("smoke", "measured here (smoke)"),
    ],
)
def test_badges(profile, words):
    assert results.badge(profile) == words


def test_the_same_runs_give_the_same_bytes(toy, monkeypatch):
    toy.fill()
    first = {path.name: path.read_bytes() for path in toy.publish().iterdir()}
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000.0)  # as a zip file dates its content
    second = {path.name: path.read_bytes() for path in toy.publish().iterdir()}
    manifests = [json.loads(content.pop("manifest.json")) for content in (first, second)]
    assert first == second
    for manifest in manifests:
        del manifest["created"], manifest["sha256"], manifest["code"]
    assert manifests[0] == manifests[1]


def test_a_part_of_a_sweep_says_what_is_missing(toy):
    toy.fill(keep=lambda identity: identity["seed"] == 0 and identity["temperature"] != 4)
    toy.publish()
    missing = json.loads((toy.folder / "manifest.json").read_text())["missing"]
    assert len(missing) == 7
    t4 = {"role": "ds", "seed": 0, "temperature": 4, "alpha": 0.8, "soft_scale": "T2"}
    null = {"role": "null", "seed": 5, "temperature": None, "alpha": None, "soft_scale": None}
    assert t4 in missing and null in missing
    toy.fill()
    toy.publish()
    assert results.load("toy").manifest["missing"] == []


def test_more_seeds_and_temperatures_than_the_profile_are_published(toy):
    toy.fill()
    wider = make_study(seeds=(0, 1, 9), temperatures=(1, 4, 2.5), alphas=(0.8, 0.6))
    for identity in studies.expected_identities(wider, "smoke"):
        if not toy.store.has(identity):
            write_run(toy.store, identity, LABELS)
    toy.publish()
    loaded = results.load("toy")
    assert loaded.temperatures == [1, 2.5, 4] and loaded.alphas == [0.6, 0.8]
    assert sorted(loaded.runs["seed"].unique()) == [0, 1, 5, 6, 9]


@pytest.mark.parametrize("which", ["teacher_recipe", "student_recipe"])
def test_runs_of_another_recipe_are_left_out(toy, which):
    toy.fill()
    recipe = studies.Recipe(epochs=2)
    other = make_study().profile("smoke")
    other = dataclasses.replace(other, **{which: recipe})
    study = dataclasses.replace(toy.study, profiles={"smoke": other})
    # a student belongs to its teacher: another teacher makes another student
    left_out = {"teacher_recipe": 6, "student_recipe": 8}[which]
    with pytest.warns(UserWarning, match=f"{left_out} runs in .* are of another recipe"):
        toy.publish(study)
    assert len(results.load("toy").runs) == 10 - left_out


def test_nothing_to_publish(toy):
    with pytest.raises(ValueError, match=r"nothing to publish: .*python -m kdfair_core run toy"):
        toy.publish()
    with pytest.raises(ValueError, match=r"unknown profile 'paper'.*laptop, smoke"):
        results.publish(toy.study, "paper", toy.store, dataset=make_dataset())
    with pytest.raises(ValueError, match=r"unknown study 'toys'; expected one of .*trifeature"):
        results.publish("toys", "smoke", toy.store)
    assert not toy.root.exists()


def test_what_was_published_is_not_lost(toy):
    toy.fill()
    toy.publish()
    before = {path: path.read_bytes() for path in toy.folder.iterdir()}
    names = [run.name for run in toy.store.runs("toy", "smoke") if run.identity["seed"] == 1]
    for name in names:
        (toy.store.root / "toy" / "smoke" / name).rename(toy.root / name)
    toy.publish()
    for path, content in before.items():
        assert path.name == "manifest.json" or path.read_bytes() == content
    toy.publish(replace=True)
    assert len(results.load("toy").runs) == 6


def test_published_runs_and_new_ones_come_together(toy):
    toy.fill(keep=lambda identity: identity["seed"] == 0)
    toy.publish()
    alone = results.load("toy")
    toy.store = runs.RunStore(toy.root / "elsewhere")
    toy.fill(lambda identity: 1 - LABELS, keep=lambda identity: identity["seed"] == 1)
    toy.publish()
    both = results.load("toy")
    assert both.runs["seed"].tolist() == [0, 1, 0, 1, 0, 0, 1, 1]
    first = (both.runs["seed"] == 0).to_numpy()
    np.testing.assert_array_equal(both.pred[first], alone.pred)
    np.testing.assert_array_equal(both.logits[first], alone.logits)
    assert (both.pred[~first] == 1 - LABELS).all()
    np.testing.assert_array_equal(both.features["teacher"], alone.features["teacher"])
    assert both.manifest["runs"][0] == alone.manifest["runs"][0]


def test_teacher_features_are_of_the_first_teacher_of_all(toy):
    def write_teacher(seed, features):
        identity = studies.teacher_identity(toy.study, "smoke", seed)
        logits = np.eye(2, dtype=np.float16)[LABELS]
        arrays = {"logits": logits, "prediction": LABELS.astype(np.uint8), "features": features}
        toy.store.write(identity, arrays, {})

    first, later, last = (np.full((8, 4), value) for value in (1.0, 2.0, 3.0))
    write_teacher(1, later)
    toy.publish()
    np.testing.assert_array_equal(results.load("toy").features["teacher"], later)
    toy.store = runs.RunStore(toy.root / "elsewhere")
    write_teacher(2, last)
    toy.publish()
    np.testing.assert_array_equal(results.load("toy").features["teacher"], later)
    write_teacher(0, first)
    toy.publish()
    np.testing.assert_array_equal(results.load("toy").features["teacher"], first)


@pytest.mark.parametrize(
    ("study", "scored", "why"),
    [
        (make_study(student_recipe=studies.Recipe(epochs=2)), 8, "8 of the 10 .* recipe"),
        (make_study(), 3, "10 of the 10 .* are of 8 scored examples, not 3"),
    ],
)
def test_published_runs_that_cannot_be_kept(published, study, scored, why, monkeypatch):
    monkeypatch.setattr(collecting, "SCORED", scored)
    published.store = runs.RunStore(published.root / "elsewhere")
    write_run(published.store, studies.teacher_identity(study, "smoke", 7), LABELS)
    before = (published.folder / "manifest.json").read_bytes()
    with pytest.raises(ValueError, match=f"{why}.*: publish with replace=True"):
        published.publish(study)
    assert (published.folder / "manifest.json").read_bytes() == before
    published.publish(study, replace=True)
    assert len(results.load("toy").runs) == 1


def test_published_runs_of_other_labels_are_not_kept(published):
    published.store = runs.RunStore(published.root / "elsewhere")
    test = dataclasses.replace(make_dataset().test, y=1 - LABELS)
    write_run(
        published.store,
        studies.teacher_identity(published.study, "smoke", 7),
        1 - LABELS,
        1 - LABELS,
    )
    with pytest.raises(ValueError, match=r"10 of the 10 .* labels are not those of the data set"):
        published.publish(dataset=make_dataset(test=test))


def test_damaged_results_are_not_published_over_unasked(toy):
    toy.fill()
    toy.publish()
    (toy.folder / "predictions.npz").write_bytes(b"")
    with pytest.raises(
        results.Damaged, match=r"nothing was published .*predictions.npz is damaged"
    ):
        toy.publish()
    toy.publish(replace=True)
    results.validate("toy")


def test_the_data_set_must_be_the_one_of_the_runs(toy):
    toy.fill()
    dataset = make_dataset()
    shorter = dataclasses.replace(dataset, test=dataset.test.take(np.arange(7)))
    with pytest.raises(ValueError, match=r"predicts 8 examples of 2 classes; .* has 7 of 2"):
        toy.publish(dataset=shorter)
    shuffled = dataclasses.replace(dataset, test=dataset.test.take(np.arange(8)[::-1]))
    with pytest.raises(ValueError, match=r"accuracy 1.0 when it was trained and has 0.0"):
        toy.publish(dataset=shuffled)
    assert not toy.folder.exists()


def test_a_full_disk_leaves_what_was_published(toy, monkeypatch):
    toy.fill(keep=lambda identity: identity["role"] != "null")
    toy.publish()
    toy.fill()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(runs.DiskFull, match="toy/smoke was not stored"):
        toy.publish()
    monkeypatch.undo()
    assert len(results.load("toy", root=toy.root).runs) == 8
    assert [path.name for path in toy.folder.parent.iterdir()] == ["smoke"]


PUBLISHER = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from toy_study import make_dataset, make_study
from kdfair_core import results, runs
print("ready", flush=True)
while True:
    store = runs.RunStore({runs!r})
    results.publish(make_study(), "smoke", store, dataset=make_dataset(), root={root!r})
    print("published", flush=True)
"""


def test_killed_while_publishing(toy):
    toy.fill()
    toy.publish()
    clock = random.Random(3)
    tests = str(files.Path(__file__).parent)
    script = PUBLISHER.format(tests=tests, runs=str(toy.store.root), root=str(toy.root))
    left = 0
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout.readline() == "ready\n"
        while process.poll() is None and not list(toy.folder.parent.glob(".tmp-*")):
            time.sleep(0.001)  # until it writes, however slow the machine
        time.sleep(clock.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        left += len(list(toy.folder.parent.glob(".*")))
        if not toy.folder.exists():  # killed between two renames: publishing mends it
            assert (toy.folder.parent / ".before-smoke").exists()
            toy.publish()
        results.validate("toy")
    assert left, "no process was killed at work: the test tests nothing"
    toy.publish()
    assert [path.name for path in toy.folder.parent.iterdir()] == ["smoke"]


def test_killed_between_the_two_renames(toy):
    toy.fill()
    toy.publish()
    toy.folder.rename(toy.folder.with_name(".before-smoke"))
    for run in toy.store.names("toy", "smoke"):
        if "-s1-" in run:
            (toy.store.root / "toy" / "smoke" / run).rename(toy.root / run)
    toy.publish()
    assert len(results.load("toy").runs) == 10


# which examples and features


@pytest.mark.parametrize(
    ("n", "n_classes", "m"),
    [(5000, 10, 500), (5000, 2, 500), (10_000, 100, 100), (10_000, 200, 50), (60, 10, 60)],
)
def test_scored_examples_are_few_and_evenly_strided(n, n_classes, m):
    examples = results.scored_examples(n, n_classes)
    assert len(examples) == m and examples[0] == 0 and examples[-1] < n
    steps = np.diff(examples)
    assert steps.min() >= 1 and steps.max() - steps.min() <= 1 and examples[-1] >= n - steps.max()


def test_logits_and_features_are_those_of_the_scored_examples(toy, monkeypatch):
    monkeypatch.setattr(collecting, "SCORED", 3)
    toy.fill()
    toy.publish()
    loaded = results.load("toy")
    assert loaded.scored.tolist() == [0, 2, 5]
    teacher = np.random.default_rng(1).normal(size=(8, 4))[[0, 2, 5]]
    np.testing.assert_array_equal(loaded.features["teacher"], teacher.astype(np.float16))
    np.testing.assert_array_equal(loaded.logits.argmax(2), loaded.pred[:, [0, 2, 5]])
    images = make_dataset().test.x[[0, 2, 5]]
    np.testing.assert_array_equal(loaded.features["input"], collecting.pooled(images))


@pytest.mark.parametrize("name", ["utkface", "celeba", "hatexplain"])
def test_no_picture_of_people_is_published(toy, name):
    toy.fill()
    toy.publish(dataset=make_dataset(name=name))
    assert list(results.load("toy").features) == ["teacher"]


def test_text_has_no_pixels(toy):
    toy.fill()
    toy.publish(dataset=make_dataset(mean=(), std=(), kind="texts"))
    assert list(results.load("toy").features) == ["teacher"]


def test_features_that_are_not_finite_are_left_out(toy, monkeypatch):
    monkeypatch.setattr("toy_study.FEATURE", 1e9)
    toy.fill()
    with pytest.warns(UserWarning, match="'teacher' are not finite"):
        toy.publish()
    assert list(results.load("toy").features) == ["input"]


@pytest.mark.parametrize(("height", "width"), [(16, 16), (8, 24), (28, 28), (9, 100)])
def test_pooling_averages_every_pixel_once(height, width):
    images = np.random.default_rng(0).integers(0, 256, (2, 3, height, width), dtype=np.uint8)
    small = collecting.pooled(images).astype(float).reshape(2, 3, 8, 8)
    rows = np.arange(8) * height // 8, np.append(np.arange(1, 8) * height // 8, height)
    columns = np.arange(8) * width // 8, np.append(np.arange(1, 8) * width // 8, width)
    for r in range(8):
        for c in range(8):
            part = images[:, :, rows[0][r] : rows[1][r], columns[0][c] : columns[1][c]] / 255
            np.testing.assert_allclose(small[:, :, r, c], part.mean((2, 3)), atol=1e-3)


# where runs come from


def origins(toy, **of_student):
    """Store the runs as training does: with what they saw and whom they learned from."""
    data = fingerprint(make_dataset())
    for identity in studies.expected_identities(toy.study, "smoke"):
        origin = {"data": data}
        if identity["role"] == "teacher":
            origin["weights"] = f"weights of {identity['seed']}"
        if identity["role"] == "ds":
            origin["teacher_weights"] = f"weights of {identity['seed']}"
            origin |= of_student
        write_run(toy.store, identity, LABELS, **origin)


def test_runs_say_whom_they_learned_from_and_what_they_saw(toy):
    origins(toy)
    toy.publish()
    rows = results.load("toy").manifest["runs"]
    assert {row["data"] for row in rows} == {fingerprint(make_dataset())}
    of = {row["seed"]: row["weights"] for row in rows if row["role"] == "teacher"}
    assert all(r["teacher_weights"] == of[r["seed"]] for r in rows if r["role"] == "ds")


def test_a_student_is_never_published_beside_another_teacher(toy):
    origins(toy, teacher_weights="others of 0")
    with pytest.raises(ValueError, match=r"ds-s0-.* learned from a teacher whose weights have"):
        toy.publish()
    with pytest.raises(ValueError, match=r"learned from a teacher"):
        toy.publish(replace=True)
    assert not toy.folder.exists()


def test_a_student_is_not_published_beside_another_teacher_in_parts(toy):
    """The teacher published before, its students trained again elsewhere."""
    origins(toy)
    toy.publish()
    (student,) = (
        i
        for i in studies.expected_identities(toy.study, "smoke")
        if (i["role"], i["seed"], i["temperature"]) == ("ds", 0, 4)
    )
    elsewhere = RunStore(toy.store.root.with_name("elsewhere"))
    data = fingerprint(make_dataset())
    write_run(elsewhere, student, LABELS, data=data, teacher_weights="others")
    before = (toy.folder / "manifest.json").read_bytes()
    with pytest.raises(ValueError, match="learned from a teacher"):
        results.publish(toy.study, "smoke", elsewhere, dataset=make_dataset(), root=toy.root)
    assert (toy.folder / "manifest.json").read_bytes() == before


def test_runs_that_saw_another_data_set_are_refused(toy):
    origins(toy, data="0" * 64)
    with pytest.raises(ValueError, match=r"saw data with SHA-256 0000.* 'toy' here has"):
        toy.publish()


def test_a_run_that_differs_from_the_published_one_is_refused_unless_all_are_replaced(toy):
    toy.fill()
    toy.publish()
    other = RunStore(toy.store.root.with_name("other"))
    identities = studies.expected_identities(toy.study, "smoke")
    for identity in identities:
        write_run(other, identity, 1 - LABELS if identity["role"] == "nds" else LABELS)
    named = re.escape(run_name(identities[1]))
    with pytest.raises(ValueError, match=f"the run {named} in the store is not the one"):
        results.publish(toy.study, "smoke", other, dataset=make_dataset(), root=toy.root)
    assert results.load("toy").runs["accuracy"].eq(1).all()
    results.publish(toy.study, "smoke", other, dataset=make_dataset(), root=toy.root, replace=True)
    assert results.load("toy").runs.set_index("role")["accuracy"]["nds"].eq(0).all()


ONE_OF_TWO = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from toy_study import Toy
from kdfair_core.runs import RunStore
toy = Toy(Path({path!r}))
toy.store = RunStore(sys.argv[1])
input()
toy.publish()
"""


def test_two_that_publish_at_once_lose_nothing(toy, tmp_path):
    """Each has one seed of the profile; whoever is second must see what the first wrote."""
    script = ONE_OF_TWO.format(tests=str(Path(__file__).parent), path=str(toy.root.parent))
    for _ in range(3):
        shutil.rmtree(toy.root, ignore_errors=True)
        processes = []
        for seed in (0, 1):
            store = RunStore(tmp_path / f"of{seed}")
            for identity in studies.expected_identities(toy.study, "smoke", seeds=[seed]):
                write_run(store, identity, LABELS)
            command = [sys.executable, "-c", script, str(store.root)]
            processes.append(subprocess.Popen(command, stdin=subprocess.PIPE, text=True))
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
        for process in processes:
            process.communicate()
            assert process.returncode == 0
        assert set(results.load("toy").runs["seed"]) == {0, 1}


def test_the_version_of_the_code_is_this_projects_or_none(tmp_path, monkeypatch):
    """Not that of a repository in whose folder the package happens to be installed."""
    package = tmp_path / "site-packages" / "kdfair_core" / "results"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "theirs"]):
        subprocess.run([*git, *command], check=True)
    monkeypatch.setattr(publishing, "__file__", str(package / "publishing.py"))
    assert publishing._commit() == ""
