"""The count table against a loop and against scikit-learn's confusion matrix."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from kdfair_core.metrics import group_counts


@pytest.mark.parametrize("seed", range(10))
def test_each_group_has_its_confusion_matrix(seed):
    rng = np.random.default_rng(seed)
    n, n_classes = 150, 2 + seed % 4
    y_true, y_pred = rng.integers(0, n_classes, (2, n))
    groups, weights = rng.integers(0, 4, n), rng.random(n)
    counts = group_counts(y_true, y_pred, sensitive_features=groups, n_classes=n_classes)
    weighted = group_counts(
        y_true, y_pred, sensitive_features=groups, n_classes=n_classes, sample_weight=weights
    )
    assert counts.dtype == np.int64
    for code, group in enumerate(np.unique(groups)):
        inside = groups == group
        given = {"labels": range(n_classes)}
        np.testing.assert_array_equal(
            counts[code], confusion_matrix(y_true[inside], y_pred[inside], **given)
        )
        np.testing.assert_allclose(
            weighted[code],
            confusion_matrix(
                y_true[inside], y_pred[inside], sample_weight=weights[inside], **given
            ),
        )


def test_runs_lead_and_counts_add():
    rng = np.random.default_rng(0)
    y_true, groups = rng.integers(0, 3, (2, 90))
    y_pred = rng.integers(0, 3, (2, 5, 90))
    counts = group_counts(y_true, y_pred, sensitive_features=groups, n_classes=3)
    assert counts.shape == (2, 5, 3, 3, 3)
    assert (counts.sum(axis=(-3, -2, -1)) == 90).all()
    parts = [
        group_counts(
            y_true[part],
            y_pred[..., part],
            sensitive_features=groups[part],
            n_classes=3,
            groups=range(3),
        )
        for part in (slice(0, 31), slice(31, 90))
    ]
    np.testing.assert_array_equal(counts, sum(parts))


def test_named_groups_fix_the_axis_and_leave_out_the_rest():
    counts = group_counts(
        [0, 1, 1, 0], [0, 1, 0, 0], sensitive_features=[-1, 2, 0, 2], n_classes=2, groups=range(3)
    )
    assert counts.shape == (3, 2, 2)
    assert counts.sum(axis=(1, 2)).tolist() == [1, 0, 2]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"n_classes": 1}, "n_classes is 1"),
        ({"n_classes": 2.5}, "n_classes is 2.5"),
        ({"y_true": [0, 2]}, "y_true holds 2; expected whole numbers from 0 to 1"),
        ({"y_pred": [[0, 1], [3, 0]]}, "y_pred holds 3"),
        ({"y_pred": [[0, 1, 1]]}, "y_true 2, y_pred 3"),
        ({"y_true": [0, np.inf]}, "inf"),
        ({"y_true": 1}, "shape"),
        ({"sensitive_features": []}, "empty"),
        ({"sensitive_features": {}}, "empty"),
    ],
)
def test_bad_input_is_refused(given, message):
    good = {"y_true": [0, 1], "y_pred": [0, 1], "sensitive_features": [0, 1], "n_classes": 2}
    given = good | given
    with pytest.raises(ValueError, match=message):
        group_counts(given.pop("y_true"), given.pop("y_pred"), **given)
