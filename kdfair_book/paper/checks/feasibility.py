"""Checks of whether printed accuracy, EOD and DPD can be true together on the public labels.

For two groups with base rates p0 and p1 the share of positive predictions of a group is
p TPR + (1 - p) FPR. Subtracting the two groups' shares,

    DPD = | p0 (TPR0 - TPR1) + (1 - p0) (FPR0 - FPR1) + (p0 - p1) (TPR1 - FPR1) |

The first two terms together are at most EOD, whatever p0 is, and TPR1 - FPR1 is at most 1. So DPD
is at most EOD + |p0 - p1|. From below, DPD can only be far under |p0 - p1| if many predictions are
wrong, and the accuracy says how many are.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
from scipy import optimize

from kdfair_book import paper
from kdfair_book.paper import celeba_annotations, hatexplain_annotations
from kdfair_book.paper.checks.check import NAMES, Check, by_temperature, listed, of_role

ROUNDING = 5e-5
"""Half a unit of the last printed digit, as a fraction."""


def label_dpd(counts: np.ndarray) -> float:
    """DPD of the labels themselves, which is a perfect classifier's; counts ``[group, label]``."""
    rates = counts[:, 1] / counts.sum(axis=1)
    return float(abs(rates[1] - rates[0]))


def dpd_range(counts: np.ndarray, accuracy: float, eod: float) -> tuple[float, float]:
    """Find which DPDs a binary classifier can have, given its accuracy and its EOD.

    Both limits hold for means over runs as well: the lower is a convex function of accuracy and
    EOD (a linear program's value), the upper is linear.

    Parameters
    ----------
    counts : ndarray, [group, label]
        Test examples of two groups with two labels.
    accuracy, eod : float
        As printed, fractions; allowed to be off by rounding.

    Returns
    -------
    (float, float)
        Lowest and highest DPD; (nan, nan) if no classifier has this accuracy and EOD.
    """
    counts = np.asarray(counts, dtype=float)
    low = _lowest_dpd(tuple(counts.ravel().tolist()), accuracy, eod)
    high = eod + ROUNDING + label_dpd(counts)
    return (low, high) if np.isfinite(low) else (low, low)


@cache
def _lowest_dpd(cells: tuple[float, ...], accuracy: float, eod: float) -> float:
    """Solve the linear program of the lower limit; cells are counts [group, label] in a row."""
    counts = np.array(cells).reshape(2, 2)
    total = counts.sum()
    negative, positive = counts[:, 0], counts[:, 1]
    rate = positive / counts.sum(axis=1)
    # Variables: TPR of both groups, FPR of both groups, and the DPD itself, which is minimized.
    gap = np.array([-rate[0], rate[1], rate[0] - 1, 1 - rate[1], 0])
    dpd = np.array([0, 0, 0, 0, 1.0])
    right = np.array([*positive, *-negative, 0]) / total
    at_fpr_zero = negative.sum() / total
    tpr_gap = np.array([1.0, -1, 0, 0, 0])
    fpr_gap = np.array([0, 0, 1.0, -1, 0])
    limits = [
        (gap - dpd, 0),
        (-gap - dpd, 0),
        (right, accuracy + ROUNDING - at_fpr_zero),
        (-right, ROUNDING - accuracy + at_fpr_zero),
        *((sign * row, eod + ROUNDING) for row in (tpr_gap, fpr_gap) for sign in (1, -1)),
    ]
    solution = optimize.linprog(
        dpd,
        A_ub=np.array([row for row, _ in limits]),
        b_ub=np.array([limit for _, limit in limits]),
        bounds=[(0, 1)] * 5,
    )
    return max(float(solution.fun), 0.0) if solution.success else float("nan")


def balanced(counts: np.ndarray) -> np.ndarray:
    """Undersample the more frequent label at random, on average; counts ``[group, label]``."""
    labels = counts.sum(axis=0)
    return counts * (labels.min() / labels)


def readings(study: str, attribute: str) -> dict[str, np.ndarray]:
    """Counts ``[group, label]`` of what the paper may have tested on, the official split first."""
    if study == "hatexplain":
        return {
            f"test split, named by {least} or more annotators": (
                hatexplain_annotations.load_group_counts(attribute, least)
            )
            for least in (2, 1, 3)
        }
    label = {"celeba-smiling": "Smiling", "celeba-eyeglasses": "Eyeglasses"}[study]
    parts = {"test": ("test",), "validation": ("validation",), "training": ("train",)}
    natural = {
        **{
            f"{name} split": celeba_annotations.load_cross_counts(label, "Young", part)
            for name, part in parts.items()
        },
        "all images": celeba_annotations.load_cross_counts(
            label, "Young", celeba_annotations.PARTITIONS
        ),
    }
    return natural | {f"{name}, balanced": balanced(counts) for name, counts in natural.items()}


def dpd_ranges(study: str, attribute: str) -> pd.DataFrame:
    """Compare every printed DPD of a study with the range that its labels allow.

    Returns
    -------
    DataFrame
        Columns reading, label_dpd, role, temperature, accuracy, eod, dpd (as printed), low, high,
        possible (bool). Percent.
    """
    rows = paper.results(study, attribute=attribute)
    printed = rows.pivot_table(
        index=["role", "temperature"], columns="metric", values="mean", dropna=False, sort=False
    )
    printed = printed[["accuracy", "eod", "dpd"]].dropna().reset_index()
    found = []
    for reading, counts in readings(study, attribute).items():
        for role, temperature, accuracy, eod, dpd in zip(
            *(printed[column] for column in printed), strict=True
        ):
            low, high = dpd_range(counts, accuracy / 100, eod / 100)
            possible = 100 * (low - ROUNDING) <= dpd <= 100 * (high + ROUNDING)
            model = (role, temperature, accuracy, eod, dpd)
            found.append(
                (reading, 100 * label_dpd(counts), *model, 100 * low, 100 * high, possible)
            )
    return pd.DataFrame(
        found,
        columns=[
            *("reading", "label_dpd", "role", "temperature"),
            *("accuracy", "eod", "dpd", "low", "high", "possible"),
        ],
    )


def _possible(study: str, attribute: str, name: str, where: str, note: str) -> Check:
    rows = dpd_ranges(study, attribute)
    teacher = rows[rows["role"] == "teacher"].set_index("reading")
    count = rows.groupby("reading", sort=False)["possible"].agg(["sum", "size"])
    first = count.index[0]
    printed = teacher.loc[first]
    return Check(
        f"possible: {name}",
        f"Accuracy, EOD and DPD of {count.loc[first, 'size']} models for {name}.",
        where,
        f"teacher: accuracy {printed['accuracy']:.2f} %, EOD {printed['eod']:.2f}, "
        f"DPD {printed['dpd']:.2f}",
        f"on the {first} its DPD lies between {printed['low']:.1f} and {printed['high']:.1f}; "
        "models whose three numbers fit together: "
        + listed(f"{reading} {row['sum']} of {row['size']}" for reading, row in count.iterrows()),
        bool(count.loc[first, "sum"] == count.loc[first, "size"]),
        note,
    )


def celeba_smiling() -> Check:
    return _possible(
        "celeba-smiling",
        "Young",
        "Smiling by Young",
        "paper, Tables 2 and 8",
        "DPD cannot be above EOD by more than the labels' own DPD, which is 1.8 on the test split "
        "and 7.4 on the validation split. All 15 models' numbers go together on the validation "
        "split alone.",
    )


def celeba_eyeglasses() -> Check:
    return _possible(
        "celeba-eyeglasses",
        "Young",
        "Eyeglasses by Young",
        "paper, Table 8",
        "People who are not young wear glasses about five times as often as the young, in every "
        "split. A classifier that is right 98 times in 100 has to show that, so its DPD cannot be "
        "near 2.",
    )


def hatexplain_gender() -> Check:
    return _possible(
        "hatexplain",
        "gender",
        "toxic by gender",
        "paper, Table 3",
        "Of the posts that name a gender 84 % are toxic, of the others 57 % (two annotators). The "
        "printed numbers would need groups that are about equally often toxic.",
    )


def hatexplain_race() -> Check:
    return _possible(
        "hatexplain",
        "race",
        "toxic by race",
        "paper, Table 3",
        "Of the posts that name a race 89 % are toxic, of the others 49 % (two annotators). A "
        "classifier that is right three times in four and treats both groups alike within each "
        "label still calls many more of the former toxic.",
    )


def below_the_teacher() -> Check:
    accuracy = by_temperature("trifeature", "accuracy", "color")
    dpd = by_temperature("trifeature", "dpd", "color")
    teacher = of_role("trifeature", "dpd", "teacher", "color")
    even = {t: teacher * (1 - (1 - value / 100) * 10 / 9) for t, value in accuracy.items()}
    below = [t for t in dpd if dpd[t] < teacher]
    below_even = [t for t in dpd if dpd[t] < even[t]]
    return Check(
        "below the teacher's DPD",
        "By DPD the DS is fairer than its teacher on Trifeature, because it pays more attention to "
        "demographic attributes.",
        "paper, Section 5, Tables 2 and 9",
        f"DPD below the teacher's {teacher:.2f} at T = {listed(below)}",
        f"errors spread evenly give {min(even.values()):.2f} to {max(even.values()):.2f} at these "
        f"accuracies; "
        f"below that only T = {listed(below_even)}",
        below == below_even,
        f"The teacher is never wrong, so {teacher:.2f} is the test labels' own DPD. A model whose "
        "errors fall evenly on colors and classes shrinks it by 1 - (1 - accuracy) 10/9. Making "
        "mistakes is enough to pass below the teacher.",
    )


def _deviation_ratio(study: str, attribute: str) -> tuple[float, float]:
    """Printed and expected ratio of EOD's deviation to accuracy's (see :func:`deviations`)."""
    rows = paper.results(study, attribute=attribute)
    wide = rows[rows["role"] != "teacher"].pivot_table(
        index=["role", "temperature"], columns="metric", values="deviation", dropna=False
    )
    counts = next(iter(readings(study, attribute).values()))
    expected = np.sqrt(counts.sum() * (1 / counts).sum(axis=0)).min()
    return float((wide["eod"] / wide["accuracy"]).median()), float(expected)


def deviations() -> Check:
    parts = (("celeba-smiling", "Young"), ("hatexplain", "gender"), ("hatexplain", "race"))
    ratios = {part: _deviation_ratio(*part) for part in parts}
    return Check(
        "deviations",
        "Deviations of EOD and of accuracy over the same five runs.",
        "paper, Tables 2, 3 and 8",
        "EOD's over accuracy's, median: "
        + listed(
            f"{NAMES[study]} by {of} {printed:.1f}" for (study, of), (printed, _) in ratios.items()
        ),
        "expected: "
        + listed(
            f"{NAMES[study]} by {of} {expected:.1f}"
            for (study, of), (_, expected) in ratios.items()
        ),
        all(0.5 * expected < printed for printed, expected in ratios.values()),
        "EOD is a difference between parts of the test set, accuracy a mean over all of it, so "
        "EOD should vary more. Expected is for runs in which every example is equally uncertain "
        "and independent of the others: the square root of n (1/n0 + 1/n1), n0 and n1 the two "
        "groups' examples of one label, the label with the smaller value. Groups that rise and "
        "fall together would narrow it. Our own runs show what really happens.",
    )


CHECKS = (
    celeba_smiling,
    celeba_eyeglasses,
    hatexplain_gender,
    hatexplain_race,
    below_the_teacher,
    deviations,
)
