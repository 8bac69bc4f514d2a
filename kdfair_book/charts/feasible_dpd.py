"""A printed DPD, and what it could be on the labels of the data set."""

from typing import Any

import altair as alt
import pandas as pd

from kdfair_book import paper
from kdfair_book.paper.checks import feasibility

from . import signals, theme
from .figure import Figure, Panel
from .temperature import fixed_scale, looks, rows_csv, temperature_axis, tooltip

#: Series -> color, dash.
LOOKS = {"printed": ("other", [1, 0]), "labels' own DPD": ("floor", [2, 3])}


def possible_dpd(study: str, attribute: str, *, start: float = 4) -> Figure:
    """Printed DPD of the DS against temperature, over the DPDs that its labels allow.

    Parameters
    ----------
    study, attribute
        A binary study of the paper: CelebA or HateXplain.
    start
        Temperature at which the dial starts.
    """
    found = feasibility.dpd_ranges(study, attribute)
    found = found[(found["role"] == "ds") & ~found["reading"].str.contains("balanced")]
    temperatures = sorted(found["temperature"].unique())
    scale = fixed_scale(found[["dpd", "low", "high", "label_dpd"]], zero=True)
    panels = []
    for reading, rows in found.groupby("reading", sort=False):
        fit = int(rows["possible"].sum())
        panels.append(
            Panel(
                _chart(rows, temperatures, scale),
                f"{_short(str(reading))}: {fit} of {len(rows)} fit",
                f"Printed DPD of the distilled students as points and, as a band, what is possible "
                f"on the {reading}. {fit} of {len(rows)} points lie in the band.",
                width=370,
                height=260,
            )
        )
    first = found[found["reading"] == found["reading"].iloc[0]].set_index("temperature")
    return Figure(
        name=f"possible-{study}-{attribute}",
        title=f"{paper.STUDY_TITLES[study]} by {attribute}: the printed DPD and the possible ones",
        caption="Points: the printed DPD of the distilled student. Band: every DPD that a "
        "classifier with the printed accuracy and EOD can have on the public labels. "
        "Dotted: the DPD of the labels themselves. *A point outside the band cannot be "
        "measured on that part of the data.*",
        badge="reported",
        panels=panels,
        table=_table(found),
        temperatures=temperatures,
        start=start if start in temperatures else temperatures[0],
        readout={
            float(t): f"T = {t:g}: accuracy {row['accuracy']:.2f} % and EOD {row['eod']:.2f} % "
            f"allow a DPD from {row['low']:.1f} to {row['high']:.1f} % on the "
            f"{found['reading'].iloc[0]}; printed is {row['dpd']:.2f} %."
            for t, row in ((t, first.loc[t]) for t in temperatures)
        },
        columns=2,
    )


def _short(reading: str) -> str:
    """A reading of the data in the few words that fit above a chart."""
    return reading.capitalize().replace("named by ", "").replace(" or more annotators", "+ votes")


def _chart(rows: pd.DataFrame, temperatures: list[float], scale: alt.Scale) -> Any:
    columns = {"temperature": "T", "dpd": "printed", "label_dpd": "labels' own DPD"}
    wide = rows.rename(columns=columns)[["T", *LOOKS, "low", "high"]]
    long = wide.melt(["T", "low", "high"], list(LOOKS), "series", "DPD")
    x = temperature_axis(temperatures)
    y = alt.Y("DPD:Q", title="DPD (%)", scale=scale)
    line = alt.Legend(symbolType="stroke", symbolStrokeWidth=2.5, symbolSize=420)
    colors, dashes = zip(*LOOKS.values(), strict=True)
    stroked = looks("series", list(LOOKS), legend=line, color=colors, strokeDash=dashes)
    base = alt.Chart(rows_csv(long))
    band = base.mark_area(color=theme.LIGHT["chance"], opacity=0.45).encode(
        x=x, y=alt.Y("low:Q", title="DPD (%)", scale=scale), y2="high:Q"
    )
    printed = base.transform_filter("datum.series == 'printed'")
    point: dict[str, Any] = {
        "filled": True,
        "opacity": 1,
        "color": theme.LIGHT["other"],
        "shape": "diamond",
    }
    hover = tooltip(T="d", DPD=".2f", low=".2f", high=".2f")
    return alt.layer(
        band,
        base.mark_line(strokeWidth=2).encode(x=x, y=y, **stroked),
        printed.mark_point(size=32, **point).encode(x=x, y=y, tooltip=hover),
        printed.transform_filter(signals.AT_DIAL)
        .mark_point(size=140, stroke=theme.LIGHT["surface"], strokeWidth=1.5, **point)
        .encode(x=x, y=y, tooltip=hover),
    )


def _table(found: pd.DataFrame) -> pd.DataFrame:
    table = found[["temperature", "reading", "accuracy", "eod", "dpd", "low", "high", "possible"]]
    return table.assign(possible=table["possible"].map({True: "yes", False: "no"})).rename(
        columns={
            "temperature": "T",
            "reading": "on",
            "accuracy": "accuracy (%)",
            "eod": "EOD (%)",
            "dpd": "printed DPD (%)",
            "low": "lowest possible",
            "high": "highest possible",
            "possible": "possible",
        }
    )
