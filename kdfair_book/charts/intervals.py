"""Figures of how sure a fairness metric is: intervals, chance levels, seeds."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from kdfair_book import evidence
from kdfair_book.evidence import Sweep
from kdfair_core.results import Results

from . import signals, theme
from .figure import Figure, Panel
from .study import ROLE_NAMES, at_setting, model_names
from .temperature import (
    against_temperature,
    dial_rule,
    fixed_scale,
    rows_csv,
    temperature_axis,
    tooltip,
)


def fairness_evidence(
    results: Results,
    attribute: str,
    *,
    start: float = 4,
    alpha: float | None = None,
    soft_scale: str | None = None,
) -> Figure:
    """EOD and DPD against temperature, with intervals over examples and seeds and chance levels.

    Parameters
    ----------
    results
        Published results.
    attribute
        The sensitive attribute.
    start
        Temperature at which the dial starts.
    alpha, soft_scale
        Which distilled students.
    """
    found = evidence.sweep(results, alpha=alpha, soft_scale=soft_scale)
    frame = evidence.fairness_intervals(results, attribute)
    frame = at_setting(frame, found.alpha, [found.soft_scale])
    frame = frame[frame["role"].isin(ROLE_NAMES)]
    frame = frame.assign(series=frame["role"].map(ROLE_NAMES), T=frame["temperature"])
    numbers = ["mean", "low", "high", "corrected", "chance", "floor"]
    frame[numbers] *= 100
    frame = frame.rename(columns={"mean": "measured", "corrected": "mean"})
    frame = frame[frame["metric"].isin(["eod", "dpd"])].sort_values(
        "metric", ascending=False, kind="stable"
    )
    panels = []
    at: dict[str, dict[Any, dict[Any, float]]] = {}
    for metric, part in frame.groupby("metric", sort=False):
        mine = part[part["role"] == "ds"]
        equal = mine[["T"]].assign(series="equal groups", mean=mine["chance"])
        parts = [part, equal]
        if metric == "dpd":
            perfect = {"series": "no errors", "mean": part["floor"].iloc[:1]}
            parts.append(pd.DataFrame(perfect))
        name = str(metric).upper()
        lines = pd.concat(
            [p.reindex(columns=["series", "T", "mean", "low", "high", "measured"]) for p in parts]
        )
        chart = against_temperature(
            lines.reset_index(drop=True), found.temperatures, y_title=f"{name} (%)", zero=True
        )
        at[name] = mine.set_index("T")[["mean", "low", "high", "chance"]].to_dict("index")
        inside = ", ".join(
            f"{row['mean']:.2f} at T = {t:g}, true value between {row['low']:.2f} and "
            f"{row['high']:.2f}"
            for t, row in at[name].items()
        )
        says = (
            f"{name} of the distilled student in percent: {inside}. Groups with equal rates would "
            f"show about {mine['chance'].mean():.2f}."
        )
        panels.append(Panel(chart, f"{name}, and where the truth may be", says, height=320))
    table = pd.DataFrame(
        {"model": model_names(frame["series"], frame["T"]), "metric": frame["metric"].str.upper()}
    )
    titles = {
        "mean": "corrected (%)",
        "low": "low",
        "high": "high",
        "measured": "as measured",
        "chance": "by chance",
    }
    table[list(titles.values())] = frame[list(titles)]
    return Figure(
        name=f"evidence-{attribute}",
        title=f"How sure are EOD and DPD by {attribute}",
        caption=(
            "Points: the difference of one trained model in the whole population, corrected for "
            "what noise adds (bias-corrected, with its 95 % interval, over test examples and "
            "seeds). Small ticks: as measured, which is what most papers report. Dotted with "
            "crosses: what groups with *equal* rates would show by chance; a tick near a cross is "
            "mostly noise. "
            "*Look for temperatures whose bands do not overlap.*"
        ),
        badge=results.profile,
        panels=panels,
        table=table,
        temperatures=found.temperatures,
        start=start_near(found.temperatures, start),
        readout={
            t: f"T = {t:g}. "
            + "; ".join(
                f"{name} {row['mean']:.2f} %, truth between {row['low']:.2f} and "
                f"{row['high']:.2f} %, equal groups would show {row['chance']:.2f} %"
                for name, row in ((name, at[name][t]) for name in at)
            )
            + "."
            for t in found.temperatures
        },
    )


def seed_lines(found: Sweep, attribute: str, *, start: float = 4) -> Figure:
    """EOD and DPD of every distilled student, a line a seed: what Page's test ranks."""
    panels, tables, said = [], [], []
    readout: dict[float, list[str]] = {t: [] for t in found.temperatures}
    for metric in ("eod", "dpd"):
        name = metric.upper()
        values = 100 * evidence.fairness_by_run(found, attribute, metric)
        trend = evidence.fairness_trend(found, attribute, metric)
        said.append(
            f"{name}: mean rank correlation {trend.effect:+.2f}, p = {trend.p_value:.2g} for a "
            f"fall from T = 1 to 10 ({trend.p_opposite:.2g} for a rise)"
        )
        rows = pd.DataFrame(
            [
                {"seed": str(seed), "T": t, "value": values[s, k]}
                for s, seed in enumerate(found.seeds)
                for k, t in enumerate(found.temperatures)
            ]
        )
        title = f"{name} of {len(found.seeds)} seeds"
        says = f"Line chart of {name} against temperature, a line a seed. Page's test, {said[-1]}."
        panels.append(Panel(_seeds_chart(rows, found.temperatures, name), title, says))
        tables.append(rows.pivot(index="T", columns="seed", values="value").assign(metric=name))
        for k, t in enumerate(found.temperatures):
            low, high = values[:, k].min(), values[:, k].max()
            readout[t].append(f"{name} from {low:.2f} to {high:.2f} % over seeds")
    table = pd.concat(tables).reset_index()
    table = table[["T", "metric", *table.columns.drop(["T", "metric"])]]
    table.columns = pd.Index(["T", "metric", *(f"seed {c}" for c in table.columns[2:])])
    return Figure(
        name=f"seeds-{attribute}",
        title=f"EOD and DPD by {attribute.replace('_', ' ')}, seed by seed",
        caption=(
            "Every line is a seed: a teacher and its students. Page's test ranks the temperatures "
            "within each seed from 1 to 10 and asks whether the seeds agree on the order. "
            f"{'; '.join(said)}."
        ),
        badge=found.results.profile,
        panels=panels,
        table=table,
        temperatures=found.temperatures,
        start=start_near(found.temperatures, start),
        readout={t: f"T = {t:g}. {'; '.join(parts)}." for t, parts in readout.items()},
    )


def _seeds_chart(rows: pd.DataFrame, temperatures: Sequence[float], name: str) -> Any:
    x = temperature_axis(temperatures)
    y = alt.Y("value:Q", title=f"{name} (%)", scale=fixed_scale(rows["value"]))
    base = alt.Chart(rows_csv(rows))
    hover = tooltip("seed:N", T="d", value=".2f")
    color = theme.LIGHT["ds"]
    return alt.layer(
        dial_rule(base, x),
        base.mark_line(strokeWidth=1.2, opacity=0.6, color=color).encode(x=x, y=y, detail="seed:N"),
        base.mark_point(filled=True, size=24, color=color, opacity=1).encode(
            x=x, y=y, tooltip=hover
        ),
        base.transform_filter(signals.AT_DIAL)
        .mark_point(filled=True, size=90, color=color, opacity=1, stroke=theme.LIGHT["surface"])
        .encode(x=x, y=y, tooltip=hover),
    )


def start_near(temperatures: Sequence[float], start: float) -> float:
    """The temperature of the list that is nearest to where the dial should start."""
    return min(temperatures, key=lambda t: abs(np.log(t / start)))
