import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def real_root():
    """Folder of the real data sets; tests that want one skip without it."""
    folder = os.environ.get("KDFAIR_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("needs real data in $KDFAIR_DATA")
    return Path(folder)


@pytest.fixture
def write_images():
    """Write plain JPEG images of given colors."""

    def write(paths, colors, size=(20, 24)):
        for path, color in zip(paths, colors, strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.broadcast_to(np.uint8(color), (size[1], size[0], 3))
            Image.fromarray(np.ascontiguousarray(pixels)).save(path, "JPEG", quality=95)

    return write
