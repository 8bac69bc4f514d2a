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
    scores = np.asarray(logits, dtype=float)
    return _mean_confidence(scores, scores.max(axis=-1, keepdims=True), temperature)


def _mean_confidence(scores: Array, top: Array, temperature: float) -> float:
    """The largest probability is 1 over the sum of odds against it; ``top`` ``[example, 1]``."""
    odds = np.exp(scores / temperature - top / temperature)
    return float((1 / odds.sum(axis=-1)).mean())


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
    top = scores.max(axis=-1, keepdims=True)
    softest, hardest = (_mean_confidence(scores, top, T) for T in (SOFTEST, 1 / SOFTEST))
    if not softest <= confidence <= hardest:
        return float("nan")
    for _ in range(50):
        middle = (low + high) / 2
        softer = _mean_confidence(scores, top, float(np.exp(middle))) > confidence
        low, high = (middle, high) if softer else (low, middle)
    return float(np.exp((low + high) / 2))
