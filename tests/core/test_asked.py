"""Whatever seeds and settings come as, they end as plain numbers of one form, or are refused."""

import json

import numpy as np
import pytest

from kdfair_core import asked, studies
from kdfair_core.runs import run_name
from kdfair_core.studies import Profile, Recipe, Study


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (0, (0,)),
        ([0, 1], (0, 1)),
        ((1, 1, 0), (1, 0)),
        (range(3), (0, 1, 2)),
        (np.int64(4), (4,)),
        (np.array(4), (4,)),
        (np.array([2, 3], np.int16), (2, 3)),
        ([], ()),
    ],
)
def test_seeds(given, expected):
    found = asked.seeds(given)
    assert found == expected
    assert all(type(seed) is int for seed in found)


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ("01", "seeds is the text '01'; expected numbers"),
        ("[0]", r'-y "seeds: \[0, 1\]" for papermill'),
        (["0"], "seed '0': expected a whole number"),
        ([0.5], "seed 0.5"),
        ([1.0], "seed 1.0"),
        ([-1], "seed -1"),
        ([np.int64(-1)], "seed -1:"),
        ([True], "seed True"),
        ([np.bool_(True)], "seed True"),
        ([None], "seed None"),
        ([2**31], "seed 2147483648"),
        ([[0]], r"seed \[0\]"),
    ],
)
def test_seeds_that_cannot_be(given, word):
    with pytest.raises(ValueError, match=word):
        asked.seeds(given)


@pytest.mark.parametrize(
    "given",
    [4, 4.0, [4], [4, 4.0, 4], [np.float32(4)], [np.int64(4), np.float64(4)], np.array(4.0)],
)
def test_one_temperature_has_one_form(given):
    assert asked.temperatures(given) == (4,)
    assert type(asked.temperatures(given)[0]) is int


@pytest.mark.parametrize("given", [0.8, [0.8], [np.float32(0.8)], [np.float16(0.8), 0.8]])
def test_one_alpha_has_one_form(given):
    assert asked.alphas(given) == (0.8,)
    assert type(asked.alphas(given)[0]) is float


@pytest.mark.parametrize(
    ("check", "given", "word"),
    [
        (asked.temperatures, [0], "temperature 0 is not"),
        (asked.temperatures, [float("nan")], "temperature nan"),
        (asked.temperatures, [float("inf")], "temperature inf"),
        (asked.temperatures, ["4"], "temperature '4'"),
        (asked.temperatures, "4", "temperatures is the text '4'"),
        (asked.temperatures, [True], "temperature True"),
        (asked.alphas, 1.5, "alpha 1.5"),
        (asked.alphas, [float("nan")], "alpha nan"),
        (asked.alphas, "0.8", "alphas is the text '0.8'"),
        (asked.soft_scales, "T", "unknown soft_scale 'T'; expected one of T2, none"),
        (asked.soft_scales, [2], "unknown soft_scale 2"),
        (asked.minutes, -1, "time_limit is -1; expected minutes"),
        (asked.minutes, "5", "time_limit is '5'"),
        (asked.minutes, float("nan"), "time_limit is nan"),
        (asked.minutes, True, "time_limit is True"),
    ],
)
def test_settings_that_cannot_be(check, given, word):
    with pytest.raises(ValueError, match=word):
        check(given)


def test_one_name_is_a_list_of_one():
    assert asked.soft_scales("T2") == ("T2",)
    assert asked.soft_scales(["none", "T2", "none"]) == ("none", "T2")
    assert asked.minutes(5) == 5.0 and asked.minutes(None) is None


def identities(**changes):
    profile = Profile({}, "resnet20", "lenet5", Recipe(), Recipe(), **{"seeds": (0,), **changes})
    study = Study("toy", "Toy", "toy", 3, "class bias", {"smoke": profile})
    return list(studies.student_identities(study, "smoke", 0))


def test_a_setting_makes_one_run_whatever_it_came_as():
    """To the letter, since initial weights are drawn from the JSON of these numbers."""
    plain = identities(temperatures=[4], alphas=[0.8])
    other = identities(temperatures=[np.float32(4), 4.0], alphas=[np.float32(0.8)])
    assert json.dumps(plain) == json.dumps(other)


def test_a_seed_is_of_one_kind():
    with pytest.raises(ValueError, match=r"seed 5 is among the seeds .* and the null seeds"):
        identities(seeds=(0, 5))


@pytest.mark.parametrize(
    ("change", "word"),
    [({"seed": "0"}, "seed '0'"), ({"seed": 0.5}, "seed 0.5"), ({"seed": True}, "seed True")],
)
def test_no_run_is_named_for_a_seed_that_cannot_be(change, word):
    with pytest.raises(ValueError, match=word):
        run_name(identities()[1] | change)
