"""Trend tests against scipy, by enumeration, and their false-positive rate by simulation."""

from itertools import permutations, product

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from kdfair_book.evidence.chance import count_significant
from kdfair_book.evidence.trends import count_trend, holm, page_test, spearman


@pytest.mark.parametrize("seed", range(10))
def test_many_conditions_are_scipys_asymptotic_test(seed):
    values = np.random.default_rng(seed).normal(size=(2 + seed % 4, 10))
    ours = page_test(values)
    theirs = stats.page_trend_test(values, method="asymptotic")
    assert ours.statistic == pytest.approx(theirs.statistic)
    assert ours.p_value == pytest.approx(theirs.pvalue)
    rho = [stats.spearmanr(np.arange(10), row).statistic for row in values]
    assert ours.effect == pytest.approx(np.mean(rho))


@pytest.mark.parametrize("seed", range(10))
def test_few_conditions_are_scipys_exact_test(seed):
    values = np.random.default_rng(seed).normal(size=(1 + seed % 5, 3 + seed % 3))
    theirs = stats.page_trend_test(values, method="exact") if len(values) > 1 else None
    ours = page_test(values)
    if theirs is not None:
        assert ours.p_value == pytest.approx(theirs.pvalue)
    else:
        orders = np.array(list(permutations(stats.rankdata(values[0]))))
        scores = orders @ np.arange(1, values.shape[1] + 1)
        assert ours.p_value == pytest.approx((scores >= ours.statistic).mean())


def test_ties_by_enumeration():
    values = np.array([[1, 1, 2, 3], [2, 1, 1, 4]])
    ranks = stats.rankdata(values, axis=1)
    position = np.arange(1, 5)
    both = [
        np.dot(first, position) + np.dot(second, position)
        for first, second in product(permutations(ranks[0]), permutations(ranks[1]))
    ]
    observed = (ranks @ position).sum()
    ours = page_test(values)
    assert ours.statistic == observed
    assert ours.p_value == pytest.approx(np.mean(np.array(both) >= observed - 1e-9))
    falling = page_test(values, alternative="decreasing")
    assert (falling.p_value, falling.p_opposite) == (ours.p_opposite, ours.p_value)
    assert falling.p_value == pytest.approx(np.mean(np.array(both) <= observed + 1e-9))


def test_alternatives_mirror_each_other():
    values = np.random.default_rng(0).normal(size=(5, 10)) + np.arange(10) / 5
    up, down = page_test(values), page_test(-values, alternative="decreasing")
    assert up.p_value == pytest.approx(down.p_value)
    assert up.effect == -down.effect
    assert page_test(values, alternative="two-sided").p_value == pytest.approx(2 * up.p_value)


def test_a_perfect_trend():
    trend = page_test(np.tile(np.arange(10), (5, 1)))
    assert trend.effect == 1
    assert trend.p_value < 1e-9
    assert (trend.n_blocks, trend.n_conditions) == (5, 10)


def test_all_ties_have_no_test():
    assert np.isnan(page_test(np.ones((3, 4))).p_value)


@pytest.mark.parametrize(("blocks", "conditions"), [(5, 10), (2, 3), (5, 5)])
def test_without_trend_page_rejects_at_its_level(blocks, conditions):
    rng = np.random.default_rng(5)
    n = 1000
    values = rng.normal(size=(n, blocks, conditions)) + 3 * rng.normal(size=(n, blocks, 1))
    rejected = np.mean([page_test(value).p_value <= 0.05 for value in values])
    assert rejected <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / n)
    if blocks * conditions >= 25:  # enough orders that the level is nearly reached
        assert rejected >= 0.05 - 4 * np.sqrt(0.05 * 0.95 / n)


def test_counts_are_those_of_each_temperature():
    rng = np.random.default_rng(2)
    reference, students = rng.normal(size=(5, 30)), rng.normal(size=(4, 6, 30))
    trend = count_trend(reference, students, level=0.2, n_permutations=50)
    expected = [count_significant(reference, students[:, t], level=0.2) for t in range(6)]
    assert trend.counts.tolist() == expected
    assert trend.effect == pytest.approx(stats.pearsonr(np.arange(6), expected).statistic)
    assert len(trend.permuted) == 50
    assert trend.statistic == pytest.approx(np.dot(expected, np.arange(6) - 2.5))


def test_a_jump_and_a_plateau_rise():
    rng = np.random.default_rng(6)
    students = rng.normal(size=(5, 8, 30)) * 0.01
    students[:, 1:] += 3 * np.sign(rng.normal(size=30))
    for less in (1, 2, 3, 4):
        students[:, -less, : 6 - less] = 0
    trend = count_trend(rng.normal(size=(5, 30)) * 0.01, students, n_permutations=500)
    assert trend.counts[-1] < trend.counts[1]
    assert spearman(trend.counts) < 0 < trend.effect
    assert trend.statistic > 0
    same = np.broadcast_to(rng.normal(size=30), (5, 4, 30))
    assert count_trend(rng.normal(size=(5, 30)), same, n_permutations=5).effect == 0


def test_without_effect_of_temperature_count_trend_rejects_at_its_level():
    rng = np.random.default_rng(3)
    n, rejected = 200, 0
    for _ in range(n):
        students = rng.normal(size=(5, 8, 20)) + rng.normal(size=(5, 1, 20))
        students += rng.normal(size=20)  # students differ from the reference, at any temperature
        trend = count_trend(rng.normal(size=(5, 20)), students, n_permutations=100)
        rejected += trend.p_value <= 0.05
    assert rejected / n <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / n)


def test_a_rising_count_is_seen():
    rng = np.random.default_rng(4)
    drift = rng.normal(size=40) * np.linspace(0, 6, 10)[:, None]
    students = rng.normal(size=(5, 10, 40)) + drift
    trend = count_trend(rng.normal(size=(5, 40)), students, n_permutations=500)
    assert trend.p_value <= 2 / 500
    assert trend.effect > 0.8
    falling = count_trend(
        rng.normal(size=(5, 40)), students, alternative="decreasing", n_permutations=100
    )
    assert falling.p_value > 0.9
    assert falling.p_opposite <= 2 / 100


def test_spearman_of_ties_is_zero():
    assert spearman(np.array([[1, 2, 3], [3, 2, 1], [2, 2, 2]])).tolist() == [1, -1, 0]


@pytest.mark.parametrize("seed", range(5))
def test_holm_is_statsmodels(seed):
    p = np.round(np.random.default_rng(seed).random(7) ** 3, 3)
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])
    gappy = holm(np.append(p, np.nan))
    np.testing.assert_allclose(gappy[:-1], holm(p))
    assert np.isnan(gappy[-1])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"values": [1, 2, 3]}, "shape"),
        ({"values": [[1.0, np.nan]]}, "1 NaN"),
        ({"values": [[1, 2]], "alternative": "up"}, "'up'; expected one of increasing"),
    ],
)
def test_page_refuses_bad_input(given, message):
    with pytest.raises(ValueError, match=message):
        page_test(given.pop("values"), **given)


@pytest.mark.parametrize(
    ("reference", "students", "alternative", "message"),
    [
        (np.zeros((5, 3)), np.zeros((5, 3)), "increasing", "shapes"),
        (np.zeros((5, 3)), np.zeros((5, 4, 2)), "increasing", "shapes"),
        (np.zeros((1, 3)), np.zeros((5, 4, 3)), "increasing", "at least two"),
        (np.zeros((5, 3)), np.zeros((5, 1, 3)), "increasing", "at least two"),
        (np.zeros((5, 3)), np.zeros((5, 4, 3)), "up", "'up'"),
    ],
)
def test_count_trend_refuses_bad_input(reference, students, alternative, message):
    with pytest.raises(ValueError, match=message):
        count_trend(reference, students, alternative=alternative)


def test_holm_wants_a_list():
    with pytest.raises(ValueError, match="shape"):
        holm(np.zeros((2, 2)))
