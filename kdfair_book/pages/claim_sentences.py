"""Sentences about verdicts; every number in them comes from the results."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kdfair_book.claims.registry import CLAIMS, get
from kdfair_book.claims.scoring import judge, scorecard
from kdfair_book.evidence.sweep import settings
from kdfair_book.pages.folded import Folded
from kdfair_book.pages.text import Text, table
from kdfair_core import results
from kdfair_core.results import Results

#: Claims on differences between groups.
GROUPS = r"(dpd|eod)-"

#: The picture that the paper draws of class bias against temperature.
PICTURE = ("sc-rises", "tc-falls", "sc-reverses", "tc-reverses")

SCALES = {"T2": "with T²", "none": "without T²"}


def verdicts(card: pd.DataFrame) -> Text:
    """How many verdicts of each kind, in the paper's regime and in others.

    Parameters
    ----------
    card : DataFrame
        Of the usual setting, from :func:`kdfair_book.pages.deciding.complete`.
    """
    measured = card[card["verdict"] != "not measured"]
    studies = measured.loc[measured["study"] != "all", "study"].nunique()
    counts = measured["verdict"].value_counts()
    lines = [
        f"**{len(measured)} verdicts on {measured['claim'].nunique()} of {len(CLAIMS)} claims "
        f"from {studies} {'study' if studies == 1 else 'studies'}**, with the factor T²: "
        f"{told(counts)}. "
        f"{int(measured['claim'].str.match(GROUPS).sum())} of them are on differences between "
        "groups: DPD (demographic parity difference) and EOD (equalized odds difference)."
    ]
    if "regime" in measured:
        inside = measured[measured["regime"] == "the paper's regime"]
        apart = len(measured) - len(inside)
        if inside.empty:
            lines.append(
                f"No study is in the paper's regime of accuracy and gain: all {apart} are verdicts "
                "on these studies (● holds, ○ fails), not on the paper (✓, ✗)."
            )
        else:
            lines.append(
                "In the paper's regime of accuracy and gain: "
                f"{told(inside['verdict'].value_counts())}. The others, {apart}, are verdicts on "
                "these studies (● holds, ○ fails), not on the paper (✓, ✗)."
            )
    return Text(" ".join(lines))


def without_factor(card: pd.DataFrame) -> Text:
    """How many verdicts of each kind there are without the factor T squared."""
    measured = card[card["verdict"] != "not measured"]
    if measured.empty:
        return Text("No claim was measured without the factor T².")
    return Text(f"{len(measured)} verdicts: {told(measured['verdict'].value_counts())}.")


def claim_by_claim(card: pd.DataFrame, *, without: pd.DataFrame | None = None) -> Folded:
    """On which claims measured studies agree.

    Parameters
    ----------
    card : DataFrame
        As for :func:`verdicts`.
    without : DataFrame, optional
        The same without the factor T squared: named where a claim's verdict differs.
    """
    measured = card[card["verdict"] != "not measured"]
    lines: list[str] = []
    named: dict[str, list[str]] = {}
    for claim in CLAIMS:
        mine = measured[measured["claim"] == claim.id]
        found = set(mine["verdict"])
        if found:
            word = found.pop() if len(found) == 1 else "mixed"
            also = _without(claim.id, set(mine["verdict"]), without)
            named.setdefault(word, []).append(f"- {claim.sentence} ({_where(mine)}{also})")
    for word, opening in (
        ("holds", "Hold in every study measured, with the factor T²"),
        ("fails", "Fail in every study measured"),
        ("mixed", "Mixed"),
        ("undecided", "Undecided in every study measured"),
    ):
        if word in named:
            lines.append(f"\n*{opening}:*\n\n" + "\n".join(named[word]))
    never = [claim.sentence for claim in CLAIMS if claim.id not in set(measured["claim"])]
    if never:
        lines.append("\n*Not measured:*\n\n" + "\n".join(f"- {sentence}" for sentence in never))
    return Folded("Claim by claim: where all studies agree, and where not", ["\n".join(lines)])


def told(counts: pd.Series) -> str:
    """ "3 hold, 1 fails, 5 are undecided"."""
    said = []
    for word, one, many in (
        ("holds", "holds", "hold"),
        ("fails", "fails", "fail"),
        ("undecided", "is undecided", "are undecided"),
    ):
        n = int(counts.get(word, 0))
        if n:
            said.append(f"{n} {one if n == 1 else many}")
    return ", ".join(said)


def _without(claim: str, usual: set[str], without: pd.DataFrame | None) -> str:
    """The verdict without the factor T squared, where it is another one."""
    if without is None or len(usual) > 1:
        return ""
    mine = without[(without["claim"] == claim) & (without["verdict"] != "not measured")]
    other = mine.loc[~mine["verdict"].isin(usual), "verdict"].value_counts()
    return f"; without T²: {told(other)}" if len(other) else ""


def _where(rows: pd.DataFrame) -> str:
    """Of how many studies, and which verdicts if they differ."""
    n = rows["study"].nunique()
    where = f"{n} {'study' if n == 1 else 'studies'}"
    if len(rows) > n:
        where = f"{len(rows)} verdicts in {where}"
    counts = rows["verdict"].value_counts()
    return where if len(counts) == 1 else f"{where}: {told(counts)}"


def scales_table(found: Results, *, alpha: float) -> Text:
    """Verdicts on the paper's picture of class bias, for each scaling that was measured."""
    columns: dict[str, list[str]] = {"claim": [get(claim).sentence for claim in PICTURE]}
    for scale in scalings(found, alpha):
        verdicts = _verdicts(found, alpha, scale)
        card = verdicts.set_index("claim").to_dict("index")
        columns[SCALES[scale]] = [
            f"**{card[claim]['verdict']}**: {card[claim]['why']}" if claim in card else "–"
            for claim in PICTURE
        ]
    return table(pd.DataFrame(columns))


def scales(found: Results, *, alpha: float) -> Text:
    """Which scaling gives more of the paper's picture."""
    held = {}
    for scale in scalings(found, alpha):
        card = _verdicts(found, alpha, scale)
        held[scale] = int((card["verdict"] == "holds").sum())
    said = " and ".join(f"{n} {SCALES[scale]}" for scale, n in held.items())
    if len(held) < 2:
        return Text(f"Of the picture's four parts, these runs show {said}; the other was not run.")
    best = max(held, key=lambda scale: held[scale])
    end = (
        "On these runs neither is nearer to the paper."
        if len(set(held.values())) == 1
        else f"On these runs the paper's picture is nearer to training {SCALES[best]}."
    )
    return Text(f"Of the picture's four parts, these runs show {said}. {end}")


def rules() -> Folded:
    """Every claim with its source, test, effect and the smallest effect that would matter."""
    lines = []
    for claim in CLAIMS:
        smallest = (
            "" if np.isnan(claim.smallest) else f" Smallest that matters: {claim.smallest:g}."
        )
        lines.append(
            f"- **{claim.sentence}** *{claim.source}.* Test: {claim.test}. Needs: "
            f"{claim.evidence}. Effect: {claim.effect}.{smallest}"
        )
    return Folded(f"All {len(CLAIMS)} claims, with test, evidence and effect", ["\n".join(lines)])


def _verdicts(found: Results, alpha: float, scale: str) -> pd.DataFrame:
    """Verdicts on the picture: the scorecard's, corrected over studies, if ``found`` is on it."""
    try:
        published = results.load(found.study, found.profile).manifest == found.manifest
    except results.NotMeasured:
        published = False
    if published:
        card = scorecard(soft_scale=scale, every_setting=True)
        card = card[(card["study"] == found.study) & (card["profile"] == found.profile)]
        card = card[card["alpha"] == alpha]
    else:
        card = judge(found, alpha=alpha, soft_scale=scale)
    return card[card["claim"].isin(PICTURE)]


def scalings(found: Results, alpha: float) -> list[str]:
    """Keys of :data:`SCALES` that were measured with this weight."""
    there = [scale for a, scale in settings(found) if a == alpha]
    return [scale for scale in SCALES if scale in there]
