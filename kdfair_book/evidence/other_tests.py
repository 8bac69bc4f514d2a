"""The same claims by tests that use more of what was measured, beside the plain ones.

Stated before any of their results was looked at:

- *Paired classes.* Students of a seed saw the same views, and student and teacher of a seed are
  teacher and pupil: so each class's test is the paired t-test over seeds instead of Welch's. It
  assumes that differences within a seed are roughly normal, and pays with half the degrees of
  freedom; it gains where runs of a seed resemble each other. The trend of the counts is tested as
  before, by permuting temperatures within seeds.
- *Probabilities.* Two claims are about how near a student is to its teacher. Instead of decisions
  they are asked of the scored examples' probabilities: the distance between two models is the mean
  over examples of the total variation distance between their probabilities, half the sum of
  absolute differences. It moves where no decision changes, and also where only confidence does.

Already paired in the plain tests: Page's test and the permutations rank or permute within a seed,
the paired t-test of disagreement is one, and differences of DPD and EOD redraw the same examples
and pair runs by seed. Individual fairness is measured on probabilities throughout.

Error rates and power: :func:`simulate_pairing`, :func:`simulate_probabilities`.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from kdfair_book.evidence import trends
from kdfair_book.evidence.claim_tests import Finding, of_trend, page_finding, path
from kdfair_book.evidence.class_bias import paired_test, teacher_distance
from kdfair_book.evidence.softening import softmax
from kdfair_book.evidence.sweep import PAPER_RANGE, NotThere, Sweep, sweep
from kdfair_core.metrics.significance import moments, welch_from_moments
from kdfair_core.results import load

Array = NDArray[Any]


def paired_counts(
    found: Sweep, comparison: str, alternative: str, low: float, high: float
) -> Finding:
    """Trend of #SC or #TC where each class's test is paired over seeds.

    Parameters
    ----------
    found : Sweep
    comparison : str
        "SC" or "TC".
    alternative : str
        "increasing" or "decreasing", what is claimed.
    low, high : float
        Temperatures.
    """
    found.need_seeds()
    columns = found.between(low, high)
    reference = found.relative[found.nds if comparison == "SC" else found.teacher]
    students = found.relative[found.ds[:, columns]]
    trend = trends.count_trend(reference, students, alternative=alternative, paired=True)
    detail = f"#{comparison} {path(found, columns, trend.counts, '{:d}')}"
    return of_trend(trend, alternative, len(found.seeds), detail)


def closer_in_probabilities(found: Sweep) -> Finding:
    """The DS's probabilities come nearer to its teacher's as T rises."""
    found.need_seeds()
    columns = found.between(*PAPER_RANGE)
    _, ds = teacher_variation(found)
    values = ds[:, columns]
    detail = f"mean total variation {path(found, columns, values.mean(0), '{:.4f}')}"
    return page_finding(trends.page_test(values, alternative="decreasing"), -1, detail)


def less_variation(found: Sweep) -> Finding:
    """The DS's probabilities are nearer to its teacher's than the NDS's are."""
    found.need_seeds()
    nds, ds = teacher_variation(found)
    mean = ds[:, found.between(*PAPER_RANGE)].mean(axis=1)
    if nds.mean() == 0:
        raise NotThere("the non-distilled students' probabilities are their teachers'")
    test = paired_test((nds - mean) / nds.mean())
    word = "nearer to" if test.effect >= 0 else "farther from"
    detail = f"the DS's probabilities are {100 * abs(test.effect):.1f} % {word} the teacher's"
    return Finding(*test[:7], detail=detail, by_seed=test.by_seed)


def teacher_variation(found: Sweep) -> tuple[Array, Array]:
    """Mean total variation distance to the seed's teacher, of the NDS and of the DS.

    Returns
    -------
    tuple of float array
        ``[seed]`` and ``[seed, temperature]``.

    Raises
    ------
    NotThere
        Without two scored examples, or with logits that are not finite.
    """
    if len(found.results.scored) < 2:
        raise NotThere("no logits are published")
    runs = np.column_stack([found.teacher, found.nds, found.ds])
    logits = found.results.logits[runs].astype(float)  # [seed, model, example, class]
    if not np.isfinite(logits).all():
        raise NotThere("logits of some runs are not finite")
    scores = softmax(logits)
    distance = np.abs(scores[:, 1:] - scores[:, :1]).sum(axis=-1).mean(axis=-1) / 2
    return distance[:, 0], distance[:, 1:]


def simulate_pairing(
    *, n_studies: int = 1000, n_boot: int = 0, level: float = 0.95, seed: int = 0
) -> pd.DataFrame:
    """False-positive rate and power of Welch's and of the paired test of a class.

    Predictions of two kinds of student on ten classes of 200 examples: an example is hard for
    all, hard for the views of a seed, or hard for one run; how much the second weighs against the
    third is the resemblance of a seed's runs. One class in ten truly changes.

    Parameters
    ----------
    n_studies : int
        Simulated pairs of kinds.
    n_boot : int
        Unused; simulations share their arguments.
    level : float
        Tests are two-sided at 1 - level.
    seed : int

    Returns
    -------
    pandas.DataFrame
        ``seeds``, ``resemblance`` (0 to 1), ``effect`` (points of accuracy of the class that
        changes), ``method`` ("Welch", "paired"), ``rejected`` (of that class), ``n_studies``.
    """
    rows = []
    y = np.repeat(np.arange(10), 200)
    worlds = product((3, 5), (0.0, 0.4, 0.8), (0.0, 0.03, 0.06))
    for number, (n, resemblance, effect) in enumerate(worlds):
        rng = np.random.default_rng([seed, number])
        right = np.full((2, 10), 0.8)
        right[1, 0] += effect
        p_values = []
        for _ in range(n_studies):
            views, own = rng.normal(size=(n, y.size)), rng.normal(size=(2, n, y.size))
            mixed = np.sqrt(resemblance) * views + np.sqrt(1 - resemblance) * own
            hard = special.ndtr(np.sqrt(0.5) * (rng.normal(size=y.size) + mixed))
            accuracy = (hard < right[:, None, y]).reshape(2, n, 10, 200).mean(axis=-1)
            a, b = (accuracy / accuracy.mean(axis=-1, keepdims=True))[..., :1]
            _, welch, _ = welch_from_moments(moments(a), moments(b))
            p_values.append([welch[0], trends.paired_p_value(a - b)[0]])
        rejected = (np.array(p_values) <= 1 - level).mean(axis=0)
        for method, share in zip(("Welch", "paired"), rejected, strict=True):
            where = {"seeds": n, "resemblance": resemblance, "effect": effect, "method": method}
            rows.append(where | {"rejected": float(share), "n_studies": n_studies})
    return pd.DataFrame(rows)


CLASSES = (("trifeature", "laptop"), ("cifar10", "laptop"), ("cifar100", "laptop"))


def simulate_probabilities(
    *, n_studies: int = 1000, n_boot: int = 0, level: float = 0.95, seed: int = 0
) -> pd.DataFrame:
    """False-positive rate and power of the trend towards the teacher, by decisions and scores.

    Our runs, with temperatures permuted within each seed, which leaves no trend; then a fall is
    planted. "decisions" is the plain test's distance between class accuracies, "probabilities" the
    total variation.

    Parameters
    ----------
    n_studies : int
        Simulated studies of each kind.
    n_boot : int
        Unused; simulations share their arguments.
    level : float
        Tests are one-sided at 1 - level.
    seed : int

    Returns
    -------
    pandas.DataFrame
        ``study``, ``effect`` (share of the mean distance that falls from first to last T),
        ``method``, ``rejected``, ``n_studies``.
    """
    rows = []
    for number, name in enumerate(CLASSES):
        found = sweep(load(*name))
        columns = found.between(*PAPER_RANGE)
        frame = teacher_distance(found).query("role == 'ds'")
        plain = frame.pivot(index="seed", columns="temperature", values="distance").to_numpy()
        measures = {"decisions": plain, "probabilities": teacher_variation(found)[1]}
        for method, values in measures.items():
            table = values[:, columns]
            k = table.shape[1]
            for effect in (0.0, 0.1, 0.2):
                rng = np.random.default_rng([seed, number])
                fall = effect * table.mean() * np.arange(k) / (k - 1)
                rejected = [
                    trends.page_test(
                        rng.permuted(table, axis=1) - fall, alternative="decreasing"
                    ).p_value
                    <= 1 - level
                    for _ in range(n_studies)
                ]
                where = {"study": name[0], "effect": effect, "method": method}
                rows.append(where | {"rejected": np.mean(rejected), "n_studies": n_studies})
    return pd.DataFrame(rows)
