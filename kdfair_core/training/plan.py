"""What is asked for, as sweeps: plain data that can be printed, sent and counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from kdfair_core import asked, studies
from kdfair_core.runs import identity_hash, run_name
from kdfair_core.studies import Study, recipe_of

Identity = dict[str, Any]


@dataclass(frozen=True)
class Sweep:
    """One seed: a teacher and its students, or the student of a null seed.

    Attributes
    ----------
    seed : int
    teacher : identity or None
        None where there is nobody to learn from but the labels.
    students : tuple of identity
        All that were asked for.
    missing : tuple of str
        Names of the runs, the teacher's included, that are not stored yet.
    """

    seed: int
    teacher: Identity | None
    students: tuple[Identity, ...]
    missing: tuple[str, ...]

    def to_train(self) -> list[Identity]:
        """The runs that are missing, the teacher first."""
        everyone = [*([self.teacher] if self.teacher else []), *self.students]
        return [identity for identity in everyone if run_name(identity) in self.missing]

    def steps(self, n_train: int) -> int:
        """Training steps that are left with so many examples, each network's counted."""
        recipes = [recipe_of(identity["recipe"]) for identity in self.to_train()]
        return sum(r.epochs * steps_per_epoch(n_train, r.batch_size) for r in recipes)


def steps_per_epoch(n: int, batch_size: int) -> int:
    """Batches of an epoch: a last one of a single example is left out."""
    whole, rest = divmod(n, batch_size)
    return whole + (rest > 1)


def plan(
    study: Study,
    profile: str,
    *,
    has: Callable[[Identity], bool],
    seeds: Iterable[int] | None = None,
) -> list[Sweep]:
    """The sweeps of a study (or of a part of it: see :func:`narrowed`), seed by seed.

    ``has`` says whether a run is stored already, as :meth:`kdfair_core.runs.RunStore.has` does;
    ``seeds`` take the place of the profile's, and its null seeds count. A profile or a seed that
    cannot be is a ValueError.
    """
    chosen = study.profile(profile)
    wanted = chosen.seeds + chosen.null_seeds if seeds is None else asked.seeds(seeds)
    sweeps = []
    for seed in wanted:
        null = seed in chosen.null_seeds
        teacher = None if null else studies.teacher_identity(study, profile, seed)
        role = "null" if null else None
        students = tuple(studies.student_identities(study, profile, seed, role=role))
        everyone = students if teacher is None else (teacher, *students)
        missing = tuple(run_name(identity) for identity in everyone if not has(identity))
        sweeps.append(Sweep(seed, teacher, students, missing))
    return sweeps


def narrowed(
    study: Study, profile: str, *, precision: str | None = None, **settings: Iterable | None
) -> Study:
    """A study with what is asked for in place of what its profile says.

    ``settings`` are ``temperatures``, ``alphas`` and ``soft_scales``; those that are None stay.

    Raises
    ------
    ValueError
        For a profile or a setting that cannot be.
    """
    given = study.profile(profile)
    changes: dict[str, Any] = {name: v for name, v in settings.items() if v is not None}
    if precision is not None:
        changes["teacher_recipe"] = replace(given.teacher_recipe, precision=precision)
        changes["student_recipe"] = replace(given.student_recipe, precision=precision)
    return replace(study, profiles={**study.profiles, profile: replace(given, **changes)})


def checkpoint_of(requested: list[Identity]) -> tuple[str, Identity]:
    """Name of the checkpoint of runs that are trained together, and what it must belong to.

    The name says role, seed and which runs were requested, so that a call that asks for others
    does not take it up.
    """
    first = requested[0]
    which = [[i["role"], i["temperature"], i["alpha"], i["soft_scale"]] for i in requested]
    role = "teacher" if first["role"] == "teacher" else "students"
    company = f"{role}-s{first['seed']}-{identity_hash({'which': which})[:8]}"
    shared = ("study", "profile", "seed", "dataset", "network", "recipe", "engine")
    teachers = sorted({i["teacher"] for i in requested if "teacher" in i})
    belongs = {key: first[key] for key in shared} | {"teachers": teachers}
    return f"{first['study']}/{first['profile']}/{company}", belongs
