"""Group fairness: demographic parity difference and equalized odds difference.

With two classes these are the paper's equations (1) to (4), and fairlearn's. With more, its
Algorithm 1: each class against the rest, then the mean over classes.

Undefined is never a silent zero. A group without positives has no true positive rate; it is left
out of that difference and a warning names it. With fewer than two groups left the difference is
NaN, and so is everything computed from it.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kdfair_core.asked import shown as as_shown
from kdfair_core.metrics.checks import (
    UndefinedMetricWarning,
    as_groups,
    as_labels,
    as_n_classes,
    same_length,
)
from kdfair_core.metrics.counts import as_counts, group_counts

Array = NDArray[Any]


def demographic_parity_difference(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sensitive_features: Any,
    sample_weight: ArrayLike | None = None,
    n_classes: int | None = None,
) -> float:
    """Largest difference between groups in the rate of a positive prediction.

    ``max_a P(pred = 1 | A = a) - min_a P(pred = 1 | A = a)``, the paper's equation (1); with more
    than two classes the mean of that over classes, each against the rest (Algorithm 1).

    Parameters
    ----------
    y_true, y_pred : int array [example]
        Labels and predictions, whole numbers from 0.
    sensitive_features : array-like [example]
        The group of each example. Several columns make one group of each combination.
    sample_weight : array-like [example], optional
    n_classes : int, optional
        Number of classes. Without it: two if labels and predictions are all 0 or 1; else the
        classes are those that occur in either.

    Returns
    -------
    float
        Between 0 (parity) and 1; NaN with fewer than two groups.

    Raises
    ------
    ValueError
        For shapes that do not agree, NaN, labels that are not whole numbers, and empty input.
    """
    counts, groups, classes = _table(y_true, y_pred, sensitive_features, sample_weight, n_classes)
    return float(dpd_from_counts(counts, group_names=groups, class_names=classes))


def equalized_odds_difference(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sensitive_features: Any,
    sample_weight: ArrayLike | None = None,
    n_classes: int | None = None,
) -> float:
    """Larger of the differences between groups in true and in false positive rate.

    ``max(TPR difference, FPR difference)``, the paper's equations (2) to (4); with more than two
    classes the mean of that over classes, each against the rest (Algorithm 1). Parameters, return
    value and errors are those of :func:`demographic_parity_difference`.
    """
    counts, groups, classes = _table(y_true, y_pred, sensitive_features, sample_weight, n_classes)
    return float(eod_from_counts(counts, group_names=groups, class_names=classes))


def dpd_from_counts(
    counts: ArrayLike,
    *,
    group_names: Sequence[Any] | None = None,
    class_names: Sequence[Any] | None = None,
) -> Array:
    """Demographic parity difference of count tables ``[..., group, label, prediction]``.

    A float a table ``[...]``: equation (1) for two classes, Algorithm 1 for more.
    """
    rates = selection_rates(as_counts(counts))
    _warn_undefined({"rate of predictions": rates}, group_names, class_names)
    return spread(rates).mean(axis=-1)


def eod_from_counts(
    counts: ArrayLike,
    *,
    group_names: Sequence[Any] | None = None,
    class_names: Sequence[Any] | None = None,
) -> Array:
    """Equalized odds difference of count tables ``[..., group, label, prediction]``.

    A float a table ``[...]``: equation (4) for two classes, Algorithm 1 for more.
    """
    tpr, fpr = odds_rates(as_counts(counts))
    _warn_undefined(
        {"true positive rate": tpr, "false positive rate": fpr}, group_names, class_names
    )
    return np.maximum(spread(tpr), spread(fpr)).mean(axis=-1)


def selection_rates(table: Array) -> Array:
    """P(pred = class | group) ``[..., group, class]``; of two classes only the second, class 1."""
    predicted = table.sum(axis=-2)
    return _positive_classes(_divide(predicted, predicted.sum(axis=-1, keepdims=True)))


def odds_rates(table: Array) -> tuple[Array, Array]:
    """True and false positive rates ``[..., group, class]``; of two classes only class 1."""
    hits = np.diagonal(table, axis1=-2, axis2=-1)
    positives = table.sum(axis=-1)
    predicted = table.sum(axis=-2)
    negatives = positives.sum(axis=-1, keepdims=True) - positives
    tpr = _divide(hits, positives)
    fpr = _divide(predicted - hits, negatives)
    return _positive_classes(tpr), _positive_classes(fpr)


def spread(rates: Array) -> Array:
    """Largest minus smallest over groups: ``[..., group, class]`` to ``[..., class]``.

    Groups whose rate is NaN are left out; with fewer than two left the answer is NaN, and so is the
    mean over classes (Algorithm 1).
    """
    high = np.fmax.reduce(rates, axis=-2)
    low = np.fmin.reduce(rates, axis=-2)
    enough = np.count_nonzero(~np.isnan(rates), axis=-2) >= 2
    return np.where(enough, high - low, np.nan)


def _positive_classes(rates: Array) -> Array:
    return rates[..., 1:] if rates.shape[-1] == 2 else rates


def _divide(part: Array, whole: Array) -> Array:
    whole = np.broadcast_to(whole, part.shape)
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


def _table(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    sensitive_features: Any,
    sample_weight: ArrayLike | None,
    n_classes: int | None,
) -> tuple[Array, tuple[Any, ...], list[int]]:
    """The count table of one run, the names of its groups, and its classes."""
    if n_classes is not None:
        n_classes = as_n_classes(n_classes)
    labels = as_labels("y_true", y_true, n_classes=n_classes)
    predictions = as_labels("y_pred", y_pred, n_classes=n_classes)
    same_length(y_true=labels, y_pred=predictions)
    present = np.union1d(labels, predictions)
    if n_classes is None and present[-1] > 1:
        classes = present
        labels = np.searchsorted(classes, labels)
        predictions = np.searchsorted(classes, predictions)
        if len(classes) == 1:  # one class, and not 0 or 1: nothing to compare it with
            classes = np.array([-1, *classes])
            labels, predictions = labels + 1, predictions + 1
    else:
        classes = np.arange(n_classes or 2)
    codes, groups = as_groups(sensitive_features)
    counts = group_counts(
        labels,
        predictions,
        sensitive_features=codes,
        n_classes=len(classes),
        sample_weight=sample_weight,
        groups=range(len(groups)),
    )
    return counts, groups, classes.tolist()


def _warn_undefined(
    rates: dict[str, Array], group_names: Sequence[Any] | None, class_names: Sequence[Any] | None
) -> None:
    """Name each rate that is undefined, its groups and, with more than two classes, its class."""
    n_groups = next(iter(rates.values())).shape[-2]
    if n_groups < 2:
        only = f", {as_shown(group_names[0])}" if group_names else ""
        warnings.warn(
            f"only {n_groups} group{only}: a difference needs at least two groups; it is NaN",
            UndefinedMetricWarning,
            stacklevel=4,
        )
        return
    for what, values in rates.items():
        undefined = np.isnan(values).reshape(-1, *values.shape[-2:])
        if not undefined.any():
            continue
        somewhere = np.asarray(undefined.any(axis=0))
        n_listed = somewhere.shape[1]
        groups = list(group_names) if group_names is not None else list(range(n_groups))
        classes = list(class_names) if class_names is not None else list(range(n_listed))
        named = [
            (f" of class {as_shown(classes[c])}" if n_listed > 1 else "")
            + " for group "
            + ", ".join(repr(groups[g]) for g in np.flatnonzero(somewhere[:, c]))
            for c in np.flatnonzero(somewhere.any(axis=0))
        ]
        shown = ";".join(named[:5]) + (f"; and {len(named) - 5} more" if len(named) > 5 else "")
        left = (~undefined).sum(axis=1) < 2
        end = "; with fewer than two groups left the answer is NaN" if left.any() else ""
        why = {"true positive rate": "no positives", "false positive rate": "no negatives"}
        warnings.warn(
            f"no {what}{shown} ({why.get(what, 'no examples')}): left out of the difference{end}",
            UndefinedMetricWarning,
            stacklevel=4,
        )
