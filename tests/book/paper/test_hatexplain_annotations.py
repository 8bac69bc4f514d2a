"""HateXplain's count tables: from made-up annotations in the official form, and the published."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kdfair_book.paper import annotation_tables
from kdfair_book.paper import hatexplain_annotations as hatexplain


def post(labels: str, targets: list[list[str]]) -> dict:
    names = {"n": "normal", "o": "offensive", "h": "hatespeech"}
    annotators = [
        {"label": names[label], "annotator_id": number, "target": target}
        for number, (label, target) in enumerate(zip(labels, targets, strict=True))
    ]
    return {"annotators": annotators, "post_tokens": ["word"], "rationales": []}


POSTS = {
    "a": post("hho", [["African"], ["Arab", "Women"], ["None"]]),  # toxic, race by two
    "b": post("nno", [["None"], ["None"], ["Women"]]),  # normal, gender by one
    "c": post("ooo", [["Men"], ["Women"], ["Men", "Asian"]]),  # toxic, gender by three
    "d": post("nnn", [["None"], ["None"], ["None"]]),
}
DIVISIONS = {"train": [], "val": ["d"], "test": ["a", "b", "c", "d"]}


def counts(attribute: str, annotators: int) -> list[list[int]]:
    rows = hatexplain.group_counts(POSTS, DIVISIONS)
    rows = rows.query("split == 'test' and attribute == @attribute and annotators == @annotators")
    return rows["posts"].to_numpy().reshape(2, 2).tolist()


def test_a_post_names_a_group_when_enough_annotators_do() -> None:
    assert counts("race", 1) == [[2, 0], [0, 2]]
    assert counts("race", 2) == [[2, 1], [0, 1]]
    assert counts("race", 3) == [[2, 2], [0, 0]]
    assert counts("gender", 1) == [[1, 0], [1, 2]]
    assert counts("gender", 2) == [[2, 1], [0, 1]]
    assert counts("gender", 3) == [[2, 1], [0, 1]]


def test_labels_by_majority() -> None:
    assert hatexplain.majority(["normal", "hatespeech", "normal"]) == "normal"
    assert hatexplain.majority(["normal", "hatespeech", "offensive"]) is None
    rows = hatexplain.label_counts(POSTS, DIVISIONS).set_index(["split", "label"])["posts"]
    assert rows.to_dict() == {
        ("test", "hatespeech"): 1,
        ("test", "normal"): 2,
        ("test", "offensive"): 1,
        ("val", "normal"): 1,
    }


def test_a_post_without_targets() -> None:
    posts = json.loads(json.dumps(POSTS))
    del posts["b"]["annotators"][1]["target"]
    with pytest.raises(ValueError, match="post b of split 'test'"):
        hatexplain.group_counts(posts, DIVISIONS)


class TestPublished:
    def test_every_post_of_the_official_split(self) -> None:
        rows = hatexplain.load_label_counts()
        assert rows.groupby("split")["posts"].sum().to_dict() == {
            "test": 1924,
            "train": 15383,
            "val": 1922,
        }

    @pytest.mark.parametrize("attribute", hatexplain.TARGETS)
    def test_more_annotators_name_fewer_posts(self, attribute: str) -> None:
        tables = [hatexplain.load_group_counts(attribute, least) for least in (1, 2, 3)]
        assert [table.sum() for table in tables] == [1924] * 3
        named = [table[1].sum() for table in tables]
        assert named[0] > named[1] > named[2] > 0
        assert {tuple(table.sum(axis=0)) for table in tables} == {(782, 1142)}

    def test_typed_counts(self) -> None:
        assert hatexplain.load_group_counts("race").tolist() == [[729, 702], [53, 440]]

    def test_unknown_names(self) -> None:
        with pytest.raises(ValueError, match="unknown attribute 'age'; expected one of gender"):
            hatexplain.load_group_counts("age")
        with pytest.raises(ValueError, match="unknown annotators 4; expected one of 1, 2, 3"):
            hatexplain.load_group_counts("race", 4)

    def test_made_from_the_real_files(self, tmp_path: Path) -> None:
        source = Path(os.environ.get("KDFAIR_DATA", "datasets")) / "hatexplain"
        if not source.exists():
            pytest.skip("HateXplain is not here")
        hatexplain.write_counts(source, tmp_path)
        for name in ("label_counts", "group_counts"):
            again = annotation_tables.read(tmp_path, name)
            pd.testing.assert_frame_equal(again, annotation_tables.read(hatexplain.FOLDER, name))
        assert np.all(again["posts"] >= 0)
