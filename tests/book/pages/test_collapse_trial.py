"""The trial of the collapse is told as it is stored, and judged by the rule."""

import json

import pytest
from bs4 import BeautifulSoup

from kdfair_book.evidence.benchmarks import FOLDER
from kdfair_book.pages import collapse_trial as trial
from kdfair_core import results


@pytest.fixture
def stored():
    return json.loads((FOLDER / "collapse.json").read_text())["rows"]


def test_every_trial_has_a_row(stored):
    page = BeautifulSoup(trial.trial()._repr_html_(), "html.parser")
    rows = [row.text for row in page.select("tbody tr")]
    assert len(rows) == len(stored)
    for row, trained in zip(rows, stored, strict=True):
        assert trained["change"] in row and trained["initial_weights"] in row
        assert f"{trained['students'][0]['accuracy']:.0f} %" in row


def test_the_student_is_the_published_one(stored):
    """Trained again it gives every image the same answer, as the published one does."""
    own = stored[0]["students"][0]
    found = results.load("trifeature", "laptop")
    runs = found.runs.query("role == 'ds' and temperature == 30 and soft_scale == 'T2'")
    low = runs["accuracy"] < trial.COLLAPSED / 100
    assert (int(low.sum()), len(runs)) == trial.PUBLISHED
    assert own["accuracy"] == pytest.approx(100 * runs.loc[low, "accuracy"].item())
    assert own["one_answer"] == 1
    assert f"At step {own['at_step']:,} of 3,000" in trial.told()


def made(monkeypatch, tmp_path, published, half):
    def rows(change, weights, accuracy):
        more = {
            "at_step": 6,
            "usual_gradient": 1.0,
            "largest_gradient": 9.0,
            "silent_channels": [1],
        }
        students = [{"accuracy": value, **more} for value in accuracy]
        return {"change": change, "initial_weights": weights, "students": students}

    stored = [rows(trial.AS_PUBLISHED, trial.OWN, [10, 90, 90, 90])]
    stored += [rows(trial.AS_PUBLISHED, "others", published), rows(trial.HALF, "others", half)]
    (tmp_path / "collapse.json").write_text(json.dumps({"rows": stored}))
    monkeypatch.setattr(trial, "FOLDER", tmp_path)
    return trial.told()


@pytest.mark.parametrize(
    ("collapsed", "fault"), [(2, False), (1, False), (5, True)]
)  # two and one published: three of thirteen, but no change spares
def test_the_recipe_is_at_fault_by_the_rule_alone(monkeypatch, tmp_path, collapsed, fault):
    published = [10] * collapsed + [90] * (8 - collapsed)
    said = made(monkeypatch, tmp_path, published, [95] * 8)
    assert ("at fault: the sweep is to be trained anew" in said) == fault
    assert ("not at fault: it stays" in said) != fault
    assert f"At the published rate {collapsed + 1} of 12 collapse, at half of it none of 8" in said
