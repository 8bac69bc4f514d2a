"""The control of EOD at equal accuracy finds a step that was planted, and none where none is."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from kdfair_book.evidence import NotThere, sweep
from kdfair_book.evidence.equal_accuracy import at_equal_accuracy
from kdfair_book.pages.study_sentences import scales
from kdfair_core import results

T = (1.0, 2.0, 4.0, 8.0, 20.0)


@dataclass
class Study:
    runs: pd.DataFrame
    eod: np.ndarray

    def group_fairness(self, attribute):
        return pd.DataFrame({"eod": self.eod})


@dataclass
class Kind:
    results: Study
    ds: np.ndarray
    seeds: tuple = (0, 1, 2, 3)
    temperatures: tuple = T

    def at(self, t):
        return self.ds[:, self.temperatures.index(t)]


def made(step, *, slope=-2.0, lost=0.03, seed=0):
    """EOD on a line of accuracy, with a step for students without the factor."""
    rng = np.random.default_rng(seed)
    n = 4 * len(T)
    accuracy = np.r_[rng.uniform(0.8, 0.9, n), rng.uniform(0.8, 0.9, n) - lost]
    kind = np.repeat([0.0, 1.0], n)
    eod = 2 + slope * accuracy + step * kind + 0.002 * rng.standard_normal(2 * n)
    study = Study(pd.DataFrame({"accuracy": accuracy}), eod)
    places = np.arange(2 * n).reshape(2, 4, len(T))
    return Kind(study, places[0]), Kind(study, places[1])


@pytest.mark.parametrize("step", [0.0, 0.05])
def test_a_planted_step_is_found_beside_what_accuracy_explains(step):
    found = at_equal_accuracy(*made(step), "color")
    assert found.low < step < found.high and found.high - found.low < 0.02
    assert found.total > step + 0.03  # three points of accuracy at a slope of two
    assert found.temperatures == T[1:]


def test_its_interval_covers():
    covered = 0
    for seed in range(200):
        found = at_equal_accuracy(*made(0.02, seed=seed), "color")
        covered += found.low <= 0.02 <= found.high
    assert 0.91 <= covered / 200 <= 0.99


def test_nothing_is_compared_where_accuracies_do_not_overlap():
    found = at_equal_accuracy(*made(0.05, lost=0.2), "color")
    assert not found.comparable and found.total > 0.05


def test_what_is_published():
    found = results.load("trifeature")
    with_, without = (sweep(found, soft_scale=scale) for scale in ("T2", "none"))
    texture = at_equal_accuracy(with_, without, "texture")
    assert 30.0 not in texture.temperatures  # one training collapsed there
    assert 0 < texture.low < texture.step < texture.high < texture.total


def test_a_page_says_it_with_its_interval_or_that_it_cannot_be_said():
    found = results.load("trifeature")
    with_, without = (sweep(found, soft_scale=scale) for scale in ("T2", "none"))
    texture = at_equal_accuracy(with_, without, "texture")
    low, high = (f"{100 * end:+.1f}" for end in (texture.low, texture.high))
    said = scales(found)
    assert f"(95 % interval {low} to {high}) of {100 * texture.total:+.1f} points by text" in said
    assert "none can be compared at equal accuracy" not in said
    apart = scales(results.load("faces"))
    assert "none can be compared at equal accuracy" in apart and "interval" not in apart


def test_one_seed_is_too_few():
    with_, without = made(0.0)
    without.seeds = (0,)
    with pytest.raises(NotThere, match="1 seeds"):
        at_equal_accuracy(with_, without, "color")
