"""How hard each term of the loss pulls at a student, against the temperature.

The gradient of the loss with respect to the student's logits z is, for one example,

    soft term:  alpha * s(T) / T * (softmax(z / T) - softmax(z_teacher / T))
    hard term:  (1 - alpha) * (softmax(z) - y)

with s(T) = T^2 or 1. Without T^2 the soft term fades like 1 / T^2 at high temperature (Hinton et
al. 2015), and a distilled student becomes a non-distilled one with a smaller learning rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kdfair_book.evidence.softening import softmax
from kdfair_book.evidence.sweep import Sweep

Array = NDArray[Any]

SCALES = {"T2": 2.0, "none": 0.0}


def gradient_sizes(sweep: Sweep, *, temperatures: Sequence[float] | None = None) -> pd.DataFrame:
    """Mean length of both terms' gradients with respect to the student's logits.

    Computed from published logits of scored test examples, for two states of a student: untrained
    (all logits equal) and trained without a teacher (the NDS), each against the teacher of its
    seed.

    Parameters
    ----------
    sweep : Sweep
        Its ``alpha`` weighs the terms.
    temperatures : sequence of float, optional
        Default: those of the sweep.

    Returns
    -------
    pandas.DataFrame
        ``temperature``, ``soft_scale`` ("T2" and "none", whatever the sweep's), ``state``
        ("untrained" or "trained"), ``soft``, ``hard``: mean over examples and seeds of the
        Euclidean length.
    """
    sweep.need_seeds(1)
    results, rows = sweep.results, []
    labels = np.eye(len(results.classes))[results.y_true[results.scored]]
    teachers = results.logits[sweep.teacher].astype(float)
    trained = results.logits[sweep.nds].astype(float)
    for state, students in (("untrained", np.zeros_like(trained)), ("trained", trained)):
        hard = (1 - sweep.alpha) * _length(softmax(students) - labels)
        for t in temperatures or sweep.temperatures:
            pull = _length(softmax(students, t) - softmax(teachers, t)) / t
            for scale, power in SCALES.items():
                soft = sweep.alpha * t**power * pull
                rows.append((t, scale, state, soft, hard))
    return pd.DataFrame(rows, columns=["temperature", "soft_scale", "state", "soft", "hard"])


def _length(gradients: Array) -> float:
    return float(np.linalg.norm(gradients, axis=-1).mean())
