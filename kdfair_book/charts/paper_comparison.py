"""Our numbers beside the paper's, and two weights of the distillation term side by side."""

from __future__ import annotations

import pandas as pd

from kdfair_book import paper
from kdfair_book.evidence.chance import affected_counts
from kdfair_core.results import Results

from . import collapsed
from .figure import Figure, Panel
from .paper import COUNTS, class_counts, means_at, metric_panel, one_accuracy, sources, wide
from .study import METRICS, ROLE_NAMES, at_setting, model_names, setting
from .temperature import capitalized, listed

#: Name of one side in the figure -> its curves, columns metric, T, mean.
Sides = dict[str, pd.DataFrame]

NOTHING = "nothing at this temperature"
GAIN = "Accuracy: distilled less alone"


def beside_paper(
    results: Results,
    attribute: str,
    *,
    start: float = 4,
    alpha: float | None = None,
    soft_scale: str | None = None,
) -> Figure:
    """Measured distilled students beside the paper's: change from their own student alone (NDS).

    Absolute numbers, which differ in scale, are in the figure's table. Parameters are those of
    :func:`.study.fairness`.
    """
    alpha, scale = setting(results, alpha, soft_scale)
    ours = at_setting(results.fairness_summary(attribute), alpha, [scale])
    ours = ours[ours["role"].isin(ROLE_NAMES)]
    ours = ours.assign(mean=100 * ours["mean"], deviation=100 * ours["sd"])
    theirs = one_accuracy(paper.results(results.study, attribute=attribute), attribute)
    both = {"measured here": ours, "paper": theirs[theirs["metric"].isin(METRICS)]}
    fallen = collapsed.collapsed_runs(results, alpha, [scale])
    by_run = results.group_fairness(attribute)
    alone = by_run[by_run["role"] == "nds"]
    changes = {name: _less_nds(rows, list(METRICS)) for name, rows in both.items()}
    panels = []
    for metric, (_, _, said) in METRICS.items():
        lines = _one_metric(changes, metric)
        spoken = (
            f"Change of {said} from student alone to distilled student, in points. "
            f"{_spoken(lines, '{:+.2f}')}"
        )
        runs = collapsed.seeds_beside(fallen, by_run, metric)
        runs["value"] = 100 * (runs["value"] - alone[metric].mean())
        runs["series"] = "measured here"
        title = f"{said}: distilled less alone"
        panels.append(metric_panel(lines, results.temperatures, "points", title, spoken, runs))
    table = wide(both["measured here"]).merge(
        wide(both["paper"]), on="model", how="outer", suffixes=(", here", ", paper"), sort=False
    )
    shown = sorted({t for rows in both.values() for t in rows["temperature"].dropna()})
    order = [
        *ROLE_NAMES.values(),
        *model_names(pd.Series(ROLE_NAMES["ds"], range(len(shown))), pd.Series(shown)),
    ]
    table = table.sort_values("model", key=lambda column: column.map(order.index))
    titles = [paper.METRICS[m] + side for side in (", here", ", paper") for m in METRICS]
    readout = {}
    for t in results.temperatures:
        parts = []
        for name, rows in both.items():
            numbers = [f"{METRICS[m][2]} {v:.2f} %" for m, v in means_at(rows, t).items()]
            parts.append(f"{name}: {', '.join(numbers) or NOTHING}")
        readout[t] = f"T = {t:g}. {capitalized('; '.join(parts))}."
    figure = Figure(
        name=f"beside-paper-{attribute}",
        title=f"Beside the paper, by {attribute.replace('_', ' ')}",
        caption=(
            "How much the distilled student gains or loses against the student trained without a "
            "teacher, in percentage points: here, and as the paper reports. Zero is no change. "
            "The two differ in size, data or training, so *compare the shapes, not the heights*; "
            "the absolute numbers, with standard deviations over seeds, are in the table. EOD and "
            "DPD are as measured, not bias-corrected, as the paper's are. "
            + collapsed.caption(fallen)
        ),
        badge=results.profile,
        panels=panels,
        table=table[["model", *titles]].fillna("–"),
        temperatures=results.temperatures,
        start=start,
        readout=readout,
    )
    return collapsed.noted(figure, fallen)


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
        "measured here": _less_nds(_our_counts(results, alpha, scale), ["accuracy"]),
        "paper": _less_nds(class_counts(results.study, alpha), ["accuracy"]),
    }
    panels = []
    for metric, (axis, title, _) in COUNTS.items():
        axis, title = ("points", GAIN) if metric == "accuracy" else (axis, title)
        lines = _one_metric(sides, metric)
        spoken = _spoken(lines, "{:g}" if axis == "classes" else "{:+.2f}")
        panels.append(metric_panel(lines, results.temperatures, axis, title, f"{title}. {spoken}"))
    titles = {metric: title for metric, (_, title, _) in COUNTS.items()} | {"accuracy": GAIN}
    words = {"sc": "#SC {:g}", "tc": "#TC {:g}", "accuracy": "accuracy {:+.2f} points"}
    figure = Figure(
        name="beside-paper-counts",
        title="Affected classes beside the paper",
        caption=(
            "Significantly affected classes at level 0.05 and what the distilled student gains in "
            "accuracy over the student alone: here, and as the paper reports. #SC and #TC depend "
            "on the number of seeds as much as on the effect, so *compare the shapes, not the "
            "heights*."
        ),
        badge=results.profile,
        panels=panels,
        table=_table(sides, dict(sorted(titles.items(), key=lambda pair: pair[1]))),
        temperatures=results.temperatures,
        start=start,
        readout={t: _said(sides, words, t) for t in results.temperatures},
    )
    return collapsed.noted(figure, collapsed.collapsed_runs(results, alpha, [scale]))


def paper_alphas(study: str, *, start: float = 4) -> Figure:
    """#SC, #TC and accuracy at each weight of the distillation term, as the paper's Table 7.

    Parameters
    ----------
    study
        A study of which the paper reports several weights.
    start
        Temperature at which the dial starts.
    """
    rows = class_counts(study)
    title = f"{paper.STUDY_TITLES[study]}: two weights of the distillation term, as reported"
    return _alphas(f"paper-alphas-{study}", title, f"({sources(rows)})", "reported", rows, start)


def alphas(results: Results, *, start: float = 4, soft_scale: str | None = None) -> Figure:
    """#SC, #TC and accuracy at each weight of the distillation term that was measured."""
    _, scale = setting(results, None, soft_scale)
    parts = [_our_counts(results, a, scale).assign(alpha=a) for a in results.alphas]
    rows = pd.concat(parts, ignore_index=True)
    title = "Two weights of the distillation term"
    return _alphas("alphas", title, "over seeds", results.profile, rows, start)


def _our_counts(results: Results, alpha: float, scale: str) -> pd.DataFrame:
    """Rows role, temperature, metric, mean, as those of the paper."""
    counts = at_setting(affected_counts(results), alpha, [scale])
    counts = counts[counts["comparison"] != "null"].sort_values("comparison", kind="stable")
    counts = counts.assign(
        role="ds", metric=counts["comparison"].str.lower(), mean=counts["significant"]
    )
    runs = at_setting(results.runs, alpha, [scale])
    means = 100 * runs.groupby(["role", "temperature"], dropna=False)["accuracy"].mean()
    accuracy = means.rename("mean").reset_index().assign(metric="accuracy")
    columns = ["role", "temperature", "metric", "mean"]
    return pd.concat([counts[columns], accuracy[columns]], ignore_index=True)


def _less_nds(rows: pd.DataFrame, metrics: list[str]) -> pd.DataFrame:
    """Curves of the DS; for these metrics what it has less that of the NDS."""
    nds = rows[rows["role"] == "nds"].set_index("metric")["mean"]
    ds = rows[rows["role"] == "ds"].rename(columns={"temperature": "T"}).sort_values("T")
    base = ds["metric"].map(nds[nds.index.isin(metrics)]).fillna(0.0)
    return ds.assign(mean=ds["mean"] - base)[["metric", "T", "mean"]]


def _one_metric(sides: Sides, metric: str) -> pd.DataFrame:
    """Rows for a chart: series, T, mean."""
    parts = [rows[rows["metric"] == metric].assign(series=name) for name, rows in sides.items()]
    return pd.concat(parts, ignore_index=True)


def _spoken(lines: pd.DataFrame, form: str) -> str:
    sides = lines.groupby("series", sort=False)
    return "; ".join(f"{name}: {listed(rows, form)}" for name, rows in sides) + "."


def _table(sides: Sides, titles: dict[str, str]) -> pd.DataFrame:
    """A row a temperature, the sides beside each other."""
    parts = [
        rows.pivot(index="T", columns="metric", values="mean")[list(titles)]
        .rename(columns=titles)
        .add_suffix(f", {name}")
        for name, rows in sides.items()
    ]
    return pd.concat(parts, axis=1).sort_index().reset_index()


def _said(sides: Sides, words: dict[str, str], t: float) -> str:
    """What a figure of several sides says at a temperature; a template for each metric."""
    parts = []
    for name, rows in sides.items():
        at = rows[rows["T"] == t].set_index("metric")["mean"]
        found = [words[m].format(at[m]) for m in words if m in at.index]
        parts.append(f"{name}: {', '.join(found) or NOTHING}")
    return f"T = {t:g}. {capitalized('; '.join(parts))}."


def _alphas(
    name: str, title: str, where: str, badge: str, rows: pd.DataFrame, start: float
) -> Figure:
    ds = _less_nds(rows, []).assign(alpha=rows["alpha"])
    sides = {
        f"alpha {alpha:g}": part.drop(columns="alpha")
        for alpha, part in reversed(list(ds.groupby("alpha")))
    }
    temperatures = sorted(ds["T"].unique())
    panels: list[Panel] = []
    for metric, (axis, heading, _) in COUNTS.items():
        lines = _one_metric(sides, metric)
        says = f"{heading}. {_spoken(lines.round(2), '{:g}')}"
        panels.append(metric_panel(lines, temperatures, axis, heading, says))
    titles = {metric: title for metric, (_, _, title) in COUNTS.items()}
    words = {metric: f"{title} {{:.4g}}" for metric, title in titles.items()}
    return Figure(
        name=name,
        title=title,
        caption=f"Means {where}. alpha is the weight of the distillation term; the labels keep "
        "the rest. *If the teacher's part of the loss changes the classes, less weight on it "
        "should change fewer.*",
        badge=badge,
        panels=panels,
        table=_table(sides, titles),
        temperatures=temperatures,
        start=start if start in temperatures else temperatures[0],
        readout={t: _said(sides, words, t) for t in temperatures},
    )
