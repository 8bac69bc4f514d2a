"""How many seeds would be needed to see an effect of a given size."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]

MOST_SEEDS = 10_000

# Gauss-Legendre nodes on the probability scale, for averages over estimated variances.
_legendre = special.roots_legendre(16)
NODES, WEIGHTS = _legendre[0] / 2 + 0.5, _legendre[1] / 2


def welch_power(
    effect: ArrayLike,
    sd_a: ArrayLike,
    sd_b: ArrayLike,
    *,
    n_a: ArrayLike,
    n_b: ArrayLike | None = None,
    level: ArrayLike = 0.05,
) -> Any:
    """Probability that Welch's two-sided test at ``level`` detects a true difference.

    The probability of rejection given the estimated variances is averaged over the chi-squared
    distributions of those estimates, so the power lost by estimating the variances from few runs is
    taken into account.

    Parameters
    ----------
    effect : float
        True difference of the means.
    sd_a, sd_b : float
        Deviations between runs.
    n_a, n_b : int
        Runs of each side; as many of b as of a by default.
    level : float

    Returns
    -------
    float array
        All parameters broadcast. With deviations of zero: 1 if there is an effect, else ``level``.
    """
    n_b = n_a if n_b is None else n_b
    arrays = np.broadcast_arrays(effect, sd_a, sd_b, n_a, n_b, level)
    gap, sd_a, sd_b, n_a, n_b, level = (np.asarray(array, dtype=float) for array in arrays)
    if (n_a < 2).any() or (n_b < 2).any():
        raise ValueError("power needs at least two runs of each side")
    error_a, error_b = sd_a**2 / n_a, sd_b**2 / n_b
    error = error_a + error_b
    silent = error == 0
    scale = np.where(silent, 1.0, error)
    half_a = (error_a / scale)[..., None, None] * _variance_ratios(n_a)[..., :, None]
    half_b = (error_b / scale)[..., None, None] * _variance_ratios(n_b)[..., None, :]
    estimated = half_a + half_b  # of the squared standard error, in units of the true one
    runs_a, runs_b = n_a[..., None, None] - 1, n_b[..., None, None] - 1
    with np.errstate(invalid="ignore"):
        df = estimated**2 / (half_a**2 / runs_a + half_b**2 / runs_b)
    critical = _critical(np.where(silent[..., None, None], 1.0, df), level)
    reach = critical * np.sqrt(estimated)
    shift = _last(np.abs(gap) / np.sqrt(scale))
    rejects = special.ndtr(shift - reach) + special.ndtr(-shift - reach)
    power = np.einsum("...ij,i,j->...", rejects, WEIGHTS, WEIGHTS)
    power = np.where(silent, np.where(gap != 0, 1.0, level), power)
    return np.clip(power, 0, 1)[()]


def _critical(df: Floats, level: Floats) -> Floats:
    """Two-sided critical values of Student's t; ``df`` has two axes more than ``level``.

    One level for all, the usual case, is read off a fine table: its error is below 1e-3.
    """
    if level.size == 0 or (level != level.flat[0]).any():
        return -special.stdtrit(df, _last(level / 2))
    rest = np.linspace(1 / df.max(), 1 / df.min(), 150)
    table = np.log(-special.stdtrit(1 / rest, level.flat[0] / 2))
    return np.exp(np.interp(1 / df, rest, table))


def _variance_ratios(n: Floats) -> Floats:
    """Estimated over true variance of n runs, at the nodes of the average ``[..., node]``."""
    half = (n[..., None] - 1) / 2
    return special.gammaincinv(half, NODES) / half


def _last(values: Floats) -> Floats:
    return values[..., None, None]


def bh_level(
    effect: float,
    sd_a: float,
    sd_b: float,
    *,
    n: int,
    share: float,
    n_classes: int,
    level: float = 0.05,
) -> float:
    """The p-value below which Benjamini-Hochberg rejects, where a share of classes has an effect.

    With many classes the procedure rejects up to the largest u at which the expected share of
    p-values below u is u / level (Genovese and Wasserman 2002); never less than Bonferroni's.

    Parameters
    ----------
    effect, sd_a, sd_b, n
        As in :func:`welch_power`, of the classes that have an effect.
    share : float
        Their share of all classes, 0 to 1.
    n_classes : int
    level : float
        False discovery rate.

    Returns
    -------
    float
        Between ``level / n_classes`` and ``level``.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share is {share!r}; expected a number from 0 to 1")

    def rejects(u: float) -> bool:
        found = share * welch_power(effect, sd_a, sd_b, n_a=n, level=u)
        return bool(found + (1 - share) * u >= u / level)

    low, high = np.log(level / n_classes), np.log(level)
    if not rejects(np.exp(low)):
        return level / n_classes
    if rejects(level):
        return level
    for _ in range(10):  # power is concave in the level: there is one crossing
        middle = (low + high) / 2
        low, high = (middle, high) if rejects(np.exp(middle)) else (low, middle)
    return float(np.exp(low))


def power_after_bh(
    effect: float,
    sd_a: float,
    sd_b: float,
    *,
    n: int,
    share: float,
    n_classes: int,
    level: float = 0.05,
) -> float:
    """:func:`welch_power` of one affected class after Benjamini-Hochberg over all classes."""
    at = bh_level(effect, sd_a, sd_b, n=n, share=share, n_classes=n_classes, level=level)
    return float(welch_power(effect, sd_a, sd_b, n_a=n, level=at))


def seeds_needed(
    effect: float,
    sd_a: float,
    sd_b: float,
    *,
    power: float = 0.8,
    level: float = 0.05,
    n_classes: int = 1,
    share: float = 0.0,
) -> float:
    """Smallest number of seeds a side that detects an affected class with the given power.

    Parameters
    ----------
    effect, sd_a, sd_b
        As in :func:`welch_power`.
    power : float
        Probability of detection, such as 0.8.
    level : float
    n_classes, share
        With more than one class the level is that of Benjamini-Hochberg (:func:`power_after_bh`)
        if ``share`` of them have the effect; with share 0, Bonferroni's.

    Returns
    -------
    float
        A whole number, or infinity beyond 10,000.
    """
    if not 0 < power < 1:
        raise ValueError(f"power is {power!r}; expected a number between 0 and 1")

    def enough(n: int) -> bool:
        reached = power_after_bh(
            effect, sd_a, sd_b, n=n, share=share, n_classes=n_classes, level=level
        )
        return reached >= power

    low, high = 1, 2
    while not enough(high):
        low, high = high, 2 * high
        if high > MOST_SEEDS:
            return float("inf")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return float(high)
