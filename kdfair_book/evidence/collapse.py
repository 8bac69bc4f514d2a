"""Trainings that failed beside others of their kind that did not."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def collapsed(accuracy: ArrayLike) -> NDArray[np.bool_]:
    """Which runs collapsed: they ended below two thirds of the median accuracy.

    The limit is this project's own; the spread between sound trainings stays far from it. One
    collapsed run makes the spread between seeds so large that tests over seeds detect little.

    Parameters
    ----------
    accuracy : float array [run]
        Of runs that differ in nothing but their seeds.

    Raises
    ------
    ValueError
        For another shape.
    """
    values = np.asarray(accuracy, dtype=float)
    if values.ndim != 1:
        raise ValueError(f"accuracy has shape {values.shape}; expected [run]")
    return values < 2 / 3 * np.median(values) if len(values) else np.zeros(0, bool)
