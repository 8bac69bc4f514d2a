"""What is missing of a study, and the next piece to run."""

import dataclasses

import numpy as np
import pytest

from kdfair_core import progress, results, studies
from kdfair_core.datasets import Dataset, Split
from kdfair_core.runs import RunStore

LABELS = np.array([0, 1, 0, 1])


@pytest.fixture
def study(monkeypatch):
    """Two studies of two seeds, a null seed and two temperatures; the second has no laptop."""
    recipe = studies.Recipe()
    profile = studies.Profile({}, "resnet20", "lenet5", recipe, recipe, (0, 1), (5,), (1, 4))
    first = studies.Study("one", "One", "toy", 2, "class bias", {"laptop": profile})
    second = dataclasses.replace(first, name="two", profiles={"smoke": profile})
    monkeypatch.setattr(studies, "STUDIES", {"one": first, "two": second})
    return first


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path / "runs")


@pytest.fixture
def root(tmp_path):
    return tmp_path / "data"


def write(store, identities):
    logits = np.eye(2, dtype=np.float16)[LABELS]
    for identity in identities:
        store.write(identity, {"logits": logits, "prediction": LABELS.astype(np.uint8)}, {})


def publish(study, store, root):
    split = Split(np.zeros((4, 3, 8, 8), np.uint8), LABELS)
    mean = (0.5, 0.5, 0.5)
    dataset = Dataset("toy", split, split, ("a", "b"), {}, mean, mean, "")
    return results.publish(study, "laptop", store, dataset=dataset, root=root)


def expected(study, *seeds):
    return studies.expected_identities(study, "laptop", seeds or None)


def pieces(store, root, names=("one", "two"), profile="laptop"):
    return list(progress.missing_pieces(names, profile, store, root=root))


def test_nothing_is_measured(study, store, root):
    found = progress.progress(study, "laptop", store, root=root)
    assert found.manifest is None and not found.published and not found.stored
    assert found.missing == expected(study) and len(found.missing) == 9
    whole = {"temperatures": (1, 4), "alphas": (0.8,), "soft_scales": ("T2",)}
    nothing = {"temperatures": (), "alphas": (), "soft_scales": ()}
    assert [options for _, options in pieces(store, root)] == [
        {"seeds": (0,), **whole},
        {"seeds": (1,), **whole},
        {"seeds": (5,), **nothing},
    ]
    assert [study for study, _ in pieces(store, root, profile="smoke")] == ["two"] * 3


def test_stored_runs_are_not_missing_and_do_not_change_the_piece(study, store, root):
    first = pieces(store, root)[0]
    write(store, expected(study, 0)[:3])
    found = progress.progress(study, "laptop", store, root=root)
    assert (len(found.stored), len(found.missing)) == (3, 6)
    assert pieces(store, root)[0] == first
    write(store, expected(study, 0))
    assert [options["seeds"] for _, options in pieces(store, root)] == [(1,), (5,)]


def test_published_runs_are_not_missing_though_the_store_is_gone(study, store, root, tmp_path):
    write(store, [i for i in expected(study, 0, 1) if i["temperature"] != 4])
    publish(study, store, root)
    gone = RunStore(tmp_path / "new")
    found = progress.progress(study, "laptop", gone, root=root)
    assert (len(found.published), len(found.stored), len(found.missing)) == (6, 0, 3)
    assert [(o["seeds"], o["temperatures"]) for _, o in pieces(gone, root)] == [
        ((0,), (4,)),
        ((1,), (4,)),
        ((5,), ()),
    ]


def test_all_is_measured(study, store, root):
    write(store, expected(study))
    publish(study, store, root)
    found = progress.progress(study, "laptop", store, root=root)
    assert not found.missing and not found.stored and found.manifest["study"] == "one"
    assert pieces(store, root) == []


def test_damaged_results_are_a_problem_and_not_a_crash(study, store, root):
    write(store, expected(study))
    (publish(study, store, root) / "runs.csv").unlink()
    found = progress.progress(study, "laptop", store, root=root)
    assert found.problem.count("runs.csv is damaged") == 1 and found.manifest is None
    assert len(found.stored) == 9
