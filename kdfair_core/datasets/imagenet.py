"""ImageNet and Tiny ImageNet, in their folder layouts.

Tiny ImageNet, 200 classes at 64x64, in ``tiny-imagenet-200`` as
http://cs231n.stanford.edu/tiny-imagenet-200.zip unpacks: 100,000 training images, and the 10,000
validation images as the test set, because the test labels were never published. Packed on first
use into an array on disk.

ImageNet (ILSVRC 2012), 1,000 classes, in ``imagenet/train/<class>/`` and ``imagenet/val/<class>/``,
as torchvision lays it out; the validation images are the test set. Read from disk a batch at a
time: from an array that is packed on first use (193 GB at 224 pixels), or from the files.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from kdfair_core.datasets import Dataset, Split
from kdfair_core.datasets._files import channel_statistics, missing, shrink
from kdfair_core.datasets._images import ImageFiles, Rows
from kdfair_core.datasets._packing import packed
from kdfair_core.files import DiskFull

SUFFIXES = {".jpeg", ".jpg", ".png"}
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # customary


def load_tiny(
    *, root: Path, n_train: int | None = None, n_test: int | None = None, seed: int = 0
) -> Dataset:
    """Tiny ImageNet, whole or a part."""
    folder = root / "tiny-imagenet-200"
    wanted = ("wnids.txt", "words.txt", "train", "val/val_annotations.txt", "val/images")
    for name in wanted:
        if not (folder / name).exists():
            raise missing(
                "Tiny ImageNet",
                folder / name,
                get="http://cs231n.stanford.edu/tiny-imagenet-200.zip",
                size="237 MB",
                where=f"{folder}, unpacked",
            )
    classes = (folder / "wnids.txt").read_text().split()
    train_files = [_images(folder / "train" / name / "images") for name in classes]
    train_y = np.repeat(np.arange(len(classes)), [len(files) for files in train_files])
    test_files, test_y = _validation(folder, classes)
    splits = {}
    for part, paths, y, n in (
        ("train", [path for files in train_files for path in files], train_y, n_train),
        ("test", test_files, test_y, n_test),
    ):
        x = packed(ImageFiles(paths, 64), root / f"tiny-imagenet-{part}.npy")
        splits[part] = shrink(Split(x, y.astype(np.int64)), n, seed=seed)
    train, test = splits["train"], splits["test"]
    mean, std = channel_statistics(train.x)
    note = (
        f"Tiny ImageNet: {len(train):,} training images, and {len(test):,} of the validation "
        "images as the test set, because the labels of the official one were never published."
    )
    return Dataset("tinyimagenet", train, test, _words(folder, classes), {}, mean, std, note)


def _images(folder: Path) -> list[Path]:
    """Image files of a folder, by name; a class without any is an error."""
    found = []
    if folder.is_dir():
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not found:
        raise ValueError(f"{folder} holds no images; the data set is not whole")
    return found


def _validation(folder: Path, classes: list[str]) -> tuple[list[Path], np.ndarray]:
    annotations = folder / "val" / "val_annotations.txt"
    files, labels = [], []
    code_of = {name: code for code, name in enumerate(classes)}
    for number, line in enumerate(annotations.read_text().splitlines(), 1):
        fields = line.split("\t")
        if len(fields) < 2 or fields[1] not in code_of:
            raise ValueError(
                f"{annotations}, line {number}: expected a file and a class of wnids.txt"
            )
        files.append(folder / "val" / "images" / fields[0])
        labels.append(code_of[fields[1]])
    if not files:
        raise ValueError(f"{annotations} is empty")
    return files, np.array(labels)


def _words(folder: Path, classes: list[str]) -> tuple[str, ...]:
    """For each class its first synonym in words.txt, with the id if two classes share it."""
    meanings = dict(
        line.split("\t", 1)
        for line in (folder / "words.txt").read_text().splitlines()
        if "\t" in line
    )
    words = [meanings.get(name, name).split(",")[0].strip() for name in classes]
    return tuple(
        f"{word} ({name})" if words.count(word) > 1 else word
        for word, name in zip(words, classes, strict=True)
    )


def load_imagenet(
    *,
    root: Path,
    size: int = 224,
    resize: int = 256,
    n_train: int | None = None,
    n_test: int | None = None,
    seed: int = 0,
    pack: bool | None = None,
) -> Dataset:
    """ImageNet, read from disk a batch at a time.

    Parameters
    ----------
    root : Path
        Folder of the data sets.
    size, resize : int
        The shorter side becomes ``resize`` pixels, the central square of ``size`` is kept.
    n_train, n_test : int, optional
        Keep so many random examples, with the classes' own shares; all by default.
    seed : int
        Of that choice.
    pack : bool, optional
        Read an array on disk, written on first use by all cores, in place of the files; by
        default for all examples if there is room, and where that array is there.
    """
    folder = root / "imagenet"
    for part in ("train", "val"):
        if not (folder / part).is_dir():
            raise missing(
                "ImageNet",
                folder / part,
                get="ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar from "
                "https://image-net.org/challenges/LSVRC/2012 (registration needed)",
                size="144 GB",
                where=f"{folder}/train and {folder}/val, one folder a class",
            )
    classes = sorted(path.name for path in (folder / "train").iterdir() if path.is_dir())
    if not classes:
        raise ValueError(f"{folder / 'train'} holds no folders of classes")
    splits = {}
    for part, n in (("train", n_train), ("val", n_test)):
        files = [_images(folder / part / name) for name in classes]
        y = np.repeat(np.arange(len(classes)), [len(found) for found in files]).astype(np.int64)
        images = ImageFiles([path for found in files for path in found], size, resize)
        x: ImageFiles | Rows = images
        array = root / f"imagenet-{part}-{size}-of-{resize}.npy"
        if pack or (pack is None and (n is None or array.exists())):
            try:
                x = Rows(packed(images, array), np.arange(len(y)))
            except DiskFull as error:
                if pack:
                    raise
                warnings.warn(f"{error}; the files are read, which is slower", stacklevel=2)
        splits[part] = shrink(Split(x, y), n, seed=seed)
    train, test = splits["train"], splits["val"]
    note = (
        f"ImageNet (ILSVRC 2012): {len(train):,} training images, and {len(test):,} of the "
        f"validation images as the test set, shorter side {resize}, central {size}x{size}."
    )
    mean, std = IMAGENET_MEAN, IMAGENET_STD
    return Dataset("imagenet", train, test, tuple(classes), {}, mean, std, note)
