"""Images that are too many for memory: read from their files by threads, or from a packed array."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

WORKERS = min(16, os.cpu_count() or 1)


def read_image(path: Path, size: int, resize: int) -> np.ndarray:
    """One image file as uint8 ``[3, size, size]``.

    Its shorter side is resized to ``resize`` pixels and the central square of ``size`` is kept,
    as is customary for ImageNet (256 and 224). Gray images get three equal channels.
    """
    try:
        with Image.open(path) as file:
            file.draft("RGB", (resize, resize))  # a JPEG several times larger is decoded smaller
            image = file.convert("RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} is damaged or not an image: {error}") from error
    scale = resize / min(image.size)
    # The part of the file that becomes the central square; resized in one step.
    half = size / scale / 2
    x, y = image.width / 2, image.height / 2
    box = (
        max(x - half, 0),
        max(y - half, 0),
        min(x + half, image.width),
        min(y + half, image.height),
    )
    image = image.resize((size, size), Image.Resampling.BILINEAR, box=box)
    return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))


class ImageFiles:
    """Image files that read like an array ``[n, 3, size, size]`` of uint8.

    Parameters
    ----------
    paths : sequence of Path
    size : int
        Pixels of a side of what is returned.
    resize : int, optional
        What the shorter side becomes before the central square is cut out; ``size`` by default.
    """

    def __init__(self, paths: Sequence[Path], size: int, resize: int | None = None) -> None:
        resize = size if resize is None else resize
        if not 1 <= size <= resize:
            raise ValueError(f"size must be from 1 to resize, got size {size}, resize {resize}")
        self.paths, self.size, self.resize = paths, size, resize

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return len(self.paths), 3, self.size, self.size

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: Any) -> np.ndarray:
        positions = np.atleast_1d(np.arange(len(self))[index])
        images = np.empty((len(positions), *self.shape[1:]), np.uint8)

        def read(row: int) -> None:
            images[row] = read_image(self.paths[positions[row]], self.size, self.resize)

        with ThreadPoolExecutor(min(WORKERS, max(len(positions), 1))) as pool:
            list(pool.map(read, range(len(positions))))
        return images

    def subset(self, index: np.ndarray) -> ImageFiles:
        """The files at some positions."""
        chosen = [self.paths[i] for i in np.arange(len(self))[index]]
        return ImageFiles(chosen, self.size, self.resize)


class Rows:
    """Some rows of an array, usually one on disk, looked up when asked for."""

    def __init__(self, array: np.ndarray, rows: np.ndarray) -> None:
        self.array, self.rows = array, rows

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self.rows), *self.array.shape[1:]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> np.ndarray:
        return np.asarray(self.array[self.rows[index]])

    def subset(self, index: np.ndarray) -> Rows:
        """The rows at some positions."""
        return Rows(self.array, self.rows[index])
