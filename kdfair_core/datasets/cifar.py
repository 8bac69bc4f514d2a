"""CIFAR-10 and CIFAR-100 (Krizhevsky, 2009): 50,000 + 10,000 images of 32x32.

Read from the array cache ``cifar10.npz`` or, the first time, from the folder of the binary
version as https://www.cs.toronto.edu/~kriz/cifar.html offers it. The Python version holds pickles:
torchvision reads it, once it has compared the files' checksums with the official ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kdfair_core.datasets import Dataset, Split, _files

CIFAR10_NAMES = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())
SIDE = 32
PIXELS = 3 * SIDE * SIDE


@dataclass(frozen=True)
class _Layout:
    """Where the official versions keep their parts."""

    title: str
    n_classes: int
    torchvision: str
    binary_folder: str
    python_folder: str
    archive: str
    size: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    label_bytes: int  # before the pixels of a binary record; the last one is the class


_CIFAR10 = _Layout(
    title="CIFAR-10",
    n_classes=10,
    torchvision="CIFAR10",
    binary_folder="cifar-10-batches-bin",
    python_folder="cifar-10-batches-py",
    archive="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    size="162 MB",
    train=tuple(f"data_batch_{i}" for i in range(1, 6)),
    test=("test_batch",),
    label_bytes=1,
)
_CIFAR100 = _Layout(
    title="CIFAR-100",
    n_classes=100,
    torchvision="CIFAR100",
    binary_folder="cifar-100-binary",
    python_folder="cifar-100-python",
    archive="https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
    size="161 MB",
    train=("train",),
    test=("test",),
    label_bytes=2,
)


def _loader(name: str, layout: _Layout) -> Callable[..., Dataset]:
    def load(
        *,
        root: Path,
        download: bool = False,
        size: int = SIDE,
        n_train: int | None = None,
        n_test: int | None = None,
        held_out: int = 0,
        seed: int = 0,
    ) -> Dataset:
        """CIFAR-10 or CIFAR-100, whole or a part.

        Parameters
        ----------
        size : int
            Pixels of a side: 32, or a divisor of it by averaging.
        held_out : int
            Test on so many training images, which are held out of training, in place of the test
            images: for trials of a recipe.
        """
        cache = root / f"{name}.npz"
        arrays = _arrays(layout, root, cache, download)
        splits = {}
        for part in ("train", "test"):
            labels = _files.check_labels(arrays[f"y_{part}"], layout.n_classes, cache)
            splits[part] = Split(_files.averaged(arrays[f"x_{part}"], size), labels)
        train, test = splits["train"], splits["test"]
        if held_out:
            out = _files.stratified(train.y, held_out, seed=seed)
            train, test = train.take(np.delete(np.arange(len(train)), out)), train.take(out)
        train = _files.shrink(train, n_train, seed=seed)
        test = _files.shrink(test, n_test, seed=seed)
        mean, std = _files.channel_statistics(train.x)
        names = arrays.get("fine_names", np.arange(100)) if layout is _CIFAR100 else CIFAR10_NAMES
        note = (
            f"{layout.title}, official split: {len(train):,} training and {len(test):,} test "
            "images."
        )
        if held_out:
            note += (
                " These test images are training images held out; the official ones were not read."
            )
        if size != SIDE:
            note += f" Averaged to {size}x{size}."
        if n_train is not None or n_test is not None:
            note += f" A random part of it, drawn class by class with seed {seed}."
        if len(arrays.get("reencoded_train", ())) or len(arrays.get("reencoded_test", ())):
            note += (
                f" In this copy {len(arrays['reencoded_train'])} training and "
                f"{len(arrays['reencoded_test'])} test images of the whole set went through JPEG."
            )
        return Dataset(name, train, test, tuple(map(str, names)), {}, mean, std, note)

    return load


load_cifar10, load_cifar100 = _loader("cifar10", _CIFAR10), _loader("cifar100", _CIFAR100)


def _arrays(layout: _Layout, root: Path, cache: Path, download: bool) -> dict[str, np.ndarray]:
    """The cache's arrays; makes the cache from the official files if it is not there."""
    if not cache.exists():
        python = (root / layout.python_folder).is_dir() or download
        binary = (root / layout.binary_folder).is_dir() or not python
        write = _pack(layout, root) if binary else _by_torchvision(layout, root, download)
        _files.write_cache(cache, write)
        return write
    return _files.read_cache(cache, {"x_train": 4, "y_train": 1, "x_test": 4, "y_test": 1})


def _by_torchvision(layout: _Layout, root: Path, download: bool) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    for part in ("train", "test"):
        try:
            data = _files.by_torchvision(
                layout.torchvision, root, download=download, train=part == "train"
            )
        except RuntimeError as error:  # a file is not there, or not the official one
            raise ValueError(
                f"{root / layout.python_folder} is not {layout.title}'s Python version: {error}"
            ) from error
        arrays[f"x_{part}"] = data.data.transpose(0, 3, 1, 2)
        arrays[f"y_{part}"] = np.array(data.targets, np.uint8)
        if layout is _CIFAR100:
            arrays["fine_names"] = np.array(data.classes)
    return arrays


def _pack(layout: _Layout, root: Path) -> dict[str, np.ndarray]:
    folder = root / layout.binary_folder
    arrays: dict[str, np.ndarray] = {}
    for part, files in (("train", layout.train), ("test", layout.test)):
        paths = [folder / f"{file}.bin" for file in files]
        for path in paths:
            if not path.is_file():
                raise _files.missing(
                    layout.title,
                    path,
                    get=layout.archive,
                    size=layout.size,
                    where=f"{folder}, unpacked",
                    fetch=f'"{layout.torchvision.lower()}"',
                )
        batches = [_read_binary(path, layout) for path in paths]
        arrays[f"x_{part}"] = np.concatenate([x for x, _ in batches])
        arrays[f"y_{part}"] = np.concatenate([y for _, y in batches])
    if layout is _CIFAR100:
        arrays["fine_names"] = _fine_names(folder / "fine_label_names.txt")
    return arrays


def _read_binary(path: Path, layout: _Layout) -> tuple[np.ndarray, np.ndarray]:
    raw = np.fromfile(path, np.uint8)
    record = layout.label_bytes + PIXELS
    if len(raw) == 0 or len(raw) % record:
        raise ValueError(
            f"{path} is truncated or not {layout.title}'s binary version: expected whole records "
            f"of {record} bytes, got {len(raw)} bytes"
        )
    records = raw.reshape(-1, record)
    labels = records[:, layout.label_bytes - 1]
    _files.check_labels(labels, layout.n_classes, path)
    return records[:, layout.label_bytes :].reshape(-1, 3, SIDE, SIDE), labels.copy()


def _fine_names(path: Path) -> np.ndarray:
    """Names of CIFAR-100's classes, or their numbers if the file with the names is not there."""
    names = path.read_text().split() if path.is_file() else [str(label) for label in range(100)]
    if len(names) != 100:
        raise ValueError(f"{path} names {len(names)} classes; expected 100")
    return np.array(names)
