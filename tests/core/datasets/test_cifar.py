import hashlib
import pickle
import shutil
import types
from typing import ClassVar

import numpy as np
import pytest

from kdfair_core import datasets
from kdfair_core.datasets import DatasetMissing
from kdfair_core.models._torchvision import import_torchvision


class _Python2(pickle._Pickler):
    """Writes str for bytes as Python 2 did, in which the official pickles were made."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def save_bytes(self, value):
        self.write(b"T" + len(value).to_bytes(4, "little") + value)

    dispatch[bytes] = save_bytes


def write_pickle(path, content):
    with open(path, "wb") as file:
        _Python2(file, 2).dump(content)


def batch(n, n_classes, seed):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (n, 3072), dtype=np.uint8)
    return images, np.arange(n) % n_classes


def write_cifar10(root, version, n=10):
    """Official files of CIFAR-10 with n images a batch; gives the arrays that should come back."""
    parts = [batch(n, 10, i) for i in range(6)]
    names = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
    folder = root / f"cifar-10-batches-{version}"
    folder.mkdir(parents=True)
    for name, (images, labels) in zip(names, parts, strict=True):
        if version == "bin":
            records = np.concatenate([labels[:, None].astype(np.uint8), images], axis=1)
            (folder / f"{name}.bin").write_bytes(records.tobytes())
        else:
            content = {b"data": images, b"labels": labels.tolist(), b"batch_label": b"x"}
            write_pickle(folder / name, content)
    if version == "py":
        write_pickle(folder / "batches.meta", {b"label_names": [b"airplane"]})
    x = np.concatenate([images for images, _ in parts[:5]]).reshape(-1, 3, 32, 32)
    return x, np.concatenate([labels for _, labels in parts[:5]]), parts[5]


def write_cifar100(root, version, n=100):
    folder = root / {"bin": "cifar-100-binary", "py": "cifar-100-python"}[version]
    folder.mkdir(parents=True)
    names = [f"class_{i}" for i in range(100)]
    for seed, name in enumerate(("train", "test")):
        images, labels = batch(n, 100, seed)
        coarse = labels // 5
        if version == "bin":
            records = np.stack([coarse, labels], axis=1).astype(np.uint8)
            records = np.concatenate([records, images], axis=1)
            (folder / f"{name}.bin").write_bytes(records.tobytes())
        else:
            content = {
                b"data": images,
                b"fine_labels": labels.tolist(),
                b"coarse_labels": coarse.tolist(),
            }
            write_pickle(folder / name, content)
    if version == "bin":
        (folder / "fine_label_names.txt").write_text("\n".join(names) + "\n")
    else:
        write_pickle(folder / "meta", {b"fine_label_names": [name.encode() for name in names]})
    return names


def accept(monkeypatch, folder):
    """Let torchvision take the Python files of a folder for the official ones."""
    name = "CIFAR100" if "100" in folder.name else "CIFAR10"
    made = getattr(import_torchvision().datasets, name)
    sums = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    for files in ("train_list", "test_list"):
        monkeypatch.setattr(made, files, [[file, sums[file]] for file, _ in getattr(made, files)])
    monkeypatch.setattr(made, "meta", {**made.meta, "md5": sums[made.meta["filename"]]})


@pytest.mark.parametrize("version", ["bin", "py"])
def test_official_cifar10_is_read_and_packed(tmp_path, version, monkeypatch):
    x, y, (test_x, test_y) = write_cifar10(tmp_path, version)
    if version == "py":
        accept(monkeypatch, tmp_path / "cifar-10-batches-py")
    for _ in range(2):  # the second time from the cache
        data = datasets.load("cifar10", root=tmp_path)
        np.testing.assert_array_equal(data.train.x, x)
        np.testing.assert_array_equal(data.train.y, y)
        np.testing.assert_array_equal(data.test.x.reshape(-1, 3072), test_x)
        np.testing.assert_array_equal(data.test.y, test_y)
        assert data.train.x.dtype == np.uint8 and data.train.y.dtype == np.int64
        assert data.class_names[:2] == ("airplane", "automobile")
        np.testing.assert_allclose(data.mean, x.mean((0, 2, 3)) / 255)
        shutil.rmtree(tmp_path / f"cifar-10-batches-{version}", ignore_errors=True)


@pytest.mark.parametrize("version", ["bin", "py"])
def test_official_cifar100_has_fine_labels_and_names(tmp_path, version, monkeypatch):
    names = write_cifar100(tmp_path, version)
    if version == "py":
        accept(monkeypatch, tmp_path / "cifar-100-python")
    for _ in range(2):
        data = datasets.load("cifar100", root=tmp_path)
        assert data.train.y.tolist() == list(range(100))
        assert data.class_names == tuple(names)


def test_a_part_keeps_the_shares_of_the_classes(tmp_path):
    write_cifar10(tmp_path, "bin", n=40)
    data = datasets.load("cifar10", root=tmp_path, n_train=50, n_test=20, seed=3)
    assert np.bincount(data.train.y).tolist() == [5] * 10
    assert np.bincount(data.test.y).tolist() == [2] * 10
    assert "seed 3" in data.note


def test_missing_says_what_to_do(tmp_path):
    with pytest.raises(DatasetMissing, match=r"cifar-10-binary\.tar\.gz \(162 MB\)"):
        datasets.load("cifar10", root=tmp_path)
    with pytest.raises(DatasetMissing, match=r"cifar-100-binary\.tar\.gz \(161 MB\)"):
        datasets.load("cifar100", root=tmp_path)


def test_missing_batch_is_named(tmp_path):
    write_cifar10(tmp_path, "bin")
    (tmp_path / "cifar-10-batches-bin" / "data_batch_3.bin").unlink()
    with pytest.raises(DatasetMissing, match="data_batch_3"):
        datasets.load("cifar10", root=tmp_path)


@pytest.mark.parametrize("keep", [0, 5000])
def test_truncated_batch_is_named(tmp_path, keep):
    write_cifar10(tmp_path, "bin")
    path = tmp_path / "cifar-10-batches-bin" / "test_batch.bin"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"test_batch\.bin is truncated"):
        datasets.load("cifar10", root=tmp_path)
    assert not (tmp_path / "cifar10.npz").exists()


def test_labels_out_of_range(tmp_path):
    write_cifar10(tmp_path, "bin")
    path = tmp_path / "cifar-10-batches-bin" / "test_batch.bin"
    path.write_bytes(b"\x0c" + path.read_bytes()[1:])
    with pytest.raises(ValueError, match=r"labels from 1 to 12; expected 0 to 9"):
        datasets.load("cifar10", root=tmp_path)


class _Evil:
    def __reduce__(self):
        return print, ("code of a pickle ran",)


def test_pickles_of_anybody_else_are_not_opened(tmp_path, monkeypatch, capsys):
    write_cifar10(tmp_path, "py")
    folder = tmp_path / "cifar-10-batches-py"
    accept(monkeypatch, folder)
    evil = pickle.dumps({b"data": _Evil(), b"labels": []})
    for file, content in (("data_batch_1", evil), ("test_batch", None)):
        path = folder / file
        before = path.read_bytes()
        path.write_bytes(content) if content else path.unlink()
        with pytest.raises(ValueError, match=r"py is not CIFAR-10's Python version: .*corrupted"):
            datasets.load("cifar10", root=tmp_path)
        path.write_bytes(before)
    assert capsys.readouterr().out == "" and not (tmp_path / "cifar10.npz").exists()


def test_download_asks_torchvision_only_on_request(tmp_path, monkeypatch):
    calls = []

    def download(root, train, download):
        calls.append(download)
        images, labels = batch(50 if train else 10, 10, 0)
        data = images.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        return types.SimpleNamespace(data=data, targets=labels.tolist())

    fake = types.SimpleNamespace(datasets=types.SimpleNamespace(CIFAR10=download))
    monkeypatch.setattr("kdfair_core.models._torchvision.import_torchvision", lambda: fake)
    with pytest.raises(DatasetMissing):
        datasets.load("cifar10", root=tmp_path)
    assert not calls
    assert len(datasets.load("cifar10", root=tmp_path, download=True).train) == 50
    datasets.load("cifar10", root=tmp_path, download=True)
    assert calls == [True, True]  # training and test


def test_real_cifar(real_root):
    for name, n_classes in (("cifar10", 10), ("cifar100", 100)):
        if not (real_root / f"{name}.npz").exists():
            pytest.skip(f"no {name}")
        data = datasets.load(name, root=real_root)
        assert data.train.x.shape == (50_000, 3, 32, 32) and data.test.x.shape[0] == 10_000
        assert set(np.bincount(data.train.y)) == {50_000 // n_classes}
        assert len(data.class_names) == n_classes
        known = {"cifar10": (0.4914, 0.4822, 0.4465), "cifar100": (0.5071, 0.4865, 0.4409)}
        np.testing.assert_allclose(data.mean, known[name], atol=1e-3)


def test_smaller_images_are_averages(tmp_path):
    x, _, (test_x, _) = write_cifar10(tmp_path, "bin")
    data = datasets.load("cifar10", root=tmp_path, size=16)
    means = x.reshape(-1, 3, 16, 2, 16, 2).mean((3, 5))
    np.testing.assert_array_equal(data.train.x, np.rint(means))
    assert data.test.x.shape == (len(test_x), 3, 16, 16) and data.test.x.dtype == np.uint8
    np.testing.assert_allclose(data.mean, data.train.x.mean((0, 2, 3)) / 255)
    assert "Averaged to 16x16." in data.note
    assert "Averaged" not in datasets.load("cifar10", root=tmp_path).note


@pytest.mark.parametrize("size", [0, -2, 12, 64])
def test_a_size_that_is_no_divisor_is_refused(tmp_path, size):
    write_cifar10(tmp_path, "bin")
    with pytest.raises(ValueError, match=rf"one of \[32, 16, 8, 4, 2, 1\], got {size}"):
        datasets.load("cifar10", root=tmp_path, size=size)


def test_held_out_training_images_take_the_place_of_test_images(tmp_path):
    x, _, (test_x, _) = write_cifar10(tmp_path, "bin")
    data = datasets.load("cifar10", root=tmp_path, held_out=10)
    assert (len(data.train), len(data.test)) == (40, 10)
    pixels = {image.tobytes() for image in np.concatenate([data.train.x, data.test.x])}
    assert pixels == {image.tobytes() for image in x}
    assert not pixels & {image.tobytes() for image in test_x}
    assert "the official ones were not read" in data.note
    again = datasets.load("cifar10", root=tmp_path, held_out=10)
    np.testing.assert_array_equal(again.test.x, data.test.x)
