"""Individual fairness, and what is left of it when softness is taken out.

Individual unfairness is a mean of differences between probabilities, and softness moves them,
whatever is decided: examples with different answers come closer, and those whose common answer was
certain come apart. So each distilled student is compared with
the non-distilled student of its seed after that one's logits were divided by the temperature that
gives it the same mean confidence: a control that decides exactly as before.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kdfair_book.evidence.softening import matching_temperature, mean_confidence, softmax
from kdfair_book.evidence.sweep import NotThere, Sweep
from kdfair_book.evidence.unfairness import UnfairnessBootstrap
from kdfair_core import metrics
from kdfair_core.results import Results

Array = NDArray[Any]

N_PAIRS = 20_000


def pairs_of(sweep: Sweep, space: str, *, n_pairs: int = N_PAIRS, seed: int = 0) -> metrics.Pairs:
    """Pairs of scored examples at their distance in a feature space (cosine)."""
    return _pairs(sweep.results, space, n_pairs, seed)


def _pairs(results: Results, space: str, n_pairs: int, seed: int) -> metrics.Pairs:
    features = results.features
    if space not in features:
        raise NotThere(
            f"unknown feature space {space!r} of {results.study}/{results.profile}; "
            f"expected one of {', '.join(features) or 'none: no features are published'}"
        )
    if len(features[space]) < 2:
        raise NotThere(f"only {len(features[space])} examples have their logits kept")
    return metrics.sample_pairs(features[space], n_pairs=n_pairs, seed=seed)


def individual_by_run(
    sweep: Sweep, space: str, *, n_pairs: int = N_PAIRS, seed: int = 0
) -> pd.DataFrame:
    """Individual unfairness of the runs of a sweep, and of the softened control.

    Returns
    -------
    pandas.DataFrame
        ``role`` ("teacher", "nds", "ds"), ``seed``, ``temperature``, ``confidence`` (mean largest
        probability), ``unfairness``; for distilled students also ``softening``, the temperature
        that gives the NDS of their seed the same confidence, and ``softened``, the unfairness of
        that NDS.
    """
    pairs = pairs_of(sweep, space, n_pairs=n_pairs, seed=seed)
    rows = []
    for s, seed_name in enumerate(sweep.seeds):
        nds = _logits(sweep, sweep.nds[s])
        for role, t, run in _runs(sweep, s):
            logits = _logits(sweep, run)
            confidence = mean_confidence(logits)
            row = {
                "role": role,
                "seed": seed_name,
                "temperature": t,
                "confidence": confidence,
                "unfairness": _unfairness(softmax(logits), pairs),
            }
            if role == "ds":
                softening = _matching(nds, confidence)
                row["softening"] = softening
                row["softened"] = _unfairness(softmax(nds, softening), pairs)
            rows.append(row)
    return pd.DataFrame(rows)


def dealt_at_random(found: Results, space: str, *, n_pairs: int = N_PAIRS, seed: int = 0) -> float:
    """Individual unfairness of the student alone's answers, dealt out to examples at random.

    A scale for the measure: 0 is a model that answers the same to everyone, this is one whose
    answers have nothing to do with which examples are alike. Mean over the non-distilled students.
    """
    pairs = _pairs(found, space, n_pairs, seed)
    rng = np.random.default_rng(seed)
    alone = np.flatnonzero((found.runs["role"] == "nds").to_numpy())
    known = [run for run in alone if np.isfinite(found.logits[run]).all()]
    values = []
    for run in known:
        scores = softmax(found.logits[run].astype(float))
        values.append(_unfairness(scores[rng.permutation(len(scores))], pairs))
    return float(np.mean(values)) if values else float("nan")


def unfairness_summary(
    results: Results,
    space: str,
    *,
    n_pairs: int = N_PAIRS,
    level: float = 0.95,
    n_boot: int = 500,
    seed: int = 0,
) -> pd.DataFrame:
    """Individual unfairness of every role and setting, over examples and seeds together.

    Runs whose logits are not finite are left out.

    Returns
    -------
    pandas.DataFrame
        ``role``, ``temperature``, ``alpha``, ``soft_scale``, ``mean``, ``low``, ``high``,
        ``n_runs``.
    """
    pairs = _pairs(results, space, n_pairs, seed)
    keys = ["role", "temperature", "alpha", "soft_scale"]
    finite = np.isfinite(results.logits).all(axis=(1, 2))
    grouped = results.runs[finite].groupby(keys, dropna=False, sort=False)
    names, scores = [], []
    for key, runs in grouped:
        names.append(dict(zip(keys, key, strict=True)))
        scores.append(softmax(results.logits[runs["run"].to_numpy()].astype(float)))
    boot = UnfairnessBootstrap(scores, pairs, n_boot=n_boot, seed=seed)
    rows = []
    for k, name in enumerate(names):
        found = boot.interval(k, level=level)
        ends = {end: found[end] for end in ("low", "high", "n_runs")}
        rows.append(name | {"mean": found["value"]} | ends)
    return pd.DataFrame(rows)


def individual_intervals(
    sweep: Sweep,
    space: str,
    *,
    n_pairs: int = N_PAIRS,
    level: float = 0.95,
    n_boot: int = 500,
    seed: int = 0,
) -> pd.DataFrame:
    """Individual unfairness with intervals over test examples and seeds.

    Returns
    -------
    pandas.DataFrame
        ``role`` ("teacher", "nds", "ds"; "softened" is the control of the DS at that
        temperature; "constant" a model that answers the same to all), ``temperature``, ``mean``,
        ``low``, ``high``, ``confidence``, ``n_runs``.
    """
    pairs, models = pairs_of(sweep, space, n_pairs=n_pairs, seed=seed), _models(sweep)
    boot = UnfairnessBootstrap([scores for _, _, scores in models], pairs, n_boot=n_boot, seed=seed)
    rows = []
    for k, (role, t, scores) in enumerate(models):
        found = boot.interval(k, level=level)
        rows.append({"role": role, "temperature": t, "mean": found["value"]})
        rows[-1] |= {name: found[name] for name in ("low", "high", "n_runs")}
        rows[-1]["confidence"] = float(scores.max(axis=-1).mean())
    n_classes = len(sweep.results.classes)
    constant = {"role": "constant", "temperature": np.nan, "mean": 0.0, "low": 0.0, "high": 0.0}
    rows.append(constant | {"confidence": 1 / n_classes, "n_runs": 1})
    return pd.DataFrame(rows)


def softening_differences(
    sweep: Sweep,
    space: str,
    *,
    n_pairs: int = N_PAIRS,
    level: float = 0.95,
    n_boot: int = 500,
    seed: int = 0,
) -> pd.DataFrame:
    """What distillation does to individual unfairness beyond softening.

    Returns
    -------
    pandas.DataFrame
        ``temperature``, ``against`` ("nds": as trained; "softened": the control), ``difference``
        (DS less that), ``low``, ``high``, ``p_value`` (two-sided).
    """
    pairs, models = pairs_of(sweep, space, n_pairs=n_pairs, seed=seed), _models(sweep)
    boot = UnfairnessBootstrap([scores for _, _, scores in models], pairs, n_boot=n_boot, seed=seed)
    position = {(role, t): k for k, (role, t, _) in enumerate(models) if role != "nds"}
    nds = next(k for k, (role, _, _) in enumerate(models) if role == "nds")
    rows = []
    for t in sweep.temperatures:
        for against, other in (("nds", nds), ("softened", position["softened", t])):
            found = boot.difference(position["ds", t], other, level=level)
            rows.append({"temperature": t, "against": against, **found})
    return pd.DataFrame(rows)


def softening_curve(
    sweep: Sweep, space: str, *, n_points: int = 25, n_pairs: int = N_PAIRS, seed: int = 0
) -> pd.DataFrame:
    """Individual unfairness of the NDS as its logits are divided by more and more.

    Returns
    -------
    pandas.DataFrame
        ``seed``, ``softening`` (from 1/4 to 32), ``confidence``, ``unfairness``.
    """
    pairs = pairs_of(sweep, space, n_pairs=n_pairs, seed=seed)
    rows = []
    for s, seed_name in enumerate(sweep.seeds):
        nds = _logits(sweep, sweep.nds[s])
        for softening in np.geomspace(0.25, 32, n_points):
            scores = softmax(nds, softening)
            rows.append(
                {
                    "seed": seed_name,
                    "softening": softening,
                    "confidence": float(scores.max(axis=-1).mean()),
                    "unfairness": _unfairness(scores, pairs),
                }
            )
    return pd.DataFrame(rows)


def _models(sweep: Sweep) -> list[tuple[str, float, Array]]:
    """Role, temperature and probabilities ``[seed, example, class]`` of everything compared."""
    logits = {
        run: _logits(sweep, run) for run in np.unique([sweep.nds, sweep.teacher, *sweep.ds.T])
    }
    models: list[tuple[str, float, Array]] = [
        ("teacher", np.nan, softmax(np.stack([logits[run] for run in sweep.teacher]))),
        ("nds", np.nan, softmax(np.stack([logits[run] for run in sweep.nds]))),
    ]
    for k, t in enumerate(sweep.temperatures):
        students = [logits[run] for run in sweep.ds[:, k]]
        controls = [
            softmax(logits[run], _matching(logits[run], mean_confidence(student)))
            for run, student in zip(sweep.nds, students, strict=True)
        ]
        models.append(("ds", t, softmax(np.stack(students))))
        models.append(("softened", t, np.stack(controls)))
    return models


def _runs(sweep: Sweep, s: int) -> list[tuple[str, float, int]]:
    students = [("ds", t, int(sweep.ds[s, k])) for k, t in enumerate(sweep.temperatures)]
    return [
        ("teacher", np.nan, int(sweep.teacher[s])),
        ("nds", np.nan, int(sweep.nds[s])),
        *students,
    ]


def _logits(sweep: Sweep, run: int) -> Array:
    return sweep.results.logits[run].astype(np.float64)


def _matching(logits: Array, confidence: float) -> float:
    """The softening that matches, as far as it exists: at the ends the hardest or the softest."""
    n_classes = logits.shape[1]
    bounded = min(max(confidence, 1 / n_classes + 1e-6), 1 - 1e-9)
    found = matching_temperature(logits, bounded)
    return found if np.isfinite(found) else (1e-4 if confidence > 0.5 else 1e4)


def _unfairness(scores: Array, pairs: metrics.Pairs) -> float:
    return float(metrics.unfairness_over_pairs(scores[None], pairs)[0])
