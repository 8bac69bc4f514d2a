"""How often an interval holds the truth: simulated, for worlds in which the truth is known.

In each simulated study some seeds of one model are judged on one set of test examples. The groups
have given rates of a positive prediction; every seed has rates of its own around them; and the
seeds tend to err on the same examples. The truth is the average over seeds of the largest
difference between groups in the population.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special, stats

from kdfair_audit.intervals import FairnessBootstrap

Array = NDArray[Any]


@dataclass(frozen=True)
class World:
    """A world to draw studies from.

    Attributes
    ----------
    name : str
    rates : tuple of float
        P(pred = 1) in each group, on average over seeds.
    n_examples, n_seeds : int
    seed_sd : float
        Deviation of a seed's rate in a group from that average.
    shared : float
        Correlation between seeds of what decides a prediction, 0 to 1.
    """

    name: str
    rates: tuple[float, ...]
    n_examples: int = 2000
    n_seeds: int = 5
    seed_sd: float = 0.0
    shared: float = 0.5

    @property
    def truth(self) -> float:
        """The difference of one trained run in the population, averaged over runs."""
        rng = np.random.default_rng(0)
        rates = self._seed_rates(1 if self.seed_sd == 0 else 100_000, rng)
        return float(np.ptp(rates, axis=1).mean())

    def draw_examples(self, rng: np.random.Generator) -> tuple[Array, Array]:
        """A test set: groups ``[example]``, and what its examples do to every model."""
        groups = rng.integers(0, len(self.rates), self.n_examples)
        return groups, rng.normal(size=self.n_examples)

    def draw_runs(self, groups: Array, common: Array, rng: np.random.Generator) -> Array:
        """Predictions ``[seed, example]`` of a model on a test set."""
        rates = self._seed_rates(self.n_seeds, rng)[:, groups]
        own = rng.normal(size=rates.shape)
        latent = np.sqrt(self.shared) * common + np.sqrt(1 - self.shared) * own
        return (special.ndtr(latent) < rates).astype(np.int64)

    def _seed_rates(self, n: int, rng: np.random.Generator) -> Array:
        rates = np.array(self.rates)
        return np.clip(rates + self.seed_sd * rng.normal(size=(n, len(rates))), 0, 1)


WORLDS = (
    World("two equal groups, one run", (0.3, 0.3), n_seeds=1),
    World("two equal groups", (0.3, 0.3)),
    World("two groups 3 points apart", (0.3, 0.33), seed_sd=0.01),
    World("two groups 10 points apart", (0.3, 0.4), seed_sd=0.01),
    World("ten equal groups, one run", (0.1,) * 10, n_seeds=1),
    World("ten equal groups", (0.1,) * 10),
    World("ten equal groups, seeds differ", (0.1,) * 10, seed_sd=0.02),
    World("ten groups, one stands out", (0.1,) * 9 + (0.2,), n_seeds=1),
    World("ten groups, one stands out, seeds differ", (0.1,) * 9 + (0.2,), seed_sd=0.02),
    World("ten groups, evenly spread", tuple(np.linspace(0.1, 0.2, 10).round(4)), seed_sd=0.01),
)

# Pairs of models, for differences: (a, b).
PAIRS = (
    (WORLDS[1], WORLDS[1]),
    (WORLDS[2], WORLDS[2]),
    (WORLDS[3], WORLDS[1]),
    (WORLDS[3], WORLDS[2]),
    (WORLDS[6], WORLDS[6]),
    (WORLDS[8], WORLDS[6]),
    (WORLDS[9], WORLDS[5]),
)

METHODS = ("inversion", "percentile", "seeds")


def simulate_coverage(
    worlds: Sequence[World] = WORLDS,
    *,
    methods: Sequence[str] = METHODS,
    n_studies: int = 200,
    n_boot: int = 400,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Coverage of intervals for DPD (demographic parity difference), by simulation.

    Parameters
    ----------
    worlds : sequence of World
    methods : sequence of str
        "inversion": :class:`FairnessBootstrap`, what this project reports. "percentile": the
        middle of the resampled values. "seeds": mean plus and minus Student's t times the standard
        error between seeds, for this test set.
    n_studies : int
        Simulated studies of each world.
    n_boot, level, seed
        As for the bootstrap.

    Returns
    -------
    pandas.DataFrame
        A row a world and method: ``world``, ``truth``, ``method``, ``coverage``, ``above`` and
        ``below`` (share of intervals that lie wholly above and below the truth), ``width`` (mean),
        ``error`` (standard error of the coverage if it is nominal), ``n_studies``.
    """
    unknown = set(methods) - set(METHODS)
    if unknown:
        raise ValueError(f"unknown methods {sorted(unknown)}; expected some of {METHODS}")
    rows = []
    for number, world in enumerate(worlds):
        rng = np.random.default_rng([seed, number])
        truth = world.truth
        # One seed has no spread between seeds.
        usable = [method for method in methods if method != "seeds" or world.n_seeds > 1]
        ends: dict[str, list[tuple[float, float]]] = {method: [] for method in usable}
        for study in range(n_studies):
            groups, common = world.draw_examples(rng)
            boot = _bootstrap(groups, [world.draw_runs(groups, common, rng)], n_boot, study)
            for method in usable:
                ends[method].append(_interval(boot, method, level))
        for method in usable:
            rows.append(
                {"world": world.name, "truth": truth, "method": method}
                | _summary(np.array(ends[method]), truth, level)
            )
    return pd.DataFrame(rows)


def simulate_difference_coverage(
    worlds: Sequence[tuple[World, World]] = PAIRS,
    *,
    n_studies: int = 200,
    n_boot: int = 400,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """How often the interval for a difference of DPD between two models holds the truth.

    Both models are judged on the same examples. Parameters and columns are those of
    :func:`simulate_coverage`; ``world`` names both worlds, and ``rejected`` is the share of
    studies with p <= 1 - level: the false-positive rate where the truth is 0, else the power.
    """
    rows = []
    for number, (a, b) in enumerate(worlds):
        rng = np.random.default_rng([seed, number])
        truth = a.truth - b.truth
        found = []
        for study in range(n_studies):
            groups, common = a.draw_examples(rng)
            runs = [world.draw_runs(groups, common, rng) for world in (a, b)]
            boot = _bootstrap(groups, runs, n_boot, study)
            difference = boot.difference(0, 1, "dpd", level=level)
            found.append([difference[name] for name in ("low", "high", "p_value")])
        table = np.array(found)
        rows.append(
            {"world": f"{a.name} against {b.name}", "truth": truth, "method": "inversion"}
            | _summary(table[:, :2], truth, level)
            | {"rejected": (table[:, 2] <= 1 - level).mean()}
        )
    return pd.DataFrame(rows)


def _summary(ends: Array, truth: float, level: float) -> dict[str, float]:
    low, high = ends.T
    above, below = (low > truth).mean(), (high < truth).mean()
    return {
        "coverage": 1 - above - below,
        "above": above,
        "below": below,
        "width": (high - low).mean(),
        "error": np.sqrt(level * (1 - level) / len(ends)),
        "n_studies": len(ends),
    }


def _bootstrap(groups: Array, runs: list[Array], n_boot: int, seed: int) -> FairnessBootstrap:
    return FairnessBootstrap(
        np.zeros(len(groups), dtype=int),
        runs,
        sensitive_features=groups,
        n_classes=2,
        n_boot=n_boot,
        seed=seed,
    )


def _interval(boot: FairnessBootstrap, method: str, level: float) -> tuple[float, float]:
    tail = (1 - level) / 2
    if method == "inversion":
        found = boot.interval(0, "dpd", level=level)
        return found["low"], found["high"]
    if method == "percentile":
        low, high = np.quantile(boot.resampled(0, "dpd"), [tail, 1 - tail])
        return float(low), float(high)
    by_run = boot.by_run(0, "dpd")
    half = stats.t.ppf(1 - tail, len(by_run) - 1) * by_run.std(ddof=1) / np.sqrt(len(by_run))
    return float(by_run.mean() - half), float(by_run.mean() + half)
