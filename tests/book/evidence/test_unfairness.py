"""Intervals of individual unfairness, over examples and seeds together."""

import numpy as np
import pytest

from kdfair_book.evidence.unfairness import UnfairnessBootstrap
from kdfair_core.metrics import sample_pairs


def features_and_scores(rng, n=300, runs=4, softness=1.0):
    features = rng.normal(size=(n, 5))
    logits = features[:, :3] * 2 + rng.normal(size=(runs, n, 3))
    odds = np.exp(logits / softness)
    return features, odds / odds.sum(axis=-1, keepdims=True)


def test_unfairness_interval_holds_its_mean_and_tells_soft_from_sharp():
    rng = np.random.default_rng(0)
    features, sharp = features_and_scores(rng)
    _, soft = features_and_scores(np.random.default_rng(0), softness=5.0)
    pairs = sample_pairs(features, n_pairs=4000, seed=0, distance="euclidean")
    boot = UnfairnessBootstrap([sharp, soft], pairs, seed=0)
    for model, scores in enumerate([sharp, soft]):
        gaps = np.abs(scores[:, pairs.first] - scores[:, pairs.second]).sum(-1) / 2 / pairs.distance
        np.testing.assert_allclose(boot.by_run(model), gaps.mean(axis=1))
        interval = boot.interval(model)
        assert interval["low"] < interval["value"] < interval["high"]
    difference = boot.difference(0, 1)
    assert difference["low"] > 0
    assert difference["p_value"] < 0.01
    assert boot.difference(0, 0)["p_value"] == 1


def test_unfairness_interval_covers():
    rng = np.random.default_rng(1)
    features, scores = features_and_scores(rng, n=4000, runs=1)
    pairs = sample_pairs(features, n_pairs=400_000, seed=0, distance="euclidean")
    truth = UnfairnessBootstrap([scores], pairs, n_boot=2, seed=0).by_run(0)[0]
    n, held = 150, 0
    for study in range(n):
        chosen = rng.choice(4000, 150, replace=False)
        few = sample_pairs(features[chosen], n_pairs=20_000, seed=study, distance="euclidean")
        interval = UnfairnessBootstrap([scores[:, chosen]], few, n_boot=200, seed=study).interval(0)
        held += interval["low"] <= truth <= interval["high"]
    assert held / n >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / n)


def test_unfairness_refuses_bad_input():
    rng = np.random.default_rng(0)
    features, scores = features_and_scores(rng)
    pairs = sample_pairs(features, n_pairs=10, seed=0)
    with pytest.raises(ValueError, match="n_boot is 1"):
        UnfairnessBootstrap([scores], pairs, n_boot=1, seed=0)
    with pytest.raises(ValueError, match="level is 0"):
        UnfairnessBootstrap([scores], pairs, seed=0).interval(0, level=0)
    none = pairs._replace(first=pairs.first[:0])
    with pytest.raises(ValueError, match="no pairs"):
        UnfairnessBootstrap([scores], none, seed=0)


def test_runs_of_one_seed_are_a_pair_wherever_they_lie():
    rng, order = np.random.default_rng(0), [2, 0, 3, 1]
    scores_a, scores_b = rng.random((4, 60)), rng.random((4, 60))
    pairs = sample_pairs(rng.random((60, 3)), n_pairs=200, seed=0)

    def difference(b, seeds):
        given = dict(n_boot=300, seed=0)
        return UnfairnessBootstrap([scores_a, b], pairs, seeds=seeds, **given).difference(0, 1)

    straight = difference(scores_b, [[0, 1, 2, 3]] * 2)
    shuffled = difference(scores_b[order], [[0, 1, 2, 3], order])
    assert shuffled == pytest.approx(straight, rel=1e-5)
    assert difference(scores_b[order], None) != pytest.approx(straight, rel=1e-3)
