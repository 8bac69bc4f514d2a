"""Figures of what is in the public annotations of the data sets: counts, no example."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from kdfair_book.paper import celeba_annotations, hatexplain_annotations
from kdfair_book.paper.checks.celeba import attribute_shares
from kdfair_book.paper.checks.feasibility import label_dpd

from . import theme
from .figure import Figure, Panel
from .temperature import rows_csv, tooltip

CELEBA = {"celeba-smiling": "Smiling", "celeba-eyeglasses": "Eyeglasses"}
PERCENT: dict[str, Any] = {
    "scale": alt.Scale(domain=[0, 112]),  # room for the number after the longest bar
    "axis": alt.Axis(values=[0, 25, 50, 75, 100]),
}
GROUPS = {"Young": ("not Young", "Young"), "Male": ("not Male", "Male")}


def label_rates(study: str) -> Figure:
    """Share of positive labels in each group of the test split, and the DPD that this is.

    Parameters
    ----------
    study
        A study of CelebA, or "hatexplain".

    Raises
    ------
    ValueError
        If there are no counts of the study.
    """
    counts, positive = _counts(study)
    rows = []
    for attribute, (groups, table) in counts.items():
        for name, (no, yes) in zip(groups, table.tolist(), strict=True):
            share = 100 * yes / (no + yes)
            rows.append((attribute, name, share, no + yes, 100 * label_dpd(table)))
    frame = pd.DataFrame(rows, columns=["attribute", "group", "share", "examples", "dpd"])
    said = "; ".join(
        f"by {a}: "
        + ", ".join(f"{g} {s:.1f} %" for g, s in zip(r["group"], r["share"], strict=True))
        + f", so the labels' own DPD is {r['dpd'].iloc[0]:.2f} %"
        for a, r in frame.groupby("attribute", sort=False)
    )
    base = alt.Chart(rows_csv(frame))
    y = alt.Y("group:N", sort=None, title=None, axis=alt.Axis(ticks=False, domain=False))
    x = alt.X("share:Q", title=f"{positive} (%)", **PERCENT)
    chart = alt.layer(
        base.mark_bar(color=theme.LIGHT["ds"], height=14).encode(
            x=x, y=y, tooltip=[*tooltip("group:N", share=".1f"), "examples:Q"]
        ),
        base.mark_text(align="left", dx=4, color=theme.LIGHT["ink"]).encode(
            x=x, y=y, text=alt.Text("share:Q", format=".1f")
        ),
    )
    table = frame.rename(columns={"share": f"{positive} (%)", "dpd": "labels' own DPD (%)"})[
        ["group", "examples", f"{positive} (%)", "labels' own DPD (%)"]
    ]
    return Figure(
        f"label-rates-{study}",
        "What the labels themselves do",
        "Share of positive labels in each group of the test split. The distance between two bars "
        "is the DPD of a classifier that makes no mistake. *No model is involved yet: these "
        "are the labels.*",
        "annotations",
        [
            Panel(
                chart,
                f"{positive.capitalize()}, by group",
                f"Bar chart of the share of examples that are {positive}, {said}.",
                width=740,
                height=80 + 26 * len(frame),
            )
        ],
        table,
        said[0].upper() + said[1:] + ".",
    )


def _counts(study: str) -> tuple[dict, str]:
    """Attribute -> (names of its groups, counts [group, label]); what the label is."""
    if study in CELEBA:
        label = CELEBA[study]
        return {
            a: (names, celeba_annotations.load_cross_counts(label, a, ["test"]))
            for a, names in GROUPS.items()
        }, label.lower() if label == "Smiling" else "with eyeglasses"
    if study == "hatexplain":
        return {
            a: ((f"names no {a}", f"names a {a}"), hatexplain_annotations.load_group_counts(a))
            for a in hatexplain_annotations.TARGETS
        }, "toxic"
    choices = ", ".join([*CELEBA, "hatexplain"])
    raise ValueError(f"there are no counts of the labels of {study!r}; choose from {choices}")


def celeba_attributes() -> Figure:
    """How often each of CelebA's forty attributes is set: the paper's Figure 6, recomputed."""
    shares = attribute_shares()["all"]
    frame = pd.DataFrame(
        {
            "attribute": shares.index.str.replace("_", " "),
            "share": shares.to_numpy(),
            "used": ["in the studies" if a in USED else "other" for a in shares.index],
        }
    )
    y = alt.Y("attribute:N", sort=None, title=None, axis=alt.Axis(ticks=False, domain=False))
    x = alt.X("share:Q", title="images with it (%)", **PERCENT)
    kinds = ["in the studies", "other"]
    colors = [theme.LIGHT["nds"], theme.LIGHT["ds"]]
    base = alt.Chart(rows_csv(frame))
    chart = alt.layer(
        base.mark_bar(height=9).encode(
            x=x,
            y=y,
            color=alt.Color("used:N", scale=alt.Scale(domain=kinds, range=colors)),
            tooltip=tooltip("attribute:N", share=".1f"),
        ),
        base.mark_text(align="left", dx=4, color=theme.LIGHT["ink"])
        .encode(x=x, y=y, text=alt.Text("label:N"))
        .transform_calculate(
            label="format(datum.share, '.1f') + (datum.used == 'other' ? '' : ' ◂')"
        ),
    )
    first, last = frame.iloc[0], frame.iloc[-1]
    said = (
        f"From {first['attribute']} ({first['share']:.1f} %) down to {last['attribute']} "
        f"({last['share']:.1f} %); {int((frame['share'] < 10).sum())} of {len(frame)} attributes "
        "are on fewer than a tenth of the images."
    )
    return Figure(
        "celeba-attributes",
        "CelebA's forty attributes",
        "Share of all 202,599 images that have the attribute, counted from the public annotations: "
        "the paper's Figure 6. An arrow marks those that its studies use. *Many "
        "attributes are rare.*",
        "annotations",
        [
            Panel(
                chart,
                "Images with each attribute",
                f"Bar chart of forty attributes. {said}",
                width=740,
                height=90 + 15 * len(frame),
            )
        ],
        frame[["attribute", "share"]].rename(columns={"share": "images (%)"}),
        said,
    )


USED = ("Young", "Male", "Smiling", "Eyeglasses")
