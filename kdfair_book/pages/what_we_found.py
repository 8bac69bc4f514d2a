"""What was found: the sentences that open a study's page.

Every number is computed from published results. A difference is called one only where its 95 %
interval leaves zero; else the sentence says that chance alone explains it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from kdfair_book import paper
from kdfair_book.charts.collapsed import in_words
from kdfair_book.evidence import NotThere, Sweep, collapse, disagreement_reduction, sweep
from kdfair_book.evidence.chance import affected_counts
from kdfair_book.evidence.effects import effects
from kdfair_book.evidence.regime import Regime, regime
from kdfair_book.pages.text import Text, listed, signed, spelled_out
from kdfair_core import studies
from kdfair_core.results import Results

AT = 4.0
"""The temperature of the opening's differences: the one at which every page's dial starts."""


def found_here(
    found: Results,
    *,
    at: float = AT,
    alpha: float | None = None,
    soft_scale: str | None = None,
) -> Text:
    """What was found, in a few sentences: accuracy, classes or groups, and which regime it is.

    Parameters
    ----------
    found : Results
    at : float
        Temperature of the distilled student that is told of; the nearest measured.
    alpha, soft_scale
        As in :func:`kdfair_book.evidence.sweep`.
    """
    mine = sweep(found, alpha=alpha, soft_scale=soft_scale)
    if len(mine.seeds) < 2:
        return Text(
            "**What we found.** One seed was trained: it says what one student did, and nothing of "
            "what another would do."
        )
    t = min(mine.temperatures, key=lambda other: abs(np.log(other / at)))
    frame = effects(mine)
    said = [_accuracy(frame, t), _imitates(mine)]
    if len(found.classes) >= 10:
        said.append(_classes(frame, mine, t))
    if found.attributes:
        said.append(_groups(frame, found, t))
    said += [_regime(regime(found)), _fallen(mine)]
    return Text(spelled_out("**What we found.** " + " ".join(part for part in said if part)))


def how_sure(found: Results, *, alpha: float | None = None, soft_scale: str | None = None) -> Text:
    """On how many seeds and examples it rests, and how far it is from the paper's regime."""
    mine = sweep(found, alpha=alpha, soft_scale=soft_scale)
    return Text(f"**How sure.** {_sure(mine)} {_beside(regime(found))}")


def reported_here(study: str) -> Text:
    """The same for a study that was not measured here: what the paper reports, as reported."""
    rows = paper.results(study)
    rows = rows[rows["alpha"].isna() | (rows["alpha"] == 0.8)]
    said = []
    accuracy = rows[rows["metric"] == "accuracy"]
    if not accuracy.empty:
        first = accuracy[accuracy["attribute"] == accuracy["attribute"].iloc[0]]
        level = first.set_index("role")["mean"]
        ds = first[first["role"] == "ds"]
        best = ds.iloc[int(ds["mean"].to_numpy().argmax())]
        said.append(
            f"the distilled student is right {best['mean']:.1f} % of the time at its best "
            f"temperature, T = {best['temperature']:g}; the same network alone "
            f"{level['nds']:.1f} %, the teacher {level['teacher']:.1f} %"
        )
    n = studies.get(study).n_classes
    for metric, sides in (("sc", "student alone and distilled"), ("tc", "teacher and distilled")):
        ds = rows[(rows["metric"] == metric) & (rows["role"] == "ds")]
        if not ds.empty:
            top = ds.iloc[int(ds["mean"].to_numpy().argmax())]
            said.append(
                f"at most {top['mean']:.0f} of {n} classes differ in relative accuracy between "
                f"{sides} ({paper.METRICS[metric]}, at T = {top['temperature']:g})"
            )
    eod = rows[rows["metric"] == "eod"]
    for attribute, part in eod.groupby("attribute"):
        level = part.set_index("role")["mean"]
        ds = part[part["role"] == "ds"]
        low = ds.iloc[int(ds["mean"].to_numpy().argmin())]
        said.append(
            f"EOD by {attribute} is lowest at T = {low['temperature']:g}, "
            f"{low['mean']:.1f} %, where the student alone has {level['nds']:.1f} %"
        )
    if not said:
        return Text("**Not measured here yet**, and the paper prints no numbers of it.")
    text = (
        f"**Not measured here yet. The paper reports:** {'; '.join(said)}. It prints neither an "
        "interval for a difference nor what chance alone would give; this page adds what chance "
        "gives where it can be computed."
    )
    return Text(spelled_out(text))


def _accuracy(frame: pd.DataFrame, t: float) -> str:
    alone, teacher = effect_at(frame, "accuracy", "nds"), effect_at(frame, "accuracy", "teacher")
    ds, gap = effect_at(frame, "accuracy", "ds", t), effect_at(frame, "accuracy", "difference", t)
    return (
        f"At T = {t:g} the distilled student is right {_percent(ds['value'])} of the time, the "
        f"same network trained alone {_percent(alone['value'])}, the teacher "
        f"{_percent(teacher['value'])}: {_gain(gap)}."
    )


def _gain(gap: dict[str, Any]) -> str:
    """What distillation does to accuracy."""
    size = f"{100 * abs(gap['value']):.1f} points"
    between = f"95 % interval {signed(gap['low'])} to {signed(gap['high'])}"
    if gap["low"] > 0:
        return f"a gain of {size} ({between})"
    if gap["high"] < 0:
        return f"a loss of {size} ({between})"
    return f"a difference that chance alone explains ({between} points)"


def _imitates(mine: Sweep) -> str:
    try:
        test = disagreement_reduction(mine)
    except NotThere:
        return ""
    share = f"{100 * abs(test.effect):.0f} %"
    ends = sorted(abs(100 * end) for end in (test.low, test.high))
    between = f"{ends[0]:.0f} to {ends[1]:.0f}"
    over = "Averaged over T = 1 to 10, distilled"
    if test.low > 0:
        return f"{over} students disagree with the teacher {share} less often ({between})."
    if test.high < 0:
        return f"{over} students disagree with the teacher {share} *more* often ({between})."
    return "Whether distilled students disagree with the teacher less often is open."


def _classes(frame: pd.DataFrame, mine: Sweep, t: float) -> str:
    sc, tc = effect_at(frame, "sc", "ds", t), effect_at(frame, "tc", "ds", t)
    n, high = len(mine.results.classes), sc["chance_high"]
    counts = affected_counts(mine.results)
    counts = counts[(counts["comparison"] == "SC") & (counts["temperature"] == t)]
    counts = counts[(counts["alpha"] == mine.alpha) & (counts["soft_scale"] == mine.soft_scale)]
    corrected = int(counts["significant_bh"].iloc[0])

    def against(count: float) -> str:
        return "more than chance" if count > high else "no more than chance"

    said = (
        f"The accuracy of a class, relative to overall accuracy, differs significantly for "
        f"{sc['value']:.0f} of {n} classes between the student alone and the distilled one "
        f"(**#SC**), {against(sc['value'])} gives, and for {tc['value']:.0f} between teacher and "
        f"distilled student (**#TC**), {against(tc['value'])} gives (up to {high:.0f})."
    )
    if sc["value"] > max(high, 2 * corrected):
        named = f"only {corrected}" if corrected else "none"
        said += (
            f" How many can be estimated, but not which: after correction for many tests {named} "
            f"can be named with {in_words(len(mine.seeds))} seeds (trainings)."
        )
    return said


def _groups(frame: pd.DataFrame, found: Results, t: float) -> str:
    """Which differences between groups change, and which changes chance explains."""
    told, chance = [], []
    for attribute in found.attributes:
        by = attribute.replace("_", " ")
        for metric in ("eod", "dpd"):
            gap = effect_at(frame, metric, "difference", t, attribute)
            if np.isnan(gap["value"]):
                continue
            if gap["low"] <= 0 <= gap["high"]:
                chance.append(f"{metric.upper()} by {by}")
                continue
            word = "below" if gap["value"] < 0 else "above"
            low, high = sorted(abs(100 * gap[end]) for end in ("low", "high"))
            told.append(
                f"{metric.upper()} by {by} is {100 * abs(gap['value']):.1f} points {word} the "
                f"student alone's ({low:.1f} to {high:.1f})"
            )
    if not told:
        return (
            f"All {len(chance)} differences between groups (EOD and DPD by "
            f"{listed(a.replace('_', ' ') for a in found.attributes)}) differ from the student "
            "alone's by no more than chance explains."
        )
    rest = f"; what {listed(chance)} changed could be chance alone" if chance else ""
    return f"Between groups, {listed(told)}{rest}."


def _sure(mine: Sweep) -> str:
    return (
        f"{in_words(len(mine.seeds)).capitalize()} seeds, {len(mine.results.y_true):,} test "
        f"examples, {mine.results.badge}; intervals are over both, each at 95 % by itself."
    )


def _regime(near: Regime) -> str:
    """In one sentence at the top of a page; what follows from it stands below."""
    if near.compared and near.same:
        return "The study is in the paper's regime of accuracy and gain."
    if not near.compared:
        return "The paper has no such study."
    parts = []
    if near.accuracy_differs:
        parts.append(
            f"the student alone is right {near.nds:.1f} % of the time (in the paper "
            f"{near.paper_nds:.1f} %)"
        )
    if near.gain_differs:
        gain, theirs = (signed(points / 100) for points in (near.gain, near.paper_gain))
        parts.append(
            f"the best distilled student's gain is {gain} points (in the paper {theirs} points)"
        )
    return f"**Another regime than the paper's**: {listed(parts)}."


def _beside(near: Regime) -> str:
    if near.compared and near.same:
        return (
            f"**The paper's regime**: there the student alone has {near.paper_nds:.1f} %, the best "
            f"distilled one {near.paper_gain:+.1f} points."
        )
    if not near.compared:
        return f"**Not in the paper.** {near.follows}"
    head, _, what = near.short.partition(": ")
    return f"**{head.capitalize()}**: {what}. {near.follows}"


def _fallen(mine: Sweep) -> str:
    """Collapsed trainings, each named as one of so many seeds."""
    accuracy = mine.results.runs["accuracy"].to_numpy()
    told = []
    for k, t in enumerate(mine.temperatures):
        low = collapse.collapsed(accuracy[mine.ds[:, k]])
        if low.any():
            many = in_words(int(low.sum())), in_words(len(low))
            told.append(f"{many[0]} of {many[1]} seeds at T = {t:g}")
    if not told:
        return ""
    return f"**Collapsed trainings**: {listed(told)}; means there are of two kinds of student."


def effect_at(
    frame: pd.DataFrame, measure: str, role: str, t: float = np.nan, attribute: str = ""
) -> dict[str, Any]:
    """The one row of a frame of effects."""
    rows = frame[(frame["measure"] == measure) & (frame["role"] == role)]
    rows = rows[rows["attribute"] == attribute]
    rows = rows[rows["T"].isna()] if np.isnan(t) else rows[rows["T"] == t]
    found: list[Any] = rows.to_dict("records")
    return found[0]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
