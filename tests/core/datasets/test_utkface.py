import numpy as np
import pytest

from kdfair_core import datasets
from kdfair_core.datasets import DatasetMissing


def write_cache(root, n=100):
    rng = np.random.default_rng(0)
    arrays = {
        "x": rng.integers(0, 256, (n, 3, 64, 64), dtype=np.uint8),
        "age": np.arange(n, dtype=np.uint8),
        "gender": np.array(["male", "female"])[rng.integers(0, 2, n)],
        "ethnicity": np.array(["white", "black", "asian", "indian", "other"])[
            rng.integers(0, 5, n)
        ],
    }
    np.savez(root / "utkface.npz", **arrays)
    return arrays


def test_official_names_are_read_and_packed(tmp_path, write_images):
    names = {
        "100_0_0_20170112213500903.jpg.chip.jpg": (100, "male", "white"),
        "24_1_4_20170116220224657.jpg.chip.jpg": (24, "female", "other"),
        "30_1_2_20170116220224657.jpg": (30, "female", "asian"),
        "9_0_1_20170116220224657.jpg": (9, "male", "black"),
        "61_1_20170109142408075.jpg.chip.jpg": None,  # no ethnicity: there are a few such
        "39_1_9_20170109142408075.jpg": None,
    }
    write_images([tmp_path / "UTKFace" / name for name in names], [50] * 6, size=(200, 200))
    for _ in range(2):
        data = datasets.load("utkface", root=tmp_path)
        assert (len(data.train), len(data.test)) == (3, 1)
        with np.load(tmp_path / "utkface.npz") as cache:
            found = set(
                zip(
                    cache["age"].tolist(),
                    cache["gender"].tolist(),
                    cache["ethnicity"].tolist(),
                    strict=True,
                )
            )
            assert cache["x"].shape == (4, 3, 64, 64)
        assert found == {entry for entry in names.values() if entry}


def test_label_groups_and_split(tmp_path):
    arrays = write_cache(tmp_path)
    data = datasets.load("utkface", root=tmp_path)
    assert len(data.train) == 80 and len(data.test) == 20
    ages = []
    for split in (data.train, data.test):
        match = (split.x[:, None] == arrays["x"][None]).all((2, 3, 4))
        rows = match.argmax(1)
        assert match.any(1).all()
        ages += rows.tolist()
        np.testing.assert_array_equal(split.y, rows >= 30)  # age is the row here
        for name in ("gender", "ethnicity"):
            codes = split.groups[name]
            groups = np.array(data.group_names[name])[codes]
            np.testing.assert_array_equal(groups, arrays[name][rows])
    assert sorted(ages) == list(range(100))
    again = datasets.load("utkface", root=tmp_path, seed=5)
    np.testing.assert_array_equal(again.test.x, data.test.x)


def test_smaller_images_are_averages(tmp_path):
    write_cache(tmp_path)
    whole = datasets.load("utkface", root=tmp_path).train.x
    small = datasets.load("utkface", root=tmp_path, size=32).train.x
    assert small.shape == (80, 3, 32, 32) and small.dtype == np.uint8
    assert small[3, 1, 0, 0] == np.rint(whole[3, 1, :2, :2].mean())
    assert np.abs(small.mean((2, 3)) - whole.mean((2, 3))).max() < 0.6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 48}, "16, 32 or 64, got 48"),
        ({"n_train": 81}, "from 1 to 80, got 81"),
    ],
)
def test_bad_options(tmp_path, options, message):
    write_cache(tmp_path)
    with pytest.raises(ValueError, match=message):
        datasets.load("utkface", root=tmp_path, **options)


def test_unknown_group_in_the_cache(tmp_path):
    arrays = write_cache(tmp_path)
    arrays["gender"] = np.array(["?"] * 100)
    np.savez(tmp_path / "utkface.npz", **arrays)
    with pytest.raises(ValueError, match=r"groups \['\?'\]; expected male, female"):
        datasets.load("utkface", root=tmp_path)


def test_missing_and_wrong_folder(tmp_path, write_images):
    with pytest.raises(DatasetMissing, match=r"susanqq\.github\.io/UTKFace \(about 100 MB\)"):
        datasets.load("utkface", root=tmp_path)
    write_images([tmp_path / "UTKFace" / "face1.jpg"], [0])
    with pytest.raises(ValueError, match="no images named age_gender_race_time"):
        datasets.load("utkface", root=tmp_path)


def test_real_utkface(real_root):
    if not (real_root / "utkface.npz").exists():
        pytest.skip("no UTKFace")
    data = datasets.load("utkface", root=real_root, size=32)
    assert len(data.train) + len(data.test) == 23_704
    assert 0.45 < data.test.y.mean() < 0.55
    for codes in data.test.groups.values():
        assert (codes >= 0).all()
