import numpy as np
import pytest

from kdfair_core import datasets
from kdfair_core.datasets import DatasetMissing

CLASSES = ("n03", "n01", "n02")  # wnids.txt is not sorted


@pytest.fixture
def tiny(tmp_path, write_images):
    """Three classes, four training and two validation images each; red tells the class."""
    folder = tmp_path / "tiny-imagenet-200"
    for code, name in enumerate(CLASSES):
        paths = [folder / "train" / name / "images" / f"{name}_{i}.JPEG" for i in range(4)]
        write_images(paths, [(50 * code, 40 * i, 0) for i in range(4)], size=(64, 64))
        (folder / "train" / name / f"{name}_boxes.txt").write_text("not read")
    lines = []
    for i in range(6):
        write_images(
            [folder / "val" / "images" / f"val_{i}.JPEG"], [(50 * (i % 3), 0, 0)], (64, 64)
        )
        lines.append(f"val_{i}.JPEG\t{CLASSES[i % 3]}\t0\t0\t10\t10")
    (folder / "val" / "val_annotations.txt").write_text("\n".join(lines) + "\n")
    (folder / "wnids.txt").write_text("\n".join(CLASSES) + "\n")
    words = "n01\tcat, feline\nn02\tcrane\nn03\tcrane, machine\nn04\tunused\n"
    (folder / "words.txt").write_text(words)
    return tmp_path


@pytest.fixture
def imagenet(tmp_path, write_images):
    for part, n in (("train", 3), ("val", 2)):
        for code, name in enumerate(("n10", "n20")):
            paths = [tmp_path / "imagenet" / part / name / f"{i}.JPEG" for i in range(n)]
            write_images(paths, [(100 * code, 60 * i, 0) for i in range(n)], size=(40, 30))
    return tmp_path


def test_tiny_imagenet(tiny):
    data = datasets.load("tinyimagenet", root=tiny)
    assert data.train.x.shape == (12, 3, 64, 64) and data.test.x.shape == (6, 3, 64, 64)
    for split in (data.train, data.test):
        red = split.x[:, 0].mean((1, 2))
        np.testing.assert_array_equal(np.rint(red / 50).astype(int), split.y)
    assert data.class_names == ("crane (n03)", "cat", "crane (n02)")
    assert (tiny / "tiny-imagenet-train.npy").exists()
    part = datasets.load("tinyimagenet", root=tiny, n_train=6, n_test=3)
    assert np.bincount(part.train.y).tolist() == [2, 2, 2] and len(part.test) == 3


@pytest.mark.parametrize("name", ["wnids.txt", "words.txt", "val/val_annotations.txt"])
def test_tiny_imagenet_missing(tiny, name):
    (tiny / "tiny-imagenet-200" / name).unlink()
    with pytest.raises(DatasetMissing, match=r"tiny-imagenet-200\.zip \(237 MB\)"):
        datasets.load("tinyimagenet", root=tiny)


def test_tiny_imagenet_truncated(tiny):
    folder = tiny / "tiny-imagenet-200"
    for path in (folder / "train" / "n02" / "images").iterdir():
        path.unlink()
    with pytest.raises(ValueError, match=r"n02.images holds no images"):
        datasets.load("tinyimagenet", root=tiny)


@pytest.mark.parametrize("line", ["val_0.JPEG", "val_0.JPEG\tn99\t0"])
def test_tiny_imagenet_wrong_annotations(tiny, line):
    annotations = tiny / "tiny-imagenet-200" / "val" / "val_annotations.txt"
    annotations.write_text(line)
    with pytest.raises(ValueError, match=r"val_annotations\.txt, line 1"):
        datasets.load("tinyimagenet", root=tiny)
    annotations.write_text("")
    with pytest.raises(ValueError, match=r"val_annotations\.txt is empty"):
        datasets.load("tinyimagenet", root=tiny)


def test_tiny_imagenet_damaged_image(tiny):
    (tiny / "tiny-imagenet-200" / "val" / "images" / "val_3.JPEG").unlink()
    with pytest.raises(ValueError, match=r"val_3\.JPEG is damaged"):
        datasets.load("tinyimagenet", root=tiny)


def test_imagenet_streams(imagenet):
    data = datasets.load("imagenet", root=imagenet, size=16, resize=20)
    assert len(data.train) == 6 and len(data.test) == 4
    batch = data.train.x[np.array([5, 0])]
    assert batch.shape == (2, 3, 16, 16) and batch.dtype == np.uint8
    np.testing.assert_allclose(batch[:, :2].mean((2, 3)), [[100, 120], [0, 0]], atol=3)
    assert data.train.y.tolist() == [0, 0, 0, 1, 1, 1] and data.class_names == ("n10", "n20")
    part = datasets.load("imagenet", root=imagenet, size=16, resize=20, n_train=2)
    assert part.train.y.tolist() == [0, 1]
    np.testing.assert_allclose(part.train.x[:][:, 0].mean((1, 2)), [0, 100], atol=3)


def test_imagenet_missing_and_not_whole(imagenet, tmp_path):
    with pytest.raises(DatasetMissing, match=r"\(144 GB\)"):
        datasets.load("imagenet", root=tmp_path / "nowhere")
    for path in (imagenet / "imagenet" / "val" / "n20").iterdir():
        path.unlink()
    with pytest.raises(ValueError, match=r"n20 holds no images"):
        datasets.load("imagenet", root=imagenet)
