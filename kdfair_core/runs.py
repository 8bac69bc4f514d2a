"""The run store: one folder a run, seen whole or not at all.

A run is one trained network. Its *identity* is everything that determines its result, as plain
JSON; the name of its folder ends in a hash of it. Nothing is unpickled: arrays are ``.npy``,
weights safetensors, the rest JSON.

    <root>/<study>/<profile>/<run name>/   run.json, one .npy an array, weights.safetensors
    <root>/.checkpoints/                   training under way
    <root>/.claims/                        which runs a process is training
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from kdfair_core import asked, files
from kdfair_core.checkpoints import Checkpoint
from kdfair_core.claims import Claim, Folder, take
from kdfair_core.files import Damaged, DiskFull

__all__ = ["ROLES", "Checkpoint", "Damaged", "DiskFull", "Run", "RunStore"]
__all__ += ["identity_hash", "open_store", "order", "run_name"]

ROLES = ("teacher", "nds", "ds", "null")
"""Teacher, non-distilled student, distilled student, and the null control: a second,
independent set of non-distilled students."""

_SCHEMA = 1
_WEIGHTS = "weights.safetensors"


def identity_hash(identity: Mapping[str, Any]) -> str:
    """Return 16 hexadecimal digits of the SHA-256 of an identity's canonical JSON."""
    return hashlib.sha256(files.canonical_json(identity)).hexdigest()[:16]


def run_name(identity: Mapping[str, Any]) -> str:
    """Return the name of a run: a readable beginning, then the hash of its identity.

    ValueError if the identity lacks what every run has, names an unknown role, a seed or a setting
    that cannot be, or cannot be JSON.
    """
    needed = ["study", "profile", "role", "seed"]
    if identity.get("role") == "ds":
        needed += ["temperature", "alpha", "soft_scale"]
    missing = [key for key in needed if identity.get(key) is None]
    if missing:
        raise ValueError(f"the identity of a run lacks {', '.join(missing)}: it has {identity!r}")
    if identity["role"] not in ROLES:
        raise ValueError(f"unknown role {identity['role']!r}: expected one of {', '.join(ROLES)}")
    asked.seeds([identity["seed"]])
    if identity["role"] == "ds":
        asked.temperatures([identity["temperature"]])
        asked.alphas([identity["alpha"]])
    parts = [identity["role"], f"s{identity['seed']}"]
    if identity["role"] == "ds":
        parts += [f"T{identity['temperature']:g}", f"a{identity['alpha']:g}"]
        parts += [identity["soft_scale"]]
    return files.safe_name("-".join([*parts, identity_hash(identity)]), "run")


class NoRun(Damaged):
    """A folder holds a run that cannot be: its seed or a setting is no number of the right kind."""


class Arrays(Mapping[str, np.ndarray]):
    """The arrays of a run by name, each read from its file when it is asked for."""

    def __init__(self, folder: Path, names: list[str]) -> None:
        self._folder, self._names = folder, names

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._names:
            raise KeyError(f"{self._folder} has no array {name!r}: it has {', '.join(self._names)}")
        return np.load(self._folder / f"{name}.npy", allow_pickle=False)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@dataclass(frozen=True)
class Run:
    """A stored run: its identity, what training noted about it, its arrays, when it was stored."""

    identity: dict[str, Any]
    info: dict[str, Any]
    arrays: Arrays
    path: Path
    written: str

    @property
    def name(self) -> str:
        return self.path.name


class RunStore:
    """Runs under one folder, which is made when the first is written.

    Any number of processes may read and write at once, and be killed at any moment: a reader sees
    whole runs only.
    """

    def __init__(self, root: str | os.PathLike[str] = "runs") -> None:
        self.root = Path(root)

    def path(self, identity: Mapping[str, Any]) -> Path:
        """Return the folder that holds, or would hold, the run."""
        return self._profile(identity["study"], identity["profile"]) / run_name(identity)

    def write(
        self,
        identity: Mapping[str, Any],
        arrays: Mapping[str, np.ndarray],
        info: Mapping[str, Any],
        weights: Mapping[str, np.ndarray] | None = None,
    ) -> Path:
        """Store a run and return its folder.

        A run that is there already and whole stays as it is: the identity determines the result.

        Parameters
        ----------
        identity : mapping
            What determines the result, as JSON data; see `run_name` for what it must have.
        arrays : mapping of str to array
            ``prediction`` [example], ``logits`` [example, class], ``history`` and others.
            Numbers that are not finite are accepted only if ``info["diverged"]`` is true.
        info : mapping
            What training noted (seconds, accuracy, environment, ...), as JSON data; NaN and
            infinity become null.
        weights : mapping of str to array, optional
            The network's parameters and buffers.

        Raises
        ------
        ValueError
            If something cannot be stored as described.
        DiskFull
            If there is no room; nothing is left half written.
        """
        path = self.path(identity)
        _check_arrays(path, arrays, diverged=bool(info.get("diverged")))
        with files.workplace(path.parent, f"the run {path.name}") as aside:
            folder = aside / "new"
            folder.mkdir()
            for name, array in arrays.items():
                files.write_bytes(folder / f"{name}.npy", files.npy_bytes(np.asarray(array)))
            if weights is not None:
                files.write_safetensors(folder / _WEIGHTS, weights, {"run": path.name})
            record = {
                "schema": _SCHEMA,
                "identity": files.plain(identity),
                "info": files.plain(info, lambda x: x if np.isfinite(x) else None),
                "written": datetime.now(UTC).isoformat(timespec="seconds"),
                "files": {file.name: files.sha256(file) for file in sorted(folder.iterdir())},
            }
            record["sha256"] = hashlib.sha256(files.canonical_json(record)).hexdigest()
            files.write_bytes(folder / "run.json", json.dumps(record, indent=1).encode())
            files.sync_folder(folder)
            if path.exists() and not self._whole(path):
                os.rename(path, aside / "damaged")
            try:
                os.rename(folder, path)
            except OSError:
                if not path.exists():  # else it was there already
                    raise
            files.sync_folder(path.parent)
        return path

    def has(self, identity: Mapping[str, Any]) -> bool:
        """Return whether the run is stored and whole.

        For a damaged run the answer is False, with a warning: writing it again mends the store.
        """
        path = self.path(identity)
        return path.exists() and self._whole(path)

    def read(self, identity: Mapping[str, Any]) -> Run:
        """Return a stored run; ValueError if there is none, `Damaged` if it is not as written."""
        path = self.path(identity)
        if not path.exists():
            others = sorted(other.name for other in self._folders(path.parent))
            stored = f"{len(others)} runs, {others[0]} to {others[-1]}" if others else "no runs"
            raise ValueError(f"no run {path.name} in {path.parent}: there are {stored}")
        return _run(path)

    def weights(self, identity: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Return a stored run's weights; errors as `read`, and if it was stored without any."""
        from safetensors.numpy import load_file

        path = self.read(identity).path / _WEIGHTS
        if not path.exists():
            raise ValueError(f"the run {path.parent} was stored without weights")
        return load_file(path)

    def runs(self, study: str, profile: str) -> list[Run]:
        """Return all runs of a study under a profile, every file verified (else `Damaged`).

        The order is that of role, seed, soft_scale, alpha, temperature. A study that never ran
        has none. Invalid runs, which earlier versions stored for seeds such as "0", are left out
        with a warning.
        """
        runs = []
        for folder in self._folders(self._profile(study, profile)):
            try:
                runs.append(_run(folder))
            except NoRun as error:
                warnings.warn(f"left out: {error}", stacklevel=2)
        return sorted(runs, key=lambda run: order(run.identity))

    def names(self, study: str, profile: str) -> set[str]:
        """Return the names of all runs of a study under a profile, unverified."""
        return {folder.name for folder in self._folders(self._profile(study, profile))}

    def checkpoint(self, name: str, identity: Mapping[str, Any] | None = None) -> Checkpoint:
        """Return the checkpoint of that name, stored or not.

        Parts of a name are separated by slashes, as in ``"trifeature/laptop/seed0"``; ``identity``
        is what it belongs to: one that belongs to something else is not loaded.
        """
        parts = [files.safe_name(part, "checkpoint") for part in name.split("/")]
        path = self.root.joinpath(".checkpoints", *parts)
        return Checkpoint(path.with_name(path.name + ".safetensors"), identity)

    def claim(self, study: str, profile: str, names: Iterable[str]) -> Claim | None:
        """Claim runs by their names (see `run_name`), stored or not, for this process.

        None while another process trains any of them.
        """
        self._profile(study, profile)  # names that cannot be
        return take(self._claims(study, profile), names)

    def _claims(self, study: str, profile: str) -> Folder:
        return Folder(self.root / ".claims" / study / profile)

    def _profile(self, study: str, profile: str) -> Path:
        return self.root / files.safe_name(study, "study") / files.safe_name(profile, "profile")

    @staticmethod
    def _folders(parent: Path) -> list[Path]:
        if not parent.is_dir():
            return []
        return [path for path in parent.iterdir() if path.is_dir() and path.name[0] != "."]

    @staticmethod
    def _whole(path: Path) -> bool:
        try:
            _verified(path)
        except Damaged as error:
            warnings.warn(f"{error} (it counts as missing)", stacklevel=3)
            return False
        return True


def open_store(place: str | os.PathLike[str]) -> RunStore:
    """The store in a folder, or in what a URL such as ``s3://bucket/prefix`` names.

    Other packages bring kinds of URL by the entry points ``kdfair.stores``; another kind is a
    ValueError.
    """
    scheme, url, _ = str(place).partition("://")
    if not url:
        return RunStore(place)
    known = {entry.name: entry for entry in metadata.entry_points(group="kdfair.stores")}
    if scheme not in known:
        listed = "".join(f", {name}://" for name in sorted(known))
        raise ValueError(f"no run store is known for {place}; expected a folder{listed}")
    return known[scheme].load()(str(place))


def order(identity: Mapping[str, Any]) -> tuple:
    """Return the sorting key of runs: role, seed, soft_scale, alpha, temperature."""
    return (
        ROLES.index(identity["role"]),
        identity["seed"],
        identity.get("soft_scale") or "",
        identity.get("alpha") or 0,
        identity.get("temperature") or 0,
        identity_hash(identity),
    )


def _check_arrays(path: Path, arrays: Mapping[str, np.ndarray], *, diverged: bool) -> None:
    for name, values in arrays.items():
        files.safe_name(name, "array")
        array = np.asarray(values)
        if array.dtype.kind not in "biuf":
            raise ValueError(
                f"the array {name!r} of the run {path.name} has dtype {array.dtype}: expected "
                "booleans, integers or floats"
            )
        if not diverged and array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(
                f"the array {name!r} of the run {path.name} holds {(~np.isfinite(array)).sum()} "
                "numbers that are not finite, and info['diverged'] is not true"
            )


def _run(path: Path) -> Run:
    record = _verified(path)
    arrays = [name.removesuffix(".npy") for name in record["files"] if name.endswith(".npy")]
    return Run(record["identity"], record["info"], Arrays(path, arrays), path, record["written"])


def _verified(path: Path) -> dict[str, Any]:
    """Return the record of a run after checking every file against it."""

    def damaged(file: str, why: str) -> Damaged:
        return Damaged(
            f"{path / file} is damaged ({why}): delete the folder {path} and train again; only "
            "what is missing will be trained"
        )

    try:
        record = json.loads((path / "run.json").read_bytes())
        claimed = record.pop("sha256")
        if record["schema"] != _SCHEMA:
            raise damaged("run.json", f"schema {record['schema']}, expected {_SCHEMA}")
        if hashlib.sha256(files.canonical_json(record)).hexdigest() != claimed:
            raise damaged("run.json", "its content does not have the SHA-256 that it names")
        try:
            name = run_name(record["identity"])
        except ValueError as error:
            raise NoRun(f"{path} holds no run that could be trained: {error}") from None
        if name != path.name:
            raise damaged("run.json", f"it belongs to the run {name}")
        listed = record["files"]
    except FileNotFoundError:
        raise damaged("run.json", "it is missing") from None
    except Damaged:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged("run.json", f"{type(error).__name__}: {error}") from None
    for name, expected in listed.items():
        if not (path / name).is_file():
            raise damaged(name, "it is missing")
        found = files.sha256(path / name)
        if found != expected:
            raise damaged(name, f"SHA-256 {found[:16]}..., expected {expected[:16]}...")
    return record
