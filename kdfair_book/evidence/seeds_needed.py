"""How many seeds a study would have needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kdfair_book.evidence.power import bh_level, seeds_needed, welch_power
from kdfair_book.evidence.sweep import Sweep

Array = NDArray[Any]

EFFECTS = (0.005, 0.01, 0.02, 0.05)
"""Changes of a class's relative accuracy; 0.01 is about one percentage point of accuracy."""

SEED_COUNTS = (2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 75, 100)

SHARE = 0.2
"""Share of classes that are taken to be affected when power after correction is computed."""


def spreads(sweep: Sweep, temperature: float) -> tuple[Array, Array]:
    """Deviation between seeds of each class's relative accuracy, of the NDS and the DS.

    Each class's variance is drawn halfway towards the mean over classes: five runs measure a
    variance badly, and a class that happened to vary little would seem easy to test.
    """
    sweep.need_seeds()
    sides = [
        sweep.relative[runs].var(axis=0, ddof=1) for runs in (sweep.nds, sweep.at(temperature))
    ]
    shrunk = [np.sqrt((side + np.nanmean(side)) / 2) for side in sides]
    known = ~np.isnan(shrunk[0]) & ~np.isnan(shrunk[1])
    return shrunk[0][known], shrunk[1][known]


def power_curve(
    sweep: Sweep,
    temperature: float,
    *,
    effects: Sequence[float] = EFFECTS,
    seed_counts: Sequence[int] = SEED_COUNTS,
    share: float = SHARE,
    level: float = 0.05,
) -> pd.DataFrame:
    """Power to see one affected class of a study, against the number of seeds.

    Parameters
    ----------
    sweep : Sweep
        Where the spread between seeds was measured.
    temperature : float
        Of the distilled students whose spread is used.
    effects : sequence of float
        True changes of relative class accuracy.
    seed_counts : sequence of int
    share : float
        Share of classes with such an effect, for the correction.
    level : float

    Returns
    -------
    pandas.DataFrame
        ``effect``, ``seeds``, ``correction`` ("none" or "bh"), ``power`` (mean over classes).
    """
    sd_a, sd_b = spreads(sweep, temperature)
    typical = (float(np.sqrt((sd_a**2).mean())), float(np.sqrt((sd_b**2).mean())))
    rows = []
    for effect in effects:
        for n in seed_counts:
            threshold = bh_level(
                effect, *typical, n=n, share=share, n_classes=len(sd_a), level=level
            )
            for correction, at in (("none", level), ("bh", threshold)):
                power = welch_power(effect, sd_a, sd_b, n_a=n, level=at).mean()
                rows.append((effect, n, correction, float(power)))
    return pd.DataFrame(rows, columns=["effect", "seeds", "correction", "power"])


def seeds_for(
    sweep: Sweep,
    temperature: float,
    effect: float,
    *,
    power: float = 0.8,
    share: float = SHARE,
    level: float = 0.05,
) -> dict[str, float]:
    """Seeds needed to see an effect in a typical class: "none" and "bh" (after correction)."""
    sd_a, sd_b = spreads(sweep, temperature)
    typical = (float(np.sqrt((sd_a**2).mean())), float(np.sqrt((sd_b**2).mean())))
    corrected = {"n_classes": len(sd_a), "share": share}
    return {
        "none": seeds_needed(effect, *typical, power=power, level=level),
        "bh": seeds_needed(
            effect,
            *typical,
            power=power,
            level=level,
            **corrected,  # type: ignore[arg-type]
        ),
    }
