"""What is measured of each study and what is missing, and the next piece to run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from kdfair_core import studies
from kdfair_core.files import Damaged
from kdfair_core.results.manifest import folder_of, read_manifest, results_root
from kdfair_core.runs import RunStore, run_name
from kdfair_core.studies import Study

Identity = dict[str, Any]


@dataclass(frozen=True)
class Progress:
    """How far a study is under a profile.

    ``manifest`` is of the published results, if any; ``problem`` says why they cannot be read, else
    it is empty. ``published`` are expected runs among them, ``stored`` those only in the run store,
    ``missing`` those in neither.
    """

    study: Study
    profile: str
    manifest: dict[str, Any] | None = None
    problem: str = ""
    published: list[Identity] = field(default_factory=list)
    stored: list[Identity] = field(default_factory=list)
    missing: list[Identity] = field(default_factory=list)


def progress(
    study: Study, profile: str, store: RunStore, *, root: str | os.PathLike[str] | None = None
) -> Progress:
    """Compare what a profile asks for with what is published and stored."""
    manifest, problem = None, ""
    folder = folder_of(results_root(root), study.name, profile)
    if folder.exists():
        try:
            manifest = read_manifest(folder)
        except Damaged as error:
            problem = str(error)
    published = {run["name"] for run in manifest["runs"]} if manifest else set()
    stored = store.names(study.name, profile)
    found = Progress(study, profile, manifest, problem)
    for identity in studies.expected_identities(study, profile):
        name = run_name(identity)
        if name in published:
            found.published.append(identity)
        elif name in stored:
            found.stored.append(identity)
        else:
            found.missing.append(identity)
    return found


def missing_pieces(
    names: Iterable[str],
    profile: str,
    store: RunStore,
    *,
    root: str | os.PathLike[str] | None = None,
) -> Iterator[tuple[str, dict[str, tuple]]]:
    """Yield the seeds of which runs are missing, study by study, each as the study's name and
    arguments of `kdfair_core.training.run_study`.

    A piece asks for all runs of the seed that are not published, those in the store included, so
    that it stays the same while it is trained and a killed one is taken up where it was.
    """
    for name in names:
        study = studies.get(name)
        if profile not in study.profiles:
            continue
        found = progress(study, profile, store, root=root)
        for seed in dict.fromkeys(identity["seed"] for identity in found.missing):
            wanted = [i for i in found.stored + found.missing if i["seed"] == seed]
            distilled = [identity for identity in wanted if identity["role"] == "ds"]
            options: dict[str, tuple] = {"seeds": (seed,)}
            for key in ("temperature", "alpha", "soft_scale"):
                options[f"{key}s"] = tuple(sorted({identity[key] for identity in distilled}))
            yield name, options
