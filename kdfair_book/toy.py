"""Distillation of networks that are small enough to draw: they classify points in the plane.

Points with three classes and two groups, a teacher that can bend its boundaries as it likes, and
students that cannot. Everything is trained with numpy in float64 and published whole
(``data/toy/toy.json``): the points, every network's weights, and its accuracy on fresh points. The
book's page evaluates the published weights itself.

    python -m kdfair_book.toy       train all of it again and publish (about two minutes)
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kdfair_book.evidence.softening import softmax
from kdfair_core.files import canonical_json
from kdfair_core.metrics import (
    accuracy_from_counts,
    class_accuracy_from_counts,
    eod_from_counts,
    group_counts,
)
from kdfair_core.studies import SEEDS, TEMPERATURES

Floats = NDArray[np.float64]
Layers = list[tuple[Floats, Floats]]  # weights [network, in, out] and biases [network, 1, out]

ROOT = Path(__file__).resolve().parents[1]
CLASSES = ("1", "2", "3")
GROUPS = ("A", "B")
ALPHA = 0.8
SOFT_SCALES = ("T2", "none")
TEACHER = (2, 16, 16, 3)
STUDENT = (2, 3, 3)
# Of 400 and 800 points the fewer at which the teacher beats the non-distilled student in every
# seed, as teachers do in the paper; with 400 it overfits.
N_TRAIN, N_TEST = 800, 4000
STEPS, LR, MOMENTUM, WEIGHT_DECAY = 3000, 0.1, 0.9, 1e-4
DIGITS = 5  # published weights have this many significant digits


@dataclass(frozen=True)
class Points:
    """Points of the plane: ``x`` [n, 2], ``y`` class [n], ``group`` [n], 0 for A and 1 for B."""

    x: Floats
    y: NDArray[np.int64]
    group: NDArray[np.int64]


def draw_points(n: int, seed: int) -> Points:
    """Draw n points: three classes of equal chance, a quarter of the points in group B.

    Each class is a round cloud. Group A's clouds stand around the center at distance 1.1; group
    B's are further out, at 2.2, and turned by 80 degrees, so that a boundary that serves both
    groups has to bend.
    """
    rng = np.random.default_rng([seed, 1])
    y = rng.integers(0, 3, n)
    group = (rng.random(n) < 0.25).astype(np.int64)
    radius, width, turn = (np.array(pair)[group] for pair in ((1.1, 2.2), (0.5, 0.45), (0, 80)))
    angle = np.deg2rad(90 + 120 * y + turn)
    center = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return Points(center + width[:, None] * rng.normal(size=(n, 2)), y, group)


def loss_gradient(
    student: ArrayLike,
    teacher: ArrayLike,
    labels: ArrayLike,
    *,
    temperature: float | Floats,
    alpha: float | Floats,
    soft_factor: float | Floats,
) -> Floats:
    """Gradient of the distillation loss (equation 6) of each example, by the student's logits.

    ``alpha * s(T) * (q_T - p_T) / T + (1 - alpha) * (q_1 - y)``

    Parameters
    ----------
    student : float array [..., example, class]
    teacher : float array [example, class]
    labels : int array [example]
    temperature, alpha, soft_factor : float, or arrays that broadcast against the student's logits
    """
    student = np.asarray(student, dtype=float)
    hard = softmax(student) - np.eye(student.shape[-1])[np.asarray(labels)]
    soft = (softmax(student, temperature) - softmax(teacher, temperature)) / temperature
    return alpha * soft_factor * soft + (1 - alpha) * hard


def new_networks(sizes: tuple[int, ...], seeds: list[list[int]]) -> Layers:
    """Networks of one shape, each with its own initialization: [network, in, out] a layer."""
    each = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        each.append([rng.normal(size=(i, o)) / np.sqrt(i) for i, o in pairwise(sizes)])
    return [
        (np.stack(w), np.zeros((len(seeds), 1, w[0].shape[1]))) for w in zip(*each, strict=True)
    ]


def activations(layers: Layers, x: Floats) -> list[Floats]:
    """What each layer reads, and the logits last: tanh between layers. [network, example, ...]."""
    out = [x[None]]
    for depth, (w, b) in enumerate(layers):
        z = out[-1] @ w + b
        out.append(np.tanh(z) if depth < len(layers) - 1 else z)
    return out


def train(layers: Layers, x: Floats, gradient: Callable[[Floats], Floats], steps: int) -> Layers:
    """Train networks side by side by full-batch gradient descent with momentum.

    ``gradient`` gives the loss's gradient by the logits [network, example, class]. No network
    reads another, so each ends where it would have ended alone.
    """
    layers = list(layers)
    speed = [(np.zeros_like(w), np.zeros_like(b)) for w, b in layers]
    for step in range(steps):
        rate = LR if step < 0.8 * steps else LR / 10
        read = activations(layers, x)
        back = gradient(read[-1]) / len(x)
        for depth in reversed(range(len(layers))):
            w, b = layers[depth]
            dw = read[depth].swapaxes(-1, -2) @ back + WEIGHT_DECAY * w
            db = back.sum(axis=1, keepdims=True) + WEIGHT_DECAY * b
            if depth:
                back = (back @ w.swapaxes(-1, -2)) * (1 - read[depth] ** 2)
            vw, vb = speed[depth]
            speed[depth] = (MOMENTUM * vw + dw, MOMENTUM * vb + db)
            layers[depth] = (w - rate * speed[depth][0], b - rate * speed[depth][1])
    return layers


def train_seed(
    points: Points,
    seed: int,
    *,
    temperatures: tuple[float, ...] = TEMPERATURES,
    soft_scales: tuple[str, ...] = SOFT_SCALES,
    steps: int = STEPS,
) -> list[dict[str, Any]]:
    """Train one seed: a teacher, a non-distilled student, and a student for each temperature.

    Returns
    -------
    list of dict
        ``role``, ``seed``, ``temperature``, ``soft_scale`` (None unless distilled) and ``layers``,
        a list of ``{"w": [in][out], "b": [out]}``.
    """

    def hard_gradient(z: Floats) -> Floats:
        return softmax(z) - np.eye(3)[points.y]

    teacher = train(new_networks(TEACHER, [[seed, 2]]), points.x, hard_gradient, steps)
    logits = activations(teacher, points.x)[-1][0]
    kinds = [(T, scale) for scale in soft_scales for T in temperatures]
    # The first student is not distilled: alpha 0.
    column = [-1, 1, 1]
    T = np.array([1.0, *(T for T, _ in kinds)]).reshape(column)
    alpha = np.array([0.0, *(ALPHA for _ in kinds)]).reshape(column)
    factor = np.array([1.0, *(T**2 if scale == "T2" else 1 for T, scale in kinds)]).reshape(column)
    students = train(
        new_networks(STUDENT, [[seed, 3, k] for k in range(1 + len(kinds))]),
        points.x,
        lambda z: loss_gradient(
            z, logits, points.y, temperature=T, alpha=alpha, soft_factor=factor
        ),
        steps,
    )
    names = [("teacher", None, None), ("nds", None, None), *(("ds", *kind) for kind in kinds)]
    weights = [_published(teacher, 0), *(_published(students, k) for k in range(len(kinds) + 1))]
    return [
        {"role": role, "seed": seed, "temperature": T, "soft_scale": scale, "layers": layers}
        for (role, T, scale), layers in zip(names, weights, strict=True)
    ]


def predict(layers: list[dict[str, Any]], x: ArrayLike) -> NDArray[np.int64]:
    """Classes that a published network gives to points [n, 2]."""
    return logits_of(layers, x).argmax(axis=-1)


def logits_of(layers: list[dict[str, Any]], x: ArrayLike) -> Floats:
    """Logits [n, class] of a published network at points [n, 2]."""
    stacked = [(np.array(p["w"])[None], np.array(p["b"])[None, None]) for p in layers]
    return activations(stacked, np.asarray(x, dtype=float))[-1][0]


def measure(models: list[dict[str, Any]], test: Points) -> list[dict[str, Any]]:
    """What the book says of each network, on fresh points.

    ``accuracy``, ``by_class``, ``by_group``; ``eod`` over groups (Algorithm 1); ``agreement``: the
    share of points on which it says what the teacher of its seed says.
    """
    teachers = {m["seed"]: predict(m["layers"], test.x) for m in models if m["role"] == "teacher"}
    predictions = np.stack([predict(m["layers"], test.x) for m in models])
    counts = group_counts(
        test.y, predictions, sensitive_features=test.group, n_classes=3, groups=range(2)
    )
    values = {
        "accuracy": accuracy_from_counts(counts),
        "by_class": class_accuracy_from_counts(counts),
        "by_group": np.stack(
            [accuracy_from_counts(counts[:, [g]]) for g in range(len(GROUPS))], axis=1
        ),
        "eod": eod_from_counts(counts),
        "agreement": np.array(
            [np.mean(p == teachers[m["seed"]]) for m, p in zip(models, predictions, strict=True)]
        ),
    }
    return [
        {name: v[k].round(5).tolist() for name, v in values.items()} for k in range(len(models))
    ]


def study(seeds: tuple[int, ...] = SEEDS) -> dict[str, Any]:
    """Everything the page shows: settings, training points, and each network with its measures."""
    points, test = draw_points(N_TRAIN, seed=0), draw_points(N_TEST, seed=1)
    models = [model for seed in seeds for model in train_seed(points, seed)]
    for model, numbers in zip(models, measure(models, test), strict=True):
        model.update(numbers)
    return {
        "schema": 1,
        "title": "Distillation in the plane",
        "settings": {
            "teacher": TEACHER, "student": STUDENT, "alpha": ALPHA, "steps": STEPS, "lr": LR,
            "momentum": MOMENTUM, "weight_decay": WEIGHT_DECAY, "n_train": N_TRAIN,
            "n_test": N_TEST, "seeds": seeds,
        },
        "classes": CLASSES,
        "groups": GROUPS,
        "temperatures": TEMPERATURES,
        "soft_scales": SOFT_SCALES,
        "points": {
            "x": points.x.round(3).tolist(),
            "y": points.y.tolist(),
            "group": points.group.tolist(),
        },
        "models": models,
    }  # fmt: skip


def publish(root: Path | None = None) -> tuple[Path, Path]:
    """Train everything and write it, for Python (JSON) and for the page (the same as a script)."""
    text = canonical_json(study()).decode()
    root = root or ROOT
    data = root / "data" / "toy" / "toy.json"
    script = root / "book" / "_static" / "explain" / "toy-data.js"
    for path in (data, script):
        path.parent.mkdir(parents=True, exist_ok=True)
    data.write_text(text + "\n")
    script.write_text(script_of(text))
    return data, script


def script_of(text: str) -> str:
    """The published JSON as a script, for pages opened from a folder, which cannot fetch."""
    return f"/* data/toy/toy.json, written by python -m kdfair_book.toy */\nkdfair.toy = {text};\n"


def load(path: Path | None = None) -> dict[str, Any]:
    """Read what was published; by default this project's ``data/toy/toy.json``."""
    return json.loads((path or ROOT / "data" / "toy" / "toy.json").read_text())


def _published(layers: Layers, k: int) -> list[dict[str, Any]]:
    return [{"w": _rounded(w[k]), "b": _rounded(b[k, 0])} for w, b in layers]


def _rounded(values: Floats) -> Any:
    return np.vectorize(lambda v: float(f"{v:.{DIGITS}g}"))(values).tolist()


if __name__ == "__main__":
    print("\n".join(map(str, publish())))
