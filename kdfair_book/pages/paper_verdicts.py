"""What the paper's own tables say of its claims, in a sentence and in a table that opens."""

from __future__ import annotations

from html import escape

import numpy as np
import pandas as pd

from kdfair_book import claims
from kdfair_book.charts.scorecard import SIGNS, p_value, printed_cell
from kdfair_book.claims.paper_tables import TREND_OF_MEANS
from kdfair_book.evidence.printed import RUNS
from kdfair_book.pages.claim_sentences import told
from kdfair_book.pages.folded import Folded
from kdfair_book.pages.text import Text

ASSUMES = (
    "Where a mean and a deviation are printed, differences are tested by Welch's test from "
    "summaries, and trends by a linear contrast of the means with Welch's degrees of freedom. Both "
    f"take the {RUNS} runs behind each number as independent, also between the models compared "
    "(runs of one seed that resemble each other make the tests too cautious), and the printed "
    "deviation as that of single runs, rounded up. Where only one number a temperature is printed "
    "(#SC, #TC, individual unfairness), the test permutes the temperatures: if they did nothing, "
    "every order would be as likely. From T = 10 to 40 four counts have 24 orders, too few to "
    "decide anything after Holm's correction. Whether any class is affected is read off the "
    "binomial, with Bonferroni's correction over temperatures; it takes the tests of different "
    "classes as independent.\n\nAll of it speaks of training again and testing on the *same* "
    "examples: the paper gives nothing from which the luck of its test set could be known."
)


def summary(printed: pd.DataFrame) -> Text:
    """How many verdicts the paper's own tables give, and of which kind.

    Parameters
    ----------
    printed : DataFrame
        From :func:`kdfair_book.claims.paper_tables`.
    """
    kinds = printed.groupby("claim", sort=False)["verdict"].agg(set)
    everywhere = int((kinds == {"holds"}).sum())
    failing = [
        f"“{claims.get(str(claim)).sentence.rstrip('.')}” fails in {n} of {len(rows)}"
        for claim, rows in printed.groupby("claim", sort=False)
        if (n := int((rows["verdict"] == "fails").sum())) > 0
    ]
    held = f"{everywhere} claim holds" if everywhere == 1 else f"{everywhere} claims hold"
    worst = f"; {'; '.join(failing)}" if failing else ""
    return Text(
        f"**Do the claims follow from the paper's own tables?** The first column tests its printed "
        f"means and deviations of {len(kinds)} claims by the same rule. {held} wherever "
        f"printed{worst}; {told(printed['verdict'].value_counts())} in all. These tests "
        "allow for other seeds, not for other test examples."
    )


def details(printed: pd.DataFrame) -> Folded:
    """Every verdict from the paper's tables, with what is assumed."""
    as_errors = claims.paper_tables(as_errors=True)
    changed = int((as_errors["verdict"] != printed["verdict"]).sum())
    reading = (
        f"If the printed deviations were standard errors of the means instead, {changed} of "
        f"{len(printed)} verdicts would change."
    )
    return Folded(
        "The paper's own tables, test by test, and what the tests assume",
        [f"{ASSUMES}\n\n{reading}", Rows(printed)],
    )


class Rows:
    """A table of every test on the paper's numbers."""

    def __init__(self, printed: pd.DataFrame) -> None:
        self.printed = printed

    def _repr_html_(self) -> str:
        head = "".join(
            f'<th scope="col">{name}</th>'
            for name in ("numbers", "verdict", "p, corrected", "effect")
        )
        body = ""
        for claim, rows in self.printed.groupby("claim", sort=False):
            sentence = escape(claims.get(str(claim)).sentence)
            body += f'<tr><th scope="rowgroup" colspan="4">{sentence}</th></tr>'
            for row in rows.to_dict("records"):
                cells = [f"{SIGNS[row['verdict']]} {row['verdict']}"]
                cells[0] += f", {row['addition']}".rstrip(", ")
                cells += [p_value(row["p_adjusted"]), effect(row)]
                body += f"<tr><td>{escape(printed_cell(row))}</td>" + "".join(
                    f"<td>{escape(cell)}</td>" for cell in cells
                ) + "</tr>"  # fmt: skip
        return (
            '<div class="kd-scroll" tabindex="0" role="region" aria-label="The paper\'s own '
            'tables, test by test"><table class="kd-table kd-wrapped">'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )

    def __repr__(self) -> str:
        return "\n".join(
            f"{row['verdict']:9} {row['claim']:22} {printed_cell(row)}"
            for row in self.printed.to_dict("records")
        )


def effect(row: dict) -> str:
    """The effect with its interval: points, a share of classes, or a rank correlation."""
    claim = claims.get(row["claim"])
    trend = row["claim"] in TREND_OF_MEANS
    unit = "points" if trend else claim.shares
    scale, unit = (100, f" {unit}") if unit else (1, "")
    low, middle, high = (f"{scale * row[name] + 0:.2f}" for name in ("low", "effect", "high"))
    return f"{middle}{unit}" + ("" if np.isnan(row["low"]) else f" [{low}, {high}]")
