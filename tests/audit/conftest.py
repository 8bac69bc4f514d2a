"""Predictions to audit, of known make."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def binary():
    """One run each, two classes, two attributes; errors twice as common among women."""
    rng = np.random.default_rng(7)
    n = 2000
    y = rng.integers(0, 2, n)
    sex = rng.choice(["F", "M"], n)
    age = rng.choice(["18-29", "30-49", "50-69", "70+"], n, p=[0.5, 0.3, 0.19, 0.01])
    frame = pd.DataFrame({"y": y, "sex": sex, "age": age})
    for name, error in (("teacher", 0.05), ("student", 0.09), ("scratch", 0.1)):
        wrong = rng.random(n) < error * np.where(sex == "F", 2, 1)
        frame[name] = np.where(wrong, 1 - y, y)
    return frame


@pytest.fixture
def seeds():
    """Three seeds of teacher, baseline and students at two temperatures, four classes."""
    rng = np.random.default_rng(8)
    n, classes = 900, np.array(["ant", "bee", "cat", "dog"])
    y = rng.integers(0, 4, n)
    frame = pd.DataFrame({"label": classes[y], "color": rng.choice(list("rgb"), n)})
    errors = {"teacher_s{}": 0.02, "base_s{}": 0.12, "kd_T1_s{}": 0.09, "kd_T4_s{}": 0.06}
    for name, error in errors.items():
        for seed in range(3):
            wrong = rng.random(n) < error * np.where(y == 2, 3, 1)
            guess = np.where(wrong, rng.integers(0, 4, n), y)
            frame[name.format(seed)] = classes[guess]
    return frame


@pytest.fixture
def roles():
    """How the columns of ``binary`` are given."""
    return {
        "label": "y",
        "groups": ["sex", "age"],
        "teacher": "teacher",
        "distilled": "student",
        "baseline": "scratch",
    }


@pytest.fixture
def seed_roles():
    """How the columns of ``seeds`` are given."""
    return {
        "label": "label",
        "groups": "color",
        "teacher": "teacher_s{seed}",
        "distilled": "kd_T{T}_s{seed}",
        "baseline": "base_s{seed}",
    }
