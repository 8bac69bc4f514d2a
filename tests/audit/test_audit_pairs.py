"""Differences between models pair runs by seed, not by where they lie."""

import numpy as np
import pytest

from kdfair_audit.intervals import FairnessBootstrap

RNG = np.random.default_rng(0)
N = 400
Y, GROUPS = RNG.integers(2, size=N), RNG.integers(2, size=N)
LUCK = [RNG.random(N) < 0.1 + 0.1 * k for k in range(4)]  # a seed's, which both models share


def model(seeds, more):
    extra = RNG.random((len(seeds), N)) < more
    return np.stack([np.where(LUCK[s] ^ e, 1 - Y, Y) for s, e in zip(seeds, extra, strict=True)])


A, B = model([0, 1, 2, 3], 0.02), model([0, 1, 2, 3], 0.05)
ORDER = [2, 0, 3, 1]


def boot(b, seeds):
    return FairnessBootstrap(
        Y, [A, b], sensitive_features=GROUPS, n_classes=2, seeds=seeds, n_boot=400, seed=0
    )


def test_the_order_of_runs_does_not_matter():
    metric = "accuracy"
    straight = boot(B, [[0, 1, 2, 3], [0, 1, 2, 3]]).difference(0, 1, metric)
    shuffled = boot(B[ORDER], [[0, 1, 2, 3], ORDER]).difference(0, 1, metric)
    by_place = boot(B[ORDER], None).difference(0, 1, metric)
    assert straight == boot(B, None).difference(0, 1, metric)
    # examples are drawn in another order, so widths are near, not equal
    assert width(shuffled) == pytest.approx(width(straight), rel=0.15)
    assert width(by_place) > 1.5 * width(straight)


def width(found):
    return found["high"] - found["low"]


def test_other_seeds_are_no_pairs():
    pairs = boot(B, [[0, 1, 2, 3], [0, 1, 2, 3]]).difference(0, 1, "accuracy")
    others = boot(B, [[0, 1, 2, 3], [5, 6, 7, 8]]).difference(0, 1, "accuracy")
    assert others["difference"] == pairs["difference"]
    assert width(others) > 1.5 * width(pairs)


def test_seeds_that_do_not_fit():
    with pytest.raises(ValueError, match=r"seeds has \[4, 3\] seeds for models of \[4, 4\] runs"):
        boot(B, [[0, 1, 2, 3], [0, 1, 2]])
