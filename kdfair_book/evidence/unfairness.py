"""Intervals for individual unfairness, over test examples and seeds together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdfair_audit.seed_noise import SeedNoise
from kdfair_core.metrics.bootstrap import N_BOOT
from kdfair_core.metrics.individual import Pairs, score_gaps

Array = NDArray[Any]

# Weights of pairs that are held at a time.
BLOCK = 2**24


class UnfairnessBootstrap:
    """Bootstrap of individual unfairness: the same resampled examples for every run.

    A pair's weight is the product of how often its two examples are drawn (Poisson counts). Seeds
    add Student's t times the standard error between runs, as in
    :class:`~kdfair_audit.intervals.FairnessBootstrap`.

    Parameters
    ----------
    scores : sequence of float array [run, example] or [run, example, class]
        One item a model.
    pairs : Pairs
        From :func:`sample_pairs`.
    seeds : sequence of sequence, optional
        The seed of each run of each model, as for FairnessBootstrap.
    n_boot : int
    seed : int
    """

    def __init__(
        self,
        scores: Sequence[Array],
        pairs: Pairs,
        *,
        seeds: Sequence[Sequence[Any]] | None = None,
        n_boot: int = N_BOOT,
        seed: int,
    ) -> None:
        if n_boot < 2:
            raise ValueError(f"n_boot is {n_boot}; expected at least 2")
        if len(pairs.first) == 0:
            raise ValueError("there are no pairs; expected at least one at a distance")
        ratios = [
            np.stack([score_gaps(np.asarray(run), pairs) / pairs.distance for run in runs])
            for runs in scores
        ]
        self._seed_noise = SeedNoise([len(runs) for runs in scores], seeds, n_boot, seed)
        self._by_run = [model.mean(axis=1) for model in ratios]
        averages = np.stack([model.mean(axis=0) for model in ratios]).astype(np.float32)
        rng = np.random.default_rng(seed)
        n_examples = int(max(pairs.first.max(), pairs.second.max())) + 1
        size = max(1, BLOCK // len(pairs.first))
        parts = []
        for start in range(0, n_boot, size):
            shape = (n_examples, min(size, n_boot - start))
            count = rng.poisson(1.0, shape).astype(np.float32)
            weight = count[pairs.first] * count[pairs.second]
            parts.append(averages @ weight / np.maximum(weight.sum(axis=0), 1))
        means = averages.mean(axis=1, dtype=float)
        self._noise = np.concatenate(parts, axis=1) - means[:, None]  # [model, resample]

    def by_run(self, model: int) -> Array:
        """Individual unfairness of each run of a model ``[run]``."""
        return self._by_run[model]

    def interval(self, model: int, *, level: float = 0.95) -> dict[str, float]:
        """Mean over runs ("value"), "low", "high" and "n_runs" of one model."""
        by_run = self._by_run[model]
        ends = self._ends(self._noise[model] + self._seed_noise(by_run), level)
        low, high = by_run.mean() + ends
        return {
            "value": float(by_run.mean()),
            "low": float(max(low, 0.0)),
            "high": float(high),
            "n_runs": len(by_run),
        }

    def difference(self, a: int, b: int, *, level: float = 0.95) -> dict[str, float]:
        """Unfairness of model a less that of b: "difference", "low", "high", "p_value"."""
        runs_a, runs_b = self._by_run[a], self._by_run[b]
        seeds = self._seed_noise.of_difference(a, b, runs_a, runs_b)
        error = self._noise[a] - self._noise[b] + seeds
        observed = float(runs_a.mean() - runs_b.mean())
        low, high = observed - self._ends(error, level)[::-1]
        above, below = (error >= observed).sum() + 1, (error <= observed).sum() + 1
        p_value = min(1.0, 2 * min(above, below) / (len(error) + 1))
        return {
            "difference": observed,
            "low": float(low),
            "high": float(high),
            "p_value": float(p_value),
        }

    def _ends(self, error: Array, level: float) -> Array:
        if not 0 < level < 1:
            raise ValueError(f"level is {level!r}; expected a number between 0 and 1")
        tail = (1 - level) / 2
        return np.quantile(error, [tail, 1 - tail])
