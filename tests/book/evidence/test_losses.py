"""What temperature changes under each loss."""

import pytest
from known_study import made_up

from kdfair_book.charts.losses import losses
from kdfair_book.evidence.losses import fallen, temperature_effects
from kdfair_book.pages.losses import losses_found, losses_table


def setting(at8=None):
    """Five seeds; ``at8``: what the students at T = 8 predict in place."""
    found = made_up(n_classes=10, temperatures=(1, 4, 8))
    for k, run in enumerate(found.manifest["runs"]):
        if at8 is not None and run["temperature"] == 8:
            found.pred[k] = at8
            run["accuracy"] = float((found.pred[k] == found.y_true).mean())
    return found


def said_of(found):
    """The sentences and the table of T = 1 against T = 8."""
    changes = temperature_effects(found, low=1, high=8)
    return losses_found(found, changes), losses_table(changes)


def test_effects_are_differences_between_the_two_temperatures():
    found = setting()
    frame = temperature_effects({"one": found}, low=1, high=8, n_boot=200)
    assert list(frame["metric"]) == ["accuracy", "dpd", "eod"]
    ds = found.runs[found.runs["role"] == "ds"].set_index("temperature")["accuracy"]
    assert frame["change"][0] == pytest.approx(ds.loc[8].mean() - ds.loc[1].mean())
    assert (frame["low"] <= frame["change"]).all() and (frame["change"] <= frame["high"]).all()


def test_a_loss_whose_students_all_collapsed_is_named_and_left_out():
    found = {"sound": setting(), "lost": setting(at8=0)}
    assert fallen(found["sound"]) == [] and fallen(found["lost"]) == [8.0]
    assert set(temperature_effects(found, low=1, high=8, n_boot=100)["loss"]) == {"sound"}
    said, _ = said_of(found)
    assert "; lost is left out." in said
    assert "**Collapsed or diverged students**: under lost at T = 8." in said
    assert "There is nothing to compare." in said
    kept = temperature_effects(found, low=1, high=4, n_boot=100)
    assert set(kept["loss"]) == {"sound", "lost"}


def test_losses_that_disagree_are_said_to():
    fine = setting()
    said, _ = said_of({"one": fine, "other": setting(at8=fine.y_true)})
    assert "for accuracy the intervals of two losses exclude each other" in said
    said, rows = said_of({"one": fine, "two": setting()})
    assert "overlap for all three measures" in said
    assert "| two | EOD by color |" in rows


def test_the_figure_has_a_line_a_loss():
    figure = losses({"Hinton's loss": setting(), "decoupled": setting()}, "color")
    assert len(figure.panels) == 4
    assert set(figure.table["loss"]) == {"Hinton's loss", "decoupled"}
    assert "decoupled: accuracy" in figure.readout[8]
