"""Checks of the documents against each other: repeated tables, totals, names and formulas."""

from __future__ import annotations

import pandas as pd

from kdfair_book import paper
from kdfair_book.paper import hatexplain_annotations
from kdfair_book.paper.checks.check import NAMES, Check, listed

_KEY = ["study", "attribute", "role", "temperature", "alpha", "metric"]


def compare(short: str | int, full: str | int) -> pd.DataFrame:
    """Pair the cells that two tables share.

    Returns
    -------
    DataFrame
        Columns study, attribute, role, temperature, alpha, metric, mean and deviation of either
        (``_full`` of the second), same (bool).
    """
    both = (
        paper.table(short)
        .drop_duplicates(_KEY)
        .merge(paper.table(full).drop_duplicates(_KEY), on=_KEY, suffixes=("", "_full"))
    )
    mean = both["mean"] == both["mean_full"]
    deviation = both["deviation"].fillna(-1) == both["deviation_full"].fillna(-1)
    columns = [*_KEY, "mean", "mean_full", "deviation", "deviation_full"]
    return both[columns].assign(same=mean & deviation)


def _repeated(short: int, full: int) -> Check:
    cells = compare(short, full)
    return Check(
        f"Tables {short} and {full}",
        f"Table {full} repeats cells of Table {short}.",
        f"paper, Tables {short} and {full}",
        f"{len(cells)} cells",
        f"{int(cells['same'].sum())} the same, means and deviations",
        bool(cells["same"].all()) and len(cells) > 0,
    )


def tables_1_and_6() -> Check:
    return _repeated(1, 6)


def tables_2_and_8() -> Check:
    return _repeated(2, 8)


def tables_2_and_9() -> Check:
    return _repeated(2, 9)


def tables_7_and_6() -> Check:
    return _repeated(7, 6)


def svhn_networks() -> Check:
    pair = paper.table(5).query("study == 'svhn'").iloc[0]
    printed = f"{pair['teacher_network']} / {pair['student_network']}"
    return Check(
        "SVHN's networks",
        "Teacher and student of the SVHN study.",
        "paper, Section 5, Appendix C, Figures 1 and 2; talk",
        "ResNet-56 / ResNet-20",
        f"{printed} (head of Table 5)",
        printed == "ResNet-56 / ResNet-20",
        "Four places against one; the study here follows the four.",
    )


def tiny_imagenet() -> Check:
    classes = paper.fact("tiny-imagenet.classes")
    parts = ("train", "test")
    stated = [paper.fact(f"tiny-imagenet.images.{part}") for part in parts]
    found = [classes * paper.fact(f"tiny-imagenet.images_per_class.{part}") for part in parts]
    return Check(
        "Tiny ImageNet's images",
        "Training and test images of Tiny ImageNet, in all and per class.",
        "paper, Appendix A",
        listed(f"{value:.0f}" for value in stated),
        listed(f"{value:.0f}" for value in found),
        stated == found,
        "The labels of the test images were never published; the 10,000 validation images, as "
        "many, are what is usually tested on.",
    )


def svhn_balanced() -> Check:
    ratios = {}
    for part in ("train", "test"):
        counts = [paper.fact(f"svhn.images.{part}.{digit}") for digit in range(10)]
        ratios[part] = max(counts) / min(counts)
    return Check(
        "SVHN balanced",
        "SVHN, like the other sets of class bias, has almost equally many images in every class.",
        "paper, Section 5, Appendix A",
        "almost equal",
        "most frequent over rarest digit: "
        + listed(f"{part} {ratio:.1f}" for part, ratio in ratios.items()),
        all(ratio < 1.1 for ratio in ratios.values()),
        "Digit 1 is three times as frequent as 9: house numbers are not uniform. So #SC and #TC of "
        "SVHN do not come from a balanced set.",
    )


def hatexplain_totals() -> Check:
    labels = ("hateful", "offensive", "normal", "undecided")
    sites = ("twitter", "gab")
    fact = {
        (label, site): paper.fact(f"hatexplain.{label}.{site}")
        for label in (*labels, "total")
        for site in (*sites, "total")
    }
    right = [sum(fact[row, s] for s in sites) == fact[row, "total"] for row in (*labels, "total")]
    right += [
        sum(fact[label, s] for label in labels) == fact["total", s] for s in (*sites, "total")
    ]
    return Check(
        "HateXplain's totals",
        "Posts by label and site, with totals.",
        "talk, HateXplain slide",
        f"{len(right)} totals, {fact['total', 'total']:,.0f} posts in all",
        f"{sum(right)} of them are the sums of their parts",
        all(right),
    )


def hatexplain_posts() -> Check:
    every, undecided = (paper.fact(f"hatexplain.{key}.total") for key in ("total", "undecided"))
    posts = int(hatexplain_annotations.load_label_counts()["posts"].sum())
    return Check(
        "HateXplain's size",
        "Posts of HateXplain.",
        "talk, HateXplain slide",
        f"{every:,.0f}",
        f"{posts:,} in the official split, {undecided:,.0f} undecided left out",
        every - undecided == posts,
        "Posts for which three annotators chose three labels are in no split.",
    )


def hatexplain_labels() -> Check:
    found = hatexplain_annotations.load_label_counts().groupby("label")["posts"].sum()
    names = {"hateful": "hatespeech", "offensive": "offensive", "normal": "normal"}
    stated = {name: int(paper.fact(f"hatexplain.{name}.total")) for name in names}
    return Check(
        "HateXplain's labels",
        "Hateful, offensive and normal posts.",
        "talk, HateXplain slide",
        listed(stated.values()),
        listed(found[label] for label in names.values()),
        all(found[label] == stated[name] for name, label in names.items()),
        "Majority labels of the official split.",
    )


def network_sizes() -> Check:
    def with_two_outputs(name: str, inputs: int) -> float:
        removed = (1000 - 2) * (inputs + 1)
        return (paper.fact(f"torchvision.{name}.parameters") - removed) / 1e6

    sizes = {"resnet50": with_two_outputs("resnet50", 2048)}
    sizes["resnet18"] = with_two_outputs("resnet18", 512)
    stated = {name: paper.fact(f"parameters.{name}") for name in sizes}
    return Check(
        "sizes of CelebA's networks",
        "Parameters of ResNet-50 and ResNet-18 in the CelebA study, in millions.",
        "talk, CelebA slide",
        listed(f"{value:g}" for value in stated.values()),
        listed(f"{value:.1f}" for value in sizes.values()) + " (two outputs)",
        round(sizes["resnet50"]) == stated["resnet50"]
        and round(sizes["resnet18"], 1) == stated["resnet18"],
        "ResNet-18 has 11.7 million with ImageNet's 1,000 outputs and 11.2 with two; 11.4 is "
        "neither. ResNet-50 is right to the digit given.",
    )


def temperatures() -> Check:
    lowest = {
        number: int(paper.table(number)["temperature"].min()) for number in (1, 2, 3, 5, 8, 9)
    }
    ones = [number for number, temperature in lowest.items() if temperature == 1]
    return Check(
        "temperatures",
        "T = 2 to 10 is studied, and 20, 30, 40 in the appendix.",
        "paper, Section 5",
        "T = 2 to 10",
        f"T = 1 to 10 in Tables {listed(ones)}",
        not ones,
        "The fairness studies have T = 1 as well.",
    )


def tinyvit() -> Check:
    pairs = paper.table(6)
    sets = sorted(set(pairs.loc[pairs["student_network"] == "TinyViT", "study"]))
    return Check(
        "TinyViT's data set",
        "How long TinyViT took to train on Tiny ImageNet.",
        "paper, Appendix C",
        "TinyViT on Tiny ImageNet",
        f"TinyViT's results are for {listed(NAMES[name] for name in sets)} only",
        "tiny-imagenet" in sets,
        "Tables 1 and 6. Tiny ImageNet has ResNets only (Table 5).",
    )


def table_9_labels() -> Check:
    parts = list(dict.fromkeys(paper.table(9)["attribute"]))
    return Check(
        "what Table 9 shows",
        "Table 9 uses 'shape' and 'texture' as labels.",
        "paper, Appendix B",
        "labels shape and texture",
        f"label shape, by {listed(parts)} (caption of Table 9)",
        parts == ["shape", "texture"],
        "See also Trifeature's two accuracies.",
    )


def poster_eod() -> Check:
    tpr, fpr = 0.02, 0.01
    return Check(
        "EOD on the poster",
        "EOD as a maximum of the TPR difference over the FPR difference.",
        "poster; paper, equation (4)",
        f"differences {tpr:.0%} and {fpr:.0%}: {tpr / fpr:g} (poster, read literally)",
        f"{max(tpr, fpr):.0%} (paper: the larger of the two)",
        max(tpr, fpr) == tpr / fpr,
        "A fraction where the paper has a comma. Typesetting, or the text that was extracted from "
        "the poster.",
    )


def talk_odds() -> Check:
    base, rate = 0.3, 0.8
    return Check(
        "equalized odds in the talk",
        "Equalized odds, with a joint probability on the right-hand side.",
        "talk, slide after Equalized Odds; paper, Section 2",
        f"two equal groups (TPR {rate:g}, base rate {base:g}): {rate:g} = {rate * base:g}",
        f"{rate:g} = {rate:g} (paper: both sides conditional on Y)",
        rate == rate * base,
        "The slide is also headed Demographic Parity Difference, and the one on demographic "
        "parity has the label where the prediction belongs.",
    )


def stricter() -> Check:
    rows = paper.results("trifeature", attribute="color").query("role == 'teacher'")
    values = rows.set_index("metric")["mean"]
    return Check(
        "EOD stricter than DPD",
        "Equalized odds is the stricter of the two measures.",
        "article",
        "EOD 0 leaves no room for DPD",
        f"Trifeature's teacher: EOD {values['eod']:.2f}, DPD {values['dpd']:.2f}",
        values["eod"] > 0 or values["dpd"] == 0,
        "Neither implies the other: EOD compares groups within a label, DPD across labels.",
    )


def publication_date() -> Check:
    return Check(
        "date of publication",
        "When TMLR published the paper.",
        "arXiv page (comments; journal reference)",
        "March 2024",
        "March 2025",
        False,
        "The talk says March 2025, and the first arXiv version is of October 2024.",
    )


def bold() -> Check:
    columns = {"eod": "teacher", "dpd": "T = 10"}
    found = {}
    for metric in columns:
        rows = paper.table(2).query("study == 'celeba-smiling' and metric == @metric")
        best = rows.sort_values("mean").iloc[0]
        found[metric] = best["role"] if best["role"] != "ds" else f"T = {best['temperature']:g}"
    return Check(
        "bold cells",
        "The fairest model of CelebA (Smiling) in bold, for EOD and for DPD.",
        "talk, Table 2",
        listed(f"{metric.upper()} {model}" for metric, model in columns.items()),
        listed(f"{metric.upper()} {model}" for metric, model in found.items()),
        found == columns,
        "Bold type is lost in the paper's text; the talk shows the same table.",
    )


def figure_1_axis() -> Check:
    low, high = 0.775, 0.95
    return Check(
        "axis of Figure 1",
        "Test accuracy in percent.",
        "paper, Figure 1",
        "percent",
        f"ticks from {low:g} to {high:g}: fractions",
        high > 1,
    )


def equation_7() -> Check:
    cells = paper.table("figure2")
    axes = ("teacher's prediction", "student's prediction")
    return Check(
        "what Figure 2 counts",
        "A disagreement is counted for the class of the image.",
        "paper, equation (7) and below",
        "one number a class",
        f"{cells['class_a'].nunique()} x {cells['class_b'].nunique()} numbers, {' by '.join(axes)}",
        False,
        "Figure 2 does not use the image's class at all. Here, as there, rows are the teacher's "
        "predictions and columns the student's.",
    )


CHECKS = (
    tables_1_and_6,
    tables_2_and_8,
    tables_2_and_9,
    tables_7_and_6,
    svhn_networks,
    svhn_balanced,
    tiny_imagenet,
    hatexplain_totals,
    hatexplain_posts,
    hatexplain_labels,
    network_sizes,
    temperatures,
    tinyvit,
    table_9_labels,
    poster_eod,
    talk_odds,
    stricter,
    publication_date,
    bold,
    figure_1_axis,
    equation_7,
)
