"""The paper's numbers, as published: Tables 1 to 9, individual fairness, two figures' cells.

They are data, kept in ``data/paper`` with a note on how they were read; this module only finds and
arranges them. Percentages stay percentages, as printed: ``unit`` says which rows are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path

import pandas as pd

FOLDER = Path(__file__).resolve().parents[2] / "data" / "paper"

TITLES = {
    "table1": "Class bias: CIFAR-100 and ImageNet",
    "table2": "Group fairness: Trifeature by color, CelebA (Smiling) by Young",
    "table3": "Group fairness: HateXplain by gender and by race",
    "table4": "CelebA's balanced training set",
    "table5": "Class bias: CIFAR-10, SVHN and Tiny ImageNet",
    "table6": "Class bias: CIFAR-100 and ImageNet, extreme temperatures too",
    "table7": "Class bias: CIFAR-100 with two weights of the distillation term",
    "table8": "Group fairness: CelebA, two labels, by Young",
    "table9": "Group fairness: Trifeature by color and by texture",
    "individual_fairness": "Individual fairness: CelebA, Trifeature and HateXplain",
    "figure2": "Disagreement with the teacher: CIFAR-10 and SVHN",
    "facts": "Other numbers, each with its source",
}

RESULTS = (
    *(f"table{number}" for number in (1, 2, 3, 5, 6, 7, 8, 9)),
    "individual_fairness",
)
"""The tables that hold results, in which a row is one number of one model."""

METRICS = {
    "accuracy": "accuracy (%)",
    "sc": "#SC",
    "tc": "#TC",
    "eod": "EOD (%)",
    "dpd": "DPD (%)",
    "individual_unfairness": "individual unfairness",
}
"""Metrics, with the heading of their columns."""

ROLES = {"teacher": "teacher", "nds": "NDS", "ds": "DS"}

STUDY_TITLES = {
    "cifar10": "CIFAR-10",
    "svhn": "SVHN",
    "cifar100": "CIFAR-100",
    "cifar100-densenet": "CIFAR-100",
    "tiny-imagenet": "Tiny ImageNet",
    "imagenet": "ImageNet",
    "imagenet-vit": "ImageNet",
    "celeba-smiling": "CelebA (Smiling)",
    "celeba-eyeglasses": "CelebA (Eyeglasses)",
    "trifeature": "Trifeature",
    "hatexplain": "HateXplain",
}

_TEXT = (
    *("source", "study", "teacher_network", "student_network", "attribute", "role", "metric"),
    *("unit", "note"),
)
_KEY = ["role", "temperature", "alpha", "attribute", "metric"]


def tables() -> pd.DataFrame:
    """List what there is.

    Returns
    -------
    DataFrame
        A row a table: name, title, rows (number of), source.
    """
    rows = [
        (name, title, len(table(name)), _sources(table(name)["source"]))
        for name, title in TITLES.items()
    ]
    return pd.DataFrame(rows, columns=["name", "title", "rows", "source"])


def table(name: str | int) -> pd.DataFrame:
    """Return one table as it was published, tidy.

    Parameters
    ----------
    name : str or int
        One of ``tables().name``, or the number of a table of the paper.

    Returns
    -------
    DataFrame
        Columns as in ``data/paper/README.md``. A table of results has source, study,
        teacher_network, student_network, attribute, role, temperature, alpha, metric, mean,
        deviation, unit; temperature and alpha are NaN for teacher and NDS.

    Raises
    ------
    ValueError
        If there is no such table; the message names those there are.
    """
    return _read(_name(name)).copy()


def results(study: str, metric: str | None = None, attribute: str | None = None) -> pd.DataFrame:
    """Return all numbers that the paper reports of one study, each once.

    A number that several tables repeat is one row, and its source names them all. If they
    disagreed, each version would be a row of its own.

    Parameters
    ----------
    study : str
        Name of a study, one of :func:`studies`.
    metric : str, optional
        One of ``METRICS``; all of them if None.
    attribute : str, optional
        A sensitive attribute, in any case. Keeps its rows, and those that belong to none.

    Returns
    -------
    DataFrame
        Columns role, temperature, alpha, attribute, metric, mean, deviation, unit, source;
        teacher first, then NDS, then DS by alpha and temperature. mean and deviation are in
        ``unit``: percent, classes or score.

    Raises
    ------
    ValueError
        If the paper has no such study, metric or attribute for it; the message names the choices.
    """
    rows = _results()
    rows = rows[rows["study"] == _choose("study", study, studies())]
    if attribute is not None:
        spelled = {str(name).lower(): str(name) for name in rows["attribute"] if name}
        attribute = spelled.get(attribute.lower(), attribute)
        attribute = _choose(f"attribute of {study}", attribute, list(spelled.values()))
        rows = rows[rows["attribute"].isin([attribute, ""])]
    if metric is not None:
        known = [name for name in METRICS if name in set(rows["metric"])]
        rows = rows[rows["metric"] == _choose(f"metric of {study}", metric, known)]
    return rows.drop(columns="study").reset_index(drop=True)


def studies() -> list[str]:
    """Names of the studies that the paper has numbers of."""
    found = set(_results()["study"])
    return [name for name in STUDY_TITLES if name in found]


def fact(key: str) -> float:
    """Return one number of ``facts.csv``.

    Raises
    ------
    ValueError
        If there is no such fact; the message names those that begin alike.
    """
    facts = _read("facts").set_index("key")["value"]
    if key not in facts.index:
        start = key.split(".")[0]
        near = [name for name in facts.index if name.startswith(start)] or list(facts.index)
        raise ValueError(f"unknown fact {key!r}; expected one of {', '.join(near)}")
    return float(facts[key])


def layout(name: str | int) -> pd.DataFrame:
    """Return a table laid out as the paper prints it: a row a model, "mean ± deviation" as text.

    Raises
    ------
    ValueError
        If there is no such table, or it is a plain list that has no other layout.
    """
    name = _name(name)
    if name == "figure2":
        return _matrices()
    if name == "table4":
        cells = _strings(name)
        text = cells["value"] + cells["unit"].map({"images": "", "percent": " %"})
        wide = cells.assign(text=text).pivot(index="row", columns="column", values="text")
        order = {key: list(dict.fromkeys(cells[key])) for key in ("row", "column")}
        wide = wide.reindex(index=order["row"], columns=order["column"]).fillna("")
        return wide.rename_axis(index="", columns=None).reset_index()
    if name not in RESULTS:
        raise ValueError(
            f"{name!r} is a list; expected one of table4, figure2, {', '.join(RESULTS)} to lay out"
        )
    cells = _strings(name)
    deviation = cells["deviation"].map(lambda text: f" ± {text}" if text else "")
    cells["text"] = cells["mean"] + deviation
    cells["model"] = cells["role"].map(ROLES)
    cells["T"] = cells["temperature"].replace("", "–")
    cells["half"] = _halves(cells)
    cells["heading"] = cells["metric"].map(METRICS)
    keys = list(dict.fromkeys(zip(cells["half"], cells["heading"], strict=True)))
    models = list(dict.fromkeys(zip(cells["model"], cells["T"], strict=True)))
    wide = cells.pivot(index=["model", "T"], columns=["half", "heading"], values="text")
    wide = wide.reindex(
        index=pd.MultiIndex.from_tuples(models, names=["model", "T"]),
        columns=pd.MultiIndex.from_tuples(keys),
    )
    return wide.fillna("–")


def _matrices() -> pd.DataFrame:
    """Lay out Figure 2: a row for each prediction of the teacher, "?" where it cannot be read."""
    cells = _strings("figure2")
    cells["matrix"] = (
        cells["study"].map(STUDY_TITLES)
        + ", "
        + cells["pair"].map({"teacher-nds": "NDS", "teacher-ds": "DS"})
    )
    cells.loc[cells["temperature"] != "", "matrix"] += " at T = " + cells["temperature"]
    names = list(dict.fromkeys(cells["matrix"]))
    wide = cells.pivot(index=["matrix", "class_a"], columns="class_b", values="count")
    digits = [str(digit) for digit in range(10)]
    index = pd.MultiIndex.from_product([names, digits], names=["student", "teacher predicts"])
    wide = wide.reindex(index=index, columns=pd.Index(digits, name="student predicts")).fillna("?")
    for name in names:
        for digit in digits:
            wide.loc[(name, digit), digit] = ""
    return wide


def _halves(cells: pd.DataFrame) -> pd.Series:
    """Name the part of a table that each cell stands in: study, networks and what tells parts."""
    half = cells["study"].map(STUDY_TITLES)
    half += ", " + cells["teacher_network"] + " / " + cells["student_network"]
    alphas = cells.loc[cells["alpha"] != "", "alpha"].nunique()
    if alphas > 1:  # Table 7: its teacher and NDS stand above the alpha that they belong to
        return half + ", alpha " + cells["alpha"].where(cells["alpha"] != "").bfill()
    attribute = cells["attribute"]
    return half.where(attribute == "", half + ", by " + attribute)


def _name(name: str | int) -> str:
    text = str(name).strip().lower()
    return _choose("table", f"table{text}" if text.isdecimal() else text, list(TITLES))


def _choose(what: str, given: str, choices: list[str]) -> str:
    if given not in choices:
        raise ValueError(f"unknown {what}: {given!r}; expected one of {', '.join(choices)}")
    return given


@dataclass(frozen=True)
class Shown:
    """A table that shows itself in a notebook, with its title, a badge and its source."""

    title: str
    source: str
    frame: pd.DataFrame
    reported: bool = True

    def _repr_html_(self) -> str:
        title = escape(self.title)
        badge = '<span class="kd-badge kd-badge-reported">reported by the paper</span> '
        words = self.frame.columns.nlevels == 1
        with pd.option_context("display.max_colwidth", None):
            table = self.frame.to_html(
                classes="kd-table", border=0, index=not words, index_names=False
            )
        if words:  # text reads from the left and may run over several lines
            table = table.replace("<td>", '<td style="text-align: left; white-space: normal">')
        return (
            f'<div class="kd-printed"><p><strong>{title}</strong> '
            f"{badge if self.reported else ''}{escape(self.source)}</p>"
            f'<div class="kd-scroll" tabindex="0" role="region" aria-label="{title}">{table}'
            "</div></div>"
        )

    def __repr__(self) -> str:
        return f"{self.title} ({self.source})\n{self.frame}"


def contents() -> Shown:
    """Return :func:`tables` in a form that a notebook shows."""
    return Shown(
        "What there is", "in data/paper", tables()[["name", "title", "rows"]], reported=False
    )


def show(name: str | int) -> Shown:
    """Return a table in a form that a notebook shows: as printed, with title and source.

    Raises
    ------
    ValueError
        If there is no such table; the message names those there are.
    """
    name = _name(name)
    if name == "facts":
        return Shown(TITLES[name], "each with its source", _strings(name), reported=False)
    wide = layout(name)
    if name == "figure2":
        wide.index = pd.Index([f"{student}: {digit}" for student, digit in wide.index])
        wide.columns = pd.MultiIndex.from_product([["student predicts"], wide.columns])
    elif name != "table4":
        labels = [model if t == "–" else f"{model}, T = {t}" for model, t in wide.index]
        wide.index = pd.Index(labels)
    return Shown(TITLES[name], _sources(table(name)["source"]), wide)


@cache
def _read(name: str) -> pd.DataFrame:
    frame = pd.read_csv(FOLDER / f"{name}.csv", dtype=dict.fromkeys(_TEXT, str))
    text = [column for column in _TEXT if column in frame]
    return frame.fillna(dict.fromkeys(text, ""))


def _strings(name: str) -> pd.DataFrame:
    """Return a table with every cell as the text that was printed."""
    return pd.read_csv(FOLDER / f"{name}.csv", dtype=str, keep_default_na=False)


@cache
def _results() -> pd.DataFrame:
    rows = pd.concat([_read(name) for name in RESULTS], ignore_index=True)
    same = ["study", *_KEY, "mean", "deviation", "unit"]
    merged = rows.groupby(same, dropna=False, sort=False)["source"].agg(_sources).reset_index()
    order = {"role": list(ROLES), "metric": list(METRICS)}
    return merged.sort_values(
        ["study", *_KEY],
        key=lambda column: column.map(order[column.name].index) if column.name in order else column,
        na_position="first",
        ignore_index=True,
    )


def _sources(sources: pd.Series) -> str:
    """Join "paper, Table 1" and "paper, Table 6" into "paper, Tables 1 and 6"."""
    names = list(dict.fromkeys(sources))
    heads = {name.rpartition(" ")[0] for name in names}
    if len(names) == 1 or len(heads) > 1:
        return "; ".join(names)
    numbers = sorted(name.rpartition(" ")[2] for name in names)
    return f"{heads.pop()}s {', '.join(numbers[:-1])} and {numbers[-1]}"
