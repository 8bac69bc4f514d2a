"""Runs and checkpoints that travel: a store in parts of a given size, and back.

A pack is an uncompressed tar of run folders and checkpoints, the same bytes for the same store, cut
into parts. Each part begins with a line of JSON that says which it is and holds SHA-256 of itself
and of the whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from kdfair_core.checkpoints import Checkpoint
from kdfair_core.files import Damaged, safe_name, sync_folder, workplace
from kdfair_core.runs import RunStore

FORMAT = 1
CHECKPOINTS = ".checkpoints"
_CHUNK = 2**20


def pack(
    store: RunStore, out: str | os.PathLike[str], *, study: str | None = None, part_mib: float = 16
) -> list[Path]:
    """Write a store, or one study of it, as parts ``OUT.001``, ``OUT.002``, ...

    Parameters
    ----------
    store : RunStore
        Every run is verified first.
    out : path
        What the parts' names begin with.
    study : str, optional
        Only its runs and checkpoints.
    part_mib : float
        Largest size of a part, in MiB.

    Raises
    ------
    ValueError
        If there is nothing to pack, a run is damaged, or a part could hold nothing.
    """
    room = int(part_mib * 2**20)
    if room < 2**16:
        raise ValueError(f"part_mib is {part_mib:g}; expected at least 0.0625, which is 64 KiB")
    out = Path(out)
    folders = [store.root / study] if study else sorted(store.root.iterdir())
    for folder in folders:
        if folder.name[:1] != "." and folder.is_dir():
            for profile in sorted(folder.iterdir()):
                store.runs(folder.name, profile.name)  # damaged ones are named
    files = [path for folder in folders if folder.name[:1] != "." for path in _files(folder)]
    files += _files(store.root / CHECKPOINTS / (study or ""))
    if not files:
        raise ValueError(
            f"nothing to pack: {store.root} holds no run{f' of {study}' * bool(study)}"
        )
    with TemporaryFile() as whole:
        with tarfile.open(fileobj=whole, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for path in files:
                entry = tarfile.TarInfo(path.relative_to(store.root).as_posix())
                entry.size = path.stat().st_size
                with open(path, "rb") as file:
                    tar.addfile(entry, file)
        return _cut(whole, out, room)


def _files(folder: Path) -> list[Path]:
    found = folder.rglob("*") if folder.is_dir() else []
    return sorted(p for p in found if p.is_file() and ".tmp-" not in str(p.relative_to(folder)))


def _cut(whole: IO[bytes], out: Path, room: int) -> list[Path]:
    digest = _digest(whole)
    size = whole.seek(0, os.SEEK_END)
    room -= 1024  # for the header
    count = -(-size // room)
    whole.seek(0)
    paths = []
    with workplace(out.parent, f"the pack {out.name}") as aside:
        for k in range(count):
            data = whole.read(room)
            part = hashlib.sha256(data).hexdigest()
            header = {"kdfair_pack": FORMAT, "part": k + 1, "of": count}
            line = json.dumps(header | {"sha256": part, "whole": digest}).encode() + b"\n"
            paths.append(out.with_name(f"{out.name}.{k + 1:03d}"))
            (aside / paths[-1].name).write_bytes(line + data)
        for path in paths:
            os.replace(aside / path.name, path)
        sync_folder(out.parent)
    return paths


def unpack(parts: Iterable[str | os.PathLike[str]], store: RunStore) -> tuple[int, int]:
    """Merge the parts of a pack into a store; how many runs and checkpoints were new.

    Everything is checked before anything is merged. A run that is there already stays; so does a
    checkpoint, unless the one in the pack was trained for longer.

    Raises
    ------
    ValueError
        For a part that is damaged, missing or of another pack, and a run of the same name that is
        another one; nothing is merged then.
    """
    paths = [Path(part) for part in parts]
    with TemporaryFile() as whole, workplace(store.root, "the pack") as aside:
        _joined(paths, whole)
        with tarfile.open(fileobj=whole) as tar:
            for entry in tar:
                names = entry.name.split("/")
                for name in names:
                    safe_name(name.lstrip(".") if name == CHECKPOINTS else name, "packed file")
                source = tar.extractfile(entry)
                if source is None:
                    raise Damaged(f"the pack holds {entry.name}, which is no file")
                target = aside.joinpath(*names)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(source.read())
        return _merged(RunStore(aside), store)


def _joined(paths: list[Path], whole: IO[bytes]) -> None:
    """Write the parts one after another, each checked."""
    headers: dict[int, tuple[Path, dict[str, Any]]] = {}
    for path in paths:
        try:
            with open(path, "rb") as file:
                header = json.loads(file.readline(1024))
                if header["kdfair_pack"] != FORMAT:
                    raise ValueError
        except (ValueError, KeyError, TypeError):
            raise Damaged(f"{path} is no part of a pack of this version") from None
        first = next(iter(headers.values()), (path, header))[1]
        if header["whole"] != first["whole"]:
            raise Damaged(f"{path} is of another pack than {paths[0]}")
        headers[header["part"]] = (path, header)
    if not headers:
        raise ValueError("no parts were given")
    count = next(iter(headers.values()))[1]["of"]
    missing = sorted(set(range(1, count + 1)) - set(headers))
    if missing:
        listed = ", ".join(str(k) for k in missing)
        raise Damaged(f"of {count} parts of the pack of {paths[0]} there is no part {listed}")
    for k in range(1, count + 1):
        path, header = headers[k]
        with open(path, "rb") as file:
            file.readline(1024)
            data = file.read()
        if hashlib.sha256(data).hexdigest() != header["sha256"]:
            raise Damaged(f"{path} is damaged: its content does not have the SHA-256 it names")
        whole.write(data)
    if _digest(whole) != headers[1][1]["whole"]:
        raise Damaged(f"the parts of {paths[0]} are whole but do not make the pack they name")
    whole.seek(0)


def _digest(whole: IO[bytes]) -> str:
    whole.seek(0)
    return hashlib.file_digest(whole, "sha256").hexdigest()  # type: ignore[arg-type]


def _merged(packed: RunStore, store: RunStore) -> tuple[int, int]:
    new = []
    for folder in sorted(packed.root.iterdir()):
        for profile in sorted(folder.iterdir()) if folder.name != CHECKPOINTS else []:
            for run in packed.runs(folder.name, profile.name):
                here = store.path(run.identity)
                if not store.has(run.identity):
                    new.append((run, here))
                elif (here / "run.json").read_bytes() != (run.path / "run.json").read_bytes():
                    raise ValueError(
                        f"the run {run.name} is in {store.root} already and is another one than "
                        "that of the pack: nothing was merged; unpack into a store of its own"
                    )
    checkpoints = []
    for path in _files(packed.root / CHECKPOINTS):
        target = store.root / path.relative_to(packed.root)
        if _steps(path) > _steps(target):
            checkpoints.append((path, target))
    for run, here in new:
        here.parent.mkdir(parents=True, exist_ok=True)
        os.rename(run.path, here)
        sync_folder(here.parent)
    for path, target in checkpoints:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, target)
    return len(new), len(checkpoints)


def _steps(path: Path) -> int:
    """Steps that a checkpoint file has behind it; -1 if there is none."""
    found = Checkpoint(path).load(any_identity=True)
    return -1 if found is None else int(found[0].get("step", 0))
