import types

import numpy as np
import pytest
from scipy import io

from kdfair_core import datasets
from kdfair_core.datasets import DatasetMissing


def write_svhn(folder, n=30, parts=("train", "test")):
    """Official files with n digits; gives the images of each as [n, 3, 32, 32]."""
    folder.mkdir(parents=True, exist_ok=True)
    images = {}
    for seed, part in enumerate(parts):
        rng = np.random.default_rng(seed)
        x = rng.integers(0, 256, (32, 32, 3, n), dtype=np.uint8)
        y = (np.arange(n) % 10 + 1).astype(np.uint8)[:, None]
        io.savemat(folder / f"{part}_32x32.mat", {"X": x, "y": y}, do_compression=True)
        images[part] = np.stack([x[..., i].transpose(2, 0, 1) for i in range(n)])
    return images


@pytest.mark.parametrize("beside", [False, True])
def test_official_files_are_read_and_packed(tmp_path, beside):
    images = write_svhn(tmp_path if beside else tmp_path / "svhn")
    for _ in range(2):
        data = datasets.load("svhn", root=tmp_path)
        np.testing.assert_array_equal(data.train.x, images["train"])
        np.testing.assert_array_equal(data.test.x, images["test"])
        assert data.train.y[:11].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
        assert data.class_names == tuple("0123456789")
        for path in tmp_path.rglob("*.mat"):
            path.unlink()


def test_a_part(tmp_path):
    write_svhn(tmp_path)
    data = datasets.load("svhn", root=tmp_path, n_train=20, n_test=10)
    assert np.bincount(data.train.y).tolist() == [2] * 10 and len(data.test) == 10


def test_missing_says_what_to_do(tmp_path):
    with pytest.raises(DatasetMissing, match=r"train_32x32\.mat \(182 MB\)"):
        datasets.load("svhn", root=tmp_path)
    write_svhn(tmp_path, parts=("train",))
    with pytest.raises(DatasetMissing, match=r"test_32x32\.mat \(64 MB\)"):
        datasets.load("svhn", root=tmp_path)


def test_truncated_file_is_named(tmp_path):
    write_svhn(tmp_path)
    path = tmp_path / "test_32x32.mat"
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(ValueError, match=r"test_32x32\.mat is truncated"):
        datasets.load("svhn", root=tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        {"Z": np.zeros(3)},
        {"X": np.zeros((32, 32, 3, 4), np.uint8), "y": np.ones((5, 1))},
        {"X": np.zeros((32, 32, 3, 4)), "y": np.ones((4, 1))},
        {"X": np.zeros((32, 32, 3, 4), np.uint8), "y": np.zeros((4, 1))},
    ],
)
def test_wrong_content_is_refused(tmp_path, content):
    io.savemat(tmp_path / "train_32x32.mat", content)
    with pytest.raises(ValueError, match=r"train_32x32\.mat"):
        datasets.load("svhn", root=tmp_path)


def test_download_asks_torchvision_only_on_request(tmp_path, monkeypatch):
    def download(root, download, split):
        write_svhn(root, parts=(split,))

    fake = types.SimpleNamespace(datasets=types.SimpleNamespace(SVHN=download))
    monkeypatch.setattr("kdfair_core.models._torchvision.import_torchvision", lambda: fake)
    assert len(datasets.load("svhn", root=tmp_path, download=True).test) == 30
