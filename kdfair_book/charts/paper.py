"""The paper's numbers as figures."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kdfair_book import paper

from .classes import largest, matrix
from .figure import Figure, Panel
from .study import METRICS, ROLE_NAMES, model_names
from .temperature import against_temperature, listed

#: Metric of class bias -> title of its axis, title of its panel, name in a table.
COUNTS = {
    "sc": ("classes", "#SC: alone, distilled", "#SC"),
    "tc": ("classes", "#TC: teacher, distilled", "#TC"),
    "accuracy": ("accuracy (%)", "Accuracy: higher is better", "accuracy (%)"),
}
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def sources(rows: pd.DataFrame) -> str:
    """Where in the paper the rows stand."""
    return "; ".join(dict.fromkeys(rows["source"]))


def metric_panel(
    lines: pd.DataFrame,
    temperatures: list[float],
    axis: str,
    title: str,
    says: str,
    seeds: pd.DataFrame | None = None,
) -> Panel:
    """Lines over the temperature; what is no percentage has an axis with zero."""
    chart = against_temperature(
        lines,
        temperatures,
        y_title=axis,
        digits=0 if axis == "classes" else 2,
        zero="%" not in axis,
        seeds=seeds,
    )
    return Panel(chart, title, says)


def _reported(name: str, title: str, rows: pd.DataFrame, start: float, **more: Any) -> Figure:
    """A figure of rows of the paper's tables."""
    temperatures = sorted(rows["temperature"].dropna().unique())
    return Figure(
        name=f"paper-{name}",
        title=f"{title}, as reported",
        badge="reported",
        table=wide(rows),
        temperatures=temperatures,
        start=start if start in temperatures else temperatures[0],
        **more,
    )


def _lines(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows for :func:`against_temperature`; a band is a standard deviation either way."""
    return rows.assign(
        series=rows["role"].map(ROLE_NAMES),
        T=rows["temperature"],
        low=rows["mean"] - rows["deviation"],
        high=rows["mean"] + rows["deviation"],
    )


def paper_fairness(study: str, attribute: str, *, start: float = 4) -> Figure:
    """Accuracy, EOD and DPD against temperature as the paper reports them (Figure 4).

    Parameters
    ----------
    study, attribute
        As :func:`kdfair_book.paper.numbers.results` names them.
    start
        Temperature at which the dial starts.
    """
    rows = one_accuracy(paper.results(study, attribute=attribute), attribute)
    rows = rows[rows["metric"].isin(METRICS) & (rows["attribute"].isin([attribute, ""]))]
    lines = _lines(rows)
    temperatures = sorted(rows["temperature"].dropna().unique())
    panels = [
        metric_panel(
            lines[lines["metric"] == metric],
            temperatures,
            axis,
            title,
            f"Line chart of the paper's {said} against temperature.",
        )
        for metric, (axis, title, said) in METRICS.items()
    ]
    return _reported(
        f"fairness-{study}-{attribute}",
        f"{paper.STUDY_TITLES[study]} by {attribute}",
        rows,
        start,
        caption=f"Means and standard deviations over five runs ({sources(rows)}). *Falling EOD and "
        f"DPD up to T = 10{', then a turn' if temperatures[-1] > 10 else ''}: this is the shape "
        "that the other pages look for.*",
        panels=panels,
        readout={
            t: f"T = {t:g}. Distilled student: "
            + ", ".join(f"{METRICS[m][2]} {v:.2f} %" for m, v in means_at(rows, t).items())
            + "."
            for t in temperatures
        },
    )


def class_counts(study: str, alpha: float | None = None) -> pd.DataFrame:
    """#SC, #TC and accuracy of a study, at one weight of the distillation term or at all.

    Raises
    ------
    ValueError
        If the paper has no such study, or not this weight.
    """
    rows = paper.results(study)
    rows = rows[rows["metric"].isin(COUNTS)]
    known = sorted(rows["alpha"].dropna().unique())
    if alpha is not None and alpha not in known:
        choices = ", ".join(f"{a:g}" for a in known)
        raise ValueError(f"the paper has no alpha {alpha!r} for {study}; choose from {choices}")
    return rows if alpha is None else rows[rows["alpha"].isna() | (rows["alpha"] == alpha)]


def paper_counts(study: str, *, start: float = 4, alpha: float = 0.8) -> Figure:
    """#SC, #TC and accuracy against temperature as the paper reports them (Figure 3)."""
    rows = class_counts(study, alpha)
    lines = _lines(rows)
    temperatures = sorted(rows["temperature"].dropna().unique())
    panels = []
    for metric, (axis, title, _) in COUNTS.items():
        some = lines[lines["metric"] == metric]
        curve = listed(some[some["T"].notna()])
        says = f"{title}, as the paper reports: {curve}."
        panels.append(metric_panel(some, temperatures, axis, title, says))
    return _reported(
        f"counts-{study}",
        f"{paper.STUDY_TITLES[study]}: significantly affected classes",
        rows,
        start,
        caption="Counts at level 0.05 without a correction for the number of classes "
        f"({sources(rows)}).",
        panels=panels,
        readout={
            t: f"T = {t:g}. "
            + ", ".join(f"{paper.METRICS[m]} {v:g}" for m, v in means_at(rows, t).items())
            + "."
            for t in temperatures
        },
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
    lines = _lines(rows)
    nds, teacher = (rows.loc[rows["role"] == role, "mean"].iloc[0] for role in ("nds", "teacher"))
    ds = lines[lines["role"] == "ds"].sort_values("T")
    chart = against_temperature(lines, list(ds["T"]), y_title="individual unfairness", digits=4)
    return _reported(
        f"individual-{study}",
        f"{paper.STUDY_TITLES[study]}: individual unfairness",
        rows,
        start,
        caption=(
            f"Lower is fairer ({sources(rows)}); no deviations are "
            "given, nor in which space distances were taken. *Compare the shape only: the scale "
            "depends on that space.*"
        ),
        panels=[
            Panel(
                chart,
                "Individual unfairness: lower is fairer",
                f"Line chart of individual unfairness as reported: teacher {teacher:g}, "
                f"student alone {nds:g}, distilled student {listed(ds)}.",
                width=740,
                height=260,
            )
        ],
        readout={
            t: f"T = {t:g}. Distilled student {mean:g}; student alone {nds:g}, teacher {teacher:g}."
            for t, mean in zip(ds["T"], ds["mean"], strict=True)
        },
    )


def paper_disagreement(study: str) -> Figure:
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
    names = list(CIFAR10 if study == "cifar10" else "0123456789")
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
    panels, table, lost = [], {}, 0
    for pair, who in (
        ("teacher-nds", "student alone"),
        ("teacher-ds", f"distilled student, T = {t:g}"),
    ):
        rows = data[data["pair"] == pair][["a", "b", "n"]]
        missing = len(names) * (len(names) - 1) - len(rows)
        lost += missing
        unread = f" {missing} cells cannot be read and are left empty." if missing else ""
        panels.append(
            Panel(
                matrix(rows, names, data["n"].max(), f"{who.partition(',')[0]} predicts"),
                f"Teacher and {who}",
                f"The paper's matrix of disagreements between teacher and {who}; most: "
                f"{largest(rows)}.{unread}",
                height=395,
            )
        )
        table[who] = rows.set_index(rows["a"] + " → " + rows["b"])["n"].map("{:.0f}".format)
    return Figure(
        f"paper-disagreement-{study}",
        f"{paper.STUDY_TITLES[study]}: where student and teacher disagree, as reported",
        "Test examples on which the two models predict differently, mean over five seeds: rows "
        "are what the teacher predicts, columns what the student does (the paper's Figure 2). "
        f"It shows the one temperature T = {t:g}, so this figure does not follow the dial."
        + (f" {lost} cells cannot be read with certainty and stay empty." if lost else ""),
        "reported",
        panels,
        pd.DataFrame(table).fillna("?").rename_axis("teacher → student").reset_index(),
        f"Most between teacher and student alone: {largest(data[data['pair'] == 'teacher-nds'])}.",
    )


def one_accuracy(rows: pd.DataFrame, attribute: str) -> pd.DataFrame:
    """Rows with the accuracy that stands beside this attribute, where a table gives one a half."""
    own = rows[(rows["metric"] != "accuracy") | (rows["attribute"] == attribute)]
    return own if (own["metric"] == "accuracy").any() else rows


def wide(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a model, mean and deviation of each metric as text."""

    def cell(row: Any) -> str:
        text = f"{row.mean:.2f}" if "%" in paper.METRICS[row.metric] else f"{row.mean:g}"
        return text if pd.isna(row.deviation) else f"{text} ± {row.deviation:.2f}"

    models = model_names(rows["role"].map(ROLE_NAMES), rows["temperature"])
    metrics = rows["metric"].map(paper.METRICS)
    cells = pd.DataFrame({"model": models, "metric": metrics, "text": map(cell, rows.itertuples())})
    table = cells.pivot(index="model", columns="metric", values="text").fillna("–")
    table = table.loc[list(dict.fromkeys(models)), list(dict.fromkeys(metrics))]
    return table.rename_axis(None, axis=1).reset_index()


def means_at(rows: pd.DataFrame, t: float) -> dict[str, float]:
    """Mean of each metric at a temperature."""
    some = rows[rows["temperature"] == t]
    return dict(zip(some["metric"], some["mean"], strict=True))
