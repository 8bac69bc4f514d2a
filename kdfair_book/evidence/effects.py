"""Every effect of a study in one frame: teacher, student alone, distilled student, and chance.

Accuracy and disagreement are means over seeds of shares of test examples; their intervals are over
examples and seeds together, as those of group fairness are: examples are drawn once for all runs,
and seeds add Student's t times the standard error between runs. DPD and EOD are corrected for what
noise adds to a largest difference, so that an estimate lies in its interval.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kdfair_book import paper
from kdfair_book.evidence.chance import chance_count
from kdfair_book.evidence.group import all_models, position
from kdfair_book.evidence.individual import dealt_at_random, pairs_of
from kdfair_book.evidence.regime import regime
from kdfair_book.evidence.softening import softmax
from kdfair_book.evidence.sweep import Sweep
from kdfair_book.evidence.unfairness import UnfairnessBootstrap
from kdfair_core import metrics
from kdfair_core.metrics.bootstrap import N_BOOT

Array = NDArray[Any]

DRAWS = 10_000
COLUMNS = ["measure", "attribute", "role", "T", "value", "low", "high", "raw", "chance"]
COLUMNS += ["chance_high", "paper"]


def effects(found: Sweep, *, n_boot: int = N_BOOT, seed: int = 0) -> pd.DataFrame:
    """All measures of a sweep's models, and of the difference between distilled and alone.

    Parameters
    ----------
    found : Sweep
        With two seeds or more.
    n_boot, seed : int
        Of the resampled test set.

    Returns
    -------
    pandas.DataFrame
        ``measure`` ("accuracy", "disagreement", "sc", "tc", "dpd", "eod", "individual"),
        ``attribute`` (a sensitive attribute, a space of distances, or ""), ``role`` ("teacher",
        "nds", "ds", or "difference": DS less NDS), ``T`` (NaN for teacher and NDS), ``value``,
        ``low`` and ``high`` (95 %), ``raw`` (as measured, where ``value`` is corrected),
        ``chance`` and ``chance_high`` (what is expected where nothing differs, and its upper
        97.5 % point for counts; of individual unfairness, that of answers dealt at random) and
        ``paper`` (the paper's number). Fractions; #SC, #TC and the individual measure as they are.
    """
    found.need_seeds()
    rows = [*_shares(found, seed), *_counts(found)]
    for attribute in found.results.attributes:
        rows += _groups(found, attribute, n_boot, seed)
    for space in found.results.features:
        rows += _individual(found, space, n_boot, seed)
    frame = pd.DataFrame(rows, columns=COLUMNS)
    frame["paper"] = _paper_numbers(found, frame)
    return frame


def share_interval(hits: Array, *, level: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """Interval of a mean over runs and examples.

    Parameters
    ----------
    hits : float array [run, example]
        For instance whether a run is right, or a difference of two such.
    """
    hits = np.asarray(hits, dtype=float)
    n_runs, n_examples = hits.shape
    rng = np.random.default_rng(seed)
    error = hits.mean(axis=0).std(ddof=1) / np.sqrt(n_examples)
    draws = error * rng.standard_normal(DRAWS)
    if n_runs > 1:
        between = hits.mean(axis=1).std(ddof=1) / np.sqrt(n_runs)
        draws = draws + between * rng.standard_t(n_runs - 1, DRAWS)
    low, high = hits.mean() + np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _models(found: Sweep) -> list[tuple[str, float, Array]]:
    """Role, temperature and runs of everything that is shown."""
    ds = [("ds", t, found.ds[:, k]) for k, t in enumerate(found.temperatures)]
    return [("teacher", np.nan, found.teacher), ("nds", np.nan, found.nds), *ds]


def _shares(found: Sweep, seed: int) -> list[dict[str, Any]]:
    """Accuracy, and disagreement with the teacher of the same seed."""
    pred, y = found.results.pred, found.results.y_true
    rows = []
    for measure, of in (
        ("accuracy", lambda runs: pred[runs] == y),
        ("disagreement", lambda runs: pred[runs] != pred[found.teacher]),
    ):
        alone = of(found.nds).astype(np.int8)
        for role, t, runs in _models(found):
            if measure == "disagreement" and role == "teacher":
                continue
            hits = of(runs).astype(np.int8)
            low, high = np.clip(share_interval(hits, seed=seed), 0, 1)
            rows.append(_row(measure, "", role, t, hits.mean(), low, high))
            if role == "ds":
                gap = hits - alone
                ends = share_interval(gap, seed=seed)
                rows.append(_row(measure, "", "difference", t, gap.mean(), *ends))
    return rows


def _counts(found: Sweep) -> list[dict[str, Any]]:
    """#SC and #TC, with the number that chance gives; of studies with ten classes or more."""
    n_classes = len(found.results.classes)
    if n_classes < 10:
        return []
    _, mean, high = chance_count(n_classes)
    rows = []
    for measure, reference in (("sc", found.nds), ("tc", found.teacher)):
        for role, t, runs in _models(found):
            if role != "ds":
                continue
            tests = metrics.affected_classes(
                found.results.y_true,
                found.results.pred[reference],
                found.results.pred[runs],
                n_classes=n_classes,
            )
            row = _row(measure, "", "ds", t, float(tests["significant"].sum()))
            rows.append(row | {"chance": mean, "chance_high": high})
    return rows


def _groups(found: Sweep, attribute: str, n_boot: int, seed: int) -> list[dict[str, Any]]:
    boot, models = all_models(found.results, attribute, n_boot=n_boot, seed=seed)
    alone = position(models, found, "nds")
    rows = []
    for metric in ("dpd", "eod"):
        for role, t, _ in _models(found):
            k = position(models, found, role, t)
            one = boot.interval(k, metric)
            row = _row(metric, attribute, role, t, one["corrected"], one["low"], one["high"])
            rows.append(row | {"raw": one["value"], "chance": one["chance"]})
            if role == "ds":
                two = boot.difference(k, alone, metric)
                ends = (two["corrected"], two["low"], two["high"])
                row = _row(metric, attribute, "difference", t, *ends)
                rows.append(row | {"raw": two["difference"]})
    return rows


def _individual(found: Sweep, space: str, n_boot: int, seed: int) -> list[dict[str, Any]]:
    logits = found.results.logits
    models = [
        (role, t, runs) for role, t, runs in _models(found) if np.isfinite(logits[runs]).all()
    ]
    if len(found.results.features[space]) < 2:
        return []
    scores = [softmax(logits[runs].astype(float)) for _, _, runs in models]
    pairs = pairs_of(found, space, seed=seed)
    at_random = dealt_at_random(found.results, space, seed=seed)
    boot = UnfairnessBootstrap(scores, pairs, n_boot=min(n_boot, 500), seed=seed)
    roles = [role for role, _, _ in models]
    rows = []
    for k, (role, t, _) in enumerate(models):
        one = boot.interval(k)
        row = _row("individual", space, role, t, one["value"], one["low"], one["high"])
        rows.append(row | {"chance": at_random})
        if role == "ds" and "nds" in roles:
            two = boot.difference(k, roles.index("nds"))
            ends = (two["difference"], two["low"], two["high"])
            rows.append(_row("individual", space, "difference", t, *ends))
    return rows


def _row(
    measure: str,
    attribute: str,
    role: str,
    t: float,
    value: float,
    low: float = np.nan,
    high: float = np.nan,
) -> dict[str, Any]:
    where = {"measure": measure, "attribute": attribute, "role": role, "T": t}
    numbers = {"value": float(value), "low": low, "high": high}
    return where | numbers | dict.fromkeys(("raw", "chance", "chance_high"), np.nan)


def _paper_numbers(found: Sweep, frame: pd.DataFrame) -> list[float]:
    """The paper's number for each row, as a fraction where it is printed in percent.

    Where the paper prints an accuracy for each attribute, that of the attribute nearest to ours.
    Its individual unfairness is measured at distances that it does not name: it is left out.
    """
    study = found.results.study
    if study not in paper.studies():
        return [float("nan")] * len(frame)
    rows = paper.results(study)
    rows = rows[rows["alpha"].isna() | (rows["alpha"] == found.alpha)]
    nearest = regime(found.results).attribute.lower()
    printed: dict[tuple[str, str, str, float], float] = {}
    for row in rows.to_dict("records"):
        scale = 0.01 if row["unit"] == "percent" else 1.0
        by, metric = str(row["attribute"]).lower(), str(row["metric"])
        if metric == "accuracy" and by == nearest:
            by = ""
        t = -1.0 if pd.isna(row["temperature"]) else float(row["temperature"])
        printed.setdefault((metric, by, str(row["role"]), t), scale * float(row["mean"]))

    def number(measure: str, attribute: str, role: str, t: float) -> float:
        if role == "difference":
            return number(measure, attribute, "ds", t) - number(measure, attribute, "nds", np.nan)
        at = -1.0 if np.isnan(t) else t
        return printed.get((measure, attribute.lower(), role, at), float("nan"))

    named = zip(*(frame[name] for name in ("measure", "attribute", "role", "T")), strict=True)
    return [number(*where) for where in named]
