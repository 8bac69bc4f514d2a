"""Findings say what the results say, and call nothing a difference that chance explains."""

import re

import pytest

from kdfair_book import claims
from kdfair_book.evidence import disagreement_reduction, sweep
from kdfair_book.evidence.available import available
from kdfair_book.evidence.effects import effects
from kdfair_book.evidence.equal_accuracy import at_equal_accuracy
from kdfair_book.evidence.regime import regime
from kdfair_book.pages import claim_sentences, deciding
from kdfair_book.pages import opening as first
from kdfair_book.pages import what_we_found as found
from kdfair_core import results, studies

STUDIES = list(available()["study"])


@pytest.mark.parametrize("study", STUDIES)
def test_a_page_opens_with_two_to_four_findings_and_the_regime(study):
    measured = results.load(study)
    said = found.found_here(measured)
    assert said.startswith("**What we found.** At T = 4 the distilled student is right")
    assert len(said) < 1200 and "nan" not in said and "e-" not in said
    near = regime(measured)
    if not near.compared:
        assert "no such study" in said
    assert ("Another regime than the paper's" in said) == (near.compared and not near.same)
    for differs, ours, theirs in (
        (near.accuracy_differs, f"{near.nds:.1f} %", f"in the paper {near.paper_nds:.1f} %"),
        (near.gain_differs, f"{near.gain:+.1f} points", f"in the paper {near.paper_gain:+.1f}"),
    ):
        if differs:
            assert ours.replace("-", "\u2212") in said
            assert theirs.replace("-", "\u2212") in said
    sure = found.how_sure(measured)
    assert near.follows in sure and f"{len(measured.y_true):,} test examples" in sure


def test_intervals_of_groups_are_those_of_the_table():
    measured = results.load("faces", "laptop")
    table = effects(sweep(measured))
    said = found.found_here(measured)
    sure = table[(table["role"] == "difference") & (table["T"] == 4) & (table["measure"] == "eod")]
    sure = sure[(sure["high"] < 0) | (sure["low"] > 0)]
    assert len(sure)
    for row in sure.to_dict("records"):
        low, high = sorted(abs(100 * row[end]) for end in ("low", "high"))
        assert f"({low:.1f} to {high:.1f})" in said


def test_chance_is_named_where_it_explains_a_difference():
    said = found.found_here(results.load("hatexplain", "laptop"))
    assert "a difference that chance alone explains" in said
    assert "by no more than chance explains" in said
    assert "a gain of" not in said


def test_collapsed_trainings_are_one_of_so_many_seeds():
    assert "one of five seeds at T = 30" in found.found_here(results.load("trifeature", "laptop"))
    assert "Collapsed" not in found.found_here(results.load("faces", "laptop"))


def test_a_count_beyond_chance_says_how_many_and_not_which():
    said = found.found_here(results.load("cifar100", "laptop"))
    assert "31 of 100 classes" in said and "more than chance gives" in said
    assert "How many can be estimated, but not which" in said


def test_unmeasured_studies_say_what_the_paper_reports():
    for study in studies.names():
        if study not in STUDIES and studies.get(study).in_paper:
            said = found.reported_here(study)
            assert said.startswith("**Not measured here yet. The paper reports:**")
            assert "nan" not in said
    assert "427 of 1000 classes" in found.reported_here("imagenet")


@pytest.fixture(scope="module")
def opening():
    return first.opening()


def test_three_findings_open_the_book(opening):
    assert [answer.name for answer in opening.answers] == ["imitation", "factor", "gain"]
    for answer in opening.answers:
        assert re.search(r"\d", answer.number) and "seeds each" in answer.rests
        assert len(answer.rows) >= 2
        html = answer.to_html()
        assert (
            f'id="finding-{answer.name}"' in html and 'role="img"' in html and answer.link in html
        )


def test_findings_take_their_numbers_from_the_tests(opening):
    imitation, factor, gain = opening.answers
    effects = [
        100 * disagreement_reduction(sweep(results.load(name))).effect for name in studies.names()
        if name in STUDIES
    ]  # fmt: skip
    assert [row.value for row in imitation.rows] == pytest.approx(effects)
    assert imitation.number.startswith(f"{min(effects):.0f} to {max(effects):.0f} %")
    mine = sweep(results.load("cifar100"))
    accuracy = 100 * mine.results.runs["accuracy"].to_numpy()
    row = next(row for row in gain.rows if row.label == "CIFAR-100")
    assert row.low < row.value < row.high
    assert row.value == pytest.approx(accuracy[mine.at(4)].mean() - accuracy[mine.nds].mean())
    assert any(row.label == "Faces, gender" and row.low > 0 for row in factor.rows)


def test_findings_stand_only_on_what_is_beyond_chance(opening):
    beyond = [sum(row.low > 0 for row in answer.rows) for answer in opening.answers]
    for answer, n in zip(opening.answers, beyond, strict=True):
        all_ = len(answer.rows)
        named = first.how_many(n, all_)
        assert named in f"{answer.number} {answer.sentence}"
        if answer.name == "gain":
            assert (n < all_) == ("chance alone explains" in answer.sentence)


def test_what_is_not_known_is_counted_on_the_scorecard():
    card = claims.scorecard()
    said = first.not_known(card)
    fair = card[card["claim"].str.match(r"(dpd|eod)-") & (card["verdict"] != "not measured")]
    undecided = (fair["verdict"] == "undecided").sum()
    assert f"of all {len(fair)} tests of group gaps {undecided} are undecided" in said
    alone = card[card["claim"].isin(["dpd-below-nds", "eod-below-nds"])]["verdict"]
    yes, no, neither = ((alone == word).sum() for word in ("holds", "fails", "undecided"))
    assert yes + no + neither == 16
    assert f"of 16 comparisons {yes} say yes, {no} no, {neither} neither;" in said
    inside = sum(regime(results.load(name)).same for name in STUDIES)
    named = "none of the" if inside == 0 else first.how_many(inside, len(STUDIES))
    assert f"(its regime): {named}" in said


def test_regime_and_headlines_are_said_in_numbers(opening):
    """No abbreviation in a headline; how far a study is from the paper's, in accuracy."""
    for answer in opening.answers:
        assert not re.search(r"EOD|DPD|NDS|DS\b|#", f"{answer.claim} {answer.number}")
    near = [regime(results.load(name)) for name in STUDIES]
    far = max((one for one in near if one.compared), key=lambda one: abs(one.off))
    gain = opening.answers[2].sentence
    assert f"right {far.nds:.1f} % of the time, the paper's {far.paper_nds:.1f} %" in gain


def test_the_factors_effect_is_said_at_equal_accuracy_too(opening):
    factor = opening.answers[1].sentence
    one, other = (sweep(results.load("trifeature"), soft_scale=s) for s in ("T2", "none"))
    by = at_equal_accuracy(one, other, "texture")
    assert f"and {100 * by.total:.0f} to {100 * by.step:.0f} (texture) points" in factor
    assert "; at equal accuracy, where comparable, the growth over T > 1 goes from " in factor


def test_what_would_decide_the_undecided_is_counted():
    card = deciding.complete(claims.scorecard())
    fair = card[card["claim"].str.match(r"(dpd|eod)-") & (card["verdict"] == "undecided")]
    said = first.not_known(card).split("are undecided: ")[1].split(". ")[0]
    assert sum(map(int, re.findall(r"\d+", said))) == len(fair)
    examples = sum(one.short == "more examples" for one in fair["missing"])
    assert (f"{examples} a larger test set" in said) == bool(examples)
    assert "are undecided. " in first.not_known(claims.scorecard())


def test_without_results_there_are_no_findings():
    assert first.opening([]).answers == ()


def test_a_claim_has_one_verdict_wherever_it_is_shown():
    """The page of statistics shows the scorecard's verdicts, corrected over all studies."""
    card = claims.scorecard(soft_scale="T2")
    measured = results.load("trifeature", "laptop")
    shown = claim_sentences._verdicts(measured, 0.8, "T2").set_index("claim")["verdict"]
    mine = card[(card["study"] == "trifeature") & (card["profile"] == "laptop")]
    mine = mine.set_index("claim")["verdict"]
    assert len(shown) == len(claim_sentences.PICTURE)
    assert (shown == mine[shown.index]).all()
    keys = ["claim", "study", "profile", "attribute", "alpha", "soft_scale"]
    assert not card.duplicated(keys).any()
