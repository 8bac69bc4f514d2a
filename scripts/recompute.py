"""Recompute what is published (or given folders of it) without this project's code.

Every row of ``summary.csv`` from ``predictions.npz``, with fairlearn's DPD and EOD for one run of
each role, and the number of affected classes. Exit code 1 where a row differs by more than 1e-6.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from fairlearn.metrics import demographic_parity_difference, equalized_odds_difference
from scipy import stats

SETTING = ["role", "temperature", "alpha", "soft_scale"]
FAIRLEARN = {"dpd": demographic_parity_difference, "eod": equalized_odds_difference}


def one_against_rest(y, pred, group, metric):
    """The paper's Algorithm 1: the mean over classes of DPD or EOD; of two classes, class 1's."""
    y, pred, group = y[group >= 0], pred[group >= 0], group[group >= 0]
    classes = [1] if y.max() == 1 else np.arange(y.max() + 1)
    said, is_class = (a[:, None] == classes for a in (pred, y))
    parts = [True] if metric == "dpd" else [is_class, ~is_class]
    rates = [pd.DataFrame(np.where(p, said, np.nan)).groupby(group).mean() for p in parts]
    return float(np.max([r.max() - r.min() for r in rates], axis=0).mean())


def by_fairlearn(y, pred, group, metric):
    y, pred, group = y[group >= 0], pred[group >= 0], group[group >= 0]
    classes = [1] if y.max() == 1 else range(y.max() + 1)
    return np.mean(
        [FAIRLEARN[metric](y == c, pred == c, sensitive_features=group) for c in classes]
    )


def affected(y, preds_a, preds_b, level=0.05):
    """Classes whose relative accuracy differs by Welch's test, run by run."""
    right_a, right_b = (preds_a == y) * 1.0, (preds_b == y) * 1.0
    of_class = np.arange(y.max() + 1)[:, None] == y
    a, b = (r @ of_class.T / of_class.sum(1) / r.mean(1)[:, None] for r in (right_a, right_b))
    return int((stats.ttest_ind(a, b, equal_var=False).pvalue < level).sum())


def recompute(folder):
    """Largest difference from ``summary.csv``, its rows, and a frame of affected classes."""
    with np.load(folder / "predictions.npz") as z:
        y, preds = z["y_true"].astype(int), z["pred"].astype(int)
        groups = {k[6:]: z[k] for k in z.files if k.startswith("group_")}
    runs = pd.read_csv(folder / "runs.csv", keep_default_na=False)
    summary = pd.read_csv(folder / "summary.csv", keep_default_na=False)
    values = {("accuracy", ""): (preds == y).mean(1)}
    for name, codes in groups.items():
        for metric in FAIRLEARN:
            values[metric, name] = np.array([one_against_rest(y, p, codes, metric) for p in preds])
            for k in runs.drop_duplicates("role").index:
                assert np.isclose(values[metric, name][k], by_fairlearn(y, preds[k], codes, metric))
    worst = 0.0
    for _, row in summary.iterrows():
        mine = values[row["metric"], row["attribute"]][(runs[SETTING] == row[SETTING]).all(axis=1)]
        ends = stats.t.interval(0.95, len(mine) - 1, mine.mean(), stats.sem(mine))
        theirs = row[["mean", "sd", "low", "high", "n_runs"]].astype(float).to_numpy()
        worst = max(worst, *np.abs(theirs - [mine.mean(), mine.std(ddof=1), *ends, len(mine)]))
    nds, teacher = (preds[runs["role"] == role] for role in ("nds", "teacher"))
    counts = [
        (*key, affected(y, nds, preds[part.index]), affected(y, teacher, preds[part.index]))
        for key, part in runs[runs["role"] == "ds"].groupby(SETTING[1:], sort=False)
    ]
    return worst, len(summary), pd.DataFrame(counts, columns=[*SETTING[1:], "SC", "TC"])


if __name__ == "__main__":
    published = Path(__file__).parents[1].glob("data/**/summary.csv")
    worst = 0.0
    for folder in map(Path, sys.argv[1:] or sorted(path.parent for path in published)):
        difference, n, counts = recompute(folder)
        worst = max(worst, difference)
        print(f"{folder}: {n} rows, largest difference {difference:.1e}\n{counts.to_string()}")
    sys.exit(not worst <= 1e-6)
