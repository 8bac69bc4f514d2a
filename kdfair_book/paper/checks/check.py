"""What a check is, and how the checks read the paper's tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from kdfair_book import paper

CLASS_STUDIES = {
    "cifar10": "cifar10",
    "svhn": "svhn",
    "cifar100": "cifar100",
    "cifar100-densenet": "cifar100",
    "tiny-imagenet": "tiny-imagenet",
    "imagenet": "imagenet",
    "imagenet-vit": "imagenet",
}
"""Study of class bias: its data set."""


def class_count(study: str) -> int:
    """The number of classes of one of :data:`CLASS_STUDIES`, read when asked for."""
    return int(paper.fact(f"{CLASS_STUDIES[study]}.classes"))


NAMES = {
    **paper.STUDY_TITLES,
    "cifar100": "CIFAR-100 (ResNet)",
    "cifar100-densenet": "CIFAR-100 (DenseNet)",
    "imagenet": "ImageNet (ResNet)",
    "imagenet-vit": "ImageNet (ViT)",
}
"""Study: how the texts call it."""

FAIRNESS = (
    ("trifeature", "color"),
    ("trifeature", "texture"),
    ("celeba-smiling", "Young"),
    ("celeba-eyeglasses", "Young"),
    ("hatexplain", "gender"),
    ("hatexplain", "race"),
)
"""The studies of group fairness, with each attribute that a table reports."""


@dataclass(frozen=True)
class Check:
    """One statement, and the same thing recomputed.

    Attributes
    ----------
    name : str
    claim : str
        What the source says, in our words.
    where : str
        Document and place.
    stated, recomputed : str
        The value given there, and ours.
    agrees : bool
    note : str
        How it was recomputed, and what explains a difference.
    """

    name: str
    claim: str
    where: str
    stated: str
    recomputed: str
    agrees: bool
    note: str = ""


def by_temperature(
    study: str,
    metric: str,
    attribute: str | None = None,
    *,
    alpha: float = 0.8,
    highest: float = 10,
) -> dict[int, float]:
    """Means of the distilled students by temperature, up to a highest one."""
    rows = paper.results(study, metric, attribute)
    rows = rows[(rows["alpha"] == alpha) & (rows["temperature"] <= highest)]
    return dict(zip(map(int, rows["temperature"]), map(float, rows["mean"]), strict=True))


def of_role(study: str, metric: str, role: str, attribute: str | None = None) -> float:
    """Mean of the teacher or of the NDS."""
    rows = paper.results(study, metric, attribute)
    return float(rows.loc[rows["role"] == role, "mean"].item())


def lowest_at(values: Mapping[int, float]) -> int:
    """Temperature of the lowest value, the first of several."""
    return min(values, key=values.__getitem__)


def steps(values: Mapping[int, float]) -> np.ndarray:
    """Differences from each temperature to the next."""
    return np.diff(list(values.values()))


def tau(values: Mapping[int, float]) -> float:
    """Kendall's rank correlation of values with their temperatures."""
    return float(stats.kendalltau(list(values), list(values.values())).statistic)


def listed(items: Iterable[object]) -> str:
    """Join with commas; "none" if there is nothing to join."""
    return ", ".join(map(str, items)) or "none"
