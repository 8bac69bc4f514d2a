import json

import numpy as np
import pytest

from kdfair_core import datasets
from kdfair_core.datasets import DatasetMissing, hatexplain


def post(labels, targets=None, text="some words"):
    annotators = [{"label": label, "annotator_id": i} for i, label in enumerate(labels)]
    for annotator, target in zip(annotators, targets or (), strict=False):
        annotator["target"] = target
    return {"post_id": "x", "annotators": annotators, "post_tokens": text.split()}


H, O, N = "hatespeech", "offensive", "normal"  # noqa: E741
POSTS = {
    "a": post([H, H, N], [["African", "Women"], ["Women"], ["None"]]),
    "b": post([N, N, O], [["Islam"], ["Jewish"], ["None"]]),
    "c": post([O, H, O], [["Homosexual"], ["Other"], ["Men", "African"]]),
    "d": post([N, O, H], [["None"], ["None"], ["None"]]),  # undecided
    "e": post([N, N, N], [["None"], ["None"], ["None"]]),
    "f": post([H, O, N], [["Arab"], ["Arab"], ["Arab"]]),  # undecided
    "g": post([O, O, H]),  # targets not in the file
    "h": post([N, N, N], [["Asian"], ["Caucasian"], ["Hispanic"]]),
}
DIVISIONS = {"train": ["g", "h", "f"], "val": ["b"], "test": ["a", "b", "c", "d", "e"]}


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "hatexplain"
    folder.mkdir()
    (folder / "dataset.json").write_text(json.dumps(POSTS))
    (folder / "post_id_divisions.json").write_text(json.dumps(DIVISIONS))
    return tmp_path


def test_labels_by_majority_and_undecided_dropped(root):
    data = datasets.load("hatexplain", root=root)
    assert data.test.y.tolist() == [1, 0, 1, 0]  # a, b, c, e
    assert data.train.y.tolist() == [1, 0]  # g, h
    assert data.class_names == ("normal", "toxic") and data.mean == ()
    ids, mask = data.test.x[np.arange(4)]
    assert ids.shape == mask.shape == (4, 4) and (ids[:, 0] == 101).all()


@pytest.mark.parametrize(
    ("min_annotators", "expected"),
    [
        (1, dict(gender=[1, 0, 1, 0], race=[1, 0, 1, 0], religion=[0, 1, 0, 0])),
        (2, dict(gender=[1, 0, 0, 0], race=[0, 0, 0, 0], religion=[0, 1, 0, 0])),
        (3, dict(gender=[0, 0, 0, 0], race=[0, 0, 0, 0], religion=[0, 0, 0, 0])),
    ],
)
def test_groups_by_number_of_annotators(root, min_annotators, expected, monkeypatch):
    monkeypatch.setattr(hatexplain, "MIN_ANNOTATORS", min_annotators)
    data = datasets.load("hatexplain", root=root)
    for name, codes in expected.items():
        assert data.test.groups[name].tolist() == codes
    assert data.test.groups["sexual_orientation"].tolist() == [0, 0, int(min_annotators == 1), 0]


def test_annotators_may_name_different_communities_of_a_group(root):
    data = datasets.load("hatexplain", root=root)
    assert data.train.groups["race"].tolist() == [-1, 1]  # unknown; Asian, Caucasian, Hispanic
    assert data.group_names["race"] == ("no race", "race")
    assert data.group_names["sexual_orientation"][1] == "sexual orientation"
    assert "For 1 training posts the targets are unknown" in data.note


def test_missing_says_what_to_do(tmp_path):
    with pytest.raises(DatasetMissing, match=r"dataset\.json does not exist.*HateXplain.*12 MB"):
        datasets.load("hatexplain", root=tmp_path)


def write(root, name, text):
    (root / "hatexplain" / f"{name}.json").write_text(text)


def test_damaged_files_are_named_and_never_quoted(root):
    secret = "a post that must not be shown"
    whole = json.dumps({"a": post([H, H, H], text=secret)})
    for text in (whole[:-5], "", whole.replace(":", "", 1)):
        write(root, "dataset", text)
        with pytest.raises(ValueError, match=r"dataset\.json is truncated or not JSON") as caught:
            datasets.load("hatexplain", root=root)
        assert caught.value.__suppress_context__
        assert "must not be shown" not in str(caught.value)


@pytest.mark.parametrize(
    ("posts", "message"),
    [
        ({}, "post g of the split is missing"),
        (POSTS | {"g": {"post_id": "g"}}, "post g .* has no annotators"),
        (POSTS | {"g": post([H, H])}, "expected 3 labels .* got 2"),
        (POSTS | {"g": post([H, H, "rude"])}, r"unknown: \['rude'\]"),
    ],
)
def test_wrong_posts(root, posts, message):
    write(root, "dataset", json.dumps(posts))
    with pytest.raises(ValueError, match=message):
        datasets.load("hatexplain", root=root)


def test_wrong_divisions(root):
    write(root, "post_id_divisions", json.dumps({"train": ["g"]}))
    with pytest.raises(ValueError, match="has no posts for 'test'"):
        datasets.load("hatexplain", root=root)
    write(root, "post_id_divisions", "[]")
    with pytest.raises(ValueError, match="expected an object at its top"):
        datasets.load("hatexplain", root=root)


def test_attributes_are_those_of_the_paper():
    assert set(hatexplain.TARGETS) == {"gender", "race", "religion", "sexual_orientation"}
    assert hatexplain.refers(POSTS["a"], hatexplain.TARGETS["race"]) == 0


def test_real_hatexplain(real_root):
    if not (real_root / "hatexplain").is_dir():
        pytest.skip("no HateXplain")
    data = datasets.load("hatexplain", root=real_root)
    assert (len(data.train), len(data.test)) == (15_383, 1_924)
    assert data.test.y.sum() == 1_142
    named = {name: int(codes.sum()) for name, codes in data.test.groups.items()}
    assert named == {"gender": 158, "race": 493, "religion": 382, "sexual_orientation": 183}
    assert data.train.x.lengths.max() <= 128
