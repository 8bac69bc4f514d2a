"""What the rule for effects that are shown but small does to the scorecard, counted."""

from __future__ import annotations

from itertools import chain

import pandas as pd

from kdfair_book import claims
from kdfair_book.charts.scorecard import POOLED
from kdfair_book.claims.scoring import NOTHING, SMALL
from kdfair_book.claims.seeds_to_decide import SMALL as TOWARDS_SMALL
from kdfair_book.pages.folded import Folded
from kdfair_book.pages.text import Text

RULE = """A claim of the paper names a direction. So it *holds* once the direction is shown, and a \
size below what would matter is an addition: *too small to matter*. It *fails* once the opposite \
is shown; or, with no direction shown, once the interval ends below what would matter (*nothing \
that would matter*), where more seeds could still show a direction. Cells, the pooled column, the \
other tests and the paper's own tables follow this rule, and so does what an undecided cell is \
said to lack."""


def rule(card: pd.DataFrame, unscaled: pd.DataFrame, pooled: pd.DataFrame) -> Folded:
    """The rule, why it is so, and which verdicts the other reading would change.

    Parameters
    ----------
    card, unscaled : DataFrame
        With and without the factor T squared, from :func:`kdfair_book.pages.deciding.complete`.
    pooled : DataFrame
        From :func:`kdfair_book.claims.pooled`.
    """
    cells = pd.concat([card, unscaled])
    cells = cells[cells["verdict"] != "not measured"]
    small = [_named(row, str(row["study"])) for row in cells.to_dict("records") if _is(row, "")]
    small += [
        _named(row, name)
        for row in pooled.to_dict("records")
        for which, name in POOLED.items()
        if _is(row, f"_{which}")
    ]
    fail = cells[cells["verdict"] == "fails"]
    by_size = int((fail["addition"] == NOTHING).sum())
    lacks = [lack.towards for lack in cells["missing"] if lack is not None]
    would = f": {'; '.join(small)}" if small else ""
    n = len(cells) + len(POOLED) * len(pooled)
    return Folded(
        "An effect that is shown, but small: one rule for every verdict",
        [
            RULE,
            Text(
                f"The rule alone changed no verdict, since the tests followed it before the text "
                f"did. Read the other way round, a claim would fail wherever its interval ends "
                f"below what would matter: then {len(small)} of {n} verdicts (cells with and "
                f"without T², and pooled ones) would turn from holds to fails{would}. Of "
                f"{len(fail)} cells that fail, {by_size} fail by their interval alone. What cells "
                f"lack did change: {lacks.count(TOWARDS_SMALL)} undecided ones would come to hold "
                f"with a small effect, and were said to be beyond any number of seeds."
            ),
        ],
    )


def _is(row: dict, which: str) -> bool:
    return bool(row[f"addition{which}"] == SMALL)


def _named(row: dict, where: str) -> str:
    parts = chain([where], [row["attribute"]] if row.get("attribute") else [])
    return f"“{claims.get(row['claim']).sentence.rstrip('.')}” ({', '.join(parts)})"
