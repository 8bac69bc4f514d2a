"""The rates of each group behind DPD and EOD, by hand and against scikit-learn."""

import numpy as np
from sklearn.metrics import recall_score

from kdfair_book.evidence.group import group_rates
from kdfair_core.metrics import group_counts


def test_hand_case():
    #            group a        | group b
    y_true = [1, 1, 0, 0, 0, 0, 1, 1, 1, 0]
    y_pred = [1, 0, 1, 0, 0, 0, 1, 1, 1, 0]
    counts = group_counts(y_true, y_pred, n_classes=2, sensitive_features=list("aaaaaabbbb"))
    rates = group_rates(counts, group_names=["a", "b"]).set_index("group")
    assert rates.loc["a", ["n", "selection_rate", "tpr", "fpr"]].tolist() == [6, 1 / 3, 0.5, 0.25]
    assert rates.loc["b", ["n", "selection_rate", "tpr", "fpr"]].tolist() == [4, 0.75, 1, 0]


def test_true_positive_rates_are_scikit_learns_recall():
    rng = np.random.default_rng(5)
    y_true, groups = rng.integers(0, 4, 600), rng.integers(0, 3, 600)
    y_pred = np.where(rng.random(600) < 0.6, y_true, rng.integers(0, 4, 600))
    rates = group_rates(group_counts(y_true, y_pred, sensitive_features=groups, n_classes=4))
    for group in range(3):
        mine = rates.query("group == @group").sort_values("class")["tpr"]
        inside = groups == group
        theirs = recall_score(y_true[inside], y_pred[inside], average=None, labels=range(4))
        np.testing.assert_allclose(mine.to_numpy(float), theirs)
