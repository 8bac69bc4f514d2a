"""Tests from summaries: against the tests on runs, by enumeration, and by simulation."""

from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from kdfair_book.evidence import summaries


def test_welch_is_that_of_the_runs():
    rng = np.random.default_rng(0)
    a, b = rng.normal(1, 2, 5), rng.normal(0, 1, 5)
    found = summaries.welch(a.mean(), a.std(ddof=1), b.mean(), b.std(ddof=1), n=5, rounding=0)
    expected = stats.ttest_ind(a, b, equal_var=False, alternative="greater")
    ends = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    np.testing.assert_allclose(
        [found.statistic, found.p_value, found.p_opposite, found.low, found.high],
        [expected.statistic, expected.pvalue, 1 - expected.pvalue, *ends],
    )


def test_rounding_makes_it_more_cautious():
    sharp = summaries.welch(1.0, 0.01, 0.9, 0.01, n=5, rounding=0)
    blunt = summaries.welch(1.0, 0.01, 0.9, 0.01, n=5)
    assert blunt.p_value > sharp.p_value and blunt.low < sharp.low
    assert summaries.welch(1.0, 0.0, 0.9, 0.0, n=5).p_value > 0


def test_trend_of_two_groups_of_three_is_welchs_contrast():
    means, sds = np.array([0.0, 1.0, 2.0]), np.array([1.0, 0.5, 1.5])
    found = summaries.trend_of_means(means, sds, n=5, rounding=0)
    # with three conditions the middle one has weight zero: Welch's test of the last and the first
    expected = summaries.welch(2.0, 1.5, 0.0, 1.0, n=5, rounding=0)
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("shared", [0.0, 0.8])
def test_trend_of_means_keeps_its_level(shared):
    """Also where the runs of a seed resemble each other, as those of one teacher do."""
    rng = np.random.default_rng(3)
    rejected = []
    for _ in range(2000):
        runs = rng.normal(size=(5, 10)) + np.sqrt(shared / (1 - shared)) * rng.normal(size=(5, 1))
        found = summaries.trend_of_means(runs.mean(0), runs.std(0, ddof=1), n=5, rounding=0)
        rejected.append([found.p_value <= 0.05, found.p_opposite <= 0.05])
    rates = np.mean(rejected, axis=0)
    assert (rates <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 2000)).all()
    assert (rates > 0.03).all() if shared == 0 else (rates < 0.01).all()


@pytest.mark.parametrize("values", [[3, 1, 2, 5], [0, 1, 1, 0, 0], [1, 2, 3]])
def test_order_against_all_orders(values):
    values = np.array(values, float)
    position = np.arange(len(values))
    null = [stats.spearmanr(order, position).statistic for order in permutations(values)]
    found = summaries.trend_of_order(values)
    assert found.effect == pytest.approx(stats.spearmanr(values, position).statistic)
    assert found.p_value == pytest.approx(np.mean(np.array(null) >= found.effect - 1e-9))
    assert found.p_opposite == pytest.approx(np.mean(np.array(null) <= found.effect + 1e-9))


def test_order_of_many_and_of_equal_values():
    assert summaries.trend_of_order(np.arange(9)).p_value == pytest.approx(1e-4)
    assert summaries.trend_of_order(-np.arange(9)).p_opposite == pytest.approx(1e-4)
    assert summaries.trend_of_order([1, 1, 1]).p_value == 1


def test_more_than_chance():
    none = summaries.more_than_chance([0, 1, 0], 10)
    assert none.p_value == 1 and none.low < 0 < none.high
    many = summaries.more_than_chance([5, 22], 100)
    assert many.p_value == pytest.approx(2 * stats.binom.sf(21, 100, 0.05))
    assert many.effect == pytest.approx(0.085)


def test_more_than_chance_keeps_its_level_over_temperatures_that_share_a_reference():
    rng = np.random.default_rng(0)
    nds = rng.normal(size=(500, 100))
    shared = 0.6 * nds[:, None] + 0.8 * rng.normal(size=(500, 9, 100))
    counts = (stats.norm.sf(np.abs(shared)) * 2 <= 0.05).sum(axis=-1)
    rejected = [summaries.more_than_chance(row, 100).p_value <= 0.05 for row in counts]
    assert np.mean(rejected) <= 0.07


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: summaries.welch(1, 1, 0, 1, n=1), "n is 1; expected two runs"),
        (lambda: summaries.trend_of_means([1, 2], [1, 1], n=5), "from three"),
        (lambda: summaries.trend_of_means([1, 2, np.nan], [1, 1, 1], n=5), "hold NaN"),
        (lambda: summaries.trend_of_means([1, 2, 3], [0, 0, 0], n=5, rounding=0), "no deviation"),
        (lambda: summaries.trend_of_order([1, 2]), "three numbers"),
        (lambda: summaries.more_than_chance([11], 10), "counts from 0 to 10"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
