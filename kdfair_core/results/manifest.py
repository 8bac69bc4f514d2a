"""The manifest of published results: what its folder holds, and whether it still does."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from kdfair_core.files import Damaged, canonical_json, safe_name, sha256

SCHEMA = 1
MANIFEST = "manifest.json"
FIELDS = ("study", "profile", "badge", "created", "classes", "groups", "examples", "runs", "files")


class NotMeasured(ValueError):
    """There are no published results of what was asked for."""


def results_root(root: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of published results.

    The argument, else ``$KDFAIR_RESULTS``, else ``data/`` beside the package, else ``./data``.
    """
    chosen = root or os.environ.get("KDFAIR_RESULTS")
    if chosen:
        return Path(chosen)
    beside = Path(__file__).parents[2] / "data"
    return beside if beside.is_dir() else Path("data")


def folder_of(root: Path, study: str, profile: str) -> Path:
    """Return the folder of one study's results under one profile."""
    return root / safe_name(study, "study") / safe_name(profile, "profile")


def badge(profile: str) -> str:
    """Return the words that every figure of a profile's results carries."""
    return f"measured here ({'paper protocol' if profile == 'paper' else profile})"


def manifest_bytes(manifest: dict[str, Any]) -> bytes:
    """Return the text of a manifest, with the checksum of its content."""
    sealed = manifest | {"sha256": hashlib.sha256(canonical_json(manifest)).hexdigest()}
    return (json.dumps(sealed, indent=1, ensure_ascii=False) + "\n").encode()


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a folder after checking it and every file that it names.

    `Damaged` names the file, what was found and what was expected.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise damaged(path, "it is missing")
    try:
        manifest = json.loads(path.read_bytes())
        if not isinstance(manifest, dict):
            raise ValueError(f"it holds a {type(manifest).__name__}, expected an object")
    except ValueError as error:
        raise damaged(path, f"it is not JSON: {error}") from None
    if manifest.get("schema") != SCHEMA:
        raise Damaged(
            f"{path} has schema {manifest.get('schema')!r} and this version of kdfair_core reads "
            f"schema {SCHEMA}: use the version that wrote it, or publish the study again"
        )
    claimed = manifest.pop("sha256", None)
    found = hashlib.sha256(canonical_json(manifest)).hexdigest()
    if found != claimed:
        raise damaged(path, f"its content has SHA-256 {found[:16]}..., expected {claimed}")
    missing = [field for field in FIELDS if field not in manifest]
    if missing:
        raise damaged(path, f"it lacks {', '.join(missing)}")
    here = (manifest["study"], manifest["profile"])
    if here != (folder.parent.name, folder.name):
        raise damaged(path, f"it belongs to study {here[0]!r} under profile {here[1]!r}")
    for name, expected in manifest["files"].items():
        file = folder / safe_name(name, "file")
        if not file.is_file():
            raise damaged(file, "it is missing")
        if (found := sha256(file)) != expected:
            raise damaged(file, f"SHA-256 {found[:16]}..., expected {expected[:16]}...")
    return manifest


def damaged(path: Path, why: str) -> Damaged:
    """Return the error that says what is wrong with a published file and what to do."""
    study, profile = path.parts[-3:-1]
    return Damaged(
        f"{path} is damaged ({why}): restore it from git, or publish it again with "
        f"python -m kdfair_core publish {study} --profile {profile} --replace"
    )
