"""Individual fairness: do similar examples get similar scores?

A model is individually fair when scores differ no more than examples do (the Lipschitz condition
of Dwork et al. 2012). The measure is the mean, over pairs of examples, of

    |f(x) - f(x')| / d(x, x')

and lower is fairer. It has a confound: dividing a model's logits changes it without changing a
decision. Softer probabilities bring examples with different answers closer together (and move
apart those whose common answer was certain).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kdfair_core import asked
from kdfair_core.metrics.checks import UndefinedMetricWarning

Floats = NDArray[np.float64]
Distance = Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]

# Distances below this are rounding: the two examples are the same.
SAME = 1e-9


class Pairs(NamedTuple):
    """Pairs of examples and how far apart they are; ``n_same`` were drawn at distance zero."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    distance: Floats
    n_same: int


def individual_unfairness(
    scores: ArrayLike,
    features: ArrayLike,
    *,
    n_pairs: int,
    seed: int,
    distance: str | Distance = "cosine",
) -> float:
    """Mean of ``|f(x) - f(x')| / d(x, x')`` over pairs of examples; lower is fairer.

    Parameters
    ----------
    scores : float array [example] or [example, class]
        A score, or a probability for each class. Vectors are compared by total variation, half
        the sum of absolute differences, which for two classes is the difference of the positive
        class's probability.
    features : float array [example, ...]
        Where distances are measured; further axes are flattened.
    n_pairs : int
        Pairs to draw, uniformly and with replacement from all pairs of different examples. If
        there are no more pairs than that, each is used once.
    seed : int
    distance : str or callable
        "cosine" (1 - cosine similarity), "euclidean", or a function of two arrays
        ``[pair, feature]`` that returns distances ``[pair]``.

    Returns
    -------
    float
        NaN, with a warning, if every pair is at distance zero. Pairs at distance zero have no
        ratio: they are left out and a warning says how many (:func:`sample_pairs` counts them).

    Raises
    ------
    ValueError
        For shapes that do not agree, NaN, fewer than two examples, fewer than one pair, and an
        unknown distance.
    """
    values = asked.floats("scores", scores)
    if values.ndim not in (1, 2):
        raise ValueError(f"scores has shape {values.shape}; expected [example] or [example, class]")
    pairs = sample_pairs(features, n_pairs=n_pairs, seed=seed, distance=distance)
    n = np.shape(features)[0]
    if values.shape[0] != n:
        raise ValueError(f"scores has {values.shape[0]} examples and features {n}")
    if pairs.n_same:
        warnings.warn(
            f"{pairs.n_same} of {pairs.n_same + len(pairs.first)} pairs are at distance zero "
            "and left out" + ("" if len(pairs.first) else ": the answer is NaN"),
            UndefinedMetricWarning,
            stacklevel=2,
        )
    return float(unfairness_over_pairs(values[None], pairs)[0])


def unfairness_over_pairs(scores: ArrayLike, pairs: Pairs) -> Floats:
    """:func:`individual_unfairness` of many runs over the same pairs (of :func:`sample_pairs`).

    ``scores`` are ``[run, example]`` or ``[run, example, class]``; gives floats ``[run]``, NaN if
    there are no pairs.
    """
    runs = np.asarray(scores)
    if runs.ndim not in (2, 3):
        raise ValueError(f"scores has shape {runs.shape}; expected [run, example] and maybe class")
    if np.isnan(runs).any():
        raise ValueError(f"scores holds {int(np.isnan(runs).sum())} NaN; expected scores")
    if len(pairs.first) == 0:
        return np.full(len(runs), np.nan)
    return np.array([(score_gaps(run, pairs) / pairs.distance).mean() for run in runs])


def score_gaps(scores: NDArray[Any], pairs: Pairs) -> Floats:
    """``|f(x) - f(x')|`` of each pair: absolute difference, or total variation of vectors."""
    gaps = np.abs(scores[pairs.first].astype(float) - scores[pairs.second])
    return gaps if gaps.ndim == 1 else gaps.sum(axis=-1) / 2


def sample_pairs(
    features: ArrayLike, *, n_pairs: int, seed: int, distance: str | Distance = "cosine"
) -> Pairs:
    """Draw pairs of different examples and measure their distances.

    Parameters are those of :func:`individual_unfairness`. Pairs at distance zero are counted in
    ``n_same`` and left out.
    """
    points = np.asarray(features)
    if points.ndim < 2 or points.shape[0] < 2 or points.size == 0:
        raise ValueError(
            f"features has shape {points.shape}; expected [example, feature], from two examples"
        )
    points = points.reshape(len(points), -1)
    if points.dtype.kind not in "biuf":
        raise ValueError(f"features holds {points.dtype} values; expected numbers")
    if not np.isfinite(points).all():
        raise ValueError("features holds NaN or infinite values; expected finite numbers")
    n_pairs = asked.count("n_pairs", n_pairs)
    if not callable(distance):
        asked.choice("distance", distance, DISTANCES)
    first, second = _draw_pairs(len(points), n_pairs, seed)
    measure = distance if callable(distance) else DISTANCES[distance]
    block = max(1, 2**22 // points.shape[1])  # pairs a time, to bound memory
    apart = np.concatenate(
        [
            np.asarray(measure(points[first[s : s + block]], points[second[s : s + block]]), float)
            for s in range(0, len(first), block)
        ]
    )
    if apart.shape != first.shape or not np.isfinite(apart).all() or (apart < -SAME).any():
        raise ValueError("the distance gave negative, NaN or too few values; expected [pair] >= 0")
    keep = apart > SAME
    return Pairs(first[keep], second[keep], apart[keep], int((~keep).sum()))


def cosine_distance(a: NDArray[Any], b: NDArray[Any]) -> Floats:
    """One minus the cosine of the angle, ``[pair]``; 0 to 2. A zero vector is at 1 from all."""
    a, b = a.astype(float), b.astype(float)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    dot = np.einsum("ij,ij->i", a, b)
    cosine = np.divide(dot, norms, out=np.zeros_like(dot), where=norms > 0)
    return np.clip(1 - cosine, 0, 2)


def euclidean_distance(a: NDArray[Any], b: NDArray[Any]) -> Floats:
    """Straight-line distance ``[pair]``."""
    return np.linalg.norm(a.astype(float) - b.astype(float), axis=1)


DISTANCES: dict[str, Distance] = {"cosine": cosine_distance, "euclidean": euclidean_distance}


def _draw_pairs(n: int, n_pairs: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if n * (n - 1) // 2 <= n_pairs:
        first, second = np.triu_indices(n, k=1)
        return first.astype(np.int64), second.astype(np.int64)
    rng = np.random.default_rng(seed)
    first = rng.integers(0, n, n_pairs)
    second = (first + rng.integers(1, n, n_pairs)) % n
    return first, second
