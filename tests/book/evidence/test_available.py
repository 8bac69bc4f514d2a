"""What is published, as a table."""

import json
import shutil

import pytest

from kdfair_book.evidence.available import available
from kdfair_core import results
from kdfair_core.results.manifest import manifest_bytes


@pytest.fixture
def published(tmp_path):
    """A copy of one study's results, under another folder."""
    folder = tmp_path / "faces" / "laptop"
    shutil.copytree(results.results_root() / "faces" / "laptop", folder)
    return folder


def test_a_row_says_what_is_published(published, tmp_path):
    content = json.loads((published / "manifest.json").read_text())
    del content["sha256"]
    content |= {"hours": 0.1, "devices": ["cpu", "unknown"], "missing": content["runs"][:2]}
    (published / "manifest.json").write_bytes(manifest_bytes(content))
    (row,) = available(tmp_path).to_dict("records")
    found = results.load("faces", root=tmp_path)
    assert (row["study"], row["profile"]) == ("faces", "laptop")
    assert row["badge"] == "measured here (laptop)" and row["created"] == content["created"]
    assert row["seeds"] == (0, 1, 2, 3, 4) and row["null_seeds"] == (5, 6, 7, 8, 9)
    for key in ("temperatures", "alphas", "soft_scales"):
        assert row[key] == tuple(getattr(found, key))
    assert (row["runs"], row["examples"]) == found.pred.shape
    assert (row["missing"], row["hours"], row["devices"]) == (2, 0.1, ("cpu", "unknown"))
    assert row["problem"] == ""


def test_damaged_results_have_a_problem(published, tmp_path):
    (published / "summary.csv").unlink()
    with pytest.raises(results.Damaged) as error:
        results.load("faces", root=tmp_path)
    (row,) = available(tmp_path).to_dict("records")
    assert row["study"] == "faces" and row["problem"] == str(error.value)


def test_nothing_is_an_empty_table(tmp_path):
    empty = available(tmp_path / "nothing")
    assert empty.empty and list(empty) == list(available())
