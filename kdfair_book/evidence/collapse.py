"""Trainings that failed beside others of their kind that did not."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from kdfair_core.results import Results

SHARE = 2 / 3
"""Of the accuracy of its fellows, below which a run counts as collapsed."""


def collapsed(accuracy: ArrayLike) -> NDArray[np.bool_]:
    """Which runs collapsed: they ended below two thirds of the median accuracy.

    The limit is this project's own; trainings that did not collapse stay far above it. One
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
    return values < SHARE * np.median(values) if len(values) else np.zeros(0, bool)


def endings(found: Results, *, alpha: float = 0.8) -> pd.DataFrame:
    """How every distilled student's training ended, as far as its predictions tell.

    Parameters
    ----------
    found : Results
    alpha : float

    Returns
    -------
    pandas.DataFrame
        A row a student: ``soft_scale``, ``temperature``, ``seed``, ``accuracy``, ``one_answer``
        (share of test examples that get its most frequent answer), ``spread`` (deviation of a
        logit over the scored examples, mean over classes: 0 where the example makes no
        difference), ``collapsed`` (beside the other seeds of its kind).
    """
    runs = found.runs
    ds = runs[(runs["role"] == "ds") & (runs["alpha"] == alpha)]
    chosen = ds["run"].to_numpy()
    counts = np.apply_along_axis(np.bincount, 1, found.pred[chosen], minlength=len(found.classes))
    frame = ds[["soft_scale", "temperature", "seed", "accuracy"]].assign(
        one_answer=counts.max(axis=1) / found.pred.shape[1],
        spread=found.logits[chosen].astype(float).std(axis=1).mean(axis=-1),
    )
    kinds = frame.groupby(["soft_scale", "temperature"])["accuracy"]
    return frame.assign(collapsed=kinds.transform(collapsed).astype(bool)).reset_index(drop=True)
