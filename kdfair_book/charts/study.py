"""Figures of one study's published results."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from kdfair_book import evidence
from kdfair_core.results import Results

from . import collapsed
from .figure import Figure, Panel
from .temperature import against_temperature, capitalized, is_cut, listed

#: Column of a fairness frame -> axis title, which way is better, name in a sentence.
METRICS = {
    "accuracy": ("accuracy (%)", "Accuracy: higher is better", "accuracy"),
    "eod": ("EOD (%)", "EOD: lower is fairer", "EOD"),
    "dpd": ("DPD (%)", "DPD: lower is more equal", "DPD"),
}
SCALE_NAMES = {"T2": "distilled, with T²", "none": "distilled, without T²"}
DOTTED = "Dotted: the DPD as measured of a classifier without errors; compare it with the ticks. "
CUT = "Bands that reach an edge go on beyond it; see the numbers. "
ROLE_NAMES = {"teacher": "teacher", "nds": "student alone", "ds": "distilled student"}
#: Space of features -> between what distances are taken.
DISTANCES = {"input": "distance between inputs", "teacher": "distance inside the teacher"}


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
        Which panels: any of "accuracy", "eod" and "dpd".

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
    fallen = collapsed.collapsed_runs(results, alpha, scales)
    by_run = results.group_fairness(attribute)
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
        runs = collapsed.seeds_beside(fallen, by_run, metric)
        runs = runs.assign(
            value=100 * runs["value"],
            series=runs["soft_scale"].map(SCALE_NAMES) if both else ROLE_NAMES["ds"],
        )
        chart = against_temperature(lines, results.temperatures, y_title=axis, seeds=runs)
        panels.append(Panel(chart, title, _trend(lines, said)))
        cut = cut or is_cut(lines)

    which = "distilled students (DS) of a scaling" if both else "distilled student (DS)"
    figure = Figure(
        name=f"fairness-{attribute}" + ("-scales" if both else ""),
        title=f"Fairness by {attribute.replace('_', ' ')} against temperature",
        caption=(
            f"Points: means over seeds of the {which}, with 95 % bands; level lines: the teacher "
            "and the student trained alone (NDS). Small ticks: as measured, before the correction "
            "for noise. "
            + (DOTTED if "dpd" in metrics and not both else "")
            + collapsed.caption(fallen)
            + "".join(
                f"{METRICS[m][2]} is not defined: fewer than two groups have examples of the "
                "labels that it needs. "
                for m in without
            )
            + "*Turn the dial and ask "
            "whether the band of the distilled student leaves that of the student alone, and which "
            "way.*"
        ),
        method=(
            "The band is the 95 % interval of what one trained model has in the population, over "
            "test examples and seeds. EOD and DPD are corrected for what noise adds to a largest "
            f"difference. A classifier without any error has a DPD of {floor:.2f} % here, because "
            "the labels themselves are not spread evenly over the groups. " + (CUT if cut else "")
        ),
        badge=results.profile,
        panels=panels,
        table=_fairness_table(rows, metrics),
        temperatures=results.temperatures,
        start=start,
        readout=_fairness_readout(rows, metrics, results.temperatures),
    )
    return collapsed.noted(figure, fallen)


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
    level = [name for name in (ROLE_NAMES["nds"], "teacher") if name in set(rows["series"])]

    def numbers(name: str, t: float) -> str:
        here = rows[(rows["series"] == name) & (rows["T"].isna() | (rows["T"] == t))]
        means = here.set_index("metric")["mean"]
        return f"{name}: " + ", ".join(
            f"{METRICS[m][2]} {means[m]:.2f} %" for m in metrics if m in means
        )

    said = {t: "; ".join(numbers(name, t) for name in [*curves, *level]) for t in temperatures}
    return {t: f"T = {t:g}. {capitalized(text)}." for t, text in said.items()}


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
    counts = at_setting(evidence.chance.affected_counts(results), alpha, [scale])
    null = counts[counts["comparison"] == "null"]
    n_classes = int(counts["n_classes"].iloc[0])
    chance = {k: float(counts[f"chance_{k}"].iloc[0]) for k in ("low", "mean", "high")}

    panels = []
    both = counts[counts["comparison"].isin(["SC", "TC"])]
    both = both.rename(columns={"temperature": "T"}).sort_values("comparison", kind="stable")
    for column, title in (
        ("significant", "Classes that differ"),
        ("significant_bh", "Those that remain after correction"),
    ):
        lines = pd.DataFrame(
            {"series": "#" + both["comparison"], "T": both["T"], "mean": both[column]}
        )
        if column == "significant" and not null.empty:
            level = {"series": "null control", "mean": null["significant"].iloc[:1]}
            lines = pd.concat([lines, pd.DataFrame(level)], ignore_index=True)
        chart = against_temperature(
            lines,
            results.temperatures,
            y_title="classes",
            digits=0,
            band=chance if column == "significant" else None,
            zero=True,
        )
        curves = "; ".join(
            f"{name}: {listed(rows, '{:g}')}"
            for name, rows in lines.groupby("series")
            if str(name).startswith("#")
        )
        says = (
            f"{title}, of {n_classes} classes, in accuracy relative to overall accuracy, against "
            f"temperature. {curves}."
        )
        panels.append(Panel(chart, title, says, width=360, height=280))
    said: dict[float, list[str]] = {t: [] for t in results.temperatures}
    for row in both.to_dict("records"):
        said[row["T"]].append(
            f"#{row['comparison']} {row['significant']:.0f} "
            f"({row['significant_bh']:.0f} after correction)"
        )
    control = (
        f" A second, independent set of non-distilled students differs from the first in "
        f"{int(null['significant'].iloc[0])}: that is the null control."
        if not null.empty
        else ""
    )
    figure = Figure(
        name="affected-classes",
        title="Significantly affected classes against temperature",
        caption=(
            f"For how many of the {n_classes} classes the accuracy, relative to overall accuracy, "
            "differs: between the student alone and the distilled one (#SC), and between teacher "
            f"and distilled student (#TC). If nothing differed, {chance['mean']:.1f} would be "
            f"expected; the gray band ({chance['low']:.0f} to {chance['high']:.0f}) holds 95 % of "
            "such counts. *Only what rises out of the band is more than chance.*"
        ),
        method=(
            "Welch's test over seeds of each class's accuracy divided by overall accuracy, level "
            "0.05; "
            "right, after Benjamini and Hochberg's correction for the number of classes (BH)."
            + control
        ),
        badge=results.profile,
        panels=panels,
        table=_counts_table(counts),
        temperatures=results.temperatures,
        start=start,
        readout={t: f"T = {t:g}. {'; '.join(parts)}." for t, parts in said.items()},
    )
    return collapsed.noted(figure, collapsed.collapsed_runs(results, alpha, [scale]))


def _counts_table(counts: pd.DataFrame) -> pd.DataFrame:
    named = {"SC": "#SC: alone, distilled", "TC": "#TC: teacher, distilled", "null": "null control"}
    names = model_names(counts["comparison"].map(named), counts["temperature"])
    table = pd.DataFrame({"comparison": names})
    whole = {"n_classes": "classes", "significant": "significant", "significant_bh": "after BH"}
    for column, title in whole.items():
        table[title] = counts[column].astype(int).to_numpy()
    for end in ("low", "mean", "high"):
        table[f"chance, {end}"] = counts[f"chance_{end}"].astype(float).to_numpy()
    return table


def unfairness_scale(results: Results) -> str:
    """What a value of individual unfairness means, in a sentence."""
    told = [
        f"{evidence.dealt_at_random(results, space):.3g} ({DISTANCES[space]})"
        for space in results.features
    ]
    return (
        "The scale: 0 is a model that answers the same to everyone; the student alone's own "
        f"answers, dealt out to the examples at random, have {' and '.join(told)}."
    )


def individual_fairness(
    results: Results,
    *,
    start: float = 4,
    alpha: float | None = None,
    soft_scale: str | None = None,
) -> Figure:
    """Individual unfairness against temperature (lower is fairer), a panel for each distance.

    Parameters are those of :func:`fairness`.
    """
    alpha, scale = setting(results, alpha, soft_scale)
    parts = []
    for space in results.features:
        summary = at_setting(evidence.unfairness_summary(results, space), alpha, [scale])
        summary = summary[summary["role"].isin(ROLE_NAMES)]
        lines = summary.rename(columns={"temperature": "T"})[["T", "mean", "low", "high", "n_runs"]]
        lines.insert(0, "series", summary["role"].map(ROLE_NAMES))
        parts.append(lines.assign(space=space))
    rows = pd.concat(parts, ignore_index=True)
    fallen = collapsed.collapsed_runs(results, alpha, [scale])
    panels = []
    for distance, lines in rows.groupby("space", sort=False):
        models = model_names(lines["series"], lines["T"])
        said = "; ".join(
            f"{model.replace(', ', ' at ')} {mean:.4f}"
            for model, mean in zip(models, lines["mean"], strict=True)
        )
        chart = against_temperature(
            lines.drop(columns="space"),
            results.temperatures,
            y_title="individual unfairness",
            digits=4,
            seeds=collapsed.seeds_beside(
                fallen, results.individual_fairness(str(distance)), "individual_unfairness"
            ).assign(series=ROLE_NAMES["ds"]),
        )
        panels.append(
            Panel(
                chart,
                f"{DISTANCES[str(distance)].capitalize()}: lower is fairer",
                f"Line chart of individual unfairness ({DISTANCES[str(distance)]}) against "
                f"temperature: {said}.",
                width=370 if len(parts) > 1 else 740,
                height=280,
            )
        )
    ds = rows[rows["T"].notna()]
    table = rows[["mean", "low", "high"]].map("{:.4f}".format).assign(runs=rows["n_runs"])
    table.insert(0, "model", model_names(rows["series"], rows["T"]))
    if len(parts) > 1:
        table.insert(1, "distance", rows["space"].map(DISTANCES))
    figure = Figure(
        name="individual-fairness",
        title="Individual unfairness against temperature",
        caption=(
            "How much the predicted probabilities change between two examples, divided by the "
            "(cosine) distance of the examples. *Lower: similar examples get more similar "
            f"answers.* {unfairness_scale(results)} " + collapsed.caption(fallen)
        ),
        method=(
            "Mean over pairs of test examples. Bands are 95 % intervals over examples and seeds. "
            "All models answer the same examples, so other examples would move all lines "
            "together: lines can differ beyond chance although their bands overlap. "
            + (CUT if any(is_cut(lines) for lines in parts) else "")
        ),
        badge=results.profile,
        panels=panels,
        table=table,
        temperatures=results.temperatures,
        start=start,
        readout={
            t: f"T = {t:g}. Individual unfairness of the distilled student: "
            + ", ".join(
                f"{row['mean']:.4f} ({DISTANCES[row['space']]})"
                for row in ds[ds["T"] == t].to_dict("records")
            )
            + "."
            for t in results.temperatures
        },
    )
    return collapsed.noted(figure, fallen)
