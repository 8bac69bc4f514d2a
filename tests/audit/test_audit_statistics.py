"""Intervals and tests against scipy, statsmodels, enumeration and simulation."""

import itertools

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from kdfair_audit.statistics import (
    gap_to_rest,
    mean_rate,
    paired_change,
    paired_test,
    seed_half_width,
    wilson,
)


@pytest.mark.parametrize(("k", "n"), [(0, 5), (1, 7), (5, 5), (37, 100), (99_000, 100_000)])
def test_wilson_is_that_of_statsmodels(k, n):
    low, high = wilson(k / n, n, level=0.9)
    expected = proportion_confint(k, n, alpha=0.1, method="wilson")
    np.testing.assert_allclose((low, high), expected, atol=1e-12)


def test_a_rate_of_nothing_is_undefined():
    rate = mean_rate(np.array([[0, 3]]), np.array([0, 6]), level=0.95)
    assert np.isnan([rate.value[0], rate.low[0], rate.high[0]]).all()
    assert rate.value[1] == 0.5


def test_seeds_widen_a_rate():
    one = mean_rate(np.array([50]), 100, level=0.95)
    alike = mean_rate(np.array([50, 50, 50]), 100, level=0.95)
    apart = mean_rate(np.array([40, 50, 60]), 100, level=0.95)
    assert (one.low, one.high) == (alike.low, alike.high)
    t = stats.t.ppf(0.975, 2) * np.std([0.4, 0.5, 0.6], ddof=1) / np.sqrt(3)
    assert apart.low == pytest.approx(0.5 - np.hypot(0.5 - one.low, t))


def test_seeds_of_two_sides_are_welchs():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(4, 3)), rng.normal(size=(6, 3))
    test = stats.ttest_ind(a, b, equal_var=False)
    interval = test.confidence_interval(0.95)
    half = seed_half_width([a, b], level=0.95)
    np.testing.assert_allclose(half, (interval.high - interval.low) / 2)
    one_side = seed_half_width([a[:1], b], level=0.95)
    expected = stats.t.ppf(0.975, 5) * b.std(axis=0, ddof=1) / np.sqrt(6)
    np.testing.assert_allclose(one_side, expected)
    assert (seed_half_width([a[:1], b[:1]], level=0.95) == 0).all()


@pytest.mark.parametrize("table", [[[5, 2], [9, 80]], [[0, 0], [1, 3]], [[400, 130], [170, 9000]]])
def test_one_run_each_is_mcnemar(table):
    assert paired_test(table) == pytest.approx(mcnemar(np.array(table), exact=True).pvalue)


def test_models_that_never_differ():
    assert paired_test([[5, 0], [0, 7]]) == 1
    assert np.isnan(paired_test([[0, 0], [0, 0]]))


def test_the_sign_flip_test_is_the_enumeration():
    rng = np.random.default_rng(1)
    right_a, right_b = rng.integers(0, 2, 9), rng.integers(0, 4, 9)
    table = np.zeros((2, 4), dtype=int)
    np.add.at(table, (right_a, right_b), 1)
    step = right_b - 3 * right_a
    sums = [abs(np.dot(signs, step)) for signs in itertools.product((-1, 1), repeat=9)]
    assert paired_test(table) == pytest.approx(np.mean(np.array(sums) >= abs(step.sum())))


def test_the_sign_flip_test_of_many_examples_is_normal():
    rng = np.random.default_rng(2)
    table = np.array([[900, 400, 300, 640], [800, 320, 320, 3000]]) + rng.integers(0, 9, (2, 4))
    step = np.add.outer(-3 * np.arange(2), np.arange(4))
    z = (table * step).sum() / np.sqrt((table * step**2).sum())
    assert paired_test(table) == pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-6)


def test_paired_changes_cover_the_truth():
    """Bonett and Price's interval, in 2,000 simulated comparisons of 60 examples."""
    rng = np.random.default_rng(3)
    cells = np.array([0.1, 0.15, 0.05, 0.7])  # both wrong, b right, a right, both right
    tables = rng.multinomial(60, cells, size=2000).reshape(-1, 2, 2)
    change = paired_change(tables, level=0.95)
    inside = (change.low <= 0.1) & (0.1 <= change.high)
    assert 0.93 < inside.mean() < 0.985
    np.testing.assert_allclose(change.value, (tables[:, 0, 1] - tables[:, 1, 0]) / 60)


def test_bonett_and_price_by_hand():
    n, f12, f21 = 50, 7, 2
    change = paired_change([[10, f12], [f21, 31]], level=0.95)
    p12, p21 = (f12 + 1) / (n + 2), (f21 + 1) / (n + 2)
    half = stats.norm.ppf(0.975) * np.sqrt((p12 + p21 - (p12 - p21) ** 2) / (n + 2))
    assert change.low == pytest.approx(p12 - p21 - half)
    assert change.high == pytest.approx(p12 - p21 + half)


def test_the_gap_to_the_rest_is_newcombes():
    gap = gap_to_rest(30, 40, 700, 800, level=0.95)
    expected = confint_proportions_2indep(30, 40, 700, 800, method="newcomb", compare="diff")
    np.testing.assert_allclose((gap.low, gap.high), expected)
