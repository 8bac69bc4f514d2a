"""Time of 1,000 resamples of a test set, beside fairlearn's bootstrap.

    python benchmarks/bootstrap.py [--examples 20000] [--models 14] [--seeds 5] [--resamples 1000]

One core (threads are limited below). Predictions are simulated: as accurate as given, with errors
that models share, as models do. fairlearn resamples rows of a frame and computes everything anew
each time, for one model at a time; a few of its resamples are timed and scaled up.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import fairlearn.metrics  # noqa: E402
import numpy as np  # noqa: E402
from scipy import special  # noqa: E402

from kdfair_audit.intervals import FairnessBootstrap  # noqa: E402
from kdfair_core import metrics  # noqa: E402

FEW = 5  # of fairlearn's resamples are timed


def simulate(
    n: int, n_models: int, n_seeds: int, n_classes: int, n_groups: int, accuracy: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, predictions [model, seed, example] and groups."""
    rng = np.random.default_rng(0)
    y_true, groups = rng.integers(0, n_classes, n), rng.integers(0, n_groups, n)
    shape = (n_models, n_seeds, n)
    difficulty = 0.9 * rng.normal(size=n) + np.sqrt(1 - 0.9**2) * rng.normal(size=shape)
    wrong = (y_true + rng.integers(1, n_classes, shape)) % n_classes
    return y_true, np.where(special.ndtr(difficulty) < accuracy, y_true, wrong), groups


def best_of(repeats: int, work: Callable[[], object]) -> float:
    """Seconds of the fastest of some repetitions."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Print a table of times."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--examples", type=int, default=20_000)
    parser.add_argument("--models", type=int, default=14)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--resamples", type=int, default=1000)
    args = parser.parse_args()
    size = f"{args.examples:,} examples, {args.models} models, {args.seeds} seeds"
    print(f"{args.resamples:,} resamples of {size}: accuracy, DPD and EOD with intervals")

    for n_classes, n_groups in ((2, 2), (10, 10)):
        y_true, pred, groups = simulate(
            args.examples, args.models, args.seeds, n_classes, n_groups, 0.9
        )

        def joint(
            y_true=y_true, pred=pred, groups=groups, n_classes=n_classes
        ) -> object:  # every model and seed on the same resamples
            boot = FairnessBootstrap(
                y_true,
                pred,
                sensitive_features=groups,
                n_classes=n_classes,
                n_boot=args.resamples,
                seed=0,
            )
            return boot.intervals()

        print(f"{n_classes} classes, {n_groups} groups")
        print(f"  kdfair, all models at once          {best_of(3, joint):9.2f} s")
        if n_classes > 2:
            continue  # fairlearn's DPD and EOD are for two classes

        def tables(y_true=y_true, pred=pred, groups=groups) -> None:
            counts = metrics.group_counts(y_true, pred, sensitive_features=groups, n_classes=2)
            for metric in ("accuracy", "dpd", "eod"):
                metrics.bootstrap_interval(counts, metric, n_boot=args.resamples, seed=0)

        print(f"  kdfair, a count table each          {best_of(3, tables):9.2f} s")

        def theirs(y_true=y_true, pred=pred, groups=groups) -> None:
            fairlearn.metrics.MetricFrame(
                metrics={
                    "selection_rate": fairlearn.metrics.selection_rate,
                    "tpr": fairlearn.metrics.true_positive_rate,
                    "fpr": fairlearn.metrics.false_positive_rate,
                },
                y_true=y_true,
                y_pred=pred[0, 0],
                sensitive_features=groups,
                n_boot=FEW,
                ci_quantiles=[0.025, 0.975],
                random_state=0,
            ).difference_ci()

        scale = args.resamples / FEW * args.models * args.seeds
        seconds = best_of(2, theirs) * scale
        print(f"  fairlearn MetricFrame, extrapolated {seconds:9.0f} s")


if __name__ == "__main__":
    main()
