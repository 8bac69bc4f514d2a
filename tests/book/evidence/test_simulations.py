"""Stored simulations: made table by table, with a manifest of what they started from."""

import json

import pytest

from kdfair_book.evidence import simulations
from kdfair_book.evidence.available import available


def test_one_table_is_made_and_the_others_stay(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps({"other": {"kept": True}}))
    simulations.make(tmp_path, ["pairing"], n_studies=2, seed=3)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert set(manifest) == {"other", "pairing"} and manifest["other"] == {"kept": True}
    assert manifest["pairing"]["arguments"]["n_studies"] == 2
    frame = simulations.stored("pairing", tmp_path)
    assert (frame["n_studies"] == 2).all() and frame.attrs["arguments"]["seed"] == 3


def test_an_unknown_table_is_refused(tmp_path):
    with pytest.raises(ValueError, match="unknown simulation 'no'; expected one of coverage"):
        simulations.make(tmp_path, ["no"])


@pytest.mark.parametrize("name", simulations.STARTS_FROM)
def test_tables_made_from_runs_name_them(name):
    runs = simulations.stored(name).attrs["runs"]
    assert set(runs) == {"/".join(key) for key in simulations.STARTS_FROM[name]}
    assert all(len(checksum) == 64 for checksum in runs.values())
    there = available()
    published = set(there["study"] + "/" + there["profile"])
    assert set(runs) <= published
