"""Reading published results."""

from __future__ import annotations

import os
import warnings
import zipfile
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd

from kdfair_core import asked
from kdfair_core.metrics import UndefinedMetricWarning
from kdfair_core.results.frames import Results
from kdfair_core.results.manifest import (
    MANIFEST,
    NotMeasured,
    damaged,
    folder_of,
    read_manifest,
    results_root,
)

PREDICTIONS = "predictions.npz"
PREFERRED = ("paper", "laptop", "smoke")
"""Profiles from the most faithful on; others come after, by name."""


def load(
    study: str, profile: str | None = None, *, root: str | os.PathLike[str] | None = None
) -> Results:
    """Return the published results of a study.

    Parameters
    ----------
    study : str
        A name out of `published`.
    profile : str, optional
        Default: the best published, "paper" before "laptop" before "smoke".
    root : path, optional
        Default: ``$KDFAIR_RESULTS``, else ``data/``.

    Raises
    ------
    NotMeasured
        A ValueError that says what is published.
    Damaged
        A ValueError that names the file, what was found and what was expected.
    """
    base = results_root(root)
    if not isinstance(study, str):
        raise ValueError(f"study {asked.shown(study)}: expected a name, such as trifeature")
    profiles = published(base).get(study, [])
    if not profiles or (profile is not None and profile not in profiles):
        raise NotMeasured(_nothing(base, study, profile))
    return _read(folder_of(base, study, profile or profiles[0]))


def published(root: str | os.PathLike[str] | None = None) -> dict[str, list[str]]:
    """Return the profiles published of each study, the most faithful first."""
    rank = {profile: i for i, profile in enumerate(PREFERRED)}
    found: dict[str, list[str]] = {}
    for path in sorted(results_root(root).glob(f"*/*/{MANIFEST}")):
        if not path.parent.name.startswith("."):
            found.setdefault(path.parent.parent.name, []).append(path.parent.name)
    for profiles in found.values():
        profiles.sort(key=lambda profile: (rank.get(profile, len(rank)), profile))
    return found


def validate(
    study: str, profile: str | None = None, *, root: str | os.PathLike[str] | None = None
) -> None:
    """Check published results beyond what `load` does: that their parts agree with each other.

    Errors as of `load`; `Damaged` too if labels, groups or predictions are out of range, an
    accuracy is not that of the predictions, or a table is not what the predictions give.
    """
    results = load(study, profile, root=root)
    folder = folder_of(results_root(root), study, results.profile)
    n_classes = len(results.classes)
    for name, values, limit in [
        ("y_true", results.y_true, n_classes),
        ("pred", results.pred, n_classes),
        *((f"group_{a}", results.groups[a], len(results.group_names[a])) for a in results.groups),
        ("scored", results.scored, len(results.y_true)),
    ]:
        low = -1 if name.startswith("group_") else 0
        if values.size and not (low <= values.min() and values.max() < limit):
            raise damaged(
                folder / PREDICTIONS,
                f"{name} runs from {values.min()} to {values.max()}, expected {low} to {limit - 1}",
            )
    for run, accuracy in zip(
        results.manifest["runs"], (results.pred == results.y_true).mean(1), strict=True
    ):
        if not np.isclose(run["accuracy"], accuracy, rtol=0, atol=1e-9):
            raise damaged(
                folder / MANIFEST,
                f"it says accuracy {run['accuracy']} of {run['name']}; its predictions give "
                f"{accuracy}",
            )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)  # said when it was published
        tables = results.tables()
    for name, frame in tables.items():
        stored, computed = pd.read_csv(folder / name), pd.read_csv(StringIO(csv_text(frame)))
        try:
            pd.testing.assert_frame_equal(stored, computed, rtol=1e-6, atol=1e-9)
        except AssertionError as error:
            why = str(error).splitlines()[0]
            raise damaged(folder / name, f"it is not what the predictions give: {why}") from None


def csv_text(frame: pd.DataFrame) -> str:
    """Return a frame as CSV, with ten significant digits."""
    return frame.to_csv(index=False, lineterminator="\n", float_format="%.10g")


def _read(folder: Path) -> Results:
    manifest = read_manifest(folder)
    path = folder / PREDICTIONS
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: np.ascontiguousarray(file[name]) for name in file.files}
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise damaged(path, f"it cannot be read: {error}") from None
    n, n_runs, n_classes = manifest["examples"], len(manifest["runs"]), len(manifest["classes"])
    m = len(arrays.get("scored", ()))
    expected: dict[str, tuple[int, ...]] = {
        "y_true": (n,),
        "pred": (n_runs, n),
        "scored": (m,),
        "logits": (n_runs, m, n_classes),
        **{f"group_{name}": (n,) for name in manifest["groups"]},
    }
    for name, shape in expected.items():
        found = arrays[name].shape if name in arrays else "nothing"
        if found != shape:
            raise damaged(path, f"{name} has shape {found}, expected {shape}")
    return Results.from_arrays(manifest, arrays)


def _nothing(base: Path, study: str, profile: str | None) -> str:
    asked = f"study {study!r}" + (f" under profile {profile!r}" if profile else "")
    there = ", ".join(f"{name} ({', '.join(found)})" for name, found in published(base).items())
    command = f"python -m kdfair_core run {study}" + (f" --profile {profile}" if profile else "")
    return (
        f"no results of {asked} in {base}: published are {there or 'none'}; "
        f"'{command}' measures it if it is one of 'python -m kdfair_core studies'"
    )
