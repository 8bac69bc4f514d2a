"""Trifeature: ten shapes, in ten textures and ten colors, rendered here.

The data set of Hermann & Lampinen (2020), arXiv:2006.12433, from its recipe. A binary shape
template of 128x128 pixels is turned by -45 to 44 degrees and put anywhere on a gray canvas of
224x224 where it fits whole; a texture, turned independently and with a random phase, is cut out
by it and colored. At ``size=224`` every step is the recipe's.

On another canvas the shape keeps its share of it (4/7). A texture cannot: its period of 10 pixels
would become 3 on a canvas of 64, and the ten textures would look alike. So on canvases below 112
it stays at 5 pixels, and below 224 each pixel is the mean of 3x3 points of the texture.

The shape, texture and color of each image are drawn uniformly and independently, for training and
test alike, so all 1,000 combinations occur in both and neither attribute tells the label. Chance
leaves a test set a little unbalanced all the same, so even a perfect classifier has a demographic
parity difference; :func:`perfect_dpd` gives it and the data set's note states it. It depends on the
number of test images alone: on average 6.6 % for 2,000 of them, 4.2 % for 5,000, 2.9 % for 10,000
and 2.1 % for 20,000. The paper does not write how it splits; its perfect teacher has 3.64 % for
color, what about 6,400 images drawn this way would give. One fifth of 100 views of each
combination, taken at random, would give 1.9 %, and holding 200 combinations out 19 %.

Image i is made from its own random stream, (seed, split, i): it stays the same however many
others are made.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from scipy import ndimage

from kdfair_core import asked
from kdfair_core.datasets import Dataset, Split

CANVAS, TEMPLATE, PERIOD = 224, 128, 10  # pixels, in the recipe
GRAY = 0.5
FINE = 3  # points of the texture along a side of a pixel, on canvases smaller than the recipe's
SMALLEST = 32  # smaller, and the textures repeat less than three times and look alike

COLORS: dict[str, tuple[float, float, float]] = {
    "red": (1, 0, 0),
    "green": (0, 1, 0),
    "blue": (0, 0, 1),
    "yellow": (1, 1, 0),
    "pink": (1, 0.4, 1),
    "cyan": (0, 1, 1),
    "purple": (0.3, 0, 0.5),
    "ocean": (0.1, 0.4, 0.5),
    "orange": (1, 0.6, 0),
    "white": (1, 1, 1),
}

# Shapes that are whole cells of a 3x3 grid, row by row.
_CELLS = {
    "square": ("111", "111", "111"),
    "plus": ("010", "111", "010"),
    "tee": ("111", "010", "010"),
    "fivesquare": ("101", "010", "101"),
}


def _ring(n: int, radius: float = 1.0, start: float = 0.0) -> np.ndarray:
    """Corners (x, y) of a regular polygon, the first one at the top (y grows downwards)."""
    angle = 2 * np.pi * (np.arange(n) + start) / n
    return radius * np.stack([np.sin(angle), -np.cos(angle)], axis=1)


# Shapes that are polygons, on a square from -1 to 1.
_CORNERS = {
    "triangle": np.array([(0, -1), (1, 1), (-1, 1)]),
    "rhombus": np.array([(0, -1), (0.6, 0), (0, 1), (-0.6, 0)]),
    "pentagon": _ring(5),
    "star": np.stack([_ring(5), _ring(5, 0.382, 0.5)], axis=1).reshape(10, 2),
    "trapezoid": np.array([(-0.45, -0.75), (0.45, -0.75), (1, 0.75), (-1, 0.75)]),
}

SHAPES = tuple(
    ("triangle square plus circle tee rhombus pentagon star fivesquare trapezoid").split()
)
TEXTURES = tuple("solid stripes grid hexgrid dots noise triangles zigzags rain pluses".split())
_RANDOM = {"noise", "rain"}  # drawn anew for each image
_SPLITS = {"train": 0, "test": 1}


def shape_mask(name: str, side: int = TEMPLATE) -> np.ndarray:
    """The template of a shape, upright: bool ``[side, side]``."""
    if name in _CELLS:
        cells = np.array([[cell == "1" for cell in row] for row in _CELLS[name]])
        third = np.arange(side) * 3 // side
        return cells[np.ix_(third, third)]
    axis = (2 * np.arange(side) + 1) / side - 1  # pixel centers
    x, y = axis[None, :], axis[:, None]
    if name == "circle":
        return x**2 + y**2 <= 1
    if name not in _CORNERS:
        raise ValueError(f"unknown shape {name!r}; expected one of {', '.join(SHAPES)}")
    inside = np.zeros((side, side), bool)
    corners = _CORNERS[name]
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y0 != y1:  # count the edges that a ray to the right crosses: inside if odd
            inside ^= ((y0 <= y) != (y1 <= y)) & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return inside


def texture_mask(name: str, side: int, rng: np.random.Generator | None = None) -> np.ndarray:
    """An upright piece of a texture, in the recipe's pixels: bool ``[side, side]``.

    ``rng`` is needed for noise and rain, which are random. The recipe leaves the form of triangles
    and zigzags open: here they are filled triangles 9 pixels wide and 8 high, and lines of 3 pixels
    that rise and fall by 5.
    """
    if name not in TEXTURES:
        raise ValueError(f"unknown texture {name!r}; expected one of {', '.join(TEXTURES)}")
    if name in _RANDOM:
        if rng is None:
            raise ValueError(f"texture {name!r} is random and needs rng")
        if name == "noise":
            return rng.integers(0, 2, (side, side), dtype=bool)
        drops = rng.random((side + 6, side), dtype=np.float32) < 0.05
        return np.logical_or.reduce([drops[k : k + side] for k in range(7)])
    x, y = np.arange(side)[None, :], np.arange(side)[:, None]
    u, v = x % PERIOD, y % PERIOD
    if name == "solid":
        mask = np.ones((side, side), bool)
    elif name == "stripes":
        mask = v < 3
    elif name == "grid":
        mask = (v < 3) | (u < 3)
    elif name == "hexgrid":  # lines 2 wide and 10 apart, measured across
        slopes = ((1.73 * x - y) / 2, (1.73 * x + y) / 2)
        mask = (v < 2) | (slopes[0] % PERIOD < 2) | (slopes[1] % PERIOD < 2)
    elif name == "dots":
        mask = (u - 4.5) ** 2 + (v - 4.5) ** 2 <= 16
    elif name == "triangles":
        mask = (np.abs(u - 4) <= v / 2) & (v <= 8)
    elif name == "zigzags":
        mask = (y + np.abs(u - 5)) % PERIOD < 3
    else:  # pluses
        across = np.abs((x + y // PERIOD % 2 * (PERIOD // 2)) % PERIOD - 4)
        along = np.abs(v - 4)
        mask = (np.minimum(across, along) < 1.5) & (np.maximum(across, along) <= 3)
    return np.broadcast_to(mask, (side, side))


def texture_scale(size: int) -> float:
    """Pixels of the image for each pixel of the recipe's texture: size / 224, at least 0.5."""
    return max(size / CANVAS, 0.5)


@cache
def _turned_shape(shape: int, angle: int, size: int) -> np.ndarray:
    """A turned template, bilinear, on a square grown to hold it: float32, 0 to 1."""
    template = shape_mask(SHAPES[shape], round(TEMPLATE * size / CANVAS)).astype(np.float32)
    turned = ndimage.rotate(template, angle, reshape=True, order=1, mode="grid-constant")
    return turned.clip(0, 1)


@cache
def _periodic_texture(texture: int, side: int) -> np.ndarray:
    return np.ascontiguousarray(texture_mask(TEXTURES[texture], side))


def render(
    shape: int, texture: int, color: int, *, size: int = CANVAS, rng: np.random.Generator
) -> np.ndarray:
    """One image: uint8 ``[3, size, size]``.

    Shape, texture and color are positions in :data:`SHAPES`, :data:`TEXTURES` and :data:`COLORS`;
    ``rng`` gives rotations, position and phase.
    """
    turn, texture_turn = rng.integers(-45, 45, 2)
    mask = _turned_shape(shape, int(turn), size)
    height, width = mask.shape
    top, left = rng.integers(0, (size - height + 1, size - width + 1))
    phase_y, phase_x = rng.integers(0, PERIOD, 2)

    # The texture lies on a square twice as wide as the canvas, both with the same center, and is
    # turned about it (nearest neighbor). Only what the shape will cut out is looked up.
    scale = texture_scale(size)
    side = 2 * int(np.ceil(size / scale))
    if TEXTURES[texture] in _RANDOM:
        field = texture_mask(TEXTURES[texture], side + PERIOD, rng)
    else:
        field = _periodic_texture(texture, side + PERIOD)
    fine = FINE if scale < 1 else 1
    steps = (np.arange(fine) + 0.5) / fine - 0.5
    y = np.add.outer(np.arange(top, top + height) - (size - 1) / 2, steps).reshape(-1, 1) / scale
    x = np.add.outer(np.arange(left, left + width) - (size - 1) / 2, steps).reshape(1, -1) / scale
    sin, cos = np.sin(np.radians(texture_turn)), np.cos(np.radians(texture_turn))
    center = (side - 1) / 2
    rows = np.rint(cos * y - sin * x + (center + phase_y)).astype(np.intp)
    columns = np.rint(sin * y + cos * x + (center + phase_x)).astype(np.intp)
    cut = field[rows, columns]
    if fine > 1:
        cut = cut.reshape(height, fine, width, fine).mean((1, 3), dtype=np.float32)
    mask = mask * cut

    image = np.full((3, size, size), GRAY, np.float32)
    ink = np.array(list(COLORS.values())[color], np.float32)[:, None, None]
    image[:, top : top + height, left : left + width] += mask * (ink - GRAY)
    return np.rint(255 * image).astype(np.uint8)


def make(
    n: int, *, size: int = 64, seed: int = 0, split: str = "train"
) -> tuple[np.ndarray, np.ndarray]:
    """The first n images of a split, "train" or "test", at ``size`` pixels a side (32 or more).

    Returns
    -------
    images : ndarray of uint8, [n, 3, size, size]
        Channels last in memory.
    codes : ndarray of int64, [n, 3]
        Shape, texture and color of each.
    """
    if n < 1:
        raise ValueError(f"number of images must be at least 1, got {n}")
    if size < SMALLEST:
        raise ValueError(
            f"size must be at least {SMALLEST} for the textures to be told apart, got {size}"
        )
    if seed < 0:
        raise ValueError(f"seed must not be negative, got {seed}")
    if split not in _SPLITS:
        raise ValueError(f"unknown split {split!r}; expected one of {', '.join(_SPLITS)}")
    # laid out as a training wants them, which then needs no copy (15 GB at 224 pixels)
    images = np.empty((n, size, size, 3), np.uint8).transpose(0, 3, 1, 2)
    codes = np.empty((n, 3), np.int64)
    for i in range(n):
        rng = np.random.default_rng([seed, _SPLITS[split], i])
        codes[i] = shape, texture, color = rng.integers(0, 10, 3)
        images[i] = render(shape, texture, color, size=size, rng=rng)
    return images, codes


def perfect_dpd(labels: np.ndarray, groups: np.ndarray, n_classes: int = 10) -> float:
    """DPD of a classifier that is always right: that of the labels themselves.

    Mean over classes of the largest less the smallest share of the class among the groups: the
    paper's Algorithm 1, with equation (1) for each class against the rest.
    """
    counts = np.zeros((int(groups.max()) + 1, n_classes))
    np.add.at(counts, (groups, labels), 1)
    present = counts[counts.sum(1) > 0]
    shares = present / present.sum(1, keepdims=True)
    return float((shares.max(0) - shares.min(0)).mean())


def load(
    *,
    root: Path | None = None,
    size: int = 64,
    n_train: int = 20_000,
    n_test: int = 5_000,
    seed: int = 0,
) -> Dataset:
    """Trifeature with shape as the label, color and texture as the attributes.

    Nothing is read. ``size`` is that of the canvas in pixels a side; the recipe's is 224.
    """
    splits = []
    n_train, n_test = asked.count("n_train", n_train), asked.count("n_test", n_test)
    size = asked.count("size", size)
    for split, n in (("train", n_train), ("test", n_test)):
        x, codes = make(n, size=size, seed=seed, split=split)
        shape, texture, color = codes.T
        groups = {"color": color.astype(np.int16), "texture": texture.astype(np.int16)}
        splits.append(Split(x, np.ascontiguousarray(shape), groups))
    train, test = splits
    some = train.x[: min(n_train, 1000)] / 255
    floors = {name: perfect_dpd(test.y, codes) for name, codes in test.groups.items()}
    note = (
        f"Trifeature (Hermann & Lampinen, 2020), rendered from its recipe at {size}x{size} with "
        f"seed {seed}: {n_train:,} training and {n_test:,} test images, shape, texture and color "
        "each drawn uniformly. A perfect classifier has a demographic parity difference of "
        f"{floors['color']:.2%} for color and {floors['texture']:.2%} for texture on the test "
        "images, because chance leaves them a little unbalanced."
    )
    if size != CANVAS:
        note += (
            f" The recipe's canvas is 224x224; here textures have a period of "
            f"{PERIOD * texture_scale(size):.1f} pixels instead of 10."
        )
    return Dataset(
        name="trifeature",
        train=train,
        test=test,
        class_names=SHAPES,
        group_names={"color": tuple(COLORS), "texture": TEXTURES},
        mean=tuple(float(m) for m in some.mean((0, 2, 3))),
        std=tuple(float(s) for s in some.std((0, 2, 3))),
        note=note,
    )
