"""How much #SC and #TC depend on choices that could have been made otherwise.

The level of the test, the number of seeds, relative or absolute class accuracy, and whether the
test knows that a test set is a sample. The choices were listed before any count was looked at.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from kdfair_book.evidence.sweep import Sweep
from kdfair_core import metrics
from kdfair_core.metrics.significance import Moments, moments, welch_from_moments

Array = NDArray[Any]

LEVELS = (0.01, 0.05, 0.1)
MOST_SUBSETS = 200
"""Of more choices of seeds than this, as many are drawn."""


def robustness(found: Sweep, *, seed: int = 0) -> pd.DataFrame:
    """#SC and #TC at each temperature, with one choice changed at a time.

    Returns
    -------
    pandas.DataFrame
        ``comparison`` ("SC", "TC"), ``T``, ``choice`` (in words), ``kind`` ("as the paper",
        "level", "seeds", "accuracy", "examples"), ``count`` (for subsets of seeds the mean over
        all of them), ``low``, ``high`` (over subsets the extremes; else the count).

    Notes
    -----
    "examples" adds, to the variance between seeds of Welch's test, that of the choice of test
    examples: for class accuracies, the variance over the class's examples of the difference of the
    two sides' mean correctness, over their number. Both sides are judged on the same examples. The
    degrees of freedom are Welch's of the seeds' part, which errs towards fewer findings.
    """
    relative, absolute = found.relative, _absolute(found)
    rng = np.random.default_rng(seed)
    rows = []
    for comparison, reference in (("SC", found.nds), ("TC", found.teacher)):
        for k, t in enumerate(found.temperatures):
            students = found.ds[:, k]
            a, b = relative[reference], relative[students]
            usual = _count(moments(a), moments(b), 0.05)
            where = {"comparison": comparison, "T": t}
            rows.append(where | _row("as the paper", "as the paper", usual))
            for level in LEVELS:
                if level != 0.05:
                    count = _count(moments(a), moments(b), level)
                    rows.append(where | _row("level", f"level {level:g}", count))
            for n in range(2, len(a)):
                counts = _subsets(a, b, n, rng)
                said = f"{n} seeds of {len(a)}"
                rows.append(where | _row("seeds", said, counts.mean(), counts.min(), counts.max()))
            a, b = absolute[reference], absolute[students]
            count = _count(moments(a), moments(b), 0.05)
            rows.append(where | _row("accuracy", "absolute accuracy", count))
            count = _with_examples(found, reference, students, a, b)
            rows.append(where | _row("examples", "absolute, examples drawn too", count))
    return pd.DataFrame(rows)


def _row(kind: str, choice: str, count: float, low: Any = None, high: Any = None) -> dict[str, Any]:
    low, high = (count, count) if low is None else (low, high)
    return {"kind": kind, "choice": choice, "count": count, "low": low, "high": high}


def _absolute(found: Sweep) -> Array:
    results = found.results
    return metrics.class_accuracy(results.y_true, results.pred, n_classes=len(results.classes))


def _count(a: Moments, b: Moments, level: float) -> int:
    return int((welch_from_moments(a, b)[1] <= level).sum())


def _subsets(a: Array, b: Array, n: int, rng: np.random.Generator) -> Array:
    """Counts of every choice of n seeds, the same of both sides."""
    chosen = list(combinations(range(len(a)), n))
    if len(chosen) > MOST_SUBSETS:
        kept = rng.choice(len(chosen), MOST_SUBSETS, replace=False)
        chosen = [chosen[i] for i in kept]
    picks = np.array(chosen).T  # [seed, subset]
    p_value = welch_from_moments(moments(a[picks]), moments(b[picks]))[1]
    return (p_value <= 0.05).sum(axis=-1)


def _with_examples(found: Sweep, reference: Array, students: Array, a: Array, b: Array) -> int:
    y, pred = found.results.y_true, found.results.pred
    gap = (pred[reference] == y).mean(axis=0) - (pred[students] == y).mean(axis=0)
    n = np.bincount(y, minlength=a.shape[1])
    mean = np.bincount(y, gap, a.shape[1]) / n
    spread = np.bincount(y, gap**2, a.shape[1]) / n - mean**2
    seeds_a, seeds_b = moments(a), moments(b)
    df = welch_from_moments(seeds_a, seeds_b)[2]
    variance = seeds_a.error + seeds_b.error + spread / np.maximum(n - 1, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.abs(seeds_a.mean - seeds_b.mean) / np.sqrt(variance)
    p_value = 2 * special.stdtr(np.where(np.isnan(df), 1.0, df), -statistic)
    return int((p_value <= 0.05).sum())
