"""Figures: what they show, in JupyterLab and in the book."""

import json
import re
import sys
import warnings
from io import StringIO

import altair as alt
import numpy as np
import pandas as pd
import pytest
import vl_convert
from bs4 import BeautifulSoup
from made_up import made_up_results

from kdfair_book import charts, evidence
from kdfair_book.charts import intervals, signals, temperature, theme
from kdfair_book.pages import study_sentences as story
from kdfair_core import results as published

FIGURES = {
    "fairness": lambda r: charts.fairness(r, "color"),
    "scales": lambda r: charts.fairness(r, "color", soft_scale="both", metrics=("eod",)),
    "classes": charts.class_accuracy,
    "disagreement": charts.disagreement,
    "counts": charts.affected_counts,
    "individual": charts.individual_fairness,
    "beside": lambda r: charts.beside_paper(r, "color"),
    "paper-fairness": lambda r: charts.paper_fairness("trifeature", "color"),
    "paper-counts": lambda r: charts.paper_counts("cifar100"),
}


@pytest.fixture(scope="module", params=FIGURES)
def figure(request, results):
    return FIGURES[request.param](results)


def shown_at(figure, panel, T):
    """The picture of a panel with the dial at T."""
    return vl_convert.vegalite_to_svg(panel.spec(figure.temperatures, T, slider=False))


def test_every_figure_answers_the_dial(figure):
    first, second = figure.temperatures[1], figure.temperatures[5]
    changed = [shown_at(figure, p, first) != shown_at(figure, p, second) for p in figure.panels]
    assert any(changed), figure.name
    assert figure.readout[first] != figure.readout[second]
    still = {"disagreement": 1}.get(figure.name, 0)  # teacher and NDS have no temperature
    assert sum(changed) == len(changed) - still


def test_axes_do_not_move_with_the_dial(figure):
    for panel in figure.panels:
        pictures = [shown_at(figure, panel, T) for T in figure.temperatures[::12]]
        assert len({re.search(r'viewBox="[^"]*"', p)[0] for p in pictures}) == 1
        labels = [
            [t.get_text() for t in BeautifulSoup(p, "html.parser").select(".role-axis-label text")]
            for p in pictures
        ]
        assert all(same == labels[0] for same in labels)


def test_jupyterlab_gets_a_chart_with_a_slider(figure, monkeypatch):
    monkeypatch.delenv("KDFAIR_BOOK", raising=False)
    bundle = figure._repr_mimebundle_()
    spec = bundle["application/vnd.vegalite.v5+json"]
    assert "text/html" not in bundle  # JupyterLab would prefer it
    bound = [p for p in spec["params"] if p.get("bind")]
    assert [p["bind"]["input"] for p in bound] == ["range"]
    assert bound[0]["bind"]["max"] == len(figure.temperatures) - 1
    # JupyterLab's own Vega-Lite is of version 5
    vega = vl_convert.vegalite_to_vega(json.loads(json.dumps(spec)), vl_version="5.20")
    assert {"dial", "temperatures", "T"} <= {s["name"] for s in vega["signals"]}
    assert theme.badge_text(figure.badge) in bundle["text/plain"]


def test_colab_gets_what_altair_makes_for_it(monkeypatch):
    """It has no renderer for Vega-Lite's type."""
    monkeypatch.setitem(sys.modules, "google.colab", sys)
    chart = alt.Chart(alt.Data(values=[])).mark_point()
    assert "text/html" in theme.in_jupyter(chart, theme.CONFIG)


def test_book_gets_a_figure_that_stands_without_scripts(figure, monkeypatch):
    monkeypatch.setenv("KDFAIR_BOOK", "1")
    soup = BeautifulSoup(figure._repr_mimebundle_()["text/html"], "html.parser")
    element = soup.find("figure")
    assert element.select_one(".kd-badge").get_text() == theme.badge_text(figure.badge)
    panels = element.select(".kd-panel")
    assert len(panels) == len(figure.panels)
    for panel in panels:
        assert panel["role"] == "img" and len(panel["aria-label"]) > 40
        assert panel.find("svg").find("text")
    assert element.select_one(".kd-said").get_text() == figure.readout[figure.start]
    rows = element.select("table tr")
    assert len(rows) == len(figure.table) + 1
    state = json.loads(element.select_one("script.kd-state").string)
    assert state["temperatures"][state["start"]] == figure.start
    assert len(state["panels"]) == len(figure.panels)
    assert "http" not in json.dumps(state)
    assert not soup.find(src=re.compile("^http"))


def test_ids_are_unique_on_a_page(results):
    page = charts.affected_counts(results).to_html() + charts.affected_counts(results).to_html()
    ids = [e["id"] for e in BeautifulSoup(page, "html.parser").find_all(id=True)]
    assert len(ids) == len(set(ids))


def test_fairness_shows_the_results_numbers(results):
    figure = charts.fairness(results, "color", start=7)
    summary = evidence.fairness_intervals(results, "color")
    row = summary[
        (summary["metric"] == "eod")
        & (summary["temperature"] == 7)
        & (summary["soft_scale"] == "T2")
    ].iloc[0]
    table = figure.table.set_index("model")
    assert table.loc["distilled student, T = 7", "EOD (%)"] == pytest.approx(100 * row["corrected"])
    assert table.loc["distilled student, T = 7", "EOD as measured"] == pytest.approx(
        100 * row["mean"]
    )
    assert table.loc["distilled student, T = 7", "EOD low"] == pytest.approx(100 * row["low"])
    assert f"EOD {100 * row['corrected']:.2f} %" in figure.readout[7]
    assert f"{100 * summary['floor'].max():.2f}" in figure.method


@pytest.mark.slow
@pytest.mark.parametrize("study", ["trifeature", "faces", "hatexplain"])
def test_bands_hold_their_estimates(study):
    """On every figure of fairness; what was measured stands beside it under its own name."""
    found = published.load(study, "laptop")
    for attribute in found.attributes:
        for figure in (
            charts.fairness(found, attribute),
            intervals.fairness_evidence(found, attribute),
        ):
            for panel in figure.panels:
                rows = drawn(panel)
                rows = rows[rows["low"].notna()]
                assert (rows["mean"] >= rows["low"] - 1e-3).all(), (figure.name, panel.title)
                assert (rows["mean"] <= rows["high"] + 1e-3).all(), (figure.name, panel.title)
                if "Accuracy" not in panel.title:
                    assert rows["measured"].notna().all()


def drawn(panel):
    """The numbers that a panel over temperature draws."""
    spec = panel.spec([1.0, 4.0], 4.0, slider=False)
    (text,) = [t for t in spec["datasets"].values() if t.startswith("series,T,mean")]
    return pd.read_csv(StringIO(text))


def test_class_accuracy_marks_what_welch_calls_different(results):
    figure = charts.class_accuracy(results)
    affected = results.affected_classes()
    for T in figure.temperatures:
        rows = affected[
            (affected["comparison"] == "SC")
            & (affected["temperature"] == T)
            & (affected["soft_scale"] == "T2")
            & affected["significant"].astype(bool)
        ]
        column = figure.table[f"distilled student, T = {T}"]
        assert set(figure.table.loc[column.str.contains("×"), "class"]) == set(rows["class_name"])


def test_disagreement_of_many_classes_shows_the_most_disagreed():
    figure = charts.disagreement(made_up_results(n_classes=40, n=800, seeds=2))
    assert "Of 40 classes the 20 with the most disagreement" in figure.caption
    assert len(figure.table) == 20 * 19


def test_texts_are_escaped(results):
    from dataclasses import replace

    evil = replace(charts.affected_counts(results), title="<script>alert(1)</script>")
    assert "<script>alert" not in evil.to_html()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda r: charts.fairness(r, "size"), "unknown attribute 'size'.*color"),
        (lambda r: charts.fairness(r, "color", start=11), "11.*choose from 1, 2"),
        (lambda r: charts.fairness(r, "color", alpha=0.5), "alpha 0.5.*0.8"),
        (lambda r: charts.fairness(r, "color", soft_scale="x"), "soft_scale 'x'.*T2"),
        (lambda r: charts.fairness(r, "color", metrics=("f1",)), "metric 'f1'.*accuracy"),
        (lambda r: charts.paper_counts("cifar100", alpha=0.1), "0.1.*0.6, 0.8"),
        (lambda r: charts.Picture(np.zeros((3, 3)), "x"), r"float64 \[3, 3\].*uint8"),
        (lambda r: theme.badge_text("a guess"), "badge 'a guess' cannot name"),
        (lambda r: signals.position([1, 2], 3), "no temperature 3.*1, 2"),
    ],
)
def test_what_cannot_be_shown_is_said(results, call, said):
    with pytest.raises(ValueError, match=said):
        call(results)


def test_colors_become_variables_and_dark_ones_differ():
    assert len(set(theme.LIGHT.values())) == len(theme.LIGHT)
    for name, (light, dark) in theme.COLORS.items():
        assert theme.themed(f'fill="{light}"') == f'fill="var(--kd-{name},{light})"'
        assert light != dark
        assert f"--kd-{name}:{light};" in theme.css() and f"--kd-{name}:{dark};" in theme.css()


def luminance(color):
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def contrast(a, b):
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("which", [0, 1], ids=["light", "dark"])
def test_colors_can_be_told_from_the_ground(which):
    ground = theme.COLORS["surface"][which]
    for name in ("ink", "muted"):
        assert contrast(theme.COLORS[name][which], ground) >= 4.5
    for name in ("teacher", "nds", "ds", "other", "floor", "mark", "dial"):
        assert contrast(theme.COLORS[name][which], ground) >= 3
    for i in range(7):
        on = theme.COLORS["on-low" if i < 4 else "on-high"][which]
        assert contrast(on, theme.COLORS[f"seq-{i}"][which]) >= 4.5, i


# Machado, Oliveira and Fernandes (2009): severity 1, in linear RGB.
BLINDNESS = {
    "protan": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deutan": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritan": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}


def seen_by(color, kind):
    rgb = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return np.clip(np.array(BLINDNESS[kind]) @ linear, 0, 1)


@pytest.mark.parametrize("kind", BLINDNESS)
@pytest.mark.parametrize("which", [0, 1], ids=["light", "dark"])
def test_series_differ_under_color_blindness_and_by_more_than_color(kind, which):
    teacher, alone, distilled = "teacher", "student alone", "distilled student"
    pairs = [(teacher, alone), (alone, distilled), (teacher, distilled), (distilled, "paper")]
    for a, b in pairs:
        colors = [theme.COLORS[theme.SERIES[s][0]][which] for s in (a, b)]
        apart = np.abs(seen_by(colors[0], kind) - seen_by(colors[1], kind)).sum()
        assert apart > 0.2, (a, b)
        assert theme.SERIES[a][2] != theme.SERIES[b][2], "shape"


def test_labels_at_the_ends_of_lines_stand_apart():
    """Near their lines, inside the axis, in the order of the lines, a line of text between."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        values = list(rng.choice([0.0, 0.2, 5.0, 9.9, 10.0], size=int(rng.integers(1, 6))))
        placed = np.array(temperature.apart(values, 0, 10))
        gap = 10 * temperature.LINE / temperature.PLOT
        assert (np.diff(np.sort(placed)) > gap - 1e-9).all()
        assert placed.min() > -1e-9 and placed.max() < 10 + 1e-9
        order = np.argsort(values, kind="stable")
        assert (np.diff(placed[order]) > 0).all()
    assert temperature.apart([1.0, 5.0, 9.0], 0, 10) == [1.0, 5.0, 9.0]


def test_lines_of_two_panels_are_labeled_where_they_end(results):
    """With the legend for narrow pages below; lines of three panels have the legend alone."""
    two = charts.individual_fairness(results).to_html()
    drawn = BeautifulSoup(two, "html.parser")
    for panel in drawn.select(".kd-panel"):
        said = [text.get_text() for text in panel.select("svg text")]
        assert {"teacher", "student alone", "distilled student"} <= set(said)
    assert drawn.select(".kd-key")
    three = BeautifulSoup(charts.fairness(results, "color").to_html(), "html.parser")
    assert len(three.select(".kd-panel")) == 3 and three.select(".kd-key")
    assert "distilled student" not in [text.get_text() for text in three.select("svg text")]


def test_no_warning_on_the_way(results):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        charts.fairness(results, "color").to_html()


def test_one_astray_run_does_not_press_the_rest_into_a_line():
    import pandas as pd

    from kdfair_book.charts.temperature import is_cut, shown_range

    usual = [("distilled student", t, 90.0 + t, 89.0 + t, 91.0 + t) for t in range(1, 5)]
    columns = ["series", "T", "mean", "low", "high"]
    calm = pd.DataFrame(usual, columns=columns)
    assert (min(shown_range(calm)), max(shown_range(calm))) == (90.0, 95.0)
    assert not is_cut(calm)
    astray = pd.DataFrame([*usual, ("distilled student", 5, 92.0, 10.0, 100.0)], columns=columns)
    assert min(shown_range(astray)) == pytest.approx(91.0 - 1.5)
    assert is_cut(astray)
    without = calm.assign(low=np.nan, high=np.nan)
    assert (min(shown_range(without)), max(shown_range(without))) == (91.0, 94.0)
    assert not is_cut(without)


@pytest.mark.filterwarnings("ignore::kdfair_core.metrics.UndefinedMetricWarning")
def test_an_undefined_metric_is_left_out_and_said():
    found = made_up_results(2, groups_are_labels=True)
    figure = charts.fairness(found, "color")
    assert len(figure.panels) == 2
    assert "EOD is not defined: fewer than two groups" in figure.caption
    assert "nan" not in " ".join(figure.readout.values())
    assert "**EOD** is not defined on this test set" in story.fairness(found, "color")
