"""Intervals over examples and seeds: what they are made of, and errors."""

import numpy as np
import pytest

from kdfair_audit.intervals import FairnessBootstrap
from kdfair_audit.joint_table import POISSON_ONE, JointTable
from kdfair_core.metrics import (
    demographic_parity_difference,
    dpd_from_counts,
    eod_from_counts,
    equalized_odds_difference,
    group_counts,
)

DIRECT = {"dpd": demographic_parity_difference, "eod": equalized_odds_difference}


def draw(seed=0, n=600, n_classes=3, n_groups=4, runs=(5, 5, 3), accuracy=0.8):
    rng = np.random.default_rng(seed)
    y_true = rng.integers(0, n_classes, n)
    models = [
        np.where(rng.random((r, n)) < accuracy, y_true, rng.integers(0, n_classes, (r, n)))
        for r in runs
    ]
    return y_true, models, rng.integers(0, n_groups, n)


def bootstrap(y_true, models, sensitive_features, n_classes=3, seed=0, **given):
    given |= {"sensitive_features": sensitive_features, "n_classes": n_classes, "seed": seed}
    return FairnessBootstrap(y_true, models, **given)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("metric", ["dpd", "eod"])
def test_values_are_those_of_the_metric(n_classes, metric):
    y_true, models, groups = draw(n_classes=n_classes)
    boot = bootstrap(y_true, models, groups, n_classes, n_boot=20)
    for model, runs in enumerate(models):
        expected = [DIRECT[metric](y_true, run, sensitive_features=groups) for run in runs]
        np.testing.assert_allclose(boot.by_run(model, metric), expected)
        np.testing.assert_allclose(boot.by_run(model, "accuracy"), (runs == y_true).mean(axis=1))
        assert boot.interval(model, metric)["value"] == pytest.approx(np.mean(expected))


@pytest.mark.parametrize("n_classes", [2, 4])
def test_resampled_cells_are_resampled_examples(n_classes):
    """Redrawing cells by given counts is what redrawing the examples in them would be."""
    y_true, models, groups = draw(n_classes=n_classes, n=300, runs=(4,))
    table = JointTable(y_true, models[0], groups, n_groups=4, n_classes=n_classes)
    rng = np.random.default_rng(1)
    weights = table.draw(3, rng)
    rates = table.rates(weights)
    # give every example the share of its cell's weight
    rows = np.column_stack([groups, y_true, models[0].T])
    keys = {}
    order = np.repeat(np.arange(16 if n_classes == 4 else 8), np.diff(table.edges))
    for cell, block in enumerate(order):
        key = (block // n_classes, block % n_classes, *table.pred[:, cell])
        keys[tuple(int(k) for k in key)] = cell
    cells = np.array([keys[tuple(row)] for row in rows])
    assert np.array_equal(np.bincount(cells), table.count)
    for b in range(3):
        counts = group_counts(
            y_true,
            models[0],
            sensitive_features=groups,
            n_classes=n_classes,
            sample_weight=(weights[:, b] / table.count)[cells],
        )
        spread = rates["selection"][..., b].max(1) - rates["selection"][..., b].min(1)
        np.testing.assert_allclose(spread.mean(1), dpd_from_counts(counts), rtol=1e-5)
        odds = [rates[name][..., b].max(1) - rates[name][..., b].min(1) for name in ("tpr", "fpr")]
        np.testing.assert_allclose(np.maximum(*odds).mean(1), eod_from_counts(counts), rtol=1e-5)


def test_poisson_by_table_has_mean_and_variance_one():
    assert POISSON_ONE.mean() == pytest.approx(1, abs=1e-3)
    assert POISSON_ONE.var() == pytest.approx(1, abs=1e-3)
    assert (POISSON_ONE == 0).mean() == pytest.approx(np.exp(-1), abs=1e-4)


def test_examples_of_unknown_groups_are_left_out():
    y_true, models, groups = draw(n=800)
    some = groups < 3
    whole = bootstrap(y_true, models, groups, groups=range(3), n_boot=20)
    part = bootstrap(y_true[some], [m[:, some] for m in models], groups[some], n_boot=20)
    assert whole.interval(0, "dpd") == part.interval(0, "dpd")


def test_same_seed_same_intervals():
    given = draw()
    frames = [bootstrap(*given, seed=s, n_boot=100).intervals() for s in (1, 1, 2)]
    assert frames[0].equals(frames[1])
    assert not frames[0].equals(frames[2])
    assert frames[0].columns.tolist() == [
        *("model", "metric", "value", "low", "high", "chance", "corrected", "n_runs")
    ]
    assert frames[0]["n_runs"].tolist() == [5, 5, 3] * 3


def test_a_clear_gap_is_far_from_zero_and_a_chance_gap_reaches_it():
    rng = np.random.default_rng(0)
    groups = np.repeat([0, 1], 1000)
    equal = (rng.random((5, 2000)) < 0.5).astype(int)
    apart = (rng.random((5, 2000)) < np.where(groups, 0.7, 0.4)).astype(int)
    boot = bootstrap(np.zeros(2000, int), [equal, apart], groups, 2)
    none, clear = boot.interval(0, "dpd"), boot.interval(1, "dpd")
    assert none["low"] == 0
    assert none["corrected"] <= none["value"]
    assert 0.2 < clear["low"] < 0.3 < clear["high"] < 0.4
    gap = boot.gap(1, "selection")
    assert gap["low"] == pytest.approx(clear["low"], abs=0.02)
    assert boot.gap(0, "selection")["low"] < 0 < boot.gap(0, "selection")["high"]
    assert boot.difference(1, 0, "dpd")["p_value"] < 0.05
    assert boot.difference(1, 0, "dpd")["low"] > 0.1


def test_seeds_widen_the_interval():
    rng = np.random.default_rng(0)
    groups = np.repeat([0, 1], 1000)
    level = np.array([0.30, 0.36, 0.42, 0.48, 0.54])[:, None]
    stable = (rng.random((5, 2000)) < np.where(groups, 0.42, 0.2)).astype(int)
    varied = (rng.random((5, 2000)) < np.where(groups, level, 0.2)).astype(int)
    boot = bootstrap(np.zeros(2000, int), [stable, varied], groups, 2)
    widths = [boot.interval(m, "dpd")["high"] - boot.interval(m, "dpd")["low"] for m in (0, 1)]
    assert widths[1] > 1.5 * widths[0]


def test_the_same_model_twice_does_not_differ():
    y_true, models, groups = draw()
    boot = bootstrap(y_true, [models[0], models[0]], groups)
    for metric in ("accuracy", "dpd", "eod"):
        same = boot.difference(0, 1, metric)
        assert same["difference"] == 0
        assert same["p_value"] == 1
        assert same["low"] == same["high"] == 0


def test_pairing_makes_differences_precise():
    """Two models that err on the same examples differ by less than their intervals suggest."""
    rng = np.random.default_rng(0)
    y_true = rng.integers(0, 2, 2000)
    wrong = rng.random(2000) < 0.2
    model = np.where(wrong, 1 - y_true, y_true)
    other = np.where(rng.random(2000) < 0.01, 1 - model, model)
    boot = bootstrap(y_true, [model[None], other[None]], rng.integers(0, 2, 2000), 2)
    difference = boot.difference(0, 1, "accuracy")
    alone = boot.interval(0, "accuracy")
    assert difference["high"] - difference["low"] < 0.5 * (alone["high"] - alone["low"])


def test_a_model_without_errors_has_the_rule_of_three():
    y_true = np.tile([0, 1], 100)
    groups = np.repeat([0, 1], 100)
    boot = bootstrap(y_true, [np.tile(y_true, (5, 1))], groups, 2)
    eod = boot.interval(0, "eod")
    assert (eod["value"], eod["low"]) == (0, 0)
    assert eod["high"] == pytest.approx(1 - 0.025 ** (1 / 50))


def test_undefined_groups_stay_out():
    y_true = np.array([0, 1] * 50 + [0] * 50)
    groups = np.repeat([0, 1, 2], 50)  # group 2 has no positives
    rng = np.random.default_rng(0)
    runs = np.where(rng.random((3, 150)) < 0.8, y_true, 1 - y_true)
    boot = bootstrap(y_true, [runs], groups, 2)
    with pytest.warns(UserWarning, match="group 2"):
        expected = equalized_odds_difference(y_true, runs[0], sensitive_features=groups)
    assert boot.by_run(0, "eod")[0] == pytest.approx(expected)
    interval = boot.interval(0, "eod")
    assert np.isfinite([interval["low"], interval["high"]]).all()
    only = bootstrap(y_true[100:], [runs[:, 100:]], groups[100:] + np.arange(50) % 2, 2)
    assert np.isnan(only.interval(0, "eod")["low"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"y_pred": []}, "y_pred is empty"),
        ({"y_pred": [[0, 1]]}, r"shape \(2,\)"),
        ({"y_pred": [[[0, 1, 1]]]}, "y_true 2"),
        ({"n_boot": 1}, "n_boot is 1"),
        ({"n_classes": 1}, "n_classes is 1"),
        ({"sensitive_features": [0]}, "sensitive_features 1"),
        ({"groups": ["a"]}, "known group"),
    ],
)
def test_bad_input_is_refused(given, message):
    good = {"y_pred": [[[0, 1]]], "sensitive_features": [0, 1], "n_classes": 2, "seed": 0}
    with pytest.raises(ValueError, match=message):
        FairnessBootstrap([0, 1], **(good | given))


def test_unknown_names_are_refused():
    boot = bootstrap(*draw(), n_boot=10)
    with pytest.raises(ValueError, match="unknown metric 'gini'"):
        boot.interval(0, "gini")
    with pytest.raises(ValueError, match="level is 95"):
        boot.interval(0, "dpd", level=95)
    with pytest.raises(ValueError, match="unknown rate 'ppv'"):
        boot.gap(0, "ppv")
    with pytest.raises(ValueError, match="4 groups and 3 classes"):
        boot.gap(0, "tpr")
