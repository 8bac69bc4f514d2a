"""Why one of Trifeature's students collapsed, as a trial showed: a few lines, and its table."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pandas as pd
from scipy import stats

from kdfair_book.evidence.benchmarks import FOLDER
from kdfair_book.pages.folded import Folded
from kdfair_book.pages.text import Text, table

COLLAPSED = 20.0
"""Percent of accuracy below which a student of the trial collapsed: twice chance."""

PUBLISHED = (1, 5)
"""Of the published students at T = 30, how many collapsed; the rule counts them in."""

ENOUGH = 3
"""Of the published and the eight others, from which the recipe would be at fault."""

OWN, AS_PUBLISHED, HALF = "its own", "as published", "half the learning rate"
NOT_THE_RECIPE = "without T squared"

RULE = """Written down before the first change was tried. *Collapsed*: under 20 % accurate, twice \
chance, after the four epochs at the first rate. The collapse *belongs to these initial weights* \
if three of its four copies collapse as published. A change *spares* if fewer collapse under it \
than as published (Fisher's exact test, one-sided, p at most 0.05, over the initial weights that \
were trained both ways). The recipe is *at fault*, and the sweep would be trained anew, if three \
or more of 13 students (the five published and eight with other initial weights) collapse as \
published and a smaller rate, a warm-up or clipping spares.

*Its own*: the student that collapsed, and three copies whose initial weights differ by 1 %. \
*Largest gradient*: norm at its largest step, and the median over the 100 steps before. *Silent \
channels*: of the second convolution's 16, how many no image of 250 activates in the end."""


def told() -> Text:
    """What happened to the student, and what follows for the recipe by the rule."""
    students = _students()
    own = students[students["change"] == AS_PUBLISHED].iloc[0]
    _, _, fault = _counted(students)
    follows = "at fault: the sweep is to be trained anew" if fault else "not at fault: it stays"
    published, half = (_many(students[students["change"] == c]) for c in (AS_PUBLISHED, HALF))
    return Text(
        f"At step {own['at_step']:,} of 3,000 that student's "
        f"gradient jumps from a norm of about {own['usual_gradient']:.0f} to "
        f"{own['largest_gradient']:,.0f}; from then on {own['silent']} of 16 channels of its "
        f"second convolution answer to no image (dead ReLUs). At the published rate {published}, "
        f"at half of it {half}. By the rule written down first the recipe is {follows}."
    )


def trial() -> Folded:
    """A row a change and initial weights, with the rule."""
    students = _students()
    p_values = _p_values(students)
    rows = [
        {
            "change": change,
            "initial weights": weights,
            "accuracy after 4 epochs": _listed(f"{v:.0f} %" for v in mine["accuracy"]),
            "collapsed": f"{mine['collapsed'].sum()} of {len(mine)}",
            "largest gradient (before)": _listed(
                f"{a:,.0f} ({b:.0f})"
                for a, b in zip(mine["largest_gradient"], mine["usual_gradient"], strict=True)
            ),
            "silent channels": _listed(map(str, mine["silent"])),
            "p": f"{p_values[change]:.2f}" if change in p_values else "–",
        }
        for (change, weights), mine in students.groupby(["change", "initial_weights"], sort=False)
    ]
    fell, n, _ = _counted(students)
    interval = stats.binomtest(fell, n).proportion_ci()
    ranges = {
        change: f"{mine['accuracy'].min():.0f} to {mine['accuracy'].max():.0f} %"
        for change, mine in students.groupby("change", sort=False)
    }
    said = (
        f"At T = 30 with T², {fell} of {n} students collapse as published (95 % interval "
        f"{100 * interval.low:.0f} to {100 * interval.high:.0f} %; {ENOUGH} were needed). The "
        f"others are far apart after four epochs, {ranges[AS_PUBLISHED]} accurate, and at half the "
        f"rate {ranges[HALF]}: the published rate is at the edge of what trains there, and the "
        f"drop of the rate that follows saves most. Counts of collapses alone cannot show that "
        f"with so few students. Another rate would mean training all students of this profile "
        f"anew, since every temperature shares it."
    )
    return Folded(
        "Why it collapsed: a trial of learning rate, warm-up, clipping, T² and initial weights",
        [told(), Text(said), table(pd.DataFrame(rows)), RULE],
    )


def _counted(students: pd.DataFrame) -> tuple[int, int, bool]:
    """Students that collapse as published, of how many, and whether the recipe is at fault."""
    others = students[(students["change"] == AS_PUBLISHED) & (students["initial_weights"] != OWN)]
    fell, n = PUBLISHED[0] + int(others["collapsed"].sum()), PUBLISHED[1] + len(others)
    spares = [p <= 0.05 for change, p in _p_values(students).items() if change != NOT_THE_RECIPE]
    return fell, n, fell >= ENOUGH and any(spares)


def _students() -> pd.DataFrame:
    rows = json.loads((FOLDER / "collapse.json").read_text())["rows"]
    flat: list[dict[str, Any]] = [
        {k: row[k] for k in ("change", "initial_weights")} | student | {"place": place}
        for row in rows
        for place, student in enumerate(row["students"])
    ]
    frame = pd.DataFrame(flat)
    silent = frame["silent_channels"].map(lambda shares: round(16 * shares[-1]))
    return frame.assign(silent=silent, collapsed=frame["accuracy"] < COLLAPSED)


def _p_values(students: pd.DataFrame) -> dict[str, float]:
    """Of each change: fewer collapse than as published, of the same initial weights."""
    plain = students[students["change"] == AS_PUBLISHED]
    found = {}
    for change, mine in students.groupby("change", sort=False):
        if change != AS_PUBLISHED:
            same = plain[plain["initial_weights"].isin(mine["initial_weights"])]
            counts = [
                [int(k["collapsed"].sum()), int((~k["collapsed"]).sum())] for k in (same, mine)
            ]
            found[str(change)] = float(stats.fisher_exact(counts, alternative="greater").pvalue)
    return found


def _many(students: pd.DataFrame) -> str:
    n = int(students["collapsed"].sum())
    verb = "collapses" if n == 1 else "collapse"
    return f"{n or 'none'} of {len(students)} {verb}"


def _listed(values: Iterable[str]) -> str:
    return ", ".join(values)
