"""A scorecard with what its undecided cells lack, and with the regime of each study."""

from __future__ import annotations

import pandas as pd

from kdfair_book.claims.deciding import add_deciding
from kdfair_book.evidence import NotThere, Sweep, settings, sweep
from kdfair_book.evidence.regime import regime
from kdfair_core import results


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


def _measured(card: pd.DataFrame) -> list[tuple[str, str]]:
    """Study and profile of all that was measured."""
    rows = card.loc[(card["profile"] != "") & (card["study"] != "all"), ["study", "profile"]]
    return [(study, profile) for study, profile in rows.drop_duplicates().to_numpy()]
