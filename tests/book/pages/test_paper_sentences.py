"""Sentences about the paper's numbers say what its tables say."""

import pytest

from kdfair_book import pages
from kdfair_book.pages import paper_sentences as reported
from kdfair_core import studies


def test_counts():
    text = reported.counts("tiny-imagenet")
    assert "from 16 at T = 2 to 49 at T = 10" in text
    assert "49 of 200 classes (24.5 %): more than chance would give" in text
    assert "about 10 of 200 classes" in text
    assert "nowhere more than chance would give" in reported.counts("svhn")


def test_counts_at_another_weight():
    assert "20 of 100 classes" in reported.counts("cifar100", alpha=0.6)


def test_fairness_says_where_it_passes_the_teacher():
    text = reported.fairness("celeba-smiling", "Young")
    eod, dpd = [line for line in text.splitlines() if "EOD" in line or "DPD" in line]
    assert "below the teacher at no temperature" in eod
    assert "below the teacher at T = 4, 5, 6, 7, 8, 9, 10 and 20" in dpd
    assert "from 10" not in dpd and "from 9.97 % at T = 1 to 8.86 % at T = 10" in dpd


def test_each_attribute_of_trifeature_has_its_accuracy():
    assert "Student alone 86.31 %" in reported.fairness("trifeature", "texture")
    assert "Student alone 90.33 %" in reported.fairness("trifeature", "color")


def test_what_would_measure_it():
    text = reported.unmeasured(studies.get("svhn"))
    assert "python -m kdfair_core run svhn --profile paper --publish" in text
    assert "Download [train_32x32.mat](http" in text and "datasets/svhn" in text
    assert "(ResNet-56)" in text
    text = reported.unmeasured(studies.get("celeba-smiling"))
    assert "ResNet-50 with a stem for small images" in text


@pytest.mark.parametrize("name", [n for n in studies.names() if n != "trifeature"])
def test_what_is_needed_names_no_folder_of_this_machine(name):
    said = reported.needed(studies.get(name))
    assert said.startswith("Download") and "datasets/" in said and "/tmp" not in said


def test_drawn_data_need_nothing():
    assert reported.needed(studies.get("trifeature")) == ""


def test_a_page_knows_its_attributes(monkeypatch, tmp_path):
    monkeypatch.setenv("KDFAIR_RESULTS", str(tmp_path))
    page = pages.open_study("hatexplain")
    assert page.found is None
    with pytest.raises(ValueError, match=r"unknown attribute 'age'.*gender, race"):
        page.fairness("age")
    (said,) = page.fairness("religion")
    assert "no numbers" in said
