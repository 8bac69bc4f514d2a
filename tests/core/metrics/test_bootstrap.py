"""Intervals of a count table: shapes, errors, and coverage by simulation."""

import numpy as np
import pytest
from scipy import stats

from kdfair_core.metrics import (
    accuracy_from_counts,
    bootstrap_interval,
    demographic_parity_difference,
    dpd_from_counts,
    eod_from_counts,
    group_counts,
)


def tables(rng, shape, n=400, n_groups=3, n_classes=2):
    p = rng.dirichlet(np.ones(n_groups * n_classes**2), shape or None)
    counts = np.array([rng.multinomial(n, one) for one in p.reshape(-1, p.shape[-1])])
    return counts.reshape(*shape, n_groups, n_classes, n_classes)


@pytest.mark.parametrize("metric", ["dpd", "eod", "accuracy"])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_interval_holds_the_estimate_of_a_clear_gap(metric, n_classes):
    counts = tables(np.random.default_rng(0), (6,), n=20_000, n_classes=n_classes)
    low, high = bootstrap_interval(counts, metric, seed=1)
    of = {"dpd": dpd_from_counts, "eod": eod_from_counts, "accuracy": accuracy_from_counts}
    value = of[metric](counts)
    assert low.shape == high.shape == (6,)
    assert (low < value).all()
    assert (value < high).all()


def test_one_table_gives_floats_and_the_same_seed_the_same_interval():
    counts = tables(np.random.default_rng(0), ())
    first = bootstrap_interval(counts, "dpd", seed=3)
    assert all(isinstance(end, float) for end in first)
    assert bootstrap_interval(counts, "dpd", seed=3) == first
    assert bootstrap_interval(counts, demographic_parity_difference, seed=3) == first
    assert bootstrap_interval(counts, "dpd", seed=4) != first


def test_a_higher_level_is_wider():
    counts = tables(np.random.default_rng(0), (), n=4000)
    low, high = bootstrap_interval(counts, "dpd", seed=0)
    lower, higher = bootstrap_interval(counts, "dpd", level=0.999, seed=0)
    assert lower < low < high < higher


def test_any_function_of_tables_has_an_interval():
    counts = tables(np.random.default_rng(0), (), n=5000)
    interval = bootstrap_interval(counts, accuracy_from_counts, n_boot=4000, seed=0)
    assert interval == bootstrap_interval(counts, "accuracy", n_boot=4000, seed=0)
    hits = int(np.trace(counts.sum(axis=0)))
    exact = stats.binomtest(hits, 5000).proportion_ci(method="wilson")
    np.testing.assert_allclose(interval, [exact.low, exact.high], atol=0.002)


def test_undefined_is_nan():
    counts = np.zeros((2, 2, 2))
    counts[0] = 5
    assert np.isnan(bootstrap_interval(counts, "dpd", seed=0)).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"counts": np.zeros((2, 2))}, "shape"),
        ({"metric": "gini"}, "unknown metric 'gini'; expected dpd, eod, accuracy"),
        ({"n_boot": 1}, "n_boot is 1"),
        ({"level": 95}, "level is 95"),
    ],
)
def test_bad_input_is_refused(given, message):
    given = {"counts": np.ones((2, 2, 2)), "metric": "dpd", "seed": 0} | given
    with pytest.raises(ValueError, match=message):
        bootstrap_interval(given.pop("counts"), given.pop("metric"), **given)


def test_sums_of_weights_are_no_numbers_of_examples():
    """Weights that add up to 1 gave [0, 1] where the examples give [0.815, 0.8825]."""
    rng = np.random.default_rng(0)
    y, groups = rng.integers(2, size=800), rng.integers(2, size=800)
    pred = np.where(rng.random(800) < 0.85, y, 1 - y)
    shape = dict(sensitive_features=groups, n_classes=2)
    weighted = group_counts(y, pred, sample_weight=np.full(800, 1 / 800), **shape)
    with pytest.raises(ValueError, match=r"counts holds 0\..*whole numbers of examples"):
        bootstrap_interval(weighted, "accuracy", seed=0)
    whole = group_counts(y, pred, sample_weight=np.ones(800), **shape)
    plain = group_counts(y, pred, **shape)
    assert bootstrap_interval(whole, "accuracy", seed=0) == bootstrap_interval(
        plain, "accuracy", seed=0
    )
