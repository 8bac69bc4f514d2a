"""Verdicts before and after, claim by claim."""

import importlib.util
from pathlib import Path

import pandas as pd

from kdfair_book import claims

SCRIPT = Path(__file__).parents[3] / "scripts" / "before_after.py"


def test_verdicts_and_seeds_are_counted_claim_by_claim():
    spec = importlib.util.spec_from_file_location("before_after", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def card(*verdicts, n):
        rows = [{"claim": "dpd-falls", "study": "faces", "verdict": v, "n": n} for v in verdicts]
        return pd.DataFrame([*rows, rows[0] | {"verdict": "not measured", "n": 0}])

    said = module.table(card("holds", "undecided", n=3), card("holds", "fails", n=5))
    assert "| dpd-falls | 1 ✓, 1 ? | 3-3 | 1 ✓, 1 ✗ | 5-5 |" in said
    assert "| eod-falls | – | – | – | – |" in said
    assert said.splitlines()[-1].startswith("| all | 1 ✓, 1 ?")
    assert len(said.splitlines()) == 2 + len(claims.CLAIMS) + 1
