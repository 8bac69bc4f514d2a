"""Small tables of counts made from annotations, published with a manifest of where they came from.

A count table says how many examples have a label and belong to a group. It is all that base rates
need, and it can be kept here where the annotations themselves may not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from kdfair_core.files import sha256

DATA = Path(__file__).resolve().parents[2] / "data"
MANIFEST = "manifest.json"


def write(folder: Path, tables: Mapping[str, pd.DataFrame], manifest: Mapping[str, object]) -> None:
    """Write each table as NAME.csv, and the manifest with every file's SHA-256."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for name, frame in tables.items():
        path = folder / f"{name}.csv"
        frame.to_csv(path, index=False, lineterminator="\n")
        files[path.name] = {"rows": len(frame), "sha256": sha256(path)}
    text = json.dumps({**manifest, "files": files}, indent=2, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def read(folder: Path, name: str) -> pd.DataFrame:
    """Return the table NAME.csv of a folder.

    Raises
    ------
    ValueError
        If the folder has no such table, or the file is not the one that the manifest names.
    """
    files = read_manifest(folder)["files"]
    file = f"{name}.csv"
    if file not in files:
        raise ValueError(f"{folder} has no table {name!r}; expected one of {', '.join(files)}")
    if sha256(folder / file) != files[file]["sha256"]:
        raise ValueError(f"{folder / file} is damaged: it is not the file that the manifest names")
    return pd.read_csv(folder / file)


def read_manifest(folder: Path) -> dict:
    """Return the manifest of a folder of count tables."""
    return json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
