"""What all studies say together, in a sentence and in a table that opens."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kdfair_book import claims
from kdfair_book.charts.scorecard import POOLED, SIGNS, effect, p_said
from kdfair_book.claims.scoring import SMALL
from kdfair_book.evidence import simulations
from kdfair_book.evidence.pooling_simulated import CELLS, DL, HK, LIKE, STOUFFER, THESE
from kdfair_book.pages.claim_sentences import told
from kdfair_book.pages.folded import Folded
from kdfair_book.pages.text import Text, table

ASSUMES = """A study counts once: its attributes share their students, so their effects are \
averaged, seed by seed where a test gives an effect a seed. The pooled effect is the plain mean \
over studies. **These studies**: its error is that of seeds and test examples; the answer is about \
the studies measured, whatever their differences. **Studies like these**: its error is the spread \
between studies (Student's t over studies: the method of Hartung and Knapp with equal weights); \
the answer is about studies of which these are a sample, and three studies leave it two degrees of \
freedom. DerSimonian and Laird's interval was not used: with three studies it finds an effect too \
often where there is none, as the simulation below shows. Trends of #SC and #TC give no effect a \
seed; their p-values are combined by Stouffer's method. One test a claim, so nothing is corrected; \
Holm's verdicts in the cells stand as they are.

I² is the share of the variance between studies' effects that is more than seeds and test \
examples would give by chance, τ the standard deviation of their true effects. Both were fixed, \
like the rule, before any pooled result was looked at; that the claims would be pooled at all was \
decided after the cells were known."""


def summary(pooled: pd.DataFrame) -> Text:
    """How many claims pooling decides, for these studies and for studies like these.

    Parameters
    ----------
    pooled : DataFrame
        From :func:`kdfair_book.claims.pooled`.
    """
    if pooled.empty:
        return Text("No claim was measured on two studies, so that nothing is pooled.")
    these, like = (pooled[f"verdict_{which}"].value_counts() for which in POOLED)
    small = int((pooled["addition_these"] == SMALL).sum())
    tiny = f" (of those that hold {small} with an effect below what would matter)" if small else ""
    apart = int((pooled["i2"] > 0.75).sum())
    return Text(
        f"**All studies together** (last column). One verdict a claim, from the mean over "
        f"studies: for these studies {told(these)}{tiny}; for studies like these {told(like)}. "
        f"The studies differ from each other: in {apart} claims, chance (seeds and test examples) "
        "explains less than a quarter of the variance between studies (I² above 75 %)."
    )


def details(pooled: pd.DataFrame) -> Folded:
    """Effects, intervals and heterogeneity, with assumptions and the simulation behind them."""
    rows = []
    for row in pooled.to_dict("records"):
        cells = {"claim": claims.get(row["claim"]).sentence, "studies (cells)": ""}
        cells["studies (cells)"] = f"{row['studies']} ({row['cells']})"
        for which, name in POOLED.items():
            word = row[f"verdict_{which}"]
            shown = effect(row | {end: row[f"{end}_{which}"] for end in ("low", "high")})
            small = f", {row[f'addition_{which}']}".rstrip(", ")
            p = p_said(row[f"p_value_{which}"])
            cells[name] = f"{SIGNS[word]} {word}{small}: {shown}, {p}"
        cells["I²; τ"] = (
            "–" if np.isnan(row["i2"]) else f"{100 * row['i2']:.0f} %; {row['tau']:.2g}"
        )
        rows.append(cells)
    return Folded(
        "All studies together: effects, intervals, and what pooling assumes",
        [ASSUMES, *([table(pd.DataFrame(rows))] if rows else []), simulated()],
    )


def simulated() -> Text:
    """Error rates and power of the pooled tests, from the stored simulation."""
    frame = simulations.stored("pooling")
    shown = [THESE, LIKE, STOUFFER, HK, DL, THESE + CELLS]
    wide = frame.pivot(index=["world", "effect", "spread"], columns="method", values="rejected")
    order = frame[["world", "effect", "spread"]].drop_duplicates()
    wide = wide.reindex(pd.MultiIndex.from_frame(order))
    wide = wide[[name for name in shown if name in wide]]
    percent = wide.map(lambda share: "–" if np.isnan(share) else f"{100 * share:.0f} %")
    n = frame["n_studies"].max()
    return Text(
        f"Share of simulated sets of three studies in which a claim is found, at level 0.05, of up "
        f"to {n:,} sets; where the effect is 0, more than five in a hundred are too many for the "
        f"question about studies like these. *Spread* is the deviation of true effects between "
        f"studies: with it, just these studies do have an effect.\n\n{table(percent.reset_index())}"
    )
