"""What GPU hours would buy: greedily, within the hours, and by the rates of the plan."""

import numpy as np
import pandas as pd
import pytest

from kdfair_book.claims.buying import bought, seed_gpu_hours
from kdfair_book.claims.seeds_to_decide import Missing
from kdfair_cluster.costs import Rates
from kdfair_cluster.planning import Costs
from kdfair_core import studies


def lacking(study, n, *seeds):
    """Undecided rows of a study with n seeds that lack so many."""
    base = {"study": study, "profile": "laptop", "verdict": "undecided", "n": n, "attribute": ""}
    return [
        base | {"claim": f"c{k}", "missing": Missing(s, 0, "", "")} for k, s in enumerate(seeds)
    ]


PRICES = {"cheap": 0.1, "dear": 1.0}


def price(study, profile):
    return PRICES[study]


def test_most_verdicts_an_hour_come_first_and_the_hours_are_kept():
    rows = lacking("cheap", 5, 7, 7, 30, np.inf) + lacking("dear", 3, 4, 4, 4, 20)
    rows += [{**rows[0], "verdict": "holds", "missing": None}]
    found = bought(pd.DataFrame(rows), 4.0, each=price)
    told = found[["study", "seeds", "more_seeds"]].to_numpy().tolist()
    # 2 verdicts for 0.2 hours, then 3 for 1 hour, then 1 for 2.3 hours; 16 hours are too many
    assert told == [["cheap", 7, 2], ["dear", 4, 1], ["cheap", 30, 23]]
    assert found["hours"].to_list() == pytest.approx([0.2, 1.0, 2.3])
    assert found["verdicts"].map(len).to_list() == [2, 3, 1]
    assert found["expected"].to_list() == pytest.approx([1.6, 2.4, 0.8])
    assert bought(pd.DataFrame(rows), 1.1, each=price)["study"].to_list() == ["cheap"]


def test_steps_of_one_study_in_a_row_are_one_purchase():
    (row,) = bought(pd.DataFrame(lacking("cheap", 5, 7, 8, 9)), each=price).to_dict("records")
    assert (row["seeds"], row["more_seeds"], len(row["verdicts"])) == (9, 4, 3)
    assert row["hours"] == pytest.approx(0.4)


def test_without_anything_to_buy_nothing_is_bought():
    assert bought(pd.DataFrame(lacking("cheap", 5, np.inf, np.nan)), each=price).empty


def test_a_seed_costs_what_the_plan_says():
    """Teacher and students of one seed, of five; the null seeds are not bought."""
    study = studies.get("faces")
    whole = Costs(study, "laptop", Rates("h100-eager")).cost(1).work / 3600
    one = seed_gpu_hours("faces", "laptop")
    assert 0.5 * whole / 5 < one <= whole / len(study.profile("laptop").seeds)
