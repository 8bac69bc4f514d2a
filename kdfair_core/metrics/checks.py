"""What every metric asks of its input, and the errors it answers with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from kdfair_core import asked


class UndefinedMetricWarning(UserWarning):
    """Something could not be computed and was left out; the message names it."""


def as_labels(
    name: str, values: ArrayLike, *, n_classes: int | None = None, runs: bool = False
) -> NDArray[np.int64]:
    """Labels as int64: ``[example]``, with leading run axes where ``runs`` allows them.

    Raises
    ------
    ValueError
        For empty input, the wrong number of axes, NaN, and anything but whole numbers
        ``0..n_classes-1``.
    """
    array = np.asarray(values)
    if array.ndim == 0 or (array.ndim > 1 and not runs):
        expected = "[..., example]" if runs else "[example]"
        raise ValueError(f"{name} has shape {array.shape}; expected {expected}")
    if array.size == 0:
        raise ValueError(f"{name} is empty, of shape {array.shape}; expected at least one example")
    if array.dtype == bool:
        return array.astype(np.int64)
    if array.dtype == object:
        try:
            array = array.astype(float)
        except (TypeError, ValueError):
            pass
    if array.dtype.kind not in "iuf":
        raise ValueError(
            f"{name} holds {array.dtype} values such as {asked.shown(array.flat[0])}; "
            "expected whole numbers from 0, one for each class"
        )
    if array.dtype.kind == "f":
        if np.isnan(array).any():
            raise ValueError(f"{name} holds {int(np.isnan(array).sum())} NaN; expected labels")
        if not np.array_equal(array, np.floor(array)) or np.isinf(array).any():
            bad = array[(array != np.floor(array)) | np.isinf(array)].flat[0]
            raise ValueError(f"{name} holds {bad}; expected whole numbers from 0")
    labels = array.astype(np.int64)
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or (n_classes is not None and high >= n_classes):
        bad = low if low < 0 else high
        top = "" if n_classes is None else f" to {n_classes - 1}"
        raise ValueError(f"{name} holds {bad}; expected whole numbers from 0{top}")
    return labels


def as_n_classes(n_classes: int) -> int:
    """A number of classes, at least two."""
    return asked.count("n_classes", n_classes, 2)


def same_length(**arrays: Any) -> int:
    """The common length of the last axis, or an error that gives every length."""
    lengths = {name: np.shape(array)[-1] for name, array in arrays.items() if array is not None}
    if len(set(lengths.values())) > 1:
        given = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ValueError(f"different numbers of examples: {given}; expected the same")
    return next(iter(lengths.values()))


def as_weights(values: ArrayLike | None, n: int) -> NDArray[np.float64] | None:
    """Example weights ``[example]``, finite and not negative."""
    if values is None:
        return None
    weights = asked.floats("sample_weight", values)
    if weights.shape != (n,):
        raise ValueError(f"sample_weight has shape {weights.shape}; expected ({n},)")
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError("sample_weight holds negative or infinite values or NaN; expected >= 0")
    return weights


def as_groups(
    sensitive_features: Any, groups: Sequence[Any] | None = None
) -> tuple[NDArray[np.int64], tuple[Any, ...]]:
    """Group codes ``[example]`` and the group that each code stands for.

    Groups are in sorted order. Several columns (a frame, or an array ``[example, column]``) make
    one group of each combination that occurs. With ``groups``, those values in that order are the
    groups and every other value is coded -1.

    Raises
    ------
    ValueError
        For empty or missing (None, NaN) sensitive features.
    """
    if isinstance(sensitive_features, dict):
        sensitive_features = pd.DataFrame(sensitive_features)
    if isinstance(sensitive_features, pd.DataFrame):
        columns = [sensitive_features[name].to_numpy() for name in sensitive_features]
    else:
        array = np.asarray(sensitive_features)
        if array.ndim not in (1, 2):
            raise ValueError(
                f"sensitive_features has shape {array.shape}; expected [example], "
                "or [example, column] for groups that combine several attributes"
            )
        columns = [array] if array.ndim == 1 else list(array.T)
    if not columns or len(columns[0]) == 0:
        raise ValueError("sensitive_features is empty; expected a group for each example")
    missing = sum(int(pd.isna(column).sum()) for column in columns)
    if missing:
        raise ValueError(
            f"sensitive_features holds {missing} missing values; "
            "expected a group for each example (leave out examples whose group is unknown)"
        )
    values: Any = columns[0] if len(columns) == 1 else pd.MultiIndex.from_arrays(columns)
    if groups is not None:
        index = pd.MultiIndex.from_tuples(groups) if len(columns) > 1 else pd.Index(list(groups))
        return np.asarray(index.get_indexer(values), dtype=np.int64), tuple(groups)
    codes, names = pd.factorize(values, sort=True)
    return codes.astype(np.int64), tuple(names.tolist() if hasattr(names, "tolist") else names)
