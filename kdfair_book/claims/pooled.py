"""One verdict a claim out of all its studies, beside Holm's verdicts cell by cell.

What is pooled, and how, stands in :mod:`kdfair_book.evidence.pooling`; the rule for a verdict is
the scorecard's. There is one test a claim, so nothing is corrected.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from kdfair_book.claims.registry import CLAIMS, get
from kdfair_book.claims.scoring import LEVEL, addition, verdict
from kdfair_book.evidence import pooling
from kdfair_book.evidence.pooling import Part, Pooled

COUNTS = ("sc-rises", "tc-falls", "sc-reverses", "tc-reverses")
"""Claims whose tests permute and give an effect no error."""

COLUMNS = ["claim", "profile", "alpha", "soft_scale", "studies", "cells", "effect"]
COLUMNS += [f"{name}_{which}" for which in ("these", "like") for name in
            ("low", "high", "p_value", "p_opposite", "verdict", "addition")]  # fmt: skip
COLUMNS += ["q", "q_p_value", "i2", "tau"]


def pooled(card: pd.DataFrame, *, level: float = LEVEL) -> pd.DataFrame:
    """Pool the cells of a scorecard, claim by claim.

    Parameters
    ----------
    card : DataFrame
        From :func:`kdfair_book.claims.scorecard`.
    level : float

    Returns
    -------
    pandas.DataFrame
        A row a claim, profile and setting with two studies or more: ``claim``, ``profile``,
        ``alpha``, ``soft_scale``, ``studies`` and ``cells`` (how many), ``effect`` (the mean over
        studies); then ``low``, ``high`` (95 %), ``p_value``, ``p_opposite``, ``verdict`` and
        ``addition``, each with the endings ``_these`` (these studies) and ``_like`` (studies like
        these); ``q``, ``q_p_value``, ``i2`` and ``tau`` of their heterogeneity. NaN where a test
        gives none.
    """
    measured = card[(card["verdict"] != "not measured") & (card["study"] != "all")]
    rows = []
    for claim in CLAIMS:
        mine = measured[measured["claim"] == claim.id]
        for family, cells in mine.groupby(["profile", "alpha", "soft_scale"], sort=False):
            if cells["study"].nunique() >= 2:
                where = dict(zip(("profile", "alpha", "soft_scale"), family, strict=True))
                rows.append({"claim": claim.id, **where, **_pool(claim.id, cells, level)})
    return pd.DataFrame(rows, columns=COLUMNS)


def _pool(claim: str, cells: pd.DataFrame, level: float) -> dict[str, Any]:
    studies = [rows for _, rows in cells.groupby("study", sort=False)]
    parts = [_part(claim, rows) for rows in studies]
    smallest = get(claim).smallest
    like = pooling.studies_like_these(parts)
    if claim in COUNTS:
        p, opposite = pooling.combined(cells["p_value"], cells["p_opposite"])
        these = Pooled(like.effect, np.nan, np.nan, p, opposite, np.nan, len(parts))
    else:
        these = pooling.these(parts)
    spread = pooling.heterogeneity(parts)
    row: dict[str, Any] = {"studies": len(parts), "cells": len(cells), "effect": like.effect}
    for which, found in (("these", these), ("like", like)):
        ends = np.array([found.low, found.high])  # of a correlation, within what is possible
        low, high = ends if get(claim).shares else np.clip(ends, -1, 1)
        row |= {f"low_{which}": low, f"high_{which}": high}
        row |= {f"{name}_{which}": getattr(found, name) for name in ("p_value", "p_opposite")}
        rest = found.p_opposite, found.high, smallest
        word = verdict(found.p_value, *rest, level=level)
        row |= {f"verdict_{which}": word, f"addition_{which}": addition(word, *rest, level=level)}
    return row | {
        "q": spread.q, "q_p_value": spread.p_value, "i2": spread.i2, "tau": spread.tau
    }  # fmt: skip


def _part(claim: str, rows: pd.DataFrame) -> Part:
    """What a study adds: its attributes averaged, seed by seed where seeds have an effect."""
    if claim in COUNTS:
        return Part(float(rows["effect"].mean()), np.nan, np.nan)
    if all(len(seeds) >= 2 for seeds in rows["by_seed"]):
        return pooling.from_seeds(rows["by_seed"].tolist())
    errors = (rows["high"] - rows["low"]).astype(float) / (2 * stats.norm.ppf(0.975))
    return pooling.from_errors(rows["effect"].astype(float), errors)
