"""A study of three classes of noise that trains in a second, and what its tests share."""

import numpy as np

from kdfair_core import training
from kdfair_core.datasets import Dataset, Split
from kdfair_core.studies import Profile, Recipe, Study

SIDE = 16


def images(n=42, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(classes, size=n)
    x = rng.integers(0, 256, size=(n, 3, SIDE, SIDE), dtype=np.uint8)
    x[np.arange(n), y] //= 2  # something to learn
    return Split(x, y, {})


def tiny():
    """The data set and the study."""
    train_set, test_set = images(60, seed=1), images(30, seed=2)
    dataset = Dataset(
        "tiny", train_set, test_set, ("a", "b", "c"), {}, (0.5,) * 3, (0.25,) * 3, "made here"
    )
    recipe = Recipe(epochs=3, batch_size=16, lr=0.02, milestones=(), augment=("flip",))
    profile = Profile({}, "resnet20", "lenet5", recipe, recipe, (0, 1), (5,), (1, 4))
    return dataset, Study("tiny", "Tiny", "tiny", 3, "class bias", {"smoke": profile})


def stored(store):
    return {run.name: run for run in store.runs("tiny", "smoke")}


def same(a, b):
    for name, run in a.items():
        for key in run.arrays:
            assert run.arrays[key].tobytes() == b[name].arrays[key].tobytes(), (name, key)
    assert a.keys() == b.keys()


def run(study, store, **options):
    return training.run_study(study, "smoke", store=store, progress=False, **options)
