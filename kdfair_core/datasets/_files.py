"""What the data sets that are read from files share: caches, subsets, statistics, errors."""

from __future__ import annotations

import os
import warnings
import zipfile
from collections.abc import Mapping
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np

from kdfair_core import asked
from kdfair_core.datasets import DatasetMissing, Examples, Split


def missing(
    name: str, looked: Path, *, get: str, size: str, where: str, fetch: str = ""
) -> DatasetMissing:
    """The error for a set that is not there: what to download, how large, where it goes.

    ``fetch`` is what :func:`kdfair_core.datasets.load` takes beside ``download=True`` to let
    torchvision do it; "" if it cannot.
    """
    if fetch:
        load = f"kdfair_core.datasets.load({fetch}, download=True)"
        where += f" (or let torchvision fetch it: {load})"
    return DatasetMissing(
        f"{name} is missing: {looked} does not exist. Download {get} ({size}) and put it at "
        f"{where}. The folder of the data sets is $KDFAIR_DATA, or ./datasets without it."
    )


def read_cache(path: Path, needs: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Arrays of an .npz file that must hold some names, each with a number of dimensions."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as packed:
            arrays = {name: packed[name] for name in packed.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is damaged ({error}); remove it to make it anew") from error
    for name, dimensions in needs.items():
        if name not in arrays or arrays[name].ndim != dimensions:
            found = {name: array.shape for name, array in arrays.items()}
            raise ValueError(
                f"{path} is not the array cache expected here: it needs {name!r} with "
                f"{dimensions} dimensions; found {found}"
            )
    return arrays


def write_cache(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an .npz file whole or not at all; a folder that cannot be written only warns."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        os.replace(part, path)
    except OSError as error:
        warnings.warn(f"{path} was not written, so packing will be repeated: {error}", stacklevel=2)
    finally:
        part.unlink(missing_ok=True)


def by_torchvision(name: str, root: Path, *, download: bool = True, **options: object) -> Any:
    """torchvision's data set, verified, and fetched if asked: what here needs torch."""
    from kdfair_core.models._torchvision import import_torchvision

    root.mkdir(parents=True, exist_ok=True)
    return getattr(import_torchvision().datasets, name)(root, download=download, **options)


def check_labels(labels: np.ndarray, n_classes: int, source: Path) -> np.ndarray:
    """Labels as int64, if all lie in 0 to n_classes - 1."""
    labels = labels.astype(np.int64)
    if labels.size and not 0 <= labels.min() <= labels.max() < n_classes:
        raise ValueError(
            f"{source} has labels from {labels.min()} to {labels.max()}; "
            f"expected 0 to {n_classes - 1}"
        )
    return labels


def stratified(labels: np.ndarray, n: int, *, seed: int) -> np.ndarray:
    """Positions of n random examples with the labels' own shares, in ascending order."""
    n = asked.count("number of examples", n, 0)
    if not 1 <= n <= len(labels):
        raise ValueError(f"number of examples must be from 1 to {len(labels)}, got {n}")
    order = np.random.default_rng(seed).permutation(len(labels))
    by_label = order[np.argsort(labels[order], kind="stable")]
    counts = np.unique(labels, return_counts=True)[1]
    ends = np.cumsum(counts)
    quota = np.diff(np.rint(ends * (n / len(labels))).astype(int), prepend=0)
    starts = ends - counts
    chosen = [by_label[s : s + k] for s, k in zip(starts, quota, strict=True)]
    return np.sort(np.concatenate(chosen))


def shrink(split: Split, n: int | None, *, seed: int) -> Split:
    """A stratified random part of a split, or the whole if n is None."""
    return split if n is None else split.take(stratified(split.y, n, seed=seed))


def averaged(images: np.ndarray, size: int) -> np.ndarray:
    """Square uint8 images ``[n, channel, side, side]`` made smaller: each pixel a mean of k x k.

    ValueError if the side is no multiple of size.
    """
    side = images.shape[-1]
    if not isinstance(size, Integral) or size < 1 or side % size:
        whole = [side // k for k in range(1, side + 1) if side % k == 0]
        raise ValueError(f"size of images of {side}x{side} must be one of {whole}, got {size}")
    k = side // size
    if k == 1:
        return images
    total = np.zeros((*images.shape[:2], size, size), np.uint32)
    for i in range(k):
        for j in range(k):
            total += images[:, :, i::k, j::k]
    return np.rint(total / np.float32(k * k)).astype(np.uint8)


def channel_statistics(x: Examples) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Exact mean and standard deviation of each channel of uint8 images, on the scale 0 to 1."""
    histograms = np.zeros((3, 256), np.int64)
    for start in range(0, len(x), 1000):
        images = x[np.arange(start, min(start + 1000, len(x)))]
        for channel in range(3):
            histograms[channel] += np.bincount(images[:, channel].ravel(), minlength=256)
    values = np.arange(256) / 255
    shares = histograms / histograms.sum(1, keepdims=True)
    means = shares @ values
    deviations = np.sqrt(shares @ values**2 - means**2)
    return tuple(means.tolist()), tuple(deviations.tolist())
