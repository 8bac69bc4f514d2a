"""HateXplain (Mathew et al., 2021): posts, toxic or not, and whom they speak of.

Read in the official form, in the folder ``hatexplain``: ``dataset.json`` and
``post_id_divisions.json``. The posts are hateful text: never show one in a page, a log or an error.

Label: each of three annotators calls a post hateful, offensive or normal. As in the paper the first
two are one class, toxic; the majority decides. Posts on which all three differ are undecided; the
official split leaves them out, and so does this.

Groups: for each attribute, whether a post refers to it. It does when at least two of the three
annotators name one of its target communities (:data:`TARGETS`, the paper's categories). Where an
annotator's targets are not in the file, the group is unknown.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from kdfair_core.datasets import Dataset, Split
from kdfair_core.datasets._files import missing, shrink
from kdfair_core.datasets.tokens import tokenize

LABELS = {"normal": 0, "offensive": 1, "hatespeech": 1}

TARGETS: dict[str, frozenset[str]] = {
    "gender": frozenset({"Men", "Women"}),
    "race": frozenset({"African", "Arab", "Asian", "Caucasian", "Hispanic"}),
    "religion": frozenset({"Buddhism", "Christian", "Hindu", "Islam", "Jewish"}),
    "sexual_orientation": frozenset({"Heterosexual", "Homosexual", "Gay"}),
}
"""Target communities of each attribute; "Homosexual" is what the file calls the paper's "Gay"."""

MIN_ANNOTATORS = 2
"""How many of the three must name a community, for a post to refer to its group."""

SOURCE = "https://github.com/hate-alert/HateXplain/tree/master/Data"


def load(
    *, root: Path, n_train: int | None = None, n_test: int | None = None, seed: int = 0
) -> Dataset:
    """HateXplain: is a post toxic?"""
    folder = root / "hatexplain"
    posts, divisions = (_read(folder / f"{name}.json") for name in ("dataset", "post_id_divisions"))
    splits = {}
    for part, n in (("train", n_train), ("test", n_test)):
        chosen = [_post(posts, key, folder) for key in divisions.get(part, ())]
        chosen = [post for post in chosen if _label(post, folder) is not None]
        if not chosen:
            raise ValueError(f"{folder / 'post_id_divisions.json'} has no posts for {part!r}")
        x = tokenize([" ".join(post["post_tokens"]) for post in chosen])
        y = np.array([_label(post, folder) for post in chosen], np.int64)
        groups = {
            name: np.array([refers(post, targets) for post in chosen], np.int16)
            for name, targets in TARGETS.items()
        }
        splits[part] = shrink(Split(x, y, groups), n, seed=seed)
    train, test = splits["train"], splits["test"]
    unknown = int((train.groups["gender"] < 0).sum())
    return Dataset(
        name="hatexplain",
        train=train,
        test=test,
        class_names=("normal", "toxic"),
        group_names={
            name: (f"no {name.replace('_', ' ')}", name.replace("_", " ")) for name in TARGETS
        },
        mean=(),
        std=(),
        kind="texts",
        note=(
            f"HateXplain, official split: {len(train):,} training and {len(test):,} test posts, "
            "validation unused. Hateful and offensive posts are one class, toxic, by majority; a "
            f"post refers to a group when at least {MIN_ANNOTATORS} of 3 annotators name it."
            + (f" For {unknown:,} training posts the targets are unknown." if unknown else "")
        ),
    )


def refers(post: dict[str, Any], targets: frozenset[str]) -> int:
    """1 if enough annotators name one of the targets, 0 if not, -1 if that is not known."""
    named = [annotator.get("target") for annotator in post["annotators"]]
    if any(target is None for target in named):
        return -1
    return int(sum(bool(targets & set(target)) for target in named) >= MIN_ANNOTATORS)


def _label(post: dict[str, Any], folder: Path) -> int | None:
    """Majority label, or None if all annotators differ."""
    votes = [annotator["label"] for annotator in post["annotators"]]
    unknown = set(votes) - set(LABELS)
    if unknown or len(votes) != 3:
        raise ValueError(
            f"{folder / 'dataset.json'}: expected 3 labels out of {', '.join(LABELS)} for each "
            f"post, got {len(votes)}, unknown: {sorted(unknown)}"
        )
    if len(Counter(votes)) == 3:
        return None
    return int(sum(LABELS[vote] for vote in votes) >= 2)


def _post(posts: dict[str, Any], key: str, folder: Path) -> dict[str, Any]:
    post = posts.get(key)
    if not isinstance(post, dict) or not {"annotators", "post_tokens"} <= set(post):
        raise ValueError(
            f"{folder / 'dataset.json'}: post {key} of the split is missing, or has no annotators "
            "or no tokens"
        )
    return post


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise missing(
            "HateXplain",
            path,
            get=f"{path.name} from {SOURCE}",
            size="12 MB" if path.name == "dataset.json" else "0.6 MB",
            where=f"{path}",
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError):
        # the decoder's own message may quote the file
        raise ValueError(f"{path} is truncated or not JSON") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} is not HateXplain's: expected an object at its top")
    return content
