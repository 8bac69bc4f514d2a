"""The table that group metrics read: count[group, label, prediction].

Counts add: tables of several files, or machines, sum to the table of all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kdfair_core import asked
from kdfair_core.metrics.checks import as_groups, as_labels, as_n_classes, as_weights, same_length


def group_counts(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sensitive_features: Any,
    n_classes: int,
    sample_weight: ArrayLike | None = None,
    groups: Sequence[Any] | None = None,
) -> NDArray[Any]:
    """Count examples by group, label and prediction.

    Parameters
    ----------
    y_true : int array [example]
        Labels ``0..n_classes-1``.
    y_pred : int array [example] or [..., example]
        Predictions; leading axes are runs.
    sensitive_features : array-like [example]
        The group of each example: anything that sorts. Several columns make one group of each
        combination.
    n_classes : int
    sample_weight : array-like [example], optional
        With weights the table holds their sums, as floats.
    groups : sequence, optional
        The values that make the group axis, in its order. Without it, those that occur, sorted.
        Examples of any other value are left out, so codes with -1 for "unknown" are counted with
        ``groups=range(n_groups)``.

    Returns
    -------
    int64 array [..., group, label, prediction]

    Raises
    ------
    ValueError
        For shapes that do not agree, labels out of range, NaN, and empty input.
    """
    n_classes = as_n_classes(n_classes)
    labels = as_labels("y_true", y_true, n_classes=n_classes)
    predictions = as_labels("y_pred", y_pred, n_classes=n_classes, runs=True)
    codes, names = as_groups(sensitive_features, groups)
    n = same_length(y_true=labels, y_pred=predictions, sensitive_features=codes)
    weights = as_weights(sample_weight, n)

    shape = (len(names), n_classes, n_classes)
    known = codes >= 0
    row = (codes[known] * n_classes + labels[known]) * n_classes
    weights = weights if weights is None else weights[known]
    tables = [
        np.bincount(row + run[known], weights=weights, minlength=int(np.prod(shape)))
        for run in predictions.reshape(-1, n)
    ]
    return np.stack(tables).reshape(predictions.shape[:-1] + shape)


def as_counts(counts: ArrayLike) -> NDArray[np.float64]:
    """A count table as floats ``[..., group, label, prediction]``, checked."""
    table = asked.floats("counts", counts)
    if table.ndim < 3 or table.shape[-1] != table.shape[-2] or table.shape[-1] < 2:
        raise ValueError(
            f"counts has shape {table.shape}; expected [..., group, label, prediction] "
            "with as many predictions as labels, from 2"
        )
    if table.size == 0:
        raise ValueError(f"counts is empty, of shape {table.shape}")
    if not np.isfinite(table).all() or (table < 0).any():
        raise ValueError("counts holds negative or infinite values or NaN; expected counts")
    return table
