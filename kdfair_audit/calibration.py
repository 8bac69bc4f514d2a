"""Whether scores mean what they say, by group."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import pandas as pd
from scipy import stats

from kdfair_audit.counts import BINS, Counts
from kdfair_audit.rates import Options, identity
from kdfair_audit.roles import Setting, settings
from kdfair_audit.statistics import seed_half_width, wilson


def calibration_frame(counts: Counts, options: Options) -> pd.DataFrame:
    """A row a model, attribute and group.

    score is the mean, outcome how often what was scored came true, gap the former less the latter
    (positive is overconfident) with low and high, and ece the expected calibration error over ten
    equal bins, runs averaged; never below zero, and raised by chance in small groups.
    """
    frames = []
    for setting, attribute, (n, score, outcome) in _binned(counts):
        axis = counts.axis(attribute)
        with np.errstate(divide="ignore", invalid="ignore"):
            gaps = np.stack([counts.sum(f"gap:{r}", axis) for r in setting.runs])
            squares = np.stack([counts.sum(f"square:{r}", axis) for r in setting.runs])
            total = n.sum(axis=2)
            by_run = gaps / total
            variance = squares / total - by_run**2
            error = np.sqrt(variance.mean(axis=0) / total[0])
            ece = np.abs(score - outcome).sum(axis=2) / total
            means = score.sum(axis=2) / total, outcome.sum(axis=2) / total
        half = stats.norm.ppf((1 + options.level) / 2) * error
        half = np.hypot(half, seed_half_width([by_run], level=options.level))
        gap = by_run.mean(axis=0)
        columns = {
            "group": counts.group_names(attribute),
            "n": total[0].astype(int),
            "score": means[0].mean(axis=0),
            "outcome": means[1].mean(axis=0),
            "gap": gap,
            "low": gap - half,
            "high": gap + half,
            "ece": ece.mean(axis=0),
            "small": total[0] < options.min_group,
        }
        frames.append(pd.DataFrame(identity(setting) | {"attribute": attribute} | columns))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def reliability_frame(counts: Counts, options: Options) -> pd.DataFrame:
    """A row a model, attribute, group and bin that holds scores, runs added up.

    bin is its lower end, n a mean over runs, score a mean.
    """
    frames = []
    for setting, attribute, bins in _binned(counts):
        n, score, outcome = (part.sum(axis=0) for part in bins)
        held = n.nonzero()
        size, rate = n[held] / len(setting.runs), outcome[held] / n[held]
        low, high = wilson(rate, size, level=options.level)
        columns = {
            "group": np.array(counts.group_names(attribute), dtype=object)[held[0]],
            "bin": held[1] / BINS,
            "n": size,
            "score": score[held] / n[held],
            "outcome": rate,
            "low": low,
            "high": high,
        }
        frames.append(pd.DataFrame(identity(setting) | {"attribute": attribute} | columns))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _binned(counts: Counts) -> Iterator[tuple[Setting, str, list[np.ndarray]]]:
    """Number, sum of scores and of outcomes ``[run, group, bin]`` of what gives probabilities."""
    for setting, attribute in product(settings(counts.models), counts.groups):
        if all(f"g0/gap:{run}" in counts.sums for run in setting.runs):
            axis, what = counts.axis(attribute), ("n", "score", "outcome")
            bins = [[counts.sum(f"{w}:{r}", axis, f"bin:{r}") for r in setting.runs] for w in what]
            yield setting, attribute, [np.stack(part) for part in bins]
