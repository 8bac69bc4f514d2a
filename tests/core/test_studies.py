"""Studies are data: every one is whole, and identities are what determines a result."""

from dataclasses import replace

import pytest

from kdfair_core import models, studies
from kdfair_core.runs import run_name


@pytest.mark.parametrize("name", studies.names())
def test_every_profile_is_whole(name):
    study = studies.get(name)
    assert "smoke" in study.profiles
    for profile_name, profile in study.profiles.items():
        assert {profile.teacher, profile.student} <= set(models.names())
        assert not set(profile.seeds) & set(profile.null_seeds)
        assert profile.departures, f"{name}/{profile_name} lists no departures"
        identities = studies.expected_identities(study, profile_name)
        distilled = len(profile.temperatures) * len(profile.alphas) * len(profile.soft_scales)
        seeds = len(profile.seeds) * (2 + distilled) + len(profile.null_seeds)
        assert len(identities) == len({run_name(i) for i in identities}) == seeds


def test_identity_follows_what_determines_the_result():
    study = studies.get("trifeature")
    before = studies.teacher_identity(study, "smoke", 0)
    profile = study.profile("smoke")
    changed = replace(profile, teacher_recipe=replace(profile.teacher_recipe, lr=0.5))
    other = replace(study, profiles={"smoke": changed})
    assert run_name(before) != run_name(studies.teacher_identity(other, "smoke", 0))
    assert run_name(before) == run_name(studies.teacher_identity(study, "smoke", 0))
    # another teacher makes other distilled students, and the same non-distilled one
    nds, ds, *_ = studies.student_identities(study, "smoke", 0)
    other_nds, other_ds, *_ = studies.student_identities(other, "smoke", 0)
    assert nds == other_nds
    assert ds != other_ds


def test_unknown_names_are_answered_with_the_choices():
    with pytest.raises(ValueError, match=r"'mnist'.*trifeature"):
        studies.get("mnist")
    with pytest.raises(ValueError, match=r"'huge'.*paper, laptop, smoke"):
        studies.get("trifeature").profile("huge")


def test_a_field_that_recipes_got_later_leaves_earlier_runs_their_names():
    study = studies.get("cifar10")
    identity = studies.teacher_identity(study, "paper", 0)
    assert not {"schedule", "nesterov"} & identity["recipe"].keys()
    profile = study.profile("paper")
    cycle = replace(profile, teacher_recipe=replace(profile.teacher_recipe, schedule="cycle"))
    changed = studies.teacher_identity(replace(study, profiles={"paper": cycle}), "paper", 0)
    assert changed["recipe"]["schedule"] == "cycle"
