"""Pictures that are not charts: an array of pixels with its text alternative."""

import base64
import html
import io
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Picture:
    """Pixels that show themselves.

    Attributes
    ----------
    pixels
        uint8 array [height, width, 3].
    says
        What it shows, in words; also its caption.
    """

    pixels: np.ndarray
    says: str

    def png(self) -> bytes:
        """The picture as PNG with 128 colors, which keeps pages light."""
        from PIL import Image

        target = io.BytesIO()
        image = Image.fromarray(self.pixels).quantize(128)
        image.save(target, "PNG", optimize=True)
        return target.getvalue()

    def _repr_html_(self) -> str:
        height, width = self.pixels.shape[:2]
        said = html.escape(self.says)
        return (
            f'<figure class="kd-picture"><img width="{width}" height="{height}" alt="{said}" '
            f'src="data:image/png;base64,{base64.b64encode(self.png()).decode()}">'
            f"<figcaption>{said}</figcaption></figure>"
        )


def picture(pixels: np.ndarray, says: str) -> Picture:
    """Pixels [height, width, 3] with the words that say what they show.

    Raises
    ------
    ValueError
        If the array is not of that kind.
    """
    pixels = np.asarray(pixels)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        given = f"{pixels.dtype} {list(pixels.shape)}"
        raise ValueError(f"got {given} for a picture; expected uint8 [height, width, 3]")
    return Picture(pixels, says)
