"""The frame of effects, on a study whose truth is known."""

import numpy as np
import pandas as pd
import pytest

from kdfair_book.evidence import disagreement_reduction, fairness_differences, sweep
from kdfair_book.evidence.available import available
from kdfair_book.evidence.effects import effects, share_interval
from kdfair_core import results


@pytest.fixture(scope="module")
def frame(moving):
    return effects(moving, n_boot=200)


def at(frame, measure, role, t=np.nan, attribute=""):
    rows = frame[(frame["measure"] == measure) & (frame["role"] == role)]
    rows = rows[rows["attribute"] == attribute]
    rows = rows[rows["T"].isna() if np.isnan(t) else rows["T"] == t]
    (row,) = rows.to_dict("records")
    return row


def test_every_interval_holds_its_estimate(frame):
    known = frame[frame["low"].notna()]
    assert len(known) > 50
    outside = known[(known["value"] < known["low"]) | (known["value"] > known["high"])]
    assert outside.empty, outside


@pytest.mark.parametrize("study", list(available()["study"]))
def test_every_interval_of_what_is_published_holds_its_estimate(study):
    known = effects(sweep(results.load(study)), n_boot=300)
    known = known[known["low"].notna()]
    rounding = 1e-9
    assert (known["value"] >= known["low"] - rounding).all()
    assert (known["value"] <= known["high"] + rounding).all()


def test_it_knows_what_was_made(moving, frame):
    gain = at(frame, "accuracy", "difference", 10)
    accuracy = moving.results.runs["accuracy"].to_numpy()
    gap = accuracy[moving.at(10)].mean() - accuracy[moving.nds].mean()
    assert gain["value"] == pytest.approx(gap) and gain["low"] > 0
    nearer = at(frame, "eod", "difference", 10, "color")
    assert nearer["high"] < 0  # the gap between groups is gone at T = 10
    assert at(frame, "sc", "ds", 10)["value"] > at(frame, "sc", "ds", 10)["chance_high"]


def test_disagreement_is_that_of_the_test(moving, frame):
    alone = at(frame, "disagreement", "nds")["value"]
    ds = [at(frame, "disagreement", "ds", t)["value"] for t in moving.temperatures if t <= 10]
    assert 1 - np.mean(ds) / alone == pytest.approx(disagreement_reduction(moving).effect)


def test_group_differences_are_those_of_the_figures(moving, frame):
    other = fairness_differences(moving, "color", "nds", n_boot=200)
    row = other[(other["metric"] == "eod") & (other["temperature"] == 10)].iloc[0]
    mine = at(frame, "eod", "difference", 10, "color")
    assert mine["value"] == pytest.approx(row["corrected"], abs=0.01)


def test_shares_have_intervals_that_cover():
    rng = np.random.default_rng(0)
    covered = 0
    for k in range(300):
        right = 0.7 + 0.02 * rng.standard_normal(5)
        hits = rng.random((5, 400)) < right[:, None]
        low, high = share_interval(hits, seed=k)
        covered += low <= 0.7 <= high
    assert 0.93 <= covered / 300 <= 1.0


def test_the_papers_numbers_stand_beside_ours():
    frame = effects(sweep(results.load("cifar100", "laptop")), n_boot=20)
    assert at(frame, "accuracy", "nds")["paper"] == pytest.approx(0.6839)
    assert at(frame, "accuracy", "difference", 4)["paper"] == pytest.approx(0.0079)
    assert at(frame, "sc", "ds", 4)["paper"] == 8
    trifeature = effects(sweep(results.load("trifeature", "laptop")), n_boot=20)
    assert at(trifeature, "accuracy", "nds")["paper"] == pytest.approx(0.9033)  # by color
    assert at(trifeature, "eod", "nds", attribute="color")["paper"] == pytest.approx(0.0281)
    faces = effects(sweep(results.load("faces", "laptop")), n_boot=20)
    assert faces["paper"].isna().all()
    individual = trifeature[trifeature["measure"] == "individual"]
    assert len(individual) and individual["paper"].isna().all()
    assert isinstance(frame, pd.DataFrame)
