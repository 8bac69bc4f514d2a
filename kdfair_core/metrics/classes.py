"""Class-wise metrics: accuracy, disagreement, and classes that distillation affects."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from kdfair_core import asked
from kdfair_core.metrics.checks import UndefinedMetricWarning, as_labels, as_n_classes, same_length
from kdfair_core.metrics.counts import as_counts
from kdfair_core.metrics.significance import benjamini_hochberg, welch

CORRECTIONS = (None, "bh")


def class_accuracy(y_true: ArrayLike, y_pred: ArrayLike, *, n_classes: int) -> NDArray[np.float64]:
    """Accuracy among the examples of each class.

    Parameters
    ----------
    y_true : int array [example]
    y_pred : int array [example] or [..., example]
        Leading axes are runs.
    n_classes : int

    Returns
    -------
    float array [..., class]
        Fractions. A class without examples is NaN, and a warning names it.

    Raises
    ------
    ValueError
        For shapes that do not agree, labels out of range, NaN, and empty input.
    """
    n_classes = as_n_classes(n_classes)
    labels = as_labels("y_true", y_true, n_classes=n_classes)
    predictions = as_labels("y_pred", y_pred, n_classes=n_classes, runs=True)
    n = same_length(y_true=labels, y_pred=predictions)
    runs = predictions.reshape(-1, n)
    hits = np.stack([np.bincount(labels[run == labels], minlength=n_classes) for run in runs])
    return _class_rate(hits, np.bincount(labels, minlength=n_classes)).reshape(
        *predictions.shape[:-1], n_classes
    )


def class_accuracy_from_counts(counts: ArrayLike) -> NDArray[np.float64]:
    """Class accuracy of count tables: ``[..., group, label, prediction]`` to ``[..., class]``."""
    table = as_counts(counts).sum(axis=-3)
    return _class_rate(np.diagonal(table, axis1=-2, axis2=-1), table.sum(axis=-1))


def accuracy_from_counts(counts: ArrayLike) -> NDArray[np.float64]:
    """Overall accuracy of count tables ``[..., group, label, prediction]``."""
    table = as_counts(counts).sum(axis=-3)
    return np.trace(table, axis1=-2, axis2=-1) / table.sum(axis=(-2, -1))


def disagreement_matrix(
    pred_a: ArrayLike, pred_b: ArrayLike, *, n_classes: int
) -> NDArray[np.int64]:
    """How often two models disagree, and on what: the paper's equation (7) and Figure 2.

    Parameters
    ----------
    pred_a, pred_b : int array [example] or [..., example]
        Predictions of two models on the same examples; leading axes, which broadcast, are runs.
    n_classes : int

    Returns
    -------
    int64 array [..., prediction of a, prediction of b]
        Examples; the diagonal, where they agree, is zero.

    Raises
    ------
    ValueError
        For shapes that do not agree, labels out of range, NaN, and empty input.
    """
    n_classes = as_n_classes(n_classes)
    a = as_labels("pred_a", pred_a, n_classes=n_classes, runs=True)
    b = as_labels("pred_b", pred_b, n_classes=n_classes, runs=True)
    n = same_length(pred_a=a, pred_b=b)
    try:
        a, b = np.broadcast_arrays(a, b)
    except ValueError:
        raise ValueError(
            f"pred_a has shape {a.shape} and pred_b {b.shape}; expected the same runs in both"
        ) from None
    pairs = (a * n_classes + b).reshape(-1, n)
    counts = np.stack([np.bincount(run, minlength=n_classes**2) for run in pairs])
    matrix = counts.reshape(*a.shape[:-1], n_classes, n_classes)
    matrix[..., np.arange(n_classes), np.arange(n_classes)] = 0
    return matrix


def affected_classes(
    y_true: ArrayLike,
    preds_a: ArrayLike,
    preds_b: ArrayLike,
    *,
    n_classes: int,
    level: float = 0.05,
    correction: str | None = None,
) -> pd.DataFrame:
    """Classes whose relative accuracy differs between two groups of runs (equation 8).

    For each class, Welch's two-sided t-test between the runs of a and those of b on the class's
    accuracy divided by the accuracy over all classes of the same run. #SC is the number of
    significant classes where a are non-distilled students (NDS) and b distilled ones (DS); #TC that
    where a are teachers and b DS.

    Parameters
    ----------
    y_true : int array [example]
    preds_a, preds_b : int array [run, example]
        Independently trained runs, at least two of each.
    n_classes : int
    level : float
        A class is significant where p <= level (the paper: 0.05).
    correction : None or "bh"
        "bh": the Benjamini-Hochberg adjusted p-value is compared with ``level``, which bounds the
        expected share of false findings among the significant classes. ``p_value`` is not adjusted.

    Returns
    -------
    pandas.DataFrame
        A row a class: ``class``; ``mean_a``, ``mean_b``, means over runs of the relative accuracy;
        ``effect``, mean_b - mean_a; ``statistic``, Welch's t of a against b in scipy's order
        (positive where a exceeds b); ``p_value``; ``significant``. A class without examples, or
        on which all runs of both sides agree exactly, has no test: NaN and not significant.
        ``attrs["df"]`` holds the degrees of freedom and ``attrs["sd_a"]``, ``attrs["sd_b"]`` the
        deviations between runs, as lists by class.

    Raises
    ------
    ValueError
        For shapes that do not agree, fewer than two runs, an unknown correction, a level outside
        (0, 1), labels out of range, NaN, and empty input.
    """
    if correction not in CORRECTIONS:
        raise ValueError(f"unknown correction {correction!r}; expected None or 'bh'")
    asked.share("level", level)
    as_labels("y_true", y_true)
    for name, predictions in (("preds_a", preds_a), ("preds_b", preds_b)):
        shape = np.shape(predictions)
        if len(shape) != 2 or shape[0] < 2:
            raise ValueError(f"{name} has shape {shape}; expected [run, example], from two runs")
    same_length(y_true=y_true, preds_a=preds_a, preds_b=preds_b)
    a = relative_class_accuracy(y_true, preds_a, n_classes=n_classes)
    b = relative_class_accuracy(y_true, preds_b, n_classes=n_classes)
    statistic, p_value, df = welch(a, b)
    compared = benjamini_hochberg(p_value) if correction == "bh" else p_value
    mean_a, mean_b = a.mean(axis=0), b.mean(axis=0)
    frame = pd.DataFrame(
        {
            "class": np.arange(n_classes),
            "mean_a": mean_a,
            "mean_b": mean_b,
            "effect": mean_b - mean_a,
            "statistic": statistic,
            "p_value": p_value,
            "significant": compared <= level,  # NaN compares as False
        }
    )
    frame.attrs = {
        "df": df.tolist(),
        "sd_a": a.std(axis=0, ddof=1).tolist(),
        "sd_b": b.std(axis=0, ddof=1).tolist(),
    }
    return frame


def relative_class_accuracy(
    y_true: ArrayLike, y_pred: ArrayLike, *, n_classes: int
) -> NDArray[np.float64]:
    """Class accuracy over overall accuracy of the same run ``[..., class]`` (equation 8).

    NaN for a run that is right on no example.
    """
    accuracy = class_accuracy(y_true, y_pred, n_classes=n_classes)
    overall = (np.asarray(y_pred) == np.asarray(y_true)).mean(axis=-1, keepdims=True)
    return np.divide(accuracy, overall, out=np.full_like(accuracy, np.nan), where=overall > 0)


def _class_rate(hits: NDArray, examples: NDArray) -> NDArray[np.float64]:
    examples = np.broadcast_to(examples, hits.shape)
    rate = np.divide(hits, examples, out=np.full(hits.shape, np.nan), where=examples > 0)
    empty = np.isnan(rate).reshape(-1, rate.shape[-1]).any(axis=0)
    if empty.any():
        named = ", ".join(str(c) for c in np.flatnonzero(empty)[:10])
        warnings.warn(
            f"no examples of class {named}: its accuracy is NaN",
            UndefinedMetricWarning,
            stacklevel=3,
        )
    return rate
