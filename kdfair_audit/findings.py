"""What an audit found: frames computed from counts."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

import kdfair_core
from kdfair_audit.calibration import calibration_frame, reliability_frame
from kdfair_audit.changes import (
    class_changes,
    disagreement_frame,
    disagreement_matrix_frame,
    group_changes,
    overall_changes,
)
from kdfair_audit.checks import check
from kdfair_audit.counts import Counts
from kdfair_audit.errors import AuditError
from kdfair_audit.fairness import fairness_frames
from kdfair_audit.frames import records
from kdfair_audit.rates import (
    Options,
    groups_frame,
    intersections_frame,
    models_frame,
    sizes_frame,
    worst_frame,
)
from kdfair_audit.verdict import verdict_frame


@dataclass(frozen=True, eq=False)
class Findings:
    """What an audit found.

    Attributes
    ----------
    title : str
    counts : Counts
        What all of it was computed from.
    options : Options
    frames : dict of str to pandas.DataFrame
        "verdict", "models", "changes", "changed_classes", "changed_groups", "disagreement",
        "disagreement_matrix", "groups", "sizes", "fairness", "fairness_changes",
        "intersections", "calibration", "reliability", "worst". Fractions, not percent; models are
        named by ``role`` ("teacher", "baseline", "distilled") and ``temperature``.
    notes : list of str
        What a reader has to know about the input.
    pooled : list of str
        Combinations of groups too small to show by themselves.
    """

    title: str
    counts: Counts
    options: Options
    frames: dict[str, pd.DataFrame]
    notes: list[str]
    pooled: list[str]

    @property
    def temperatures(self) -> list[float]:
        """Temperatures of the distilled students; empty where they have none."""
        students = self.frames["models"].query("role == 'distilled'")
        return [float(t) for t in students["temperature"].dropna()]

    def verdict(self, temperature: float | None = None) -> list[str]:
        """The verdict in five lines, at one temperature (by default the lowest)."""
        frame = self.frames["verdict"]
        if self.known(temperature) is not None:
            frame = frame[frame["temperature"] == temperature]
        return [f"{row['heading']}: {row['text']}" for row in records(frame.head(5))]

    def known(self, temperature: float | None) -> float | None:
        """The temperature, if there is a student of it; AuditError if not."""
        if temperature is not None and temperature not in self.temperatures:
            raise AuditError(
                f"there is no student of temperature {temperature:g}; there are "
                + ", ".join(f"{t:g}" for t in self.temperatures)
            )
        return temperature

    def to_json(self) -> str:
        """All frames as JSON; undefined numbers are null."""
        frames = {
            name: {
                "columns": list(frame.columns),
                "rows": [[_plain(value) for value in row] for row in frame.itertuples(index=False)],
            }
            for name, frame in self.frames.items()
        }
        return json.dumps(
            {
                "format": "kdfair audit",
                "version": 1,
                "made_by": f"kdfair {kdfair_core.__version__}",
                "title": self.title,
                "examples": self.counts.n,
                "classes": self.counts.class_names,
                "groups": {name: self.counts.group_names(name) for name in self.counts.groups},
                "models": [model.to_dict() for model in self.counts.models],
                "options": asdict(self.options),
                "notes": self.notes,
                "pooled": self.pooled,
                "frames": frames,
            },
            ensure_ascii=False,
            allow_nan=False,
            indent=1,
        )


def findings_of(counts: Counts, *, title: str, options: Options) -> Findings:
    """Compute everything from counts; AuditError if they cannot be audited."""
    if not 0 < options.level < 1:
        raise AuditError(f"the level is {options.level}; expected a number between 0 and 1")
    if options.n_boot < 2:
        raise AuditError(f"n_boot is {options.n_boot}; expected at least 2")
    notes = check(counts)
    fairness, fairness_changes = fairness_frames(counts, options)
    intersections, pooled = intersections_frame(counts, options)
    frames = {
        "models": models_frame(counts, options),
        "changes": overall_changes(counts, options),
        "changed_classes": class_changes(counts, options),
        "changed_groups": group_changes(counts, options),
        "disagreement": disagreement_frame(counts, options),
        "disagreement_matrix": disagreement_matrix_frame(counts),
        "groups": groups_frame(counts, options),
        "sizes": sizes_frame(counts, options),
        "fairness": fairness,
        "fairness_changes": fairness_changes,
        "intersections": intersections,
        "calibration": calibration_frame(counts, options),
        "reliability": reliability_frame(counts, options),
        "worst": worst_frame(counts, options),
    }
    frames = {"verdict": verdict_frame(frames, counts, options), **frames}
    return Findings(title, counts, options, frames, notes, pooled)


def _plain(value: Any) -> Any:
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value
