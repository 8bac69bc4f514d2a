"""Publishing: from the run store to a compact folder under ``data/``."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdfair_core import files, studies
from kdfair_core.datasets import Dataset
from kdfair_core.files import Damaged
from kdfair_core.results import collecting
from kdfair_core.results.frames import Results
from kdfair_core.results.manifest import (
    MANIFEST,
    SCHEMA,
    badge,
    folder_of,
    manifest_bytes,
    results_root,
)
from kdfair_core.results.reading import PREDICTIONS, csv_text, load, validate
from kdfair_core.runs import Run, RunStore, order, run_name
from kdfair_core.studies import Study


def publish(
    study: str | Study,
    profile: str,
    store: RunStore,
    *,
    dataset: Dataset | None = None,
    root: str | os.PathLike[str] | None = None,
    replace: bool = False,
) -> Path:
    """Publish what the store holds of a study under a profile; return the folder.

    Runs published before that the store does not hold stay published. Runs of the profile that are
    missing are listed in the manifest. Stored runs of another recipe, data set or engine than the
    profile's are left out with a warning. The same runs give the same files, but for the manifest's
    date and commit.

    Beside the predictions go the logits of some test examples (see `scored_examples`), and where
    individual fairness measures distances between these: "input", images averaged down to 8x8 (not
    of data sets of people), and "teacher", what the last layer of the first seed's teacher reads.
    Those published before are kept if they cannot be made.

    Parameters
    ----------
    study : str or Study
    profile : str
    store : RunStore
    dataset : Dataset, optional
        Default: the study's, loaded.
    root : path, optional
        Default: ``$KDFAIR_RESULTS``, else ``data/``.
    replace : bool
        Publish what the store holds and nothing else, over whatever is there.

    Raises
    ------
    ValueError
        If there is nothing to publish, the runs, their teachers and the data set do not belong
        together, or something published would be lost or changed and ``replace`` is false.
    DiskFull
        If there is no room; what was published before is untouched.
    """
    study = studies.get(study) if isinstance(study, str) else study
    study.profile(profile)
    runs = collecting.runs_of_profile(study, profile, store)
    if not runs:
        raise ValueError(
            f"nothing to publish: {store.root} holds no run of study {study.name!r} as profile "
            f"{profile!r} describes it; train with "
            f"python -m kdfair_core run {study.name} --profile {profile}"
        )
    folder = folder_of(results_root(root), study.name, profile)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with files.locked(folder.parent):
        return _publish(study, profile, runs, dataset, folder, replace)


def _publish(
    study: Study,
    profile: str,
    runs: list[Run],
    dataset: Dataset | None,
    folder: Path,
    replace: bool,
) -> Path:
    before = folder.with_name(f".before-{profile}")
    if before.exists() and not folder.exists():  # killed between the two renames below
        os.rename(before, folder)
    published = None if replace else _published(folder)
    dataset = dataset or studies.load_dataset(study, profile)
    examples = collecting.scored_examples(len(dataset.test.y), len(dataset.class_names))
    records = collecting.stored_records(runs, dataset, examples)
    if published:
        records |= collecting.published_records(
            published, folder, study, dataset, examples, records
        )
    collecting.check_origins(records.values(), dataset)
    ordered = sorted(records.values(), key=lambda record: order(record.identity))
    teacher = next((run for run in runs if run.name == ordered[0].name), None)
    spaces = collecting.make_features(teacher, dataset, examples)
    if published and np.array_equal(published.scored, examples):
        spaces = published.features | spaces
    arrays = _arrays(ordered, dataset, examples, spaces)
    manifest = _manifest(study, profile, ordered, dataset, arrays)
    tables = Results.from_arrays(manifest, arrays).tables()

    with files.workplace(folder.parent, f"{study.name}/{profile}") as aside:
        # The folder that is checked has the names of the final one.
        new = folder_of(aside, study.name, profile)
        new.mkdir(parents=True)
        _write_npz(new / PREDICTIONS, arrays)
        for name, frame in tables.items():
            files.write_bytes(new / name, csv_text(frame).encode())
        manifest["files"] = {path.name: files.sha256(path) for path in sorted(new.iterdir())}
        files.write_bytes(new / MANIFEST, manifest_bytes(manifest))
        files.sync_folder(new)
        validate(study.name, profile, root=aside)
        shutil.rmtree(before, ignore_errors=True)
        if folder.exists():
            os.rename(folder, before)
        os.rename(new, folder)
        files.sync_folder(folder.parent)
    shutil.rmtree(before, ignore_errors=True)
    return folder


def _published(folder: Path) -> Results | None:
    if not folder.exists():
        return None
    try:
        return load(folder.parent.name, folder.name, root=folder.parents[1])
    except ValueError as error:
        raise Damaged(f"nothing was published over what is there, because {error}") from None


def _arrays(
    records: list[collecting.Record],
    dataset: Dataset,
    examples: NDArray[np.int64],
    features: Mapping[str, NDArray[np.float16]],
) -> dict[str, NDArray[Any]]:
    """Return what predictions.npz holds."""
    small = np.uint8 if len(dataset.class_names) <= 256 else np.uint16
    groups = {name: codes.astype(np.int16) for name, codes in dataset.test.groups.items()}
    return {
        "y_true": dataset.test.y.astype(small),
        "pred": np.stack([record.pred.astype(small) for record in records]),
        **{f"group_{name}": groups[name] for name in sorted(groups)},
        "scored": examples.astype(np.int32),
        "logits": np.stack([record.logits for record in records]),
        **{f"features_{name}": features[name] for name in sorted(features)},
    }


def _manifest(
    study: Study,
    profile: str,
    records: list[collecting.Record],
    dataset: Dataset,
    arrays: Mapping[str, NDArray[Any]],
) -> dict[str, Any]:
    described = study.profile(profile)
    accuracy = (arrays["pred"] == arrays["y_true"]).mean(axis=1)
    environments: list[dict[str, Any]] = []
    for record in records:
        if record.environment not in environments:
            environments.append(record.environment)
    names = {record.name for record in records}
    missing = [
        identity
        for identity in studies.expected_identities(study, profile)
        if run_name(identity) not in names
    ]
    return {
        "schema": SCHEMA,
        "study": study.name,
        "title": study.title,
        "profile": profile,
        "badge": badge(profile),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "code": _commit(),
        "engine": studies.ENGINE,
        "environments": environments,
        "devices": sorted({str(e.get("device", "unknown")) for e in environments}),
        "hours": round(sum(record.seconds or 0 for record in records) / 3600, 4),
        "dataset": {"name": dataset.name, "note": dataset.note, **described.dataset},
        "classes": list(dataset.class_names),
        "groups": {name: list(dataset.group_names[name]) for name in sorted(dataset.test.groups)},
        "examples": len(dataset.test.y),
        "scored": len(arrays["scored"]),
        "departures": list(described.departures),
        # What all runs of a role share; with a row of "runs" it makes the identity of the run.
        "identities": {
            record.identity["role"]: {
                key: value
                for key, value in record.identity.items()
                if key not in (*collecting.KEYS, "teacher")
            }
            for record in records
        },
        "runs": [
            {
                "name": record.name,
                **{key: record.identity.get(key) for key in collecting.KEYS},
                "accuracy": float(accuracy[position]),
                "seconds": record.seconds,
                "diverged": record.diverged,
                "finished": record.finished,
                "environment": environments.index(record.environment),
                **record.origin,
            }
            for position, record in enumerate(records)
        ],
        "missing": [{key: identity.get(key) for key in collecting.KEYS} for identity in missing],
        "files": {},
    }


def _commit() -> str:
    """Return the commit of the code, with "+" if its files differ from it; "" outside of git.

    A repository that merely encloses the installed package says nothing about it.
    """
    package = Path(__file__).parents[1]

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(package), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != package.parent.resolve():
            return ""
        git("ls-files", "--error-unmatch", "__init__.py")
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def _write_npz(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays as .npz, the same bytes for the same arrays.

    Predictions are stored example by example (in Fortran order): models mostly agree on an example,
    which compresses well.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for name, array in arrays.items():
            data = files.npy_bytes(np.asfortranarray(array) if name == "pred" else array)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            file.writestr(entry, data, compresslevel=9)
    with open(path, "rb") as written:
        os.fsync(written.fileno())
