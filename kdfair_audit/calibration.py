"""Whether scores mean what they say, by group."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from kdfair_audit.counts import BINS, Counts
from kdfair_audit.rates import Options, identity
from kdfair_audit.roles import Setting, settings
from kdfair_audit.statistics import seed_half_width, wilson


def calibration_frame(counts: Counts, options: Options) -> pd.DataFrame:
    """A row a model, attribute and group.

    Columns: role, temperature, attribute, group, n, score (mean), outcome (how often what was
    scored came true), gap (score minus outcome: positive is overconfident), low, high, ece (the
    expected calibration error over ten equal bins, runs averaged; never below zero, and raised by
    chance in small groups), small.
    """
    frames = []
    for setting in settings(counts.models):
        if not _scored(counts, setting):
            continue
        for attribute in counts.groups:
            axis, names = counts.axis(attribute), counts.group_names(attribute)
            n, score, outcome = _bins(counts, setting, axis)
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
                "group": names,
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

    Columns: role, temperature, attribute, group, bin (its lower end), n (mean over runs), score
    (mean), outcome, low, high.
    """
    frames = []
    for setting in settings(counts.models):
        if not _scored(counts, setting):
            continue
        for attribute in counts.groups:
            axis, names = counts.axis(attribute), counts.group_names(attribute)
            n, score, outcome = (part.sum(axis=0) for part in _bins(counts, setting, axis))
            group, held = n.nonzero()
            size = n[group, held] / len(setting.runs)
            rate = outcome[group, held] / n[group, held]
            low, high = wilson(rate, size, level=options.level)
            columns = {
                "group": np.array(names, dtype=object)[group],
                "bin": held / BINS,
                "n": size,
                "score": score[group, held] / n[group, held],
                "outcome": rate,
                "low": low,
                "high": high,
            }
            frames.append(pd.DataFrame(identity(setting) | {"attribute": attribute} | columns))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _scored(counts: Counts, setting: Setting) -> bool:
    return all(f"g0/gap:{run}" in counts.sums for run in setting.runs)


def _bins(counts: Counts, setting: Setting, axis: str) -> tuple[np.ndarray, ...]:
    """Number, sum of scores and sum of outcomes ``[run, group, bin]``."""
    return tuple(
        np.stack([counts.sum(f"{what}:{run}", axis, f"bin:{run}") for run in setting.runs])
        for what in ("n", "score", "outcome")
    )
