"""The same students under other losses: what a rise of temperature changes under each."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from kdfair_book.evidence.collapse import SHARE
from kdfair_book.evidence.effects import share_interval
from kdfair_book.evidence.group import bootstrap
from kdfair_book.evidence.sweep import sweep
from kdfair_core.metrics.bootstrap import N_BOOT
from kdfair_core.results import Results


def fallen(found: Results) -> list[float]:
    """Temperatures at which a distilled student diverged or collapsed.

    Collapsed: an accuracy under two thirds of the mean of the students trained alone. The rule of
    :func:`kdfair_book.evidence.collapse.collapsed` compares runs of one setting and would pass a
    setting of which every run collapsed.
    """
    runs = found.runs
    alone = runs.loc[runs["role"] == "nds", "accuracy"].mean()
    lost = runs["diverged"] | (runs["accuracy"] < SHARE * alone)
    return sorted(map(float, runs.loc[lost & (runs["role"] == "ds"), "temperature"].unique()))


def temperature_effects(
    found: Mapping[str, Results], *, low: float, high: float, n_boot: int = N_BOOT, seed: int = 0
) -> pd.DataFrame:
    """What changes from one temperature to a higher one, loss by loss.

    Parameters
    ----------
    found : mapping of str to Results
        Name of the loss -> the runs of one setting.
    low, high : float
        The two temperatures.
    n_boot, seed : int
        Of the resampled test set.

    Returns
    -------
    pandas.DataFrame
        ``loss``, ``metric`` ("accuracy", "dpd" or "eod"), ``attribute`` ("" for accuracy),
        ``change`` (at high less at low; DPD and EOD corrected for bias), ``low``, ``high`` (its
        95 % interval over test examples and seeds). Fractions. Losses that have :func:`fallen`
        students at either temperature are left out. ``attrs`` hold the two temperatures.
    """
    rows = []
    for loss, results in found.items():
        if {low, high} & set(fallen(results)):
            continue
        mine = sweep(results)
        hits = results.pred == results.y_true
        gap = hits[mine.at(high)].astype(np.int8) - hits[mine.at(low)].astype(np.int8)
        rows.append((loss, "accuracy", "", gap.mean(), *share_interval(gap, seed=seed)))
        for attribute in results.attributes:
            models = [mine.at(low), mine.at(high)]
            boot = bootstrap(results, attribute, models, n_boot=n_boot, seed=seed)
            for metric in ("dpd", "eod"):
                one = boot.difference(1, 0, metric)
                rows.append((loss, metric, attribute, one["corrected"], one["low"], one["high"]))
    columns = ["loss", "metric", "attribute", "change", "low", "high"]
    frame = pd.DataFrame(rows, columns=columns)
    frame.attrs = {"low": low, "high": high}
    return frame
