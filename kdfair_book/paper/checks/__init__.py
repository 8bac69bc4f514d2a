"""The paper against itself: what it says, recomputed from its own tables and public annotations.

Each check takes one statement of the paper, the poster, the talk or the article, computes the same
thing again (or reads it in another place), and says whether the two agree. Nothing here needs a
model or an experiment of ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields

import pandas as pd

from kdfair_book.paper.checks import celeba, class_bias, documents, fairness, feasibility
from kdfair_book.paper.checks.check import Check

TOPICS: dict[str, tuple[Callable[[], Check], ...]] = {
    "class bias": class_bias.CHECKS,
    "fairness": fairness.CHECKS,
    "feasibility": feasibility.CHECKS,
    "CelebA's annotations": celeba.CHECKS,
    "documents": documents.CHECKS,
}
"""Topic: the checks, functions without arguments."""

COLUMNS = ["topic", *(field.name for field in fields(Check))]


def checks(topic: str | None = None) -> pd.DataFrame:
    """Run the checks.

    Parameters
    ----------
    topic : str, optional
        One of ``TOPICS``; all of them if None.

    Returns
    -------
    DataFrame
        A row a check: topic, name, claim (in our words), where (document and place), stated (the
        value given there), recomputed, agrees (bool), note.

    Raises
    ------
    ValueError
        If there is no such topic; the message names those there are.
    """
    if topic is not None and topic not in TOPICS:
        raise ValueError(f"unknown topic {topic!r}; expected one of {', '.join(TOPICS)}")
    rows = [
        {"topic": name, **asdict(check())}
        for name, functions in TOPICS.items()
        if topic in (None, name)
        for check in functions
    ]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"agrees": bool})


def summary() -> pd.DataFrame:
    """Count the checks.

    Returns
    -------
    DataFrame
        A row a topic and one for all: topic, checks, agree, differ.
    """
    rows = checks()
    counts = rows.groupby("topic", sort=False)["agrees"].agg(checks="size", agree="sum")
    counts.loc["all"] = counts.sum()
    counts["differ"] = counts["checks"] - counts["agree"]
    return counts.rename_axis("topic").reset_index()


__all__ = ["COLUMNS", "TOPICS", "Check", "checks", "summary"]
