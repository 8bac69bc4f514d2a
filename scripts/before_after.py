"""Verdicts on each claim by the results of an earlier commit and by those of today, as a table.

    python scripts/before_after.py COMMIT

Both are judged by today's code, so that only the results differ.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

import pandas as pd

from kdfair_book import claims

SHORT = {"holds": "✓", "fails": "✗", "undecided": "?"}


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit("expected one commit: python scripts/before_after.py COMMIT")
    here = Path(__file__).parents[1]
    archive = subprocess.run(
        ["git", "-C", str(here), "archive", sys.argv[1], "data"], capture_output=True, check=True
    )
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=BytesIO(archive.stdout)) as tar:
            tar.extractall(folder, filter="data")
        before = claims.scorecard(root=Path(folder) / "data")
    print(table(before, claims.scorecard()))


def table(before: pd.DataFrame, after: pd.DataFrame) -> str:
    """A row a claim, and one for all: verdicts and seeds, before and after."""
    lines = ["| claim | before | seeds | after | seeds |", "| --- | --- | --- | --- | --- |"]
    for claim in [*(c.id for c in claims.CLAIMS), "all"]:
        mine = [f if claim == "all" else f[f["claim"] == claim] for f in (before, after)]
        cells = " | ".join(told(frame[frame["verdict"] != "not measured"]) for frame in mine)
        lines.append(f"| {claim} | {cells} |")
    return "\n".join(lines)


def told(rows: pd.DataFrame) -> str:
    """ "2 ✓, 1 ✗, 5 ? | 3-5": verdicts and the seeds that they stand on."""
    counts = rows["verdict"].value_counts()
    seeds = rows.loc[rows["study"] != "all", "n"]
    span = f"{seeds.min():.0f}-{seeds.max():.0f}" if len(seeds) else "–"
    said = ", ".join(f"{counts[word]} {sign}" for word, sign in SHORT.items() if word in counts)
    return f"{said or '–'} | {span}"


if __name__ == "__main__":
    main()
