"""Sentences: their numbers are those of the evidence, and they hold for any study."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from known_study import made_up

from kdfair_book import claims, evidence
from kdfair_book.evidence import coverage
from kdfair_book.evidence.simulations import TABLES, stored
from kdfair_book.pages import claim_sentences, evidence_sentences, text


@pytest.fixture(scope="module")
def small():
    """Two classes, two seeds, three temperatures, both scalings."""
    settings = ((0.8, "T2"), (0.8, "none"))
    results = made_up(n_classes=2, n=500, seeds=2, temperatures=(1, 4, 10), settings=settings)
    return evidence.sweep(results)


@pytest.fixture(scope="module")
def two_attributes():
    """A study with two attributes and two spaces of distances, both scalings."""
    settings = ((0.8, "T2"), (0.8, "none"))
    results = made_up(n_classes=10, n=600, seeds=3, temperatures=(1, 4, 10), settings=settings)
    groups = results.groups | {"texture": results.groups["color"][::-1].copy()}
    names = results.group_names | {"texture": ("plain", "dots")}
    features = results.features | {"teacher": results.features["input"] ** 2}
    return evidence.sweep(
        dataclasses.replace(results, groups=groups, group_names=names, features=features)
    )


def sayings(found):
    yield evidence_sentences.chance(found)
    yield evidence_sentences.power(found, found.temperatures[1])
    yield evidence_sentences.floor(found, "color")
    yield evidence_sentences.noise(found, "color")
    yield evidence_sentences.trend_table(found)
    yield evidence_sentences.gradients(found)
    yield evidence_sentences.softness(found, "input")
    yield claim_sentences.scales_table(found.results, alpha=found.alpha)
    yield claim_sentences.scales(found.results, alpha=found.alpha)


@pytest.mark.parametrize("study", ["small", "moving", "two_attributes"])
def test_everything_can_be_said_of_any_study(study, request):
    for said in sayings(request.getfixturevalue(study)):
        assert len(said) > 40
        assert "nan" not in said.lower().split()
        assert said._repr_markdown_() == str(said)


def test_sentences_say_what_was_found(moving, still):
    test = evidence.affected_classes_test(moving)
    assert f"in {test.observed:.1f} classes" in evidence_sentences.chance(moving)
    assert "some classes are affected" in evidence_sentences.chance(moving)
    assert "do not show" in evidence_sentences.chance(still)
    need = evidence.seeds_for(moving, 4, 0.02)
    assert f"2 % with {need['none']:.0f} seeds" in evidence_sentences.power(moving, 4)
    floor = 100 * moving.results.group_fairness("color").attrs["floor"]
    assert f"a DPD of {floor:.2f} %" in evidence_sentences.floor(moving, "color")
    trend = evidence.fairness_trend(moving, "color", "eod")
    assert (
        f"| color | EOD | {trend.effect:+.2f} | {trend.p_value:.2g} |"
        in evidence_sentences.trend_table(moving)
    )
    assert "less fair than its softness alone" in evidence_sentences.softness(moving, "input")


def test_both_scales_are_told_apart(small, moving):
    assert claim_sentences.scalings(small.results, 0.8) == ["T2", "none"]
    assert "with T² | without T²" in claim_sentences.scales_table(small.results, alpha=0.8)
    assert "the other was not run" in claim_sentences.scales(moving.results, alpha=0.8)


def test_verdicts_are_summed_up(moving):
    card = claims.judge(moving.results)
    said = claim_sentences.verdicts(card)
    held = (card["verdict"] == "holds").sum()
    assert f"{held} hold, " in said
    said = str(claim_sentences.claim_by_claim(card))
    assert claims.get("uneven").sentence in said.split("Hold in every study measured")[1]
    assert "*Not measured:*" in said
    two = pd.concat([card, card.assign(study="other", verdict="fails")])
    said = str(claim_sentences.claim_by_claim(two))
    held = card.loc[card["verdict"] == "holds", "claim"].iloc[0]
    mixed = said.split("*Mixed:*")[1].split("*Not")[0]
    assert f"- {claims.get(held).sentence} (2 studies: " in mixed
    assert "1 holds, 1 fails" in mixed
    assert "Hold in every study" not in said
    rules = str(claim_sentences.rules())
    assert all(claim.sentence in rules for claim in claims.CLAIMS)


def test_tables_show_what_is_missing_as_a_dash():
    said = text.table(pd.DataFrame({"a": [1.0, np.nan], "b|c": ["x", None]}))
    assert said.splitlines() == ["| a | b\\|c |", "| --- | --- |", "| 1.00 | x |", "| – | – |"]


@pytest.mark.parametrize("name", ["coverage", "differences"])
def test_stored_simulations_are_of_these_worlds_and_cover(name):
    frame = stored(name)
    worlds = {
        "coverage": [world.name for world in coverage.WORLDS],
        "differences": [f"{a.name} against {b.name}" for a, b in coverage.PAIRS],
    }[name]
    assert name in TABLES
    assert list(frame["world"].unique()) == worlds
    assert frame.attrs["function"].startswith("kdfair_book.evidence.coverage.")
    n = frame.attrs["arguments"]["n_studies"]
    assert (frame["n_studies"] == n).all()
    ours = frame[frame["method"] == "inversion"]["coverage"]
    assert (ours >= 0.95 - 3.1 * np.sqrt(0.95 * 0.05 / n)).all()


def test_unknown_simulation_is_refused():
    with pytest.raises(ValueError, match="unknown simulation 'power'"):
        stored("power")
