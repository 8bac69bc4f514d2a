"""All studies on comparable axes."""

from dataclasses import replace

import pytest
from made_up import made_up_results

from kdfair_book import paper
from kdfair_book.charts import across_studies as across
from kdfair_book.evidence import across_studies as data
from kdfair_core import results


@pytest.fixture
def nothing_measured(monkeypatch, tmp_path):
    monkeypatch.setenv("KDFAIR_RESULTS", str(tmp_path))


def test_counts_become_shares_and_accuracy_a_change(nothing_measured):
    rows = data.curves("reported").set_index(["series", "metric", "T"])["value"]
    assert rows["ImageNet", "sc", 20] == pytest.approx(42.7)
    assert rows["Tiny ImageNet", "tc", 2] == pytest.approx(16)
    assert rows["CIFAR-10", "accuracy", 4] == pytest.approx(91.82 - 90.72)
    assert rows["CelebA (Smiling), Young", "eod", 10] == pytest.approx(100 * 4.98 / 6.11)
    assert rows["Trifeature, texture", "accuracy", 1] == pytest.approx(87.14 - 86.31)
    assert rows["HateXplain, race", "dpd", 10] == pytest.approx(100 * 1.04 / 3.16)


def test_difficulty_is_the_teachers_error(nothing_measured):
    rows = data.curves("reported").groupby("series")[["difficulty", "n_classes"]].first()
    assert rows.loc["SVHN", "difficulty"] == pytest.approx(100 - 96.58)
    assert rows.loc["ImageNet, ViT", "n_classes"] == 1000


def test_contents_lists_each_study_of_the_paper(nothing_measured):
    table = data.contents().set_index("study")
    assert table.loc["CIFAR-100", "best DS"] == 69.81 and table.loc["CIFAR-100", "at T"] == "6"
    assert set(table["from"]) == {"the paper"}
    assert len(table) == len(paper.studies()) + 1  # Trifeature has two


def test_unknown_source_is_refused(nothing_measured):
    with pytest.raises(ValueError, match="unknown source 'paper'; choose from reported"):
        across.class_bias("paper")


@pytest.mark.parametrize("chart", [across.class_bias, across.fairness, across.difficulty])
def test_charts_share_one_selection(chart, nothing_measured):
    figure = chart()
    assert figure.to_html().count('"name":"pick_store"') == len(figure.panels)
    spec = figure.to_altair().to_dict()
    assert [p["name"] for p in spec["params"]].count("pick") == 1
    assert "nan" not in " ".join([figure.describe(), *figure.readout.values()])


def test_every_study_looks_different(nothing_measured):
    reported = data.curves("reported")
    for names in (set(rows["series"]) for _, rows in reported.groupby(reported["attribute"] == "")):
        some = [name for name in data.everyone() if name in names]
        looks = across._looks(some)
        ranges = [looks[k].to_dict()["scale"]["range"] for k in ("color", "shape", "strokeDash")]
        seen = {(c, s, tuple(d)) for c, s, d in zip(*ranges, strict=True)}
        assert len(seen) == len(some)
        assert len({color for color, _, _ in seen}) == len(some)  # as long as there are seven


def test_readout_of_difficulty_gives_both_correlations(nothing_measured):
    said = across.difficulty().readout[10]
    assert "over 7 studies" in said
    assert said.count("with the number of classes") == 2


def test_measured_studies_come_as_a_source_of_their_own(monkeypatch, nothing_measured):
    found = replace(made_up_results(), profile="laptop")
    monkeypatch.setattr(data, "_measured", lambda: [("trifeature", "laptop")])
    monkeypatch.setattr(results, "load", lambda *_: found)
    assert data.sources() == ["reported", "laptop"]
    rows = data.curves("laptop").set_index(["series", "metric", "T"])["value"]
    ds = found.runs.query("soft_scale == 'T2' and temperature == 10")["accuracy"].mean()
    nds = found.runs.query("role == 'nds'")["accuracy"].mean()
    assert rows["Trifeature", "accuracy", 10] == pytest.approx(100 * (ds - nds))
    figures = across.every(across.class_bias)
    assert [figure.badge for figure in figures] == ["reported", "laptop"]
    assert f"Accuracy {100 * (ds - nds):+.2f} points;" in figures[1].readout[10]
    assert len(across.every(across.difficulty)) == 1  # of one study there is nothing to say
    assert data.contents().set_index("study").loc["Trifeature", "from"] == "measured here (laptop)"


def test_a_source_without_such_a_study_is_left_out(monkeypatch, nothing_measured):
    binary = made_up_results(n_classes=2)
    monkeypatch.setattr(data, "_measured", lambda: [("trifeature", "smoke")])
    monkeypatch.setattr(results, "load", lambda *_: binary)
    assert [figure.badge for figure in across.every(across.difficulty)] == ["reported"]
    assert [figure.badge for figure in across.every(across.fairness)] == ["reported", "smoke"]


def test_measured_studies_differ_in_color():
    """CIFAR-10, CIFAR-100 and Trifeature stand in one figure."""
    from kdfair_book.charts.across_studies import _looks

    names = ["CIFAR-10", "CIFAR-100", "Trifeature"]
    colors = _looks(names)["color"].to_dict()["scale"]["range"]
    assert len(set(colors)) == len(names)
