"""Published results of this project as a table to audit: their roles are known."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kdfair_audit.errors import AuditError, listed

ROLES = {"teacher": "teacher", "nds": "baseline", "ds": "student"}
PATTERNS = {
    "teacher": "teacher_s{seed}",
    "baseline": "baseline_s{seed}",
    "distilled": "student_T{T}_s{seed}",
}


def is_published(data: Any) -> bool:
    """Whether this is ``Results``, or a folder of published results (or a file in one)."""
    if isinstance(data, str | os.PathLike):
        path = Path(data)
        folder = path if path.is_dir() else path.parent
        named = path.is_dir() or path.name in ("predictions.npz", "manifest.json")
        return named and (folder / "manifest.json").is_file()
    return hasattr(data, "manifest") and hasattr(data, "y_true") and hasattr(data, "pred")


def published_frame(
    data: Any, *, groups: Any = None, temperatures: Any = None
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Lay published results out as a table: a row an example, a column a run.

    The non-distilled student is the baseline. Of the distilled students those of one loss are
    taken: alpha = 0.8 and the soft term scaled by T squared where there are such.

    Parameters
    ----------
    data : Results or path
        From ``kdfair_core.results.load``, or the folder.
    groups, temperatures : optional
        Attributes, and temperatures of the distilled students; all of them without it.

    Returns
    -------
    frame : pandas.DataFrame
        The label, the groups (missing where unknown) and ``teacher_s0``, ``baseline_s0``,
        ``student_T4_s0`` and so on.
    given : dict
        What to give :func:`audit` besides the frame.

    Raises
    ------
    AuditError
        For results that cannot be read, and attributes or temperatures that they do not have.
    """
    if isinstance(data, str | os.PathLike):
        data = _load(Path(data))
    attributes = [groups] if isinstance(groups, str) else list(groups or data.group_names)
    unknown = [name for name in attributes if name not in data.group_names]
    if unknown:
        raise AuditError(
            f"{data.study} has no attribute {listed(unknown)}; it has {listed(data.group_names)}"
        )
    columns = {"label": _named(data.y_true, data.classes)}
    for name in attributes:
        columns[name] = _named(data.groups[name], data.group_names[name])
    taken = _taken(data.manifest["runs"], _numbers(temperatures))
    for position, name in taken.items():
        columns[name] = _named(data.pred[position], data.classes)
    given: dict[str, Any] = {
        role: pattern
        for role, pattern in PATTERNS.items()
        if any(name.startswith(pattern.partition("_")[0]) for name in taken.values())
    }
    given |= {
        "label": "label",
        "groups": attributes,
        "classes": list(data.classes),
        "missing": "exclude",
        "title": f"Audit of {data.study} ({data.badge})",
    }
    return pd.DataFrame(columns), given


def _taken(runs: list[dict[str, Any]], temperatures: list[float] | None) -> dict[int, str]:
    """Positions of the runs to audit, and their columns' names."""
    losses = Counter((run["alpha"], run["soft_scale"]) for run in runs if run["role"] == "ds")
    loss = max(losses, key=lambda key: (key == (0.8, "T2"), losses[key]), default=None)
    had = sorted({run["temperature"] for run in runs if run["role"] == "ds"})
    wanted = had if temperatures is None else temperatures
    unknown = [value for value in wanted if value not in had]
    if unknown:
        raise AuditError(f"there is no student of temperature {listed(unknown)}; there are {had}")
    names = {}
    for position, run in enumerate(runs):
        role = ROLES.get(run["role"])
        if role is None or run.get("diverged"):
            continue
        if role == "student":
            if (run["alpha"], run["soft_scale"]) != loss or run["temperature"] not in wanted:
                continue
            role = f"student_T{run['temperature']:g}"
        names[position] = f"{role}_s{run['seed']}"
    return names


def _load(path: Path) -> Any:
    from kdfair_core import results

    folder = (path if path.is_dir() else path.parent).resolve()
    try:
        return results.load(folder.parent.name, folder.name, root=folder.parent.parent)
    except (OSError, ValueError) as error:
        raise AuditError(f"cannot read the published results in {folder.name}: {error}") from error


def _named(codes: Any, names: Any) -> Any:
    codes = np.asarray(codes).astype(np.int32)
    return pd.Categorical.from_codes(codes.tolist(), pd.Index([str(name) for name in names]))


def _numbers(given: Any) -> list[float] | None:
    if given is None:
        return None
    values = [given] if isinstance(given, str | int | float) else list(given)
    try:
        return [float(str(value).removeprefix("T=")) for value in values]
    except ValueError:
        raise AuditError(
            f"of published results, distilled are temperatures; got {listed(values)}"
        ) from None
