"""Verdicts on the paper's claims, computed from published results."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from kdfair_book.claims.registry import CLAIMS, Claim
from kdfair_book.evidence.available import available
from kdfair_book.evidence.claim_tests import Finding
from kdfair_book.evidence.sweep import NotThere, Sweep, settings, sweep
from kdfair_book.evidence.trends import holm
from kdfair_core import studies
from kdfair_core.results import Results, load

LEVEL = 0.05

VERDICTS = ("holds", "fails", "undecided", "not measured")

SMALL, NOTHING = "too small to matter", "nothing that would matter"

CLASSES_FROM = 10
"""Claims about how many classes are affected are asked of studies with at least this many."""

COLUMNS = [
    "claim",
    "study",
    "profile",
    "attribute",
    "alpha",
    "soft_scale",
    "verdict",
    "addition",
    "statistic",
    "p_value",
    "p_adjusted",
    "p_opposite",
    "p_opposite_adjusted",
    "effect",
    "low",
    "high",
    "n",
    "by_seed",
    "why",
    "figure",
]


def verdict(
    p_value: float, p_opposite: float, high: float, smallest: float, *, level: float = LEVEL
) -> str:
    """The verdict of a test; see :mod:`kdfair_book.claims` for the rule.

    Parameters
    ----------
    p_value, p_opposite : float
        One-sided, corrected.
    high : float
        Upper end of the effect's 95 % interval, NaN if there is none.
    smallest : float
        The smallest effect that would matter, NaN if none is set.
    level : float
    """
    if p_value <= level:
        return "holds"
    if p_opposite <= level or high < smallest:
        return "fails"
    return "undecided"


def addition(
    word: str, p_opposite: float, high: float, smallest: float, *, level: float = LEVEL
) -> str:
    """What the size of the effect adds to a verdict, which is about its direction.

    Parameters
    ----------
    word : str
        From :func:`verdict`; the other parameters are the same.

    Returns
    -------
    str
        If the interval ends below the smallest effect that would matter: :data:`SMALL` for a claim
        that holds, :data:`NOTHING` for one that fails without its opposite being shown; else "".
    """
    if not high < smallest:
        return ""
    return SMALL if word == "holds" else NOTHING if word == "fails" and p_opposite > level else ""


def with_verdicts(
    frame: pd.DataFrame, smallest: Sequence[float], *, level: float = LEVEL
) -> pd.DataFrame:
    """A frame with ``verdict`` and ``addition``, out of its corrected p-values and intervals.

    Parameters
    ----------
    frame : DataFrame
        With ``p_adjusted`` (NaN: not measured), ``p_opposite_adjusted`` and ``high``.
    smallest : sequence of float
        Of each row.
    level : float
    """
    rows = []
    numbers = frame[["p_adjusted", "p_opposite_adjusted", "high"]].astype(float).to_numpy()
    for (p, opposite, high), least in zip(numbers, smallest, strict=True):
        word = verdict(p, opposite, high, least, level=level)
        more = addition(word, opposite, high, least, level=level)
        rows.append(("not measured", "") if np.isnan(p) else (word, more))
    columns = dict(zip(("verdict", "addition"), zip(*rows, strict=True), strict=True))
    return frame.assign(**columns)


def check(
    results: Results, *, alpha: float | None = None, soft_scale: str | None = None
) -> pd.DataFrame:
    """Test every claim that applies to one study's results, without correction over studies.

    Returns
    -------
    pandas.DataFrame
        The columns of :func:`scorecard` that need no correction: no verdict, no adjusted p-values.
    """
    rows = []
    try:
        found: Sweep | None = sweep(results, alpha=alpha, soft_scale=soft_scale)
        reason = ""
    except NotThere as error:
        found, reason = None, str(error)
    for claim in CLAIMS:
        if not _asked(claim, len(results.classes), results.attributes):
            continue
        row = {
            "claim": claim.id,
            "study": results.study,
            "profile": results.profile,
            "alpha": found.alpha if found else np.nan,
            "soft_scale": found.soft_scale if found else "",
        }
        try:
            if found is None:
                raise NotThere(reason)
            measured = claim.measure(found)
        except NotThere as error:
            rows.append(row | _nothing(str(error)))
            continue
        rows += [row | _fields(finding) for finding in measured]
    return pd.DataFrame(rows, columns=COLUMNS[: COLUMNS.index("why") + 1]).drop(
        columns=["verdict", "addition", "p_adjusted", "p_opposite_adjusted"]
    )


def judge(
    results: Results,
    *,
    alpha: float | None = None,
    soft_scale: str | None = None,
    level: float = LEVEL,
) -> pd.DataFrame:
    """Verdicts on one study's results alone, corrected over its attributes only.

    Returns
    -------
    pandas.DataFrame
        The columns of :func:`scorecard`.
    """
    return _decided(check(results, alpha=alpha, soft_scale=soft_scale), level)


def scorecard(
    *,
    names: Sequence[str] | None = None,
    soft_scale: str | None = None,
    every_setting: bool = False,
    level: float = LEVEL,
    root: str | os.PathLike[str] | None = None,
) -> pd.DataFrame:
    """The verdict on every claim, for every study and profile.

    Parameters
    ----------
    names : sequence of str, optional
        Studies; default: all that are registered or published.
    soft_scale : str, optional
        Only studies that were measured with this scaling of the soft term, "T2" or "none".
    every_setting : bool
        Judge every alpha and scaling, not only the usual one (0.8 and "T2").
    level : float
    root : path, optional
        Where results are published.

    Returns
    -------
    pandas.DataFrame
        A row a claim, study, profile, attribute and setting: ``claim``, ``study``, ``profile`` (""
        where nothing was measured), ``attribute``, ``alpha``, ``soft_scale``, ``verdict``,
        ``addition`` (of :func:`addition`),
        ``statistic``, ``p_value``, ``p_adjusted`` (Holm over the studies and attributes of a
        claim, profile and setting), ``p_opposite`` and ``p_opposite_adjusted``, ``effect``,
        ``low``, ``high``, ``n``, ``by_seed`` (the effect of each seed, where it has one), ``why``
        (the numbers in a sentence, or what is missing) and ``figure`` (its name in the study's
        page).
    """
    published = available(root)
    published = published[published["problem"] == ""]
    chosen = list(names) if names is not None else _all_studies(published["study"])
    parts: list[pd.DataFrame] = []
    sweeps: dict[Any, list[Sweep]] = {}
    for name in chosen:
        profiles = published.loc[published["study"] == name, "profile"]
        if profiles.empty and soft_scale is None:
            parts.append(_unmeasured(name))
        for profile in profiles:
            results = load(name, profile, root=root)
            there = [s for s in settings(results) if soft_scale in (None, s[1])]
            for alpha, scale in there[: None if every_setting else 1]:
                parts.append(check(results, alpha=alpha, soft_scale=scale))
                if len(results.classes) >= CLASSES_FROM and not results.attributes:
                    key = (profile, alpha, scale)
                    sweeps.setdefault(key, []).append(sweep(results, alpha=alpha, soft_scale=scale))
            if not there and soft_scale is None:
                parts.append(check(results))
    parts.append(_across(sweeps))
    rows = [part for part in parts if not part.empty]
    if not rows:
        return pd.DataFrame(columns=COLUMNS)
    return _decided(pd.concat(rows, ignore_index=True), level)


def _decided(frame: pd.DataFrame, level: float) -> pd.DataFrame:
    """Correct over studies, then decide."""
    family = ["claim", "profile", "alpha", "soft_scale"]
    for name in ("p_value", "p_opposite"):
        corrected = {"p_value": "p_adjusted", "p_opposite": "p_opposite_adjusted"}[name]
        frame[corrected] = frame.groupby(family, dropna=False)[name].transform(
            lambda p: holm(p.to_numpy(dtype=float))
        )
    known = {claim.id: claim for claim in CLAIMS}
    frame["figure"] = [known[claim].figure for claim in frame["claim"]]
    frame = with_verdicts(frame, [known[claim].smallest for claim in frame["claim"]], level=level)
    order = {claim.id: k for k, claim in enumerate(CLAIMS)}
    frame = frame.sort_values("claim", key=lambda c: c.map(order), kind="stable")
    return frame[COLUMNS].reset_index(drop=True)


def _asked(claim: Claim, n_classes: int, attributes: Sequence[str]) -> bool:
    if claim.asks == "studies":
        return False
    return n_classes >= CLASSES_FROM if claim.asks == "classes" else bool(attributes)


def _unmeasured(name: str) -> pd.DataFrame:
    study = studies.get(name)
    rows = [
        {"claim": claim.id, "study": name, "profile": "", "alpha": np.nan, "soft_scale": ""}
        | _nothing(f"nothing of {name} is published; it needs {claim.evidence}")
        for claim in CLAIMS
        if _asked(claim, study.n_classes, study.attributes)
    ]
    return pd.DataFrame(rows)


def _across(sweeps: dict[Any, list[Sweep]]) -> pd.DataFrame:
    """The claims about all studies together, for each profile and setting."""
    rows = []
    for claim in CLAIMS:
        if claim.asks != "studies":
            continue
        for (profile, alpha, scale), members in (sweeps or {("", np.nan, ""): []}).items():
            row = {"claim": claim.id, "study": "all", "profile": profile}
            row |= {"alpha": alpha, "soft_scale": scale}
            try:
                rows.append(row | _fields(claim.measure(members)))
            except NotThere as error:
                rows.append(row | _nothing(str(error)))
    return pd.DataFrame(rows)


def _fields(finding: Finding) -> dict[str, Any]:
    fields = asdict(finding)
    return fields | {"why": fields.pop("detail")}


def _nothing(reason: str) -> dict[str, Any]:
    numbers = dict.fromkeys(("statistic", "p_value", "p_opposite", "effect", "low", "high"), np.nan)
    return {"attribute": "", "why": reason, "n": 0, "by_seed": (), **numbers}


def _all_studies(published: pd.Series) -> list[str]:
    registered = studies.names()
    return registered + sorted(set(published) - set(registered))
