"""A toy study small enough to compute by hand, and ways to store and publish it."""

from pathlib import Path

import numpy as np

from kdfair_core import results, studies
from kdfair_core.datasets import Dataset, Split
from kdfair_core.runs import RunStore
from kdfair_core.studies import Profile, Recipe, Study

LABELS = np.array([0, 0, 1, 1, 0, 0, 1, 1])
SIDE = np.array([0, 0, 0, 0, 1, 1, 1, -1], dtype=np.int16)  # left, right, unknown


def make_study(**changes) -> Study:
    settings = {
        "seeds": (0, 1),
        "null_seeds": (5, 6),
        "temperatures": (1, 4),
        "departures": ("Everything is made up.",),
    }
    recipe = Recipe(epochs=1)
    settings |= {"teacher_recipe": recipe, "student_recipe": recipe}
    profile = Profile({}, "resnet20", "lenet5", **(settings | changes))
    profiles = {"laptop": profile, "smoke": profile}
    return Study("toy", "A toy", "toy", 2, "group fairness", profiles, ("side",), in_paper=False)


def make_dataset(**changes) -> Dataset:
    images = np.random.default_rng(0).integers(0, 256, (8, 3, 16, 16), dtype=np.uint8)
    split = Split(images, LABELS, {"side": SIDE})
    content = {
        "name": "toy",
        "train": split,
        "test": split,
        "class_names": ("no", "yes"),
        "group_names": {"side": ("left", "right")},
        "mean": (0.5, 0.5, 0.5),
        "std": (0.2, 0.2, 0.2),
        "note": "Made up.",
    }
    return Dataset(**(content | changes))


FEATURE = 1.0
"""Deviation of the teachers' features."""


def write_run(store, identity, prediction, labels=LABELS, **info):
    """Store a run whose logits are +1 for the predicted class and -1 for the others."""
    prediction = np.asarray(prediction)
    n_classes = max(2, labels.max() + 1)
    logits = np.where(np.arange(n_classes) == prediction[:, None], 1.0, -1.0)
    arrays = {"logits": logits.astype(np.float16), "prediction": prediction.astype(np.uint8)}
    if identity["role"] == "teacher":
        arrays["features"] = np.random.default_rng(1).normal(0, FEATURE, (len(labels), 4))
    noted = {"accuracy": float((prediction == labels).mean()), "seconds": 36.0}
    store.write(identity, arrays, noted | info)


class Toy:
    """The toy study with a run store and a folder of results under ``path``."""

    def __init__(self, path: Path) -> None:
        self.study, self.store, self.root = make_study(), RunStore(path / "runs"), path / "data"
        self.folder = self.root / "toy" / "smoke"

    def fill(self, predict=lambda identity: LABELS, keep=lambda identity: True):
        """Store the runs of the profile that ``keep`` keeps."""
        for identity in studies.expected_identities(self.study, "smoke"):
            if keep(identity):
                write_run(self.store, identity, predict(identity))

    def publish(self, study=None, **options):
        options = {"dataset": make_dataset(), "root": self.root} | options
        return results.publish(study or self.study, "smoke", self.store, **options)
