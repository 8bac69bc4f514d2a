"""The paper's numbers as figures: alone, and beside those measured here."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from kdfair_book import paper
from kdfair_core.results import Results

from .figure import Figure, Panel
from .study import METRICS, ROLE_NAMES, at_setting, setting
from .temperature import against_temperature


def paper_fairness(study: str, attribute: str, *, start: float = 4) -> Figure:
    """Accuracy, EOD and DPD against temperature as the paper reports them (Figure 4).

    Parameters
    ----------
    study, attribute
        As :func:`kdfair_book.paper.numbers.results` names them.
    start
        Temperature at which the dial starts.
    """
    rows = paper.results(study, attribute=attribute)
    rows = rows[rows["metric"].isin(METRICS) & (rows["attribute"].isin([attribute, ""]))]
    rows = _one_accuracy(rows, attribute)
    temperatures = sorted(rows["temperature"].dropna().unique())
    panels = []
    for metric, (axis, title, said) in METRICS.items():
        some = rows[rows["metric"] == metric]
        lines = pd.DataFrame(
            {
                "series": some["role"].map(ROLE_NAMES),
                "T": some["temperature"],
                "mean": some["mean"],
                "low": some["mean"] - some["deviation"],
                "high": some["mean"] + some["deviation"],
            }
        )
        panels.append(
            Panel(
                against_temperature(lines, temperatures, y_title=axis),
                title,
                f"Line chart of the paper's {said} against temperature.",
                width=370,
                height=270,
            )
        )
    wide = _wide(rows)
    sources = "; ".join(dict.fromkeys(rows["source"]))
    return Figure(
        name=f"paper-fairness-{study}-{attribute}",
        title=f"{paper.STUDY_TITLES[study]} by {attribute}, as reported",
        caption=f"Means and standard deviations over five runs ({sources}). *Falling EOD and DPD "
        f"up to T = 10{', then a turn' if temperatures[-1] > 10 else ''}: this is the shape that "
        "the other pages look for.*",
        badge="reported",
        panels=panels,
        table=wide,
        temperatures=temperatures,
        start=start if start in temperatures else temperatures[0],
        readout={
            t: f"T = {t:g}. DS: "
            + ", ".join(f"{METRICS[m][2]} {v:.2f} %" for m, v in _at(rows, t).items())
            + "."
            for t in temperatures
        },
        columns=3,
    )


def paper_counts(study: str, *, start: float = 4, alpha: float | None = None) -> Figure:
    """#SC, #TC and accuracy against temperature as the paper reports them (Figure 3)."""
    rows = paper.results(study)
    rows = rows[rows["metric"].isin(["accuracy", "sc", "tc"])]
    alphas = sorted(rows["alpha"].dropna().unique())
    alpha = alphas[-1] if alpha is None else alpha
    if alpha not in alphas:
        choices = ", ".join(f"{a:g}" for a in alphas)
        raise ValueError(f"the paper has no alpha {alpha!r} for {study}; choose from {choices}")
    rows = rows[rows["temperature"].isna() | (rows["alpha"] == alpha)]
    temperatures = sorted(rows["temperature"].dropna().unique())
    panels = []
    for metric, title in (
        ("sc", "#SC: NDS and DS differ"),
        ("tc", "#TC: teacher and DS differ"),
        ("accuracy", "Accuracy: higher is better"),
    ):
        some = rows[rows["metric"] == metric]
        lines = pd.DataFrame(
            {
                "series": some["role"].map(ROLE_NAMES),
                "T": some["temperature"],
                "mean": some["mean"],
                "low": some["mean"] - some["deviation"],
                "high": some["mean"] + some["deviation"],
            }
        )
        counts = metric != "accuracy"
        chart = against_temperature(
            lines,
            temperatures,
            y_title="classes" if counts else "accuracy (%)",
            digits=0 if counts else 2,
            zero=counts,
        )
        ds = some[some["temperature"].notna()]
        listed = ", ".join(
            f"{m:g} at T = {t:g}" for t, m in zip(ds["temperature"], ds["mean"], strict=True)
        )
        panels.append(
            Panel(chart, title, f"{title}, as the paper reports: {listed}.", width=370, height=270)
        )
    return Figure(
        name=f"paper-counts-{study}",
        title=f"{paper.STUDY_TITLES[study]}: significantly affected classes, as reported",
        caption="Counts at level 0.05 without a correction for the number of classes "
        f"({'; '.join(dict.fromkeys(rows['source']))}).",
        badge="reported",
        panels=panels,
        table=_wide(rows),
        temperatures=temperatures,
        start=start if start in temperatures else temperatures[0],
        readout={
            t: f"T = {t:g}. "
            + ", ".join(f"{paper.METRICS[m]} {v:g}" for m, v in _at(rows, t).items())
            + "."
            for t in temperatures
        },
        columns=3,
    )


def beside_paper(
    results: Results,
    attribute: str,
    *,
    start: float = 4,
    alpha: float | None = None,
    soft_scale: str | None = None,
) -> Figure:
    """Our distilled students beside the paper's: change against each one's own NDS.

    Absolute numbers, which differ in scale, are in the figure's table. Parameters are those of
    :func:`.study.fairness`.
    """
    alpha, scale = setting(results, alpha, soft_scale)
    ours = at_setting(results.fairness_summary(attribute), alpha, [scale])
    ours = ours[ours["role"].isin(ROLE_NAMES)].assign(
        mean=lambda f: 100 * f["mean"], deviation=lambda f: 100 * f["sd"]
    )
    theirs = _one_accuracy(paper.results(results.study, attribute=attribute), attribute)
    sides = {"measured here": ours, "paper": theirs[theirs["metric"].isin(METRICS)]}
    temperatures = results.temperatures
    panels = []
    for metric, (_, _, said) in METRICS.items():
        lines, spoken = [], []
        for name, side in sides.items():
            some = side[side["metric"] == metric]
            ds = some[some["role"] == "ds"].sort_values("temperature")
            nds = float(some.loc[some["role"] == "nds", "mean"].iloc[0])
            change = ds["mean"] - nds
            lines.append(pd.DataFrame({"series": name, "T": ds["temperature"], "mean": change}))
            spoken.append(
                f"{name}: "
                + ", ".join(
                    f"{c:+.2f} at T = {t:g}" for t, c in zip(ds["temperature"], change, strict=True)
                )
            )
        joined = pd.concat(lines, ignore_index=True)
        joined[["low", "high"]] = np.nan
        panels.append(
            Panel(
                against_temperature(joined, temperatures, y_title="points", zero=True),
                f"{said}: DS minus NDS",
                f"Change of {said} from NDS to DS in percentage points. {'; '.join(spoken)}.",
                width=370,
                height=270,
            )
        )
    table = _wide(sides["measured here"]).merge(
        _wide(sides["paper"]), on="model", how="outer", suffixes=(", here", ", paper"), sort=False
    )
    shown = {t for side in sides.values() for t in side["temperature"].dropna()}
    order = [*ROLE_NAMES.values()] + [_label("ds", t) for t in sorted(shown)]
    table = table.sort_values("model", key=lambda c: c.map(order.index))
    titles = [paper.METRICS[m] + side for side in (", here", ", paper") for m in METRICS]
    table = table[["model", *titles]].fillna("–")
    return Figure(
        name=f"beside-paper-{attribute}",
        title=f"Beside the paper, by {attribute.replace('_', ' ')}",
        caption=(
            "How much the distilled student gains or loses against the student trained without a "
            "teacher, in percentage points: here, and as the paper reports. Zero is no change. "
            "The two differ in size, data or training, so *compare the shapes, not the heights*; "
            "the absolute numbers, with standard deviations over seeds, are in the table."
        ),
        badge=results.profile,
        panels=panels,
        table=table,
        temperatures=temperatures,
        start=start,
        readout=_both_at(sides, temperatures),
        columns=3,
    )


def _one_accuracy(rows: pd.DataFrame, attribute: str) -> pd.DataFrame:
    """The accuracy that stands beside this attribute, where a table gives one a half."""
    own = rows[(rows["metric"] != "accuracy") | (rows["attribute"] == attribute)]
    return own if (own["metric"] == "accuracy").any() else rows


def _label(role: str, t: float) -> str:
    return ROLE_NAMES[role] if pd.isna(t) else f"{ROLE_NAMES[role]}, T = {t:g}"


def _wide(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a model, mean and deviation of each metric."""
    wide: dict[str, dict[str, object]] = {}
    for _, row in rows.iterrows():
        label = _label(row["role"], row["temperature"])
        title = paper.METRICS[row["metric"]]
        cells = wide.setdefault(label, {"model": label})
        text = f"{row['mean']:.2f}" if "%" in title else f"{row['mean']:g}"
        deviation = row["deviation"]
        cells[title] = text if pd.isna(deviation) else f"{text} ± {deviation:.2f}"
    return pd.DataFrame(list(wide.values())).fillna("–")


def _at(rows: pd.DataFrame, t: float) -> dict[str, float]:
    some = rows[rows["temperature"] == t]
    return dict(zip(some["metric"], some["mean"], strict=True))


def _both_at(sides: dict[str, pd.DataFrame], temperatures: Sequence[float]) -> dict[float, str]:
    said = {}
    for t in temperatures:
        parts = []
        for name, side in sides.items():
            numbers = [f"{METRICS[m][2]} {v:.2f} %" for m, v in _at(side, t).items()]
            parts.append(f"{name}: {', '.join(numbers) or 'nothing at this temperature'}")
        said[t] = f"T = {t:g}. " + "; ".join(parts) + "."
    return said
