"""Studies: data sets, networks, temperatures and recipes, as data.

A study is what the paper asks of one data set and one pair of networks; a profile is the size at
which it is run. ``kinds`` says what they are made of, ``catalog`` lists them all; here they are
found by name, and the runs that each holds are spelled out.
"""

from __future__ import annotations

import os
import runpy
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from functools import partial
from importlib import metadata
from typing import Any

from kdfair_core import asked, datasets
from kdfair_core.datasets import Dataset
from kdfair_core.runs import identity_hash
from kdfair_core.studies.catalog import STUDIES
from kdfair_core.studies.kinds import NULL_SEEDS, SEEDS, Profile, Recipe, Study, recipe_of
from kdfair_core.studies.temperatures import TEMPERATURES

__all__ = ["ENGINE", "NULL_SEEDS", "SEEDS", "STUDIES", "TEMPERATURES", "Profile", "Recipe", "Study"]
__all__ += ["expected_identities", "get", "in_file", "load_dataset", "names", "recipe_of"]
__all__ += ["student_identities", "teacher_identity"]

ENGINE = "1"
"""Version of what training computes. Raise it when the same identity would give other weights."""


GROUP = "kdfair.studies"
"""Entry points by which an installed package brings studies: each is a :class:`Study`."""


def names() -> list[str]:
    """Names of the studies, in the book's order."""
    return list(STUDIES)


def get(name: str) -> Study:
    """Study of that name, or the study in a file, given as ``my_study.py:STUDY``.

    Without one, a ValueError names those there are.
    """
    if not isinstance(name, str):
        raise ValueError(f"study {asked.shown(name)}: expected a name, such as trifeature")
    if name in STUDIES:
        return STUDIES[name]
    path, _, variable = name.rpartition(":")
    if path.endswith(".py"):
        found = in_file(path)
        if variable not in found:
            listed = ", ".join(found) or "none"
            raise ValueError(f"{path} has no study {variable!r}; it has {listed}")
        return found[variable]
    others = {entry.name: entry for entry in metadata.entry_points(group=GROUP)}
    if name not in others:
        listed = ", ".join([*STUDIES, *others])
        raise ValueError(f"unknown study {name!r}; expected one of {listed}, or my_study.py:STUDY")
    return others[name].load()


def in_file(path: str) -> dict[str, Study]:
    """The studies that a Python file defines, by the names of their variables.

    ValueError if the file cannot be run.
    """
    try:
        content = runpy.run_path(path)
    except Exception as error:  # whatever somebody's file does
        raise ValueError(f"{path} cannot be run: {type(error).__name__}: {error}") from error
    return {name: value for name, value in content.items() if isinstance(value, Study)}


def load_dataset(
    study: Study, profile_name: str, root: str | os.PathLike[str] | None = None
) -> Dataset:
    """A study's data, as its profile wants them; ``root`` is where data sets lie."""
    load = study.load or partial(datasets.load, study.dataset, root=root)
    dataset = load(**study.profile(profile_name).dataset)
    if len(dataset.class_names) != study.n_classes:
        raise ValueError(
            f"data set {study.dataset!r} has {len(dataset.class_names)} classes; "
            f"study {study.name!r} expects {study.n_classes}"
        )
    return dataset


_LATER = {"schedule": "steps", "nesterov": False, "loss": "kd"}
"""Fields that recipes got after runs were published: an identity holds them where they differ."""


def _recipe(recipe: Recipe) -> dict[str, Any]:
    fields = {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(recipe).items()}
    return {key: v for key, v in fields.items() if key not in _LATER or v != _LATER[key]}


def teacher_identity(study: Study, profile_name: str, seed: int) -> dict[str, Any]:
    """Identity of one teacher: everything that determines it (see :mod:`kdfair_core.runs`)."""
    profile = study.profile(profile_name)
    return {
        **_common(study, profile_name, "teacher", seed),
        "network": profile.teacher,
        "recipe": _recipe(profile.teacher_recipe),
    }


def student_identities(
    study: Study, profile_name: str, seed: int, *, role: str | None = None
) -> Iterator[dict[str, Any]]:
    """Identities of the students of one seed: the non-distilled one, then every distilled one.

    With ``role="null"`` the one student of a null seed.
    """
    profile = study.profile(profile_name)
    of_student = {"network": profile.student, "recipe": _recipe(profile.student_recipe)}
    yield _common(study, profile_name, role or "nds", seed) | of_student
    if role == "null":
        return
    teacher = identity_hash(teacher_identity(study, profile_name, seed))
    for alpha in profile.alphas:
        for soft_scale in profile.soft_scales:
            for temperature in profile.temperatures:
                yield {
                    **_common(study, profile_name, "ds", seed),
                    **of_student,
                    "temperature": temperature,
                    "alpha": alpha,
                    "soft_scale": soft_scale,
                    "teacher": teacher,
                }


def _common(study: Study, profile_name: str, role: str, seed: int) -> dict[str, Any]:
    return {
        "study": study.name,
        "profile": profile_name,
        "role": role,
        "seed": asked.seeds(seed)[0],
        "temperature": None,
        "alpha": None,
        "soft_scale": None,
        "dataset": {"name": study.dataset, **study.profile(profile_name).dataset},
        "engine": ENGINE,
    }


def expected_identities(
    study: Study, profile_name: str, seeds: Iterable[int] | None = None
) -> list[dict[str, Any]]:
    """Identities of every run that a whole profile holds, seed by seed, null control last."""
    profile = study.profile(profile_name)
    chosen = set(profile.seeds + profile.null_seeds if seeds is None else seeds)
    identities = []
    for seed in profile.seeds:
        if seed in chosen:
            identities.append(teacher_identity(study, profile_name, seed))
            identities.extend(student_identities(study, profile_name, seed))
    for seed in profile.null_seeds:
        if seed in chosen:
            identities.extend(student_identities(study, profile_name, seed, role="null"))
    return identities
