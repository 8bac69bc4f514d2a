"""Lab 2: class bias, Welch's test, multiplicity."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from kdfair_book import paper
from kdfair_book.evidence.chance import chance_count
from kdfair_book.labs.checking import array, call, close, need, number_of, question
from kdfair_core import metrics

N_CLASSES, PER_CLASS, SEEDS = 100, 100, 5
# Of the three made-up studies, how many classes distillation really changes, and by how much.
EFFECTS = {"A": (0, 0.0), "B": (12, 0.16), "C": (0, 0.0)}


def studies() -> dict[str, dict[str, NDArray[np.int64]]]:
    """Three made-up studies of 100 classes, predictions drawn at random.

    Each has ``y`` [example] and, for "nds", "ds" and "null" (more NDS, the null control),
    predictions [run, example] of five seeds. In one of them distillation changes some classes.
    """
    return {name: _study(index, *EFFECTS[name]) for index, name in enumerate(EFFECTS)}


def _study(index: int, changed: int, effect: float) -> dict[str, NDArray[np.int64]]:
    rng = np.random.default_rng([2, index])
    y = np.repeat(np.arange(N_CLASSES), PER_CLASS)
    level = rng.uniform(0.55, 0.85, N_CLASSES)
    shift = np.zeros(N_CLASSES)
    shift[rng.permutation(N_CLASSES)[:changed]] = effect * rng.choice([-1, 1], changed)
    out = {"y": y}
    for role, moved in (("nds", 0 * shift), ("ds", shift), ("null", 0 * shift)):
        # From seed to seed a class's accuracy varies by more than the choice of examples.
        chance = level + moved + 0.02 * rng.normal(size=(SEEDS, N_CLASSES))
        right = rng.random((SEEDS, len(y))) < chance[:, y]
        out[role] = np.where(right, y, (y + rng.integers(1, N_CLASSES, right.shape)) % N_CLASSES)
    return out


def tiny() -> tuple[NDArray[Any], NDArray[Any]]:
    """Labels [example] and predictions [run, example] of three classes of unequal size."""
    rng = np.random.default_rng(5)
    y = np.repeat([0, 1, 2], [20, 30, 50])
    return y, np.where(rng.random((4, 100)) < 0.7, y, rng.integers(0, 3, (4, 100)))


@question("2.1")
def class_accuracy(answer: Any) -> None:
    y, pred = tiny()
    values = array(answer, y, pred[0], 3, shape=(3,))
    need(((values >= 0) & (values <= 1)).all(), "accuracies are fractions between 0 and 1.")
    need(
        not np.allclose(values, [np.mean(y[pred[0] == c] == c) for c in range(3)]),
        "you look at the examples that are predicted as the class; take those that belong to it.",
    )
    expected = metrics.class_accuracy(y, pred[0], n_classes=3)
    need(not np.isclose(values.sum(), np.mean(y == pred[0])), "divide by the class's own size.")
    close(values, expected, "not the share of a class's examples that are predicted right.")


@question("2.2")
def relative_accuracy(answer: Any) -> None:
    y, pred = tiny()
    values = array(answer, y, pred, 3, shape=(4, 3))
    expected = metrics.relative_class_accuracy(y, pred, n_classes=3)
    plain = metrics.class_accuracy(y, pred, n_classes=3)
    need(
        not np.allclose(values, plain / plain.mean(axis=1, keepdims=True)),
        "the denominator is the accuracy over all examples; classes here differ in size.",
    )
    need(
        not np.allclose(values, plain / (y == pred).mean()),
        "each run is divided by its own overall accuracy.",
    )
    close(values, expected, "not class accuracy over overall accuracy, run by run.")


@question("2.3")
def welch(answer: Any) -> None:
    rng = np.random.default_rng(6)
    a, b = rng.normal(0, 1, 5), rng.normal(0.5, 4, 8)
    returned = call(answer, a, b)
    need(
        np.shape(returned) == (2,), "return two numbers: the statistic and the degrees of freedom."
    )
    t, df = np.asarray(returned, dtype=float)
    exact = stats.ttest_ind(a, b, equal_var=False)
    pooled = stats.ttest_ind(a, b)
    need(
        not np.isclose(abs(t), abs(pooled.statistic)), "that is Student's t: do not pool variances."
    )
    close(
        abs(t), abs(exact.statistic), "the statistic is wrong; variances are of samples (ddof=1)."
    )
    need(np.sign(t) == np.sign(exact.statistic), "the sign should be that of mean(a) - mean(b).")
    need(not np.isclose(df, 11), "those are the degrees of freedom with equal variances.")
    close(df, exact.df, "the degrees of freedom are not Welch's.")


@question("2.4")
def counts(answer: Any) -> None:
    _counts_like(answer, "nds", "ds")


@question("2.5")
def chance(answer: Any) -> None:
    values = np.asarray(answer, dtype=float)
    need(values.shape == (3,), "expected three numbers: low, mean, high.")
    close(values[1], N_CLASSES * 0.05, "the mean is not right.")
    low, _, high = chance_count(N_CLASSES)
    need(values[0] <= values[1] <= values[2], "expected low, mean, high in this order.")
    need(
        (values[0], values[2]) == (low, high),
        "not the central 95 % of a binomial distribution of 100 tests at level 0.05.",
    )


@question("2.6")
def benjamini_hochberg(answer: Any) -> None:
    p = np.array([0.009, 0.04, 0.5, 0.0001, 0.021, 0.9, 0.03, 0.7])
    kept = np.asarray(call(answer, p, 0.05))
    need(kept.dtype == bool and kept.shape == p.shape, "return one True or False for each p-value.")
    need((kept != (p <= 0.05)).any(), "that is no correction at all.")
    need((kept != (p <= 0.05 / len(p))).any(), "that is Bonferroni's correction.")
    # p-values that fail their own step are kept if a larger one passes.
    ladder = np.array([0.02, 0.03, 0.04, 0.05])
    need(
        np.asarray(call(answer, ladder, 0.05)).all(),
        "find the largest rank that passes; everything below it is kept, passed or not.",
    )
    for values in (p, np.random.default_rng(0).random(40) ** 3):
        expected = metrics.benjamini_hochberg(values) <= 0.05
        need(
            (np.asarray(call(answer, values, 0.05)) == expected).all(),
            "not all are as they should.",
        )


@question("2.7")
def which_is_real(answer: Any) -> None:
    need(isinstance(answer, str) and answer in EFFECTS, "expected one letter: A, B or C.")
    need(
        EFFECTS[answer][0] > 0,
        "look again at what survives the correction, and at what the null control gave.",
    )


@question("2.8")
def beyond_chance(answer: Any) -> None:
    table = paper.table("table6").query("study == 'cifar100' and role == 'ds' and metric == 'sc'")
    high = chance_count(N_CLASSES).high
    expected = sorted(table.loc[table["mean"] > high, "temperature"])
    given = sorted({float(number_of(t)) for t in answer})
    need(given, "the list is empty.")
    known = set(table["temperature"])
    need(set(given) <= known, "there is a temperature in your list that the table does not have.")
    need(given == expected, "compare each #SC with the upper end of the interval from 2.5.")


def _counts_like(answer: Any, first: str, second: str) -> None:
    need(
        isinstance(answer, dict) and set(answer) == set(EFFECTS), 'expected a dict: "A", "B", "C".'
    )
    for name, study in studies().items():
        tests = metrics.affected_classes(
            study["y"], study[first], study[second], n_classes=N_CLASSES
        )
        need(
            number_of(answer[name]) == tests["significant"].sum(),
            f"the count for {name} is not right: test relative accuracies, class by class, and "
            "count p <= 0.05.",
        )
