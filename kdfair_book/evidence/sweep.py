"""One sweep over temperatures, as arrays: which run is whose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdfair_core import metrics
from kdfair_core.results import Results

Array = NDArray[Any]

USUAL = (0.8, "T2")
"""The weight and the scaling of the soft term that are shown unless another is asked for."""

PAPER_RANGE = (1.0, 10.0)
"""Temperatures over which the paper's trends are claimed."""


class NotThere(ValueError):
    """A test needs runs that the results do not hold; the message says which."""


@dataclass(frozen=True, eq=False)
class Sweep:
    """Teachers, non-distilled and distilled students of the same seeds.

    Attributes
    ----------
    results : Results
    alpha, soft_scale
        Of the distilled students.
    seeds : tuple of int
        Seeds that have a teacher, an NDS and a DS at every temperature, none of them diverged.
    temperatures : tuple of float
        Those at which there is a DS, ascending.
    teacher, nds : int array [seed]
        Positions in ``results.pred``.
    ds : int array [seed, temperature]
    null : int array [null seed]
        The null control, possibly empty.
    dropped : tuple of int
        Seeds of this setting that were left out.
    """

    results: Results
    alpha: float
    soft_scale: str
    seeds: tuple[int, ...]
    temperatures: tuple[float, ...]
    teacher: NDArray[np.int64]
    nds: NDArray[np.int64]
    ds: NDArray[np.int64]
    null: NDArray[np.int64]
    dropped: tuple[int, ...]

    def __repr__(self) -> str:
        return (
            f"<Sweep of {self.results.study}, {self.results.badge}: alpha {self.alpha:g}, "
            f"{self.soft_scale}, {len(self.seeds)} seeds, {len(self.temperatures)} temperatures>"
        )

    @cached_property
    def relative(self) -> Array:
        """Class accuracy over overall accuracy of every run of the results ``[run, class]``."""
        return metrics.relative_class_accuracy(
            self.results.y_true, self.results.pred, n_classes=len(self.results.classes)
        )

    def between(self, low: float, high: float) -> NDArray[np.int64]:
        """Positions among ``temperatures`` of those from low to high.

        Raises
        ------
        NotThere
            If there are fewer than three, too few for a trend.
        """
        chosen = [k for k, t in enumerate(self.temperatures) if low <= t <= high]
        if len(chosen) < 3:
            there = ", ".join(f"{self.temperatures[k]:g}" for k in chosen) or "none"
            raise NotThere(
                f"a trend from T = {low:g} to {high:g} needs three temperatures; measured: {there}"
            )
        return np.array(chosen)

    def at(self, temperature: float) -> NDArray[np.int64]:
        """Runs of the DS at one temperature ``[seed]``."""
        if temperature not in self.temperatures:
            raise NotThere(f"there is no distilled student at T = {temperature:g}")
        return self.ds[:, self.temperatures.index(temperature)]

    @property
    def highest(self) -> float:
        """The highest temperature of the paper's usual range that was measured."""
        inside = [t for t in self.temperatures if t <= PAPER_RANGE[1]]
        if not inside:
            raise NotThere("there is no distilled student at T <= 10")
        return max(inside)

    def need_seeds(self, n: int = 2) -> None:
        """Raise :class:`NotThere` with fewer than n seeds."""
        if len(self.seeds) < n:
            raise NotThere(f"there are {len(self.seeds)} whole seeds; this needs {n}")


def settings(results: Results) -> list[tuple[float, str]]:
    """Every alpha and scaling at which distilled students were trained, the usual one first."""
    ds = results.runs[results.runs["role"] == "ds"]
    found = sorted({(float(a), str(s)) for a, s in zip(ds["alpha"], ds["soft_scale"], strict=True)})
    return sorted(found, key=lambda setting: (setting != USUAL, setting))


def sweep(results: Results, *, alpha: float | None = None, soft_scale: str | None = None) -> Sweep:
    """The runs of one setting.

    Parameters
    ----------
    results : Results
    alpha, soft_scale : optional
        Default: alpha 0.8 and "T2" where measured, else the first that was.

    Raises
    ------
    NotThere
        A ValueError: the setting was not measured.
    """
    choices = [
        (a, s)
        for a, s in settings(results)
        if (alpha is None or a == alpha) and (soft_scale is None or s == soft_scale)
    ]
    if not choices:
        listed = ", ".join(f"alpha {a:g} with {s}" for a, s in settings(results)) or "nothing"
        raise NotThere(
            f"no distilled students with alpha {alpha}, soft_scale {soft_scale!r} in "
            f"{results.study}/{results.profile}; measured: {listed}"
        )
    alpha, soft_scale = choices[0]
    runs = results.runs[~results.runs["diverged"]]
    ds = runs[
        (runs["role"] == "ds") & (runs["alpha"] == alpha) & (runs["soft_scale"] == soft_scale)
    ]
    temperatures = tuple(sorted(float(t) for t in ds["temperature"].unique()))
    by_role = {
        role: dict(zip(rows["seed"], rows["run"], strict=True))
        for role, rows in runs.groupby("role")
    }
    teacher, nds, null = (by_role.get(role, {}) for role in ("teacher", "nds", "null"))
    students: dict[int, dict[float, int]] = {}
    for seed, t, run in zip(ds["seed"], ds["temperature"], ds["run"], strict=True):
        students.setdefault(int(seed), {})[float(t)] = int(run)
    whole = [
        seed
        for seed in sorted(students)
        if seed in teacher and seed in nds and len(students[seed]) == len(temperatures)
    ]
    return Sweep(
        results=results,
        alpha=alpha,
        soft_scale=soft_scale,
        seeds=tuple(whole),
        temperatures=temperatures,
        teacher=_positions([teacher[seed] for seed in whole]),
        nds=_positions([nds[seed] for seed in whole]),
        ds=_positions([[students[seed][t] for t in temperatures] for seed in whole]).reshape(
            len(whole), len(temperatures)
        ),
        null=_positions([null[seed] for seed in sorted(null)]),
        dropped=tuple(seed for seed in sorted(students) if seed not in whole),
    )


def _positions(runs: Sequence[Any]) -> NDArray[np.int64]:
    return np.array(runs, dtype=np.int64)
