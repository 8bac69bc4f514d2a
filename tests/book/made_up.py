"""Results of a made-up study: predictions drawn at random, none of them measured."""

import numpy as np

from kdfair_core.results import Results

TEMPERATURES = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 30, 40]


def made_up_results(
    n_classes: int = 10, n: int = 600, seeds: int = 3, *, groups_are_labels: bool = False
) -> Results:
    """A study whose distilled students get better as the temperature rises to 10.

    With ``groups_are_labels`` (two classes) no group has two labels: no EOD.
    """
    rng = np.random.default_rng(5)
    y = rng.integers(0, n_classes, n)
    settings = [("teacher", None, None, ""), ("nds", None, None, ""), ("null", None, None, "")]
    settings += [("ds", t, 0.8, s) for s in ("T2", "none") for t in TEMPERATURES]
    runs, preds = [], []
    for seed in range(seeds):
        for role, t, alpha, scale in settings:
            right = {"teacher": 0.98, "nds": 0.8, "null": 0.8}.get(role) or 0.82 + 0.01 * min(t, 10)
            wrong = rng.random(n) > right - 0.1 * (y == 2)
            preds.append(np.where(wrong, rng.integers(0, n_classes, n), y))
            runs.append(
                {
                    "name": f"{role}-s{seed}-T{t}-{scale}",
                    "role": role,
                    "seed": seed,
                    "temperature": t,
                    "alpha": alpha,
                    "soft_scale": scale,
                    "accuracy": float((preds[-1] == y).mean()),
                    "seconds": 1.0,
                    "diverged": False,
                }
            )
    scored = np.arange(60)
    logits = rng.normal(size=(len(runs), 60, n_classes)).astype(np.float16)
    manifest = {
        "study": "trifeature",
        "profile": "smoke",
        "badge": "measured here (smoke)",
        "classes": [f"class {i}" for i in range(n_classes)],
        "examples": n,
        "groups": {"color": ["red", "green", "blue"][: 2 if groups_are_labels else 3]},
        "runs": runs,
    }
    arrays = {
        "y_true": y,
        "group_color": y.copy() if groups_are_labels else rng.integers(0, 3, n),
        "pred": np.stack(preds),
        "scored": scored,
        "logits": logits,
        "features_input": rng.normal(size=(60, 8)).astype(np.float16),
    }
    return Results.from_arrays(manifest, arrays)
