"""A store in a bucket: written whole, read whole, listed once; claims and checkpoints too."""

import json
import random
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from kdfair_cluster import buckets
from kdfair_cluster.buckets import BucketError, BucketStore
from kdfair_core import claims, cli
from kdfair_core.files import Damaged
from kdfair_core.runs import RunStore, open_store, run_name

LOGITS = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float16)


def identity(seed, role="nds"):
    return {"study": "toy", "profile": "smoke", "role": role, "seed": seed, "network": "lenet5"}


def fill(store, seeds, weights=None):
    for seed in seeds:
        store.write(identity(seed), {"logits": LOGITS + seed}, {"seed": seed}, weights)


def test_what_is_written_on_one_machine_is_read_on_another(bucket, tmp_path):
    here, there = (BucketStore(bucket, tmp_path / name) for name in ("here", "there"))
    fill(here, (0, 1), {"w": np.arange(4.0)})
    assert [run.info["seed"] for run in there.runs("toy", "smoke")] == [0, 1]
    run = there.read(identity(1))
    assert np.array_equal(run.arrays["logits"], LOGITS + 1)
    assert there.has(identity(0)) and not there.has(identity(2))
    assert np.array_equal(there.weights(identity(0))["w"], np.arange(4.0))
    with pytest.raises(ValueError, match=r"no run nds-s2-\w+ in .*: there are 2 runs"):
        there.read(identity(2))
    with pytest.raises(ValueError, match=r"study '\.\.' cannot name"):
        there.names("..", "smoke")


def test_runs_are_listed_once(bucket, tmp_path, monkeypatch):
    store = BucketStore(bucket)
    fill(store, (0,))
    asked = []
    times = buckets.Bucket.times
    monkeypatch.setattr(
        buckets.Bucket, "times", lambda self, folder: asked.append(folder) or times(self, folder)
    )
    other = BucketStore(bucket, tmp_path / "other")
    assert [other.has(identity(seed)) for seed in range(5)] == [True] + [False] * 4
    assert asked == ["toy/smoke"]
    fill(store, (3,))
    with other.claim("toy", "smoke", ["x"]):
        assert other.has(identity(3))  # what was stored before the claim is seen


def test_a_checkpoint_goes_on_elsewhere(bucket, tmp_path):
    here, there = (BucketStore(bucket, tmp_path / name) for name in ("here", "there"))
    name, belongs = "toy/smoke/students-s0", {"of": 0}
    assert there.checkpoint(name, belongs).load() is None
    here.checkpoint(name, belongs).save({"step": 1}, {"w": np.ones(3)})
    there.checkpoint(name, belongs).save({"step": 2}, {"w": np.zeros(3)})
    meta, tensors = here.checkpoint(name, belongs).load()
    assert meta == {"step": 2} and not tensors["w"].any()
    there.checkpoint(name, belongs).clear()
    assert here.checkpoint(name, belongs).load() is None


def test_a_damaged_object_is_named_and_deleted_runs_are_gone(bucket, tmp_path):
    store = BucketStore(bucket)
    fill(store, (0, 1))
    name = f"toy/smoke/{run_name(identity(0))}.tar"
    content = bytearray(store.bucket.get(name))
    content[600] ^= 1  # within the first file
    store.bucket.put(name, bytes(content))
    other = BucketStore(bucket, tmp_path / "other")
    with pytest.raises(Damaged, match=r"SHA-256"):
        other.read(identity(0))
    store.bucket.put(name, b"no tar")
    with pytest.raises(Damaged, match=r"s3://.*tar is damaged"):
        BucketStore(bucket, tmp_path / "third").read(identity(0))
    store.bucket.remove(name)
    assert store.names("toy", "smoke") == {run_name(identity(1))}
    assert [run.info["seed"] for run in store.runs("toy", "smoke")] == [1]


def test_what_could_not_be_sent_is_sent_by_the_next(bucket, monkeypatch, tmp_path):
    store = BucketStore(bucket)

    def refused(self, name, content):
        raise BucketError("refused")

    with monkeypatch.context() as patch:
        patch.setattr(buckets.Bucket, "put", refused)
        with pytest.raises(BucketError):
            fill(store, (0,))
    other = BucketStore(bucket, tmp_path / "other")
    assert not other.has(identity(0))
    assert BucketStore(bucket).has(identity(0))
    assert other.names("toy", "smoke") == {run_name(identity(0))}


def test_one_of_two_machines_has_a_claim(bucket, tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "BEAT", 0.2)
    here, there = (BucketStore(bucket, tmp_path / name) for name in ("here", "there"))
    with here.claim("toy", "smoke", ["a", "b"]) as claim:
        assert there.claim("toy", "smoke", ["b"]) is None
        with there.claim("toy", "smoke", ["c"]):
            time.sleep(0.5)
            claim.check()
        claim.place.remove(claim.name)
        time.sleep(0.5)
        with pytest.raises(claims.ClaimLost):
            claim.check()
    with there.claim("toy", "smoke", ["b"]):
        pass


WRITER = """
import sys
sys.path.insert(0, sys.argv[3])
from test_buckets import fill
from kdfair_cluster.buckets import BucketStore
import numpy as np
store = BucketStore(sys.argv[1], sys.argv[2])
for turn in range(100):
    fill(store, range(40), {"w": np.zeros(200_000)})
"""


def test_writers_killed_at_random_leave_whole_runs(bucket, tmp_path):
    writers = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                WRITER,
                bucket,
                str(tmp_path / f"w{k}"),
                str(Path(__file__).parent),
            ]
        )
        for k in range(3)
    ]
    draws = random.Random(1)
    reader = BucketStore(bucket, tmp_path / "reader")
    until = time.monotonic() + 40
    while not reader.names("toy", "smoke") and time.monotonic() < until:
        time.sleep(0.05)
    for writer in writers:
        time.sleep(draws.uniform(0.1, 0.4))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        runs = reader.runs("toy", "smoke")  # every file is verified
        assert runs and all(len(run.arrays["logits"]) == 50 for run in runs)
    fill(BucketStore(bucket, tmp_path / "w0"), range(40))
    assert len(reader.runs("toy", "smoke")) == 40


def test_a_study_trains_into_a_bucket_and_goes_on_there(bucket, capsys, monkeypatch, tmp_path):
    command = "run trifeature --profile smoke --seeds 0 --temperatures 4 --quiet --runs".split()
    assert cli.main([*command, bucket]) == 0
    assert f"3 runs written to {bucket}" in capsys.readouterr().out
    monkeypatch.setenv("KDFAIR_CACHE", str(tmp_path / "another machine"))
    assert cli.main([*command[:-1], "--runs", bucket]) == 0
    assert "0 runs written" in capsys.readouterr().out
    folder = RunStore(tmp_path / "folder")
    assert cli.main([*command, f"file://{folder.root}"]) == 0
    for run in open_store(bucket).runs("trifeature", "smoke"):
        same = folder.read(run.identity)
        assert json.dumps(same.info.get("weights")) == json.dumps(run.info.get("weights"))
        assert np.array_equal(same.arrays["logits"], run.arrays["logits"])


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://no-such-bucket-here/x", "there is no such bucket"),
        ("s3://", "names no bucket"),
        ("ftp://x/y", "no run store is known for ftp://x/y; expected a folder, file://"),
    ],
)
def test_bad_places_are_one_sentence(bucket, url, said, capsys):
    command = "run trifeature --profile smoke --seeds 0 --quiet --runs".split()
    assert cli.main([*command, url]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1


@pytest.fixture
def forbidding(monkeypatch, tmp_path):
    """A bucket's server that refuses some methods, as one does without rights."""
    refused = ["PUT"]

    class Server(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # whose clients ask before they send

        def answer(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            code = 403 if self.command in refused else 404 if self.command == "HEAD" else 200
            said = "Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error"
            body = f"<{said if code == 403 else 'ListBucketResult></ListBucketResult'}>".encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_PUT = do_HEAD = answer

        def log_message(self, *_):
            pass

    import s3fs

    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("KDFAIR_CACHE", str(tmp_path / "cache"))
    s3fs.S3FileSystem.clear_instance_cache()  # those that are there keep the address that they had
    yield refused
    s3fs.S3FileSystem.clear_instance_cache()
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("also", "what"), [("PUT", "writing"), ("GET", "listing")])
def test_a_bucket_without_rights_is_one_sentence(forbidding, also, what, capsys):
    forbidding.append(also)
    command = "run trifeature --profile smoke --seeds 0 --quiet --runs s3://forbidden/x".split()
    assert cli.main(command) == 2
    err = capsys.readouterr().err
    assert f"s3://forbidden/x: {what}" in err and "Access Denied" in err
    assert "everything stored before is untouched" in err and err.count("\n") == 1


def test_an_uninstalled_package_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    assert cli.main("run trifeature --profile smoke --quiet --runs gs://bucket/x".split()) == 2
    err = capsys.readouterr().err
    assert "a store in gs://bucket/x needs the package gcsfs: pip install" in err
    assert err.count("\n") == 1


def test_checkpoints_of_a_seed_are_found_in_a_bucket(bucket, tmp_path):
    here, there = (BucketStore(bucket, tmp_path / name) for name in ("here", "there"))
    for name in ("students-s0-aa", "students-s0-bb", "students-s1-aa", "teacher-s0-aa"):
        here.checkpoint(f"toy/smoke/{name}", {"of": name}).save({"name": name}, {"w": np.ones(2)})
    (other,) = there.checkpoint("toy/smoke/students-s0-aa").beside()
    assert other.load(any_identity=True)[0] == {"name": "students-s0-bb"}
    other.clear()
    assert not here.checkpoint("toy/smoke/students-s0-aa").beside()
