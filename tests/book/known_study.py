"""A made-up study in which every claim of the paper is true, or as few as a test asks for."""

from collections.abc import Callable

import numpy as np

from kdfair_core.results import Results

TEMPERATURES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 30, 40)


def rising(t: float) -> float:
    """From 0.1 at T = 1 to 1 at T = 10, and back to nearly 0 at T = 40."""
    return t / 10 if t <= 10 else (45 - t) / 40


def nothing(t: float) -> float:
    """The same at every temperature."""
    return 0.5


def made_up(
    *,
    pull: Callable[[float], float] = rising,
    bias: float = 0.12,
    gap: float = 0.16,
    softness: float = 1.0,
    lift: float = 0.02,
    n: int = 3000,
    n_classes: int = 6,
    seeds: int = 5,
    temperatures: tuple[float, ...] = TEMPERATURES,
    settings: tuple[tuple[float, str], ...] = ((0.8, "T2"),),
    study: str = "trifeature",
    profile: str = "laptop",
    seed: int = 0,
) -> Results:
    """Draw the results of a study.

    ``pull(t)`` is how far a distilled student has moved from the NDS (0) to the teacher (1): in
    the accuracy of its classes, which differ by ``bias``; in the gap of accuracy between two
    groups, which is ``gap`` for the NDS and none at 1; and, by ``softness``, in its confidence.
    ``lift`` is what distillation adds to accuracy at any temperature.
    """
    rng = np.random.default_rng(seed)
    y = rng.integers(0, n_classes, n)
    group = rng.integers(0, 2, n)
    tilt = bias * np.where(np.arange(n_classes) % 2, 1, -1)
    common = rng.normal(size=n)  # how hard an example is, for every run
    wrong_to = (y + rng.integers(1, n_classes, n)) % n_classes

    def run(moved: float, extra: float) -> tuple[np.ndarray, np.ndarray]:
        right = 0.75 + extra + moved * tilt[y] - (1 - moved) * gap * group
        hard = 0.8 * common + 0.6 * rng.normal(size=n)
        from_normal = hard > np.quantile(common, np.clip(right, 0.01, 0.99))
        pred = np.where(from_normal, wrong_to, y)
        sharp = 4.0 / (1 + 2 * softness * moved)
        logits = rng.normal(0, 0.5, (n, n_classes))
        logits[np.arange(n), pred] += sharp
        return pred, logits

    runs, preds, scores = [], [], []
    null_seeds = range(seeds, 2 * seeds)
    plan = [(s, "teacher", None, None, None, 1.0, 0.12) for s in range(seeds)]
    plan += [(s, "nds", None, None, None, 0.0, 0.0) for s in range(seeds)]
    plan += [(s, "null", None, None, None, 0.0, 0.0) for s in null_seeds]
    for alpha, scale in settings:
        for s in range(seeds):
            plan += [(s, "ds", t, alpha, scale, pull(t), lift) for t in temperatures]
    scored = np.arange(min(n, 250))
    for s, role, t, alpha, scale, moved, extra in plan:
        pred, logits = run(moved, extra)
        preds.append(pred)
        scores.append(logits[scored].astype(np.float16))
        runs.append(
            {
                "name": f"{role}-s{s}-T{t}-a{alpha}-{scale}",
                "role": role,
                "seed": s,
                "temperature": t,
                "alpha": alpha,
                "soft_scale": scale,
                "accuracy": float((pred == y).mean()),
                "seconds": 1.0,
                "diverged": False,
            }
        )
    manifest = {
        "study": study,
        "profile": profile,
        "badge": "measured here (laptop)",
        "classes": [f"class {k}" for k in range(n_classes)],
        "groups": {"color": ["red", "blue"]},
        "runs": runs,
    }
    onehot = np.eye(n_classes)[y[scored]]
    arrays = {
        "y_true": y,
        "group_color": group,
        "pred": np.stack(preds),
        "scored": scored,
        "logits": np.stack(scores),
        "features_input": (onehot + rng.normal(0, 0.3, onehot.shape)).astype(np.float16),
    }
    return Results.from_arrays(manifest, arrays)
