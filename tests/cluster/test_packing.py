"""Packs: whole or not merged, the same bytes twice, nothing overwritten."""

import numpy as np
import pytest

from kdfair_cluster import packing
from kdfair_core import cli, runs
from kdfair_core.runs import RunStore


def identity(seed, role="nds"):
    return {"study": "toy", "profile": "smoke", "role": role, "seed": seed, "network": "lenet5"}


def fill(store, seeds=(0, 1, 2), shift=0.0):
    for seed in seeds:
        logits = np.random.default_rng(seed).normal(size=(4000, 3)) + shift
        arrays = {"logits": logits.astype(np.float16), "prediction": logits.argmax(1)}
        store.write(identity(seed), arrays, {"accuracy": 0.5}, {"w": logits})
    checkpoint = store.checkpoint("toy/smoke/students-s3", {"of": 3})
    checkpoint.save({"format": 2, "step": 40, "members": []}, {"w": np.ones(5)})


@pytest.fixture
def store(tmp_path):
    store = RunStore(tmp_path / "runs")
    fill(store)
    return store


def contents(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def test_what_travels_comes_back(store, tmp_path):
    parts = packing.pack(store, tmp_path / "out" / "toy", part_mib=0.1)
    assert len(parts) > 3
    assert [p.name for p in parts] == [f"toy.{k:03d}" for k in range(1, len(parts) + 1)]
    assert all(path.stat().st_size <= 0.1 * 2**20 for path in parts)
    there = RunStore(tmp_path / "there")
    assert packing.unpack(reversed(parts), there) == (3, 1)
    assert contents(there.root) == contents(store.root)
    assert packing.unpack(parts, there) == (0, 0)
    assert contents(there.root) == contents(store.root)


def test_packing_twice_gives_the_same_bytes(store, tmp_path):
    a = packing.pack(store, tmp_path / "a", part_mib=0.1)
    b = packing.pack(store, tmp_path / "b", part_mib=0.1)
    assert [p.read_bytes() for p in a] == [p.read_bytes() for p in b]


def test_one_study_alone(store, tmp_path):
    store.write(identity(0) | {"study": "other"}, {"prediction": np.zeros(3, int)}, {})
    parts = packing.pack(store, tmp_path / "other", study="other")
    there = RunStore(tmp_path / "there")
    assert packing.unpack(parts, there) == (1, 0)
    assert {p.name for p in there.root.iterdir()} == {"other"}


def damaged(parts, tmp_path, store):
    data = bytearray(parts[1].read_bytes())
    data[-5] ^= 1
    parts[1].write_bytes(data)
    return parts, rf"{parts[1].name} is damaged"


def lacking(parts, tmp_path, store):
    return [parts[0], *parts[2:]], r"there is no part 2"


def mixed(parts, tmp_path, store):
    fill(store, seeds=(7,))
    others = packing.pack(store, tmp_path / "others", part_mib=0.1)
    return [parts[0], others[1]], r"others.002 is of another pack"


def foreign(parts, tmp_path, store):
    (tmp_path / "x").write_bytes(b"hello")
    return [tmp_path / "x"], r"x is no part of a pack"


@pytest.mark.parametrize("spoil", [damaged, lacking, mixed, foreign])
def test_what_is_not_whole_is_named_and_not_merged(spoil, store, tmp_path):
    parts = packing.pack(store, tmp_path / "toy", part_mib=0.1)
    parts, word = spoil(parts, tmp_path, store)
    there = RunStore(tmp_path / "there")
    with pytest.raises(ValueError, match=word):
        packing.unpack(parts, there)
    assert contents(there.root) == {}


def test_another_run_of_the_same_name_is_kept_and_nothing_is_merged(store, tmp_path):
    parts = packing.pack(store, tmp_path / "toy")
    there = RunStore(tmp_path / "there")
    fill(there, seeds=(1,), shift=3.0)
    before = contents(there.root)
    name = runs.run_name(identity(1))
    with pytest.raises(ValueError, match=f"the run {name} is in .* already and is another one"):
        packing.unpack(parts, there)
    assert contents(there.root) == before


def test_the_longer_training_wins(store, tmp_path):
    parts = packing.pack(store, tmp_path / "toy")
    there = RunStore(tmp_path / "there")
    checkpoint = there.checkpoint("toy/smoke/students-s3", {"of": 3})
    for step, new in ((30, 1), (50, 0)):
        checkpoint.save({"format": 2, "step": step, "members": []}, {"w": np.zeros(5)})
        assert packing.unpack(parts, there)[1] == new
        assert checkpoint.load()[0]["step"] == max(step, 40)


def test_a_damaged_run_is_not_packed(store, tmp_path):
    path = store.path(identity(1)) / "logits.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ValueError, match=r"logits.npy is damaged"):
        packing.pack(store, tmp_path / "toy")
    with pytest.raises(ValueError, match="nothing to pack"):
        packing.pack(store, tmp_path / "toy", study="absent")
    with pytest.raises(ValueError, match="part_mib is 0"):
        packing.pack(store, tmp_path / "toy", part_mib=0)
    assert not list(tmp_path.glob("toy*"))


def test_names_cannot_leave_the_store(tmp_path):
    import tarfile
    from io import BytesIO

    with open(tmp_path / "tar", "w+b") as whole:
        with tarfile.open(fileobj=whole, mode="w") as tar:
            entry = tarfile.TarInfo("../evil")
            entry.size = 4
            tar.addfile(entry, BytesIO(b"evil"))
        parts = packing._cut(whole, tmp_path / "evil", 2**20)
    with pytest.raises(ValueError, match=r"packed file '\.\.' cannot name"):
        packing.unpack(parts, RunStore(tmp_path / "a" / "there"))
    assert not (tmp_path / "a" / "evil").exists()


def test_the_command(store, tmp_path, capsys):
    where = ["--runs", str(store.root)]
    assert cli.main(["store", "pack", str(tmp_path / "toy"), "toy", "--part-mib", "1", *where]) == 0
    assert "packed" in capsys.readouterr().out
    parts = [str(path) for path in tmp_path.glob("toy.0*")]
    assert cli.main(["store", "unpack", *parts, "--runs", str(tmp_path / "there")]) == 0
    assert "merged 3 runs and 1 checkpoints" in capsys.readouterr().out
    assert cli.main(["store", "unpack", str(tmp_path / "none"), *where]) == 2
