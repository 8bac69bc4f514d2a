"""Power against statsmodels, and against simulated studies."""

import numpy as np
import pytest
from statsmodels.stats.power import TTestIndPower

from kdfair_book.evidence.power import bh_level, power_after_bh, seeds_needed, welch_power
from kdfair_core.metrics import benjamini_hochberg, welch


@pytest.mark.parametrize("n", [5, 20, 100])
@pytest.mark.parametrize("effect", [0.2, 0.5, 1.0, 2.0])
def test_equal_spread_is_a_little_less_than_students_test(n, effect):
    students = TTestIndPower().power(effect, nobs1=n, alpha=0.05, ratio=1)
    ours = welch_power(effect, 1, 1, n_a=n)
    assert students - 0.15 / n <= ours <= students + 1e-8


@pytest.mark.parametrize(
    ("effect", "sd_a", "sd_b", "n_a", "n_b"),
    [
        (1.5, 1, 1, 5, 5),
        (1.5, 0.3, 1.2, 5, 5),
        (1.0, 1, 0.5, 10, 4),
        (0.0, 1, 1, 5, 5),
        (3.0, 1, 1, 2, 2),
        (0.5, 1, 2, 60, 40),
    ],
)
def test_power_is_what_simulated_studies_find(effect, sd_a, sd_b, n_a, n_b):
    rng = np.random.default_rng(0)
    n = 20_000
    p_values = welch(
        rng.normal(0, sd_a, (n_a, n)),
        rng.normal(effect, sd_b, (n_b, n)),
    )[1]
    power = welch_power(effect, sd_a, sd_b, n_a=n_a, n_b=n_b)
    found = (p_values <= 0.05).mean()
    assert abs(found - power) <= 3.5 * np.sqrt(power * (1 - power) / n) + 1e-3


def test_power_grows_to_one_and_never_breaks():
    n = np.array([2, 3, 5, 10, 100, 1000, 10_000])
    power = welch_power(0.5, 1, 1, n_a=n)
    assert (np.diff(power) >= 0).all()
    assert power[-1] == pytest.approx(1)
    assert welch_power(1e6, 1, 1, n_a=2, level=1e-5) > 0.9
    assert welch_power(0.1, 0, 0, n_a=5) == 1
    assert welch_power(0, 0, 0, n_a=5) == 0.05


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_power_after_correction_is_what_simulated_studies_find(share):
    rng = np.random.default_rng(1)
    n_studies, n_classes, n, effect = 200, 100, 8, 2.0
    affected = int(share * n_classes)
    found = []
    for _ in range(n_studies):
        a, b = rng.normal(size=(2, n, n_classes))
        b[:, :affected] += effect
        found.append((benjamini_hochberg(welch(a, b)[1])[:affected] <= 0.05).mean())
    expected = power_after_bh(effect, 1, 1, n=n, share=share, n_classes=n_classes)
    assert abs(np.mean(found) - expected) <= 4 * np.std(found) / np.sqrt(n_studies) + 0.02


def test_correction_lies_between_bonferroni_and_none():
    given = {"n": 5, "n_classes": 50, "level": 0.05}
    levels = [bh_level(1.5, 1, 1, share=share, **given) for share in (0, 0.1, 0.5, 1)]
    assert levels[0] == pytest.approx(0.001)
    assert all(np.diff(levels) >= 0)
    assert levels[-1] <= 0.05


def test_seeds_needed_is_the_first_number_that_suffices():
    for given in ({}, {"n_classes": 100, "share": 0.2}, {"n_classes": 10}):
        n = int(seeds_needed(1.0, 1, 1, power=0.8, **given))
        rest = {"n_classes": 1, "share": 0.0} | given
        assert power_after_bh(1.0, 1, 1, n=n, **rest) >= 0.8
        assert power_after_bh(1.0, 1, 1, n=n - 1, **rest) < 0.8
    assert seeds_needed(1.0, 1, 1) == 17  # the textbook's answer for an effect of one deviation
    assert seeds_needed(1e-4, 1, 1) == np.inf


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="two runs"):
        welch_power(1, 1, 1, n_a=1)
    with pytest.raises(ValueError, match="power is 2"):
        seeds_needed(1, 1, 1, power=2)
    with pytest.raises(ValueError, match="share is 2"):
        seeds_needed(1, 1, 1, share=2, n_classes=3)
