"""The same claims by other tests: a sentence, and a table that opens."""

from __future__ import annotations

import pandas as pd

from kdfair_book import claims
from kdfair_book.charts.scorecard import SIGNS, p_said, titled
from kdfair_book.evidence import simulations
from kdfair_book.pages.folded import Folded
from kdfair_book.pages.text import Text, table

ASSUMES = """Two other ways to ask the same, stated before their results were looked at; neither \
replaces a verdict above. **Paired classes**: runs of one seed saw the same views, so each class \
is tested by the paired t-test over seeds instead of Welch's. It assumes roughly normal \
differences and has half the degrees of freedom, so it gains only where runs of a seed resemble \
each other much. **Probabilities**: how near the student is to its teacher is measured by the \
total variation distance between their probabilities on the scored examples, instead of by class \
accuracies or decisions. It moves where no decision changes, and also where only confidence does. \
#SC and #TC are not asked of probabilities: of each class too few examples are scored.

The other tests are paired already: Page's test and the permutations work within a seed, and \
differences of DPD and EOD pair runs and redraw the same examples. Individual fairness is measured \
on probabilities throughout."""


def summary(other: pd.DataFrame) -> Text:
    """How many verdicts another test changes.

    Parameters
    ----------
    other : DataFrame
        From :func:`kdfair_book.claims.by_other_tests`.
    """
    if other.empty:
        return Text("No claim that was measured has another test.")
    said = []
    for name, rows in other.groupby("test", sort=False):
        changed = rows[rows["verdict"] != rows["plain_verdict"]]
        pairs = (changed["plain_verdict"] + " becomes " + changed["verdict"]).value_counts()
        how = ", ".join(f"{pair} {_times(n)}" for pair, n in pairs.items()) or "none changes"
        said.append(f"{name}, {len(rows)} verdicts: {how}")
    return Text(
        f"**Tested in other ways.** {'; '.join(said).capitalize()}. The verdicts above stay those "
        "of the tests that were named first."
    )


def details(other: pd.DataFrame) -> Folded:
    """Both verdicts of every cell, with assumptions and simulations."""
    rows = [
        {
            "claim, study": f"{claims.get(row['claim']).sentence} {titled(row['study'])}",
            "plain test": _verdict(row, "plain_"),
            "test": row["test"],
            "other test": f"{_verdict(row, '')}: {row['why']}",
        }
        for row in other.to_dict("records")
    ]
    columns = ["claim, study", "plain test", "test", "other test"]
    shown = [table(pd.DataFrame(rows)[columns])] if rows else []
    return Folded(
        "Paired classes and probabilities: both verdicts, and what the tests assume",
        [summary(other), ASSUMES, *shown, simulated_pairing(), simulated_probabilities()],
    )


def simulated_pairing() -> Text:
    """Error rates and power of Welch's and the paired test, from the stored simulation."""
    frame = simulations.stored("pairing")
    keys = ["seeds", "resemblance", "effect"]
    wide = _wide(frame, keys).rename(columns={"effect": "change of accuracy"})
    points = wide["change of accuracy"].astype(float) * 100
    wide["change of accuracy"] = points.map("{:.0f} points".format)
    return Text(
        f"A class in {frame['n_studies'].max():,} simulated pairs of kinds of student, 200 test "
        f"examples a class: how often it is called significant at level 0.05.\n\n{table(wide)}"
    )


def simulated_probabilities() -> Text:
    """Error rates and power of the trend towards the teacher, from the stored simulation."""
    frame = simulations.stored("probabilities")
    frame = frame.assign(study=frame["study"].map(titled))
    wide = _wide(frame, ["study", "effect"]).rename(columns={"effect": "planted fall"})
    wide["planted fall"] = [f"{100 * float(effect):.0f} %" for effect in wide["planted fall"]]
    return Text(
        f"Our runs with temperatures permuted within seeds, {frame['n_studies'].max():,} times, a "
        f"fall of the distance to the teacher planted: how often it is found.\n\n{table(wide)}"
    )


def _wide(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Share of rejections in percent, a column a method, rows in the order of the frame."""
    wide = frame.pivot(index=keys, columns="method", values="rejected")
    wide = wide.reindex(pd.MultiIndex.from_frame(frame[keys].drop_duplicates()))
    return wide.map(lambda share: f"{100 * share:.0f} %").reset_index()


def _verdict(row: dict, prefix: str) -> str:
    word = row[f"{prefix}verdict"]
    small = "" if prefix else f", {row['addition']}".rstrip(", ")
    return f"{SIGNS[word]} {word}{small} ({p_said(row[f'{prefix}p_adjusted'])})"


def _times(n: int) -> str:
    return {1: "once", 2: "twice"}.get(n, f"{n} times")
