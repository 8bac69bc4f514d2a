"""What is to be published: runs from the store, runs published before, features of examples."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdfair_core import studies
from kdfair_core.datasets import Dataset, fingerprint
from kdfair_core.results.frames import Results
from kdfair_core.runs import Run, RunStore, run_name
from kdfair_core.studies import Study

SCORED = 500
"""Most examples whose logits are kept."""

OF_PEOPLE = ("celeba", "hatexplain", "utkface")
"""Data sets of which nothing that shows an example is published, shrunk images included."""

ORIGIN = ("data", "weights", "teacher_weights")
"""SHA-256 of the data set a run saw, of a teacher's weights, of those of a student's teacher. Runs
stored by earlier versions do not say."""

KEYS = ("role", "seed", "temperature", "alpha", "soft_scale")
"""What tells the runs of one profile apart."""


@dataclass(frozen=True)
class Record:
    """A run as it is published: ``pred`` [example], ``logits`` [m, class], and its notes.

    ``origin`` has what it knows of ``ORIGIN``.
    """

    name: str
    identity: dict[str, Any]
    seconds: float | None
    diverged: bool
    finished: str
    environment: dict[str, Any]
    origin: dict[str, str]
    pred: NDArray[np.integer]
    logits: NDArray[np.float16]


def scored_examples(n: int, n_classes: int) -> NDArray[np.int64]:
    """Return which of ``n`` test examples' logits are published: positions, evenly strided.

    There are 500, or fewer with more than 20 classes so that a run keeps about 10,000 numbers (but
    50 examples at least), and never more than ``n``.
    """
    m = min(SCORED, max(50, 10_000 // n_classes), n)
    return np.arange(m) * n // m


def pooled(images: NDArray[np.uint8], side: int = 8) -> NDArray[np.float16]:
    """Return images [m, channel, height, width] averaged down to ``side`` squared, flattened.

    The scale is 0 to 1; the order is channel, row, column.
    """
    values = images.astype(np.float64) / 255
    for axis in (2, 3):
        length = values.shape[axis]
        edges = np.arange(side) * length // side
        sizes = np.diff(np.append(edges, length))
        values = np.add.reduceat(values, edges, axis=axis)
        values /= sizes.reshape([-1 if other == axis else 1 for other in range(4)])
    return values.reshape(len(values), -1).astype(np.float16)


def as_described(study: Study, profile: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the identity that the profile gives to a run of this role, seed and setting.

    The setting need not be one of the profile's: a further temperature is as good.
    """
    if row["role"] == "teacher":
        return studies.teacher_identity(study, profile, row["seed"])
    if row["role"] != "ds":
        return next(studies.student_identities(study, profile, row["seed"], role=row["role"]))
    narrowed = replace(
        study.profile(profile),
        temperatures=(row["temperature"],),
        alphas=(row["alpha"],),
        soft_scales=(row["soft_scale"],),
    )
    study = replace(study, profiles={profile: narrowed})
    return list(studies.student_identities(study, profile, row["seed"]))[-1]


def runs_of_profile(study: Study, profile: str, store: RunStore) -> list[Run]:
    """Return the stored runs that are of the profile's recipe, data set and engine."""
    stored = store.runs(study.name, profile)
    runs = [r for r in stored if r.name == run_name(as_described(study, profile, r.identity))]
    if len(runs) < len(stored):
        others = sorted({run.name for run in stored} - {run.name for run in runs})
        warnings.warn(
            f"{len(others)} runs in {store.root} are of another recipe, data set or engine than "
            f"profile {profile!r} of {study.name!r} and are left out, {others[0]} for one",
            stacklevel=3,
        )
    return runs


def stored_records(
    runs: list[Run], dataset: Dataset, examples: NDArray[np.int64]
) -> dict[str, Record]:
    """Return records of stored runs by name, checked against the data set."""
    labels, n_classes = dataset.test.y, len(dataset.class_names)
    records = {}
    for run in runs:
        pred, logits = run.arrays["prediction"], run.arrays["logits"]
        if pred.shape != labels.shape or logits.shape != (len(labels), n_classes):
            raise ValueError(
                f"the run {run.name} predicts {logits.shape[0]} examples of {logits.shape[1]} "
                f"classes; data set {dataset.name!r} has {len(labels)} of {n_classes}"
            )
        accuracy = float((pred == labels).mean())
        noted = run.info.get("accuracy")
        if noted is not None and abs(noted - accuracy) > 1e-6:
            raise ValueError(
                f"the run {run.name} had accuracy {noted} when it was trained and has {accuracy} "
                f"on the labels of this data set {dataset.name!r}: it is not the one of the run"
            )
        records[run.name] = Record(
            run.name,
            run.identity,
            run.info.get("seconds"),
            bool(run.info.get("diverged", False)),
            run.written,
            run.info.get("environment", {}),
            {key: run.info[key] for key in ORIGIN if key in run.info},
            pred,
            logits[examples].astype(np.float16),
        )
    return records


def published_records(
    published: Results,
    folder: Path,
    study: Study,
    dataset: Dataset,
    examples: NDArray[np.int64],
    known: Mapping[str, Record],
) -> dict[str, Record]:
    """Return records of the runs published before that are not ``known`` from the store.

    ValueError if some cannot be kept beside the new ones.
    """
    kept: dict[str, Record] = {}
    stale = []
    same_examples = np.array_equal(published.scored, examples)
    for position, row in enumerate(published.manifest["runs"]):
        identity = as_described(study, published.profile, row)
        if row["name"] in known:
            new = known[row["name"]]
            same = np.array_equal(new.pred, published.pred[position])
            if same and same_examples:
                same = np.array_equal(new.logits, published.logits[position], equal_nan=True)
            if not same:
                raise ValueError(
                    f"the run {row['name']} in the store is not the one that is published in "
                    f"{folder}: its predictions differ, as those of another machine do; publish "
                    "with replace=True (--replace) to put the store's runs in place of all"
                )
            continue
        if row["name"] != run_name(identity):
            stale.append(row["name"])
            continue
        kept[row["name"]] = Record(
            row["name"],
            identity,
            row["seconds"],
            row["diverged"],
            row["finished"],
            published.manifest["environments"][row["environment"]],
            {key: row[key] for key in ORIGIN if key in row},
            published.pred[position],
            published.logits[position],
        )
    why = ""
    if stale:
        why = "they are of another recipe, data set or engine than the profile's is now"
    elif kept and not np.array_equal(published.y_true, dataset.test.y):
        why = "their labels are not those of the data set"
    elif kept and not same_examples:
        why = f"their logits are of {len(published.scored)} scored examples, not {len(examples)}"
    if why:
        lost = stale or list(kept)
        raise ValueError(
            f"{len(lost)} of the {len(published.pred)} runs published in {folder} would be lost, "
            f"{lost[0]} for one, because {why}: publish with replace=True (--replace) to drop them"
        )
    return kept


def check_origins(records: Iterable[Record], dataset: Dataset) -> None:
    """Refuse students beside another teacher than theirs, and runs that saw another data set.

    The ValueError names the run, and what it has and should have.
    """
    records = list(records)
    teachers = {r.identity["seed"]: r for r in records if r.identity["role"] == "teacher"}
    data = fingerprint(dataset) if any("data" in record.origin for record in records) else ""
    for record in records:
        seen = record.origin.get("data", data)
        if seen != data:
            raise ValueError(
                f"the run {record.name} saw data with SHA-256 {seen[:16]}..., and the data set "
                f"{dataset.name!r} here has {data[:16]}...: it is another one"
            )
        teacher = teachers.get(record.identity["seed"])
        theirs = record.origin.get("teacher_weights")
        if teacher and theirs and theirs != teacher.origin.get("weights", theirs):
            raise ValueError(
                f"the run {record.name} learned from a teacher whose weights have SHA-256 "
                f"{theirs[:16]}..., and those of {teacher.name} have "
                f"{teacher.origin['weights'][:16]}...: publish a teacher and its students from one "
                "machine, or train these students again"
            )


def make_features(
    teacher: Run | None, dataset: Dataset, examples: NDArray[np.int64]
) -> dict[str, NDArray[np.float16]]:
    """Return the features [m, d] of the scored examples, by space.

    "teacher": what its last layer reads, if ``teacher`` noted it. "input": images averaged down,
    unless they show people.
    """
    features = {}
    if teacher and "features" in teacher.arrays:
        with np.errstate(over="ignore"):
            values = teacher.arrays["features"][examples].astype(np.float16)
        if np.isfinite(values).all():
            features["teacher"] = values
        else:
            warnings.warn("the features 'teacher' are not finite and left out", stacklevel=4)
    if dataset.kind == "images" and dataset.name not in OF_PEOPLE:
        features["input"] = pooled(dataset.test.x[examples])
    return features
