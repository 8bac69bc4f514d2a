"""Every study's curves over the temperature, made comparable: for the page across studies."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kdfair_book import paper
from kdfair_core import results, studies
from kdfair_core.results import Results

METRICS = ("accuracy", "sc", "tc", "eod", "dpd")
PAIRS = {"cifar100-densenet": "CIFAR-100, DenseNet", "imagenet-vit": "ImageNet, ViT"}
TITLES = paper.STUDY_TITLES | PAIRS | {"faces": "Faces"}


def sources() -> list[str]:
    """Where numbers come from: "reported", then the profiles that studies were measured under."""
    profiles = [profile for _, profile in _measured()]
    return ["reported", *dict.fromkeys(profiles)]


def curves(source: str) -> pd.DataFrame:
    """Every study of a source against temperature.

    Parameters
    ----------
    source
        One of :func:`sources`.

    Returns
    -------
    DataFrame
        Columns study, series (name in a chart), attribute ("" for class bias), n_classes,
        difficulty (100 minus the teacher's accuracy, percent), metric, T, value. accuracy is the
        DS minus the NDS in points; sc and tc are shares of the classes in percent; eod and dpd
        are the DS's in percent of the NDS's.

    Raises
    ------
    ValueError
        If there is no such source; the message names those there are.
    """
    if source not in sources():
        raise ValueError(f"unknown source {source!r}; choose from {', '.join(sources())}")
    if source == "reported":
        parts = [part for study in paper.studies() for part in _reported(study)]
    else:
        parts = [
            part
            for study, profile in _measured()
            if profile == source
            for part in _ours(study, profile)
        ]
    columns = ["study", "series", "attribute", "n_classes", "difficulty", "metric", "T", "value"]
    rows = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    return rows[columns]


def contents() -> pd.DataFrame:
    """List the studies: what there is of each, and how accurate its models are.

    Returns
    -------
    DataFrame
        Columns study, from (where the numbers come from), teacher, NDS, best DS (accuracies in
        percent) and at T (where that is).
    """
    rows = []
    for study in paper.studies():
        means = paper.results(study, "accuracy").rename(columns={"temperature": "T"})
        attributes = [a for a in means["attribute"].unique() if a] or [""]
        for attribute in attributes:  # Trifeature has an accuracy for each
            mine = means[means["attribute"] == attribute]
            rows.append(_accuracies(_named(study, attribute), "reported", mine))
    for study, profile in _measured():
        found = results.load(study, profile)
        alpha, scale = _usual(found)
        runs = _at(found.runs, alpha, scale).rename(columns={"temperature": "T"})
        mean = runs.groupby(["role", "T"], dropna=False)["accuracy"].mean().mul(100)
        rows.append(_accuracies(TITLES[study], profile, mean.rename("mean").reset_index()))
    return pd.DataFrame(rows)


def _accuracies(title: str, source: str, means: pd.DataFrame) -> dict[str, object]:
    """Row of :func:`contents`; means has role, T, mean in percent."""
    level = means[means["T"].isna()].groupby("role")["mean"].mean()
    ds = means[means["role"] == "ds"].set_index("T")["mean"]
    return {
        "study": title,
        "from": "the paper" if source == "reported" else f"measured here ({source})",
        "teacher": round(level["teacher"], 2),
        "NDS": round(level["nds"], 2),
        "best DS": round(ds.max(), 2),
        "at T": f"{ds.idxmax():g}",
    }


def _usual(found: Results) -> tuple[float, str]:
    """The paper's alpha and the factor T², where they were measured."""
    return (
        0.8 if 0.8 in found.alphas else found.alphas[-1],
        "T2" if "T2" in found.soft_scales else found.soft_scales[-1],
    )


def _measured() -> list[tuple[str, str]]:
    """Study and its best profile, of all that are published whole and known."""
    there = results.available()
    there = there[there["problem"] == ""].drop_duplicates("study")
    known = studies.names()
    pairs = list(zip(there["study"], there["profile"], strict=True))
    return sorted((p for p in pairs if p[0] in known), key=lambda pair: known.index(pair[0]))


def _reported(study: str) -> list[pd.DataFrame]:
    rows = paper.results(study)
    rows = rows[rows["alpha"].isna() | (rows["alpha"] == 0.8)]
    rows = rows.rename(columns={"temperature": "T", "mean": "value"})
    attributes = [a for a in rows.loc[rows["metric"] == "eod", "attribute"].unique() if a]
    parts = []
    for attribute in attributes or [""]:
        own = rows[rows["attribute"].isin([attribute, ""])]
        accuracy = own[own["metric"] == "accuracy"]
        mine = accuracy[accuracy["attribute"] == attribute]
        accuracy = accuracy if mine.empty else mine
        others = own[own["metric"].isin(["sc", "tc", "eod", "dpd"])]
        parts.append(_part(study, attribute, pd.concat([accuracy, others])))
    return parts


def _ours(study: str, profile: str) -> list[pd.DataFrame]:
    found = results.load(study, profile)
    alpha, scale = _usual(found)
    parts = []
    counts = found.affected_counts()
    if len(found.classes) > 2 and not counts.empty:
        counts = _at(counts, alpha, scale)
        shares = pd.DataFrame(
            {
                "role": "ds",
                "T": counts["temperature"],
                "metric": counts["comparison"].str.lower(),
                "value": counts["significant"].astype(float),
            }
        )
        runs = _at(found.runs, alpha, scale)
        means = 100 * runs.groupby(["role", "temperature"], dropna=False)["accuracy"].mean()
        accuracy = means.rename("value").reset_index().rename(columns={"temperature": "T"})
        rows = [accuracy.assign(metric="accuracy"), shares[shares["metric"] != "null"]]
        parts.append(_part(study, "", pd.concat(rows)))
    for attribute in found.attributes:
        summary = _at(found.fairness_summary(attribute), alpha, scale)
        fair = summary.rename(columns={"temperature": "T"}).assign(value=100 * summary["mean"])
        parts.append(_part(study, attribute, fair))
    return parts


def _part(study: str, attribute: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Distilled students against their NDS; rows role, T, metric, value (percent or classes)."""
    n = studies.get(study).n_classes
    level = rows[rows["T"].isna()].set_index(["role", "metric"])["value"]
    ds = rows[(rows["role"] == "ds") & rows["metric"].isin(METRICS)].copy()
    nds = ds["metric"].map(lambda m: level.get(("nds", m), np.nan))
    ratio, change, share = 100 * ds["value"] / nds, ds["value"] - nds, 100 * ds["value"] / n
    kind = ds["metric"]
    ds["value"] = change.where(
        kind == "accuracy", ratio.where(kind.isin(["eod", "dpd"]), share)
    ).astype(float)
    return ds[["metric", "T", "value"]].assign(
        study=study,
        series=_named(study, attribute),
        attribute=attribute,
        n_classes=n,
        difficulty=100 - level[("teacher", "accuracy")],
    )


def _at(frame: pd.DataFrame, alpha: float, scale: str) -> pd.DataFrame:
    """Rows without a temperature, and those of the distilled students at one setting."""
    ds = frame["temperature"].notna()
    return frame[~ds | ((frame["alpha"] == alpha) & (frame["soft_scale"] == scale))]


def everyone() -> list[str]:
    """Names of all series that there may be, in a fixed order."""
    return [TITLES[study] for study in studies.names()] + by_attribute()


def by_attribute() -> list[str]:
    """Names of the series of group fairness, those that the paper reports first."""
    names = [(s, a) for s in studies.names() for a in studies.get(s).attributes]
    printed = {(s, a) for s in paper.studies() for a in paper.results(s)["attribute"]}
    return [_named(*pair) for pair in sorted(names, key=lambda pair: pair not in printed)]


def _named(study: str, attribute: str) -> str:
    title = TITLES[study]
    return f"{title}, {attribute.replace('_', ' ')}" if attribute else title
