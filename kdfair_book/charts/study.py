"""Figures of one study's published results."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from kdfair_book import evidence
from kdfair_core.results import Results

from .figure import Figure, Panel
from .temperature import against_temperature, is_cut, listed

#: Column of a fairness frame -> axis title, which way is better, name in a sentence.
METRICS = {
    "accuracy": ("accuracy (%)", "Accuracy: higher is better", "accuracy"),
    "eod": ("EOD (%)", "EOD: lower is fairer", "EOD"),
    "dpd": ("DPD (%)", "DPD: lower is more equal", "DPD"),
}
SCALE_NAMES = {"T2": "DS with T²", "none": "DS without"}
CUT = "Bands that reach an edge go on beyond it; see the numbers. "
ROLE_NAMES = {"teacher": "teacher", "nds": "NDS", "ds": "DS"}


def setting(
    results: Results, alpha: float | None = None, soft_scale: str | None = None
) -> tuple[float, str]:
    """The weight and the scaling of the soft term that a figure shows.

    By default the paper's alpha = 0.8 and "T2", else the last that was measured.

    Raises
    ------
    ValueError
        If it was not measured.
    """

    def choose(what: str, given: Any, usual: Any, choices: Sequence[Any]) -> Any:
        if given is None:
            return usual if usual in choices else choices[-1]
        if given not in choices:
            listed = ", ".join(str(c) for c in choices)
            raise ValueError(f"{what} {given!r} was not measured; choose from {listed}")
        return given

    return (
        choose("alpha", alpha, 0.8, results.alphas),
        choose("soft_scale", soft_scale, "T2", results.soft_scales),
    )


def at_setting(frame: pd.DataFrame, alpha: float, soft_scales: Iterable[str]) -> pd.DataFrame:
    """Rows without a temperature, and the rows of distilled students at this setting."""
    ds = frame["temperature"].notna()
    return frame[~ds | ((frame["alpha"] == alpha) & frame["soft_scale"].isin(list(soft_scales)))]


def model_names(names: pd.Series, temperatures: pd.Series) -> list[str]:
    """What a table calls each model: its name, with the temperature if it has one."""
    pairs = zip(names, temperatures, strict=True)
    return [name if pd.isna(t) else f"{name}, T = {t:g}" for name, t in pairs]


def fairness(
    results: Results,
    attribute: str,
    *,
    start: float = 4,
    alpha: float | None = None,
    soft_scale: str | None = None,
    metrics: Sequence[str] = ("accuracy", "eod", "dpd"),
) -> Figure:
    """Accuracy, EOD and DPD against temperature, as the paper's Figure 4.

    Parameters
    ----------
    results
        Published results.
    attribute
        The sensitive attribute.
    start
        Temperature at which the dial starts.
    alpha, soft_scale
        Which distilled students; ``soft_scale="both"`` draws both scalings.
    metrics
        Which panels, out of accuracy, eod, dpd.

    Raises
    ------
    ValueError
        If the attribute, the setting or a metric is unknown.
    """
    unknown = [m for m in metrics if m not in METRICS]
    if unknown:
        raise ValueError(f"unknown metric {unknown[0]!r}; choose from {', '.join(METRICS)}")
    both = soft_scale == "both"
    alpha, scale = setting(results, alpha, None if both else soft_scale)
    scales = results.soft_scales if both else [scale]
    summary = at_setting(evidence.fairness_intervals(results, attribute), alpha, scales)
    summary = summary[summary["role"].isin(ROLE_NAMES)]
    names = summary["role"].map(ROLE_NAMES)
    if both:
        names = names.where(summary["role"] != "ds", summary["soft_scale"].map(SCALE_NAMES))
    rows = pd.DataFrame({"series": names, "T": summary["temperature"], "runs": summary["n_runs"]})
    rows["metric"] = summary["metric"]
    for column, source in (("mean", "corrected"), ("low", "low"), ("high", "high")):
        rows[column] = 100 * summary[source]
    # noise adds to a largest difference
    rows["raw"] = 100 * summary["mean"]
    rows["measured"] = 100 * summary["mean"].where(summary["chance"].notna())
    floor = 100 * float(summary.loc[summary["metric"] == "dpd", "floor"].iloc[0])
    known = rows.groupby("metric")["mean"].count() > 0
    without = [m for m in metrics if not known[m]]
    metrics = [m for m in metrics if known[m]]

    panels = []
    cut = False
    for metric in metrics:
        axis, title, said = METRICS[metric]
        lines = rows[rows["metric"] == metric]
        ends = lines[["mean", "low", "high"]].clip(0, 100)  # no interval beyond what can be
        lines = lines.assign(**ends)
        if metric == "dpd":
            perfect = {"series": "no errors", "T": np.nan, "mean": floor}
            lines = pd.concat([lines, pd.DataFrame([perfect])], ignore_index=True)
        if lines["measured"].isna().all():
            lines = lines.drop(columns="measured")
        chart = against_temperature(lines, results.temperatures, y_title=axis)
        panels.append(Panel(chart, title, _trend(lines, said)))
        cut = cut or is_cut(lines)

    which = "distilled students (DS) of a scaling" if both else "distilled student (DS)"
    return Figure(
        name=f"fairness-{attribute}" + ("-scales" if both else ""),
        title=f"Fairness by {attribute.replace('_', ' ')} against temperature",
        caption=(
            f"Each point is a mean over seeds of the {which}; the band is the 95 % interval of "
            "what one trained model has in the population, over test examples and seeds. EOD and "
            "DPD are corrected for what noise adds to a largest difference; small ticks are the "
            "values as measured. Level lines are the teacher and the student trained alone (NDS). "
            f"A classifier without any error has a DPD of {floor:.2f} % here, because the "
            "labels themselves are not spread evenly over the groups: as measured, so compare "
            "ticks with it. "
            + "".join(
                f"{METRICS[m][2]} is not defined: fewer than two groups have examples of the "
                "labels that it needs. "
                for m in without
            )
            + (CUT if cut else "")
            + "*Turn the dial and ask "
            "whether the band of the DS leaves that of the NDS, and which way.*"
        ),
        badge=results.profile,
        panels=panels,
        table=_fairness_table(rows, metrics),
        temperatures=results.temperatures,
        start=start,
        readout=_fairness_readout(rows, metrics, results.temperatures),
    )


def _trend(lines: pd.DataFrame, said: str) -> str:
    """One sentence that says what a panel of level lines and curves shows."""
    parts = []
    for name, rows in lines.groupby("series", sort=False):
        if rows["T"].isna().all():
            parts.append(f"{name} {rows['mean'].iloc[0]:.2f}")
            continue
        rows = rows.sort_values("T")
        first, last = rows.iloc[0], rows.iloc[-1]
        low, high = rows.iloc[rows["mean"].argmin()], rows.iloc[rows["mean"].argmax()]
        parts.append(
            f"{name} from {first['mean']:.2f} at T = {first['T']:g} to {last['mean']:.2f} at "
            f"T = {last['T']:g}, lowest {low['mean']:.2f} at T = {low['T']:g}, highest "
            f"{high['mean']:.2f} at T = {high['T']:g}"
        )
    return f"Line chart of {said} in percent against temperature: {'; '.join(parts)}."


def _fairness_table(rows: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """A row a model, with mean and interval of each metric in percent."""
    models = rows.assign(model=model_names(rows["series"], rows["T"]))
    table = models.drop_duplicates("model").set_index("model")[["runs"]].astype(int)
    for metric in [m for m in rows["metric"].unique() if m in metrics]:
        values = models[models["metric"] == metric].set_index("model")
        for column, title in (("mean", "(%)"), ("low", "low"), ("high", "high")):
            table[f"{METRICS[metric][2]} {title}"] = values[column]
        if metric != "accuracy":
            table[f"{METRICS[metric][2]} as measured"] = values["raw"]
    return table.reset_index()


def _fairness_readout(
    rows: pd.DataFrame, metrics: Sequence[str], temperatures: Sequence[float]
) -> dict[float, str]:
    """For each temperature, the numbers of every model there."""
    curves = list(dict.fromkeys(rows.loc[rows["T"].notna(), "series"]))
    level = [name for name in ("NDS", "teacher") if name in set(rows["series"])]

    def numbers(name: str, t: float) -> str:
        here = rows[(rows["series"] == name) & (rows["T"].isna() | (rows["T"] == t))]
        means = here.set_index("metric")["mean"]
        return f"{name}: " + ", ".join(
            f"{METRICS[m][2]} {means[m]:.2f} %" for m in metrics if m in means
        )

    return {
        t: f"T = {t:g}. " + "; ".join(numbers(name, t) for name in [*curves, *level]) + "."
        for t in temperatures
    }


def affected_counts(
    results: Results,
    *,
    start: float = 4,
    alpha: float | None = None,
    soft_scale: str | None = None,
) -> Figure:
    """#SC and #TC against temperature with what chance alone would give, as Figure 3.

    Parameters are those of :func:`fairness`.
    """
    alpha, scale = setting(results, alpha, soft_scale)
    counts = at_setting(results.affected_counts(), alpha, [scale])
    null = counts[counts["comparison"] == "null"]
    n_classes = int(counts["n_classes"].iloc[0])
    chance = {k: float(counts[f"chance_{k}"].iloc[0]) for k in ("low", "mean", "high")}

    panels = []
    said: dict[float, list[str]] = {t: [] for t in results.temperatures}
    for comparison, sides in (
        ("SC", "student alone and distilled one"),
        ("TC", "teacher and distilled student"),
    ):
        rows = counts[counts["comparison"] == comparison].rename(columns={"temperature": "T"})
        lines = [
            pd.DataFrame({"series": name, "T": rows["T"], "mean": rows[column]})
            for name, column in (("level 0.05", "significant"), ("after BH", "significant_bh"))
        ]
        if comparison == "SC" and not null.empty:
            level = {"series": "null control", "mean": null["significant"].iloc[:1]}
            lines.append(pd.DataFrame(level))
        chart = against_temperature(
            pd.concat(lines, ignore_index=True),
            results.temperatures,
            y_title="classes",
            digits=0,
            band=chance,
            zero=True,
        )
        says = (
            f"Number of {n_classes} classes whose relative accuracy differs between {sides}: "
            f"{listed(rows, '{}', 'significant')}."
        )
        title = f"#{comparison}: {sides}"
        panels.append(Panel(chart, title, says, width=360, height=280))
        for row in rows.to_dict("records"):
            said[row["T"]].append(
                f"#{comparison} {row['significant']:.0f} ({row['significant_bh']:.0f} after BH)"
            )
    control = (
        f" A second, independent set of non-distilled students differs from the first in "
        f"{int(null['significant'].iloc[0])}: that is the null control."
        if not null.empty
        else ""
    )
    return Figure(
        name="affected-classes",
        title="Significantly affected classes against temperature",
        caption=(
            f"For how many of the {n_classes} classes the accuracy, relative to overall accuracy, "
            "differs (Welch's test, level 0.05), and how many remain after Benjamini and "
            f"Hochberg's correction. If nothing differed, {chance['mean']:.1f} would be expected; "
            f"the gray band ({chance['low']:.0f} to {chance['high']:.0f}) holds 95 % of such "
            f"counts.{control} *Only what rises out of the band is more than chance.*"
        ),
        badge=results.profile,
        panels=panels,
        table=_counts_table(counts),
        temperatures=results.temperatures,
        start=start,
        readout={t: f"T = {t:g}. {'; '.join(parts)}." for t, parts in said.items()},
    )


def _counts_table(counts: pd.DataFrame) -> pd.DataFrame:
    named = {"SC": "#SC: NDS and DS", "TC": "#TC: teacher and DS", "null": "null control"}
    names = model_names(counts["comparison"].map(named), counts["temperature"])
    table = pd.DataFrame({"comparison": names})
    whole = {"n_classes": "classes", "significant": "significant", "significant_bh": "after BH"}
    for column, title in whole.items():
        table[title] = counts[column].astype(int).to_numpy()
    for end in ("low", "mean", "high"):
        table[f"chance, {end}"] = counts[f"chance_{end}"].astype(float).to_numpy()
    return table


def individual_fairness(
    results: Results,
    *,
    space: str = "input",
    start: float = 4,
    alpha: float | None = None,
    soft_scale: str | None = None,
) -> Figure:
    """Individual unfairness against temperature (lower is fairer).

    Parameters are those of :func:`fairness`; ``space`` names where distances are measured.
    """
    alpha, scale = setting(results, alpha, soft_scale)
    summary = at_setting(evidence.unfairness_summary(results, space), alpha, [scale])
    summary = summary[summary["role"].isin(ROLE_NAMES)]
    lines = summary.rename(columns={"temperature": "T"})[["T", "mean", "low", "high", "n_runs"]]
    lines.insert(0, "series", summary["role"].map(ROLE_NAMES))
    models = model_names(lines["series"], lines["T"])
    table = lines[["mean", "low", "high"]].map("{:.4f}".format).assign(runs=lines["n_runs"])
    table.insert(0, "model", models)
    return Figure(
        name=f"individual-fairness-{space}",
        title="Individual unfairness against temperature",
        caption=(
            "Mean change of the predicted probabilities between two examples, divided by the "
            f"distance of the examples (cosine distance, {space} space). Bands are 95 % intervals "
            "over examples and seeds. All models answer the same examples, and others would move "
            "all lines together: lines can differ for sure where their bands overlap. "
            + (CUT if is_cut(lines) else "")
            + "*A student that treats similar examples alike lies low.*"
        ),
        badge=results.profile,
        panels=[
            Panel(
                against_temperature(
                    lines, results.temperatures, y_title="individual unfairness", digits=4
                ),
                "Individual unfairness: lower is fairer",
                "Line chart of individual unfairness against temperature: "
                + "; ".join(
                    f"{name} {mean:.4f}" + (f" at {at}" if at else "")
                    for (name, _, at), mean in zip(
                        (model.partition(", ") for model in models), lines["mean"], strict=True
                    )
                )
                + ".",
                width=740,
                height=280,
            )
        ],
        table=table,
        temperatures=results.temperatures,
        start=start,
        readout={
            t: f"T = {t:g}. Individual unfairness of the DS: {mean:.4f}."
            for t, mean in zip(lines["T"], lines["mean"], strict=True)
            if pd.notna(t)
        },
    )
