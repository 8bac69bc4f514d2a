"""The page's figure shows what the command simulates."""

import math

import pytest

from kdfair_book.charts import cluster
from kdfair_book.evidence import benchmarks
from kdfair_cluster.costs import Rates
from kdfair_cluster.planning import Costs
from kdfair_core import studies


@pytest.fixture(scope="module")
def scaling():
    return benchmarks.scaling()


@pytest.mark.parametrize("name", ["cifar100", "trifeature"])
def test_what_is_stored_is_what_the_plan_says(scaling, name):
    rates = Rates(scaling.attrs["rate"])
    rows = Costs(studies.get(name), scaling.attrs["profile"], rates).efficiency()
    stored = scaling[scaling["study"] == name].to_dict("records")
    assert len(rows) == len(stored) == 11
    for row, was in zip(rows, stored, strict=True):
        assert row["devices"] == was["devices"] and row["split"] == was["split"]
        assert math.isclose(row["efficiency"], was["efficiency"], rel_tol=1e-9)


def test_the_figure_says_its_numbers_and_where_they_come_from(scaling):
    figure = cluster.efficiency(scaling)
    assert figure.badge_text == "simulated here"
    assert "NVIDIA H100" in figure.method and "prototype" in figure.method
    one = scaling[(scaling["study"] == "cifar100") & (scaling["devices"] == 8)].iloc[0]
    assert f"{100 * one['efficiency']:.0f} % on 8 GPUs" in figure.readout
    assert list(figure.table["study"]) == [
        name for name in studies.names() if "paper" in studies.get(name).profiles
    ]
    assert "efficiency (%)" in figure.to_altair().to_json()
