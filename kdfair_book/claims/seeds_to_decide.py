"""How many seeds a test needs to decide, by the scorecard's own rule.

A claim about a direction holds once the direction is shown, however small the effect; it fails
once the opposite is shown, or once the interval ends below what would matter. Whichever would come
first, if what was measured is the truth, is what an undecided verdict lacks.

- A mean over seeds with Student's interval: power of the noncentral t.
- Page's trend test: the null distribution of L is that of mean rank correlations with variance
  1 / (k - 1) a seed over k temperatures; the alternative has the spread that was measured.
- A difference of group fairness: examples are redrawn with the seeds, and more seeds leave that
  part of the error as it is. If it alone is too large, no number of seeds decides.
- A trend of #SC or #TC: class effects at a temperature are taken to be normal around zero, with the
  variance that is left of the measured one without noise. Then the share of classes that Welch's
  test names with n seeds is known, and so is the trend of the counts. With many seeds every class
  comes out at every temperature and the trend is gone: that too has no number of seeds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from kdfair_book.evidence.power import MOST_SEEDS
from kdfair_book.evidence.sweep import Sweep

Array = NDArray[Any]

POWER = 0.8
LEVEL = 0.05

SMALL = "holds, with an effect below what would matter"


@dataclass(frozen=True)
class Missing:
    """What an undecided verdict lacks.

    Attributes
    ----------
    seeds : float
        Seeds in all, infinity if no number of seeds decides, NaN if that is not computed.
    hours : float
        Of training for the seeds that are not there yet, on the machine that trained the others.
    towards : str
        The verdict that they would give if what was measured is the truth: "holds", :data:`SMALL`
        or "fails".
    why : str
        Why no number of seeds decides, or why it is not computed; else "".
    """

    seeds: float
    hours: float
    towards: str
    why: str

    @property
    def short(self) -> str:
        """In a few words, for a cell."""
        if np.isnan(self.seeds):
            return "more seeds"
        if np.isinf(self.seeds):
            return "more examples" if "test set" in self.why else "no number of seeds"
        return f"{self.seeds:.0f} seeds{self._cost()}"

    def __str__(self) -> str:
        if np.isnan(self.seeds):
            return f"more seeds; how many is not computed ({self.why})"
        if np.isinf(self.seeds):
            return f"no number of seeds: {self.why}"
        return f"{self.seeds:,.0f} seeds{self._cost(' more of training')}: towards {self.towards}"

    def _cost(self, of: str = "") -> str:
        return "" if np.isnan(self.hours) else f", {_hours(self.hours)}{of}"


def mean_seeds(
    effect: float,
    spread: float,
    error: float = 0.0,
    smallest: float = np.nan,
    *,
    power: float = POWER,
    level: float = LEVEL,
) -> Missing:
    """Seeds that decide a mean over seeds.

    Parameters
    ----------
    effect : float
        Positive where the claim is right.
    spread : float
        Deviation between seeds.
    error : float
        Standard error that more seeds leave as it is, that of the test examples.
    smallest : float
        The smallest effect that matters.
    power, level : float
        The level is one-sided.
    """

    def power_with(gap: float, at: float) -> Callable[[int], float]:
        return lambda n: _mean_power(gap, spread, error, n, at)

    ways = _ways(effect, smallest, level)
    n, towards = _first([(_search(power_with(way.gap, way.at), power), way.to) for way in ways])
    why = ""
    if not ways:
        why = "nothing was seen either way"
    elif np.isinf(n):
        why = f"the effect is too small for {MOST_SEEDS:,} seeds"
        z = stats.norm.ppf(power)
        times = min(((stats.norm.isf(way.at) + z) * error / way.gap) ** 2 for way in ways)
        if times > 1:
            why = f"the test set is too small, about {_times(times)} as many examples are needed"
    return Missing(n, np.nan, towards, why)


def page_seeds(
    effect: float,
    spread: float,
    k: int,
    smallest: float = np.nan,
    *,
    power: float = POWER,
    level: float = LEVEL,
) -> Missing:
    """Seeds that decide Page's trend test over k temperatures.

    Parameters
    ----------
    effect : float
        Mean over seeds of the rank correlation in the claimed direction.
    spread : float
        Its deviation between seeds; NaN is taken for that of random orders.
    k : int
    smallest : float
    """
    spread = 1 / np.sqrt(k - 1) if np.isnan(spread) else max(spread, 1e-9)

    def page(gap: float) -> Callable[[int], float]:
        def reached(n: int) -> float:
            critical = stats.norm.isf(level) / np.sqrt(n * (k - 1))
            return float(stats.norm.cdf((gap - critical) * np.sqrt(n) / spread))

        return reached

    def student(gap: float) -> Callable[[int], float]:
        return lambda n: _mean_power(gap, spread, 0.0, n, LEVEL / 2)

    ways = _ways(effect, smallest, level)
    # Page's test shows a direction; Student's interval, that the effect is below what matters
    tests = (student if way.bound else page for way in ways)
    needs = zip(tests, ways, strict=True)
    n, towards = _first([(_search(test(way.gap), power), way.to) for test, way in needs])
    why = "" if np.isfinite(n) else f"the effect is too small for {MOST_SEEDS:,} seeds"
    return Missing(n, np.nan, towards, why if ways else "nothing was seen either way")


def count_seeds(
    found: Sweep,
    comparison: str,
    sign: int,
    low: float,
    high: float,
    *,
    power: float = POWER,
    level: float = LEVEL,
    test_level: float = LEVEL,
) -> Missing:
    """Seeds that decide a trend of #SC or #TC, roughly: classes are taken to be independent.

    Parameters
    ----------
    found : Sweep
    comparison : str
        "SC" or "TC".
    sign : int
        1 if the count is claimed to rise, -1 if to fall.
    low, high : float
        The temperatures.
    test_level : float
        Level of each class's test.
    """
    shares = count_shares(found, comparison, low, high, test_level=test_level)
    n_classes = len(found.results.classes)
    directions: list[tuple[float, str]] = []
    for towards, turn in (("holds", sign), ("fails", -sign)):

        def reached(n: int, turn: int = turn) -> float:
            share = shares(n)
            position = np.arange(len(share)) - (len(share) - 1) / 2
            mean = share.mean()
            noise = np.sqrt(n_classes * mean * (1 - mean) * (position**2).sum())
            trend = turn * n_classes * float(share @ position)
            return float(stats.norm.sf(stats.norm.isf(level) - trend / noise)) if noise else 0.0

        directions.append((_search(reached, power, monotone=False), towards))
    n, towards = min(directions)
    if np.isinf(n):
        many = shares(100)
        why = (
            "with many seeds nearly every class differs at every temperature, and no trend is left"
            if many.min() > 0.5
            else f"{n_classes} classes are too few, as far as they differ here"
        )
        return Missing(np.inf, np.nan, "", why)
    return Missing(n, np.nan, towards, "")


def count_shares(
    found: Sweep, comparison: str, low: float, high: float, *, test_level: float = LEVEL
) -> Callable[[int], Array]:
    """Expected share of significant classes at each temperature, as a function of the seeds."""
    found.need_seeds()
    reference = found.relative[found.nds if comparison == "SC" else found.teacher]
    columns = found.between(low, high)
    students = found.relative[found.ds[:, columns]]  # [seed, temperature, class]
    n = len(found.seeds)
    variance = (reference.var(axis=0, ddof=1) + students.var(axis=0, ddof=1)).mean(axis=-1)
    gaps = students.mean(axis=0) - reference.mean(axis=0)
    true = np.maximum((gaps**2).mean(axis=-1) - variance / n, 0.0)  # of the class effects

    def shares(n: int) -> Array:
        df = 2 * (n - 1)
        critical = stats.t.isf(test_level / 2, df)
        with np.errstate(divide="ignore", invalid="ignore"):
            wider = np.sqrt(1 + np.where(variance > 0, true * n / variance, np.inf))
        return np.asarray(2 * stats.t.sf(critical / wider, df))

    return shares


def examples_error(half: float, spread: float, n: int, *, draws: int = 20_000) -> float:
    """The part of a 95 % interval that is the test examples', as a standard error.

    Parameters
    ----------
    half : float
        Half the interval's width, over examples and seeds.
    spread : float
        Deviation between the n seeds; their part is Student's t times the standard error.
    """
    if n < 2:
        return half / 1.96
    rng = np.random.default_rng(0)
    normal, student = rng.standard_normal(draws), rng.standard_t(n - 1, draws)
    seeds = student * spread / np.sqrt(n)

    def width(error: float) -> float:
        low, high = np.quantile(error * normal + seeds, [0.025, 0.975])
        return float(high - low) / 2

    low, high = 0.0, half / 1.96
    if width(0.0) >= half:
        return 0.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if width(middle) < half else (low, middle)
    return (low + high) / 2


def _mean_power(gap: float, spread: float, error: float, n: int, level: float) -> float:
    """Power of a one-sided t-test whose standard error has a part that seeds do not shrink."""
    seeds = spread**2 / n
    total = error**2 + seeds
    if total == 0:
        return float(gap > 0)
    df = total**2 / (seeds**2 / (n - 1)) if seeds > 0 else 1e6
    df = min(df, 1e6)
    return float(stats.nct.sf(stats.t.isf(level, df), df, gap / np.sqrt(total)))


@dataclass(frozen=True)
class _Way:
    """How a verdict may come about.

    ``gap`` is to be shown at the one-sided level ``at`` and leads to the verdict ``to``; ``bound``:
    the distance to the smallest effect that would matter, not to zero.
    """

    gap: float
    at: float
    to: str
    bound: bool


def _ways(effect: float, smallest: float, level: float) -> list[_Way]:
    ways = []
    if effect != 0:
        holds = SMALL if effect < smallest else "holds"
        ways.append(_Way(abs(effect), level, holds if effect > 0 else "fails", False))
    if effect < smallest:
        ways.append(_Way(smallest - effect, LEVEL / 2, "fails", True))
    return ways


def _first(needs: list[tuple[float, str]]) -> tuple[float, str]:
    """Fewest seeds and their verdict; none if no number does."""
    n, towards = min(needs, default=(np.inf, ""))
    return n, towards if np.isfinite(n) else ""


def _search(reached: Callable[[int], float], power: float, *, monotone: bool = True) -> float:
    """Smallest number of seeds with which the power is reached; infinity if none does."""
    if not monotone:
        tried = [*range(2, 41), *range(45, 101, 5), *range(120, 401, 20)]
        return float(next((n for n in tried if reached(n) >= power), np.inf))
    low, high = 1, 2
    while reached(high) < power:
        low, high = high, 2 * high
        if high > MOST_SEEDS:
            return float("inf")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) >= power else (middle, high)
    return float(high)


def _times(times: float) -> str:
    return f"{times:.0f} times" if times >= 9.5 else f"{times:.1f} times"


def _hours(hours: float) -> str:
    if hours >= 10:
        return f"{hours:,.0f} hours"
    return f"{hours:.1f} hours" if hours >= 1 else f"{60 * hours:.0f} minutes"
