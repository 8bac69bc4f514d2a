"""Sentences whose numbers come from the results, for the notebooks' texts.

What is said depends on what was measured: a rise is called a rise, and a difference that the
seeds alone could explain is called that.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kdfair_book import paper
from kdfair_book.evidence import collapse
from kdfair_core import metrics, results
from kdfair_core.results import Results

LEVEL = 0.05
RUNS = Path(__file__).parents[2] / "runs"
NETWORKS = {
    "vit-b-16": "ViT-Base",
    "tinyvit-5m": "TinyViT-5M",
    "bert-base": "BERT-Base",
    "distilbert": "DistilBERT",
    "minilm-l6": "MiniLM of six layers",
    "minilm-l3": "MiniLM of three layers",
}
SCALES = {"T2": "with the factor T²", "none": "without the factor T²"}


class Text(str):
    """Markdown that shows itself in a notebook."""

    def _repr_markdown_(self) -> str:
        return str(self)


def measured(
    study: str,
    profile: str | None = None,
    *,
    train: bool = False,
    seeds: Iterable[int] | None = None,
    device: str = "auto",
    runs: str | os.PathLike[str] | None = None,
) -> Results:
    """Published results of a study or, with ``train``, results trained here and now.

    What is trained goes into the folder ``runs`` (finished runs are not trained again), and what
    is read from it is published into ``runs/published``; the project's own ``data/`` is not
    touched.

    Parameters
    ----------
    study, profile, seeds, device
        As in :func:`kdfair_core.training.run_study`.
    train
        Whether to train what is missing.
    runs
        Folder of the run store; by default the project's own, ``runs``, wherever a notebook runs.
    """
    if not train:
        return results.load(study, profile)
    from kdfair_core import training
    from kdfair_core.runs import RunStore

    folder = RUNS if runs is None else Path(runs)
    store = RunStore(folder)
    chosen = profile or "laptop"
    training.run_study(study, chosen, store=store, seeds=seeds, device=device)
    root = folder / "published"
    results.publish(study, chosen, store, root=root, replace=True)
    return results.load(study, chosen, root=root)


def provenance(found: Results) -> Text:
    """What was trained and on what, and where it departs from the paper."""
    manifest = found.manifest
    names = manifest["identities"]
    roles = found.runs["role"].value_counts()
    network = {role: _network(names[role]["network"]) for role in names}
    hours = manifest["hours"]
    took = "less than a minute" if hours < 1 / 60 else f"{hours:.2g} hours"
    parts = [
        f"**What was measured.** {len(found.runs)} runs, {found.badge}: "
        f"{roles.get('teacher', 0)} teachers ({network['teacher']}), "
        f"{roles.get('nds', 0)} non-distilled students and {roles.get('ds', 0)} distilled students "
        f"({network['ds']}) at T = {_temperatures(found)}, "
        f"{_listed(SCALES[s] for s in found.soft_scales)}",
    ]
    if roles.get("null", 0):
        parts.append(f", and {roles['null']} more non-distilled students as a null control")
    parts.append(
        f". They were judged on {manifest['examples']:,} test examples; training took {took} "
        f"({_listed(d.upper() if len(d) < 5 else d for d in manifest['devices'])})."
    )
    note = f"\n\n{manifest['dataset']['note']}"
    departures = "".join(f"\n- {sentence}" for sentence in manifest["departures"])
    return Text("".join(parts) + note + f"\n\nWhere this departs from the paper:\n{departures}")


def _temperatures(found: Results) -> str:
    """Those that were measured; for each alpha, where they differ."""
    ds = found.runs[found.runs["role"] == "ds"]
    measured: dict[str, list[str]] = {}  # temperatures -> the alphas that they were measured with
    for alpha in sorted(found.alphas, reverse=True):
        temperatures = sorted(set(ds.loc[ds["alpha"] == alpha, "temperature"]))
        measured.setdefault(_listed(f"{t:g}" for t in temperatures), []).append(f"{alpha:g}")
    if len(found.alphas) == 1:
        return next(iter(measured))
    return "; ".join(f"{ts} (alpha {_listed(alphas)})" for ts, alphas in measured.items())


def fairness(found: Results, attribute: str, *, alpha: float = 0.8, soft_scale: str = "T2") -> Text:
    """What happens to accuracy, EOD and DPD as the temperature rises."""
    runs = _runs(found.group_fairness(attribute), alpha, soft_scale)
    low, ten, last = _landmarks(found.temperatures)
    lines = []
    for metric, name in (("accuracy", "Accuracy"), ("eod", "EOD"), ("dpd", "DPD")):
        values = {key: 100 * group[metric].to_numpy() for key, group in runs}
        nds, teacher = values[("nds", None)], values[("teacher", None)]
        if np.isnan(nds).all():
            lines.append(f"- **{name}** is not defined on this test set.")
            continue
        ds = {t: values[("ds", t)] for t in found.temperatures}
        pick = max if metric == "accuracy" else min
        best = pick(ds, key=lambda t: ds[t].mean())
        word = "highest" if metric == "accuracy" else "lowest"
        lines.append(
            f"- **{name}.** NDS {nds.mean():.2f} %, teacher {teacher.mean():.2f} %. The DS is "
            f"{word} at T = {best:g}: {ds[best].mean():.2f} %, {_against(ds[best], nds)}. "
            f"From T = {low:g} to T = {ten:g} it goes from {ds[low].mean():.2f} to "
            f"{ds[ten].mean():.2f} % ({_change(ds[low], ds[ten])})"
            + (
                f", and on to {ds[last].mean():.2f} % at T = {last:g} "
                f"({_change(ds[ten], ds[last])})."
                if last != ten
                else "."
            )
        )
    accuracy = {key: group["accuracy"].mean() for key, group in runs}
    if accuracy[("teacher", None)] < accuracy[("nds", None)]:
        lines.append(
            "- **A weak teacher.** It is right less often than the student trained without it: "
            "a student that comes closer to it gets worse, and takes over what is unfair in it."
        )
    floor = 100 * found.group_fairness(attribute).attrs["floor"]
    lines.append(
        f"- A classifier without any error would have a DPD of {floor:.2f} % on this test set: "
        "below that, a lower DPD is not a fairer classifier but one that errs in balance."
    )
    lines.append(
        "- Each p compares two means over seeds by Welch's t-test, uncorrected, and the best "
        "temperature was picked before it was tested; the scorecard tests trends, corrected."
    )
    fallen = collapsed(found, alpha=alpha, soft_scale=soft_scale)
    if fallen:
        lines.append(f"- {fallen}")
    by = attribute.replace("_", " ")
    return Text(f"**What came out, by {by}** ({SCALES[soft_scale]}):\n\n" + "\n".join(lines))


def collapsed(found: Results, *, alpha: float = 0.8, soft_scale: str = "T2") -> Text:
    """Which students' training ended far below that of other seeds; "" if none did."""
    fallen, seeds = {}, 0
    for (role, t), rows in _runs(found.runs, alpha, soft_scale):
        accuracy = rows["accuracy"].to_numpy()
        low = collapse.collapsed(accuracy)
        if role == "ds" and low.any():
            fallen[t] = 100 * accuracy[low]
            seeds = len(accuracy)
    if not fallen:
        return Text("")
    worst = max(values.max() for values in fallen.values())
    said = _listed(f"{len(values)} of {seeds} at T = {t:g}" for t, values in fallen.items())
    return Text(
        f"**Collapsed:** the training of {said} ended at an accuracy of {worst:.0f} % or less, far "
        "below the other seeds. Means there are of two kinds of student, and tests of classes see "
        "little: so large a spread between seeds hides differences, and #SC and #TC fall."
    )


def scales(found: Results, *, alpha: float = 0.8) -> Text:
    """Where students end at the highest temperature, with the factor T² and without."""
    if len(found.soft_scales) < 2:
        return Text(f"Measured here {SCALES[found.soft_scales[0]]} alone.")
    last = found.temperatures[-1]
    ends = {}
    for scale in SCALES:
        runs = dict(_runs(found.runs, alpha, scale))
        ends[scale] = 100 * runs[("ds", last)]["accuracy"].to_numpy()
    nds = 100 * runs[("nds", None)]["accuracy"].to_numpy()
    without = ends["none"]
    text = (
        f"**What came out** at T = {last:g}: accuracy {ends['T2'].mean():.2f} % with the factor "
        f"and {without.mean():.2f} % without, {_against(without, nds)}, which has "
        f"{nds.mean():.2f} %."
    )
    if without.mean() < nds.mean() and _p_value(without, nds) <= LEVEL:
        text += (
            " So the student does not simply end where the NDS is. The likely reason: without the "
            f"factor little is left to it but the labels' share of the loss, {1 - alpha:.1g}, a "
            "pull in the NDS's direction at that fraction of its strength, and it trains no longer "
            "than the NDS."
        )
    return Text(text)


def affected(found: Results, *, alpha: float = 0.8, soft_scale: str = "T2") -> Text:
    """How many classes are affected, against what chance alone would give."""
    counts = found.affected_counts()
    ds = counts["temperature"].notna()
    counts = counts[~ds | ((counts["alpha"] == alpha) & (counts["soft_scale"] == soft_scale))]
    n = int(counts["n_classes"].iloc[0])
    high = float(counts["chance_high"].iloc[0])
    lines = []
    unnamed = False
    for comparison, sides in (("SC", "NDS and DS"), ("TC", "teacher and DS")):
        rows = counts[counts["comparison"] == comparison]
        if rows.empty:
            continue
        above = rows.loc[rows["significant"] > high, "temperature"]
        top = rows.iloc[rows["significant"].argmax()]
        unnamed = unnamed or top["significant"] > max(high, 2 * top["significant_bh"])
        line = f"- **#{comparison}** ({sides}): "
        if not top["significant"]:
            lines.append(f"{line}no class at any temperature.")
            continue
        line += (
            f"at most {top['significant']:.0f} of {n} classes, at T = {top['temperature']:g}; "
            f"after the correction {_at_most(rows['significant_bh'].max())}. "
        )
        if len(above):
            temperatures = _listed(f"{t:g}" for t in above)
            line += f"More than chance would give (over {high:.0f}) at T = {temperatures}."
        else:
            line += f"Nowhere more than chance would give ({high:.0f})."
        lines.append(line)
    null = counts[counts["comparison"] == "null"]
    if not null.empty:
        lines.append(
            f"- **Null control**: two sets of non-distilled students, which differ in nothing but "
            f"their seeds, differ in {null['significant'].iloc[0]:.0f} classes."
        )
    if unnamed:
        lines.append(
            "- **How many, but not which.** A count beyond chance says that many classes differ. "
            f"Which ones, {found.runs['seed'][found.runs['role'] == 'nds'].nunique()} seeds can "
            "say only of those that remain after the correction."
        )
    return Text("**What came out:**\n\n" + "\n".join(lines))


def _at_most(count: float) -> str:
    return f"at most {count:.0f}" if count else "none"


def agreement(found: Results, *, alpha: float = 0.8, soft_scale: str = "T2") -> Text:
    """Whether the DS disagrees less with its teacher than the NDS does."""
    cells = found.disagreement()
    nds = cells.loc[cells["pair"] == "teacher-nds", "count"].sum()
    ds = cells[
        (cells["pair"] == "teacher-ds")
        & (cells["alpha"] == alpha)
        & (cells["soft_scale"] == soft_scale)
    ]
    totals = ds.groupby("temperature")["count"].sum()
    least, most = totals.sort_values().index[[0, -1]]
    n = found.manifest["examples"]
    below = totals[totals < nds].index
    return Text(
        f"**What came out:** of {n:,} test examples teacher and NDS disagree on {nds:.0f}. Teacher "
        f"and DS disagree least at T = {least:g} ({totals[least]:.0f}) and most at T = {most:g} "
        f"({totals[most]:.0f}); on fewer than teacher and NDS at "
        f"{'every temperature' if len(below) == len(totals) else _at(below)}."
    )


def individual(
    found: Results, space: str = "input", *, alpha: float = 0.8, soft_scale: str = "T2"
) -> Text:
    """What happens to individual unfairness as the temperature rises."""
    runs = _runs(found.individual_fairness(space), alpha, soft_scale)
    values = {key: group["individual_unfairness"].to_numpy() for key, group in runs}
    low, ten, last = _landmarks(found.temperatures)
    ds = {t: values[("ds", t)] for t in found.temperatures}
    nds, teacher = values[("nds", None)], values[("teacher", None)]
    return Text(
        f"**What came out** (distances in {space} space): teacher {teacher.mean():.4f}, NDS "
        f"{nds.mean():.4f}; DS {ds[low].mean():.4f} at T = {low:g}, {ds[ten].mean():.4f} at "
        f"T = {ten:g} ({_change(ds[low], ds[ten])})"
        + (f", {ds[last].mean():.4f} at T = {last:g}" if last != ten else "")
        + f". At T = {ten:g} it is {_against(ds[ten], nds, unit='')}. A smoother model is "
        "fairer by this measure, a constant one perfectly so: read it beside accuracy."
    )


def beside_paper(
    found: Results, attribute: str, *, alpha: float = 0.8, soft_scale: str = "T2"
) -> Text:
    """Whether our curve over the temperature has the shape of the paper's."""
    ours = found.fairness_summary(attribute)
    ours = ours[(ours["alpha"] == alpha) & (ours["soft_scale"] == soft_scale)]
    said = []
    for metric, name in (("accuracy", "accuracy"), ("eod", "EOD"), ("dpd", "DPD")):
        theirs = paper.results(found.study, metric, attribute)
        if metric == "accuracy" and (theirs["attribute"] == attribute).any():
            theirs = theirs[theirs["attribute"] == attribute]
        a = ours[ours["metric"] == metric].set_index("temperature")["mean"]
        b = theirs[theirs["role"] == "ds"].set_index("temperature")["mean"]
        shared = a.index.intersection(b.index)
        rank = pd.Series(a[shared]).rank().corr(pd.Series(b[shared]).rank())
        said.append(f"{name} {rank:+.2f}")
    return Text(
        f"**Same shape?** Rank correlation over the {len(shared)} shared temperatures between the "
        f"paper's curve of the DS and ours, {SCALES[soft_scale]}: {', '.join(said)}. (+1: the same "
        "order of temperatures; 0: none; -1: the opposite.)"
    )


def _network(name: str) -> str:
    """The name of a network as people write it: resnet20 is ResNet-20."""
    if name in NETWORKS:
        return NETWORKS[name]
    name, small, _ = name.partition("-small")
    for plain, written in (("resnet", "ResNet-"), ("lenet", "LeNet-"), ("densenet", "DenseNet-")):
        if name.startswith(plain) and name.removeprefix(plain).isdigit():
            stem = " with a stem for small images" if small else ""
            return written + name.removeprefix(plain) + stem
    return name + small


def _runs(
    frame: pd.DataFrame, alpha: float, soft_scale: str
) -> list[tuple[tuple[str, float | None], pd.DataFrame]]:
    """Runs of each model: ((role, temperature or None), rows)."""
    ds = frame["role"] == "ds"
    chosen = frame[~ds | ((frame["alpha"] == alpha) & (frame["soft_scale"] == soft_scale))]
    if not (chosen["role"] == "ds").any():
        raise ValueError(f"nothing was measured at alpha {alpha!r} and soft_scale {soft_scale!r}")
    runs = []
    role: Any
    t: Any
    for (role, t), rows in chosen.groupby(["role", "temperature"], dropna=False, sort=False):
        runs.append(((role, None if pd.isna(t) else t), rows))
    return runs


def _landmarks(temperatures: list[float]) -> tuple[float, float, float]:
    """First temperature, T = 10 (or the nearest below), last temperature."""
    usual = [t for t in temperatures if t <= 10] or temperatures
    return temperatures[0], usual[-1], temperatures[-1]


def _p_value(a: np.ndarray, b: np.ndarray) -> float:
    if len(a) < 2 or len(b) < 2:
        return float("nan")
    return float(metrics.welch(a, b)[1])


def _verdict(p: float) -> str:
    if np.isnan(p):
        return "no test with these runs"
    shown = "p < 0.001" if p < 0.001 else f"p = {p:.2f}" if p >= 0.01 else f"p = {p:.3f}"
    return shown if p <= LEVEL else f"{shown}, which seeds alone could explain"


def _change(before: np.ndarray, after: np.ndarray) -> str:
    difference = after.mean() - before.mean()
    word = "a rise" if difference > 0 else "a fall" if difference < 0 else "no change"
    return f"{word}; {_verdict(_p_value(before, after))}"


def _against(a: np.ndarray, b: np.ndarray, unit: str = " points") -> str:
    difference = a.mean() - b.mean()
    digits = 2 if unit else 4
    word = "above" if difference > 0 else "below"
    return f"{abs(difference):.{digits}f}{unit} {word} the NDS ({_verdict(_p_value(a, b))})"


def _listed(words: Iterable[str]) -> str:
    items = list(words)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def _at(temperatures: Iterable[float]) -> str:
    items = [f"{t:g}" for t in temperatures]
    return f"T = {_listed(items)}" if items else "no temperature"
