"""What would decide a verdict, against simulated tests and answers that are known."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from kdfair_book import claims
from kdfair_book.claims.deciding import add_deciding, seed_hours, what_decides
from kdfair_book.claims.seeds_to_decide import (
    SMALL,
    Missing,
    count_shares,
    examples_error,
    mean_seeds,
    page_seeds,
)
from kdfair_book.evidence import Sweep
from kdfair_book.evidence.chance import count_significant
from kdfair_book.evidence.trends import page_test


def rejections(draw, test, n: int, times: int = 1500) -> float:
    rng = np.random.default_rng(1)
    return float(np.mean([test(draw(rng, n)) for _ in range(times)]))


def test_seeds_for_a_mean_have_the_power_that_they_are_named_for():
    need = mean_seeds(0.5, 0.7)
    assert need.towards == "holds"

    def significant(values):
        return stats.ttest_1samp(values, 0, alternative="greater").pvalue <= 0.05

    def draw(rng, n):
        return rng.normal(0.5, 0.7, n)

    assert rejections(draw, significant, int(need.seeds)) == pytest.approx(0.8, abs=0.06)
    assert rejections(draw, significant, int(need.seeds) - 2) < 0.8


def test_seeds_for_a_trend_have_the_power_that_they_are_named_for():
    k, slope = 8, 0.15

    def draw(rng, n):
        return slope * np.arange(k) + rng.normal(size=(n, k))

    blocks = page_test(draw(np.random.default_rng(0), 4000)).by_block
    need = page_seeds(float(blocks.mean()), float(blocks.std(ddof=1)), k)
    power = rejections(draw, lambda v: page_test(v).p_value <= 0.05, int(need.seeds), 600)
    assert need.towards == "holds" and power == pytest.approx(0.8, abs=0.09)


def test_a_small_effect_is_decided_by_whichever_comes_first():
    """The direction, or that the interval ends below what would matter."""
    direction = page_seeds(0.25, 0.2, 10, smallest=0.3)
    assert direction.towards == SMALL and direction.seeds == page_seeds(0.25, 0.2, 10).seeds
    assert "towards holds, with an effect below what would matter" in str(direction)
    bound = page_seeds(0.05, 0.2, 10, smallest=0.3)
    assert bound.towards == "fails" and bound.seeds < page_seeds(0.05, 0.2, 10).seeds
    assert mean_seeds(0.002, 0.001, smallest=0.0025).towards == SMALL
    assert mean_seeds(0.0, 0.001, smallest=0.0025).towards == "fails"
    assert "nothing was seen either way" in str(mean_seeds(0.0, 0.001))
    # Bonferroni's level over two open verdicts is that of the bound: the tests stay apart
    halved = page_seeds(0.25, 0.2, 10, smallest=0.3, level=0.025)
    assert halved.seeds == page_seeds(0.25, 0.2, 10, level=0.025).seeds


def test_the_opposite_decides_too():
    assert page_seeds(-0.6, 0.2, 10, smallest=0.3).towards == "fails"
    assert mean_seeds(-0.6, 0.2).towards == "fails"


def test_noise_of_the_examples_is_not_mended_by_seeds():
    blocked = mean_seeds(0.01, 0.001, error=0.02)
    assert np.isinf(blocked.seeds)
    times = ((stats.norm.isf(0.05) + stats.norm.ppf(0.8)) * 2) ** 2
    assert f"about {times:.0f} times as many examples" in str(blocked)
    assert np.isfinite(mean_seeds(0.01, 0.001, error=0.001).seeds)


def test_the_error_of_the_examples_is_found_again_in_an_interval():
    rng = np.random.default_rng(3)
    draws = 0.03 * rng.standard_normal(200_000) + 0.02 * rng.standard_t(4, 200_000)
    low, high = np.quantile(draws, [0.025, 0.975])
    found = examples_error((high - low) / 2, 0.02 * np.sqrt(5), 5)
    assert found == pytest.approx(0.03, rel=0.05)
    assert examples_error(0.001, 0.02, 5) == 0  # narrower than the seeds alone would make it


def test_expected_counts_are_those_of_more_seeds():
    """Counts foretold from six seeds are those that twenty seeds of the same world show."""
    rng = np.random.default_rng(4)
    n_classes, temperatures = 400, (1.0, 4.0, 7.0, 10.0)
    true = rng.normal(size=(4, n_classes)) * np.array([0.0, 0.005, 0.01, 0.03])[:, None]

    def world(n):
        nds = 1 + 0.02 * rng.standard_normal((n, n_classes))
        ds = 1 + true + 0.02 * rng.standard_normal((n, 4, n_classes))
        relative = np.concatenate([nds, ds.reshape(-1, n_classes)])
        runs = np.arange(n), n + np.arange(4 * n).reshape(n, 4)
        return Sweep(None, 0.8, "T2", tuple(range(n)), temperatures, *([runs[0]] * 2), runs[1],
                     np.zeros(0, int), ()), relative  # fmt: skip

    few, values = world(6)
    vars(few)["relative"] = values
    expected = n_classes * count_shares(few, "SC", 1, 10)(20)
    many, values = world(20)
    counted = count_significant(values[many.nds][:, None], values[many.ds], level=0.05)
    assert expected == pytest.approx(counted, abs=25)  # of 400
    assert counted.max() - counted.min() > 200


def test_cost_is_that_of_the_seeds_that_are_not_there(moving):
    runs = 2 + len(moving.temperatures)
    assert seed_hours(moving) == pytest.approx(runs / 3600)  # a second each
    row = dict(verdict="undecided", claim="dpd-falls", effect=0.5, low=0.1, high=0.9, n=5)
    need = what_decides(row | {"smallest": 0.3, "attribute": "color"}, moving, open_verdicts=4)
    assert need.hours == pytest.approx((need.seeds - 5) * runs / 3600)


def test_decided_verdicts_lack_nothing():
    with pytest.raises(ValueError, match="'holds'; expected undecided"):
        what_decides({"verdict": "holds"}, None)


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        (Missing(7, 2.94, "fails", ""), "7 seeds, 2.9 hours more of training: towards fails"),
        (Missing(np.inf, np.nan, "", "too few"), "no number of seeds: too few"),
        (Missing(np.nan, np.nan, "", "a test"), "more seeds; how many is not computed (a test)"),
        (Missing(4, 0.5, "holds", ""), "4 seeds, 30 minutes more of training: towards holds"),
    ],
)
def test_it_is_said_in_words(missing, said):
    assert str(missing) == said


def test_every_undecided_row_of_a_study_gets_an_answer(still):
    card = claims.judge(still.results)
    key = (still.results.study, still.results.profile, still.alpha, still.soft_scale)
    answers = add_deciding(card, {key: still})
    undecided = card["verdict"] == "undecided"
    assert undecided.any()
    assert answers[undecided].map(lambda a: isinstance(a, Missing)).all()
    assert answers[~undecided].isna().all()
    assert isinstance(answers, pd.Series)
