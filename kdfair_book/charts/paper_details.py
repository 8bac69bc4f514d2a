"""More of the paper's numbers as figures: two weights, pairs, disagreement, classes beside ours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from kdfair_book import paper
from kdfair_core.results import Results

from .classes import _largest, _matrix
from .figure import Figure, Panel
from .paper import _wide
from .study import ROLE_NAMES, at_setting, setting
from .temperature import against_temperature
from .without_dial import Still, still

COUNTS = {
    "sc": ("#SC: NDS and DS differ", "classes"),
    "tc": ("#TC: teacher and DS differ", "classes"),
    "accuracy": ("Accuracy: DS minus NDS", "points"),
}
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SIZE: dict[str, Any] = {"width": 370, "height": 270}


def beside_counts(
    results: Results,
    *,
    start: float = 4,
    alpha: float | None = None,
    soft_scale: str | None = None,
) -> Figure:
    """#SC, #TC and the change of accuracy against temperature: here, and as the paper reports.

    Parameters are those of :func:`.study.affected_counts`.

    Raises
    ------
    ValueError
        If the paper has no such study, or has not this alpha.
    """
    alpha, scale = setting(results, alpha, soft_scale)
    sides = {
        "measured here": _our_counts(results, alpha, scale),
        "paper": _their_counts(results.study, alpha),
    }
    said = {
        t: f"T = {t:g}. "
        + "; ".join(f"{name}: {_counts_at(side, t)}" for name, side in sides.items())
        + "."
        for t in results.temperatures
    }
    tables = [
        side.assign(metric=side["metric"].map({k: v[0] for k, v in COUNTS.items()}))
        .pivot(index="T", columns="metric", values="mean")
        .add_suffix(f", {name}")
        for name, side in sides.items()
    ]
    return Figure(
        name="beside-paper-counts",
        title="Affected classes beside the paper",
        caption=(
            "Significantly affected classes at level 0.05 and what the DS gains over the NDS in "
            "accuracy: here, and as the paper reports. #SC and #TC depend on the number of seeds "
            "as much as on the effect, so *compare the shapes, not the heights*."
        ),
        badge=results.profile,
        panels=_count_panels(sides, results.temperatures),
        table=tables[0].join(tables[1], how="outer").reset_index(),
        temperatures=results.temperatures,
        start=start,
        readout=said,
        columns=3,
    )


def _our_counts(results: Results, alpha: float, scale: str) -> pd.DataFrame:
    """Rows metric, T, mean."""
    counts = at_setting(results.affected_counts(), alpha, [scale])
    parts = [
        pd.DataFrame(
            {"metric": str(name).lower(), "T": rows["temperature"], "mean": rows["significant"]}
        )
        for name, rows in counts[counts["comparison"] != "null"].groupby("comparison", sort=False)
    ]
    runs = at_setting(results.runs, alpha, [scale])
    means = 100 * runs.groupby(["role", "temperature"], dropna=False)["accuracy"].mean()
    change = means["ds"] - means["nds"].iloc[0]
    gain = pd.DataFrame({"metric": "accuracy", "T": change.index, "mean": change.to_numpy()})
    return pd.concat([*parts, gain], ignore_index=True)


def _their_counts(study: str, alpha: float) -> pd.DataFrame:
    """Rows metric, T, mean."""
    rows = _paper_counts(study, alpha)
    nds = rows.loc[(rows["role"] == "nds") & (rows["metric"] == "accuracy"), "mean"].iloc[0]
    ds = rows[rows["role"] == "ds"].rename(columns={"temperature": "T"})[["metric", "T", "mean"]]
    return ds.assign(mean=ds["mean"].where(ds["metric"] != "accuracy", ds["mean"] - nds))


def _paper_counts(study: str, alpha: float | None) -> pd.DataFrame:
    rows = paper.results(study)
    rows = rows[rows["metric"].isin(COUNTS)]
    known = sorted(rows["alpha"].dropna().unique())
    if alpha is not None and alpha not in known:
        choices = ", ".join(f"{a:g}" for a in known)
        raise ValueError(f"the paper has no alpha {alpha!r} for {study}; choose from {choices}")
    return rows if alpha is None else rows[rows["alpha"].isna() | (rows["alpha"] == alpha)]


def _count_panels(sides: dict[str, pd.DataFrame], temperatures: list[float]) -> list[Panel]:
    panels = []
    for metric, (title, unit) in COUNTS.items():
        lines, spoken = [], []
        for name, side in sides.items():
            rows = side[side["metric"] == metric].sort_values("T")
            lines.append(pd.DataFrame({"series": name, "T": rows["T"], "mean": rows["mean"]}))
            form = "{:g}" if unit == "classes" else "{:+.2f}"
            listed = [
                form.format(m) + f" at T = {t:g}"
                for t, m in zip(rows["T"], rows["mean"], strict=True)
            ]
            spoken.append(f"{name}: {', '.join(listed)}")
        joined = pd.concat(lines, ignore_index=True)
        joined[["low", "high"]] = np.nan
        chart = against_temperature(
            joined, temperatures, y_title=unit, digits=0 if unit == "classes" else 2, zero=True
        )
        panels.append(Panel(chart, title, f"{title}. {'; '.join(spoken)}.", **SIZE))
    return panels


def _counts_at(side: pd.DataFrame, t: float) -> str:
    at = side[side["T"] == t].set_index("metric")["mean"]
    words = {"sc": "#SC {:g}", "tc": "#TC {:g}", "accuracy": "accuracy {:+.2f} points"}
    found = [words[m].format(at[m]) for m in COUNTS if m in at.index]
    return ", ".join(found) or "nothing at this temperature"


def paper_alphas(study: str, *, start: float = 4) -> Figure:
    """#SC, #TC and accuracy at each weight of the distillation term, as the paper's Table 7.

    Parameters
    ----------
    study
        A study of which the paper reports several weights.
    start
        Temperature at which the dial starts.
    """
    rows = _paper_counts(study, None)
    sides = _by_alpha(rows.rename(columns={"temperature": "T"}))
    return _alpha_figure(
        f"paper-alphas-{study}",
        f"{paper.STUDY_TITLES[study]}: two weights of the distillation term, as reported",
        f"({'; '.join(dict.fromkeys(rows['source']))})",
        "reported",
        sides,
        start,
    )


def alphas(results: Results, *, start: float = 4, soft_scale: str | None = None) -> Figure:
    """#SC, #TC and accuracy at each weight of the distillation term that was measured."""
    _, scale = setting(results, None, soft_scale)
    parts = []
    for alpha in results.alphas:
        parts.append(_our_counts(results, alpha, scale).assign(alpha=alpha, role="ds"))
    rows = pd.concat(parts, ignore_index=True)
    nds = 100 * results.runs.loc[results.runs["role"] == "nds", "accuracy"].mean()
    rows["mean"] = rows["mean"].where(rows["metric"] != "accuracy", rows["mean"] + nds)
    return _alpha_figure(
        "alphas",
        "Two weights of the distillation term",
        "over seeds",
        results.profile,
        _by_alpha(rows),
        start,
    )


def _by_alpha(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    ds = rows[rows["role"] == "ds"]
    return {
        f"alpha {alpha:g}": ds[ds["alpha"] == alpha][["metric", "T", "mean"]]
        for alpha in sorted(ds["alpha"].unique(), reverse=True)
    }


def _alpha_figure(
    name: str, title: str, where: str, badge: str, sides: dict[str, pd.DataFrame], start: float
) -> Figure:
    temperatures = sorted(set.union(*(set(side["T"]) for side in sides.values())))
    panels = []
    for metric, (heading, unit) in COUNTS.items():
        counts = unit == "classes"
        heading = heading if counts else "Accuracy: higher is better"
        joined = pd.concat(
            [side[side["metric"] == metric].assign(series=n) for n, side in sides.items()],
            ignore_index=True,
        )
        joined[["low", "high"]] = np.nan
        chart = against_temperature(
            joined,
            temperatures,
            y_title="classes" if counts else "accuracy (%)",
            digits=0 if counts else 2,
            zero=counts,
        )
        listed = "; ".join(
            f"{n}: "
            + ", ".join(f"{m:g} at T = {t:g}" for t, m in zip(r["T"], r["mean"], strict=True))
            for n, r in joined.round(2).groupby("series", sort=False)
        )
        panels.append(Panel(chart, heading, f"{heading}. {listed}.", **SIZE))
    titles = {"sc": "#SC", "tc": "#TC", "accuracy": "accuracy (%)"}
    tables = [
        side.pivot(index="T", columns="metric", values="mean")[list(titles)]
        .rename(columns=titles)
        .add_suffix(f", {n}")
        for n, side in sides.items()
    ]
    said = {}
    for t in temperatures:
        parts = []
        for n, side in sides.items():
            at = side[side["T"] == t].set_index("metric")["mean"]
            found = [f"{titles[m]} {at[m]:.4g}" for m in titles if m in at.index]
            parts.append(f"{n}: {', '.join(found) or 'nothing at this temperature'}")
        said[t] = f"T = {t:g}. {'; '.join(parts)}."
    return Figure(
        name=name,
        title=title,
        caption=f"Means {where}. alpha is the weight of the distillation term; the labels keep "
        "the rest. *If what the teacher says changes the classes, saying it more quietly should "
        "change fewer.*",
        badge=badge,
        panels=panels,
        table=pd.concat(tables, axis=1).reset_index(),
        temperatures=temperatures,
        start=start if start in temperatures else temperatures[0],
        readout=said,
        columns=3,
    )


def paper_individual(study: str, *, start: float = 4) -> Figure:
    """Individual unfairness against temperature, as a talk on the paper reports it.

    Raises
    ------
    ValueError
        If nothing is reported for the study.
    """
    rows = paper.results(study, "individual_unfairness")
    rows = rows[rows["metric"] == "individual_unfairness"]
    temperatures = sorted(rows["temperature"].dropna().unique())
    lines = pd.DataFrame(
        {"series": rows["role"].map(ROLE_NAMES), "T": rows["temperature"], "mean": rows["mean"]}
    )
    lines[["low", "high"]] = np.nan
    level = {role: rows.loc[rows["role"] == role, "mean"].iloc[0] for role in ("nds", "teacher")}
    ds = rows[rows["role"] == "ds"].set_index("temperature")["mean"]
    listed = ", ".join(f"{ds[t]:g} at T = {t:g}" for t in temperatures)
    return Figure(
        name=f"paper-individual-{study}",
        title=f"{paper.STUDY_TITLES[study]}: individual unfairness, as reported",
        caption=(
            f"Lower is fairer ({'; '.join(dict.fromkeys(rows['source']))}); no deviations are "
            "given, nor in which space distances were taken. *Compare the shape only: the scale "
            "depends on that space.*"
        ),
        badge="reported",
        panels=[
            Panel(
                against_temperature(lines, temperatures, y_title="individual unfairness", digits=4),
                "Individual unfairness: lower is fairer",
                f"Line chart of individual unfairness as reported: teacher {level['teacher']:g}, "
                f"NDS {level['nds']:g}, DS {listed}.",
                width=740,
                height=260,
            )
        ],
        table=_wide(rows),
        temperatures=temperatures,
        start=start if start in temperatures else temperatures[0],
        readout={
            t: f"T = {t:g}. DS {ds[t]:g}; NDS {level['nds']:g}, teacher {level['teacher']:g}."
            for t in temperatures
        },
        columns=1,
    )


def paper_disagreement(study: str) -> Still:
    """The disagreement matrices that the paper prints (its Figure 2), as far as they can be read.

    Parameters
    ----------
    study
        "cifar10" or "svhn".

    Raises
    ------
    ValueError
        If the paper prints none for the study.
    """
    cells = paper.table("figure2")
    known = list(dict.fromkeys(cells["study"]))
    if study not in known:
        raise ValueError(
            f"the paper prints no disagreement of {study!r}; choose from {', '.join(known)}"
        )
    names = CIFAR10 if study == "cifar10" else tuple("0123456789")
    cells = cells[cells["study"] == study]
    t = cells["temperature"].dropna().iloc[0]
    data = pd.DataFrame(
        {
            "pair": cells["pair"],
            "a": [names[int(c)] for c in cells["class_a"]],
            "b": [names[int(c)] for c in cells["class_b"]],
            "n": cells["count"].astype(float),
        }
    )
    top = float(data["n"].max())
    panels, table, lost = [], {}, 0
    for pair, who in (("teacher-nds", "NDS"), ("teacher-ds", f"DS at T = {t:g}")):
        rows = data[data["pair"] == pair][["a", "b", "n"]]
        missing = 90 - len(rows)
        lost += missing
        short = who.split()[0]
        unread = f" {missing} cells cannot be read and are left empty." if missing else ""
        panels.append(
            Panel(
                _matrix(rows, list(names), top, f"{short} predicts"),
                f"Teacher and {who}",
                f"The paper's matrix of disagreements between teacher and {who}; most: "
                f"{_largest(rows)}.{unread}",
                width=370,
                height=395,
            )
        )
        table[who] = rows.set_index(rows["a"] + " → " + rows["b"])["n"].map("{:.0f}".format)
    frame = pd.DataFrame(table).fillna("?").rename_axis("teacher → student").reset_index()
    return still(
        f"paper-disagreement-{study}",
        f"{paper.STUDY_TITLES[study]}: where student and teacher disagree, as reported",
        "Test examples on which the two models predict differently, mean over five seeds: rows "
        "are what the teacher predicts, columns what the student does (the paper's Figure 2). "
        f"It shows the one temperature T = {t:g}, so this figure does not follow the dial."
        + (f" {lost} cells cannot be read with certainty and stay empty." if lost else ""),
        "reported",
        panels,
        frame,
        f"Most between teacher and NDS: {_largest(data[data['pair'] == 'teacher-nds'])}.",
        columns=2,
    )
