"""The trial's table is what is stored."""

import json

from kdfair_book.evidence.benchmarks import FOLDER
from kdfair_book.pages.schedule_trial import schedule_trial


def test_every_candidate_has_a_row_and_the_shortest_is_named():
    rows = json.loads((FOLDER / "short_schedule.json").read_text())["rows"]
    mine = [row for row in rows if row["study"] == "cifar10"]
    said = str(schedule_trial("cifar10"))
    for row in mine:
        assert f"{row['accuracy']['nds']:.2f} % | {row['accuracy']['ds']:.2f} %" in said
    shortest = min(row["recipe"]["nds"]["epochs"] for row in mine if row["in_regime"])
    assert f"The shortest that is: {shortest} epochs." in said
