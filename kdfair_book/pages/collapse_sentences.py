"""What published predictions tell of trainings that collapsed: two sentences and a table."""

from __future__ import annotations

import pandas as pd

from kdfair_book.evidence import collapse
from kdfair_book.pages.folded import Folded
from kdfair_book.pages.text import SCALES, Text, at, table
from kdfair_core.results import Results


def told(found: Results, *, alpha: float = 0.8) -> Text:
    """Which trainings collapsed, what became of them, and what that leaves as the cause."""
    ends = collapse.endings(found, alpha=alpha)
    fallen = ends[ends["collapsed"]]
    if fallen.empty:
        return Text("No training of a distilled student collapsed here.")
    lines = [_told(ends, row) for row in fallen.to_dict("records")]
    return Text(" ".join(lines))


def seed_by_seed(found: Results, *, alpha: float = 0.8, low: float = 10) -> Folded:
    """What is told, above every student from a temperature on: how its training ended."""
    ends = collapse.endings(found, alpha=alpha)
    shown = ends[ends["temperature"] >= low].sort_values(["soft_scale", "temperature", "seed"])
    rows = [
        {
            "soft term": SCALES[row["soft_scale"]],
            "T": f"{row['temperature']:g}",
            "seed": row["seed"],
            "accuracy": f"{100 * row['accuracy']:.1f} %" + (" ✗" if row["collapsed"] else ""),
            "most frequent answer": f"{100 * row['one_answer']:.0f} % of examples",
            "spread of a logit": f"{row['spread']:.2f}",
        }
        for row in shown.to_dict("records")
    ]
    fallen = ends.loc[ends["collapsed"], "temperature"].unique()
    title = f"Why did a training at {at(fallen)} collapse? " if len(fallen) else ""
    return Folded(
        f"{title}Seed by seed from T = {low:g} on: how each training ended",
        [
            told(found, alpha=alpha),
            "✗: collapsed, under two thirds of the median accuracy of its kind. *Spread of a "
            "logit*: its deviation over test examples; near 0 the example makes no difference.",
            table(pd.DataFrame(rows)),
        ],
    )


def _told(ends: pd.DataFrame, row: dict) -> str:
    """Two sentences about one training."""
    scale, t, seed = row["soft_scale"], row["temperature"], row["seed"]
    kind = ends["soft_scale"] == scale
    beside = ends[kind & (ends["temperature"] == t) & (ends["seed"] != seed)]
    own = ends[kind & (ends["seed"] == seed) & ~ends["collapsed"]]
    near = own.iloc[(own["temperature"] - t).abs().argsort()[:2]].sort_values("temperature")
    other = ends[~kind & (ends["temperature"] == t)]
    spared = (
        f", nor did any of {len(other)} {SCALES[other['soft_scale'].iloc[0]]}"
        if len(other) and not other["collapsed"].any()
        else ""
    )
    answers = (
        "gives every image the same answer"
        if row["one_answer"] == 1
        else f"gives {100 * row['one_answer']:.0f} % of the images the same answer"
    )
    return (
        f"At T = {t:g} {SCALES[scale]} the student of seed {seed} {answers}: its logits hardly "
        f"depend on the image (deviation {row['spread']:.2f}; of the other seeds "
        f"{beside['spread'].min():.1f} to {beside['spread'].max():.1f}). That seed's students at "
        f"{at(near['temperature'])} had the same teacher and batches but other initial weights and "
        f"did not collapse{spared}: neither teacher nor batches alone did it."
    )
