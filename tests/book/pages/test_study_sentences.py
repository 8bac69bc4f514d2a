"""Sentences say what the results say."""

import re

import numpy as np
import pandas as pd
import pytest
from made_up import made_up_results

from kdfair_book import pages
from kdfair_book.evidence.chance import affected_counts
from kdfair_book.pages import study_sentences as story
from kdfair_book.pages import text
from kdfair_core import results


@pytest.fixture(scope="module")
def found():
    return made_up_results(seeds=4)


def test_fairness_takes_its_numbers_from_the_results(found):
    text = story.fairness(found, "color")
    summary = found.fairness_summary("color")
    ds = summary[(summary["role"] == "ds") & (summary["soft_scale"] == "T2")]
    accuracy = ds[ds["metric"] == "accuracy"].set_index("temperature")["mean"]
    best = accuracy.idxmax()
    assert f"highest at T = {best:g}: {100 * accuracy[best]:.2f} %" in text
    assert f"from {100 * accuracy[1]:.2f} to {100 * accuracy[10]:.2f} % (a rise; p" in text
    assert f"DPD of {100 * summary['floor'].max():.2f} %" in text
    assert "nan" not in text


def test_a_fall_is_called_a_fall(found):
    assert story._change(np.array([3.0, 3.1, 2.9]), np.array([1.0, 1.1, 0.9])).startswith("a fall")
    assert "seeds alone" in story._change(np.array([3.0, 1.0, 2.0]), np.array([2.0, 3.0, 1.1]))
    assert "no test" in story._change(np.array([3.0]), np.array([2.0]))


def test_affected_counts_and_control(found):
    text = story.affected(found)
    counts = affected_counts(found)
    null = counts.loc[counts["comparison"] == "null", "significant"].iloc[0]
    assert f"differ in {null:.0f} classes" in text
    assert "#SC" in text and "#TC" in text


def test_many_that_differ_and_few_that_are_named():
    said = "3 seeds can say only of those that remain"
    assert said in story.affected(results.load("cifar100", "laptop"))
    assert "seeds can say" not in story.affected(results.load("trifeature", "laptop"))


def test_provenance_tells_which_temperatures_each_alpha_has():
    said = "at T = 1, 2, 4, 6, 8, 10, 20 and 40 (alpha 0.8); 1, 4 and 10 (alpha 0.6), with"
    assert said in story.provenance(results.load("cifar100", "laptop"))
    assert "20 and 40, with" in story.provenance(results.load("cifar10", "laptop"))


def test_where_no_class_differs_it_says_none():
    text = story.affected(results.load("cifar10", "laptop"))
    assert "#TC** (teacher and distilled student): no class at any temperature." in text
    assert "at most 2 of 10 classes, at T = 40; after the correction none." in text
    assert "at most 0" not in text


def test_agreement(found):
    text = story.agreement(found)
    cells = found.disagreement()
    nds = cells.loc[cells["pair"] == "teacher-nds", "count"].sum()
    assert f"teacher and student alone disagree on {nds:.0f}" in text


def test_individual(found):
    runs = found.individual_fairness()
    teacher = runs.loc[runs["role"] == "teacher", "individual_unfairness"].mean()
    assert f"teacher {teacher:.4f}" in story.individual(found)


def test_beside_paper_gives_rank_correlations(found):
    text = story.beside_paper(found, "color")
    assert "13 shared temperatures" in text
    ranks = [float(r) for r in re.findall(r"[A-Za-z]+ ([+-]\d\.\d\d)", text)]
    assert len(ranks) == 3 and all(-1 <= r <= 1 for r in ranks)


def test_unknown_setting_is_said(found):
    with pytest.raises(ValueError, match=r"alpha 0\.3"):
        story.fairness(found, "color", alpha=0.3)


def test_texts_show_themselves_as_markdown():
    assert text.Text("**x**")._repr_markdown_() == "**x**"


def test_measured_reads_what_is_published(monkeypatch):
    asked, whole = [], made_up_results()

    def load(study, profile):
        asked.append((study, profile))
        return whole

    monkeypatch.setattr(results, "load", load)
    found = pages.measured("trifeature", "laptop")
    assert asked == [("trifeature", "laptop")]
    assert found.runs.equals(whole.runs)
    assert set(pages.measured("trifeature", "laptop", seeds=0).runs["seed"]) == {0}


def test_lists_read_well():
    assert text.listed(["a"]) == "a"
    assert text.listed(["a", "b", "c"]) == "a, b and c"
    assert text.at(pd.Index([])) == "no temperature"


def test_a_weak_teacher_is_called_one(found, monkeypatch):
    assert "weak teacher" not in story.fairness(found, "color")
    frame = found.group_fairness("color")
    frame.loc[frame["role"] == "teacher", "accuracy"] = 0.5
    monkeypatch.setattr(type(found), "group_fairness", lambda *_: frame)
    assert "**A weak teacher.**" in story.fairness(found, "color")


def test_collapsed_students_are_told_of(found):
    assert story.collapsed(found) == ""
    fallen = made_up_results(seeds=4)
    first = [run["name"] for run in fallen.manifest["runs"]].index("ds-s0-T30-T2")
    fallen.pred[first] = (fallen.y_true + 1) % len(fallen.classes)
    fallen.manifest["runs"][first]["accuracy"] = 0.0
    said = story.collapsed(fallen)
    assert "training of 1 of 4 at T = 30 ended at an accuracy of 0 %" in said
    assert story.collapsed(fallen, soft_scale="none") == ""
    assert said in story.fairness(fallen, "color")


def test_both_scales_at_the_end(found):
    said = story.scales(found)
    runs = found.runs[found.runs["temperature"] == 40].groupby("soft_scale")["accuracy"].mean()
    assert f"{100 * runs['T2']:.2f} % with the factor and {100 * runs['none']:.2f} %" in said
    assert "T = 40" in said and "does not end where" not in said
    weak = made_up_results(seeds=4)
    for run in weak.manifest["runs"]:
        if run["temperature"] == 40 and run["soft_scale"] == "none":
            run["accuracy"] -= 0.3
    assert "the student does not end where the student alone ends" in story.scales(weak)


@pytest.mark.parametrize(
    ("study", "crossed", "turned"),
    [
        ("cifar100", "above #TC at every temperature", "does not turn back: at T = 40"),
        ("trifeature", "above #TC at T = 2, 3, 4, 5, 6, 7, 8, 9 and 10", "highest at T = 2 (10)"),
    ],
)
def test_crossing_and_turn_are_read_off_the_counts(study, crossed, turned):
    found = results.load(study, "laptop")
    said = story.crossing(found)
    assert crossed in said and turned in said
    counts = affected_counts(found)
    usual = (counts["alpha"] == 0.8) & (counts["soft_scale"] == "T2")
    sc = counts[usual & (counts["comparison"] == "SC")].set_index("temperature")["significant"]
    assert f"{sc.max():.0f}" in said and f"{sc[40]:.0f}" in said


def test_abbreviations_are_spelled_out_once():
    said = text.spelled_out("EOD by color, EOD and DPD by texture")
    assert said.count("equalized odds difference") == 1 and said.endswith(
        "EOD and DPD (demographic parity difference) by texture"
    )
    assert text.spelled_out(said) == said
