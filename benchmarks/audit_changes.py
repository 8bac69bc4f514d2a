"""How often an audit's interval for a change of DPD or EOD misses the true change.

    python benchmarks/audit_changes.py [--audits 300]

Two models are simulated that err with given probabilities, in one of the groups more often. They
are judged on the same examples, some of which are hard for both. The true change is that of the
probabilities themselves. Beside the audit's interval stands that of resampled changes with the
bias taken out of each (``FairnessBootstrap.difference``).
"""

from __future__ import annotations

import argparse

import numpy as np

from kdfair_audit.fairness import fairness_frames
from kdfair_audit.inputs import count
from kdfair_audit.intervals import FairnessBootstrap
from kdfair_audit.rates import Options
from kdfair_core.metrics import dpd_from_counts, eod_from_counts

# classes, groups, examples, shared difficulty, (error, more of it in the first group) of both
KINDS = [
    (4, 3, 600, 0.0, (0.2, 0.0), (0.2, 0.0)),
    (2, 3, 600, 0.5, (0.2, 0.0), (0.2, 0.0)),
    (2, 3, 1000, 0.5, (0.03, 0.0), (0.2, 0.0)),
    (10, 10, 5000, 0.5, (0.02, 0.0), (0.1, 0.0)),
    (2, 3, 1000, 0.5, (0.1, 0.0), (0.1, 0.15)),
    (2, 3, 1000, 0.8, (0.1, 0.15), (0.1, 0.15)),
    (10, 10, 5000, 0.5, (0.05, 0.1), (0.05, 0.1)),
]
BOOT = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--audits", type=int, default=300)
    args = parser.parse_args()
    print("missed at 95%, and mean width:      audit DPD      audit EOD  resampled DPD  EOD")
    for kind in KINDS:
        n_classes, n_groups, n, shared, *errors = kind
        rng = np.random.default_rng(0)
        truth = _truth(n_classes, n_groups, errors[1]) - _truth(n_classes, n_groups, errors[0])
        found = [_once(rng, n_classes, n_groups, n, shared, errors) for _ in range(args.audits)]
        ends = np.array(found)  # [audit, method, metric, end]
        missed = (ends[..., 0] > truth + 1e-9) | (ends[..., 1] < truth - 1e-9)
        width = (ends[..., 1] - ends[..., 0]).mean(axis=0)
        cells = [
            f"{100 * missed[:, i, j].mean():5.1f}% {width[i, j]:.3f}"
            for i, j in np.ndindex(*width.shape)
        ]
        name = f"{n_classes} classes, {n_groups} groups, {n}: {errors[0]}, {errors[1]}"
        print(f"{name}\n    {'  '.join(cells)}", flush=True)


def _truth(n_classes: int, n_groups: int, error: tuple[float, float]) -> np.ndarray:
    """DPD and EOD of the probabilities."""
    table = np.zeros((n_groups, n_classes, n_classes))
    for group in range(n_groups):
        wrong = error[0] + error[1] * (group == 0)
        for label in range(n_classes):
            table[group, label, label] = 1 - wrong
            table[group, label, (label + 1) % n_classes] = wrong
    return np.array([float(dpd_from_counts(table)), float(eod_from_counts(table))])


def _once(rng, n_classes, n_groups, n, shared, errors):  # type: ignore[no-untyped-def]
    y, group = rng.integers(0, n_classes, n), rng.integers(0, n_groups, n)
    hard = rng.random(n)
    predictions = []
    for error, more in errors:
        luck = np.where(rng.random(n) < shared, hard, rng.random(n))
        wrong = luck < error + more * (group == 0)
        predictions.append(np.where(wrong, (y + 1) % n_classes, y))
    columns = {"y": y, "g": group, "a": predictions[0], "b": predictions[1]}
    counts, _ = count(
        columns, label="y", groups="g", teacher="a", distilled="b", classes=range(n_classes)
    )
    _, changes = fairness_frames(counts, Options(n_boot=BOOT, min_group=1))
    audit = changes[["low", "high"]].to_numpy(dtype=float)
    both = FairnessBootstrap(
        y,
        [predictions[0][None], predictions[1][None]],
        sensitive_features=group,
        n_classes=n_classes,
        groups=range(n_groups),
        n_boot=BOOT,
        seed=0,
    )
    other = [both.difference(1, 0, metric) for metric in ("dpd", "eod")]
    return [audit, [[one["low"], one["high"]] for one in other]]


if __name__ == "__main__":
    main()
