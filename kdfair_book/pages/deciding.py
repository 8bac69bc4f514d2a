"""A scorecard with what its undecided cells lack, what GPU hours would buy, and each regime."""

from __future__ import annotations

import pandas as pd

from kdfair_book.charts.scorecard import titled
from kdfair_book.claims.buying import RATE, bought, seed_gpu_hours
from kdfair_book.claims.deciding import add_deciding
from kdfair_book.claims.seeds_to_decide import POWER
from kdfair_book.evidence import NotThere, Sweep, settings, sweep
from kdfair_book.evidence.regime import regime
from kdfair_book.pages.folded import Folded
from kdfair_book.pages.text import Text, table
from kdfair_core import results

PAPER = ("cifar100", "paper")
"""The study whose paper protocol is wanted most."""


def complete(card: pd.DataFrame, *, smoke: bool = False) -> pd.DataFrame:
    """A scorecard with ``missing`` (None, or what would decide the row), ``regime`` (a label) and
    ``regime_why`` (what differs).

    Parameters
    ----------
    card : DataFrame
        From :func:`kdfair_book.claims.scorecard`.
    smoke : bool
        Also profiles that are too small to mean anything.
    """
    shown = (card if smoke else card[card["profile"] != "smoke"]).reset_index(drop=True)
    sweeps = sweeps_of(shown)
    label, why = {}, {}
    for study, profile in _measured(shown):
        try:
            near = regime(results.load(study, profile))
        except NotThere:
            continue
        label[study, profile], why[study, profile] = near.label, near.short
    keys = list(zip(shown["study"], shown["profile"], strict=True))
    return shown.assign(
        missing=add_deciding(shown, sweeps),
        regime=[label.get(key, "") for key in keys],
        regime_why=[why.get(key, "") for key in keys],
    )


def sweeps_of(card: pd.DataFrame) -> dict[tuple[str, str, float, str], Sweep]:
    """The runs behind a scorecard, by study, profile, alpha and soft_scale."""
    sweeps = {}
    for study, profile in _measured(card):
        found = results.load(study, profile)
        for alpha, scale in settings(found):
            sweeps[study, profile, alpha, scale] = sweep(found, alpha=alpha, soft_scale=scale)
    return sweeps


def gpu_hours(card: pd.DataFrame, hours: float = 10.0) -> Folded:
    """What so many GPU hours would buy.

    Parameters
    ----------
    card : DataFrame
        From :func:`complete`.
    hours : float
    """
    buys = bought(card, hours)
    undecided = card["verdict"] == "undecided"
    lacks = [lack.short for lack in card.loc[undecided, "missing"] if lack is not None]
    examples, never = lacks.count("more examples"), lacks.count("no number of seeds")
    verdicts = sum(map(len, buys["verdicts"]))
    said = (
        f"Bought greedily, most verdicts an hour first, at the rate `{RATE}` of `kdfair plan` (one "
        f"H100): {buys['hours'].sum():.1f} of {hours:g} hours make {verdicts} of {undecided.sum()} "
        f"undecided verdicts decidable, and about {buys['expected'].sum():.0f} of them would be "
        f"decided, if what was measured is the truth (power {POWER:g}, as in the cells). Of "
        f"the others {examples} lack test examples and {never} no number of seeds decides: no hour "
        f"of training buys those.{_instead(card, hours)}"
    )
    rows = [
        {
            "study": f"{titled(row['study'])}, {row['profile']}",
            "seeds": f"{row['more_seeds']} more, {row['seeds']} in all",
            "GPU hours": f"{row['hours']:.2f}",
            "verdicts that become decidable": "; ".join(map(_named, row["verdicts"])),
        }
        for row in buys.to_dict("records")
    ]
    return Folded(
        f"What {hours:g} GPU hours would buy",
        [Text(said), *([table(pd.DataFrame(rows))] if rows else [])],
    )


def _instead(card: pd.DataFrame, hours: float) -> str:
    """What the hours would train of the study that is wanted most, while that is not measured."""
    if PAPER in _measured(card):
        return ""
    seed = seed_gpu_hours(*PAPER)
    return (
        f" The same hours would train {hours / seed:.1f} seeds of {titled(PAPER[0])} under the "
        f"paper's protocol ({seed:.1f} hours a seed), a column that is not measured yet."
    )


def _named(row: dict) -> str:
    """A verdict by its claim's name, with its attribute and where it would go."""
    by = f" by {row['attribute'].replace('_', ' ')}" if row["attribute"] else ""
    return f"{row['claim']}{by} ({row['missing'].towards.split(',')[0]})"


def _measured(card: pd.DataFrame) -> list[tuple[str, str]]:
    """Study and profile of all that was measured."""
    rows = card.loc[(card["profile"] != "") & (card["study"] != "all"), ["study", "profile"]]
    return [(study, profile) for study, profile in rows.drop_duplicates().to_numpy()]
