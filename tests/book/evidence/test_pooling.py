"""Pooling against statsmodels and scipy, and its error rates by simulation."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects

from kdfair_book.evidence import pooling, pooling_simulated
from kdfair_book.evidence.pooling import Part
from kdfair_book.evidence.simulations import stored

PARTS = [Part(0.4, 0.02, 4), Part(0.1, 0.05, 2), Part(0.7, 0.01, 4)]


def test_heterogeneity_is_that_of_statsmodels():
    found = pooling.heterogeneity(PARTS)
    other = combine_effects(
        np.array([p.effect for p in PARTS]), np.array([p.variance for p in PARTS]), method_re="chi2"
    )
    np.testing.assert_allclose(
        [found.q, found.i2, found.tau**2], [other.q, other.i2, other.tau2], rtol=1e-6
    )
    assert found.p_value == pytest.approx(stats.chi2.sf(other.q, 2))
    alike = pooling.heterogeneity([Part(0.2, 0.1, 4), Part(0.21, 0.1, 4)])
    assert alike.i2 == alike.tau == 0


def test_studies_like_these_is_hartung_and_knapp_with_equal_weights():
    equal = [Part(p.effect, 0.02, p.df) for p in PARTS]  # equal variances, so equal weights
    found = pooling.studies_like_these(equal)
    other = combine_effects(
        np.array([p.effect for p in equal]), np.full(3, 0.02), method_re="chi2", use_t=True
    )
    low, high = other.conf_int()[3]
    np.testing.assert_allclose([found.low, found.high], [low, high])
    single = stats.ttest_1samp([p.effect for p in PARTS], 0, alternative="greater")
    assert found.p_value == pytest.approx(single.pvalue)
    assert found.p_value + found.p_opposite == pytest.approx(1)


def test_these_studies_with_equal_errors_is_students_t():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 5))
    found = pooling.these([pooling.from_seeds(a), pooling.from_seeds(-b)])
    error = np.sqrt(a.var(ddof=1) / 5 + b.var(ddof=1) / 5)
    expected = stats.ttest_ind(a, b, equal_var=False, alternative="greater")
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.effect == pytest.approx((a.mean() - b.mean()) / 2)
    half = stats.t.ppf(0.975, found.df) * error / 2
    np.testing.assert_allclose([found.low, found.high], [found.effect - half, found.effect + half])


def test_attributes_of_a_study_do_not_count_twice():
    seeds = np.array([0.1, 0.4, 0.2, 0.5])
    once, thrice = pooling.from_seeds(seeds), pooling.from_seeds(np.tile(seeds, (3, 1)))
    assert (thrice.effect, thrice.variance) == pytest.approx((once.effect, once.variance))
    assert thrice.df == once.df == 3
    one, three = (pooling.from_errors([0.3] * k, [0.1] * k) for k in (1, 3))
    assert (three.effect, three.variance) == pytest.approx((one.effect, one.variance))


def test_combined_p_values():
    for_it, against = pooling.combined([0.03, 0.2], [0.98, 0.81])
    middle = [(0.03 + 0.02) / 2, (0.2 + 0.19) / 2]
    assert for_it == pytest.approx(stats.combine_pvalues(middle, method="stouffer").pvalue)
    assert for_it + against == pytest.approx(1)
    # a study whose counts never change says nothing either way
    assert pooling.combined([1.0], [1.0]) == pytest.approx((0.5, 0.5))


@pytest.mark.parametrize(
    ("effects", "p_value"), [((0.2, 0.2), 0.0), ((-0.2, -0.2), 1.0), ((0.2, -0.2), 0.5)]
)
def test_effects_without_error(effects, p_value):
    found = pooling.these([Part(e, 0.0, 4) for e in effects])
    assert found.p_value == p_value and found.low == found.high == found.effect


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="got effects of 1 seed"):
        pooling.from_seeds([0.1])
    with pytest.raises(ValueError, match="got 1 study"):
        pooling.studies_like_these(PARTS[:1])
    with pytest.raises(ValueError, match="got no study"):
        pooling.these([])
    with pytest.raises(ValueError, match="no variance"):
        pooling.these([Part(0.1, np.nan, np.nan)])


def test_stored_simulation_says_what_the_page_says():
    """The tests that are used keep their level, and the ones that are not used do not."""
    frame = stored("pooling").set_index("method")
    assert frame.loc[pooling_simulated.THESE, "n_studies"].max() >= 1000
    error = np.sqrt(0.05 * 0.95 / frame["n_studies"])
    nothing = (frame["effect"] == 0) & (frame["spread"] == 0)
    bound = 0.05 + 3.1 * error
    for method in (pooling_simulated.THESE, pooling_simulated.LIKE, pooling_simulated.STOUFFER):
        rows = (frame.index == method) & nothing
        assert rows.any() and (frame.loc[rows, "rejected"] <= bound[rows]).all()
    spread = frame[(frame["effect"] == 0) & (frame["spread"] > 0)]
    assert (spread.loc[pooling_simulated.LIKE, "rejected"] <= 0.12).all()
    trend = spread[spread["world"].str.startswith("trend of EOD")]["rejected"]
    assert trend[pooling_simulated.DL + pooling_simulated.CELLS] > 2 * trend[pooling_simulated.LIKE]
    planted = frame[(frame["effect"] > 0) & (frame.index == pooling_simulated.THESE)]
    assert (planted["rejected"] > 0.5).all()


def test_simulation_is_repeatable_and_planted_effects_are_found():
    draws = pooling_simulated.seed_draws
    rng = np.random.default_rng(0)
    null = [draws(rng, 0, 0)[pooling_simulated.THESE] for _ in range(600)]
    found = [draws(rng, 2, 0)[pooling_simulated.THESE] for _ in range(100)]
    assert np.mean(np.array(null) <= 0.05) < 0.09
    assert np.mean(np.array(found) <= 0.05) > 0.9
    assert draws(np.random.default_rng(1), 0, 1) == draws(np.random.default_rng(1), 0, 1)
