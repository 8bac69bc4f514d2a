"""Verdicts by the other tests of :mod:`kdfair_book.evidence.other_tests`, beside the plain ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd

from kdfair_book.claims.registry import CLAIMS, get
from kdfair_book.claims.scoring import LEVEL, with_verdicts
from kdfair_book.evidence import other_tests as other
from kdfair_book.evidence.claim_tests import EXTREME, Finding
from kdfair_book.evidence.sweep import PAPER_RANGE, NotThere, Sweep
from kdfair_book.evidence.trends import holm

UP, BACK = PAPER_RANGE, (PAPER_RANGE[1], EXTREME)


def _counts(comparison: str, alternative: str, span: tuple[float, float]) -> Any:
    low, high = span
    return partial(
        other.paired_counts, comparison=comparison, alternative=alternative, low=low, high=high
    )


TESTS: dict[str, tuple[str, Callable[[Sweep], Finding]]] = {
    "sc-rises": ("paired classes", _counts("SC", "increasing", UP)),
    "tc-falls": ("paired classes", _counts("TC", "decreasing", UP)),
    "closer-to-teacher": ("probabilities", other.closer_in_probabilities),
    "less-disagreement": ("probabilities", other.less_variation),
    "sc-reverses": ("paired classes", _counts("SC", "decreasing", BACK)),
    "tc-reverses": ("paired classes", _counts("TC", "increasing", BACK)),
}
"""Claim: what the other test looks at, and the test."""

COLUMNS = ["claim", "study", "profile", "alpha", "soft_scale", "test", "verdict", "addition"]
COLUMNS += ["p_value", "p_adjusted", "p_opposite_adjusted", "effect", "low", "high", "why"]
COLUMNS += ["plain_verdict", "plain_p_adjusted", "plain_effect"]


def by_other_tests(
    card: pd.DataFrame, sweeps: dict[tuple[str, str, float, str], Sweep], *, level: float = LEVEL
) -> pd.DataFrame:
    """Every measured cell that has another test, with both verdicts.

    Parameters
    ----------
    card : DataFrame
        From :func:`kdfair_book.claims.scorecard`.
    sweeps : dict
        By study, profile, alpha and soft_scale.
    level : float

    Returns
    -------
    pandas.DataFrame
        A row a claim, study, profile and setting: ``claim``, ``study``, ``profile``, ``alpha``,
        ``soft_scale``, ``test`` ("paired classes" or "probabilities"), ``verdict``, ``addition``,
        ``p_value``, ``p_adjusted``, ``p_opposite_adjusted`` (Holm as on the scorecard),
        ``effect``, ``low``, ``high``, ``why``; and of the plain test ``plain_verdict``,
        ``plain_p_adjusted``, ``plain_effect``.
    """
    rows = []
    for row in card[card["verdict"] != "not measured"].to_dict("records"):
        key = (row["study"], row["profile"], row["alpha"], row["soft_scale"])
        if row["claim"] not in TESTS or key not in sweeps:
            continue
        name, measure = TESTS[row["claim"]]
        try:
            found = measure(sweeps[key])
        except NotThere:
            continue
        where = {k: row[k] for k in ("claim", "study", "profile", "alpha", "soft_scale")}
        numbers = {k: getattr(found, k) for k in ("p_value", "p_opposite", "effect", "low", "high")}
        plain = {f"plain_{k}": row[k] for k in ("verdict", "p_adjusted", "effect")}
        rows.append(where | {"test": name, "why": found.detail} | numbers | plain)
    if not rows:
        return pd.DataFrame(columns=COLUMNS)
    frame = pd.DataFrame(rows)
    by_family = frame.groupby(["claim", "profile", "alpha", "soft_scale"], dropna=False)
    for name, adjusted in (("p_value", "p_adjusted"), ("p_opposite", "p_opposite_adjusted")):
        frame[adjusted] = by_family[name].transform(lambda p: holm(p.to_numpy(dtype=float)))
    frame = with_verdicts(frame, [get(claim).smallest for claim in frame["claim"]], level=level)
    order = {claim.id: k for k, claim in enumerate(CLAIMS)}
    frame = frame.sort_values("claim", key=lambda c: c.map(order), kind="stable")
    return frame[COLUMNS].reset_index(drop=True)
