"""The paper's numbers as it prints them, and the paper against itself (``checks``)."""

from kdfair_book.paper.numbers import (
    METRICS,
    RESULTS,
    STUDY_TITLES,
    TITLES,
    Shown,
    contents,
    fact,
    layout,
    results,
    show,
    studies,
    table,
    tables,
)

__all__ = [
    "METRICS",
    "RESULTS",
    "STUDY_TITLES",
    "TITLES",
    "Shown",
    "contents",
    "fact",
    "layout",
    "results",
    "show",
    "studies",
    "table",
    "tables",
]
