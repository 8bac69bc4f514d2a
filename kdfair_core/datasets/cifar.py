"""CIFAR-10 and CIFAR-100 (Krizhevsky, 2009): 50,000 + 10,000 images of 32x32.

Read from the array cache ``cifar10.npz`` or, the first time, from the folders of the binary or the
Python version as https://www.cs.toronto.edu/~kriz/cifar.html offers them. The Python version holds
pickles; of those nothing but arrays, numbers and strings is let through.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kdfair_core.datasets import Dataset, Split
from kdfair_core.datasets._files import (
    averaged,
    channel_statistics,
    check_labels,
    missing,
    read_cache,
    shrink,
    stratified,
    torchvision_download,
    write_cache,
)

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
    label_key: bytes  # in a Python batch


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
    label_key=b"labels",
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
    label_key=b"fine_labels",
)


def load_cifar10(
    *,
    root: Path,
    download: bool = False,
    size: int = SIDE,
    n_train: int | None = None,
    n_test: int | None = None,
    held_out: int = 0,
    seed: int = 0,
) -> Dataset:
    """CIFAR-10, whole or a part.

    Parameters
    ----------
    root : Path
        Folder of the data sets.
    download : bool
        Let torchvision fetch it if it is not there.
    size : int
        Pixels of a side: 32, or a divisor of it by averaging.
    n_train, n_test : int, optional
        Keep so many random examples, with equal shares of the classes; all by default.
    held_out : int
        Test on so many training images, which are held out of training, in place of the test
        images: for trials of a recipe.
    seed : int
        Of that choice.
    """
    arrays = _arrays(_CIFAR10, root, root / "cifar10.npz", download)
    return _dataset(
        "cifar10", _CIFAR10, arrays, CIFAR10_NAMES, size, n_train, n_test, held_out, seed
    )


def load_cifar100(
    *,
    root: Path,
    download: bool = False,
    size: int = SIDE,
    n_train: int | None = None,
    n_test: int | None = None,
    held_out: int = 0,
    seed: int = 0,
) -> Dataset:
    """CIFAR-100, whole or a part; parameters as in :func:`load_cifar10`."""
    arrays = _arrays(_CIFAR100, root, root / "cifar100.npz", download)
    names = tuple(str(name) for name in arrays.get("fine_names", np.arange(100)))
    return _dataset("cifar100", _CIFAR100, arrays, names, size, n_train, n_test, held_out, seed)


def _dataset(
    name: str,
    layout: _Layout,
    arrays: dict[str, np.ndarray],
    class_names: tuple[str, ...],
    size: int,
    n_train: int | None,
    n_test: int | None,
    held_out: int,
    seed: int,
) -> Dataset:
    source = Path(f"{name}.npz")
    splits = {}
    for part in ("train", "test"):
        labels = check_labels(arrays[f"y_{part}"], layout.n_classes, source)
        splits[part] = Split(averaged(arrays[f"x_{part}"], size), labels)
    train, test = splits["train"], splits["test"]
    if held_out:
        out = stratified(train.y, held_out, seed=seed)
        train, test = train.take(np.delete(np.arange(len(train)), out)), train.take(out)
    train, test = shrink(train, n_train, seed=seed), shrink(test, n_test, seed=seed)
    mean, std = channel_statistics(train.x)
    note = f"{layout.title}, official split: {len(train):,} training and {len(test):,} test images."
    if held_out:
        note += " These test images are training images held out; the official ones were not read."
    if size != SIDE:
        note += f" Averaged to {size}x{size}."
    if n_train is not None or n_test is not None:
        note += f" A random part of it, drawn class by class with seed {seed}."
    if len(arrays.get("reencoded_train", ())) or len(arrays.get("reencoded_test", ())):
        note += (
            f" In this copy {len(arrays['reencoded_train'])} training and "
            f"{len(arrays['reencoded_test'])} test images of the whole set went through JPEG."
        )
    return Dataset(name, train, test, class_names, {}, mean, std, note)


def _arrays(layout: _Layout, root: Path, cache: Path, download: bool) -> dict[str, np.ndarray]:
    """The cache's arrays; makes the cache from the official files if it is not there."""
    if not cache.exists():
        if not _folders(layout, root) and download:
            torchvision_download(layout.torchvision, root)
        write = _pack(layout, root)
        write_cache(cache, write)
        return write
    return read_cache(cache, {"x_train": 4, "y_train": 1, "x_test": 4, "y_test": 1})


def _folders(layout: _Layout, root: Path) -> list[Path]:
    folders = [root / layout.binary_folder, root / layout.python_folder]
    return [folder for folder in folders if folder.is_dir()]


def _pack(layout: _Layout, root: Path) -> dict[str, np.ndarray]:
    folders = _folders(layout, root)
    if not folders:
        raise missing(
            layout.title,
            root / layout.binary_folder,
            get=layout.archive,
            size=layout.size,
            where=f"{root / layout.binary_folder}, unpacked",
            fetch=f'"{layout.torchvision.lower()}"',
        )
    folder = folders[0]
    binary = folder.name == layout.binary_folder
    arrays: dict[str, np.ndarray] = {}
    for part, files in (("train", layout.train), ("test", layout.test)):
        batches = []
        for file in files:
            path = folder / (f"{file}.bin" if binary else file)
            if not path.is_file():
                raise missing(
                    f"A part of {layout.title}",
                    path,
                    get=layout.archive,
                    size=layout.size,
                    where=f"{folder}, unpacked",
                )
            batches.append(_read_binary(path, layout) if binary else _read_python(path, layout))
        arrays[f"x_{part}"] = np.concatenate([x for x, _ in batches])
        arrays[f"y_{part}"] = np.concatenate([y for _, y in batches])
    if layout is _CIFAR100:
        arrays["fine_names"] = _fine_names(folder, binary)
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
    check_labels(labels, layout.n_classes, path)
    return records[:, layout.label_bytes :].reshape(-1, 3, SIDE, SIDE), labels.copy()


class _ArraysOnly(pickle.Unpickler):
    """Admits what an array of bytes is made of, and nothing that could run code."""

    _reconstruct = np.zeros(0).__reduce__()[0]

    def find_class(self, module: str, name: str) -> Any:
        if name == "_reconstruct" and module in (
            "numpy.core.multiarray",
            "numpy._core.multiarray",
        ):
            return self._reconstruct
        if (module, name) == ("numpy", "ndarray"):
            return np.ndarray
        if (module, name) == ("numpy", "dtype"):
            return np.dtype
        if (module, name) == ("_codecs", "encode"):  # how Python 3 writes bytes for Python 2
            return lambda text, encoding: text.encode("latin1")
        raise pickle.UnpicklingError(f"{module}.{name} does not belong into a CIFAR file")


def _unpickle(path: Path) -> dict[bytes, Any]:
    try:
        with open(path, "rb") as file:
            content = _ArraysOnly(file, encoding="bytes").load()
    except Exception as error:  # a damaged pickle raises nearly anything
        raise ValueError(f"{path} is truncated or not a CIFAR file: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} is not a CIFAR file: expected a dict, got {type(content)}")
    return {k.encode() if isinstance(k, str) else k: v for k, v in content.items()}


def _read_python(path: Path, layout: _Layout) -> tuple[np.ndarray, np.ndarray]:
    batch = _unpickle(path)
    images = batch.get(b"data")
    labels = np.asarray(batch.get(layout.label_key, ()), np.int64)
    if (
        not isinstance(images, np.ndarray)
        or images.dtype != np.uint8
        or images.shape != (len(labels), PIXELS)
    ):
        raise ValueError(
            f"{path} is not a batch of {layout.title}: expected b'data' as uint8 [n, {PIXELS}] and "
            f"{layout.label_key!r} with n labels, got {sorted(batch)}"
        )
    check_labels(labels, layout.n_classes, path)
    return images.reshape(-1, 3, SIDE, SIDE), labels.astype(np.uint8)


def _fine_names(folder: Path, binary: bool) -> np.ndarray:
    """Names of CIFAR-100's classes, or their numbers if the file with the names is not there."""
    path = folder / ("fine_label_names.txt" if binary else "meta")
    if not path.is_file():
        return np.array([str(label) for label in range(100)])
    if binary:
        names = path.read_text().split()
    else:
        names = [name.decode() for name in _unpickle(path).get(b"fine_label_names", ())]
    if len(names) != 100:
        raise ValueError(f"{path} names {len(names)} classes; expected 100")
    return np.array(names)
