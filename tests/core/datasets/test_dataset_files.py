import os

import numpy as np
import pytest

from kdfair_core.datasets import DatasetMissing, Split
from kdfair_core.datasets._files import (
    channel_statistics,
    check_labels,
    missing,
    read_cache,
    shrink,
    stratified,
    write_cache,
)


def test_missing_says_what_how_large_and_where(tmp_path):
    error = missing("SVHN", tmp_path / "svhn", get="http://x/y.mat", size="182 MB", where="here")
    assert isinstance(error, DatasetMissing) and isinstance(error, FileNotFoundError)
    for part in ("SVHN", str(tmp_path / "svhn"), "http://x/y.mat", "182 MB", "here", "KDFAIR_DATA"):
        assert part in str(error)


def test_cache_comes_back_and_leaves_nothing_beside_it(tmp_path):
    arrays = {"x": np.arange(24, dtype=np.uint8).reshape(2, 3, 4), "y": np.array([1, 2])}
    write_cache(tmp_path / "a.npz", arrays)
    assert os.listdir(tmp_path) == ["a.npz"]
    back = read_cache(tmp_path / "a.npz", {"x": 3, "y": 1})
    for name, array in arrays.items():
        np.testing.assert_array_equal(back[name], array)
        assert back[name].dtype == array.dtype


def test_damaged_cache_names_the_file(tmp_path):
    path = tmp_path / "a.npz"
    write_cache(path, {"x": np.zeros((100, 3))})
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(ValueError, match=r"a\.npz is damaged.*remove it"):
        read_cache(path, {"x": 2})
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"a\.npz is damaged"):
        read_cache(path, {"x": 2})


def test_pickles_in_a_cache_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.array([{"a": 1}], object))
    with pytest.raises(ValueError, match=r"a\.npz is damaged"):
        read_cache(tmp_path / "a.npz", {"x": 1})


@pytest.mark.parametrize("needs", [{"z": 1}, {"x": 3}])
def test_cache_of_something_else(tmp_path, needs):
    write_cache(tmp_path / "a.npz", {"x": np.zeros((4, 3))})
    with pytest.raises(ValueError, match=r"not the array cache expected.*\(4, 3\)"):
        read_cache(tmp_path / "a.npz", needs)


def test_folder_that_cannot_be_written_only_warns(tmp_path):
    with pytest.warns(UserWarning, match="was not written"):
        write_cache(tmp_path / "no such folder" / "a.npz", {"x": np.zeros(3)})


def test_stratified_keeps_shares_and_is_deterministic():
    labels = np.random.default_rng(0).choice(4, 1000, p=[0.1, 0.2, 0.3, 0.4])
    chosen = stratified(labels, 200, seed=1)
    assert len(np.unique(chosen)) == 200 and (np.diff(chosen) > 0).all()
    shares = np.bincount(labels) / 1000 * 200
    assert np.abs(np.bincount(labels[chosen]) - shares).max() <= 1
    np.testing.assert_array_equal(chosen, stratified(labels, 200, seed=1))
    assert not np.array_equal(chosen, stratified(labels, 200, seed=2))
    np.testing.assert_array_equal(stratified(labels, 1000, seed=0), np.arange(1000))


@pytest.mark.parametrize("n", [0, 1001])
def test_stratified_refuses_impossible_numbers(n):
    with pytest.raises(ValueError, match=f"from 1 to 1000, got {n}"):
        stratified(np.zeros(1000, int), n, seed=0)


def test_shrink_keeps_rows_together():
    x = np.arange(40).reshape(40, 1)
    split = Split(x, np.arange(40) % 2, {"a": np.arange(40) % 5})
    part = shrink(split, 10, seed=0)
    np.testing.assert_array_equal(part.x[:, 0] % 2, part.y)
    np.testing.assert_array_equal(part.x[:, 0] % 5, part.groups["a"])
    assert shrink(split, None, seed=0) is split


def test_channel_statistics_match_numpy():
    x = np.random.default_rng(0).integers(0, 256, (2500, 3, 5, 4), dtype=np.uint8)
    x[:, 1] //= 3
    mean, std = channel_statistics(x)
    np.testing.assert_allclose(mean, (x / 255).mean((0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(std, (x / 255).std((0, 2, 3)), rtol=1e-12)


def test_check_labels(tmp_path):
    assert check_labels(np.array([0, 9], np.uint8), 10, tmp_path).dtype == np.int64
    with pytest.raises(ValueError, match=r"labels from 0 to 10; expected 0 to 9"):
        check_labels(np.array([0, 10], np.uint8), 10, tmp_path)
