"""The error that few seeds make: Student's t times the standard error between runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class SeedNoise:
    """Draws of that error, the same for every model of as many runs.

    Parameters
    ----------
    n_runs : sequence of int
        Of each model.
    seeds : sequence of sequence, optional
        The seed of each run of each model: runs of one seed are compared as a pair. Without them,
        runs are pairs by their position.
    n_boot : int
    seed : int

    Raises
    ------
    ValueError
        If ``seeds`` has not one seed for each run.
    """

    def __init__(
        self,
        n_runs: Sequence[int],
        seeds: Sequence[Sequence[Any]] | None,
        n_boot: int,
        seed: int,
    ) -> None:
        self._seeds = _as_seeds(seeds, n_runs)
        self.n_boot, self._seed = n_boot, seed
        self._student = {n: self._draw(n) for n in set(n_runs) if n > 1}

    def __call__(self, by_run: Array, *, apart: bool = False) -> Array:
        """Draws [resample] of the error of a mean over runs; ``apart`` from another model's."""
        n = len(by_run)
        if n < 2:
            return np.zeros(self.n_boot)
        draws = self._draw(n, 1) if apart else self._student[n]
        return draws * by_run.std(ddof=1) / np.sqrt(n)

    def of_difference(self, a: int, b: int, runs_a: Array, runs_b: Array) -> Array:
        """Draws [resample] of the error of model a's mean over runs less model b's."""
        pairs = _paired(runs_a, runs_b, self._seeds[a], self._seeds[b])
        if pairs is not None:
            return self(pairs)
        return self(runs_a) - self(runs_b, apart=len(runs_a) == len(runs_b))

    def _draw(self, n: int, *which: int) -> Array:
        return np.random.default_rng([self._seed, n, *which]).standard_t(n - 1, self.n_boot)


def _paired(
    a: Array, b: Array, seeds_a: Sequence[Any] | None, seeds_b: Sequence[Any] | None
) -> Array | None:
    """Differences of runs ``[pair]`` that share a seed; None if the sides are of other seeds.

    Without seeds, run k of a and run k of b are a pair if there are as many of both.
    """
    if len(a) != len(b):
        return None
    if seeds_a is None or seeds_b is None:
        return a - b
    if sorted(seeds_a) != sorted(seeds_b) or len(set(seeds_a)) < len(seeds_a):
        return None
    place = {seed: k for k, seed in enumerate(seeds_b)}
    return a - b[[place[seed] for seed in seeds_a]]


def _as_seeds(seeds: Sequence[Sequence[Any]] | None, n_runs: Sequence[int]) -> list[Any]:
    """The seeds of each model's runs, or None for each."""
    if seeds is None:
        return [None] * len(n_runs)
    if [len(model) for model in seeds] != list(n_runs):
        given = [len(model) for model in seeds]
        raise ValueError(f"seeds has {given} seeds for models of {list(n_runs)} runs")
    return [list(model) for model in seeds]
