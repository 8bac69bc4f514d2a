"""The figure of how many devices a study keeps busy."""

import altair as alt
import pandas as pd

from . import theme
from .figure import Figure, Panel
from .temperature import rows_csv, tooltip

SHOWN = {
    "cifar100": ("CIFAR-100", "ds", [1, 0]),
    "imagenet": ("ImageNet", "nds", [6, 3]),
    "imagenet-vit": ("ImageNet, transformers", "teacher", [2, 2]),
}
"""Studies that the figure draws, with names, colors and dashes; the table has all."""


def efficiency(scaling: pd.DataFrame) -> Figure:
    """Efficiency against devices, from the stored simulation "scaling"."""
    rows = scaling[scaling["study"].isin(list(SHOWN))]
    drawn = pd.DataFrame(
        {
            "study": rows["study"].map(lambda name: SHOWN[name][0]),
            "devices": rows["devices"],
            "efficiency": (100 * rows["efficiency"]).round(1),
        }
    )
    names = [name for name, _, _ in SHOWN.values()]
    colors = [theme.LIGHT[color] for _, color, _ in SHOWN.values()]
    legend = alt.Legend(title=None, orient="top", labelLimit=200)
    chart = (
        alt.Chart(rows_csv(drawn))
        .mark_line(point=True)
        .encode(
            x=alt.X(
                "devices:Q",
                title="GPUs",
                scale=alt.Scale(type="log", base=2),
                axis=alt.Axis(values=sorted(set(drawn["devices"])), format=","),
            ),
            y=alt.Y("efficiency:Q", title="efficiency (%)", scale=alt.Scale(domain=[0, 100])),
            color=alt.Color("study:N", scale=alt.Scale(domain=names, range=colors), legend=legend),
            strokeDash=alt.StrokeDash(
                "study:N",
                scale=alt.Scale(domain=names, range=[dash for _, _, dash in SHOWN.values()]),
                legend=legend,
            ),
            tooltip=tooltip("study:N", devices=",", efficiency=".1f"),
        )
    )
    said = " ".join(
        f"{SHOWN[str(study)][0]}: "
        + ", ".join(
            f"{100 * row['efficiency']:.0f} % on {row['devices']:,} GPUs"
            for row in of_study.to_dict("records")
            if row["devices"] in (8, 64, 1024)
        )
        + "."
        for study, of_study in rows.groupby("study")
    )
    about = scaling.attrs
    return Figure(
        "cluster-efficiency",
        "How many GPUs a study keeps busy",
        (
            "The time of one GPU over that of all GPUs together, for all missing runs of a paper "
            "profile. *Where a line falls, GPUs wait.*"
        ),
        "simulated",
        [Panel(chart, "Efficiency on 1 to 1,024 GPUs", f"Line chart. {said}", width=740)],
        efficiency_table(scaling),
        said,
        columns=1,
        method=(
            f"Simulated devices take teachers first, then students, then null seeds, with times "
            f"from the rate {about['rate']}: {about['device']}, torch {about['torch']}, a "
            f"prototype, recorded {about['recorded']}. Reading images is not counted."
        ),
    )


def efficiency_table(scaling: pd.DataFrame) -> pd.DataFrame:
    """Speedup over one GPU, a row a study and a column a number of GPUs."""
    wide = scaling.pivot(index="study", columns="devices", values="speedup")
    order = list(dict.fromkeys(scaling["study"]))
    wide = wide.loc[order].map("{:.1f}".format)
    wide.columns = pd.Index([f"{n:,}" for n in wide.columns])
    return wide.reset_index()
