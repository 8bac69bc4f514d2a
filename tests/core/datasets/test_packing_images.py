"""Images packed by several processes: the same bytes, whatever was killed on the way."""

import collections
import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from kdfair_core import datasets
from kdfair_core.datasets import _packing
from kdfair_core.datasets._images import ImageFiles, read_image
from kdfair_core.datasets._packing import packed
from kdfair_core.files import DiskFull


@pytest.fixture
def files(tmp_path, write_images):
    paths = [tmp_path / "files" / f"{k:02}.jpg" for k in range(22)]
    write_images(paths, [(11 * k, 255 - 11 * k, 7 * k) for k in range(22)])
    return ImageFiles(paths, 8, 9)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(_packing, "BLOCK", 5)


def beside(path):
    return sorted(p.name for p in path.parent.iterdir() if p.is_file())


def test_processes_pack_what_one_packs(files, small, tmp_path, capsys):
    array = packed(files, tmp_path / "x.npy", workers=2)
    np.testing.assert_array_equal(array, files[:])
    assert beside(tmp_path / "x.npy") == ["x.npy"]
    assert "packing x.npy: 100%" in capsys.readouterr().err
    one = packed(files, tmp_path / "one.npy", workers=1)
    assert (tmp_path / "x.npy").read_bytes() == (tmp_path / "one.npy").read_bytes()
    assert isinstance(one, np.memmap)


KILLED = """
import sys, time
from pathlib import Path
from kdfair_core.datasets import _packing
from kdfair_core.datasets._images import ImageFiles
_packing.BLOCK = 5
_packing.read_image = lambda *how, read=_packing.read_image: time.sleep(0.03) or read(*how)
paths = sorted(Path(sys.argv[1]).glob("*.jpg"))
_packing.packed(ImageFiles(paths, 8, 9), Path(sys.argv[2]), workers=1)
"""


def test_a_killed_packing_is_resumed(files, small, tmp_path, monkeypatch):
    path, journal = tmp_path / "x.npy", tmp_path / ".x.npy.journal"
    command = [sys.executable, "-c", KILLED, str(files.paths[0].parent), str(path)]
    where = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    going = subprocess.Popen(command, env=where, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not (journal.exists() and journal.read_text().count("\n") >= 3):
        assert time.monotonic() < until and going.poll() is None
        time.sleep(0.01)
    going.send_signal(signal.SIGKILL)
    going.wait()
    with open(journal, "a") as file:
        file.write("1")  # a line that was cut short
    read = collections.Counter()
    monkeypatch.setattr(
        _packing, "read_image", lambda p, *how: read.update([p]) or read_image(p, *how)
    )
    packed(files, path, workers=1)
    assert 0 < read.total() <= 22 - 10 and set(read.values()) == {1}
    packed(files, tmp_path / "whole.npy")
    assert path.read_bytes() == (tmp_path / "whole.npy").read_bytes()
    assert beside(path) == ["whole.npy", "x.npy"]


def test_what_was_begun_for_other_images_is_begun_anew(files, small, tmp_path):
    path = tmp_path / "x.npy"
    damaged = files.paths[-1].read_bytes()
    files.paths[-1].write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"21\.jpg is damaged or not an image"):
        packed(files, path, workers=1)
    assert beside(path) == [".x.npy.journal", ".x.npy.part"]
    files.paths[-1].write_bytes(damaged)
    other = ImageFiles(files.paths[::-1], 8, 9)
    np.testing.assert_array_equal(packed(other, path, workers=1), other[:])


def test_a_process_that_fails_or_is_killed_is_named(files, small, tmp_path, monkeypatch):
    files.paths[3].write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"03\.jpg is damaged or not an image"):
        packed(files, tmp_path / "x.npy", workers=2)
    monkeypatch.setattr(_packing, "_write", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(OSError, match=r"a process that packs images into .*y\.npy was killed"):
        packed(files, tmp_path / "y.npy", workers=2)
    assert not (tmp_path / "y.npy").exists()


def test_a_full_disk_is_one_sentence(files, small, tmp_path, monkeypatch):
    path = tmp_path / "x.npy"
    full = shutil._ntuple_diskusage(10, 10, 0)
    with monkeypatch.context() as patch:
        patch.setattr(_packing.shutil, "disk_usage", lambda _: full)
        with pytest.raises(DiskFull, match=r"x\.npy takes 0\.0 GB, and its disk has 0\.0 GB left"):
            packed(files, path)
    flushed = []

    def fsync(number, sync=os.fsync):
        flushed.append(number)
        if len(flushed) == 6:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(number)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(DiskFull, match="is full: free some space and give the same command"):
            packed(files, path, workers=1)
    assert len((tmp_path / ".x.npy.journal").read_text().splitlines()) == 3
    np.testing.assert_array_equal(packed(files, path, workers=1), files[:])


def test_imagenet_is_packed_whole_and_streams_where_there_is_no_room(
    tmp_path, write_images, monkeypatch
):
    for part in ("train", "val"):
        for code, name in enumerate(("n10", "n20")):
            paths = [tmp_path / "imagenet" / part / name / f"{i}.JPEG" for i in range(3)]
            write_images(paths, [(100 * code, 60 * i, 0) for i in range(3)], size=(40, 30))

    def load(**options):
        return datasets.load("imagenet", root=tmp_path, size=16, resize=20, **options)

    streamed = load(pack=False)
    assert not list(tmp_path.glob("*.npy")) and not list(Path(tmp_path).glob(".*.part"))
    full = shutil._ntuple_diskusage(10, 10, 0)
    with monkeypatch.context() as patch:
        patch.setattr(_packing.shutil, "disk_usage", lambda _: full)
        with pytest.warns(UserWarning, match="the files are read, which is slower"):
            load()
        with pytest.raises(DiskFull):
            load(pack=True)
    whole = load()
    assert beside(tmp_path / "x") == ["imagenet-train-16-of-20.npy", "imagenet-val-16-of-20.npy"]
    assert not isinstance(whole.train.x, np.ndarray)  # or it would be read into memory
    rows = np.array([5, 0, 3])
    np.testing.assert_array_equal(whole.train.x[rows], streamed.train.x[rows])
    assert datasets.fingerprint(whole) == datasets.fingerprint(streamed)
    part, same = load(n_train=2), load(n_train=2, pack=False)
    np.testing.assert_array_equal(part.train.x[:], same.train.x[:])
