"""Tests of what distillation does to classes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from kdfair_book.evidence import trends
from kdfair_book.evidence.chance import count_significant
from kdfair_book.evidence.sweep import PAPER_RANGE, NotThere, Sweep
from kdfair_core import metrics

N_PERMUTATIONS = 2000


class Uneven(NamedTuple):
    """Whether more classes are affected than students that nothing tells apart would show.

    ``observed`` is the mean over temperatures of the number of significant classes, ``permuted``
    that of permuted roles, ``excess`` the difference to their mean as a share of classes.
    """

    observed: float
    permuted: NDArray[np.float64]
    excess: float
    p_value: float
    n_seeds: int


class Paired(NamedTuple):
    """A paired t-test over seeds: ``effect`` with its 95 % interval, one-sided p-values, and
    ``by_seed``, the differences."""

    statistic: float
    p_value: float
    p_opposite: float
    effect: float
    low: float
    high: float
    n: int
    by_seed: tuple[float, ...]


def affected_classes_test(
    sweep: Sweep, *, level: float = 0.05, n_permutations: int = N_PERMUTATIONS, seed: int = 0
) -> Uneven:
    """Does distillation change which classes are easy, at the temperatures of the paper?

    If it did not, the NDS and the distilled students of a seed would be the same kind of student,
    and which of them is called the NDS would not matter: those names are permuted within each
    seed. That keeps the dependence between classes, and between students of one seed.
    """
    sweep.need_seeds()
    columns = sweep.between(*PAPER_RANGE)
    students = sweep.relative[np.column_stack([sweep.nds, sweep.ds[:, columns]])]
    n_seeds, n_roles, n_classes = students.shape
    rng = np.random.default_rng(seed)
    rows = np.broadcast_to(np.arange(n_roles), (n_seeds, n_roles))
    orders = [rows, *(rng.permuted(rows, axis=1) for _ in range(n_permutations - 1))]
    by_seed = np.arange(n_seeds)[:, None]
    parts = range(0, len(orders), 100)  # as many at a time as keep their arrays small
    counts = np.concatenate(
        [_mean_counts(students[by_seed, orders[i : i + 100]], level) for i in parts]
    )
    return Uneven(
        observed=float(counts[0]),
        permuted=counts,
        excess=float((counts[0] - counts[1:].mean()) / n_classes),
        p_value=float((counts >= counts[0]).mean()),
        n_seeds=n_seeds,
    )


def affected_trend(
    sweep: Sweep,
    comparison: str,
    *,
    low: float = PAPER_RANGE[0],
    high: float = PAPER_RANGE[1],
    alternative: str = "increasing",
    level: float = 0.05,
    n_permutations: int = N_PERMUTATIONS,
    seed: int = 0,
) -> trends.CountTrend:
    """Trend of #SC (``comparison="SC"``) or #TC ("TC") from one temperature to another."""
    sweep.need_seeds()
    reference = {"SC": sweep.nds, "TC": sweep.teacher}
    if comparison not in reference:
        raise ValueError(f"unknown comparison {comparison!r}; expected SC or TC")
    columns = sweep.between(low, high)
    return trends.count_trend(
        sweep.relative[reference[comparison]],
        sweep.relative[sweep.ds[:, columns]],
        level=level,
        alternative=alternative,
        n_permutations=n_permutations,
        seed=seed,
    )


def teacher_distance(sweep: Sweep) -> pd.DataFrame:
    """How far a student's class bias is from that of its seed's teacher.

    Returns
    -------
    pandas.DataFrame
        ``role`` ("nds" or "ds"), ``seed``, ``temperature``, ``distance``: mean over classes of the
        absolute difference of relative class accuracy.
    """
    teacher = sweep.relative[sweep.teacher]
    return _by_run(sweep, "distance", lambda runs: np.abs(sweep.relative[runs] - teacher).mean(-1))


def disagreements(sweep: Sweep) -> pd.DataFrame:
    """Share of examples on which a student disagrees with its seed's teacher (equation 7).

    Returns
    -------
    pandas.DataFrame
        ``role``, ``seed``, ``temperature``, ``disagreement``.
    """
    pred = sweep.results.pred
    return _by_run(
        sweep, "disagreement", lambda runs: (pred[runs] != pred[sweep.teacher]).mean(axis=-1)
    )


def disagreement_reduction(sweep: Sweep) -> Paired:
    """Does a distilled student disagree less with the teacher than the NDS does?

    Paired t-test over seeds on the share of examples: NDS less the mean of the distilled students
    over the paper's temperatures; ``effect`` is in units of the NDS's disagreement, positive where
    distillation brings agreement.
    """
    sweep.need_seeds()
    low, high = PAPER_RANGE
    frame = disagreements(sweep)
    nds = frame[frame["role"] == "nds"].set_index("seed")["disagreement"]
    inside = (frame["role"] == "ds") & frame["temperature"].between(low, high)
    if not inside.any():
        raise NotThere(f"there is no distilled student from T = {low:g} to {high:g}")
    ds = frame[inside].groupby("seed")["disagreement"].mean()
    if nds.mean() == 0:
        raise NotThere("the non-distilled students never disagree with their teachers")
    return paired_test(((nds - ds[nds.index]) / nds.mean()).to_numpy())


def paired_test(gains: NDArray[np.float64]) -> Paired:
    """One-sample t-test of differences ``[seed]``; p_value that they are above zero."""
    n, mean, by_seed = len(gains), float(gains.mean()), tuple(map(float, gains))
    error = float(gains.std(ddof=1) / np.sqrt(n))
    if error == 0:
        above = 0.5 if mean == 0 else float(mean < 0)
        t = float("nan") if mean == 0 else float(np.copysign(np.inf, mean))
        return Paired(t, above, 1 - above, mean, mean, mean, n, by_seed)
    t = mean / error
    half = float(stats.t.ppf(0.975, n - 1)) * error
    above, below = float(stats.t.sf(t, n - 1)), float(stats.t.cdf(t, n - 1))
    return Paired(t, above, below, mean, mean - half, mean + half, n, by_seed)


def class_effects(sweep: Sweep, comparison: str, temperature: float) -> pd.DataFrame:
    """Effect and p-value of each class at one temperature: what a volcano chart shows.

    Parameters
    ----------
    sweep : Sweep
    comparison : str
        "SC": DS against NDS; "TC": DS against teacher.
    temperature : float

    Returns
    -------
    pandas.DataFrame
        Columns of :func:`kdfair_core.metrics.affected_classes`, ``class_name`` and
        ``significant_bh``.
    """
    sweep.need_seeds()
    reference = {"SC": sweep.nds, "TC": sweep.teacher}
    if comparison not in reference:
        raise ValueError(f"unknown comparison {comparison!r}; expected SC or TC")
    results = sweep.results
    frame = metrics.affected_classes(
        results.y_true,
        results.pred[reference[comparison]],
        results.pred[sweep.at(temperature)],
        n_classes=len(results.classes),
    )
    frame["class_name"] = results.classes
    frame["significant_bh"] = metrics.benjamini_hochberg(frame["p_value"]) <= 0.05
    return frame


def _mean_counts(students: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    """Mean number of significant classes of every other role against the first.

    ``students`` is ``[permutation, seed, role, class]``; the answer ``[permutation]``.
    """
    runs = students.swapaxes(0, 1)  # [seed, permutation, role, class]
    counts = count_significant(runs[:, :, :1], runs[:, :, 1:], level=level)
    return counts.mean(axis=-1)


def _by_run(sweep: Sweep, name: str, measure: object) -> pd.DataFrame:
    assert callable(measure)
    columns = [("nds", np.nan, sweep.nds)] + [
        ("ds", t, sweep.ds[:, k]) for k, t in enumerate(sweep.temperatures)
    ]
    return pd.concat(
        [
            pd.DataFrame({"role": role, "seed": sweep.seeds, "temperature": t, name: measure(runs)})
            for role, t, runs in columns
        ],
        ignore_index=True,
    )
