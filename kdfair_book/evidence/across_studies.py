"""Every study's curves over the temperature, made comparable: for the page across studies."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from kdfair_book import paper
from kdfair_book.evidence.available import available
from kdfair_book.evidence.chance import affected_counts
from kdfair_core import results, studies

TITLES = paper.STUDY_TITLES | {
    "cifar100-densenet": "CIFAR-100, DenseNet",
    "imagenet-vit": "ImageNet, ViT",
    "faces": "Faces",
}
#: Metric -> what a chart of it shows of the DS, against its NDS or in percent of the classes.
SHOWN = {"accuracy": "points", "sc": "share", "tc": "share", "eod": "ratio", "dpd": "ratio"}
COLUMNS = ["study", "series", "attribute", "n_classes", "difficulty", "metric", "T", "value"]


def sources() -> list[str]:
    """Where numbers come from: "reported", then the profiles that studies were measured under."""
    return ["reported", *dict.fromkeys(profile for _, profile in _measured())]


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
        ours = [study for study, profile in _measured() if profile == source]
        parts = [part for study in ours for part in _ours(study, source)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)


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
        means = paper.results(study, "accuracy")
        attributes = [a for a in means["attribute"].unique() if a] or [""]
        for attribute in attributes:  # Trifeature has an accuracy for each
            mine = means[means["attribute"] == attribute]
            rows.append(_accuracies(_named(study, attribute), "the paper", mine))
    for study, profile in _measured():
        mine = _our_accuracy(results.load(study, profile))
        rows.append(_accuracies(TITLES[study], f"measured here ({profile})", mine))
    return pd.DataFrame(rows)


def _accuracies(title: str, source: str, means: pd.DataFrame) -> dict[str, object]:
    """Row of :func:`contents`; means has role, temperature, mean in percent."""
    level = means[means["temperature"].isna()].groupby("role")["mean"].mean()
    ds = means[means["role"] == "ds"].set_index("temperature")["mean"]
    return {
        "study": title,
        "from": source,
        "teacher": round(level["teacher"], 2),
        "NDS": round(level["nds"], 2),
        "best DS": round(ds.max(), 2),
        "at T": f"{ds.idxmax():g}",
    }


def _measured() -> list[tuple[str, str]]:
    """Study and its best profile, of all that are published whole and known."""
    there = available()
    best = there[there["problem"] == ""].drop_duplicates("study")
    profiles: dict[str, str] = dict(zip(best["study"], best["profile"], strict=True))
    return [(study, profiles[study]) for study in studies.names() if study in profiles]


def _usual(found: results.Results) -> tuple[float, str]:
    """The paper's alpha and the factor T², where they were measured."""
    return (
        0.8 if 0.8 in found.alphas else found.alphas[-1],
        "T2" if "T2" in found.soft_scales else found.soft_scales[-1],
    )


def _at(frame: pd.DataFrame, alpha: float, scale: str) -> pd.DataFrame:
    """Rows without a temperature, and those of the distilled students at one setting."""
    ds = frame["temperature"].notna()
    return frame[~ds | ((frame["alpha"] == alpha) & (frame["soft_scale"] == scale))]


def _our_accuracy(found: results.Results) -> pd.DataFrame:
    """Rows role, temperature, metric, mean (percent) at the usual setting."""
    alpha, scale = _usual(found)
    runs = _at(found.runs, alpha, scale)
    means = 100 * runs.groupby(["role", "temperature"], dropna=False)["accuracy"].mean()
    return means.rename("mean").reset_index().assign(metric="accuracy")


def _reported(study: str) -> Iterator[pd.DataFrame]:
    rows = paper.results(study)
    rows = rows[rows["alpha"].isna() | (rows["alpha"] == 0.8)]
    attributes = [a for a in rows.loc[rows["metric"] == "eod", "attribute"].unique() if a]
    for attribute in attributes or [""]:
        own = rows[rows["attribute"].isin([attribute, ""])]
        theirs = (own["metric"] == "accuracy") & (own["attribute"] != attribute)
        has_own = ((own["metric"] == "accuracy") & (own["attribute"] == attribute)).any()
        yield _compared(study, attribute, own[~theirs] if has_own else own)


def _ours(study: str, profile: str) -> Iterator[pd.DataFrame]:
    found = results.load(study, profile)
    alpha, scale = _usual(found)
    counts = affected_counts(found)
    if len(found.classes) > 2 and not counts.empty:
        counts = _at(counts, alpha, scale).assign(role="ds")
        counts["metric"], counts["mean"] = counts["comparison"].str.lower(), counts["significant"]
        yield _compared(study, "", pd.concat([_our_accuracy(found), counts]))
    for attribute in found.attributes:
        summary = _at(found.fairness_summary(attribute), alpha, scale)
        yield _compared(study, attribute, summary.assign(mean=100 * summary["mean"]))


def _compared(study: str, attribute: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Distilled students against their NDS.

    ``rows`` has role, temperature, metric, mean (percent, or a number of classes).
    """
    n = studies.get(study).n_classes
    level = rows[rows["temperature"].isna()].set_index(["role", "metric"])["mean"]
    ds = rows[(rows["role"] == "ds") & rows["metric"].isin(SHOWN)]
    nds = ds["metric"].map(lambda metric: level.get(("nds", metric), np.nan))
    shown = pd.DataFrame(
        {"points": ds["mean"] - nds, "ratio": 100 * ds["mean"] / nds, "share": 100 * ds["mean"] / n}
    )
    kind = ds["metric"].map(SHOWN)
    value = sum(shown[name].where(kind == name, 0.0) for name in shown)
    return pd.DataFrame(
        {
            "study": study,
            "series": _named(study, attribute),
            "attribute": attribute,
            "n_classes": n,
            "difficulty": 100 - level[("teacher", "accuracy")],
            "metric": ds["metric"],
            "T": ds["temperature"],
            "value": value,
        }
    )


def everyone() -> list[str]:
    """Names of all series that there may be, in a fixed order."""
    return [TITLES[study] for study in studies.names()] + by_attribute()


def by_classes() -> list[str]:
    """Names of the series of class bias: studies with more than two classes."""
    return [TITLES[study] for study in studies.names() if studies.get(study).n_classes > 2]


def by_attribute() -> list[str]:
    """Names of the series of group fairness, those that the paper reports first."""
    names = [(s, a) for s in studies.names() for a in studies.get(s).attributes]
    printed = {(s, a) for s in paper.studies() for a in paper.results(s)["attribute"]}
    return [_named(*pair) for pair in sorted(names, key=lambda pair: pair not in printed)]


def _named(study: str, attribute: str) -> str:
    title = TITLES[study]
    return f"{title}, {attribute.replace('_', ' ')}" if attribute else title
