"""Studies whose distance from the paper's regime is known."""

from dataclasses import replace

import numpy as np
import pytest
from known_study import made_up

from kdfair_book.evidence.available import available
from kdfair_book.evidence.regime import ACCURACY_OFF, Regime, regime
from kdfair_core import results

LIKE_CIFAR100 = Regime("cifar100", "paper", "", 70.9, 68.4, 69.8, 6.0, 70.87, 68.39, 69.81, 6.0)


def test_the_papers_own_numbers_are_in_its_regime():
    assert LIKE_CIFAR100.same and LIKE_CIFAR100.short == ""
    assert LIKE_CIFAR100.label == "the paper's regime"
    assert "verdicts on the paper's claim" in LIKE_CIFAR100.follows


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (dict(nds=68.39 - ACCURACY_OFF - 0.1, best=64.7), "student alone 63.3 % (paper 68.4 %)"),
        (dict(best=68.4 + 3.0), "gain +3.0 points (paper +1.4)"),
        (dict(best=68.4 + 0.6), "gain +0.6 points (paper +1.4)"),
        (dict(best=68.0), "gain −0.4 points (paper +1.4)"),
    ],
)
def test_each_tolerance_makes_it_another_regime_alone(changes, said):
    far = replace(LIKE_CIFAR100, **changes)
    assert not far.same and far.label == "another regime"
    assert said in far.short
    assert "not verdicts on the paper" in far.follows


def test_a_sign_that_differs_is_told_as_such():
    said = replace(LIKE_CIFAR100, best=68.0).follows
    assert "is less accurate than the student alone; the paper's is more accurate" in said


def test_inside_both_tolerances_is_the_papers_regime():
    near = replace(LIKE_CIFAR100, nds=68.39 + ACCURACY_OFF - 0.1, best=68.39 + ACCURACY_OFF + 1.3)
    assert near.same


def test_a_study_without_counterpart_says_so():
    found = regime(made_up(study="faces", n=400, seeds=2))
    assert not found.compared and not found.same
    assert found.short == "no counterpart in the paper"
    assert np.isnan(found.paper_nds) and found.gain == pytest.approx(found.best - found.nds)


def test_it_reads_means_over_seeds_and_the_nearest_of_the_papers_accuracies():
    study = made_up(n=400, seeds=3)  # as Trifeature, of which the paper prints two accuracies
    found = regime(study)
    runs = study.runs
    nds = 100 * runs.loc[runs["role"] == "nds", "accuracy"].mean()
    assert found.nds == pytest.approx(nds)
    ds = runs[runs["role"] == "ds"].groupby("temperature")["accuracy"].mean()
    assert found.best == pytest.approx(100 * ds.max()) and found.best_at == ds.idxmax()
    assert found.attribute == "texture" and found.paper_nds == 86.31  # 75 % is nearer to it


def test_published_studies_all_have_one():
    there = available()
    for study, profile in there[["study", "profile"]].to_numpy():
        found = regime(results.load(study, profile))
        assert found.compared == (study != "faces")
        assert bool(found.short) != found.same
