"""Whether EOD rises without the factor T squared by more than the lost accuracy explains.

Students without the factor are less accurate, and models that err more have more errors to spread
unevenly. The control compares both kinds at equal accuracy: a straight line of EOD on accuracy,
with a step between the kinds, fitted to one seed's students over all temperatures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from kdfair_book.evidence.collapse import collapsed
from kdfair_book.evidence.sweep import NotThere, Sweep


@dataclass(frozen=True)
class AtEqualAccuracy:
    """EOD without the factor T squared less EOD with it, in fractions.

    Attributes
    ----------
    total : float
        As measured: mean over seeds and the temperatures used.
    step, low, high : float
        At equal accuracy: mean over seeds of the fitted step, with its 95 % interval over seeds
        (Student's t). NaN where the accuracies of both kinds do not overlap: no student of one
        kind is then as accurate as any of the other, and a line would be drawn beyond the data.
    temperatures : tuple of float
        Those above 1 (at T = 1 the factor is 1) at which no training collapsed.
    """

    total: float
    step: float
    low: float
    high: float
    temperatures: tuple[float, ...]

    @property
    def comparable(self) -> bool:
        """Whether some students of both kinds are equally accurate."""
        return not np.isnan(self.step)


def at_equal_accuracy(scaled: Sweep, plain: Sweep, attribute: str) -> AtEqualAccuracy:
    """Compare EOD without the factor (``plain``) and with it (``scaled``) at equal accuracy.

    Parameters
    ----------
    scaled, plain : Sweep
        Of one study, with the same seeds.
    attribute : str

    Raises
    ------
    NotThere
        A ValueError, if fewer than two seeds or temperatures are shared.
    """
    accuracy = scaled.results.runs["accuracy"].to_numpy()
    eod = scaled.results.group_fairness(attribute)["eod"].to_numpy()
    shared = [
        t
        for t in scaled.temperatures
        if t > 1
        and t in plain.temperatures
        and not collapsed(accuracy[scaled.at(t)]).any()
        and not collapsed(accuracy[plain.at(t)]).any()
    ]
    seeds = [s for s in scaled.seeds if s in plain.seeds]
    if len(seeds) < 2 or len(shared) < 2:
        raise NotThere(
            f"{len(seeds)} seeds and {len(shared)} temperatures with and without the factor; "
            "expected at least two of each"
        )
    kinds = []
    for one in (scaled, plain):
        rows = [one.seeds.index(s) for s in seeds]
        kinds.append(one.ds[np.ix_(rows, [one.temperatures.index(t) for t in shared])])
    with_, without = kinds
    total = float((eod[without] - eod[with_]).mean())
    if accuracy[without].max() <= accuracy[with_].min():
        return AtEqualAccuracy(total, np.nan, np.nan, np.nan, tuple(shared))
    kind = np.repeat([0.0, 1.0], len(shared))
    steps = []
    for a, b in zip(with_, without, strict=True):
        runs = np.concatenate([a, b])
        line = np.column_stack([np.ones(len(runs)), accuracy[runs], kind])
        steps.append(np.linalg.lstsq(line, eod[runs], rcond=None)[0][2])
    step = float(np.mean(steps))
    half = stats.t.ppf(0.975, len(steps) - 1) * np.std(steps, ddof=1) / np.sqrt(len(steps))
    return AtEqualAccuracy(total, step, float(step - half), float(step + half), tuple(shared))
