"""Sentences whose numbers come from the results, for the notebooks' texts.

What is said depends on what was measured: a rise is called a rise, and a difference that the
seeds alone could explain is called that.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from kdfair_book import paper
from kdfair_book.charts.paper import one_accuracy
from kdfair_book.charts.study import DISTANCES, METRICS, at_setting
from kdfair_book.evidence import NotThere, collapse, sweep
from kdfair_book.evidence.chance import affected_counts
from kdfair_book.evidence.equal_accuracy import at_equal_accuracy
from kdfair_book.pages.text import SCALES, Text, at, listed, network, signed
from kdfair_core import metrics
from kdfair_core.results import Results

LEVEL = 0.05


def provenance(found: Results) -> Text:
    """What was trained and on what, and where it departs from the paper."""
    manifest = found.manifest
    names = manifest["identities"]
    roles = found.runs["role"].value_counts()
    networks = {role: network(names[role]["network"]) for role in names}
    hours = manifest["hours"]
    took = "less than a minute" if hours < 1 / 60 else f"{hours:.2g} hours"
    text = (
        f"**What was measured.** {len(found.runs)} runs, {found.badge}: "
        f"{roles.get('teacher', 0)} teachers ({networks['teacher']}), "
        f"{roles.get('nds', 0)} non-distilled students and {roles.get('ds', 0)} distilled students "
        f"({networks['ds']}) at T = {_temperatures(found)}, "
        f"{listed(SCALES[s] for s in found.soft_scales)}"
    )
    if roles.get("null", 0):
        text += f", and {roles['null']} more non-distilled students as a null control"
    text += (
        f". They were judged on {manifest['examples']:,} test examples; training took {took} "
        f"({listed(d.upper() if len(d) < 5 else d for d in manifest['devices'])})."
    )
    text += f"\n\n{manifest['dataset']['note']}\n\nWhere this departs from the paper:\n"
    return Text(text + "".join(f"\n- {sentence}" for sentence in manifest["departures"]))


def _temperatures(found: Results) -> str:
    """Those that were measured; for each alpha, where they differ."""
    ds = found.runs[found.runs["role"] == "ds"]
    measured: dict[str, list[str]] = {}  # temperatures -> the alphas that they were measured with
    for alpha in sorted(found.alphas, reverse=True):
        temperatures = sorted(set(ds.loc[ds["alpha"] == alpha, "temperature"]))
        measured.setdefault(listed(f"{t:g}" for t in temperatures), []).append(f"{alpha:g}")
    if len(found.alphas) == 1:
        return next(iter(measured))
    return "; ".join(f"{ts} (alpha {listed(alphas)})" for ts, alphas in measured.items())


def fairness(found: Results, attribute: str, *, alpha: float = 0.8, soft_scale: str = "T2") -> Text:
    """What happens to accuracy, EOD and DPD as the temperature rises."""
    runs = found.group_fairness(attribute)
    low, ten, last = _landmarks(found.temperatures)
    fallen = _collapses(found, alpha, soft_scale)
    fallen = {} if len(fallen) == len(found.temperatures) else fallen
    lines = []
    for metric, name in (("accuracy", "Accuracy"), ("eod", "EOD"), ("dpd", "DPD")):
        teacher, nds, ds = _values(runs.assign(value=100 * runs[metric]), alpha, soft_scale)
        if metric == "accuracy":
            weak = teacher.mean() < nds.mean()
        if np.isnan(nds).all():
            lines.append(f"- **{name}** is not defined on this test set.")
            continue
        pick, word = (max, "highest") if metric == "accuracy" else (min, "lowest")
        best = pick((t for t in ds if t not in fallen), key=lambda t: ds[t].mean())
        lines.append(
            f"- **{name}.** Student alone {nds.mean():.2f} %, teacher {teacher.mean():.2f} %. The "
            f"distilled student is "
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
    if weak:
        lines.append(
            "- **A weak teacher.** It is right less often than the student trained without it: "
            "a student that comes closer to it gets less accurate, and may take over its gaps."
        )
    floor = 100 * runs.attrs["floor"]
    lines.append(
        f"- A classifier without any error would have a DPD of {floor:.2f} % on this test set: "
        "below that, a lower DPD is reached by errors, not by a fairer classifier."
    )
    lines.append(
        "- Each p compares two means over seeds by Welch's t-test, uncorrected, and the best "
        "temperature was picked before it was tested; the scorecard tests trends, corrected."
    )
    if fallen:
        where = "the temperatures of collapsed trainings are left out of the lowest and highest."
        lines.append(f"- {collapsed(found, alpha=alpha, soft_scale=soft_scale)} Above, {where}")
    by = attribute.replace("_", " ")
    return Text(
        f"**What came out, by {by}** ({SCALES[soft_scale]}). EOD and DPD are as measured here, as "
        "the paper prints them; figure and table above give them bias-corrected.\n\n"
        + "\n".join(lines)
    )


def _collapses(found: Results, alpha: float, soft_scale: str) -> dict[float, Any]:
    """Accuracies [seed] at the temperatures where a training collapsed, and which ones did."""
    _, _, ds = _values(found.runs.assign(value=found.runs["accuracy"]), alpha, soft_scale)
    low = {t: (accuracy, collapse.collapsed(accuracy)) for t, accuracy in ds.items()}
    return {t: both for t, both in low.items() if both[1].any()}


def collapsed(found: Results, *, alpha: float = 0.8, soft_scale: str = "T2") -> Text:
    """Which students' training ended far below that of other seeds; "" if none did."""
    fallen = _collapses(found, alpha, soft_scale)
    if not fallen:
        return Text("")
    worst = max(100 * fell[mask].max() for fell, mask in fallen.values())
    said = listed(f"{mask.sum()} of {len(mask)} at T = {t:g}" for t, (_, mask) in fallen.items())
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
    runs = found.runs.assign(value=100 * found.runs["accuracy"])
    _, nds, scaled = _values(runs, alpha, "T2")
    without = _values(runs, alpha, "none")[2][last]
    text = (
        f"**What came out** at T = {last:g}: accuracy {scaled[last].mean():.2f} % with the factor "
        f"and {without.mean():.2f} % without, {_against(without, nds)}, which has "
        f"{nds.mean():.2f} %."
    )
    if without.mean() < nds.mean() and _p_value(without, nds) <= LEVEL:
        text += (
            " So without the factor the student does not end where the student alone ends. The "
            "likely reason: it learns from little but the labels' share of the loss, "
            f"{1 - alpha:.1g}, whose gradient is that fraction of the student alone's, and it is "
            "trained no longer."
        )
    return Text(text + _at_equal_accuracy(found, alpha))


def _at_equal_accuracy(found: Results, alpha: float) -> str:
    """Whether the lost accuracy explains what EOD gains without the factor, by attribute."""
    told, never = [], []
    for attribute in found.attributes:
        by = attribute.replace("_", " ")
        try:
            scaled, plain = (sweep(found, alpha=alpha, soft_scale=s) for s in ("T2", "none"))
            one = at_equal_accuracy(scaled, plain, attribute)
        except NotThere:
            continue
        if not one.comparable:
            never.append(f"{signed(one.total)} points by {by}")
            continue
        told.append(
            f"{signed(one.step)} (95 % interval {signed(one.low)} to {signed(one.high)}) of "
            f"{signed(one.total)} points by {by}"
        )
    said = ""
    if told:
        said += (
            " **EOD at equal accuracy:** without the factor it is higher by "
            f"{listed(told)}; over the temperatures above 1, from a straight line of EOD on "
            "accuracy in each seed. Where an interval includes zero, lost accuracy can explain all."
        )
    if never:
        said += (
            f" **EOD rises too** without the factor ({listed(never)}, mean over the "
            "temperatures above 1). Every student without it is less accurate than every student "
            "with it: none can be compared at equal accuracy, and lost accuracy may explain it all."
        )
    return said


def affected(found: Results, *, alpha: float = 0.8, soft_scale: str = "T2") -> Text:
    """How many classes are affected, against what chance alone would give."""
    counts = at_setting(affected_counts(found), alpha, [soft_scale])
    n = int(counts["n_classes"].iloc[0])
    high = float(counts["chance_high"].iloc[0])
    lines = []
    unnamed = False
    for comparison, sides in (
        ("SC", "student alone and distilled student"),
        ("TC", "teacher and distilled student"),
    ):
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
            temperatures = listed(f"{t:g}" for t in above)
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
    if unnamed:  # before the counts that it explains
        lines.insert(
            0,
            "- **How many, but not which.** A count beyond chance says that many classes differ. "
            f"Which ones, {found.runs['seed'][found.runs['role'] == 'nds'].nunique()} seeds can "
            "say only of those that remain after the correction.",
        )
    return Text("**What came out:**\n\n" + "\n".join(lines))


def crossing(found: Results, *, alpha: float = 0.8, soft_scale: str = "T2") -> Text:
    """Whether #SC and #TC cross as the temperature rises, and whether #SC turns back."""
    counts = at_setting(affected_counts(found), alpha, [soft_scale])
    wide = counts.pivot_table(index="temperature", columns="comparison", values="significant")
    sc, tc = (dict(zip(wide.index, wide[name], strict=True)) for name in ("SC", "TC"))
    above = [t for t in sc if sc[t] > tc[t]]
    if not above or len(above) == len(sc):
        crossed = f"#SC is {'above' if above else 'not above'} #TC at every temperature"
    else:
        crossed = f"#SC is above #TC at {at(above)}"
    top, last = max(sc, key=lambda t: sc[t]), max(sc)
    after = sc[last]
    if after == sc[top]:
        turn = f"#SC does not turn back: at T = {last:g} it is still at its highest, {after:.0f}"
    else:
        turn = f"#SC is highest at T = {top:g} ({sc[top]:.0f}) and {after:.0f} at T = {last:g}"
    return Text(f"**Do the curves cross, and turn?** Here {crossed}; {turn}.")


def _at_most(count: float) -> str:
    return f"at most {count:.0f}" if count else "none"


def agreement(found: Results, *, alpha: float = 0.8, soft_scale: str = "T2") -> Text:
    """Whether the DS disagrees less with its teacher than the NDS does."""
    cells = at_setting(found.disagreement(), alpha, [soft_scale])
    nds = cells.loc[cells["pair"] == "teacher-nds", "count"].sum()
    totals = cells[cells["pair"] == "teacher-ds"].groupby("temperature")["count"].sum()
    least, most = totals.sort_values().index[[0, -1]]
    n = found.manifest["examples"]
    below = totals[totals < nds].index
    return Text(
        f"**What came out:** of {n:,} test examples teacher and student alone disagree on "
        f"{nds:.0f}. Teacher "
        f"and distilled student disagree least at T = {least:g} ({totals[least]:.0f}) and most at "
        f"T = {most:g} "
        f"({totals[most]:.0f}); on fewer than teacher and student alone at "
        f"{'every temperature' if len(below) == len(totals) else at(below)}."
    )


def individual(
    found: Results, space: str = "input", *, alpha: float = 0.8, soft_scale: str = "T2"
) -> Text:
    """What happens to individual unfairness as the temperature rises, by one distance."""
    runs = found.individual_fairness(space).rename(columns={"individual_unfairness": "value"})
    teacher, nds, ds = _values(runs, alpha, soft_scale)
    low, ten, last = _landmarks(found.temperatures)
    return Text(
        f"**By {DISTANCES[space]}:** teacher {teacher.mean():.4f}, student alone "
        f"{nds.mean():.4f}; distilled student {ds[low].mean():.4f} at T = {low:g}, "
        f"{ds[ten].mean():.4f} at "
        f"T = {ten:g} ({_change(ds[low], ds[ten])})"
        + (f", {ds[last].mean():.4f} at T = {last:g}" if last != ten else "")
        + f". At T = {ten:g} it is {_against(ds[ten], nds, unit='')}."
    )


def beside_paper(
    found: Results, attribute: str, *, alpha: float = 0.8, soft_scale: str = "T2"
) -> Text:
    """Whether our curve over the temperature has the shape of the paper's."""
    ours = at_setting(found.fairness_summary(attribute), alpha, [soft_scale])
    theirs = one_accuracy(paper.results(found.study, attribute=attribute), attribute)
    said = []
    for metric, (_, _, name) in METRICS.items():
        a, b = (
            rows[(rows["role"] == "ds") & (rows["metric"] == metric)].set_index("temperature")[
                "mean"
            ]
            for rows in (ours, theirs)
        )
        shared = a.index.intersection(b.index)
        said.append(f"{name} {a[shared].rank().corr(b[shared].rank()):+.2f}")
    return Text(
        f"**Same shape?** Rank correlation over the {len(shared)} shared temperatures between the "
        f"paper's curve of the distilled student and ours, {SCALES[soft_scale]}: "
        f"{', '.join(said)}. (+1: the same "
        "order of temperatures; 0: none; -1: the opposite.)"
    )


def _values(
    runs: pd.DataFrame, alpha: float, soft_scale: str
) -> tuple[np.ndarray, np.ndarray, dict[float, np.ndarray]]:
    """The column "value" of the runs of teacher, NDS, and DS by temperature."""
    chosen = at_setting(runs, alpha, [soft_scale])
    by_role: dict[Any, pd.DataFrame] = dict(iter(chosen.groupby("role")))
    if "ds" not in by_role:
        raise ValueError(f"nothing was measured at alpha {alpha!r} and soft_scale {soft_scale!r}")
    teacher, nds = (by_role[role]["value"].to_numpy() for role in ("teacher", "nds"))
    ds: dict[Any, pd.Series] = dict(iter(by_role["ds"].groupby("temperature")["value"]))
    return teacher, nds, {t: values.to_numpy() for t, values in ds.items()}


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
    return (
        f"{abs(difference):.{digits}f}{unit} {word} the student alone ({_verdict(_p_value(a, b))})"
    )
