"""The calculator's numbers, against worlds whose truth is known."""

import numpy as np
import pytest
from scipy import stats

from kdfair_book.evidence import sweep
from kdfair_book.evidence.what_could_be_seen import (
    OTHERS,
    _draw,
    _measured,
    changed_answers,
    error_correlation,
    visible,
)
from kdfair_core import metrics, results

HOW = dict(correlation=1.0, changed=0.1)


def test_what_chance_shows_is_the_median_of_a_difference_of_two_rates():
    found = visible(1000, 0.5, 1, **HOW)
    rate = 0.5 * 0.8 + 0.5 * 0.2
    error = np.sqrt(rate * (1 - rate) / 1000 * (1 + 1 / OTHERS))
    assert found["dpd_chance"] == pytest.approx(stats.halfnorm.median() * error, rel=0.1)
    assert found["eod_chance"] > found["dpd_chance"]  # of two rates, and half the examples each


def test_a_difference_that_could_be_seen_is_seen_four_times_in_five():
    n = 500
    found = visible(n, 0.25, 1, **HOW)
    how = dict(n=n, base_rate=0.25, worlds=4000)
    null = _measured(metrics.eod_from_counts, _draw(np.random.default_rng(8), **how))
    there = _draw(np.random.default_rng(9), **how, rates=found["eod"])
    power = (_measured(metrics.eod_from_counts, there) > np.quantile(null, 0.95)).mean()
    assert 0.76 <= power <= 0.93  # steps of the grid are coarse


def test_more_examples_and_more_seeds_show_smaller_differences():
    few, many = visible(100, 0.25, 1, **HOW), visible(2000, 0.25, 1, **HOW)
    assert all(many[name] < few[name] for name in few)
    free = dict(correlation=0.0, changed=0.1)
    assert visible(500, 0.25, 5, **free)["eod"] < visible(500, 0.25, 1, **free)["eod"]
    assert visible(500, 0.25, 5, **HOW) == visible(500, 0.25, 1, **HOW)  # nothing averages out


def test_seeds_of_published_studies_share_their_errors_in_part():
    there = [sweep(results.load(name, "laptop")) for name in ("faces", "hatexplain")]
    assert 0.2 < error_correlation(there) < 0.95
    assert 0.02 < changed_answers(there, 4) < 0.3


def test_a_group_too_small_shows_nothing():
    assert np.isnan(visible(20, 0.05, 1, **HOW)["eod"])
