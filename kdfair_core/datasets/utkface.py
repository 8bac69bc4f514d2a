"""UTKFace (Zhang et al., 2017): faces with age, gender and ethnicity, as estimated by others.

Not a data set of the paper: a real, imbalanced face data set in the place of CelebA. Read from the
array cache ``utkface.npz`` or, the first time, from the folder ``UTKFace`` of aligned and cropped
images as https://susanqq.github.io/UTKFace offers it, whose file names carry the annotations
(``age_gender_race_time.jpg``). For non-commercial research only; do not show or publish a face.

The label is whether the age is 30 or more. There is no official split: a random fifth, drawn with a
fixed seed, is the test set.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kdfair_core.datasets import Dataset, Split, _files
from kdfair_core.datasets._images import ImageFiles

GENDERS = ("male", "female")  # codes 0 and 1 of the file names
ETHNICITIES = ("white", "black", "asian", "indian", "other")  # 0 to 4
SIDE = 64
THRESHOLD = 30  # years from which the label is 1
TEST_SHARE = 0.2


def load(
    *,
    root: Path,
    size: int = SIDE,
    n_train: int | None = None,
    n_test: int | None = None,
    seed: int = 0,
) -> Dataset:
    """UTKFace: is the person 30 or older?

    Parameters
    ----------
    size : int
        Pixels of a side: 64, or 32 or 16 by averaging.
    """
    if size not in (16, 32, 64):
        raise ValueError(f"size of UTKFace must be 16, 32 or 64, got {size}")
    cache = root / "utkface.npz"
    if cache.exists():
        arrays = _files.read_cache(cache, {"x": 4, "age": 1, "gender": 1, "ethnicity": 1})
    else:
        arrays = _pack(root)
        _files.write_cache(cache, arrays)
    x = _files.averaged(arrays["x"], size)
    y = (arrays["age"] >= THRESHOLD).astype(np.int64)
    groups = {
        "gender": _codes(arrays["gender"], GENDERS, cache),
        "ethnicity": _codes(arrays["ethnicity"], ETHNICITIES, cache),
    }
    whole = Split(x, y, groups)
    order = np.random.default_rng(0).permutation(len(whole))
    n_held_out = round(len(whole) * TEST_SHARE)
    test = _files.shrink(whole.take(np.sort(order[:n_held_out])), n_test, seed=seed)
    train = _files.shrink(whole.take(np.sort(order[n_held_out:])), n_train, seed=seed)
    mean, std = _files.channel_statistics(train.x)
    return Dataset(
        name="utkface",
        train=train,
        test=test,
        class_names=(f"under {THRESHOLD}", f"{THRESHOLD} or over"),
        group_names={"gender": GENDERS, "ethnicity": ETHNICITIES},
        mean=mean,
        std=std,
        note=(
            f"UTKFace, aligned and cropped, at {size}x{size}: {len(train):,} training and "
            f"{len(test):,} test faces of a random split with seed 0. Age, gender and "
            "ethnicity are estimates by others, not what the persons would say of themselves."
        ),
    )


def _codes(values: np.ndarray, names: tuple[str, ...], source: Path) -> np.ndarray:
    unknown = sorted(set(values.tolist()) - set(names))
    if unknown:
        raise ValueError(f"{source} has groups {unknown}; expected {', '.join(names)}")
    codes = {name: code for code, name in enumerate(names)}
    return np.array([codes[value] for value in values.tolist()], np.int16)


def _pack(root: Path) -> dict[str, np.ndarray]:
    """Images and annotations; files whose names do not carry all three (a few) are left out."""
    folder = root / "UTKFace"
    if not folder.is_dir():
        raise _files.missing(
            "UTKFace",
            folder,
            get="the aligned and cropped faces (UTKFace.tar.gz) from "
            "https://susanqq.github.io/UTKFace",
            size="about 100 MB",
            where=f"{folder}, unpacked",
        )
    paths, rows = [], []
    for path in sorted(folder.glob("*.jpg")):
        fields = path.name.split("_")
        if len(fields) != 4 or not all(field.isdigit() for field in fields[:3]):
            continue
        age, gender, ethnicity = map(int, fields[:3])
        if gender < len(GENDERS) and ethnicity < len(ETHNICITIES) and age < 256:
            paths.append(path)
            rows.append((age, GENDERS[gender], ETHNICITIES[ethnicity]))
    if not paths:
        raise ValueError(
            f"{folder} holds no images named age_gender_race_time.jpg; is it the aligned version?"
        )
    ages, genders, ethnicities = zip(*rows, strict=True)
    return {
        "x": ImageFiles(paths, SIDE)[:],
        "age": np.array(ages, np.uint8),
        "gender": np.array(genders),
        "ethnicity": np.array(ethnicities),
    }
