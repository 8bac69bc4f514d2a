import numpy as np
import pytest

from kdfair_core import datasets
from kdfair_core.datasets import DatasetMissing, celeba

NAMES = ("Eyeglasses", "Male", "Smiling", "Young")


@pytest.fixture
def root(tmp_path, write_images):
    """30 training, 4 validation and 10 test images; gray tells the image."""
    folder = tmp_path / "celeba"
    rng = np.random.default_rng(0)
    values = rng.integers(0, 2, (44, 4)) * 2 - 1
    values[:30, 2] = np.where(np.arange(30) < 8, 1, -1)  # 8 of 30 smile
    files = [f"{i:06d}.jpg" for i in range(1, 45)]
    write_images([folder / "img_align_celeba" / f for f in files], [5 * i for i in range(44)])
    lines = ["44", " ".join(NAMES) + " "]
    lines += [
        f + "  " + "  ".join(f"{v:2d}" for v in row) for f, row in zip(files, values, strict=True)
    ]
    (folder / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n")
    parts = [0] * 30 + [1] * 4 + [2] * 10
    partition = "\n".join(f"{f} {p}" for f, p in zip(files, parts, strict=True)) + "\n"
    (folder / "list_eval_partition.txt").write_text(partition)
    np.save(tmp_path / "values.npy", values)
    return tmp_path


@pytest.mark.parametrize("pack", [True, False])
def test_images_labels_and_groups_belong_together(root, pack):
    values = np.load(root / "values.npy")
    data = datasets.load("celeba", root=root, size=8, pack=pack)
    gray = np.rint(data.train.x[np.arange(len(data.train))].mean((1, 2, 3)) / 5).astype(int)
    np.testing.assert_array_equal(data.train.y, values[gray, 2] > 0)
    np.testing.assert_array_equal(data.train.groups["young"], values[gray, 3] > 0)
    np.testing.assert_array_equal(data.train.groups["male"], values[gray, 1] > 0)
    np.testing.assert_array_equal(data.test.y, values[34:, 2] > 0)
    assert data.class_names == ("not smiling", "smiling")
    assert data.group_names["young"] == ("not young", "young")
    assert (root / "celeba-8.npy").exists() == pack


def test_training_set_is_undersampled_by_seed(root):
    first = datasets.load("celeba", root=root, size=8)
    assert np.bincount(first.train.y).tolist() == [8, 8]
    again = datasets.load("celeba", root=root, size=8)
    other = datasets.load("celeba", root=root, size=8, seed=1)
    assert np.array_equal(first.train.x.rows, again.train.x.rows)
    assert not np.array_equal(first.train.x.rows, other.train.x.rows)
    assert len(first.test) == 10


def test_another_label(root):
    values = np.load(root / "values.npy")
    data = datasets.load("celeba", root=root, size=8, label="Eyeglasses", attributes=("Smiling",))
    np.testing.assert_array_equal(data.test.y, values[34:, 0] > 0)
    assert list(data.test.groups) == ["smiling"]
    with pytest.raises(ValueError, match=r"'Hat' of CelebA; expected one of Eyeglasses, Male"):
        datasets.load("celeba", root=root, label="Hat")


@pytest.mark.parametrize("name", ["list_attr_celeba.txt", "list_eval_partition.txt"])
def test_missing_says_what_to_do(root, name):
    (root / "celeba" / name).unlink()
    with pytest.raises(DatasetMissing, match=rf"{name} does not exist.*\(1\.4 GB\)"):
        datasets.load("celeba", root=root)


def test_truncated_annotations(root):
    path = root / "celeba" / "list_attr_celeba.txt"
    text = path.read_text()
    path.write_text("\n".join(text.splitlines()[:20]))
    with pytest.raises(ValueError, match=r"truncated or not CelebA's.*got 18 such lines"):
        datasets.load("celeba", root=root)
    path.write_text(text[:-4])
    with pytest.raises(ValueError, match="line 46: expected a file name and 4 values"):
        datasets.load("celeba", root=root)
    path.write_text("")
    with pytest.raises(ValueError, match="truncated or not CelebA's"):
        datasets.load("celeba", root=root)


def test_truncated_partition(root):
    path = root / "celeba" / "list_eval_partition.txt"
    text = path.read_text()
    path.write_text("\n".join(text.splitlines()[:-3]))
    with pytest.raises(ValueError, match=r"lacks 3 images, first 000042\.jpg"):
        datasets.load("celeba", root=root)
    path.write_text(text.replace(" 1", " 7"))
    with pytest.raises(ValueError, match="expected lines of a file name and 0, 1 or 2"):
        datasets.load("celeba", root=root)


def test_truncated_image(root):
    path = root / "celeba" / "img_align_celeba" / "000044.jpg"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"000044\.jpg is damaged"):
        datasets.load("celeba", root=root, size=8)


def test_balanced_takes_all_of_the_rarest():
    labels = np.array([0, 1, 0, 0, 1, 0, 2, 2, 2])
    chosen = celeba.balanced(labels, seed=0)
    assert np.bincount(labels[chosen]).tolist() == [2, 2, 2]
    assert {1, 4} <= set(chosen) and (np.diff(chosen) > 0).all()
