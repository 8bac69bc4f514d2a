"""What is told of a training that collapsed."""

import numpy as np
import pytest
from made_up import made_up_results

from kdfair_book.evidence import collapse
from kdfair_book.pages import collapse_sentences


def fallen_results():
    results = made_up_results(seeds=4)
    first = [run["name"] for run in results.manifest["runs"]].index("ds-s0-T30-T2")
    results.pred[first] = 7
    results.logits[first] = np.arange(10)
    results.manifest["runs"][first]["accuracy"] = 0.1
    return results


def test_endings_are_those_of_the_predictions():
    results = fallen_results()
    ends = collapse.endings(results)
    assert len(ends) == 2 * 13 * 4
    (row,) = ends[ends["collapsed"]].to_dict("records")
    assert (row["soft_scale"], row["temperature"], row["seed"]) == ("T2", 30, 0)
    assert row["one_answer"] == 1 and row["spread"] == 0
    other = ends.query("soft_scale == 'T2' and temperature == 30 and seed == 2").iloc[0]
    run = results.runs.query("role == 'ds' and soft_scale == 'T2'")
    run = run.query("temperature == 30 and seed == 2")["run"].item()
    assert other["one_answer"] == pytest.approx(np.bincount(results.pred[run]).max() / 600)
    assert other["spread"] == pytest.approx(
        np.mean([results.logits[run, :, k].astype(float).std() for k in range(10)])
    )


def test_the_sentence_names_the_run_and_what_was_the_same_for_its_neighbors():
    said = collapse_sentences.told(fallen_results())
    assert "At T = 30 with the factor T² the student of seed 0 gives every image" in said
    assert "That seed's students at T = 20 and 40 had the same teacher" in said
    assert "nor did any of 4 without the factor T²" in said
    assert said.count(". ") == 1  # two sentences
    assert "No training" in collapse_sentences.told(made_up_results())


def test_the_table_marks_it():
    folded = collapse_sentences.seed_by_seed(fallen_results())
    assert folded.title.startswith("Why did a training at T = 30 collapse? Seed by seed")
    assert folded.texts[0] == collapse_sentences.told(fallen_results())
    assert collapse_sentences.seed_by_seed(made_up_results()).title.startswith("Seed by seed")
    shown = str(folded)
    assert shown.count("✗") == 2 and "| with the factor T² | 30 | 0 | 10.0 % ✗ | 100 %" in shown
    assert "| 10 | 0 |" in shown and "| 9 | 0 |" not in shown
