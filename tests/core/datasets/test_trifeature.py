import time
from itertools import combinations

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression

from kdfair_core import datasets
from kdfair_core.datasets import trifeature


def spectra(images, side):
    """Power spectrum of the colored part, coarse in angle and radius: sees texture, not place."""
    mask = np.abs(images.astype(float) - 128).sum(1)
    power = np.abs(np.fft.fft2(mask)) ** 2
    fy, fx = np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side), indexing="ij")
    ring = np.minimum((np.hypot(fy, fx) * 40).astype(int), 27)
    wedge = ((np.arctan2(fy, fx) + np.pi) / np.pi * 24).astype(int) % 24
    bins = np.zeros((len(images), 28, 24))
    np.add.at(bins, (slice(None), ring, wedge), power)
    total = bins.sum(2)
    # within each ring: how much of the energy, and how it is spread over directions, sorted so
    # that a turned texture looks the same
    spread = -np.sort(-bins, axis=2)[:, :, :4] / (total[:, :, None] + 1e-9)
    return np.concatenate([np.log(total + 1), spread.reshape(len(images), -1)], axis=1)


def test_same_seed_same_images_however_many():
    few, few_codes = trifeature.make(20, seed=3)
    many, many_codes = trifeature.make(50, seed=3)
    np.testing.assert_array_equal(few, many[:20])
    np.testing.assert_array_equal(few_codes, many_codes[:20])


def test_seeds_and_splits_differ():
    reference, _ = trifeature.make(20, seed=0)
    assert not np.array_equal(reference, trifeature.make(20, seed=1)[0])
    assert not np.array_equal(reference, trifeature.make(20, seed=0, split="test")[0])


def test_images_of_a_seed_are_these():
    """Published results name a seed; if its images change, so must the name of the data."""
    images, codes = trifeature.make(4, size=64, seed=0)
    assert codes.tolist() == [[8, 6, 5], [8, 4, 0], [2, 6, 3], [7, 7, 9]]
    assert images.sum((1, 2, 3), dtype=np.int64).tolist() == [1611642, 1520501, 1610667, 1615323]


def test_factors_are_uniform_and_independent():
    _, codes = trifeature.make(5000, size=32)
    for factor in codes.T:
        assert np.abs(np.bincount(factor, minlength=10) - 500).max() < 5 * np.sqrt(450)
    for a, b in combinations(codes.T, 2):
        cells = np.bincount(10 * a + b, minlength=100)
        assert ((cells - 50) ** 2 / 50).sum() < 160  # chi-squared, 99 degrees: p < 1e-4 above


def test_templates_cover_what_geometry_says():
    star = 5 * 0.382 * np.sin(np.pi / 5)
    shares = {
        "triangle": 1 / 2,
        "square": 1,
        "plus": 5 / 9,
        "circle": np.pi / 4,
        "tee": 5 / 9,
        "rhombus": 0.3,
        "pentagon": 5 / 2 * np.sin(2 * np.pi / 5) / 4,
        "star": star / 4,
        "fivesquare": 5 / 9,
        "trapezoid": 0.75 * (1 + 0.45) / 2,
    }
    assert tuple(shares) == trifeature.SHAPES
    for name, share in shares.items():
        mask = trifeature.shape_mask(name)
        assert mask.shape == (128, 128)
        assert mask.mean() == pytest.approx(share, abs=0.02), name


def test_texture_coverage_and_period():
    rng = np.random.default_rng(0)
    shares = {
        "solid": 1,
        "stripes": 0.3,
        "grid": 0.51,
        "hexgrid": 1 - 0.8**3,
        "dots": 0.52,
        "noise": 0.5,
        "triangles": 0.41,
        "zigzags": 0.3,
        "rain": 1 - 0.95**7,
        "pluses": 0.33,
    }
    assert tuple(shares) == trifeature.TEXTURES
    for name, share in shares.items():
        mask = trifeature.texture_mask(name, 400, rng)
        assert mask.mean() == pytest.approx(share, abs=0.04), name
        if name not in ("noise", "rain", "hexgrid"):
            np.testing.assert_array_equal(mask[:, 10:], mask[:, :-10])
            np.testing.assert_array_equal(mask[20:], mask[:-20])


def test_rain_falls_in_streaks_of_seven():
    mask = trifeature.texture_mask("rain", 2000, np.random.default_rng(0))
    padded = np.pad(mask[10:-10].T, ((0, 0), (1, 1)))
    starts = np.flatnonzero(np.diff(padded.astype(np.int8).ravel()) == 1)
    ends = np.flatnonzero(np.diff(padded.astype(np.int8).ravel()) == -1)
    lengths = ends - starts
    assert (lengths < 7).mean() < 0.01  # only where the piece was cut
    assert np.bincount(lengths).argmax() == 7


@pytest.mark.parametrize("size", [32, 48, 64, 96, 224, 300])
def test_shape_lies_whole_on_a_gray_canvas(size):
    """Of a solid square, no part is lost wherever it lies and however it is turned."""
    side = round(128 * size / 224)
    for i in range(60):
        rng = np.random.default_rng(i)
        image = trifeature.render(1, 0, 9, size=size, rng=rng)
        assert image.shape == (3, size, size) and image.dtype == np.uint8
        assert (image >= 128).all()
        lit = (image[0].astype(float) - 127.5) / 127.5
        assert lit.sum() == pytest.approx(side**2, rel=0.06)


def test_shape_turns_and_moves():
    """A solid square turned by a stands in a box of 128 (cos a + sin |a|) pixels."""
    boxes, corners = [], []
    for i in range(300):
        lit = trifeature.render(1, 0, 9, size=224, rng=np.random.default_rng(i))[0] > 130
        rows, columns = np.flatnonzero(lit.any(1)), np.flatnonzero(lit.any(0))
        boxes.append((np.ptp(rows) + 1, np.ptp(columns) + 1))
        corners.append((rows[0], columns[0]))
    boxes, corners = np.array(boxes), np.array(corners)
    assert np.abs(np.diff(boxes)).max() <= 2
    assert 127 <= boxes.min() <= 130 and 179 <= boxes.max() <= 182
    angles = np.abs(np.arange(-45, 45)) * np.pi / 180
    expected = 128 * (np.cos(angles) + np.sin(angles))
    assert np.median(boxes) == pytest.approx(np.median(expected), abs=4)
    room = 224 - boxes  # corners lie anywhere from 0 to here
    assert (corners / np.maximum(room, 1)).mean() == pytest.approx(0.5, abs=0.06)
    assert (corners == 0).any() and (corners >= room - 1).any()


def test_turned_square_has_the_angle():
    """The template turned by 30 degrees: its second moments stay round, its corners move."""
    upright = trifeature._turned_shape(1, 0, 224)
    turned = trifeature._turned_shape(1, 30, 224)
    assert upright.shape == (128, 128) and (upright == 1).all()
    grown = round(128 * (np.cos(np.pi / 6) + np.sin(np.pi / 6)))
    assert abs(turned.shape[0] - grown) <= 1
    assert turned.sum() == pytest.approx(128**2, rel=0.02)


def test_texture_turns_without_the_shape():
    """Stripes on an upright square run in many directions."""
    directions = []
    for i in range(200):
        image = trifeature.render(1, 1, 9, size=64, rng=np.random.default_rng(i))
        mask = image[0] - 128.0
        dy, dx = np.gradient(mask)
        tensor = np.array([[(dx * dx).sum(), (dx * dy).sum()], [(dx * dy).sum(), (dy * dy).sum()]])
        axis = np.linalg.eigh(tensor)[1][:, 1]
        directions.append(np.degrees(np.arctan2(axis[0], axis[1])) % 180)
    turned = (np.array(directions) + 90) % 180 - 90  # 0: lines stay horizontal
    assert turned.min() < -35 and turned.max() > 35 and np.abs(turned).max() < 55


def test_colors_are_those_of_the_recipe():
    for code, rgb in enumerate(trifeature.COLORS.values()):
        image = trifeature.render(1, 0, code, size=64, rng=np.random.default_rng(0))
        inks = set(map(tuple, image.reshape(3, -1).T.tolist()))
        assert tuple(np.rint(255 * np.float32(rgb)).astype(int).tolist()) in inks
        assert (128, 128, 128) in inks


@pytest.mark.parametrize("texture", range(10))
def test_full_size_is_the_recipe_step_by_step(texture):
    """Against Pillow: both rotations, the central 224x224 of 448x448, the product, the colors."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        angle, texture_angle = rng.integers(-45, 45, 2)
        shape = (3 * seed + texture) % 10
        template = Image.fromarray(np.uint8(255) * trifeature.shape_mask(trifeature.SHAPES[shape]))
        turned = template.rotate(angle, Image.Resampling.BILINEAR, expand=True)
        side = trifeature._turned_shape(shape, int(angle), 224).shape[0]
        top, left = rng.integers(0, 224 - side + 1, 2)
        phase_y, phase_x = rng.integers(0, 10, 2)
        field = trifeature.texture_mask(trifeature.TEXTURES[texture], 448 + 10, rng)
        field = np.uint8(255) * field[phase_y : phase_y + 448, phase_x : phase_x + 448]
        # a shape turns counterclockwise, a texture clockwise: the recipe leaves that open
        field = np.asarray(Image.fromarray(field).rotate(-texture_angle))[112:336, 112:336] / 255
        whole = np.zeros((224, 224))
        extra = (turned.width - side) // 2  # Pillow may grow the canvas by a pixel or two more
        grown = np.asarray(turned)[extra : extra + side, extra : extra + side] / 255
        whole[top : top + side, left : left + side] = grown
        mask = whole * field
        color = np.array(trifeature.COLORS["cyan"])[:, None, None]
        expected = mask * color + (1 - mask) * 0.5
        image = trifeature.render(shape, texture, 5, size=224, rng=np.random.default_rng(seed))
        # Pillow turns about a center half a pixel away at times, so edges may differ; a texture
        # turned the wrong way, or out of phase, differs in 3 % of the pixels or more
        assert (np.abs(image / 255 - expected).max(0) > 0.1).mean() < 0.012


@pytest.mark.parametrize("size", [32, 64])
def test_ten_textures_can_be_told_apart(size):
    """A linear model on the spectrum of a square names the texture."""
    images = np.stack(
        [
            trifeature.render(1, t, 9, size=size, rng=np.random.default_rng([t, i]))
            for t in range(10)
            for i in range(60)
        ]
    )
    x, y = spectra(images, size), np.repeat(np.arange(10), 60)
    test = np.arange(len(y)) % 3 == 0
    scale = x[~test].mean(0), x[~test].std(0) + 1e-6
    x = (x - scale[0]) / scale[1]
    model = LogisticRegression(C=0.1, max_iter=2000).fit(x[~test], y[~test])
    right = model.predict(x[test]) == y[test]
    assert min(right[y[test] == t].mean() for t in range(10)) > 0.8


def test_load_gives_the_data_set():
    data = datasets.load("trifeature", size=32, n_train=300, n_test=200, seed=1)
    assert data.train.x.shape == (300, 3, 32, 32) and data.train.x.dtype == np.uint8
    assert data.train.y.dtype == np.int64 and data.test.groups["color"].dtype == np.int16
    assert data.class_names == trifeature.SHAPES
    assert [len(groups) for groups in data.group_names.values()] == [10, 10]
    np.testing.assert_allclose(data.mean, data.train.x.mean((0, 2, 3)) / 255, atol=1e-6)
    np.testing.assert_allclose(data.std, (data.train.x / 255).std((0, 2, 3)), atol=1e-6)
    assert f"{trifeature.perfect_dpd(data.test.y, data.test.groups['color']):.2%}" in data.note


def test_perfect_dpd_by_hand():
    labels = np.array([0, 0, 1, 0, 1, 1])
    groups = np.array([0, 0, 0, 2, 2, 2])  # shares of class 0: 2/3 and 1/3; group 1 is empty
    assert trifeature.perfect_dpd(labels, groups, 2) == pytest.approx(1 / 3)
    balanced = np.indices((10, 10)).reshape(2, -1)
    assert trifeature.perfect_dpd(*balanced) == 0


def test_twenty_thousand_in_a_minute():
    trifeature.make(200, size=64)
    start = time.process_time()
    trifeature.make(1000, size=64)
    assert time.process_time() - start < 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0}, "at least 1, got 0"),
        ({"n": 1, "size": 16}, "at least 32.*got 16"),
        ({"n": 1, "seed": -1}, "got -1"),
        ({"n": 1, "split": "valid"}, "'valid'; expected one of train, test"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        trifeature.make(**options)


def test_unknown_names():
    with pytest.raises(ValueError, match=r"'hexagon'.*triangle, square"):
        trifeature.shape_mask("hexagon")
    with pytest.raises(ValueError, match=r"'plaid'.*solid, stripes"):
        trifeature.texture_mask("plaid", 10)
    with pytest.raises(ValueError, match=r"'rain' is random"):
        trifeature.texture_mask("rain", 10)
