"""Trainings that collapsed stand beside the mean that would hide them."""

import re
from io import StringIO

import altair as alt
import pandas as pd
import pytest
import vl_convert
from made_up import made_up_results

from kdfair_book import charts
from kdfair_book.charts import collapsed
from kdfair_book.charts.temperature import nice_ends
from kdfair_core import results as published


@pytest.fixture(scope="module")
def trifeature():
    """One training of five collapsed at T = 30."""
    return published.load("trifeature", "laptop")


def single_runs(panel, T=30.0):
    spec = panel.spec([4.0, T], T, slider=False)
    found = [t for t in spec["datasets"].values() if t.startswith("series,T,value,at,run")]
    return pd.read_csv(StringIO(found[0])) if found else None


def test_axes_end_where_vega_ends_them():
    for ends in [(0.0, 4.51), (61.2, 100.0), (-2.93, 2.4), (0.00031, 0.00087), (12.0, 1234.0)]:
        chart = alt.Chart(alt.InlineData([{"v": ends[0]}, {"v": ends[1]}])).mark_point()
        chart = chart.encode(y=alt.Y("v:Q", scale=alt.Scale(domain=ends, nice=True)))
        svg = vl_convert.vegalite_to_svg(
            chart.properties(height=1000, background="white").to_dict()
        )
        y = [
            float(v)
            for v in re.findall(r'aria-label="v: [^"]*" [^>]*translate\([^,]*,([^)]*)', svg)
        ]
        low, high = nice_ends(*ends)
        expected = [1000 * (high - end) / (high - low) for end in ends]
        assert y == pytest.approx(expected, abs=0.5)


@pytest.mark.slow
def test_runs_are_drawn_where_one_collapsed(trifeature):
    runs = trifeature.runs
    at = runs[(runs["role"] == "ds") & (runs["temperature"] == 30) & (runs["soft_scale"] == "T2")]
    figure = charts.fairness(trifeature, "color")
    drawn = single_runs(figure.panels[0])
    assert sorted(drawn["value"]) == pytest.approx(sorted(100 * at["accuracy"]), rel=1e-5)
    low = drawn[drawn["run"] == "collapsed"]
    assert list(low["value"]) == [pytest.approx(9.91)]
    assert (drawn["at"] >= 60).all() and set(drawn["T"]) == {30}
    spec = figure.panels[0].spec(figure.temperatures, 4, slider=False)
    assert ">collapsed: 9.91<" in vl_convert.vegalite_to_svg(spec)
    for panel in [*figure.panels[1:], *charts.individual_fairness(trifeature).panels]:
        assert list(single_runs(panel)["run"]).count("collapsed") == 1


@pytest.mark.parametrize(
    "chart",
    [
        lambda r: charts.fairness(r, "texture"),
        lambda r: charts.beside_paper(r, "color"),
        charts.individual_fairness,
        charts.affected_counts,
        charts.class_accuracy,
        charts.disagreement,
    ],
)
def test_the_sentence_counts_the_seeds(trifeature, chart):
    readout = chart(trifeature).readout
    told = {t for t, said in readout.items() if "one of five seeds collapsed" in said}
    assert told == {30}


def test_nothing_is_said_where_none_collapsed():
    sound = made_up_results(2)
    assert collapsed.collapsed_runs(sound, 0.8, ["T2"]).empty
    assert collapsed.caption(collapsed.collapsed_runs(sound, 0.8, ["T2"])) == ""
    figure = charts.fairness(sound, "color")
    assert single_runs(figure.panels[0]) is None
    assert "collapsed" not in " ".join(figure.readout.values()) + figure.caption
