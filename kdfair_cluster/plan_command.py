"""``kdfair plan``: what a study costs before it runs, and how many devices it can keep busy."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from kdfair_cluster import costs
from kdfair_cluster.costs import Rates
from kdfair_cluster.schedule import Task, Timeline, simulate, tasks
from kdfair_core import asked, studies
from kdfair_core.studies import Study
from kdfair_core.training.plan import Sweep, plan, steps_per_epoch

SUMMARY = "say what a study costs, before it runs"
DEVICES = tuple(2**k for k in range(11))
RATE = "h100-eager"


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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", nargs="*", help="names out of the command studies (all)")
    parser.add_argument("--profile", default="paper", help="paper, laptop or smoke (paper)")
    parser.add_argument("--gpus", type=int, default=1, metavar="N", help="devices (1)")
    parser.add_argument("--usd-per-hour", type=float, metavar="USD", help="price of a device hour")
    parser.add_argument("--split", type=int, metavar="N", help="groups of each seed's students")
    parser.add_argument("--rate", default=RATE, help=f"one of {', '.join(costs.RATES)} ({RATE})")
    parser.add_argument(
        "--runs", metavar="DIR", help="count what this store lacks, in place of everything"
    )


def main(args: argparse.Namespace) -> int:
    gpus = asked.count("gpus", args.gpus)
    usd = args.usd_per_hour
    if usd is not None and not 0 <= usd < float("inf"):
        raise ValueError(f"usd-per-hour is {usd:g}; expected a price from 0, such as 2.5")
    rates = Rates(args.rate)
    names = args.study or [n for n in studies.names() if args.profile in studies.get(n).profiles]
    found = [_costs(name, args.profile, rates, args.runs) for name in names]
    print("\n".join(_table([one.cost(gpus, args.split) for one in found], gpus, usd)))
    print(f"\nRate {rates.name}: {costs.RATES[rates.name]}, {_machine(rates.about)}.")
    print("\n".join(_explained(found)))
    print("\nSpeedup over one device, and efficiency:")
    print("\n".join(_scaling([one.efficiency() for one in found])))
    return 0


def _costs(name: str, profile: str, rates: Rates, runs: str | None) -> Costs:
    study = studies.get(name)
    if runs is None:
        return Costs(study, profile, rates)
    from kdfair_core.runs import RunStore

    return Costs(study, profile, rates, plan(study, profile, has=RunStore(runs).has))


def _machine(about: dict[str, Any]) -> str:
    parts = [about.get("device") or about.get("processor"), f"torch {about['torch']}"]
    parts += [f"recorded {about['recorded']}"] if "recorded" in about else []
    return ", ".join(str(part) for part in parts)


def _table(rows: list[Cost], gpus: int, usd: float | None) -> list[str]:
    lines = [f"{'study':<18}{'steps':>12}{'GPU hours':>11}{'wall':>9}{'USD':>9}{'disk':>10}  split"]
    total_wall = sum(row.wall for row in rows)
    for row in rows:
        lines.append(_line(row.study, row.steps, row.work, row.wall, row.disk, gpus, usd))
        lines[-1] += f"{row.split:>7}"
    if len(rows) > 1:
        steps, disk = (sum(getattr(row, key) for row in rows) for key in ("steps", "disk"))
        work = sum(row.work for row in rows)
        lines.append(_line("one after another", steps, work, total_wall, disk, gpus, usd))
    return lines


def _line(
    name: str, steps: int, work: float, wall: float, disk: int, gpus: int, usd: float | None
) -> str:
    price = "" if usd is None else f"{usd * gpus * wall / 3600:,.2f}"
    return (
        f"{name:<18}{steps:>12,}{work / 3600:>11,.1f}{_time(wall):>9}{price:>9}"
        f"{disk / 1e6:>7,.0f} MB"
    )


def _time(seconds: float) -> str:
    if seconds < 3600:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:,.1f} h" if seconds < 96 * 3600 else f"{seconds / 86400:,.1f} d"


_WHY = {
    "measured": "measured",
    "layers": "scaled by layers from the measured row (it waits for kernels to start)",
    "arithmetic": "scaled by multiply-adds from the measured row (a bound; not timed itself)",
}


def _explained(found: list[Costs]) -> list[str]:
    lines = []
    for one in found:
        cost = one.cost(1)
        (teacher, student), nets = cost.stands_on, (one.teacher.name, one.student.name)
        if teacher == student:
            lines.append(f"  {one.study.name}: {nets[0]} and {nets[1]} {_WHY[teacher]}")
        else:
            lines.append(
                f"  {one.study.name}: {nets[0]} {_WHY[teacher]}; {nets[1]} {_WHY[student]}"
            )
    lines.append("  The price is that of all devices until the last run ends, idle ones too.")
    lines.append("  Not counted: reading images from disk, the network, evaluation, starting.")
    return lines


def _scaling(found: list[list[dict[str, Any]]]) -> list[str]:
    counts = [row["devices"] for row in found[0]]
    lines = [f"{'devices':<18}" + "".join(f"{n:>12,}" for n in counts)]
    for rows in found:
        cells = (f"{row['speedup']:.1f}x {row['efficiency']:.0%}" for row in rows)
        lines.append(f"{rows[0]['study']:<18}" + "".join(f"{cell:>12}" for cell in cells))
    return lines
