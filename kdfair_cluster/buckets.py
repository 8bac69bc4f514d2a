"""The run store in a bucket: ``s3://bucket/prefix``, ``gs://bucket/prefix``, through fsspec.

A run is one object, a tar of its files, so that it is there whole or not at all; so are a
checkpoint and a claim. What is read or written passes through a folder on this machine, which is a
`RunStore` itself: a run is fetched once, and what could not be sent is sent by the next command.

    <prefix>/<study>/<profile>/<run name>.tar
    <prefix>/.checkpoints/...  .claims/...           as in a folder
"""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from kdfair_core.checkpoints import Checkpoint
from kdfair_core.claims import Claim, Folder
from kdfair_core.files import Damaged, safe_name, sync_folder, workplace, write_bytes
from kdfair_core.runs import Run, RunStore

PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs"}


class BucketError(OSError):
    """A bucket refused, or did not answer."""


class Bucket:
    """Objects under a prefix, by names relative to it.

    Parameters
    ----------
    url : str
        Such as ``s3://bucket/prefix``. Credentials and endpoint are those that the packages of
        fsspec find by themselves (``AWS_PROFILE``, ``AWS_ENDPOINT_URL``, ...).
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        scheme, _, place = url.partition("://")
        if not place.strip("/"):
            raise ValueError(f"{url} names no bucket; expected such as {scheme}://bucket/prefix")
        try:
            import fsspec

            self.fs, self.prefix = fsspec.url_to_fs(self.url, use_listings_cache=False)
        except ImportError:
            package = PACKAGES.get(scheme, "fsspec")
            raise ValueError(
                f"a store in {url} needs the package {package}: pip install 'kdfair[cluster]' "
                f"{package}"
            ) from None

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, KeyboardInterrupt):
            raise
        except Exception as error:  # each bucket's package raises what it likes
            said = " ".join(str(error).split()) or type(error).__name__
            raise BucketError(
                f"{self.url}: {what} failed ({said[:200]}); everything stored before is untouched"
            ) from error

    def put(self, name: str, content: bytes) -> None:
        """Write an object, whole at once."""
        try:
            with self._told(f"writing {name}"):
                self.fs.pipe_file(f"{self.prefix}/{name}", content)
        except FileNotFoundError:
            raise BucketError(f"{self.url}: there is no such bucket") from None

    def get(self, name: str) -> bytes | None:
        """Read an object; None if there is none."""
        try:
            with self._told(f"reading {name}"):
                return self.fs.cat_file(f"{self.prefix}/{name}")
        except FileNotFoundError:
            return None

    def remove(self, name: str) -> None:
        """Delete an object, if it is there."""
        try:
            with self._told(f"deleting {name}"):
                self.fs.rm_file(f"{self.prefix}/{name}")
        except FileNotFoundError:
            return

    def times(self, folder: str) -> dict[str, float]:
        """The objects of a folder, and when each was written, by one listing."""
        try:
            with self._told(f"listing {folder}"):
                found = self.fs.find(f"{self.prefix}/{folder}", detail=True)
        except FileNotFoundError:
            return {}
        return {path.rpartition("/")[2]: _seconds(about) for path, about in found.items()}


def _seconds(about: Mapping[str, Any]) -> float:
    """When an object was written, however its bucket calls that."""
    for key in ("LastModified", "mtime", "updated", "created"):
        value = about.get(key)
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if isinstance(value, datetime):
            return value.timestamp()
        if value is not None:
            return float(value)
    return 0.0


class BucketClaims(Folder):
    """Where claims lie in a bucket."""

    def __init__(self, bucket: Bucket, folder: str) -> None:
        self.bucket, self.folder = bucket, folder
        self._known: dict[str, bytes] = {}  # a claim never changes

    def write(self, name: str, content: bytes) -> None:
        self._known[name] = content
        self.bucket.put(f"{self.folder}/{name}", content)

    def touch(self, name: str) -> bool:
        if self.bucket.get(f"{self.folder}/{name}") is None:
            return False
        self.bucket.put(f"{self.folder}/{name}", self._known[name])
        return True

    def read(self, name: str) -> bytes | None:
        if name not in self._known:
            content = self.bucket.get(f"{self.folder}/{name}")
            if content is None:
                return None
            self._known[name] = content
        return self._known[name]

    def times(self) -> dict[str, float]:
        return self.bucket.times(self.folder)

    def remove(self, name: str) -> None:
        self.bucket.remove(f"{self.folder}/{name}")


class BucketCheckpoint(Checkpoint):
    """A checkpoint that is an object; a copy passes through this machine."""

    def __init__(
        self, bucket: Bucket, name: str, path: Path, identity: Mapping[str, Any] | None
    ) -> None:
        super().__init__(path, identity)
        self.bucket, self.name = bucket, name

    def save(self, meta: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> None:
        super().save(meta, tensors)
        self.bucket.put(self.name, self.path.read_bytes())

    def load(self, **how: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
        content = self.bucket.get(self.name)
        super().clear()
        if content is not None:
            with workplace(self.path.parent, f"the checkpoint {self.path.name}") as aside:
                write_bytes(aside / self.path.name, content)
                os.replace(aside / self.path.name, self.path)
        return super().load(**how)

    def beside(self) -> list[Checkpoint]:
        folder, _, name = self.name.rpartition("/")
        begin, _, _ = name.rpartition("-")
        found = [n for n in self.bucket.times(folder) if n.startswith(f"{begin}-") and n != name]
        return [
            BucketCheckpoint(self.bucket, f"{folder}/{other}", self.path.with_name(other), None)
            for other in sorted(found)
        ]

    def clear(self) -> None:
        super().clear()
        self.bucket.remove(self.name)


class BucketStore(RunStore):
    """Runs in a bucket; see `RunStore` for what each method does.

    Parameters
    ----------
    url : str
        See `Bucket`.
    cache : path, optional
        The folder on this machine; by default one a bucket in ``$KDFAIR_CACHE``, else in
        ``~/.cache/kdfair``.
    """

    def __init__(self, url: str, cache: str | os.PathLike[str] | None = None) -> None:
        self.bucket = Bucket(url)
        place = cache or os.environ.get("KDFAIR_CACHE") or Path.home() / ".cache" / "kdfair"
        super().__init__(Path(place) / quote(self.bucket.url, safe=""))
        self._listed: dict[tuple[str, str], set[str]] = {}

    def write(
        self,
        identity: Mapping[str, Any],
        arrays: Mapping[str, np.ndarray],
        info: Mapping[str, Any],
        weights: Mapping[str, np.ndarray] | None = None,
    ) -> Path:
        path = super().write(identity, arrays, info, weights)
        study, profile = identity["study"], identity["profile"]
        listed = self._names(study, profile)
        if path.name not in listed:
            waiting = self._unsent(study, profile) / path.name
            waiting.parent.mkdir(parents=True, exist_ok=True)
            waiting.touch()
            self._send(study, profile, path.name, listed)
        return path

    def has(self, identity: Mapping[str, Any]) -> bool:
        path = self.path(identity)
        return path.name in self._names(identity["study"], identity["profile"])

    def read(self, identity: Mapping[str, Any]) -> Run:
        path = self.path(identity)
        if self.has(identity):
            self._fetch(identity["study"], identity["profile"], path.name)
        elif path.exists():
            shutil.rmtree(path)  # deleted in the bucket
        return super().read(identity)

    def runs(self, study: str, profile: str) -> list[Run]:
        stored = self.names(study, profile)
        for name in sorted(stored):
            self._fetch(study, profile, name)
        return [run for run in super().runs(study, profile) if run.name in stored]

    def names(self, study: str, profile: str) -> set[str]:
        self._listed.pop((study, profile), None)
        return set(self._names(study, profile))

    def checkpoint(self, name: str, identity: Mapping[str, Any] | None = None) -> Checkpoint:
        path = super().checkpoint(name, identity).path
        object_name = path.relative_to(self.root).as_posix()
        return BucketCheckpoint(self.bucket, object_name, path, identity)

    def claim(self, study: str, profile: str, names: Iterable[str]) -> Claim | None:
        claim = super().claim(study, profile, names)
        self._listed.clear()  # what others stored before they let go is seen from now on
        return claim

    def _claims(self, study: str, profile: str) -> Folder:
        return BucketClaims(self.bucket, f".claims/{study}/{profile}")

    def _names(self, study: str, profile: str) -> set[str]:
        """The runs in the bucket, listed once a command and again after each claim."""
        listed = self._listed.get((study, profile))
        if listed is None:
            self._profile(study, profile)  # names that cannot be
            found = self.bucket.times(f"{study}/{profile}")
            listed = {n.removesuffix(".tar") for n in found if n.endswith(".tar")}
            for waiting in self._unsent(study, profile).glob("*"):
                self._send(study, profile, waiting.name, listed)
            self._listed[study, profile] = listed  # whole at once: threads share a store
        return listed

    def _unsent(self, study: str, profile: str) -> Path:
        return self.root / ".unsent" / study / profile

    def _send(self, study: str, profile: str, name: str, listed: set[str]) -> None:
        folder = self._profile(study, profile) / name
        if folder.is_dir() and name not in listed:
            self.bucket.put(f"{study}/{profile}/{name}.tar", _tar(folder))
        (self._unsent(study, profile) / name).unlink(missing_ok=True)
        listed.add(name)

    def _fetch(self, study: str, profile: str, name: str) -> None:
        path = self._profile(study, profile) / name
        if path.exists():
            if self._whole(path):
                return
            shutil.rmtree(path)
        content = self.bucket.get(f"{study}/{profile}/{name}.tar")
        if content is None:
            raise ValueError(f"no run {name} in {self.bucket.url}: it was deleted just now")
        with workplace(path.parent, f"the run {name}") as aside:
            _untar(content, aside / name, f"{self.bucket.url}/{study}/{profile}/{name}.tar")
            try:
                os.rename(aside / name, path)
            except OSError:
                if not path.exists():  # else another process fetched it
                    raise
            sync_folder(path.parent)


def open_bucket(url: str) -> RunStore:
    """The store of a URL; that of ``file://`` is a folder."""
    if url.startswith("file://"):
        return RunStore(url.removeprefix("file://") or "/")
    return BucketStore(url)


def _tar(folder: Path) -> bytes:
    whole = BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(folder.iterdir()):
            entry = tarfile.TarInfo(path.name)
            entry.size = path.stat().st_size
            with open(path, "rb") as file:
                tar.addfile(entry, file)
    return whole.getvalue()


def _untar(content: bytes, folder: Path, source: str) -> None:
    folder.mkdir()
    try:
        with tarfile.open(fileobj=BytesIO(content)) as tar:
            for entry in tar:
                file = tar.extractfile(entry)
                if file is None:
                    raise Damaged(f"{source} is damaged: it holds {entry.name}, which is no file")
                write_bytes(folder / safe_name(entry.name, "packed file"), file.read())
    except tarfile.TarError as error:
        raise Damaged(f"{source} is damaged ({error}): delete it and train again") from None
