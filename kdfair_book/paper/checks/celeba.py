"""Checks of the paper's Table 4 and Figure 6 against CelebA's public annotations.

Table 4 describes the training set after the more frequent label was undersampled at random until
both labels were equally frequent. The label kept whole can be recomputed exactly; the undersampled
one up to chance, which for a random subset of known size is the hypergeometric distribution's.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from kdfair_book import paper
from kdfair_book.paper.celeba_annotations import (
    PARTITIONS,
    load_attribute_counts,
    load_cross_counts,
)
from kdfair_book.paper.checks.check import Check, listed

HALVES = {"Young": ("Young", "Not Young"), "Male": ("Male", "Not Male")}

FIGURE_6 = (
    *("No_Beard", "Young", "Attractive", "Mouth_Slightly_Open", "Smiling", "Wearing_Lipstick"),
    *("High_Cheekbones", "Male", "Heavy_Makeup", "Wavy_Hair", "Oval_Face", "Pointy_Nose"),
    *("Arched_Eyebrows", "Big_Lips", "Black_Hair", "Big_Nose", "Straight_Hair", "Brown_Hair"),
    *("Bags_Under_Eyes", "Wearing_Earrings", "Bangs", "Blond_Hair", "Bushy_Eyebrows"),
    *("Wearing_Necklace", "Narrow_Eyes", "5_o_Clock_Shadow", "Receding_Hairline"),
    *("Wearing_Necktie", "Rosy_Cheeks", "Eyeglasses", "Goatee", "Chubby", "Sideburns", "Blurry"),
    *("Wearing_Hat", "Double_Chin", "Pale_Skin", "Gray_Hair", "Mustache", "Bald"),
)
"""The attributes along Figure 6's axis, from the most frequent to the rarest."""

READINGS: dict[str, tuple[str, ...]] = {
    "training split": ("train",),
    "training and validation": ("train", "validation"),
    "training and test": ("train", "test"),
    "all images": PARTITIONS,
}


def table_4() -> pd.DataFrame:
    """Return Table 4's counts of images, rows Smiling and Not Smiling."""
    cells = paper.table(4)
    cells = cells[cells["unit"] == "images"]
    return cells.pivot(index="row", columns="column", values="value").astype(int)


def table_4_readings() -> pd.DataFrame:
    """Recompute Table 4 from the annotations, under every reading of what it describes.

    Returns
    -------
    DataFrame
        Columns reading, labels ("as printed", or "swapped": the printed rows exchanged), row (the
        label under that reading), column, printed, expected, sd (0 where nothing is random), z.
    """
    printed = table_4()
    rows = []
    for reading, partitions in READINGS.items():
        for attribute, columns in HALVES.items():
            counts = load_cross_counts("Smiling", attribute, partitions)
            for labels in ("as printed", "swapped"):
                for smiling, row in ((1, "Smiling"), (0, "Not Smiling")):
                    shown = smiling if labels == "as printed" else 1 - smiling
                    values = printed.loc[["Not Smiling", "Smiling"][shown]]
                    for group, column in zip((1, 0), columns, strict=True):
                        expected, sd = _undersampled(counts, group, smiling)
                        z = (values[column] - expected) / sd if sd else np.nan
                        rows.append((reading, labels, row, column, values[column], expected, sd, z))
    columns_ = ["reading", "labels", "row", "column", "printed", "expected", "sd", "z"]
    return pd.DataFrame(rows, columns=columns_)


def _undersampled(counts: np.ndarray, group: int, label: int) -> tuple[float, float]:
    """Mean and deviation of a group's size after balancing the labels; counts [group, label]."""
    members, of_label = int(counts[group, label]), int(counts[:, label].sum())
    kept = int(counts.sum(axis=0).min())
    mean = kept * members / of_label
    variance = mean * (1 - members / of_label) * (of_label - kept) / max(of_label - 1, 1)
    return mean, float(np.sqrt(variance))


def _best() -> pd.DataFrame:
    rows = table_4_readings()
    return rows[(rows["reading"] == "training split") & (rows["labels"] == "swapped")]


def rows_swapped() -> Check:
    rows = table_4_readings()
    whole = rows[rows["sd"] == 0]
    exact = whole[whole["printed"] == whole["expected"]]
    found = exact[["reading", "labels", "row"]].drop_duplicates()
    kept = _best().query("row == 'Smiling'")
    as_printed = rows.query("reading == 'training split' and labels == 'as printed'")
    return Check(
        "rows of Table 4",
        "Training images by label and group: Smiling first, Not Smiling below.",
        "paper, Table 4",
        "Smiling: " + listed(as_printed.query("row == 'Smiling'")["printed"]),
        "Smiling: " + listed(int(value) for value in kept["expected"]),
        not ((found["labels"] == "swapped").any()),
        "The row printed as Not Smiling is, to the image, every smiling face of the training "
        "split: the rows are exchanged. Smiling is the rarer label (78,080 against 84,690), so it "
        "is the one that undersampling leaves whole.",
    )


def undersampling() -> Check:
    drawn = _best().query("row == 'Not Smiling'")
    z = drawn.set_index("column")["z"]
    return Check(
        "undersampling",
        "The more frequent label was undersampled at random.",
        "paper, Section 5, Table 4",
        listed(drawn["printed"]),
        "expected "
        + listed(
            f"{e:.0f} ± {sd:.0f}" for e, sd in zip(drawn["expected"], drawn["sd"], strict=True)
        ),
        bool((z.abs() < 3).all()),
        "With the rows exchanged, the other row is one random subset of the 84,690 faces that do "
        "not smile: "
        + listed(f"{column} {z[column]:+.2f} deviations" for column in ("Young", "Male"))
        + " from its mean. No reading with other partitions comes near.",
    )


def sums() -> Check:
    counts = table_4()
    totals = {
        (row, attribute): int(counts.loc[row, list(columns)].sum())
        for row in counts.index
        for attribute, columns in HALVES.items()
    }
    return Check(
        "sums of Table 4",
        "Half of the training images smile, half do not; age and gender count the same images.",
        "paper, Table 4",
        "50.0 % and 50.0 %",
        f"every row sums to {listed(f'{total:,}' for total in sorted(set(totals.values())))}",
        len(set(totals.values())) == 1,
        "Both for Young and Not Young and for Male and Not Male.",
    )


def percentages() -> Check:
    counts = table_4()
    cells = paper.table(4).query("row == 'Distribution'").set_index("column")["value"]
    total = counts[["Young", "Not Young"]].to_numpy().sum()
    shares = (100 * counts.sum() / total).round(2)[list(cells.index)]
    return Check(
        "shares of Table 4",
        "Shares of the groups in the balanced training set.",
        "paper, Table 4, Section 5",
        listed(f"{column} {value:.2f} %" for column, value in cells.items()),
        listed(f"{column} {value:.2f} %" for column, value in shares.items()),
        bool((shares == cells).all()),
        "From the table's own counts: 34,602 of 156,160 are not young. The last digit differs.",
    )


def attribute_shares() -> pd.DataFrame:
    """Recompute Figure 6: how frequent each attribute is.

    Returns
    -------
    DataFrame
        A row an attribute, in the figure's order; columns all, train, validation, test, percent.
    """
    counts = load_attribute_counts().set_index(["attribute", "partition"])
    positive, images = counts["positive"].unstack(), counts["images"].unstack()
    shares = pd.DataFrame({"all": 100 * positive.sum(axis=1) / images.sum(axis=1)})
    for partition in PARTITIONS:
        shares[partition] = 100 * positive[partition] / images[partition]
    return shares.reindex(FIGURE_6)


def figure_6() -> Check:
    counts = load_attribute_counts()
    same = []
    for reading, partitions in {**READINGS, "test split": ("test",)}.items():
        inside = counts[counts["partition"].isin(partitions)]
        order = inside.groupby("attribute")["positive"].sum().sort_values(ascending=False)
        if tuple(order.index) == FIGURE_6:
            same.append(reading)
    return Check(
        "order of Figure 6",
        "CelebA's 40 attributes, from the most frequent to the rarest.",
        "paper, Figure 6",
        f"{FIGURE_6[0]} first, {FIGURE_6[-1]} last",
        f"the same order, all {len(FIGURE_6)}, for: {listed(same)}",
        bool(same),
        "Each split orders them slightly differently, so the figure shows all images. The model "
        "is trained on the training split.",
    )


def images() -> Check:
    counts = load_attribute_counts()
    total = int(counts.drop_duplicates("partition")["images"].sum())
    return Check(
        "size of CelebA",
        "CelebA has over 200,000 images with 40 attributes.",
        "paper, Section 5",
        f"over {paper.fact('celeba.images'):,.0f}, {paper.fact('celeba.attributes'):g}",
        f"{total:,}, {counts['attribute'].nunique()}",
        total > paper.fact("celeba.images")
        and counts["attribute"].nunique() == paper.fact("celeba.attributes"),
    )


CHECKS = (rows_swapped, undersampling, sums, percentages, figure_6, images)
