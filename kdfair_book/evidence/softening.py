"""Making a trained model's probabilities softer, without training.

Dividing logits by a temperature changes no decision, but brings all probabilities closer together.
It is the control for anything that is measured on probabilities.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]

# Temperatures between which one is looked for, on a log scale.
SOFTEST = 1e4


def softmax(logits: ArrayLike, temperature: float | Array = 1.0) -> Array:
    """Probabilities ``[..., class]`` at a temperature, or at an array of them (equation 5)."""
    scores = np.asarray(logits, dtype=float) / temperature
    odds = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return odds / odds.sum(axis=-1, keepdims=True)


def mean_confidence(logits: ArrayLike, temperature: float = 1.0) -> float:
    """Mean over examples of the largest probability; logits ``[example, class]``."""
    return float(softmax(logits, temperature).max(axis=-1).mean())


def matching_temperature(logits: ArrayLike, confidence: float) -> float:
    """The temperature at which the mean confidence of these logits is as given.

    Parameters
    ----------
    logits : float array [example, class]
    confidence : float
        Between 1 / classes and 1.

    Returns
    -------
    float
        NaN if no temperature between 1/10,000 and 10,000 gives it (such as a confidence above
        what ties allow).
    """
    scores = np.asarray(logits, dtype=float)
    if scores.ndim != 2 or scores.shape[1] < 2 or not np.isfinite(scores).all():
        raise ValueError(
            f"logits has shape {scores.shape}; expected finite [example, class], from two classes"
        )
    if not 1 / scores.shape[1] < confidence < 1:
        raise ValueError(
            f"confidence is {confidence!r}; expected between {1 / scores.shape[1]:.3g} and 1"
        )
    low, high = -np.log(SOFTEST), np.log(SOFTEST)
    inside = mean_confidence(scores, SOFTEST) <= confidence <= mean_confidence(scores, 1 / SOFTEST)
    if not inside:
        return float("nan")
    for _ in range(50):
        middle = (low + high) / 2
        softer = mean_confidence(scores, float(np.exp(middle))) > confidence
        low, high = (middle, high) if softer else (low, middle)
    return float(np.exp((low + high) / 2))
