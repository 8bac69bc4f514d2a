"""The paper's other numbers as figures, and annotations as figures."""

from dataclasses import replace

import pytest
from made_up import made_up_results

from kdfair_book import paper
from kdfair_book.charts import annotations, paper_comparison
from kdfair_book.charts import paper as paper_charts
from kdfair_book.evidence.chance import affected_counts


@pytest.fixture(scope="module")
def cifar10():
    return replace(made_up_results(seeds=3), study="cifar10")


def test_counts_beside_the_papers(cifar10):
    figure = paper_comparison.beside_counts(cifar10)
    table = figure.table.set_index("T")
    ours = affected_counts(cifar10).query("comparison == 'SC' and soft_scale == 'T2'")
    ours = ours.set_index("temperature")["significant"]
    column = "#SC: alone, distilled"
    assert table.loc[10, f"{column}, measured here"] == ours[10]
    theirs = paper.results("cifar10", "sc").set_index("temperature")["mean"]
    assert table.loc[7, f"{column}, paper"] == theirs[7]
    assert f"paper: #SC {theirs[4]:g}, #TC 0, accuracy +1.10 points" in figure.readout[4]
    assert "paper: nothing at this temperature" in figure.readout[40]
    assert figure.badge == "smoke"


def test_no_counts_beside_what_the_paper_has_not(cifar10):
    with pytest.raises(ValueError, match=r"unknown study: 'nothing'.*svhn"):
        paper_comparison.beside_counts(replace(cifar10, study="nothing"))
    with pytest.raises(ValueError, match=r"no alpha 0\.6 for cifar10; choose from 0\.8"):
        paper_charts.class_counts("cifar10", 0.6)


def test_both_weights_of_table_7():
    figure = paper_comparison.paper_alphas("cifar100")
    table = figure.table.set_index("T")
    assert table.loc[10, "#SC, alpha 0.8"] == 22 and table.loc[10, "#SC, alpha 0.6"] == 20
    assert table.loc[2, "accuracy (%), alpha 0.6"] == 68.53
    assert "alpha 0.6: nothing at this temperature" in figure.readout[40]
    assert figure.to_html().count("kd-panel") > 3


def test_our_weights(cifar10):
    runs = [dict(run) for run in cifar10.manifest["runs"]]
    for run in runs:
        if run["soft_scale"] == "none":
            run |= {"soft_scale": "T2", "alpha": 0.6}
    two = replace(cifar10, manifest=cifar10.manifest | {"runs": runs})
    figure = paper_comparison.alphas(two)
    assert set(figure.table.columns) >= {"#SC, alpha 0.8", "#SC, alpha 0.6"}
    ds = two.runs.query("alpha == 0.6 and temperature == 4")["accuracy"].mean()
    at = figure.table.set_index("T").loc[4, "accuracy (%), alpha 0.6"]
    assert at == pytest.approx(100 * ds)


def test_individual_as_reported():
    figure = paper_charts.paper_individual("hatexplain")
    assert figure.badge == "reported"
    assert "student 0.0654; student alone 0.1078, teacher 0.032" in figure.readout[10]
    with pytest.raises(ValueError, match="metric of svhn"):
        paper_charts.paper_individual("svhn")


@pytest.mark.parametrize(("study", "lost"), [("cifar10", 10), ("svhn", 9)])
def test_figure_2_leaves_empty_what_cannot_be_read(study, lost):
    figure = paper_charts.paper_disagreement(study)
    assert len(figure.table) == 90
    assert (figure.table == "?").to_numpy().sum() == lost
    assert f"{lost} cells cannot be read" in figure.caption
    assert "data-kd-temperatures" not in figure.to_html()  # it asks for no dial


def test_figure_2_of_another_study_is_refused():
    with pytest.raises(ValueError, match="choose from cifar10, svhn"):
        paper_charts.paper_disagreement("imagenet")


def test_label_rates_are_those_of_the_annotations():
    figure = annotations.label_rates("hatexplain")
    rows = figure.table.set_index("group")
    assert rows.loc["names a race", "toxic (%)"] == pytest.approx(100 * 440 / 493)
    assert rows.loc["names a race", "labels' own DPD (%)"] == pytest.approx(40.19, abs=0.005)
    assert figure.badge == "annotations"
    young = annotations.label_rates("celeba-smiling").table.set_index("group")
    assert young.loc["Young", "labels' own DPD (%)"] == pytest.approx(1.76, abs=0.005)
    with pytest.raises(ValueError, match="choose from celeba-smiling"):
        annotations.label_rates("faces")


def test_figure_6_falls_from_the_most_frequent_attribute():
    table = annotations.celeba_attributes().table
    assert len(table) == 40
    assert table["images (%)"].is_monotonic_decreasing
    assert table["attribute"].iloc[0] == "No Beard"
