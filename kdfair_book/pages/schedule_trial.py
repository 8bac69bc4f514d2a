"""How short CIFAR's training may be and stay in the paper's regime, as a trial showed."""

from __future__ import annotations

import json

import pandas as pd

from kdfair_book.evidence.benchmarks import FOLDER
from kdfair_book.pages.folded import Folded
from kdfair_book.pages.text import Text, table


def schedule_trial(study: str) -> Folded:
    """A sentence and a row a candidate of ``benchmarks/short_schedule.py``, shortest first."""
    stored = json.loads((FOLDER / "short_schedule.json").read_text())
    found = [row for row in stored["rows"] if row["study"] == study]
    found.sort(key=lambda row: row["recipe"]["nds"]["epochs"])
    inside = [row["recipe"]["nds"]["epochs"] for row in found if row["in_regime"]]
    said = (
        "Everything as in the paper (32x32 pixels, batches of 128, crop and flip) but the "
        "schedule: one cycle of the learning rate in so few epochs. One seed, judged on 5,000 "
        "training images held out, never on test images. In the paper's regime, by a tolerance "
        f"written down first: a student alone at most {stored['tolerance'][study]:g} points behind "
        "the paper's, and a gain above 0 and at most twice the paper's. "
    )
    said += f"The shortest that is: {min(inside)} epochs." if inside else "None of them is."
    rows = [
        {
            "epochs": row["recipe"]["nds"]["epochs"],
            **{
                name: f"{row['accuracy'][role]:.2f} %"
                for name, role in (
                    ("teacher", "teacher"),
                    ("student alone", "nds"),
                    ("distilled, T = 4", "ds"),
                )
            },
            "behind the paper's (points)": f"{row['behind']:.2f}",
            "gain (points)": f"{row['gain']:+.2f}",
            "in the regime": "yes" if row["in_regime"] else "no",
            "minutes on a core": f"{sum(row['minutes'].values()):.0f}",
        }
        for row in found
    ]
    return Folded(
        "A shorter schedule in the paper's regime: a trial",
        [Text(said), table(pd.DataFrame(rows))],
    )
