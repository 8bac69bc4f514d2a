"""Class accuracy, disagreement and affected classes against scikit-learn, scipy and statsmodels."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import confusion_matrix, recall_score
from statsmodels.stats.multitest import multipletests

from kdfair_core.metrics import (
    UndefinedMetricWarning,
    accuracy_from_counts,
    affected_classes,
    class_accuracy,
    class_accuracy_from_counts,
    disagreement_matrix,
    group_counts,
    relative_class_accuracy,
)


def draw_runs(rng, y_true, n_classes, n_runs, accuracy):
    """Predictions whose accuracy differs by class and by run."""
    right = rng.random((n_runs, len(y_true))) < accuracy[y_true] + rng.normal(0, 0.02, (n_runs, 1))
    wrong = (y_true + rng.integers(1, n_classes, right.shape)) % n_classes
    return np.where(right, y_true, wrong)


@pytest.mark.parametrize("seed", range(10))
def test_class_accuracy_is_recall(seed):
    rng = np.random.default_rng(seed)
    y_true = rng.integers(0, 5, 200)
    y_pred = rng.integers(0, 5, (3, 200))
    ours = class_accuracy(y_true, y_pred, n_classes=5)
    assert ours.shape == (3, 5)
    for run in range(3):
        np.testing.assert_allclose(ours[run], recall_score(y_true, y_pred[run], average=None))
    counts = group_counts(y_true, y_pred, sensitive_features=y_true % 2, n_classes=5)
    np.testing.assert_allclose(class_accuracy_from_counts(counts), ours)
    np.testing.assert_allclose(accuracy_from_counts(counts), (y_pred == y_true).mean(axis=1))


def test_class_without_examples_is_nan_and_named():
    with pytest.warns(UndefinedMetricWarning, match="class 2"):
        accuracy = class_accuracy([0, 1, 1], [0, 1, 0], n_classes=3)
    np.testing.assert_array_equal(accuracy, [1, 0.5, np.nan])


@pytest.mark.parametrize("seed", range(5))
def test_disagreement_is_a_confusion_matrix_without_diagonal(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 4, (2, 3, 120))
    ours = disagreement_matrix(a, b, n_classes=4)
    for run in range(3):
        theirs = confusion_matrix(a[run], b[run], labels=range(4))
        np.fill_diagonal(theirs, 0)
        np.testing.assert_array_equal(ours[run], theirs)
        assert ours[run].sum() == (a[run] != b[run]).sum()
    np.testing.assert_array_equal(disagreement_matrix(a[0], b, n_classes=4)[0], ours[0])


def test_disagreement_by_hand():
    matrix = disagreement_matrix([0, 0, 1, 2], [0, 1, 2, 2], n_classes=3)
    assert matrix.tolist() == [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
    assert matrix.dtype == np.int64


@pytest.mark.parametrize("seed", range(20))
def test_affected_classes_are_scipys_welch_test(seed):
    rng = np.random.default_rng(seed)
    n_classes = 6
    y_true = np.repeat(np.arange(n_classes), 50)
    accuracy = rng.uniform(0.5, 0.9, n_classes)
    a = draw_runs(rng, y_true, n_classes, 5, accuracy)
    b = draw_runs(rng, y_true, n_classes, 4, np.clip(accuracy + rng.normal(0, 0.1, 6), 0, 1))
    frame = affected_classes(y_true, a, b, n_classes=n_classes)
    assert frame.columns.tolist() == [
        *("class", "mean_a", "mean_b", "effect", "statistic", "p_value", "significant")
    ]
    relative = []
    for runs in (a, b):
        rows = [recall_score(y_true, run, average=None) / (run == y_true).mean() for run in runs]
        relative.append(np.array(rows))
    theirs = stats.ttest_ind(*relative, equal_var=False)
    np.testing.assert_allclose(frame["statistic"], theirs.statistic, rtol=1e-9)
    np.testing.assert_allclose(frame["p_value"], theirs.pvalue, rtol=1e-9)
    np.testing.assert_allclose(frame.attrs["df"], theirs.df, rtol=1e-9)
    np.testing.assert_allclose(frame["effect"], relative[1].mean(axis=0) - relative[0].mean(axis=0))
    np.testing.assert_allclose(frame.attrs["sd_a"], relative[0].std(axis=0, ddof=1))
    assert (frame["significant"] == (theirs.pvalue <= 0.05)).all()
    corrected = affected_classes(y_true, a, b, n_classes=n_classes, correction="bh")
    rejected = multipletests(theirs.pvalue, alpha=0.05, method="fdr_bh")[0]
    assert (corrected["significant"] == rejected).all()
    np.testing.assert_array_equal(corrected["p_value"], frame["p_value"])


def test_perfect_runs_have_no_test():
    y_true = np.arange(40) % 4
    perfect = np.tile(y_true, (5, 1))
    frame = affected_classes(y_true, perfect, perfect, n_classes=4, correction="bh")
    assert frame["p_value"].isna().all()
    assert not frame["significant"].any()


def test_class_without_examples_has_no_test():
    rng = np.random.default_rng(0)
    y_true = rng.integers(0, 2, 100)
    runs = rng.integers(0, 2, (2, 5, 100))
    with pytest.warns(UndefinedMetricWarning, match="class 2"):
        frame = affected_classes(y_true, runs[0], runs[1], n_classes=3)
    assert np.isnan(frame["p_value"][2])
    assert not frame["significant"][2]


def test_relative_accuracy_of_a_run_that_is_never_right_is_nan():
    assert np.isnan(relative_class_accuracy([0, 1], [1, 0], n_classes=2)).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"correction": "bonferroni"}, "unknown correction 'bonferroni'"),
        ({"level": 0}, "level is 0"),
        ({"preds_a": [[0, 1]]}, r"preds_a has shape \(1, 2\)"),
        ({"preds_b": [0, 1]}, r"preds_b has shape \(2,\)"),
        ({"preds_b": [[0, 1, 1]] * 2}, "preds_b 3"),
        ({"preds_b": [[0, 2]] * 2}, "holds 2"),
        ({"n_classes": 0}, "n_classes is 0"),
    ],
)
def test_affected_classes_refuses_bad_input(given, message):
    good = {"preds_a": [[0, 1]] * 2, "preds_b": [[0, 1]] * 2, "n_classes": 2}
    given = good | given
    with pytest.raises(ValueError, match=message):
        affected_classes([0, 1], given.pop("preds_a"), given.pop("preds_b"), **given)


def test_disagreement_refuses_runs_that_do_not_pair():
    with pytest.raises(ValueError, match="same runs"):
        disagreement_matrix(np.zeros((2, 3), int), np.zeros((4, 3), int), n_classes=2)


def test_text_labels_are_shown_as_python_shows_them():
    with pytest.raises(ValueError, match="values such as 'no'; expected whole numbers"):
        class_accuracy(np.array(["no", "yes"]), np.array([0, 1]), n_classes=2)
