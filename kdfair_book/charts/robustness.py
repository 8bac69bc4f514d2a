"""#SC and #TC under other choices than the paper's, at the dial's temperature."""

from __future__ import annotations

import altair as alt
import pandas as pd

from kdfair_book.charts import signals, theme
from kdfair_book.charts.figure import Figure, Panel
from kdfair_book.charts.temperature import fixed_scale, rows_csv, tooltip
from kdfair_book.evidence.robustness import robustness
from kdfair_book.evidence.sweep import Sweep

SIDES = {"SC": "student alone and distilled one", "TC": "teacher and distilled student"}


def other_choices(found: Sweep, *, start: float = 4) -> Figure:
    """How many classes come out with another level, other seeds, another accuracy, another test.

    Parameters
    ----------
    found
        A sweep over temperatures, of two seeds or more.
    start
        Temperature at which the dial starts.
    """
    frame = robustness(found)
    order = list(dict.fromkeys(frame["choice"]))
    panels = []
    for comparison, sides in SIDES.items():
        rows = frame[frame["comparison"] == comparison]
        base = alt.Chart(rows_csv(rows[["T", "choice", "count", "low", "high"]]))
        base = base.transform_filter(signals.AT_DIAL)
        scale = fixed_scale(rows[["low", "high"]].to_numpy().ravel(), zero=True)
        y = alt.Y("choice:N", title=None, sort=order, axis=alt.Axis(labelLimit=220))
        x = alt.X("count:Q", title="classes", scale=scale)
        usual = "datum.choice == 'as the paper'"
        chart = alt.layer(
            base.mark_rule(color=theme.LIGHT["ds"], strokeWidth=2, opacity=0.5).encode(
                x=alt.X("low:Q", title="classes", scale=scale), x2="high:Q", y=y
            ),
            base.transform_filter(usual)
            .mark_rule(color=theme.LIGHT["muted"], strokeDash=[4, 3])
            .encode(x=x),
            base.mark_point(filled=True, size=70, opacity=1, color=theme.LIGHT["ds"]).encode(
                x=x, y=y, tooltip=tooltip("choice:N", count=".1f", low=".0f", high=".0f")
            ),
        )
        now = rows[rows["T"] == start]
        listed = ", ".join(f"{c} {n:.1f}" for c, n in zip(now["choice"], now["count"], strict=True))
        says = f"Affected classes between {sides} at T = {start:g}: {listed}."
        panels.append(Panel(chart, f"#{comparison}: {sides}", says, width=420, height=190))
    table = frame.pivot(index=["comparison", "T"], columns="choice", values="count")
    table = table[order].reset_index().round(1)
    table["comparison"] = "#" + table["comparison"]
    return Figure(
        name="other-choices",
        title="The same runs, counted otherwise",
        caption=(
            "Each row changes one choice of the paper's count (dashed: Welch's test of relative "
            "class accuracy at level 0.05, all seeds): the level; the number of seeds, with the "
            "mean over all choices of them and a line from the fewest to the most; absolute in "
            "place of relative class accuracy; and a test that knows that the test examples are a "
            "sample too. *A count that moves from row to row is an answer to a choice.*"
        ),
        badge=found.results.profile,
        panels=panels,
        table=table,
        temperatures=found.temperatures,
        start=start,
        readout={t: sentence(frame, t) for t in found.temperatures},
    )


def sentence(frame: pd.DataFrame, t: float) -> str:
    """How far the counts move at one temperature."""
    said = []
    for comparison, rows in frame[frame["T"] == t].groupby("comparison"):
        usual = rows.loc[rows["kind"] == "as the paper", "count"].iloc[0]
        by_count = rows.sort_values("count", kind="stable").to_dict("records")
        fewest, most = by_count[0], by_count[-1]
        said.append(
            f"#{comparison} is {usual:.0f} as the paper counts, from {fewest['count']:.1f} "
            f"({fewest['choice']}) to {most['count']:.1f} ({most['choice']})"
        )
    return f"T = {t:g}. {'; '.join(said)}."
