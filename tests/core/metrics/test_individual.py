"""Individual unfairness against a plain loop over pairs, and scipy's distances."""

import numpy as np
import pytest
from scipy.spatial.distance import cosine, euclidean

from kdfair_core.metrics import (
    UndefinedMetricWarning,
    individual_unfairness,
    sample_pairs,
    unfairness_over_pairs,
)


def draw(seed, n=12, n_classes=None):
    rng = np.random.default_rng(seed)
    scores = rng.random(n) if n_classes is None else rng.dirichlet(np.ones(n_classes), n)
    return scores, rng.normal(size=(n, 4))


@pytest.mark.parametrize(("name", "oracle"), [("cosine", cosine), ("euclidean", euclidean)])
@pytest.mark.parametrize("n_classes", [None, 3])
def test_all_pairs_by_a_loop(name, oracle, n_classes):
    scores, features = draw(0, n_classes=n_classes)
    ratios = []
    for i in range(12):
        for j in range(i):
            gap = np.abs(scores[i] - scores[j]).sum() / (1 if n_classes is None else 2)
            ratios.append(gap / oracle(features[i], features[j]))
    value = individual_unfairness(scores, features, n_pairs=66, seed=0, distance=name)
    assert value == pytest.approx(np.mean(ratios))


def test_sampled_pairs_estimate_the_mean_over_all():
    rng = np.random.default_rng(1)
    scores, features = rng.random(400), rng.normal(size=(400, 6))
    all_pairs = individual_unfairness(scores, features, n_pairs=10**6, seed=0)
    pairs = sample_pairs(features, n_pairs=20_000, seed=3)
    ratios = np.abs(scores[pairs.first] - scores[pairs.second]) / pairs.distance
    sampled = individual_unfairness(scores, features, n_pairs=20_000, seed=3)
    assert abs(sampled - all_pairs) < 4 * ratios.std() / np.sqrt(20_000)
    assert (pairs.first != pairs.second).all()


def test_two_classes_are_the_score_of_the_positive_one():
    scores, features = draw(2)
    given = {"n_pairs": 40, "seed": 5}
    both = np.column_stack([1 - scores, scores])
    assert individual_unfairness(both, features, **given) == pytest.approx(
        individual_unfairness(scores, features, **given)
    )


def test_constant_predictor_is_perfectly_fair():
    _, features = draw(0)
    assert individual_unfairness(np.full(12, 0.3), features, n_pairs=50, seed=0) == 0


def test_seed_decides():
    scores, features = draw(3, n=60)
    first, again, other = (
        individual_unfairness(scores, features, n_pairs=100, seed=s) for s in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_runs_share_pairs():
    rng = np.random.default_rng(0)
    features = rng.integers(0, 256, (50, 3, 4, 4), dtype=np.uint8)
    runs = rng.dirichlet(np.ones(3), (4, 50)).astype(np.float16)
    pairs = sample_pairs(features, n_pairs=300, seed=1)
    expected = [individual_unfairness(run, features, n_pairs=300, seed=1) for run in runs]
    np.testing.assert_allclose(unfairness_over_pairs(runs, pairs), expected)


def test_pairs_at_distance_zero_are_left_out_and_counted():
    features = np.array([[1.0, 0], [2, 0], [0, 1]])  # the first two point the same way
    with pytest.warns(UndefinedMetricWarning, match="1 of 3 pairs"):
        value = individual_unfairness([0.0, 0.5, 1.0], features, n_pairs=3, seed=0)
    assert value == pytest.approx((1 + 0.5) / 2)
    assert sample_pairs(features, n_pairs=3, seed=0).n_same == 1


def test_all_pairs_at_distance_zero_is_nan():
    with pytest.warns(UndefinedMetricWarning, match="NaN"):
        value = individual_unfairness([0.0, 1.0], np.ones((2, 3)), n_pairs=5, seed=0)
    assert np.isnan(value)


def test_distance_is_pluggable():
    scores, features = draw(4)
    given = {"n_pairs": 66, "seed": 0}
    twice = individual_unfairness(
        scores, features, distance=lambda a, b: 2 * np.linalg.norm(a - b, axis=1), **given
    )
    once = individual_unfairness(scores, features, distance="euclidean", **given)
    assert twice == pytest.approx(once / 2)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"scores": [0.1, 0.2]}, "2 examples and features 3"),
        ({"scores": np.zeros((3, 2, 2))}, "shape"),
        ({"scores": [0.1, np.nan, 0.2]}, "1 NaN"),
        ({"features": [1.0, 2, 3]}, "shape"),
        ({"features": np.zeros((1, 3))}, "two examples"),
        ({"features": [[np.nan], [1], [2]]}, "NaN"),
        ({"features": [["a"], ["b"], ["c"]]}, "numbers"),
        ({"n_pairs": 0}, "n_pairs is 0"),
        ({"distance": "manhattan"}, "'manhattan'; expected one of cosine, euclidean"),
        ({"distance": lambda a, b: -np.ones(len(a))}, "negative"),
    ],
)
def test_bad_input_is_refused(given, message):
    good = {"scores": [0.1, 0.2, 0.3], "features": np.eye(3), "n_pairs": 3, "seed": 0}
    given = good | given
    with pytest.raises(ValueError, match=message):
        individual_unfairness(given.pop("scores"), given.pop("features"), **given)


def test_runs_of_the_wrong_shape_are_refused():
    with pytest.raises(ValueError, match="shape"):
        unfairness_over_pairs(np.zeros(3), sample_pairs(np.eye(3), n_pairs=3, seed=0))
