"""#SC and #TC under other choices: each against a plain loop, and what must come out."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from kdfair_book.evidence.robustness import LEVELS, robustness
from kdfair_core import metrics


@pytest.fixture(scope="module")
def frame(moving):
    return robustness(moving)


def test_every_choice_at_every_temperature(moving, frame):
    n = len(moving.seeds)
    per = 1 + (len(LEVELS) - 1) + (n - 2) + 2
    assert len(frame) == 2 * len(moving.temperatures) * per
    assert frame.notna().all(axis=None)
    assert ((frame["low"] <= frame["count"]) & (frame["count"] <= frame["high"])).all()


def test_the_papers_choice_is_what_is_published(moving, frame):
    """The same counts as :func:`affected_classes` gives for these runs."""
    results = moving.results
    usual = frame[frame["kind"] == "as the paper"].set_index(["comparison", "T"])["count"]
    for k, t in enumerate(moving.temperatures):
        for comparison, reference in (("SC", moving.nds), ("TC", moving.teacher)):
            tests = metrics.affected_classes(
                results.y_true,
                results.pred[reference],
                results.pred[moving.ds[:, k]],
                n_classes=len(results.classes),
            )
            assert usual[comparison, t] == tests["significant"].sum()


def test_levels_and_seeds_against_scipy(moving, frame):
    a, b = moving.relative[moving.nds], moving.relative[moving.ds[:, 0]]
    t = moving.temperatures[0]
    rows = frame[(frame["comparison"] == "SC") & (frame["T"] == t)].set_index("choice")
    p = stats.ttest_ind(a, b, equal_var=False).pvalue
    assert rows.loc["level 0.01", "count"] == (p <= 0.01).sum()
    assert rows.loc["level 0.1", "count"] == (p <= 0.1).sum()
    n = len(a)
    counts = [
        (stats.ttest_ind(a[list(s)], b[list(s)], equal_var=False).pvalue <= 0.05).sum()
        for s in combinations(range(n), 3)
    ]
    row = rows.loc[f"3 seeds of {n}"]
    assert row["count"] == pytest.approx(np.mean(counts))
    assert (row["low"], row["high"]) == (min(counts), max(counts))


def test_a_higher_level_finds_no_fewer_and_drawn_examples_no_more(frame):
    of = frame.pivot(index=["comparison", "T"], columns="choice", values="count")
    assert (of["level 0.01"] <= of["as the paper"]).all()
    assert (of["as the paper"] <= of["level 0.1"]).all()
    assert (of["absolute, examples drawn too"] <= of["absolute accuracy"]).all()


def test_where_nothing_differs_drawn_examples_find_little(still):
    frame = robustness(still)
    counts = frame[(frame["kind"] == "examples") & (frame["comparison"] == "SC")]["count"]
    assert counts.mean() <= 1
