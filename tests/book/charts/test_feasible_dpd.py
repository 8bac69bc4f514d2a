"""The figure of possible DPDs draws what the bounds say."""

from __future__ import annotations

import pytest

from kdfair_book.charts import feasible_dpd
from kdfair_book.paper.checks import feasibility


@pytest.mark.parametrize(
    ("study", "attribute", "panels"),
    [
        ("celeba-smiling", "Young", 4),
        ("celeba-eyeglasses", "Young", 4),
        ("hatexplain", "gender", 3),
        ("hatexplain", "race", 3),
    ],
)
def test_a_panel_for_each_reading(study: str, attribute: str, panels: int) -> None:
    figure = feasible_dpd.possible_dpd(study, attribute, start=7)
    assert len(figure.panels) == panels
    assert figure.start == 7
    assert set(figure.readout) == set(figure.temperatures)
    found = feasibility.dpd_ranges(study, attribute).query("role == 'ds'")
    fits = found.groupby("reading")["possible"].sum()
    for panel in figure.panels:
        reading, _, fit = panel.title.partition(": ")
        name = next(r for r in fits.index if feasible_dpd._short(r) == reading)
        assert fit == f"{fits[name]} of {len(figure.temperatures)} fit"
    assert len(figure.table) == panels * len(figure.temperatures)
    assert figure.to_altair().to_dict()


def test_a_temperature_the_table_lacks_starts_at_the_first() -> None:
    assert feasible_dpd.possible_dpd("hatexplain", "race", start=40).start == 1
