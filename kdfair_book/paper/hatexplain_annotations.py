"""Counts from HateXplain's annotations: how many posts are toxic, and how many name a group.

    python -m kdfair_book.paper.hatexplain_annotations FOLDER [OUT]

reads ``dataset.json`` and ``post_id_divisions.json`` of FOLDER and writes the table of
``data/hatexplain_annotations``: enough for the DPD that the labels themselves have. It holds
numbers only, no post.

HateXplain: Mathew et al., AAAI 2021, MIT license.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from kdfair_book.paper import annotation_tables
from kdfair_core.files import sha256

FOLDER = annotation_tables.DATA / "hatexplain_annotations"
SPLITS = ("train", "val", "test")
TARGETS = {
    "gender": frozenset({"Men", "Women"}),
    "race": frozenset({"African", "Arab", "Asian", "Caucasian", "Hispanic"}),
}
"""The two attributes that the paper reports, and the targets that count as naming them."""

_DATASET = "dataset.json"
_DIVISIONS = "post_id_divisions.json"


def majority(labels: Sequence[str]) -> str | None:
    """Return the label that most annotators gave, None where there is no majority."""
    label, votes = Counter(labels).most_common(1)[0]
    return label if 2 * votes > len(labels) else None


def label_counts(posts: dict, divisions: dict) -> pd.DataFrame:
    """Count posts by their majority label.

    Returns
    -------
    DataFrame
        Columns split, label, posts.
    """
    rows = Counter(
        (split, majority([a["label"] for a in posts[post]["annotators"]]))
        for split, members in divisions.items()
        for post in members
    )
    return pd.DataFrame(
        [(split, label or "undecided", n) for (split, label), n in sorted(rows.items(), key=str)],
        columns=["split", "label", "posts"],
    )


def group_counts(posts: dict, divisions: dict, splits: Iterable[str] = SPLITS[1:]) -> pd.DataFrame:
    """Count posts by label and by whether they name a group.

    A post names a group when at least ``annotators`` of its annotators list one of its targets;
    the paper does not say how many it asks for, so all three readings are counted.

    Returns
    -------
    DataFrame
        Columns split, attribute, annotators, named, toxic (0 or 1), posts.

    Raises
    ------
    ValueError
        If an annotator of a post gives no target.
    """
    rows = []
    for split in splits:
        counts: Counter = Counter()
        for post in divisions[split]:
            annotators = posts[post]["annotators"]
            if any("target" not in annotator for annotator in annotators):
                raise ValueError(f"post {post} of split {split!r} has an annotator without target")
            toxic = int(majority([a["label"] for a in annotators]) != "normal")
            for attribute, targets in TARGETS.items():
                votes = sum(not targets.isdisjoint(a["target"]) for a in annotators)
                for least in (1, 2, 3):
                    counts[attribute, least, int(votes >= least), toxic] += 1
        for attribute in TARGETS:
            for least, named, toxic in np.ndindex(3, 2, 2):
                posts_here = counts[attribute, least + 1, named, toxic]
                rows.append((split, attribute, least + 1, named, toxic, posts_here))
    columns = ["split", "attribute", "annotators", "named", "toxic", "posts"]
    return pd.DataFrame(rows, columns=columns)


def write_counts(source: str | Path, folder: str | Path = FOLDER) -> None:
    """Write both tables and their manifest from a folder with the two official files."""
    source = Path(source)
    posts = json.loads((source / _DATASET).read_text(encoding="utf-8"))
    divisions = json.loads((source / _DIVISIONS).read_text(encoding="utf-8"))
    annotation_tables.write(
        Path(folder),
        {
            "label_counts": label_counts(posts, divisions),
            "group_counts": group_counts(posts, divisions),
        },
        {
            "schema": 1,
            "made_from": f"HateXplain's {_DATASET} and {_DIVISIONS}",
            "reference": "Mathew et al., HateXplain, AAAI 2021",
            "use": "HateXplain is under the MIT license",
            "computed_by": "python -m kdfair_book.paper.hatexplain_annotations FOLDER",
            "posts": sum(map(len, divisions.values())),
            "divisions_sha256": sha256(source / _DIVISIONS),
        },
    )


def load_label_counts() -> pd.DataFrame:
    """Return the published :func:`label_counts`."""
    return annotation_tables.read(FOLDER, "label_counts")


def load_group_counts(attribute: str, annotators: int = 2, split: str = "test") -> np.ndarray:
    """Return published counts of one attribute under one reading.

    Returns
    -------
    ndarray of int, [group, label]
        Row 0 posts that do not name the group, row 1 those that do; column 0 normal, 1 toxic.

    Raises
    ------
    ValueError
        If there are no such counts; the message names the choices.
    """
    rows = annotation_tables.read(FOLDER, "group_counts")
    for column, value in (("attribute", attribute), ("annotators", annotators), ("split", split)):
        known = list(dict.fromkeys(rows[column]))
        if value not in known:
            raise ValueError(
                f"unknown {column} {value!r}; expected one of {', '.join(map(str, known))}"
            )
        rows = rows[rows[column] == value]
    return rows.groupby(["named", "toxic"])["posts"].sum().to_numpy().reshape(2, 2)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: python -m kdfair_book.paper.hatexplain_annotations FOLDER [OUT]")
    write_counts(*sys.argv[1:])
