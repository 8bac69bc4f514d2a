"""CelebA (Liu et al., 2015): 202,599 aligned faces with 40 yes-or-no attributes.

Read in the official layout, in the folder ``celeba``: ``list_attr_celeba.txt``,
``list_eval_partition.txt`` and ``img_align_celeba/``. For non-commercial research only; do not show
or publish a face.

As in the paper, one attribute is the label and the training set is undersampled so that as many
examples have it as not (its Table 4: 78,080 each for Smiling). The test images stay as they are.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kdfair_core.datasets import Dataset, Split, _files
from kdfair_core.datasets._images import ImageFiles, Rows
from kdfair_core.datasets._packing import packed

ATTRIBUTES = 40


def read_attributes(path: Path) -> tuple[tuple[str, ...], list[str], np.ndarray]:
    """``list_attr_celeba.txt``: names of the attributes, file names, bool [image, attribute]."""
    lines = path.read_text().splitlines()
    names = tuple(lines[1].split()) if len(lines) > 1 else ()
    rows = [line.split() for line in lines[2:]]
    if not names or not lines[0].strip().isdigit() or len(rows) != int(lines[0]):
        raise ValueError(
            f"{path} is truncated or not CelebA's: expected the number of images, the names of the "
            f"attributes and a line for each image; got {len(rows)} such lines after {lines[:1]}"
        )
    for number, row in enumerate(rows, 3):
        if len(row) != len(names) + 1 or not set(row[1:]) <= {"1", "-1"}:
            raise ValueError(
                f"{path}, line {number}: expected a file name and {len(names)} values 1 or -1"
            )
    return names, [row[0] for row in rows], np.array([row[1:] for row in rows]) == "1"


def read_partition(path: Path, files: list[str]) -> np.ndarray:
    """``list_eval_partition.txt``: 0 training, 1 validation, 2 test, for each of some files."""
    rows = [line.split() for line in path.read_text().splitlines() if line.strip()]
    if any(len(row) != 2 or row[1] not in ("0", "1", "2") for row in rows):
        raise ValueError(f"{path}: expected lines of a file name and 0, 1 or 2")
    part_of = {row[0]: int(row[1]) for row in rows}
    absent = [file for file in files if file not in part_of]
    if absent:
        raise ValueError(f"{path} is truncated: it lacks {len(absent)} images, first {absent[0]}")
    return np.array([part_of[file] for file in files], np.int64)


def balanced(labels: np.ndarray, *, seed: int) -> np.ndarray:
    """Positions, in ascending order, of as many random examples of each label as the rarest has."""
    rng = np.random.default_rng(seed)
    counts = np.bincount(labels)
    n = counts[counts > 0].min()
    chosen = [
        rng.permutation(np.flatnonzero(labels == label))[:n] for label in np.flatnonzero(counts)
    ]
    return np.sort(np.concatenate(chosen))


def load(
    *,
    root: Path,
    label: str = "Smiling",
    attributes: tuple[str, ...] = ("Young", "Male"),
    size: int = 64,
    pack: bool = True,
    download: bool = False,
    n_train: int | None = None,
    n_test: int | None = None,
    seed: int = 0,
) -> Dataset:
    """CelebA with one attribute as the label and others as groups.

    Parameters
    ----------
    label : str
        Attribute to predict; the paper's are "Smiling" and "Eyeglasses".
    attributes : tuple of str
        Sensitive attributes; the paper's are "Young" and "Male".
    size : int
        The central square of 178 pixels is resized to this. The paper does not name a size. All
        images of a size are kept in one array on disk (2.5 GB at 64) unless ``pack`` is false.
    seed : int
        Of the undersampling too.
    """
    folder = root / "celeba"
    if download and not (folder / "list_attr_celeba.txt").exists():
        _files.by_torchvision("CelebA", root)
    for name in ("list_attr_celeba.txt", "list_eval_partition.txt", "img_align_celeba"):
        if not (folder / name).exists():
            raise _files.missing(
                "CelebA",
                folder / name,
                get="img_align_celeba.zip, list_attr_celeba.txt and list_eval_partition.txt from "
                "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
                size="1.4 GB",
                where=f"{folder}, images unpacked",
                fetch='"celeba", label="Smiling"',
            )
    names, files, values = read_attributes(folder / "list_attr_celeba.txt")
    for name in (label, *attributes):
        if name not in names:
            raise ValueError(
                f"unknown attribute {name!r} of CelebA; expected one of {', '.join(names)}"
            )
    partition = read_partition(folder / "list_eval_partition.txt", files)
    y = values[:, names.index(label)].astype(np.int64)
    groups = {name.lower(): values[:, names.index(name)].astype(np.int16) for name in attributes}
    images = ImageFiles([folder / "img_align_celeba" / file for file in files], size)
    array = packed(images, root / f"celeba-{size}.npy") if pack else None

    def split(rows: np.ndarray, n: int | None) -> Split:
        of_rows = {name: codes[rows] for name, codes in groups.items()}
        x = images.subset(rows) if array is None else Rows(array, rows)
        return _files.shrink(Split(x, y[rows], of_rows), n, seed=seed)

    chosen = np.flatnonzero(partition == 0)
    if not len(chosen) or not (partition == 2).any():
        raise ValueError(f"{folder} has no training or no test images")
    train = split(chosen[balanced(y[chosen], seed=seed)], n_train)
    test = split(np.flatnonzero(partition == 2), n_test)
    sample = train.take(np.linspace(0, len(train) - 1, min(len(train), 5000)).astype(int))
    mean, std = _files.channel_statistics(sample.x)
    return Dataset(
        name="celeba",
        train=train,
        test=test,
        class_names=(f"not {label.lower()}", label.lower()),
        group_names={name.lower(): (f"not {name.lower()}", name.lower()) for name in attributes},
        mean=mean,
        std=std,
        note=(
            f"CelebA at {size}x{size}, label {label}: {len(train):,} training images, "
            f"undersampled to balance the label with seed {seed}, and {len(test):,} test images of "
            "the official split; validation images unused."
        ),
    )
