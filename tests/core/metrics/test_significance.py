"""Welch's test and Benjamini-Hochberg against scipy and statsmodels."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from kdfair_core.metrics import benjamini_hochberg, welch


@pytest.mark.parametrize("seed", range(20))
def test_welch_is_scipys(seed):
    rng = np.random.default_rng(seed)
    a = rng.normal(0, rng.random(30) + 0.1, (2 + seed % 5, 30))
    b = rng.normal(1, rng.random(30) + 0.1, (5, 30))
    theirs = stats.ttest_ind(a, b, equal_var=False)
    for ours, expected in zip(
        welch(a, b), (theirs.statistic, theirs.pvalue, theirs.df), strict=True
    ):
        np.testing.assert_allclose(ours, expected, rtol=1e-8)


def test_welch_without_variation():
    same, other = np.full((5, 1), 0.9), np.full((4, 1), 0.8)
    assert np.isnan(welch(same, same)[1])
    statistic, p_value, _ = welch(same, other)
    assert np.isposinf(statistic)
    assert p_value == 0
    rounding = same + np.array([[0], [1e-16], [0], [-1e-16], [0]])
    assert np.isnan(welch(rounding, same)[1])


def test_welch_wants_two_runs():
    with pytest.raises(ValueError, match="1 and 3 runs"):
        welch(np.zeros((1, 2)), np.zeros((3, 2)))


@pytest.mark.parametrize("seed", range(20))
def test_benjamini_hochberg_is_statsmodels(seed):
    rng = np.random.default_rng(seed)
    p = np.round(rng.random(1 + seed * 3) ** 2, 2)  # ties too
    expected = multipletests(p, method="fdr_bh")[1]
    np.testing.assert_allclose(benjamini_hochberg(p), expected)
    with_gaps = np.insert(p, [0, len(p)], np.nan)
    np.testing.assert_allclose(benjamini_hochberg(with_gaps)[1:-1], expected)
    assert np.isnan(benjamini_hochberg(with_gaps)[[0, -1]]).all()


def test_benjamini_hochberg_wants_a_list():
    with pytest.raises(ValueError, match="shape"):
        benjamini_hochberg(np.zeros((2, 2)))
