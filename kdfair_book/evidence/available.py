"""What is published, a row a study and profile."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kdfair_core.results import Damaged, published, results_root
from kdfair_core.results.manifest import folder_of, read_manifest


def available(root: str | os.PathLike[str] | None = None) -> pd.DataFrame:
    """Return what is published, a row a study and profile.

    Returns
    -------
    pandas.DataFrame
        ``study``, ``profile``, ``badge``, ``runs``, ``seeds``, ``null_seeds``, ``temperatures``,
        ``alphas``, ``soft_scales`` (tuples), ``missing`` (number of runs of the profile not
        there), ``examples``, ``hours`` (of training), ``devices`` (tuple), ``created``, and
        ``problem``: a sentence if the results cannot be read, else empty.
    """
    base = results_root(root)
    found = [(study, p) for study, profiles in published(base).items() for p in profiles]
    rows = [_described(folder_of(base, *of)) for of in found]
    columns = ["study", "profile", "badge", "runs", "seeds", "null_seeds", "temperatures"]
    columns += ["alphas", "soft_scales", "missing", "examples", "hours", "devices", "created"]
    return pd.DataFrame(rows, columns=[*columns, "problem"])


def _described(folder: Path) -> dict[str, Any]:
    of = {"study": folder.parent.name, "profile": folder.name}
    try:
        manifest = read_manifest(folder)
    except Damaged as error:
        return of | {"problem": str(error)}
    runs = manifest["runs"]

    def values(key: str, *roles: str) -> tuple:
        return tuple(sorted({run[key] for run in runs if run["role"] in roles}))

    return of | {
        **{key: manifest[key] for key in ("badge", "examples", "created")},
        "runs": len(runs),
        "seeds": values("seed", "teacher", "nds", "ds"),
        "null_seeds": values("seed", "null"),
        "temperatures": values("temperature", "ds"),
        "alphas": values("alpha", "ds"),
        "soft_scales": values("soft_scale", "ds"),
        "missing": len(manifest.get("missing", [])),
        "hours": manifest.get("hours", np.nan),
        "devices": tuple(manifest.get("devices", ())),
        "problem": "",
    }
