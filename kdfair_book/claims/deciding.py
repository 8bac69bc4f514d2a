"""What would decide a verdict that is undecided: how many seeds, and what they cost.

How many seeds a test needs stands in :mod:`kdfair_book.claims.seeds_to_decide`. Every answer
assumes that what was measured is the truth: the effect, its spread between seeds and the noise of
the test examples. Measured effects that look large are on average too large, so the numbers are a
lower bound more often than an upper one. The level is Bonferroni's over the verdicts of a claim
that are still open, which is where Holm's correction begins.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from kdfair_book.claims.registry import get
from kdfair_book.claims.seeds_to_decide import (
    LEVEL,
    Missing,
    count_seeds,
    examples_error,
    mean_seeds,
    page_seeds,
)
from kdfair_book.evidence.claim_tests import EXTREME, OTHER_ALPHA
from kdfair_book.evidence.sweep import PAPER_RANGE, NotThere, Sweep, sweep

PAGE_CLAIMS = (
    *("closer-to-teacher", "dpd-falls", "eod-falls", "dpd-reverses", "eod-reverses"),
    *("individual-falls", "individual-beyond-softness"),
)
BELOW_CLAIMS = ("dpd-below-nds", "eod-below-nds", "dpd-below-teacher", "eod-below-teacher")
COUNT_CLAIMS = {"sc-rises": ("SC", 1), "tc-falls": ("TC", -1)}
COUNT_CLAIMS |= {"sc-reverses": ("SC", -1), "tc-reverses": ("TC", 1)}


def what_decides(row: dict[str, Any], found: Sweep, *, open_verdicts: int = 1) -> Missing:
    """What one undecided row of a scorecard lacks.

    Parameters
    ----------
    row : dict
        A row of :func:`kdfair_book.claims.scorecard` with verdict "undecided", and ``smallest``,
        the smallest effect that matters (NaN if none is set).
    found : Sweep
        The runs that it was computed from.
    open_verdicts : int
        Verdicts of the claim's family that are still undecided.

    Raises
    ------
    ValueError
        If the row is not undecided.
    """
    if row["verdict"] != "undecided":
        raise ValueError(f"the verdict is {row['verdict']!r}; expected undecided")
    level = LEVEL / max(1, open_verdicts)
    claim, n = row["claim"], int(row["n"])
    effect, smallest = round(float(row["effect"]), 12), float(row["smallest"])
    if claim in COUNT_CLAIMS:
        comparison, sign = COUNT_CLAIMS[claim]
        span = (PAPER_RANGE[1], EXTREME) if claim.endswith("reverses") else PAPER_RANGE
        need = count_seeds(found, comparison, sign, *span, level=level)
        return _finished(need, found, n)
    if claim == "same-at-other-alpha":
        other = sweep(found.results, alpha=OTHER_ALPHA, soft_scale=found.soft_scale)
        both = [
            count_seeds(other, comparison, sign, *PAPER_RANGE, level=level)
            for comparison, sign in (COUNT_CLAIMS["sc-rises"], COUNT_CLAIMS["tc-falls"])
        ]
        return _finished(max(both, key=lambda need: need.seeds), other, n)
    if claim in PAGE_CLAIMS:
        reverses = claim.endswith("reverses")
        k = len(found.between(*((PAPER_RANGE[1], EXTREME) if reverses else PAPER_RANGE)))
        spread = _spread(effect, row["low"], row["high"], n, bound=1.0)
        return _finished(page_seeds(effect, spread, k, smallest, level=level), found, n)
    if claim in BELOW_CLAIMS:
        metric, than = claim.split("-")[0], claim.split("-")[2]
        spread = _paired_spread(found, row["attribute"], metric, than)
        error = examples_error((row["high"] - row["low"]) / 2, spread, n)
        return _finished(mean_seeds(effect, spread, error, smallest, level=level), found, n)
    return Missing(np.nan, np.nan, "", "a permutation test over students")


def seed_hours(found: Sweep) -> float:
    """Hours of training of one seed of a sweep: teacher, NDS and every DS of its setting."""
    seconds = found.results.runs["seconds"].to_numpy()
    runs = np.column_stack([found.teacher, found.nds, found.ds])
    return float(seconds[runs].sum(axis=1).mean() / 3600)


def add_deciding(card: pd.DataFrame, sweeps: dict[tuple[str, str, float, str], Sweep]) -> pd.Series:
    """What would decide each undecided row of a scorecard; None elsewhere.

    Parameters
    ----------
    card : DataFrame
        From :func:`kdfair_book.claims.scorecard`.
    sweeps : dict
        By study, profile, alpha and soft_scale.
    """
    family = ["claim", "profile", "alpha", "soft_scale"]
    undecided = card["verdict"] == "undecided"
    open_ = undecided.groupby([card[name] for name in family], dropna=False).transform("sum")
    answers: list[Missing | None] = []
    rows: list[Any] = card.to_dict("records")
    for row, many in zip(rows, open_, strict=True):
        mine = sweeps.get((row["study"], row["profile"], row["alpha"], row["soft_scale"]))
        if row["verdict"] != "undecided" or mine is None:
            answers.append(None)
            continue
        row["smallest"] = get(row["claim"]).smallest
        try:
            answers.append(what_decides(row, mine, open_verdicts=int(many)))
        except NotThere as reason:
            answers.append(Missing(np.nan, np.nan, "", str(reason)))
    return pd.Series(answers, index=card.index, dtype=object)


def _spread(effect: float, low: float, high: float, n: int, *, bound: float) -> float:
    """Deviation between seeds, out of a Student interval that may be cut at plus or minus bound."""
    halves = [effect - low if low > -bound else np.nan, high - effect if high < bound else np.nan]
    known = [half for half in halves if not np.isnan(half)]
    if not known or n < 2:
        return float("nan")
    return float(known[0] * np.sqrt(n) / stats.t.ppf(0.975, n - 1))


def _paired_spread(found: Sweep, attribute: str, metric: str, than: str) -> float:
    values = found.results.group_fairness(attribute)[metric].to_numpy()
    reference = found.teacher if than == "teacher" else found.nds
    return float((values[reference] - values[found.at(found.highest)]).std(ddof=1))


def _finished(missing: Missing, found: Sweep, n: int) -> Missing:
    """With the hours of the seeds that are not there; never fewer seeds than there are."""
    if not np.isfinite(missing.seeds):
        return missing
    seeds = max(missing.seeds, float(n + 1))
    return Missing(seeds, (seeds - n) * seed_hours(found), missing.towards, missing.why)
