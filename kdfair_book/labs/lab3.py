"""Lab 3: group fairness."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdfair_book import paper
from kdfair_book.labs.checking import array, call, close, need, number_of, question
from kdfair_core import metrics


def applicants() -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """A made-up population of 2,000: label (1 is qualified), score, group (0 or 1).

    Group 1 has fewer qualified people, and its scores are lower for the same qualification.
    """
    rng = np.random.default_rng(3)
    group = (rng.random(2000) < 0.4).astype(int)
    y = (rng.random(2000) < np.where(group, 0.35, 0.6)).astype(int)
    score = 1.6 * y - 0.5 * group + rng.normal(size=2000)
    return y, score, group


def shapes() -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Made-up labels, predictions (4 classes) and groups (3)."""
    rng = np.random.default_rng(4)
    y, group = rng.integers(0, 4, 600), rng.integers(0, 3, 600)
    wrong = rng.random(600) < 0.1 + 0.08 * group
    return y, np.where(wrong, rng.integers(0, 4, 600), y), group


def _table() -> NDArray[np.int64]:
    y, score, group = applicants()
    return metrics.group_counts(y, (score > 0.8).astype(int), sensitive_features=group, n_classes=2)


@question("3.1")
def count_table(answer: Any) -> None:
    y, pred, group = shapes()
    table = array(answer, y, pred, group, 3, 4, shape=(3, 4, 4))
    close(table.sum(), 600, "the table should hold every example once.")
    expected = metrics.group_counts(y, pred, sensitive_features=group, n_classes=4)
    need(
        not np.array_equal(table, expected.swapaxes(1, 2)),
        "labels and predictions are swapped: the order is group, label, prediction.",
    )
    close(table, expected, "not the counts by group, label and prediction.")


@question("3.2")
def dpd(answer: Any) -> None:
    counts = _table()
    given = number_of(call(answer, counts))
    expected = float(metrics.dpd_from_counts(counts))
    need(given >= 0, "a difference of largest and smallest is not negative.")
    totals = counts[:, :, 1].sum(axis=1) / counts.sum()
    need(not np.isclose(given, np.ptp(totals)), "divide by the size of the group, not of everyone.")
    tpr = counts[:, 1, 1] / counts[:, 1].sum(axis=1)
    need(not np.isclose(given, np.ptp(tpr)), "demographic parity does not look at the label.")
    close(given, expected, "not the difference of selection rates.")
    three = np.stack([*counts, counts[0, ::-1, ::-1]])
    close(call(answer, three), metrics.dpd_from_counts(three), "wrong with three groups.")


@question("3.3")
def eod(answer: Any) -> None:
    counts = _table()
    given = number_of(call(answer, counts))
    close(given, metrics.eod_from_counts(counts), "not the larger of the gaps in TPR and in FPR.")
    flipped = counts[:, ::-1, ::-1]  # now the other gap is the larger one
    close(
        call(answer, flipped),
        metrics.eod_from_counts(flipped),
        "right for one table and wrong for another: which of the two gaps is larger may change.",
    )
    three = np.concatenate([counts, counts[:1]]).astype(float)
    three[2, 1] = 0  # nobody qualified in the third group
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        given = number_of(call(answer, three))
        expected = float(metrics.eod_from_counts(three))
    need(not np.isnan(given), "a group without positives has no TPR; leave it out of the TPR gap.")
    close(given, expected, "a group without positives has no TPR: it must not count as TPR 0.")


@question("3.4")
def floor(answer: Any) -> None:
    y, _, group = applicants()
    given = number_of(call(answer, y, group))
    expected = metrics.demographic_parity_difference(y, y, sensitive_features=group)
    close(given, expected, "not the DPD of a classifier that is never wrong.")


@question("3.5")
def thresholds(answer: Any) -> None:
    values = np.asarray(answer, dtype=float)
    need(values.shape == (2,), "expected two thresholds, for group 0 and for group 1.")
    y, score, group = applicants()
    pred = (score > values[group]).astype(int)
    need(0.2 <= pred.mean() <= 0.8, "accept at least a fifth and at most four fifths of everyone.")
    need(np.mean(pred == y) >= 0.7, "fair, perhaps, but wrong too often: accuracy is below 0.7.")
    gap = metrics.equalized_odds_difference(y, pred, sensitive_features=group)
    need(gap <= 0.02, f"EOD is {gap:.3f}; the exercise asks for 0.02 or less.")


@question("3.6")
def algorithm_1(answer: Any) -> None:
    y, pred, group = shapes()

    def own_dpd(y_true: Any, y_pred: Any, groups: Any) -> float:
        need(
            set(np.unique(y_true)) <= {0, 1} and set(np.unique(y_pred)) <= {0, 1},
            "the metric should be given labels and predictions made binary: the class, or not.",
        )
        return metrics.demographic_parity_difference(y_true, y_pred, sensitive_features=groups)

    given = number_of(call(answer, own_dpd, y, pred, group, 4))
    expected = metrics.demographic_parity_difference(y, pred, sensitive_features=group)
    need(not np.isclose(given, 4 * expected), "take the mean over classes, not the sum.")
    close(
        given, expected, "not the mean over classes of the metric of each class against the rest."
    )


@question("3.7")
def fairer_than_the_teacher(answer: Any) -> None:
    need(
        isinstance(answer, dict) and set(answer) == {"dpd", "eod"},
        'expected a dict: {"dpd": [temperatures], "eod": [temperatures]}.',
    )
    table = paper.table("table2").query("study == 'trifeature'")
    for metric in ("dpd", "eod"):
        rows = table[table["metric"] == metric]
        teacher = rows.loc[rows["role"] == "teacher", "mean"].item()
        ds = rows[rows["role"] == "ds"]
        expected = sorted(ds.loc[ds["mean"] < teacher, "temperature"])
        given = sorted(float(number_of(t)) for t in answer[metric])
        need(given == expected, f"the list for {metric} is not right.")


@question("3.8")
def who_is_right(answer: Any) -> None:
    need(isinstance(answer, str), "expected one letter.")
    need(answer.strip().lower() in set("abc"), "expected a, b or c.")
    need(
        answer.strip().lower() == "b",
        "the teacher of that table makes no mistake at all. What must its DPD be?",
    )
