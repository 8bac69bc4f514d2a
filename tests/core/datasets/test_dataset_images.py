import numpy as np
import pytest
from PIL import Image

from kdfair_core.datasets._images import ImageFiles, Rows, read_image
from kdfair_core.datasets._packing import packed


def gradient(width, height):
    """Red grows to the right, green downwards, both from 0 to 200."""
    x, y = np.meshgrid(np.linspace(0, 200, width), np.linspace(0, 200, height))
    return np.stack([x, y, 0 * x], axis=2).round().astype(np.uint8)


@pytest.fixture
def files(tmp_path):
    paths = []
    for i in range(7):
        paths.append(tmp_path / f"{i}.png")
        Image.fromarray(np.full((10, 14, 3), 30 * i, np.uint8)).save(paths[-1])
    return paths


def test_central_square_of_the_resized_image(tmp_path):
    Image.fromarray(gradient(300, 200)).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png", 100, 100)
    assert image.shape == (3, 100, 100) and image.dtype == np.uint8
    red, green = image[0].mean(0), image[1].mean(1)
    np.testing.assert_allclose(red[[0, -1]], [200 / 6, 200 * 5 / 6], atol=2)
    np.testing.assert_allclose(green[[0, -1]], [0, 200], atol=2)
    inner = read_image(tmp_path / "a.png", 50, 100)  # the middle half of that square
    np.testing.assert_allclose(inner[1].mean(1)[[0, -1]], [50, 150], atol=2)


def test_gray_and_transparent_images_have_three_channels(tmp_path):
    Image.new("L", (8, 8), 77).save(tmp_path / "gray.png")
    Image.new("RGBA", (8, 8), (1, 2, 3, 255)).save(tmp_path / "alpha.png")
    assert (read_image(tmp_path / "gray.png", 8, 8) == 77).all()
    assert read_image(tmp_path / "alpha.png", 8, 8)[:, 0, 0].tolist() == [1, 2, 3]


def test_files_index_like_an_array(files):
    images = ImageFiles(files, 8)
    whole = images[:]
    assert whole.shape == images.shape == (7, 3, 8, 8) and len(images) == 7
    assert whole[:, 0, 0, 0].tolist() == [0, 30, 60, 90, 120, 150, 180]
    np.testing.assert_array_equal(images[np.array([5, 0, 5])], whole[[5, 0, 5]])
    np.testing.assert_array_equal(images[2:4], whole[2:4])
    np.testing.assert_array_equal(images.subset(np.array([6, 1]))[:], whole[[6, 1]])
    assert images[np.array([], int)].shape == (0, 3, 8, 8)


def test_damaged_image_is_named(files):
    files[3].write_bytes(files[3].read_bytes()[:45])
    with pytest.raises(ValueError, match=r"3\.png is damaged or not an image"):
        ImageFiles(files, 8)[:]
    files[3].write_text("not an image")
    with pytest.raises(ValueError, match=r"3\.png is damaged or not an image"):
        ImageFiles(files, 8)[np.array([3])]


def test_sizes_are_checked(files):
    with pytest.raises(ValueError, match="got size 9, resize 8"):
        ImageFiles(files, 9, 8)


def test_packing_writes_once_and_checks(files, tmp_path):
    images = ImageFiles(files, 8)
    path = tmp_path / "x.npy"
    array = packed(images, path)
    np.testing.assert_array_equal(array, images[:])
    for file in files:
        file.unlink()
    np.testing.assert_array_equal(packed(images, path), array)
    with pytest.raises(ValueError, match=r"x\.npy holds uint8 \(7, 3, 8, 8\), expected"):
        packed(ImageFiles(files[:5], 8), path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"x\.npy is damaged"):
        packed(images, path)


def test_a_failed_packing_leaves_nothing(files, tmp_path):
    files[6].write_text("not an image")
    with pytest.raises(ValueError, match="not an image"):
        packed(ImageFiles(files, 8), tmp_path / "x.npy")
    assert not list(tmp_path.glob("*.npy*")) and not list(tmp_path.glob(".*"))


def test_rows_of_an_array():
    array = np.arange(30).reshape(10, 3)
    rows = Rows(array, np.array([9, 2, 4]))
    assert len(rows) == 3 and rows.shape == (3, 3)
    np.testing.assert_array_equal(rows[np.array([2, 0])], array[[4, 9]])
    np.testing.assert_array_equal(rows.subset(np.array([1]))[:], array[[2]])
