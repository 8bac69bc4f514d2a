"""Intervals for a largest difference between groups.

DPD and EOD are built from ``max - min`` over groups of estimated rates. Noise only ever adds to a
maximum and takes from a minimum, so the estimate is too large, by much when the true difference
is small, and its resamples are larger still: a percentile interval never holds a true zero.

The interval here inverts a test. A candidate truth is made of the observed group rates, pulled
towards their mean (or pushed away from it) by a factor; at factor 0 all groups are equal. Each
candidate is simulated with the bootstrap's noise, and is in the interval unless what was observed
lies in one of its tails. So the interval reaches 0 exactly when equal groups would often enough
have shown as large a difference. :mod:`kdfair_book.evidence.coverage` checks how often it is right.

What is estimated is the difference that one trained run has in the population of examples,
averaged over runs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# Candidate truths, in units of the larger of the observed value and the chance level. The
# quantiles of what they give are smooth in between, and nearly straight where it matters.
CANDIDATES = np.array([0.0, 0.3, 0.6, 0.85, 1.0, 1.15, 1.5, 2.0, 3.0, 5.0])


class MaxMin(NamedTuple):
    """A max-min metric, its interval, and what noise alone does to it.

    ``chance`` is the median of what groups with equal rates would show; ``corrected`` the
    median-unbiased estimate, the true difference under which the observed one is the median.
    """

    value: float
    low: float
    high: float
    chance: float
    corrected: float


class Simulator:
    """What would be observed if the true differences between groups were scaled by a factor.

    Parameters
    ----------
    rates : list of float array [run, group, class]
        One array for DPD (selection rates); two for EOD (true and false positive rates), of which
        the larger difference counts. NaN: the group has no such rate.
    noise : list of float array [run, group, class, resample]
        Resampled minus observed rates.
    seed_noise : float array [resample], optional
        What the choice of seeds adds to the mean over runs.
    """

    def __init__(
        self, rates: list[Array], noise: list[Array], seed_noise: Array | None = None
    ) -> None:
        self.gappy = any(bool(np.isnan(rate).any()) for rate in rates)
        self.by_run = self._value([rate[..., None] for rate in rates])[:, 0]  # [run]
        self.value = float(self.by_run.mean())
        self.rates = rates
        self.noise = [np.nan_to_num(part) if np.isnan(part).any() else part for part in noise]
        self.seed_noise = np.zeros(noise[0].shape[-1]) if seed_noise is None else seed_noise

    def __call__(self, factor: float) -> Array:
        """Simulated values ``[resample]`` where the truth is ``factor * value``."""
        if factor == 0 and not self.gappy:
            parts = self.noise
        else:
            parts = [
                noise + rescaled(rate, factor)[..., None].astype(noise.dtype)
                for rate, noise in zip(self.rates, self.noise, strict=True)
            ]
        return self._value(parts).mean(axis=0) + self.seed_noise

    def _value(self, rates: list[Array]) -> Array:
        """The metric of rates ``[run, group, class, resample]``: ``[run, resample]``."""
        spreads = [self._spread(rate) for rate in rates]
        largest = spreads[0] if len(spreads) == 1 else np.maximum(*spreads)
        return largest.mean(axis=1)

    def _spread(self, rates: Array) -> Array:
        if not self.gappy:
            return np.asarray(rates.max(axis=1) - rates.min(axis=1))
        high, low = np.fmax.reduce(rates, axis=1), np.fmin.reduce(rates, axis=1)
        return np.where((~np.isnan(rates)).sum(axis=1) >= 2, high - low, np.nan)


def max_min_interval(simulate: Simulator, *, level: float, unseen: float = 0.0) -> MaxMin:
    """Interval at a confidence level by test inversion.

    ``unseen`` is its upper end where neither the observed nor any resampled rates differ, so that
    the bootstrap knows no noise: see :func:`nothing_seen`.
    """
    value, tail = simulate.value, (1 - level) / 2
    if np.isnan(value):
        return MaxMin(*[float("nan")] * 5)
    null = simulate(0.0)
    chance = float(np.median(null))
    if value == 0:
        high = unseen if np.ptp(null) == 0 else float(np.quantile(null, 1 - tail))
        return MaxMin(0.0, 0.0, high, chance, 0.0)

    truths = CANDIDATES * max(value, chance)
    truths = truths[: np.searchsorted(truths, 1.0) + 1]  # one candidate past the largest possible
    curves = np.array([np.quantile(null, [tail, 0.5, 1 - tail])])
    # Where less was seen than equal groups would usually show, the upper end stays that of the
    # usual case, so that luck does not make an interval empty.
    reach = max(value, chance)
    for truth in truths[1:]:
        quantiles = np.quantile(simulate(truth / value), [tail, 0.5, 1 - tail])
        curves = np.vstack([curves, quantiles])
        if quantiles[0] > reach:
            break
    truths = truths[: len(curves)]
    curves = np.maximum.accumulate(curves, axis=0)
    low = float(np.interp(value, curves[:, 2], truths))
    corrected = float(np.interp(value, curves[:, 1], truths))
    high = min(float(np.interp(reach, curves[:, 0], truths)), 1.0)
    return MaxMin(value, low, max(low, high), chance, corrected)


def nothing_seen(examples: Array, level: float) -> float:
    """Upper limit of a largest difference when every rate is 0, or every rate is 1.

    The exact binomial limit ("rule of three") for a difference that sits in the smallest group of
    each class: with m examples in these groups together and no exception among them, the
    difference, averaged over classes, is below ``1 - tail ** (1 / m)``. ``examples`` behind each
    rate are ``[group, class]``.
    """
    smallest = np.where(examples > 0, examples, np.inf).min(axis=0)
    m = smallest[np.isfinite(smallest)].sum()
    return float(1 - ((1 - level) / 2) ** (1 / max(m, 1.0)))


def rescaled(rates: Array, factor: float) -> Array:
    """The group rates nearest to the given ones whose largest difference is ``factor`` as large.

    Nearest by least squares. To narrow them (from factor 0, where all rates of a class are equal),
    the largest and smallest rates move to common bounds and those in between stay, so that noise in
    the observed rates is not mistaken for differences; to widen them, only the largest and the
    smallest move. Rates are ``[run, group, class]``; NaN where undefined, and so in the answer.
    """
    top, bottom = np.fmax.reduce(rates, axis=1), np.fmin.reduce(rates, axis=1)
    width = top - bottom
    top, bottom = top[:, None], bottom[:, None]
    if factor >= 1:
        step = (factor - 1) / 2 * width[:, None]
        return rates + step * (rates == top) - step * (rates == bottom)
    width = factor * width[:, None]
    low, high = bottom, top - width  # where the lower bound may be
    for _ in range(30):
        middle = (low + high) / 2
        above = np.nansum(np.maximum(rates - middle - width, 0), axis=1, keepdims=True)
        below = np.nansum(np.maximum(middle - rates, 0), axis=1, keepdims=True)
        low, high = np.where(above > below, middle, low), np.where(above > below, high, middle)
    return np.clip(rates, low, low + width)
