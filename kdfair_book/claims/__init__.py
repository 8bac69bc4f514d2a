"""The paper's claims, each with its test, and verdicts computed from published results.

A verdict is one of

- "holds": the test rejects, at level 0.05 after Holm's correction over studies, that there is
  nothing or the opposite;
- "fails": it rejects the opposite way, at the same level; or the interval of the effect ends below
  the smallest effect that would matter, which was fixed beforehand;
- "undecided": neither; what was measured is compatible with the claim and with its failure;
- "not measured": the runs that the test needs are not there.

Where the direction is shown *and* the interval ends below what would matter, the claim holds, for
it claims a direction, with the addition "too small to matter". The addition to a claim that fails
by its interval alone is "nothing that would matter". The rule is the same in a cell, in the pooled
column, for the other tests and for the paper's own tables.

The tests, their directions, temperatures and smallest effects stand in :data:`CLAIMS`; they were
fixed before any result was looked at. Every verdict is computed.
"""

from kdfair_book.claims.other_tests import by_other_tests
from kdfair_book.claims.paper_tables import paper_tables
from kdfair_book.claims.pooled import pooled
from kdfair_book.claims.registry import CLAIMS, Claim, get
from kdfair_book.claims.scoring import (
    LEVEL,
    VERDICTS,
    addition,
    check,
    judge,
    scorecard,
    verdict,
)

__all__ = [
    "CLAIMS",
    "LEVEL",
    "VERDICTS",
    "Claim",
    "addition",
    "by_other_tests",
    "check",
    "get",
    "judge",
    "paper_tables",
    "pooled",
    "scorecard",
    "verdict",
]
