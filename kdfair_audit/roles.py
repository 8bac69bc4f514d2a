"""Which columns hold which model: the small language in which roles are given.

A role is given as a column's name, with what tells runs apart after a colon::

    student                     one run
    student_T4_s0:T=4,seed=0    its temperature and its seed
    student_T{T}_s{seed}        all columns of that pattern
    p_student:scores            force a reading: scores, or labels
    teacher_{class}             scores, one column a class
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from kdfair_audit.errors import AuditError, listed, nearest, quoted

ROLES = ("teacher", "baseline", "distilled")
KINDS = ("labels", "scores")
PLACEHOLDERS = {"T": r"(?P<T>\d+(?:\.\d+)?)", "seed": r"(?P<seed>\d+)", "class": r"(?P<class>.+)"}
OPTIONS = re.compile(r"^(?P<column>.*):(?P<options>(?:(?:T|seed)=|scores\b|labels\b)[^:]*)$", re.S)


@dataclass(frozen=True)
class Model:
    """One run of one model, and where its predictions are."""

    role: str  # one of ROLES
    columns: tuple[str, ...]  # one; or one a class, of scores
    temperature: float | None = None  # of a distilled student
    seed: int | None = None
    kind: str = ""  # "labels" or "scores"; "" until the data has been seen
    classes: tuple[str, ...] = ()  # the class of each column where there is one a class

    @property
    def name(self) -> str:
        """What messages and tables call this run."""
        if len(self.columns) == 1:
            return self.columns[0]
        return f"{self.columns[0]} … {self.columns[-1]}"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Model:
        model = cls(**values)
        return replace(model, columns=tuple(model.columns), classes=tuple(model.classes))


def resolve(role: str, given: str | Iterable[str] | None, columns: Sequence[str]) -> list[Model]:
    """Find the columns of one role, given in the language above.

    Raises
    ------
    AuditError
        For a column that is not there, an option that cannot be read, and runs that nothing tells
        apart.
    """
    texts = [given] if isinstance(given, str) else list(given or [])
    models = [model for text in texts for model in _resolve_one(role, str(text), columns)]
    if role != "distilled" and any(model.temperature is not None for model in models):
        raise AuditError(f"a {role} was given a temperature; only distilled students have one")
    seen: dict[tuple[float | None, int | None], Model] = {}
    for model in models:
        other = seen.setdefault((model.temperature, model.seed), model)
        if other is not model:
            raise AuditError(
                f"nothing tells the {role} columns {quoted(other.name)} and {quoted(model.name)} "
                "apart: give seeds or temperatures, for example "
                f"{quoted(model.name + ':T=4,seed=1')}"
            )
    if len({model.temperature is None for model in models}) > 1:
        raise AuditError(
            "some distilled students have a temperature and others have none: give it for all "
            f"or for none ({listed(m.name for m in models if m.temperature is None)} lack it)"
        )
    return models


def parse_options(text: str) -> dict[str, Any]:
    """Read ``T=4,seed=0,scores``."""
    options: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = part.partition("=")
        try:
            if key == "T" and equals:
                options["temperature"] = _temperature(value)
            elif key == "seed" and equals:
                options["seed"] = int(value)
            elif part in KINDS:
                options["kind"] = part
            else:
                raise ValueError
        except ValueError:
            raise AuditError(
                f"cannot read {quoted(part)} in {quoted(text)}; expected T=NUMBER, seed=INTEGER, "
                "scores or labels"
            ) from None
    return options


def _resolve_one(role: str, text: str, columns: Sequence[str]) -> list[Model]:
    if text in columns:
        return [Model(role, (text,))]
    options: dict[str, Any] = {}
    found = OPTIONS.match(text)
    if found:
        text, options = found["column"], parse_options(found["options"])
        if text in columns:
            return [Model(role, (text,), **options)]
    if not re.search("|".join(f"{{{name}}}" for name in PLACEHOLDERS), text):
        raise AuditError(f"no column {quoted(text)} for the {role}; {nearest(text, columns)}")
    models = _match(role, text, columns, options)
    if not models:
        raise AuditError(
            f"no column has the pattern {quoted(text)} given for the {role}; "
            f"there are: {listed(columns, 8)}"
        )
    return models


def _match(role: str, pattern: str, columns: Sequence[str], options: dict[str, Any]) -> list[Model]:
    parts = re.split(r"(\{(?:" + "|".join(PLACEHOLDERS) + r")\})", pattern)
    names = [part[1:-1] for part in parts[1::2]]
    if len(set(names)) < len(names):
        raise AuditError(f"the pattern {quoted(pattern)} holds one placeholder twice")
    regex = "".join(
        PLACEHOLDERS[part[1:-1]] if i % 2 else re.escape(part) for i, part in enumerate(parts)
    )
    runs: dict[tuple[Any, Any], list[tuple[str, str]]] = {}
    for column in columns:
        match = re.fullmatch(regex, column, re.S)
        if match:
            values = match.groupdict()
            key = (
                _temperature(values["T"]) if values.get("T") else options.get("temperature"),
                int(values["seed"]) if values.get("seed") else options.get("seed"),
            )
            runs.setdefault(key, []).append((column, values.get("class", "")))
    kind = "scores" if "class" in names else options.get("kind", "")
    models = []
    for (temperature, seed), found in runs.items():
        shared = {"temperature": temperature, "seed": seed, "kind": kind}
        if "class" in names:
            given, classes = zip(*found, strict=True)
            models.append(Model(role, given, classes=classes, **shared))
        else:
            models += [Model(role, (column,), **shared) for column, _ in found]
    return models


def _temperature(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise AuditError(f"the temperature {quoted(text)} is not above 0")
    return int(value) if value == int(value) else value


@dataclass(frozen=True)
class Setting:
    """One model as the report speaks of it: a role, at a temperature, in one or more runs."""

    role: str
    temperature: float | None
    runs: tuple[int, ...]  # positions in the list of models


def settings(models: Sequence[Model]) -> list[Setting]:
    """Teacher, baseline, then the distilled students by temperature."""
    runs: dict[tuple[str, float | None], list[int]] = {}
    for i, model in enumerate(models):
        runs.setdefault((model.role, model.temperature), []).append(i)
    ordered = sorted(runs, key=lambda key: (ROLES.index(key[0]), key[1] or 0))
    return [Setting(role, at, tuple(runs[role, at])) for role, at in ordered]


def comparisons(models: Sequence[Model]) -> list[tuple[Setting, Setting]]:
    """Teacher against each distilled student, then baseline against each."""
    found = settings(models)
    students = [setting for setting in found if setting.role == "distilled"]
    others = [setting for setting in found if setting.role != "distilled"]
    return [(other, student) for other in others for student in students]


def run_pairs(models: Sequence[Model], a: Setting, b: Setting) -> list[tuple[int, int]]:
    """Runs to lay beside each other: those of the same seed; a single run goes with all."""
    if len(a.runs) == 1 or len(b.runs) == 1:
        return [(i, j) for i in a.runs for j in b.runs]
    same = [
        (i, j)
        for i in a.runs
        for j in b.runs
        if models[i].seed == models[j].seed and models[i].seed is not None
    ]
    return same or list(zip(a.runs, b.runs, strict=False))
