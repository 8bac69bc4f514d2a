"""Which part of a sweep runs where and when: tasks, and a simulation of devices that do them."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from kdfair_core import asked
from kdfair_core.runs import run_name
from kdfair_core.training.plan import Sweep


@dataclass(frozen=True)
class Task:
    """A part of a sweep that one device trains.

    Attributes
    ----------
    name : str
        Such as "seed 0, students 2 of 3".
    sweep : Sweep
        With what the task trains as its missing runs.
    rank : tuple
        Teachers first, then students, then null seeds; the smallest goes first.
    company : int
        Networks that would learn together in one process.
    """

    name: str
    sweep: Sweep
    rank: tuple[int, int, int]
    company: int = 1

    @property
    def kind(self) -> str:
        """One of "teacher", "students" and "null"."""
        return ("teacher", "students", "null")[self.rank[0]]


def usual_split(sweeps: Sequence[Sweep], devices: int) -> int:
    """Groups of each seed's students with which all devices are busy."""
    seeds = [s for s in sweeps if s.teacher is not None and s.to_train()]
    most = max((len(s.students) for s in seeds), default=1)
    return max(1, min(most, -(-devices // max(1, len(seeds)))))


def tasks(sweeps: Iterable[Sweep], split: int, together: int = 1) -> list[Task]:
    """The missing runs of sweeps as tasks, the one to begin with first.

    A group is made of all students that were asked for, stored or not, so that it keeps its
    checkpoint; the same split of the same request gives the same groups.

    Parameters
    ----------
    sweeps : iterable of Sweep
    split : int
        Groups of each seed's students, at most.
    together : int
        Students that one process runs as one program: groups hold whole programs, so that sums are
        made in the same order.

    Raises
    ------
    ValueError
        For a split that cannot be.
    """
    split = asked.count("split", split)
    made: list[Task] = []
    for sweep in sweeps:
        missing = set(sweep.missing)
        if sweep.teacher is None:
            if missing:
                made.append(Task(f"null seed {sweep.seed}", sweep, (2, sweep.seed, 0)))
            continue
        name = run_name(sweep.teacher)
        if name in missing:
            alone = replace(sweep, students=(), missing=(name,))
            made.append(Task(f"seed {sweep.seed}, teacher", alone, (0, sweep.seed, 0)))
        company = sum(run_name(i) in missing for i in sweep.students)
        groups = _groups(sweep.students, split, together)
        for k, group in enumerate(groups, 1):
            names = tuple(n for i in group if (n := run_name(i)) in missing)
            if names:
                one = replace(sweep, students=group, missing=names)
                part = f"students {k} of {len(groups)}" if len(groups) > 1 else "students"
                made.append(Task(f"seed {sweep.seed}, {part}", one, (1, sweep.seed, k), company))
    return sorted(made, key=lambda task: task.rank)


def _groups(students: tuple, split: int, together: int) -> list[tuple]:
    n = len(students)
    # a network left over would run by itself, and not as a program
    starts = [k for k in range(0, n, together) if n - k > 1 or k == 0 or together == 1]
    count = min(split, len(starts)) if n else 0
    cuts = [starts[len(starts) * k // count] for k in range(count)] + [n]
    return [students[a:b] for a, b in pairwise(cuts)]


@dataclass(frozen=True)
class Timeline:
    """What simulated devices did: seconds until the last task ended, and of work in all."""

    makespan: float
    work: float


def simulate(todo: Sequence[Task], seconds: Callable[[Task], float], devices: int) -> Timeline:
    """Let devices take the tasks in their order; students wait for their teacher.

    Parameters
    ----------
    todo : sequence of Task
        From :func:`tasks`.
    seconds : callable
        How long a task takes.
    devices : int
    """
    free = devices
    now = work = 0.0
    running: list[tuple[float, int]] = []
    waiting = list(range(len(todo)))
    teachers = {task.sweep.seed for task in todo if task.kind == "teacher"}
    while waiting or running:
        ready = [k for k in waiting if todo[k].kind != "students"]
        ready += [k for k in waiting if k not in ready and todo[k].sweep.seed not in teachers]
        for k in sorted(ready, key=lambda k: todo[k].rank)[:free]:
            took = seconds(todo[k])
            work += took
            heapq.heappush(running, (now + took, k))
            waiting.remove(k)
            free -= 1
        now, ended = heapq.heappop(running)
        free += 1
        if todo[ended].kind == "teacher":
            teachers.discard(todo[ended].sweep.seed)
    return Timeline(now, work)
