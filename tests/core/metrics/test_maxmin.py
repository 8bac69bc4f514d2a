"""The largest difference between groups: candidate truths, and the limit where nothing was seen."""

import numpy as np
import pytest

from kdfair_core.metrics.maxmin import nothing_seen, rescaled


def test_rescaled_rates_have_the_difference_asked_for():
    rng = np.random.default_rng(0)
    rates = rng.random((3, 6, 4))
    width = np.ptp(rates, axis=1)
    for factor in (0, 0.3, 0.9, 1, 1.7):
        moved = rescaled(rates, factor)
        np.testing.assert_allclose(np.ptp(moved, axis=1), factor * width, atol=1e-8)
    # pulled together, they are the nearest by least squares: balanced on both sides
    moved = rescaled(rates, 0.5)
    np.testing.assert_allclose((moved - rates).sum(axis=1), 0, atol=1e-7)
    inside = (rates > moved.min(1, keepdims=True)) & (rates < moved.max(1, keepdims=True))
    np.testing.assert_array_equal(moved[inside], rates[inside])


def test_no_exception_seen_gives_the_rule_of_three():
    assert nothing_seen(np.array([[50.0], [80.0]]), 0.95) == pytest.approx(1 - 0.025 ** (1 / 50))
