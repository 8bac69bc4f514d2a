"""How often pooled tests are wrong where nothing is to be found, and right where something is.

Predictions like ours: three studies with the seeds, temperatures, attributes and noise of the
published ones. Where the runs themselves are used, temperatures are permuted within each seed, for
all attributes at once, which takes away every trend and leaves all else as it was; then a trend is
planted. Two kinds of "nothing": no study has an effect; or the effects of studies are normal
around zero (``spread``), which is nothing for the question about studies like these and something
for the question about just these.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kdfair_audit.intervals import FairnessBootstrap
from kdfair_book.evidence import pooling, trends
from kdfair_book.evidence.class_bias import affected_trend
from kdfair_book.evidence.coverage import World
from kdfair_book.evidence.group import fairness_by_run
from kdfair_book.evidence.pooling import Part
from kdfair_book.evidence.sweep import PAPER_RANGE, Sweep, sweep
from kdfair_core.results import load

Array = NDArray[Any]

GROUPS = (("trifeature", "laptop"), ("hatexplain", "laptop"), ("faces", "laptop"))
CLASSES = (("trifeature", "laptop"), ("cifar10", "laptop"), ("cifar100", "laptop"))

THESE, LIKE, STOUFFER = "these studies", "studies like these", "Stouffer"
DL, HK = "DerSimonian-Laird", "Hartung-Knapp, weighted"
CELLS = ", attributes as studies"

LEVEL = 0.05


def simulate_pooling(
    *, n_studies: int = 1000, n_boot: int = 200, level: float = 0.95, seed: int = 0
) -> pd.DataFrame:
    """Error rates and power of the pooled tests.

    Parameters
    ----------
    n_studies : int
        Simulated sets of three studies in each world; a fifth of it for the bootstrap's.
    n_boot : int
        Of the bootstrap, where the claim's own test is one.
    level : float
        Of intervals; tests are one-sided at 1 - level.
    seed : int

    Returns
    -------
    pandas.DataFrame
        A row a world, effect and method: ``world``, ``effect`` (planted, the mean over studies),
        ``spread`` (its deviation between studies), ``method``, ``rejected`` (share of sets in
        which the claim is found; where ``effect`` is 0 this is the false-positive rate),
        ``n_studies``.
    """
    rows = []
    for number, (world, effect, spread, draws, n) in enumerate(_worlds(n_studies, n_boot)):
        rng = np.random.default_rng([seed, number])
        found: dict[str, list[bool]] = {}
        for _ in range(n):
            for method, p_value in draws(rng, effect, spread).items():
                found.setdefault(method, []).append(p_value <= 1 - level)
        for method, rejected in found.items():
            rows.append(
                {"world": world, "effect": effect, "spread": spread, "method": method}
                | {"rejected": float(np.mean(rejected)), "n_studies": len(rejected)}
            )
    return pd.DataFrame(rows)


Draw = Callable[[np.random.Generator, float, float], dict[str, float]]


def _worlds(n: int, n_boot: int) -> Iterator[tuple[str, float, float, Draw, int]]:
    by_trend = trend_draws([sweep(load(*name)) for name in GROUPS])
    for effect, spread in ((0, 0), (0, 0.5), (0.25, 0), (0.5, 0), (0.5, 0.25)):
        yield "trend of EOD, our runs, temperatures permuted", effect, spread, by_trend, n
    by_gap = difference_draws(n_boot)
    for effect, spread in ((0, 0), (0, 0.05), (0.05, 0), (0.05, 0.025)):
        name = "difference of DPD, simulated predictions"
        yield name, effect, spread, by_gap, max(1, n // 5)
    for effect, spread in ((0, 0), (0, 1), (1, 0), (1, 0.5)):
        yield "mean over seeds, normal", effect, spread, seed_draws, n
    counts = count_draws([sweep(load(*name)) for name in CLASSES])
    for effect in (0, 1, 2):
        yield "trend of #SC, our runs, temperatures permuted", effect, 0, counts, n


def trend_draws(sweeps: Sequence[Sweep]) -> Draw:
    """Trends of EOD: the effect is the share of its mean that falls from first to last T."""
    tables = []  # [attribute, seed, temperature] of each study
    for one in sweeps:
        columns = one.between(*PAPER_RANGE)
        values = [fairness_by_run(one, a, "eod")[:, columns] for a in one.results.attributes]
        tables.append(np.array(values))

    def draw(rng: np.random.Generator, effect: float, spread: float) -> dict[str, float]:
        studies = []
        for table in tables:
            _, n_seeds, k = table.shape
            order = rng.permuted(np.tile(np.arange(k), (n_seeds, 1)), axis=1)
            mine = table[:, np.arange(n_seeds)[:, None], order]
            strength = effect + spread * rng.normal()
            fall = strength * table.mean(axis=(1, 2), keepdims=True) * np.arange(k) / (k - 1)
            studies.append(-trends.spearman(mine - fall))  # [attribute, seed]
        parts = [pooling.from_seeds(study) for study in studies]
        cells = [pooling.from_seeds(one) for study in studies for one in study]
        return _every_method(parts, cells)

    return draw


def difference_draws(n_boot: int) -> Draw:
    """Differences of DPD by two attributes of the same runs; the first has the effect."""

    def draw(rng: np.random.Generator, effect: float, spread: float) -> dict[str, float]:
        parts, cells = [], []
        for n_examples, n_seeds in ((4000, 5), (2000, 3), (2000, 5)):
            gap = effect + spread * rng.normal()
            more: dict[str, Any] = {"n_examples": n_examples, "n_seeds": n_seeds, "seed_sd": 0.01}
            base = 0.02
            nds = World("", (0.3, 0.3 + base + max(gap, 0)), **more)
            ds = World("", (0.3, 0.3 + base + max(-gap, 0)), **more)
            groups, common = nds.draw_examples(rng)
            runs = [world.draw_runs(groups, common, rng) for world in (nds, ds)]
            other = rng.integers(0, 2, n_examples)  # an attribute that nothing depends on
            found = [_difference(codes, runs, n_boot, rng) for codes in (groups, other)]
            effects, errors = map(list, zip(*found, strict=True))
            parts.append(pooling.from_errors(effects, errors))
            cells += [Part(e, s**2, np.inf) for e, s in found]
        return _every_method(parts, cells)

    return draw


def _difference(
    codes: Array, runs: list[Array], n_boot: int, rng: np.random.Generator
) -> tuple[float, float]:
    boot = FairnessBootstrap(
        np.zeros(len(codes), dtype=int),
        runs,
        sensitive_features=codes,
        n_classes=2,
        n_boot=n_boot,
        seed=int(rng.integers(2**31)),
    )
    gain = boot.difference(0, 1, "dpd")
    return float(gain["corrected"]), float(gain["high"] - gain["low"]) / (2 * 1.96)


def seed_draws(rng: np.random.Generator, effect: float, spread: float) -> dict[str, float]:
    """Means over five, three and three seeds, in units of the deviation between seeds."""
    parts = []
    for n in (5, 3, 3):
        mine = effect + spread * rng.normal()
        parts.append(pooling.from_seeds(mine + rng.normal(size=n)))
    return _every_method(parts, [])


def count_draws(sweeps: Sequence[Sweep]) -> Draw:
    """Trends of #SC: the effect is in deviations of a permuted trend, rounded to what occurs."""
    permuted = []
    for one in sweeps:
        own = affected_trend(one, "SC").permuted
        permuted.append(np.sort(own))

    def draw(rng: np.random.Generator, effect: float, spread: float) -> dict[str, float]:
        above, below = [], []
        for own in permuted:
            at = rng.choice(own) + effect * own.std()
            above.append((own >= at - 1e-9).mean())
            below.append((own <= at + 1e-9).mean())
        return {STOUFFER: pooling.combined(above, below)[0]}

    return draw


def _every_method(parts: list[Part], cells: list[Part]) -> dict[str, float]:
    found = {
        THESE: pooling.these(parts).p_value,
        LIKE: pooling.studies_like_these(parts).p_value,
        **_weighted(parts, ""),
    }
    if cells:
        found |= {THESE + CELLS: pooling.these(cells).p_value, **_weighted(cells, CELLS)}
    return found


def _weighted(parts: list[Part], suffix: str) -> dict[str, float]:
    """One-sided p-values of methods that weigh by variance, from statsmodels."""
    from scipy import stats
    from statsmodels.stats.meta_analysis import combine_effects

    usable = [part for part in parts if part.variance > 0]
    effects = np.array([part.effect for part in usable])
    variances = np.array([part.variance for part in usable])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found = combine_effects(effects, variances, method_re="chi2")
    mean, df = found.mean_effect_re, len(usable) - 1
    return {
        DL + suffix: float(stats.norm.sf(mean / found.sd_eff_w_re)),
        HK + suffix: float(stats.t.sf(mean / found.sd_eff_w_re_hksj, df)),
    }
