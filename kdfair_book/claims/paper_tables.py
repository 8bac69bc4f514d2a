"""Do the paper's claims follow from its own tables? The same rule, on printed numbers."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pandas as pd

from kdfair_book.claims.registry import CLAIMS, get
from kdfair_book.claims.scoring import LEVEL, with_verdicts
from kdfair_book.evidence import printed
from kdfair_book.evidence.trends import holm

TREND_OF_MEANS = ("dpd-falls", "eod-falls", "dpd-reverses", "eod-reverses")
"""Claims whose effect is measured in points here, and in rank correlations on our runs."""

COLUMNS = ["claim", "study", "attribute", "verdict", "addition", "p_value", "p_adjusted"]
COLUMNS += ["p_opposite_adjusted", "effect", "low", "high", "why"]


def paper_tables(*, level: float = LEVEL, as_errors: bool = False) -> pd.DataFrame:
    """The verdict on every claim that the paper's tables have the numbers for.

    Parameters
    ----------
    level : float
    as_errors : bool
        Read the printed deviations as standard errors of the means, which is not what the paper
        calls them: a check of how much rests on the reading.

    Returns
    -------
    pandas.DataFrame
        A row a claim, study and attribute: ``claim``, ``study`` ("all" for claims about all
        studies), ``attribute``, ``verdict``, ``addition``, ``p_value``, ``p_adjusted`` and
        ``p_opposite_adjusted`` (Holm over the rows of a claim), ``effect``, ``low``, ``high``
        (positive where the claim is right; shares and differences as fractions) and ``why``.
    """
    rows = [
        {"claim": claim.id, "study": study, **asdict(finding)}
        for claim in CLAIMS
        for (study, attribute), finding in printed.findings(claim.id, as_errors=as_errors).items()
    ]
    frame = pd.DataFrame(rows).rename(columns={"detail": "why"})
    by_claim = frame.groupby("claim", sort=False)
    for name, adjusted in (("p_value", "p_adjusted"), ("p_opposite", "p_opposite_adjusted")):
        frame[adjusted] = by_claim[name].transform(lambda p: holm(p.to_numpy(dtype=float)))
    smallest = [
        np.nan if claim in TREND_OF_MEANS else get(claim).smallest for claim in frame["claim"]
    ]
    return with_verdicts(frame, smallest, level=level)[COLUMNS]
