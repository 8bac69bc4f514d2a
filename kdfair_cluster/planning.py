"""What the missing runs of a study cost on some devices, and how many it can keep busy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from kdfair_cluster import costs
from kdfair_cluster.costs import Rates
from kdfair_cluster.schedule import Task, Timeline, simulate, tasks
from kdfair_core.studies import Study
from kdfair_core.training.plan import Sweep, plan, steps_per_epoch

DEVICES = tuple(2**k for k in range(11))


@dataclass(frozen=True)
class Cost:
    """What the missing runs of a study cost on some devices.

    Attributes
    ----------
    steps : int
        Optimizer steps, each network's counted.
    work, wall : float
        Seconds of all devices together, and until the last run is stored.
    disk : int
        Bytes that its runs take.
    split : int
        Groups of each seed's students.
    stands_on : tuple of str
        For the teacher and the student, what its time stands on (see :class:`costs.Rates`).
    """

    study: str
    steps: int
    work: float
    wall: float
    disk: int
    split: int
    stands_on: tuple[str, str]


class Costs:
    """The times of a study's tasks.

    Parameters
    ----------
    study : Study
    profile : str
    rates : Rates
    sweeps : sequence of Sweep, optional
        What is missing; by default everything.
    """

    def __init__(
        self, study: Study, profile: str, rates: Rates, sweeps: Sequence[Sweep] | None = None
    ) -> None:
        self.study, self.rates = study, rates
        self.n_train, self.n_test = costs.examples(study, profile)
        self.teacher, self.student = costs.networks(study, profile)
        given = study.profile(profile)
        self._seconds = cache(self._compute)
        self.recipes = (given.teacher_recipe, given.student_recipe)
        self.sweeps = plan(study, profile, has=lambda _: False) if sweeps is None else list(sweeps)

    def seconds(self, task: Task) -> float:
        """How long a device takes for a task."""
        return self._seconds(task.kind, len(task.sweep.missing))

    def _compute(self, kind: str, learners: int) -> float:
        recipe = self.recipes[kind != "teacher"]
        steps = recipe.epochs * steps_per_epoch(self.n_train, recipe.batch_size)
        if kind == "teacher":
            ms = self.rates.step_ms("teacher", self.teacher, recipe)
        else:
            ms = self.rates.step_ms("student", self.student, recipe, learners)
        if kind == "students":
            ms += self.rates.step_ms("look", self.teacher, recipe)
        return steps * ms / 1000 + self.rates.start_s()

    def on(self, devices: int, split: int) -> Timeline:
        """The simulated schedule on so many devices."""
        return simulate(tasks(self.sweeps, split), self.seconds, devices)

    def best_split(self, devices: int) -> int:
        """Groups of each seed's students with which so many devices are done first."""
        most = max((len(sweep.students) for sweep in self.sweeps), default=1)
        return min(range(1, most + 1), key=lambda n: round(self.on(devices, n).makespan, 3))

    def cost(self, devices: int, split: int | None = None) -> Cost:
        """What it costs on so many devices."""
        split = self.best_split(devices) if split is None else split
        timeline = self.on(devices, split)
        pairs = zip(("teacher", "student"), (self.teacher, self.student), self.recipes, strict=True)
        return Cost(
            self.study.name,
            sum(sweep.steps(self.n_train) for sweep in self.sweeps),
            timeline.work,
            timeline.makespan,
            sum(self._bytes(i) for sweep in self.sweeps for i in sweep.to_train()),
            split,
            tuple(self.rates.stands_on(*pair) for pair in pairs),  # type: ignore[arg-type]
        )

    def efficiency(self, devices: Sequence[int] = DEVICES) -> list[dict[str, Any]]:
        """A row a number of devices: hours, speedup and efficiency against one device.

        Efficiency is the time of one device over that of all devices together; "repeated" is the
        work of all against the work of one, which asks each teacher once.
        """
        alone = self.on(1, 1).makespan
        rows = []
        for n in devices:
            split = self.best_split(n)
            took = self.on(n, split)
            rows.append(
                {
                    "study": self.study.name,
                    "devices": n,
                    "split": split,
                    "hours": took.makespan / 3600,
                    "speedup": alone / took.makespan,
                    "efficiency": alone / (n * took.makespan),
                    "repeated": took.work / alone,
                }
            )
        return rows

    def _bytes(self, identity: dict[str, Any]) -> int:
        logits = self.n_test * self.study.n_classes * costs.HALF_BYTES
        labels = self.n_test * (2 if self.study.n_classes > 256 else 1)
        if identity["role"] != "teacher":
            return logits + labels
        features = self.n_test * self.teacher.features * costs.HALF_BYTES
        return logits + labels + features + self.teacher.parameters * costs.FLOAT_BYTES
