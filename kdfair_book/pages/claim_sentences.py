"""Sentences about verdicts; every number in them comes from the results."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kdfair_book.claims.registry import CLAIMS, get
from kdfair_book.claims.scoring import VERDICTS, judge
from kdfair_book.evidence.sweep import settings
from kdfair_book.pages.text import Text, table
from kdfair_core.results import Results

#: The picture that the paper draws of class bias against temperature.
PICTURE = ("sc-rises", "tc-falls", "sc-reverses", "tc-reverses")

SCALES = {"T2": "with T²", "none": "without T²"}


def verdicts(card: pd.DataFrame) -> Text:
    """How many verdicts of each kind, and on which claims measured studies agree."""
    measured = card[card["verdict"] != "not measured"]
    studies = measured.loc[measured["study"] != "all", "study"].nunique()
    counts = measured["verdict"].value_counts()
    said = [f"{counts.get(word, 0)} {word}" for word in VERDICTS[:3]]
    lines = [
        f"**{len(measured)} verdicts on {measured['claim'].nunique()} claims from {studies} "
        f"{'study' if studies == 1 else 'studies'}:** {', '.join(said)}."
    ]
    named: dict[str, list[str]] = {}
    for claim in CLAIMS:
        mine = measured[measured["claim"] == claim.id]
        found = set(mine["verdict"])
        if found:
            word = found.pop() if len(found) == 1 else "mixed"
            named.setdefault(word, []).append(f"- {claim.sentence} ({_where(mine)})")
    for word, opening in (
        ("holds", "Stand wherever they were measured"),
        ("fails", "Fail wherever they were measured"),
        ("undecided", "Undecided wherever they were measured"),
        ("mixed", "Mixed"),
    ):
        if word in named:
            lines.append(f"\n*{opening}:*\n\n" + "\n".join(named[word]))
    never = [claim.sentence for claim in CLAIMS if claim.id not in set(measured["claim"])]
    if never:
        lines.append("\n*Not measured:*\n\n" + "\n".join(f"- {sentence}" for sentence in never))
    return Text("\n".join(lines))


def _where(rows: pd.DataFrame) -> str:
    """Of how many studies, and which verdicts if they differ."""
    n = rows["study"].nunique()
    where = f"{n} {'study' if n == 1 else 'studies'}"
    counts = rows["verdict"].value_counts()
    if len(counts) == 1:
        return where
    return f"{where}: " + ", ".join(f"{counts[word]} {word}" for word in VERDICTS if word in counts)


def scales_table(found: Results, *, alpha: float) -> Text:
    """Verdicts on the paper's picture of class bias, for each scaling that was measured."""
    columns: dict[str, list[str]] = {"claim": [get(claim).sentence for claim in PICTURE]}
    for scale, card in _pictures(found, alpha).items():
        columns[SCALES[scale]] = [
            f"**{card[claim]['verdict']}**: {card[claim]['why']}" if claim in card else "–"
            for claim in PICTURE
        ]
    return table(pd.DataFrame(columns))


def scales(found: Results, *, alpha: float) -> Text:
    """Which scaling gives more of the paper's picture."""
    held = {
        scale: sum(row["verdict"] == "holds" for row in card.values())
        for scale, card in _pictures(found, alpha).items()
    }
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


def rules() -> Text:
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
    return Text("\n".join(lines))


def _pictures(found: Results, alpha: float) -> dict[str, dict]:
    """For each scaling, the verdicts on the parts of the picture by the name of the claim."""
    cards = {}
    for scale in scalings(found, alpha):
        card = judge(found, alpha=alpha, soft_scale=scale).set_index("claim")
        cards[scale] = card[card.index.isin(PICTURE)].to_dict("index")
    return cards


def scalings(found: Results, alpha: float) -> list[str]:
    """Keys of :data:`SCALES` that were measured with this weight."""
    there = [scale for a, scale in settings(found) if a == alpha]
    return [scale for scale in SCALES if scale in there]
