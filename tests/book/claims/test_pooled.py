"""Claims pooled over studies: what is averaged, what is counted, and what the page shows."""

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from known_study import made_up
from scipy import stats

from kdfair_book import claims
from kdfair_book.charts import scorecard
from kdfair_book.claims import scoring
from kdfair_book.pages import pooled_verdicts


@pytest.fixture(scope="module")
def card():
    """Two made-up studies in which the claims are true, one of them with a second attribute."""
    parts = []
    for name, seed in (("trifeature", 1), ("hatexplain", 2)):
        results = made_up(study=name, n=1500, n_classes=10, temperatures=(1, 4, 10), seed=seed)
        parts.append(claims.check(results))
    twice = parts[0][parts[0]["attribute"] == "color"].assign(attribute="texture")
    return scoring._decided(pd.concat([*parts, twice], ignore_index=True), 0.05)


@pytest.mark.parametrize("claim", ["dpd-falls", "eod-below-nds"])
def test_a_study_counts_once(card, claim):
    found = claims.pooled(card).set_index("claim")
    row = found.loc[claim]
    assert (row["studies"], row["cells"]) == (2, 3)
    without = claims.pooled(card[card["attribute"] != "texture"]).set_index("claim")
    for name in ("effect", "p_value_these", "p_value_like", "q"):
        np.testing.assert_allclose(row[name], without.loc[claim, name])
    mine = card[(card["claim"] == claim) & (card["attribute"] == "color")]
    effects = mine["effect"].to_numpy(dtype=float)
    assert row["effect"] == pytest.approx(effects.mean())
    p = stats.ttest_1samp(effects, 0, alternative="greater").pvalue
    assert row["p_value_like"] == pytest.approx(p)


def test_true_claims_hold_together_and_intervals_stay_possible(card):
    found = claims.pooled(card).set_index("claim")
    for claim in ("eod-falls", "less-disagreement", "sc-rises", "individual-falls"):
        assert found.loc[claim, "verdict_these"] == "holds", claim
    correlations = [c.id for c in claims.CLAIMS if not c.shares and c.id in found.index]
    ends = found.loc[correlations, ["low_these", "high_these", "low_like", "high_like"]]
    assert ends.abs().max().max() <= 1
    assert np.isnan(found.loc["sc-rises", "low_these"])
    assert "same-at-other-alpha" not in found.index


def test_one_study_is_not_pooled(card):
    alone = card[card["study"] == "trifeature"]
    assert claims.pooled(alone).empty
    assert "nothing is pooled" in pooled_verdicts.summary(claims.pooled(alone))


def test_the_page_shows_both_answers(card):
    found = claims.pooled(card)
    page = BeautifulSoup(scorecard.Scorecard(card, None, found)._repr_html_(), "html.parser")
    assert page.select("thead th")[-1].text.startswith(scorecard.POOLED_COLUMN)
    for claim, row in zip(claims.CLAIMS, page.select("tbody tr"), strict=True):
        cell = row.find_all("td")[-1].text
        mine = found[found["claim"] == claim.id]
        if mine.empty:
            assert "one study only" in cell
        else:
            one = mine.iloc[0]
            assert cell.startswith(
                f"{scorecard.SIGNS[one['verdict_these']]} {one['verdict_these']}these studies"
            )
            assert one["verdict_like"] in cell.split("these studies", 1)[1]


def test_the_table_has_every_claim_and_the_simulation(card):
    found = claims.pooled(card)
    folded = pooled_verdicts.details(found)
    page = BeautifulSoup(folded._repr_html_(), "html.parser")
    first, second = page.find_all("table")
    assert len(first.select("tbody tr")) == len(found)
    assert "DerSimonian-Laird" in second.text
    assert not {"e-1", "e+0", "= <"} & {page.text[k : k + 3] for k in range(len(page.text))}
    said = pooled_verdicts.summary(found)
    counts = found["verdict_these"].value_counts()
    assert f"{counts['holds']} hold" in said


def test_an_effect_below_what_matters_is_said_to_be(card):
    found = claims.pooled(card)
    row = found[found["claim"] == "eod-falls"].iloc[0].to_dict()
    assert row["addition_these"] == "" and "too small" not in scorecard.pooled_numbers(row, "these")
    tiny = row | {"addition_these": "too small to matter"}
    assert scorecard.pooled_numbers(tiny, "these").endswith("; too small to matter")
    page = scorecard.Scorecard(card, None, pd.DataFrame([tiny]))._repr_html_()
    assert "these studies, too small to matter" in page


@pytest.mark.parametrize(
    ("p", "said"), [(0.031, "p = 0.031"), (1e-4, "p = 0.0001"), (9e-5, "p < 0.0001")]
)
def test_a_p_value_in_words(p, said):
    assert scorecard.p_said(p) == said


def test_large_effects_have_no_exponents():
    row = {"claim": "uneven", "low": -0.681, "effect": 0.387, "high": 1.454}
    assert scorecard.effect(row) == "39 % [-68, 145]"
