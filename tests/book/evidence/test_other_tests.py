"""Paired classes and probabilities: against scipy, on made-up studies, and as simulated."""

import numpy as np
import pytest
from known_study import made_up, nothing
from scipy import stats

from kdfair_book.evidence import other_tests, simulations, trends
from kdfair_book.evidence.sweep import NotThere, sweep


@pytest.fixture(scope="module")
def moving():
    return sweep(made_up(n=1500, temperatures=(1, 4, 7, 10), n_classes=6))


@pytest.fixture(scope="module")
def still():
    return sweep(made_up(n=1500, temperatures=(1, 4, 7, 10), n_classes=6, pull=nothing))


def test_paired_p_values_are_scipys():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 5, 3, 4))
    expected = stats.ttest_rel(a, b, axis=0).pvalue
    np.testing.assert_allclose(trends.paired_p_value(a - b), expected)
    assert (trends.paired_p_value(np.ones((3, 2))) == 1).all()


def test_paired_counts_are_those_of_paired_tests(moving):
    found = other_tests.paired_counts(moving, "SC", "increasing", 1, 10)
    reference = moving.relative[moving.nds]
    counts = [
        int((stats.ttest_rel(moving.relative[moving.ds[:, k]], reference).pvalue <= 0.05).sum())
        for k in range(4)
    ]
    assert f"{counts[0]} at T = 1" in found.detail and f"{counts[-1]} at T = 10" in found.detail
    assert found.p_value <= 0.05 and found.effect > 0
    falls = other_tests.paired_counts(moving, "TC", "decreasing", 1, 10)
    assert falls.effect > 0 and falls.p_value < falls.p_opposite


def test_pairing_needs_a_run_a_seed():
    with pytest.raises(ValueError, match="3 reference runs and 4 seeds"):
        trends.count_trend(np.zeros((3, 5)), np.zeros((4, 3, 5)), paired=True)


def test_total_variation_is_zero_to_oneself_and_at_most_one(moving):
    nds, ds = other_tests.teacher_variation(moving)
    assert nds.shape == (5,) and ds.shape == (5, 4)
    assert ((ds > 0) & (ds <= 1)).all()
    logits = moving.results.logits[[moving.teacher[0], moving.nds[0]]].astype(float)
    share = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    hand = np.abs(share[0] - share[1]).sum(axis=-1).mean() / 2
    assert nds[0] == pytest.approx(hand, rel=1e-6)


def test_students_that_move_to_the_teacher_are_seen_to(moving, still):
    found = other_tests.closer_in_probabilities(moving)
    assert found.p_value < 0.001 and found.effect > 0.9
    assert len(found.by_seed) == 5 and np.mean(found.by_seed) == pytest.approx(found.effect)
    assert other_tests.less_variation(moving).p_value < 0.01
    flat = other_tests.closer_in_probabilities(still)
    assert flat.p_value > 0.01 and flat.p_opposite > 0.01


def test_without_logits_there_is_no_test(moving):
    results = made_up(n=200, temperatures=(1, 4, 10))
    results.logits[0] = np.nan
    with pytest.raises(NotThere, match="not finite"):
        other_tests.closer_in_probabilities(sweep(results))


def test_stored_simulations_keep_their_level_and_show_the_gain():
    pairing = simulations.stored("pairing")
    error = 3.1 * np.sqrt(0.05 * 0.95 / pairing["n_studies"])
    null = pairing["effect"] == 0
    assert (pairing["rejected"] <= 0.05 + error)[null].all()
    power = pairing.set_index(["seeds", "resemblance", "effect", "method"])["rejected"]
    assert power[5, 0.8, 0.03, "paired"] > power[5, 0.8, 0.03, "Welch"]
    assert power[3, 0.0, 0.06, "paired"] < power[3, 0.0, 0.06, "Welch"]
    scores = simulations.stored("probabilities")
    null = scores["effect"] == 0
    assert (scores["rejected"] <= 0.05 + 3.1 * np.sqrt(0.05 * 0.95 / scores["n_studies"]))[
        null
    ].all()
    wide = scores[~null].pivot(index=["study", "effect"], columns="method", values="rejected")
    assert (wide["probabilities"] > wide["decisions"]).all()


@pytest.mark.parametrize(
    "simulate", [other_tests.simulate_pairing, other_tests.simulate_probabilities]
)
def test_simulations_repeat(simulate):
    first, again = (simulate(n_studies=3, seed=1) for _ in range(2))
    assert first.equals(again) and (first["n_studies"] == 3).all()
