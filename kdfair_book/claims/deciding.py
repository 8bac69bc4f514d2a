"""What would decide a verdict that is undecided: how many seeds, and what they cost.

Every answer assumes that what was measured is the truth: the effect, its spread between seeds and
the noise of the test examples. Measured effects that look large are on average too large, so the
numbers are a lower bound more often than an upper one. The level is Bonferroni's over the verdicts
of a claim that are still open, which is where Holm's correction begins.

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
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from kdfair_book.claims.registry import get
from kdfair_book.evidence.claim_tests import EXTREME, OTHER_ALPHA
from kdfair_book.evidence.power import MOST_SEEDS
from kdfair_book.evidence.sweep import PAPER_RANGE, NotThere, Sweep, sweep

Array = NDArray[Any]

POWER = 0.8
LEVEL = 0.05

PAGE_CLAIMS = (
    *("closer-to-teacher", "dpd-falls", "eod-falls", "dpd-reverses", "eod-reverses"),
    *("individual-falls", "individual-beyond-softness"),
)
BELOW_CLAIMS = ("dpd-below-nds", "eod-below-nds", "dpd-below-teacher", "eod-below-teacher")
COUNT_CLAIMS = {"sc-rises": ("SC", 1), "tc-falls": ("TC", -1)}
COUNT_CLAIMS |= {"sc-reverses": ("SC", -1), "tc-reverses": ("TC", 1)}


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
        The verdict that they would give if what was measured is the truth.
    why : str
        What stands in the way where no number of seeds decides for the claim; else "".
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
        if np.isinf(self.seeds) or self.why:
            what = "more examples" if "test set" in self.why else "no number of seeds"
            return "too small to matter" if "would matter" in self.why else what
        hours = "" if np.isnan(self.hours) else f", {_hours(self.hours)}"
        return f"{self.seeds:.0f} seeds{hours}"

    def __str__(self) -> str:
        if np.isnan(self.seeds):
            return f"more seeds; how many is not computed ({self.why})"
        if np.isinf(self.seeds):
            return f"no number of seeds: {self.why}"
        hours = "" if np.isnan(self.hours) else f", {_hours(self.hours)} more of training"
        many = f"{self.seeds:,.0f} seeds{hours}"
        if self.why:
            return f"no number of seeds: {self.why}; {many} would show that"
        return f"{many}: towards {self.towards}"


def what_decides(row: dict[str, Any], found: Sweep, *, open_verdicts: int = 1) -> Missing:
    """What one undecided row of a scorecard lacks.

    Parameters
    ----------
    row : dict
        A row of :func:`kdfair_book.claims.scorecard` with verdict "undecided", and ``smallest``,
        the smallest effect that matters (NaN if none is set).
    found : Sweep
        The runs that it was computed from.
    open_verdicts : int
        Verdicts of the claim's family that are still undecided.

    Raises
    ------
    ValueError
        If the row is not undecided.
    """
    if row["verdict"] != "undecided":
        raise ValueError(f"the verdict is {row['verdict']!r}; expected undecided")
    level = LEVEL / max(1, open_verdicts)
    claim, n = row["claim"], int(row["n"])
    effect, smallest = round(float(row["effect"]), 12), float(row["smallest"])
    if claim in COUNT_CLAIMS:
        comparison, sign = COUNT_CLAIMS[claim]
        span = (PAPER_RANGE[1], EXTREME) if claim.endswith("reverses") else PAPER_RANGE
        need = count_seeds(found, comparison, sign, *span, level=level)
        return _finished(need, found, n)
    if claim == "same-at-other-alpha":
        other = sweep(found.results, alpha=OTHER_ALPHA, soft_scale=found.soft_scale)
        both = [
            count_seeds(other, comparison, sign, *PAPER_RANGE, level=level)
            for comparison, sign in (COUNT_CLAIMS["sc-rises"], COUNT_CLAIMS["tc-falls"])
        ]
        return _finished(max(both, key=lambda need: need.seeds), other, n)
    if claim in PAGE_CLAIMS:
        reverses = claim.endswith("reverses")
        k = len(found.between(*((PAPER_RANGE[1], EXTREME) if reverses else PAPER_RANGE)))
        spread = _spread(effect, row["low"], row["high"], n, bound=1.0)
        return _finished(page_seeds(effect, spread, k, smallest, level=level), found, n)
    if claim in BELOW_CLAIMS:
        metric, than = claim.split("-")[0], claim.split("-")[2]
        spread = _paired_spread(found, row["attribute"], metric, than)
        error = examples_error((row["high"] - row["low"]) / 2, spread, n)
        return _finished(mean_seeds(effect, spread, error, smallest, level=level), found, n)
    if not np.isnan(smallest) and effect < smallest:
        return Missing(np.inf, np.nan, "fails", _inside(effect, smallest))
    return Missing(np.nan, np.nan, "", "a permutation test over students")


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

    def above(gap: float, at: float) -> Callable[[int], float]:
        return lambda n: _mean_power(gap, spread, error, n, at)

    towards, gap, at = "holds", effect, level
    why = ""
    if effect <= 0 or (not np.isnan(smallest) and effect < smallest):
        # either the opposite is significant, or the interval ends below what matters
        towards = "fails"
        options = [above(-effect, level)] if effect < 0 else []
        if not np.isnan(smallest):
            options.append(above(smallest - effect, LEVEL / 2))
        if effect > 0:
            why = _inside(effect, smallest)
        elif not options:
            return Missing(np.inf, np.nan, "", "nothing was seen either way")
        gap = max(-effect, 0.0) if np.isnan(smallest) else smallest - effect
        n = min(_search(option, power) for option in options)
    else:
        n = _search(above(gap, at), power)
    if np.isinf(n) and error > 0:
        needed = (stats.norm.isf(at) + stats.norm.ppf(power)) * error / gap
        times = needed**2
        if times > 1:
            why = f"the test set is too small, about {_times(times)} as many examples are needed"
    if np.isinf(n) and not why:
        why = f"the effect is too small for {MOST_SEEDS:,} seeds"
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

    def test(gap: float) -> Callable[[int], float]:
        def reached(n: int) -> float:
            critical = stats.norm.isf(level) / np.sqrt(n * (k - 1))
            return float(stats.norm.cdf((gap - critical) * np.sqrt(n) / spread))

        return reached

    options: list[tuple[float, str]] = []
    if effect > 0 and not effect < smallest:
        options.append((_search(test(effect), power), "holds"))
    if effect < 0:
        options.append((_search(test(-effect), power), "fails"))
    if effect < smallest:
        below = _search(lambda n: _mean_power(smallest - effect, spread, 0, n, LEVEL / 2), power)
        options.append((below, "fails"))
    if not options:
        return Missing(np.inf, np.nan, "", "nothing was seen either way")
    n, towards = min(options)
    why = ""
    if 0 < effect < smallest:
        why = _inside(effect, smallest)
    elif np.isinf(n):
        why = f"the effect is too small for {MOST_SEEDS:,} seeds"
    return Missing(n, np.nan, towards, why)


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


def seed_hours(found: Sweep) -> float:
    """Hours of training of one seed of a sweep: teacher, NDS and every DS of its setting."""
    seconds = found.results.runs["seconds"].to_numpy()
    runs = np.column_stack([found.teacher, found.nds, found.ds])
    return float(seconds[runs].sum(axis=1).mean() / 3600)


def add_deciding(card: pd.DataFrame, sweeps: dict[tuple[str, str, float, str], Sweep]) -> pd.Series:
    """What would decide each undecided row of a scorecard; None elsewhere.

    Parameters
    ----------
    card : DataFrame
        From :func:`kdfair_book.claims.scorecard`.
    sweeps : dict
        By study, profile, alpha and soft_scale.
    """
    family = ["claim", "profile", "alpha", "soft_scale"]
    undecided = card["verdict"] == "undecided"
    open_ = undecided.groupby([card[name] for name in family], dropna=False).transform("sum")
    answers: list[Missing | None] = []
    rows: list[Any] = card.to_dict("records")
    for row, many in zip(rows, open_, strict=True):
        mine = sweeps.get((row["study"], row["profile"], row["alpha"], row["soft_scale"]))
        if row["verdict"] != "undecided" or mine is None:
            answers.append(None)
            continue
        row["smallest"] = get(row["claim"]).smallest
        try:
            answers.append(what_decides(row, mine, open_verdicts=int(many)))
        except NotThere as reason:
            answers.append(Missing(np.nan, np.nan, "", str(reason)))
    return pd.Series(answers, index=card.index, dtype=object)


def _mean_power(gap: float, spread: float, error: float, n: int, level: float) -> float:
    """Power of a one-sided t-test whose standard error has a part that seeds do not shrink."""
    seeds = spread**2 / n
    total = error**2 + seeds
    if total == 0:
        return float(gap > 0)
    df = total**2 / (seeds**2 / (n - 1)) if seeds > 0 else 1e6
    df = min(df, 1e6)
    return float(stats.nct.sf(stats.t.isf(level, df), df, gap / np.sqrt(total)))


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


def _spread(effect: float, low: float, high: float, n: int, *, bound: float) -> float:
    """Deviation between seeds, out of a Student interval that may be cut at plus or minus bound."""
    halves = [effect - low if low > -bound else np.nan, high - effect if high < bound else np.nan]
    known = [half for half in halves if not np.isnan(half)]
    if not known or n < 2:
        return float("nan")
    return float(known[0] * np.sqrt(n) / stats.t.ppf(0.975, n - 1))


def _paired_spread(found: Sweep, attribute: str, metric: str, than: str) -> float:
    values = found.results.group_fairness(attribute)[metric].to_numpy()
    reference = found.teacher if than == "teacher" else found.nds
    return float((values[reference] - values[found.at(found.highest)]).std(ddof=1))


def _finished(missing: Missing, found: Sweep, n: int) -> Missing:
    """With the hours of the seeds that are not there; never fewer seeds than there are."""
    if not np.isfinite(missing.seeds):
        return missing
    seeds = max(missing.seeds, float(n + 1))
    return Missing(seeds, (seeds - n) * seed_hours(found), missing.towards, missing.why)


def _inside(effect: float, smallest: float) -> str:
    return f"the effect is below what would matter ({effect:.2g} of {smallest:.2g})"


def _times(times: float) -> str:
    return f"{times:.0f} times" if times >= 9.5 else f"{times:.1f} times"


def _hours(hours: float) -> str:
    if hours >= 10:
        return f"{hours:,.0f} hours"
    return f"{hours:.1f} hours" if hours >= 1 else f"{60 * hours:.0f} minutes"
