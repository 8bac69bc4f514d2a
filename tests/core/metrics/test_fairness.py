"""DPD and EOD against fairlearn, against scikit-learn rates, and by hand."""

import warnings

import fairlearn.metrics
import numpy as np
import pandas as pd
import pytest

from kdfair_core.metrics import (
    UndefinedMetricWarning,
    demographic_parity_difference,
    dpd_from_counts,
    eod_from_counts,
    equalized_odds_difference,
    group_counts,
)

OURS = {"dpd": demographic_parity_difference, "eod": equalized_odds_difference}
THEIRS = {
    "dpd": fairlearn.metrics.demographic_parity_difference,
    "eod": fairlearn.metrics.equalized_odds_difference,
}
BOTH = pytest.mark.parametrize("metric", ["dpd", "eod"])


def draw(seed, n=200, n_classes=2, n_groups=3):
    """Random labels, predictions and groups in which every cell that matters has examples."""
    rng = np.random.default_rng(seed)
    y_true = rng.integers(0, n_classes, n)
    y_pred = np.where(rng.random(n) < rng.random(), y_true, rng.integers(0, n_classes, n))
    return y_true, y_pred, rng.integers(0, n_groups, n), rng


@BOTH
@pytest.mark.parametrize("seed", range(40))
def test_two_classes_equal_fairlearn(metric, seed):
    y_true, y_pred, groups, rng = draw(seed, n_groups=2 + seed % 4)
    weights = rng.random(len(y_true)) if seed % 2 else None
    given = {"sensitive_features": groups, "sample_weight": weights}
    expected = THEIRS[metric](y_true, y_pred, **given)
    assert OURS[metric](y_true, y_pred, **given) == pytest.approx(expected, abs=1e-12)


@BOTH
@pytest.mark.parametrize("seed", range(20))
def test_more_classes_are_the_mean_over_one_against_the_rest(metric, seed):
    y_true, y_pred, groups, _ = draw(seed, n=800, n_classes=3 + seed % 4)
    expected = np.mean(
        [
            THEIRS[metric](y_true == c, y_pred == c, sensitive_features=groups)
            for c in np.unique(y_true)
        ]
    )
    assert OURS[metric](y_true, y_pred, sensitive_features=groups) == pytest.approx(expected)


@BOTH
@pytest.mark.parametrize(
    "give",
    [
        list,
        np.asarray,
        pd.Series,
        lambda v: np.asarray(v, dtype=float),
        lambda v: pd.Series(v)[::1],
    ],
)
def test_the_form_of_the_data_does_not_matter(metric, give):
    y_true, y_pred, groups, _ = draw(3)
    names = np.array(["ada", "bo", "cy"])[groups]
    expected = OURS[metric](y_true, y_pred, sensitive_features=groups)
    assert OURS[metric](give(y_true), give(y_pred), sensitive_features=list(names)) == expected


def test_hand_case():
    #            group a        | group b
    y_true = [1, 1, 0, 0, 0, 0, 1, 1, 1, 0]
    y_pred = [1, 0, 1, 0, 0, 0, 1, 1, 1, 0]
    groups = list("aaaaaabbbb")
    # a predicts 2 of 6 positive, b 3 of 4; TPR 1/2 and 1; FPR 1/4 and 0.
    given = {"sensitive_features": groups}
    assert demographic_parity_difference(y_true, y_pred, **given) == pytest.approx(3 / 4 - 1 / 3)
    assert equalized_odds_difference(y_true, y_pred, **given) == pytest.approx(1 / 2)


def test_perfect_classifier_has_the_dpd_of_the_labels_and_no_eod():
    y_true, _, groups, _ = draw(0, n=500, n_classes=10)
    assert equalized_odds_difference(y_true, y_true, sensitive_features=groups) == 0
    floor = demographic_parity_difference(y_true, y_true, sensitive_features=groups)
    rates = pd.get_dummies(y_true).groupby(groups).mean()
    assert floor == pytest.approx((rates.max() - rates.min()).mean())
    assert floor > 0


@pytest.mark.parametrize("n_classes", [2, 5])
def test_counts_are_batched_over_leading_axes(n_classes):
    y_true, y_pred, groups, rng = draw(7, n=600, n_classes=n_classes)
    runs = np.stack([rng.permutation(y_pred) for _ in range(6)]).reshape(2, 3, -1)
    counts = group_counts(y_true, runs, sensitive_features=groups, n_classes=n_classes)
    for of_counts, direct in [
        (dpd_from_counts, demographic_parity_difference),
        (eod_from_counts, equalized_odds_difference),
    ]:
        values = of_counts(counts)
        assert values.shape == (2, 3)
        for i, j in np.ndindex(2, 3):
            expected = direct(y_true, runs[i, j], sensitive_features=groups, n_classes=n_classes)
            assert values[i, j] == pytest.approx(expected)


def test_several_columns_make_combined_groups():
    y_true, y_pred, groups, rng = draw(11)
    other = rng.integers(0, 2, len(groups))
    expected = demographic_parity_difference(
        y_true, y_pred, sensitive_features=[f"{a}-{b}" for a, b in zip(groups, other, strict=True)]
    )
    for columns in (
        np.column_stack([groups, other]),
        pd.DataFrame({"age": groups, "gender": other}),
        {"age": groups, "gender": other},
    ):
        value = demographic_parity_difference(y_true, y_pred, sensitive_features=columns)
        assert value == pytest.approx(expected)


def test_group_without_positives_is_left_out_and_named():
    y_true = [1, 0, 1, 0, 0, 0]
    y_pred = [1, 0, 0, 1, 0, 1]
    groups = ["a", "a", "b", "b", "none", "none"]
    with pytest.warns(UndefinedMetricWarning, match="true positive rate for group 'none'"):
        eod = equalized_odds_difference(y_true, y_pred, sensitive_features=groups)
    # TPR a 1, b 0; FPR a 0, b 1, none 1/2
    assert eod == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert demographic_parity_difference(y_true, y_pred, sensitive_features=groups) == 0


def test_fewer_than_two_groups_left_is_nan():
    with pytest.warns(UndefinedMetricWarning, match="fewer than two groups"):
        eod = equalized_odds_difference([1, 0, 0], [1, 0, 1], sensitive_features=["a", "a", "b"])
    assert np.isnan(eod)


@BOTH
def test_one_group_is_nan(metric):
    with pytest.warns(UndefinedMetricWarning, match="two groups"):
        assert np.isnan(OURS[metric]([1, 0, 1], [1, 0, 0], sensitive_features=["a"] * 3))


def test_single_class_has_no_rates_of_the_other():
    with pytest.warns(UndefinedMetricWarning, match="no positives"):
        eod = equalized_odds_difference([0, 0, 0], [0, 1, 0], sensitive_features=["a", "b", "b"])
    assert np.isnan(eod)
    dpd = demographic_parity_difference([0, 0, 0], [0, 1, 0], sensitive_features=["a", "b", "b"])
    assert dpd == 0.5


def test_class_that_no_example_has_makes_eod_nan_and_is_named():
    y_true, y_pred = [0, 1, 0, 1], [0, 2, 2, 1]
    with pytest.warns(UndefinedMetricWarning, match="class 2"):
        assert np.isnan(equalized_odds_difference(y_true, y_pred, sensitive_features=list("aabb")))


def test_empty_group_in_a_table_is_left_out_and_named():
    counts = np.zeros((3, 2, 2))
    counts[0] = [[3, 1], [1, 3]]
    counts[2] = [[4, 0], [2, 2]]
    with pytest.warns(UndefinedMetricWarning, match="'b'"):
        dpd = dpd_from_counts(counts, group_names=["a", "b", "c"])
    assert dpd == pytest.approx(0.25)


def test_classes_need_not_be_numbered_without_gaps():
    y_true, y_pred, groups, _ = draw(2, n=300, n_classes=3)
    expected = equalized_odds_difference(y_true, y_pred, sensitive_features=groups)
    spaced = equalized_odds_difference(y_true * 7, y_pred * 7, sensitive_features=groups)
    assert spaced == pytest.approx(expected)


@BOTH
@pytest.mark.parametrize(
    ("y_true", "y_pred", "groups", "message"),
    [
        ([], [], [], "empty"),
        ([0, 1], [0, 1, 1], [0, 0], "y_true 2, y_pred 3"),
        ([0, 1], [0, 1], [0, 0, 1], "sensitive_features 3"),
        ([0, np.nan], [0, 1], [0, 1], "NaN"),
        ([0, 1], [0, None], [0, 1], "NaN"),
        ([0, 1], [0, 0.5], [0, 1], "0.5"),
        ([0, -1], [0, 1], [0, 1], "-1"),
        (["no", "yes"], [0, 1], [0, 1], "'no'"),
        ([[0, 1]], [[0, 1]], [0, 1], r"shape \(1, 2\)"),
        ([0, 1], [0, 1], [0, np.nan], "missing"),
        ([0, 1], [0, 1], ["a", None], "missing"),
        ([0, 1], [0, 1], 3, "sensitive_features has shape"),
    ],
)
def test_bad_input_is_refused(metric, y_true, y_pred, groups, message):
    with pytest.raises(ValueError, match=message):
        OURS[metric](y_true, y_pred, sensitive_features=groups)


@BOTH
@pytest.mark.parametrize("weights", [[1], [1, -1], [1, np.nan]])
def test_bad_weights_are_refused(metric, weights):
    with pytest.raises(ValueError, match="sample_weight"):
        OURS[metric]([0, 1], [0, 1], sensitive_features=[0, 1], sample_weight=weights)


@pytest.mark.parametrize(
    "counts", [np.ones((2, 2)), np.ones((2, 2, 3)), np.full((2, 2, 2), np.nan), -np.ones((2, 2, 2))]
)
def test_bad_tables_are_refused(counts):
    for of_counts in (dpd_from_counts, eod_from_counts):
        with pytest.raises(ValueError, match="counts"):
            of_counts(counts)
