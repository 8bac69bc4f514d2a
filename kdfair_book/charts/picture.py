"""Pictures that are not charts: an array of pixels with its text alternative."""

import base64
import html
import io
from dataclasses import dataclass

import numpy as np

from kdfair_core.datasets import trifeature


@dataclass(frozen=True)
class Picture:
    """Pixels that show themselves, with the words that say what they show.

    Attributes
    ----------
    pixels
        uint8 array [height, width, 3].
    says
        What it shows; also its caption.

    Raises
    ------
    ValueError
        If the array is not of that kind.
    """

    pixels: np.ndarray
    says: str

    def __post_init__(self) -> None:
        if self.pixels.dtype != np.uint8 or self.pixels.shape[2:] != (3,):
            given = f"{self.pixels.dtype} {list(self.pixels.shape)}"
            raise ValueError(f"got {given} for a picture; expected uint8 [height, width, 3]")

    def _repr_html_(self) -> str:
        from PIL import Image

        target = io.BytesIO()
        image = Image.fromarray(self.pixels).quantize(128)  # 128 colors keep pages light
        image.save(target, "PNG", optimize=True)
        height, width = self.pixels.shape[:2]
        said = html.escape(self.says)
        return (
            f'<figure class="kd-picture"><img width="{width}" height="{height}" alt="{said}" '
            f'src="data:image/png;base64,{base64.b64encode(target.getvalue()).decode()}">'
            f"<figcaption>{said}</figcaption></figure>"
        )


def contact_sheet(size: int = 64, *, seed: int = 0) -> np.ndarray:
    """Trifeature's every shape (row) in every texture (column), colors along the diagonals.

    Parameters
    ----------
    size : int
        Pixels of a side of one image.
    seed : int

    Returns
    -------
    ndarray of uint8, [10 * (size + 2), 10 * (size + 2), 3]
    """
    cell = size + 2
    sheet = np.full((10 * cell, 10 * cell, 3), 255, np.uint8)
    for shape in range(10):
        for texture in range(10):
            rng = np.random.default_rng([seed, 2, shape, texture])  # 0 and 1: its splits
            image = trifeature.render(shape, texture, (shape + texture) % 10, size=size, rng=rng)
            top, left = shape * cell + 1, texture * cell + 1
            sheet[top : top + size, left : left + size] = image.transpose(1, 2, 0)
    return sheet
