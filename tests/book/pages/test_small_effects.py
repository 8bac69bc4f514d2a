"""The rule for small effects is counted on what is shown."""

import pandas as pd

from kdfair_book.claims.seeds_to_decide import SMALL, Missing
from kdfair_book.pages import small_effects


def cell(verdict, addition="", missing=None, claim="eod-falls"):
    row = {"claim": claim, "study": "faces", "attribute": "gender", "verdict": verdict}
    return row | {"addition": addition, "missing": missing}


def test_what_the_other_reading_would_change_is_counted():
    card = pd.DataFrame(
        [
            cell("holds", "too small to matter"),
            cell("holds"),
            cell("fails", "nothing that would matter"),
            cell("fails"),
            cell("undecided", missing=Missing(9, 1.0, SMALL, "")),
            cell("undecided", missing=Missing(9, 1.0, "holds", "")),
            cell("not measured"),
        ]
    )
    row = {"claim": "dpd-falls", "addition_these": "too small to matter", "addition_like": ""}
    said = str(small_effects.rule(card, card.iloc[:0], pd.DataFrame([row])))
    assert "2 of 8 verdicts" in said
    assert "“EOD falls as temperature rises” (faces, gender)" in said
    assert "“DPD falls as temperature rises” (these studies)" in said
    assert "Of 2 cells that fail, 1 fail by their interval alone" in said
    assert "1 undecided ones would come to hold" in said
