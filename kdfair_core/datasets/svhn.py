"""Street View House Numbers (Netzer et al., 2011): 73,257 + 26,032 cropped digits of 32x32.

Read from the array cache ``svhn.npz`` or, the first time, from ``train_32x32.mat`` and
``test_32x32.mat`` as http://ufldl.stanford.edu/housenumbers offers them, in the folder ``svhn`` or
beside the others. The 531,131 easier "extra" digits are not used: the paper does not name them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import io

from kdfair_core.datasets import Dataset, Split, _files


def load(
    *,
    root: Path,
    download: bool = False,
    n_train: int | None = None,
    n_test: int | None = None,
    seed: int = 0,
) -> Dataset:
    """SVHN, whole or a part."""
    cache = root / "svhn.npz"
    if cache.exists():
        arrays = _files.read_cache(cache, {"x_train": 4, "y_train": 1, "x_test": 4, "y_test": 1})
    else:
        arrays = {}
        for part in ("train", "test"):
            arrays[f"x_{part}"], arrays[f"y_{part}"] = _read(root, part, download)
        _files.write_cache(cache, arrays)
    splits = {}
    for part, n in (("train", n_train), ("test", n_test)):
        labels = _files.check_labels(arrays[f"y_{part}"], 10, cache)
        splits[part] = _files.shrink(Split(arrays[f"x_{part}"], labels), n, seed=seed)
    train, test = splits["train"], splits["test"]
    mean, std = _files.channel_statistics(train.x)
    note = f"SVHN, cropped digits: {len(train):,} training and {len(test):,} test images, no extra."
    if n_train is not None or n_test is not None:
        note += f" A random part of it, drawn class by class with seed {seed}."
    return Dataset("svhn", train, test, tuple("0123456789"), {}, mean, std, note)


def _read(root: Path, part: str, download: bool) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [n, 3, 32, 32] and labels uint8 [n] of one official file."""
    name = f"{part}_32x32.mat"
    if download and not any((folder / name).is_file() for folder in (root / "svhn", root)):
        _files.by_torchvision("SVHN", root / "svhn", split=part)
    path = next((f / name for f in (root / "svhn", root) if (f / name).is_file()), None)
    if path is None:
        raise _files.missing(
            "SVHN",
            root / "svhn" / name,
            get=f"http://ufldl.stanford.edu/housenumbers/{name}",
            size="182 MB" if part == "train" else "64 MB",
            where=str(root / "svhn" / name),
            fetch='"svhn"',
        )
    try:
        content = io.loadmat(path, variable_names=["X", "y"])
    except Exception as error:  # a damaged file raises nearly anything
        raise ValueError(f"{path} is truncated or not a MATLAB file: {error}") from error
    images, labels = content.get("X"), np.asarray(content.get("y", ())).ravel()
    if images is None or images.dtype != np.uint8 or images.shape != (32, 32, 3, len(labels)):
        found = None if images is None else (str(images.dtype), images.shape)
        raise ValueError(
            f"{path} is not SVHN's: expected X as uint8 [32, 32, 3, n] and n labels y, "
            f"got X {found} and {len(labels)} labels"
        )
    if len(labels) and not 1 <= labels.min() <= labels.max() <= 10:
        raise ValueError(
            f"{path} has labels from {labels.min()} to {labels.max()}; expected 1 to 10"
        )
    images = np.ascontiguousarray(images.transpose(3, 2, 0, 1))
    return images, (labels % 10).astype(np.uint8)  # the digit 0 is labeled 10
