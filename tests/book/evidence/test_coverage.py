"""Coverage of the intervals, false positives of their tests: simulated, with known truths."""

import numpy as np
import pytest

from kdfair_audit.intervals import FairnessBootstrap
from kdfair_book.evidence.coverage import (
    PAIRS,
    WORLDS,
    World,
    simulate_coverage,
    simulate_difference_coverage,
)
from kdfair_core.metrics import bootstrap_interval, group_counts


def allowed(level, n):
    """Lowest share that n studies of a right interval would show, but for one in a thousand."""
    return level - 3.1 * np.sqrt(level * (1 - level) / n)


@pytest.mark.slow
def test_inversion_covers_where_other_intervals_fail():
    n = 100
    frame = simulate_coverage(n_studies=n, n_boot=200, seed=1).set_index(["method", "world"])
    inversion = frame.loc["inversion", "coverage"]
    assert (inversion >= allowed(0.95, n)).all()
    assert inversion.mean() >= 0.95
    # Equal groups: a percentile interval never holds the zero.
    assert (frame.loc["percentile"].query("truth == 0")["coverage"] == 0).all()
    assert (frame.loc["seeds"].query("truth == 0")["coverage"] < 0.8).all()
    # ... and the interval is not trivially wide
    apart = frame.loc["inversion"].loc["two groups 10 points apart"]
    assert apart["width"] < apart["truth"]


@pytest.mark.slow
def test_differences_cover_and_rarely_reject_without_difference():
    n = 100
    frame = simulate_difference_coverage(PAIRS[::2], n_studies=n, n_boot=200, seed=1)
    assert (frame["coverage"] >= allowed(0.95, n)).all()
    same = frame[frame["truth"] == 0]
    assert (same["rejected"] <= 0.05 + 3.1 * np.sqrt(0.05 * 0.95 / n)).all()
    assert frame.loc[frame["truth"] > 0.09, "rejected"].min() > 0.5


@pytest.mark.parametrize("metric", ["dpd", "eod"])
@pytest.mark.parametrize("accuracies", [(0.8,) * 5, (0.85, 0.8, 0.8, 0.8, 0.7)])
def test_more_classes_cover(metric, accuracies):
    """Algorithm 1, one run: each group with an accuracy of its own, errors spread evenly."""
    rng = np.random.default_rng(0)
    n, n_classes, n_groups, studies = 1500, 4, 5, 120
    accuracy = np.array(accuracies)
    # the truth: labels are balanced, so only accuracy differs
    truth = 0.0 if metric == "dpd" else np.ptp(accuracy)
    held = 0
    for study in range(studies):
        y_true, groups = rng.integers(0, n_classes, n), rng.integers(0, n_groups, n)
        right = rng.random(n) < accuracy[groups]
        y_pred = np.where(right, y_true, (y_true + rng.integers(1, n_classes, n)) % n_classes)
        counts = group_counts(y_true, y_pred, sensitive_features=groups, n_classes=n_classes)
        low, high = bootstrap_interval(counts, metric, n_boot=200, seed=study)
        held += low <= truth <= high
    assert held / studies >= allowed(0.95, studies)


def test_signed_gap_covers():
    world = World("gap", (0.3, 0.35), n_examples=800, seed_sd=0.02)
    rng = np.random.default_rng(0)
    n, held = 300, 0
    for study in range(n):
        groups, common = world.draw_examples(rng)
        boot = FairnessBootstrap(
            np.zeros(800, int),
            [world.draw_runs(groups, common, rng)],
            sensitive_features=groups,
            n_classes=2,
            n_boot=200,
            seed=study,
        )
        gap = boot.gap(0, "selection")
        held += gap["low"] <= 0.05 <= gap["high"]
    assert held / n >= allowed(0.95, n)


def test_truth_of_a_world():
    assert WORLDS[0].truth == 0
    assert World("apart", (0.1, 0.4, 0.2)).truth == pytest.approx(0.3)
    # The range of two independent normal deviations of s is on average 2 s / sqrt(pi).
    varied = World("seeds", (0.5, 0.5), seed_sd=0.05)
    assert varied.truth == pytest.approx(2 * 0.05 / np.sqrt(np.pi), rel=0.02)


def test_unknown_method_is_refused():
    with pytest.raises(ValueError, match="bca"):
        simulate_coverage(methods=["bca"])
