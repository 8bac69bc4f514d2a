"""What the cluster's tests share: a bucket on the loopback."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator

import pytest

SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="session")
def s3() -> Iterator[dict[str, str]]:
    """The environment in which s3:// is a server on the loopback, in a process of its own."""
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout is not None
    port = server.stdout.readline().strip()
    yield {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }
    server.kill()
    server.communicate()


@pytest.fixture
def bucket(s3, tmp_path, monkeypatch) -> str:
    """The URL of an empty prefix of a bucket."""
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("KDFAIR_CACHE", str(tmp_path / "cache"))
    import s3fs

    name = f"test-{uuid.uuid4().hex[:12]}"
    s3fs.S3FileSystem(skip_instance_cache=True).mkdir(name)
    return f"s3://{name}/{os.getpid()}"
