"""Chance level: the binomial by hand, permutations by a loop, false positives by simulation."""

from itertools import combinations

import numpy as np
import pytest
from known_study import made_up
from scipy import stats

from kdfair_book.evidence.chance import (
    affected_counts,
    chance_count,
    count_significant,
    permutation_test,
)
from kdfair_core.metrics import affected_classes, relative_class_accuracy


def test_a_hundred_classes_give_five_and_one_to_ten():
    chance = chance_count(100)
    assert chance == (1, 5.0, 10)
    inside = stats.binom.pmf(range(chance.low, chance.high + 1), 100, 0.05).sum()
    assert inside >= 0.95


@pytest.mark.parametrize("n_classes", [0, 1, 10, 200, 1000])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_neither_tail_is_too_likely(n_classes, confidence):
    chance = chance_count(n_classes, 0.05, confidence=confidence)
    tail = (1 - confidence) / 2
    below = stats.binom.pmf(range(chance.low), n_classes, 0.05).sum()
    above = stats.binom.pmf(range(chance.high + 1, n_classes + 1), n_classes, 0.05).sum()
    assert max(below, above) <= tail + 1e-12
    # and no narrower interval would do
    assert below + stats.binom.pmf(chance.low, n_classes, 0.05) >= tail
    assert above + stats.binom.pmf(chance.high, n_classes, 0.05) >= tail


@pytest.mark.parametrize("seed", range(5))
def test_count_is_that_of_affected_classes(seed):
    rng = np.random.default_rng(seed)
    y_true = np.repeat(np.arange(8), 40)
    a, b = np.where(rng.random((2, 5, 320)) < 0.8, y_true, rng.integers(0, 8, (2, 5, 320)))
    frame = affected_classes(y_true, a, b, n_classes=8, level=0.3)
    relative = [relative_class_accuracy(y_true, side, n_classes=8) for side in (a, b)]
    assert count_significant(*relative, level=0.3) == frame["significant"].sum()


def test_permutations_by_a_loop():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(3, 12)), rng.normal(size=(4, 12)) + 1
    test = permutation_test(a, b, level=0.1)
    runs = np.concatenate([a, b])
    counts = []
    for side in combinations(range(7), 3):
        other = [run for run in range(7) if run not in side]
        p = stats.ttest_ind(runs[list(side)], runs[other], equal_var=False).pvalue
        counts.append((p <= 0.1).sum())
    assert sorted(test.permuted) == sorted(counts)
    assert test.observed == counts[0]
    assert test.p_value == np.mean(np.array(counts) >= counts[0])


def test_many_runs_are_permuted_at_random():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 12, 30))
    test = permutation_test(a, b, seed=3)
    assert len(test.permuted) == 2000
    assert test.permuted[0] == test.observed
    assert permutation_test(a, b, seed=3).p_value == test.p_value


def test_without_difference_few_permutation_tests_reject():
    rng = np.random.default_rng(7)
    n = 300
    # runs have a level in common to all classes: tests of different classes depend on each other
    draws = rng.normal(size=(n, 2, 5, 40)) + 2 * rng.normal(size=(n, 2, 5, 1))
    p_values = np.array([permutation_test(a, b).p_value for a, b in draws])
    assert (p_values <= 0.05).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / n)
    counts = np.array([count_significant(a, b) for a, b in draws])
    # ... while the binomial, which takes classes to be independent, is too sure
    nominal = stats.binom.sf(chance_count(40).high, 40, 0.05)
    assert (counts > chance_count(40).high).mean() > 2 * nominal


def test_a_clear_effect_is_found():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 5, 40))
    b[:, :20] += 5
    assert permutation_test(a, b).p_value <= 2 / 252


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="n_classes is -1"):
        chance_count(-1)
    with pytest.raises(ValueError, match="level is 5"):
        chance_count(10, 5)
    with pytest.raises(ValueError, match="confidence is 1"):
        chance_count(10, confidence=1)
    with pytest.raises(ValueError, match="two runs"):
        permutation_test(np.zeros((1, 3)), np.zeros((4, 3)))


def test_affected_counts():
    found = made_up(n=600, n_classes=3, temperatures=(1, 4))
    counts = affected_counts(found)
    assert list(counts) == [
        *["comparison", "temperature", "alpha", "soft_scale", "n_classes", "significant"],
        *["significant_bh", "chance_low", "chance_mean", "chance_high"],
    ]
    keys = ["comparison", "temperature", "alpha", "soft_scale"]
    for column, correction in [("significant", None), ("significant_bh", "bh")]:
        classes = found.affected_classes(correction)
        expected = classes.groupby(keys, dropna=False, sort=False)["significant"].sum()
        assert counts[column].tolist() == expected.tolist()
    assert (counts["n_classes"] == 3).all() and (counts["chance_mean"] - 0.15 < 1e-12).all()
    # P(no class of 3) = 0.857, P(at most 1) = 0.993
    assert (counts["chance_low"] == 0).all() and (counts["chance_high"] == 1).all()
    assert affected_counts(found.only(seeds=0)).empty
