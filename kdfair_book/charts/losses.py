"""Does what temperature does depend on the loss? Students of three losses, beside each other."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from kdfair_book import evidence
from kdfair_book.charts.figure import Figure, Panel
from kdfair_book.charts.temperature import against_temperature, listed
from kdfair_book.evidence.chance import affected_counts
from kdfair_core.results import Results

METRICS = {
    "accuracy": ("accuracy (%)", "Accuracy: higher is better"),
    "eod": ("EOD (%)", "EOD by {}: lower is fairer"),
    "dpd": ("DPD (%)", "DPD by {}: lower is more equal"),
}


def losses_frame(found: Mapping[str, Results], attribute: str) -> pd.DataFrame:
    """Accuracy, EOD, DPD and #SC of the distilled students of each loss.

    Parameters
    ----------
    found : mapping of str to Results
        Name of the loss -> the runs of one setting, of the same seeds.
    attribute : str

    Returns
    -------
    pandas.DataFrame
        ``series`` (the loss), ``metric`` ("accuracy", "eod", "dpd" or "sc"), ``T``, ``mean``
        (bias-corrected, in percent; "sc" a number of classes), ``low``, ``high`` (95 % interval;
        NaN for "sc").
    """
    parts = []
    for name, results in found.items():
        rows = evidence.fairness_intervals(results, attribute)
        rows = rows[rows["role"] == "ds"]
        frame = rows[["metric"]].assign(series=name, T=rows["temperature"])
        for column, source in (("mean", "corrected"), ("low", "low"), ("high", "high")):
            frame[column] = 100 * rows[source]
        counts = affected_counts(results)
        counts = counts[counts["comparison"] == "SC"]
        counted = {"series": name, "T": counts["temperature"], "mean": counts["significant"]}
        parts += [frame, pd.DataFrame(counted).assign(metric="sc")]
    return pd.concat(parts, ignore_index=True)


def losses(found: Mapping[str, Results], attribute: str, *, start: float = 4) -> Figure:
    """Accuracy, EOD, DPD and #SC against temperature, a line a loss.

    Parameters are those of :func:`losses_frame`; the names must be keys of ``theme.SERIES``.
    """
    frame = losses_frame(found, attribute)
    first = next(iter(found.values()))
    by = attribute.replace("_", " ")
    panels = []
    for metric, (axis, title) in METRICS.items():
        rows = frame[frame["metric"] == metric]
        chart = against_temperature(rows, first.temperatures, y_title=axis)
        panels.append(Panel(chart, title.format(by), _says(title.format(by), rows)))
    counts = frame[frame["metric"] == "sc"]
    low, _, high = affected_counts(first)[["chance_low", "chance_mean", "chance_high"]].iloc[0]
    chart = against_temperature(
        counts,
        first.temperatures,
        y_title="classes",
        digits=0,
        band={"low": float(low), "high": float(high)},
        zero=True,
    )
    title = "#SC: student alone and distilled one"
    panels.append(Panel(chart, title, _says(title, counts)))
    table = frame.pivot(index=["series", "T"], columns="metric", values="mean").reset_index()
    table = table.rename(columns={"series": "loss"}).round(2)
    return Figure(
        name=f"losses-{attribute.replace('_', '-')}",
        title=f"Three losses, by {by}",
        caption=(
            "Distilled students of three soft terms, the same seeds, initial weights and views. "
            "Means over seeds, EOD and DPD bias-corrected; bands are 95 % intervals over test "
            "examples and seeds; gray is what chance alone gives of #SC. *Do the lines go the same "
            "way?*"
        ),
        badge=first.profile,
        panels=panels,
        table=table,
        temperatures=first.temperatures,
        start=start,
        readout={t: _readout(frame, t) for t in first.temperatures},
    )


def _says(title: str, rows: pd.DataFrame) -> str:
    parts = (f"{name}: {listed(of, '{:.1f}')}" for name, of in rows.groupby("series", sort=False))
    return f"{title}. {'; '.join(parts)}."


def _readout(frame: pd.DataFrame, t: float) -> str:
    said = []
    for name, rows in frame[frame["T"] == t].groupby("series", sort=False):
        of = rows.set_index("metric")["mean"]
        said.append(
            f"{name}: accuracy {of['accuracy']:.1f} %, EOD {of['eod']:.1f} %, "
            f"DPD {of['dpd']:.1f} %, #SC {of['sc']:.0f}"
        )
    return f"T = {t:g}. {'; '.join(said)}."
