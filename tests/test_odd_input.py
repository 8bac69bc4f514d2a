"""Whatever a public function is given, it answers or says in a ValueError what is wrong."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kdfair_book.evidence.chance import affected_counts, chance_count
from kdfair_core import datasets, metrics, results, studies

RNG = np.random.default_rng(0)
Y, P, G = np.array([0, 1, 1, 0, 1, 0]), np.array([0, 1, 0, 0, 1, 1]), np.array(list("aabbab"))
RUNS = np.stack([P, Y])
FOUND = results.load("digits", root=Path(__file__).parents[1] / "data" / "examples")

ODD = [
    None, "", "x", 0, -1, 1.5, True, float("nan"), 10**30, np.int8(5), object(), {}, [], [[]],
    [None] * 6, np.array(3), np.zeros((2, 0)), np.full(6, np.inf), np.array(["a"] * 6),
    np.full(6, -1), np.zeros((6, 2)), pd.Series(["a", None, "b", "a", "b", "a"]),
]  # fmt: skip

CALLS = {
    "dpd": (
        lambda y, p, g, w: metrics.demographic_parity_difference(
            y, p, sensitive_features=g, sample_weight=w
        ),
        [Y, P, G, np.ones(6)],
    ),
    "eod": (
        lambda y, p, g: metrics.equalized_odds_difference(y, p, sensitive_features=g),
        [Y, P, G],
    ),
    "group_counts": (
        lambda y, p, g, n: metrics.group_counts(y, p, sensitive_features=g, n_classes=n),
        [Y, P, G, 2],
    ),
    "class_accuracy": (lambda y, p, n: metrics.class_accuracy(y, p, n_classes=n), [Y, P, 2]),
    "disagreement": (lambda a, b, n: metrics.disagreement_matrix(a, b, n_classes=n), [Y, P, 2]),
    "affected_classes": (
        lambda y, a, b, n, level, c: metrics.affected_classes(
            y, a, b, n_classes=n, level=level, correction=c
        ),
        [Y, RUNS, RUNS[::-1], 2, 0.05, None],
    ),
    "individual_unfairness": (
        lambda s, f, n, d: metrics.individual_unfairness(s, f, n_pairs=n, seed=0, distance=d),
        [RNG.random(6), RNG.random((6, 2)), 10, "cosine"],
    ),
    "bootstrap_interval": (
        lambda c, m, n, level: metrics.bootstrap_interval(c, m, n_boot=n, level=level, seed=0),
        [metrics.group_counts(Y, P, sensitive_features=G, n_classes=2), "dpd", 10, 0.95],
    ),
    "welch": (metrics.welch, [RNG.random((3, 2)), RNG.random((3, 2))]),
    "benjamini_hochberg": (metrics.benjamini_hochberg, [RNG.random(4)]),
    "chance_count": (chance_count, [10, 0.05]),
    "results.load": (results.load, ["trifeature", "laptop"]),
    "studies.get": (studies.get, ["trifeature"]),
    "profile": (studies.get("trifeature").profile, ["laptop"]),
    "datasets.load": (lambda name: datasets.load(name, root=Path("nowhere")), ["trifeature"]),
    "trifeature": (
        lambda n, m, size: datasets.load("trifeature", n_train=n, n_test=m, size=size),
        [10, 10, 32],
    ),
    "only": (lambda s, t, a: FOUND.only(seeds=s, temperatures=t, alphas=a), [0, 4, 0.8]),
    "group_fairness": (FOUND.group_fairness, ["ink"]),
    "fairness_summary": (lambda a, level: FOUND.fairness_summary(a, level=level), ["ink", 0.9]),
    "individual_fairness": (lambda s, n: FOUND.individual_fairness(s, n_pairs=n), ["teacher", 50]),
    "affected_counts": (lambda level: affected_counts(FOUND, level=level), [0.05]),
}


@pytest.mark.parametrize("name", CALLS)
def test_it_answers_or_says_what_is_wrong(name):
    call, good = CALLS[name]
    refused = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # undefined metrics are named, elsewhere tested
        for place in range(len(good)):
            for odd in ODD:
                given = [*good[:place], odd, *good[place + 1 :]]
                try:
                    call(*given)
                except (ValueError, FileNotFoundError) as error:
                    assert str(error), f"an error without a word for {odd!r}"
                    refused += 1
    assert refused > 0
