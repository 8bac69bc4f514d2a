"""Figures of how sure a fairness metric is: intervals, chance levels, seeds."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from kdfair_book import evidence
from kdfair_book.evidence import Sweep
from kdfair_core.results import Results

from . import dial, theme
from .figure import Figure, Panel
from .temperature import against_temperature, fixed_scale, rows_csv, temperature_axis


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
    ds = frame["role"] == "ds"
    mine = (frame["alpha"] == found.alpha) & (frame["soft_scale"] == found.soft_scale)
    frame = frame[(ds & mine) | frame["role"].isin(["teacher", "nds"])]
    names = {"teacher": "teacher", "nds": "NDS", "ds": "DS"}
    panels, rows = [], []
    at: dict[str, dict[Any, dict[Any, float]]] = {}
    for metric in ("eod", "dpd"):
        part = frame[frame["metric"] == metric]
        lines = pd.DataFrame({"series": part["role"].map(names), "T": part["temperature"]})
        for column, source in (("mean", "corrected"), ("low", "low"), ("high", "high")):
            lines[column] = 100 * part[source]
        lines["measured"] = 100 * part["mean"]
        chance = part[part["role"] == "ds"]
        extra = pd.DataFrame(
            {
                "series": "equal groups",
                "T": chance["temperature"],
                "mean": 100 * chance["chance"],
            }
        )
        parts = [lines, extra]
        if metric == "dpd":
            floor = 100 * float(part["floor"].iloc[0])
            perfect = {"series": "no errors", "T": np.nan, "mean": floor}
            parts.append(pd.DataFrame([perfect]))
        name = metric.upper()
        chart = against_temperature(
            pd.concat(parts, ignore_index=True),
            found.temperatures,
            y_title=f"{name} (%)",
            zero=True,
        )
        percent = 100 * chance.set_index("temperature")[["corrected", "low", "high", "chance"]]
        at[metric] = percent.to_dict("index")
        inside = ", ".join(
            f"{row['corrected']:.2f} at T = {t:g}, true value between {row['low']:.2f} and "
            f"{row['high']:.2f}"
            for t, row in at[metric].items()
        )
        panels.append(
            Panel(
                chart,
                f"{name}, and where the truth may be",
                f"{name} of the DS in percent: {inside}. Groups with equal rates would show about "
                f"{100 * float(chance['chance'].mean()):.2f}.",
                width=370,
                height=320,
            )
        )
        rows.append(part)
    table = pd.concat(rows, ignore_index=True)
    label = table["role"].map(names) + table["temperature"].map(
        lambda t: "" if pd.isna(t) else f", T = {t:g}"
    )
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
        table=pd.DataFrame(
            {
                "model": label,
                "metric": table["metric"].str.upper(),
                "corrected (%)": 100 * table["corrected"],
                "low": 100 * table["low"],
                "high": 100 * table["high"],
                "as measured": 100 * table["mean"],
                "by chance": 100 * table["chance"],
            }
        ),
        temperatures=found.temperatures,
        start=start_near(found.temperatures, start),
        readout={
            t: f"T = {t:g}. "
            + "; ".join(
                f"{metric.upper()} {row['corrected']:.2f} %, truth between {row['low']:.2f} and "
                f"{row['high']:.2f} %, equal groups would show {row['chance']:.2f} %"
                for metric, row in ((m, at[m][t]) for m in ("eod", "dpd"))
            )
            + "."
            for t in found.temperatures
        },
        columns=2,
    )


def seed_lines(found: Sweep, attribute: str, metric: str, *, start: float = 4) -> Figure:
    """A metric of every distilled student, a line a seed: what Page's test ranks."""
    values = 100 * evidence.fairness_by_run(found, attribute, metric)
    name = {"accuracy": "accuracy"}.get(metric, metric.upper())
    trend = evidence.fairness_trend(found, attribute, metric)
    rows = pd.DataFrame(
        [
            {"seed": str(seed), "T": t, "value": values[s, k]}
            for s, seed in enumerate(found.seeds)
            for k, t in enumerate(found.temperatures)
        ]
    )
    x = temperature_axis(found.temperatures)
    y = alt.Y("value:Q", title=f"{name} (%)", scale=fixed_scale(rows["value"]))
    base = alt.Chart(rows_csv(rows))
    tooltip = [
        alt.Tooltip("seed:N"),
        alt.Tooltip("T:Q", format="d"),
        alt.Tooltip("value:Q", format=".2f"),
    ]
    color = theme.LIGHT["ds"]
    chart = alt.layer(
        base.transform_filter(dial.AT_DIAL)
        .transform_aggregate(T="max(T)")
        .mark_rule(color=theme.LIGHT["dial"], strokeWidth=1.5)
        .encode(x=x),
        base.mark_line(strokeWidth=1.2, opacity=0.6, color=color).encode(x=x, y=y, detail="seed:N"),
        base.mark_point(filled=True, size=24, color=color, opacity=1).encode(
            x=x, y=y, tooltip=tooltip
        ),
        base.transform_filter(dial.AT_DIAL)
        .mark_point(filled=True, size=90, color=color, opacity=1, stroke=theme.LIGHT["surface"])
        .encode(x=x, y=y, tooltip=tooltip),
    )
    said = (
        f"Page's test for a fall from T = 1 to 10: mean rank correlation {trend.effect:+.2f}, "
        f"p = {trend.p_value:.2g} (for a rise {trend.p_opposite:.2g}), {trend.n_blocks} seeds."
    )
    table = rows.pivot(index="T", columns="seed", values="value").reset_index()
    table.columns = pd.Index(["T", *(f"seed {c}" for c in table.columns[1:])])
    return Figure(
        name=f"seeds-{attribute}-{metric}",
        title=f"{name} by {attribute}, seed by seed",
        caption=(
            "Every line is a seed: a teacher and its students. The test ranks the temperatures "
            "within each seed from 1 to 10 and asks whether the seeds agree on the order. " + said
        ),
        badge=found.results.profile,
        panels=[
            Panel(
                chart,
                f"{name} of {len(found.seeds)} seeds",
                f"Line chart of {name} against temperature, a line a seed. {said}",
                width=740,
                height=270,
            )
        ],
        table=table,
        temperatures=found.temperatures,
        start=start_near(found.temperatures, start),
        readout={
            t: f"T = {t:g}. From {values[:, k].min():.2f} to {values[:, k].max():.2f} % over seeds."
            for k, t in enumerate(found.temperatures)
        },
        columns=1,
    )


def start_near(temperatures: Sequence[float], start: float) -> float:
    """The temperature of the list that is nearest to where the dial should start."""
    return min(temperatures, key=lambda t: abs(np.log(t / start)))
