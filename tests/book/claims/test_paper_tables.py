"""The claims on the paper's own tables."""

import numpy as np
import pytest
from scipy import stats

from kdfair_book import claims, paper
from kdfair_book.evidence import printed


@pytest.fixture(scope="module")
def tables():
    return claims.paper_tables()


def test_every_printed_cell_is_there_once(tables):
    assert set(tables["claim"]) == {c.id for c in claims.CLAIMS} - {
        "closer-to-teacher",
        "less-disagreement",
        "individual-beyond-softness",
    }
    assert not tables.duplicated(["claim", "study", "attribute"]).any()
    counts = tables["claim"].value_counts()
    assert counts["sc-rises"] == 7 and counts["sc-reverses"] == 4
    assert counts["dpd-falls"] == 6 and counts["eod-reverses"] == 4
    assert counts["individual-falls"] == 3


def test_welch_of_one_cell_by_hand(tables):
    row = tables.query("claim == 'eod-below-teacher' and study == 'celeba-smiling'").iloc[0]
    # Table 2: teacher 4.69 ± 0.06, DS at T = 10 4.98 ± 0.03, deviations rounded up
    hand = stats.ttest_ind_from_stats(
        4.69, 0.065, 5, 4.98, 0.035, 5, equal_var=False, alternative="greater"
    )
    assert row["p_value"] == pytest.approx(hand.pvalue)
    assert row["effect"] == pytest.approx(-0.0029)
    assert row["verdict"] == "fails"
    family = tables[tables["claim"] == "eod-below-teacher"]
    assert row["p_opposite_adjusted"] >= 1 - row["p_value"]
    assert (family["p_adjusted"] >= family["p_value"]).all()


def test_verdicts_follow_the_rule(tables):
    assert set(tables["verdict"]) <= set(claims.VERDICTS)
    holds = tables["verdict"] == "holds"
    assert (tables.loc[holds, "p_adjusted"] <= claims.LEVEL).all()
    assert (tables.loc[~holds, "p_adjusted"] > claims.LEVEL).all()


def test_deviations_as_errors_are_wider(tables):
    other = claims.paper_tables(as_errors=True)
    with_interval = tables["claim"].isin(printed.WITH_DEVIATIONS)
    width, wider = ((f["high"] - f["low"])[with_interval] for f in (tables, other))
    assert (wider > 1.5 * width).all()
    assert other.loc[~with_interval, "p_value"].equals(tables.loc[~with_interval, "p_value"])


def test_numbers_come_from_the_tables(monkeypatch, tables):
    rows = paper.results("trifeature")
    swapped = rows.assign(mean=np.where(rows["metric"] == "dpd", 10 - rows["mean"], rows["mean"]))
    original = paper.results
    monkeypatch.setattr(
        paper,
        "results",
        lambda study, *more: (
            swapped[
                (not more)
                | (swapped["metric"].isin(more[:1]) & swapped["attribute"].isin([*more[1:], ""]))
            ]
            if study == "trifeature"
            else original(study, *more)
        ),
    )
    found = printed.findings("dpd-falls")["trifeature", "color"]
    mine = tables.query("claim == 'dpd-falls' and study == 'trifeature' and attribute == 'color'")
    assert found.effect == pytest.approx(-mine["effect"].item())
    assert found.p_opposite == pytest.approx(mine["p_value"].item())
