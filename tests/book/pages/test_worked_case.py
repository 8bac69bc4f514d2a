"""A gap told in people is counted from stored predictions."""

import re

import numpy as np
import pytest

from kdfair_book.evidence import sweep
from kdfair_book.pages.worked_case import worked_case
from kdfair_core import results


def test_it_counts_people_who_are_called_wrongly():
    found = results.load("faces")
    mine, other = sweep(found), sweep(found, soft_scale="none")
    said = worked_case(found, "gender")
    older = found.y_true == found.classes.index("30 or over")
    for name, word in (("female", "women"), ("male", "men")):
        members = older & (found.groups["gender"] == found.group_names["gender"].index(name))
        assert f"{members.sum():,} {word}" in said
        runs = (mine.teacher, mine.nds, mine.at(4), other.at(4))
        wrong = [100 * (found.pred[r][:, members] != 1).mean() for r in runs]
        (part,) = re.findall(rf"Of 100 {word} who are thirty or older, ([^.]*)\.", said)
        numbers = re.findall(r"(?<!T = )\b\d+\b", part)
        assert numbers == [f"{share:.0f}" for share in wrong]


def test_the_gap_that_it_tells_of_is_the_larger_one():
    """The two shares of the student alone differ by its EOD, as measured."""
    found = results.load("faces")
    alone = sweep(found).nds
    older = found.y_true == 1
    shares = [
        (found.pred[alone][:, older & (found.groups["gender"] == g)] != 1).mean() for g in (0, 1)
    ]
    eod = found.group_fairness("gender")["eod"].to_numpy()[alone].mean()
    assert np.ptp(shares) == pytest.approx(eod, abs=0.01)


def test_nothing_is_told_of_what_was_not_measured():
    assert worked_case(None, "gender") == ""
    assert worked_case("svhn", "gender") == ""


def test_it_needs_two_classes_and_two_groups():
    with pytest.raises(ValueError, match="2 classes and 5 groups by ethnicity"):
        worked_case("faces", "ethnicity")
