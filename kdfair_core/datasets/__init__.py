"""Data sets: arrays, labels and groups. Nothing here imports torch.

``load("trifeature")`` makes its images itself; the other sets are read from a folder, in the form
in which they are published (see each module)::

    trifeature              synthetic: ten shapes in ten textures and ten colors
    cifar10, cifar100       photographs of 10 and 100 classes
    svhn                    house numbers
    tinyimagenet, imagenet  photographs of 200 and 1,000 classes
    celeba                  faces: smiling or not, with eyeglasses or not; by age and gender
    hatexplain              posts: toxic or not; by whom they speak of
    utkface                 faces: 30 or over; by gender and ethnicity (not in the paper)
"""

from __future__ import annotations

import hashlib
import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from kdfair_core import asked

# What loads each data set: "module:function", a function of root and options. Imported when asked.
REGISTRY: dict[str, str] = {
    "celeba": "celeba:load",
    "cifar10": "cifar:load_cifar10",
    "cifar100": "cifar:load_cifar100",
    "hatexplain": "hatexplain:load",
    "imagenet": "imagenet:load_imagenet",
    "svhn": "svhn:load",
    "tinyimagenet": "imagenet:load_tiny",
    "trifeature": "trifeature:load",
    "utkface": "utkface:load",
}


KINDS = ("images", "texts", "arrays")


class Examples(Protocol):
    """Anything with a length that an array of positions can index: an array, files, tokens."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> Any: ...


class Inputs:
    """Several arrays, a row an example, that are a network's several inputs."""

    def __init__(self, arrays: tuple[np.ndarray, ...]) -> None:
        lengths = [len(array) for array in arrays]
        if len(set(lengths)) != 1:
            raise ValueError(f"the inputs have {lengths} examples; expected the same number")
        self.arrays = arrays

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, index: Any) -> tuple[np.ndarray, ...]:
        return tuple(array[index] for array in self.arrays)

    def subset(self, index: np.ndarray) -> Inputs:
        """The examples at some positions."""
        return Inputs(self[index])


@dataclass(frozen=True)
class Split:
    """One part of a data set.

    Attributes
    ----------
    x : Examples
        ``x[positions]`` gives uint8 ``[batch, 3, height, width]`` for images and
        ``(ids int64 [batch, longest], mask bool [batch, longest])`` for text.
    y : ndarray of int64, [n]
        Labels, 0 to the number of classes - 1.
    groups : dict of str to ndarray of int16, [n]
        For each sensitive attribute a code into :attr:`Dataset.group_names`; -1 is unknown.
    """

    x: Examples
    y: np.ndarray
    groups: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {"x": len(self.x), "y": len(self.y)}
        lengths |= {f"groups[{name!r}]": len(codes) for name, codes in self.groups.items()}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"a split needs as many labels and groups as examples; got {lengths}")

    def __len__(self) -> int:
        return len(self.y)

    def take(self, index: np.ndarray) -> Split:
        """The examples at some positions, in that order."""
        groups = {name: codes[index] for name, codes in self.groups.items()}
        subset = getattr(self.x, "subset", None)  # files and tokens stay what they are
        x = self.x[index] if subset is None else subset(index)
        return Split(x, self.y[index], groups)


@dataclass(frozen=True)
class Dataset:
    """Training and test examples, and what their numbers mean.

    Attributes
    ----------
    name : str
    train, test : Split
    class_names : tuple of str
    group_names : dict of str to tuple of str
        The groups of each sensitive attribute.
    mean, std : tuple of float
        Of each channel over the training images, on the scale 0 to 1; empty for text.
    note : str
        Source, split, and what was left out or made smaller.
    kind : str
        "images", "texts" or "arrays": what the examples are.
    """

    name: str
    train: Split
    test: Split
    class_names: tuple[str, ...]
    group_names: dict[str, tuple[str, ...]]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    note: str
    kind: str = "images"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind {self.kind!r}; expected one of {', '.join(KINDS)}")


def fingerprint(dataset: Dataset) -> str:
    """SHA-256, in hexadecimal, of what training and evaluation read of a data set.

    Labels and groups count whole; examples too where they lie in memory, else their number and
    64 of them.
    """
    total = hashlib.sha256(f"{dataset.kind} {dataset.class_names}".encode())
    for split in (dataset.train, dataset.test):
        x = split.x
        if not isinstance(x, np.ndarray):
            x = x[np.unique(np.linspace(0, len(x) - 1, 64).astype(int))]
        parts = [split.y.astype(np.int64), *(x if isinstance(x, tuple) else (x,))]
        parts += [split.groups[name].astype(np.int16) for name in sorted(split.groups)]
        for array in parts:
            array = np.ascontiguousarray(array)
            total.update(f"{len(split)} {array.dtype} {array.shape}".encode())
            total.update(array.reshape(-1).view(np.uint8).data)
    return total.hexdigest()


class DatasetMissing(FileNotFoundError):
    """A data set is not where it was looked for; says what to download and where it goes."""


def names() -> list[str]:
    """Names that :func:`load` knows, in alphabetical order."""
    return sorted(REGISTRY)


def load(name: str, *, root: str | os.PathLike[str] | None = None, **options: Any) -> Dataset:
    """Read or make a data set.

    Parameters
    ----------
    name : str
        One of :func:`names`.
    root : path, optional
        Folder of the data sets. Default: ``$KDFAIR_DATA``, else ``./datasets``.
    **options
        Options of the data set, listed in its module. Those that are read from files also take
        ``n_train`` and ``n_test``, to keep so many random examples with the labels' own shares
        (all by default), ``seed`` of that choice, and where torchvision can fetch the set,
        ``download=True`` to let it.

    Raises
    ------
    ValueError
        If the name or an option is unknown, or a file is not what it should be.
    DatasetMissing
        If the files are not there.
    """
    asked.choice("data set", name, names())
    folder = Path(root or os.environ.get("KDFAIR_DATA") or "datasets")
    module, _, function = REGISTRY[name].partition(":")
    make = getattr(importlib.import_module(f"{__name__}.{module}"), function)
    return make(root=folder, **_known(make, name, options))


def _known(function: Any, name: str, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options, if the data set knows all of them."""
    choices = sorted(set(function.__kwdefaults__ or {}) - {"root"})
    for option in options:
        if option not in choices:
            raise ValueError(
                f"data set {name!r} has no option {option!r}; expected "
                f"{'one of ' + ', '.join(choices) if choices else 'none'}"
            )
    return options
