"""What was found: the sentences that open a study's page, and those that open the book.

Every number is computed from published results. A difference is called one only where its 95 %
interval leaves zero; else the sentence says that chance alone explains it.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from kdfair_book import paper
from kdfair_book.charts.collapsed import in_words
from kdfair_book.charts.tiny import Interval, intervals_svg
from kdfair_book.evidence import NotThere, Sweep, collapse, disagreement_reduction, settings, sweep
from kdfair_book.evidence.across_studies import TITLES
from kdfair_book.evidence.class_bias import paired_test
from kdfair_book.evidence.effects import effects
from kdfair_book.evidence.group import bootstrap
from kdfair_book.evidence.regime import Regime, regime
from kdfair_book.pages.text import Text, listed, spelled_out
from kdfair_core import results, studies
from kdfair_core.results import Results

SIZES = {"laptop": "smaller than the paper's", "paper": "by the paper's protocol"}

AT = 4.0
"""The temperature of the opening's differences: the one at which every page's dial starts."""


# a study's page


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
    frame = effects(mine, n_boot=500)
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
    alone, teacher = _at(frame, "accuracy", "nds"), _at(frame, "accuracy", "teacher")
    ds, gap = _at(frame, "accuracy", "ds", t), _at(frame, "accuracy", "difference", t)
    return (
        f"At T = {t:g} the distilled student is right {_percent(ds['value'])} of the time, the "
        f"same network trained alone {_percent(alone['value'])}, the teacher "
        f"{_percent(teacher['value'])}: {_gain(gap)}."
    )


def _gain(gap: dict[str, Any]) -> str:
    """What distillation does to accuracy."""
    size = f"{100 * abs(gap['value']):.1f} points"
    between = f"95 % interval {_signed(gap['low'])} to {_signed(gap['high'])}"
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
    if test.low > 0:
        return f"Distilled students disagree with the teacher {share} less often ({between})."
    if test.high < 0:
        return f"Distilled students disagree with the teacher {share} *more* often ({between})."
    return "Whether distilled students disagree with the teacher less often is open."


def _classes(frame: pd.DataFrame, mine: Sweep, t: float) -> str:
    sc, tc = _at(frame, "sc", "ds", t), _at(frame, "tc", "ds", t)
    n, high = len(mine.results.classes), sc["chance_high"]
    counts = mine.results.affected_counts()
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
            f" How many is known, but not which: after correction for many tests {named} can be "
            f"named with {in_words(len(mine.seeds))} seeds (trainings)."
        )
    return said


def _groups(frame: pd.DataFrame, found: Results, t: float) -> str:
    """Which differences between groups change, and which changes chance explains."""
    told, chance = [], []
    for attribute in found.attributes:
        by = attribute.replace("_", " ")
        for metric in ("eod", "dpd"):
            gap = _at(frame, metric, "difference", t, attribute)
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
        gain, theirs = (_signed(points / 100) for points in (near.gain, near.paper_gain))
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


# the opening


@dataclass(frozen=True)
class Answer:
    """One finding of the opening.

    Attributes
    ----------
    name : str
        For its address.
    number : str
        The finding in a number.
    claim, sentence : str
        A few words, and a sentence.
    rows : list of Interval
        What its chart shows.
    unit : str
        Of the chart's axis.
    rests : str
        Studies, seeds, protocol, test.
    link, link_text : str
        Where it is shown.
    """

    name: str
    number: str
    claim: str
    sentence: str
    rows: list[Interval]
    unit: str
    rests: str
    link: str
    link_text: str

    def to_html(self) -> str:
        """A card for the page."""
        chart = intervals_svg(self.rows, unit=self.unit, says=f"{self.claim} {self.sentence}")
        address = f"finding-{self.name}"
        link = f'<a class="headerlink" href="#{address}" title="Address of this finding">#</a>'
        return (
            f'<section class="kd-answer" id="{address}"><h2>{escape(self.claim)}{link}</h2>'
            f'<p class="kd-answer-number">{escape(self.number)}</p>'
            f"<p>{escape(self.sentence)}</p>{chart}"
            f'<p class="kd-answer-rests">{escape(self.rests)} '
            f'<a href="{self.link}">{escape(self.link_text)}</a></p></section>'
        )

    def __str__(self) -> str:
        return f"{self.claim} {self.number}: {self.sentence} {self.rests}"


@dataclass(frozen=True)
class Opening:
    """The findings of the opening, beside each other."""

    answers: tuple[Answer, ...]

    def _repr_html_(self) -> str:
        cards = "".join(answer.to_html() for answer in self.answers)
        return f'<div class="kd-answers">{cards}</div>'

    def __repr__(self) -> str:
        return "\n".join(map(str, self.answers))


def opening(found: list[Results] | None = None) -> Opening:
    """The findings that stand by the book's own standard, of all that was measured.

    Parameters
    ----------
    found : list of Results, optional
        By default the best published profile of each study, but "smoke".
    """
    measured = published() if found is None else found
    made = (imitation(measured), squared(measured), gain(measured))
    return Opening(tuple(answer for answer in made if answer is not None))


def published() -> list[Results]:
    """The most faithful results of each study, without those too small to mean anything."""
    there = results.available()
    there = there[(there["problem"] == "") & (there["profile"] != "smoke")]
    there = there.drop_duplicates("study")
    known = [name for name in studies.names() if name in set(there["study"])]
    return [results.load(name) for name in known]


def imitation(found: list[Results]) -> Answer | None:
    """Students imitate their teacher."""
    rows = []
    for one in _with_factor(found):
        try:
            test = disagreement_reduction(one)
        except NotThere:
            continue
        rows.append(
            (one, Interval(_title(one), 100 * test.effect, 100 * test.low, 100 * test.high))
        )
    if not rows:
        return None
    sure = [row for _, row in rows if row.low > 0]
    low, high = _ends([row.value for row in sure or [row for _, row in rows]])
    return Answer(
        name="imitation",
        number=f"{low:.0f} to {high:.0f} % fewer disagreements",
        claim="Students imitate their teacher.",
        sentence=(
            f"In {_of(len(sure), len(rows))} studies a distilled student disagrees with its "
            "teacher on fewer test examples than the same network trained alone, beyond chance "
            "(mean over temperatures T = 1 to 10)."
        ),
        rows=[row for _, row in rows],
        unit="fewer disagreements (%)",
        rests=_rests([one for one, _ in rows], "paired t-test over seeds, 95 % intervals")
        + " The scorecard asks it, as the paper does, of studies with ten classes or more.",
        link="claims.html",
        link_text="The scorecard",
    )


def squared(found: list[Results]) -> Answer | None:
    """What leaving out the factor T squared does, at the dial's temperature."""
    rows, worse, used = [], 0, []
    surest, example = -np.inf, ""
    for one in _with_factor(found):
        if (one.alpha, "none") not in settings(one.results):
            continue
        other = sweep(one.results, alpha=one.alpha, soft_scale="none")
        if AT not in one.temperatures or AT not in other.temperatures or len(other.seeds) < 2:
            continue
        for attribute in one.results.attributes:
            boot = bootstrap(one.results, attribute, [one.at(AT), other.at(AT)])
            gap = boot.difference(1, 0, "eod")
            by = attribute.replace("_", " ")
            ends = (100 * gap[k] for k in ("corrected", "low", "high"))
            rows.append(Interval(f"{_title(one)}, {by}", *ends))
            if gap["low"] > surest:
                with_, without = (100 * boot.by_run(k, "eod").mean() for k in (0, 1))
                example = f"{_title(one)} by {by}, {with_:.1f} % with it, {without:.1f} % without"
                surest = gap["low"]
        accuracy = one.results.runs["accuracy"].to_numpy()
        worse += paired_test(accuracy[other.at(AT)] - accuracy[other.nds]).high < 0
        used.append(one)
    if not rows:
        return None
    sure = [row for row in rows if row.low > 0]
    low, high = _ends([row.value for row in sure or rows])
    return Answer(
        name="factor",
        number=f"{low:+.0f} to {high:+.0f} points of EOD without it",
        claim="The factor T² matters.",
        sentence=(
            "The teacher's part of the loss is usually multiplied by T², the temperature squared. "
            f"Without it, at T = {AT:g}, the gap in error rates between groups (EOD, equalized "
            f"odds difference) grows beyond chance for {_of(len(sure), len(rows))} attributes "
            f"(surest: {example}), and students end less accurate than without a teacher in "
            f"{_of(worse, len(used))} studies. The paper does not say whether it used the factor."
        ),
        rows=rows,
        unit="EOD without T² less EOD with it (points)",
        rests=_rests(used, "bootstrap over examples and seeds, corrected for noise"),
        link="faces.html#with-the-factor-t2-and-without",
        link_text="Faces",
    )


def gain(found: list[Results]) -> Answer | None:
    """What distillation does to accuracy at the dial's temperature."""
    rows, used = [], []
    for one in _with_factor(found):
        if AT not in one.temperatures:
            continue
        gap = _at(effects_of_accuracy(one), "accuracy", "difference", AT)
        rows.append(Interval(_title(one), *(100 * gap[k] for k in ("value", "low", "high"))))
        used.append(one)
    if not rows:
        return None
    up = [row for row in rows if row.low > 0]
    down = [row for row in rows if row.high < 0]
    rest = [row.label for row in rows if row.low <= 0 <= row.high]
    low, high = _ends([row.value for row in up]) if up else (0.0, 0.0)
    inside = sum(regime(one.results).same for one in used)
    after = f"; in {listed(rest)} chance alone explains the difference" if rest else ""
    after += f"; in {listed(row.label for row in down)} it loses accuracy" if down else ""
    return Answer(
        name="gain",
        number=f"{low:+.1f} to {high:+.1f} points of accuracy",
        claim="Most students gain accuracy.",
        sentence=(
            f"At T = {AT:g} a distilled student is more accurate than the same network trained "
            f"alone in {_of(len(up), len(rows))} studies{after}. "
            f"{_in_regime(inside, len(used)).capitalize()} in the paper's regime (accuracy and "
            "gain near the paper's), so the sizes are "
            f"{'not' if not inside else 'only there'} the paper's."
        ),
        rows=rows,
        unit="gain in accuracy (points)",
        rests=_rests(used, "intervals over examples and seeds"),
        link="across.html",
        link_text="All studies side by side",
    )


def effects_of_accuracy(mine: Sweep) -> pd.DataFrame:
    """The accuracies of :func:`kdfair_book.evidence.effects.effects` alone, which are quick."""
    from kdfair_book.evidence.effects import COLUMNS, _shares

    return pd.DataFrame(_shares(mine, 0), columns=COLUMNS)


def not_known(card: pd.DataFrame) -> Text:
    """What the studies do not decide, counted on a scorecard.

    Parameters
    ----------
    card : DataFrame
        From :func:`kdfair_book.claims.scorecard`; after
        :func:`kdfair_book.pages.deciding.complete` also what would decide it is counted.
    """
    measured = card[(card["verdict"] != "not measured") & (card["profile"] != "smoke")]
    fair = measured[measured["claim"].str.match(r"(dpd|eod)-")]
    open_ = int((fair["verdict"] == "undecided").sum())
    same = {
        (study, profile): regime(results.load(study, profile)).same
        for study, profile in measured[["study", "profile"]].drop_duplicates().to_numpy()
        if study != "all"
    }
    inside = sum(same.values())
    said = [
        f"**What is not known.** Whether distillation makes models fairer: {open_} of {len(fair)} "
        f"verdicts on differences between groups are undecided{_deciding(fair)}.",
        "Which classes are affected: counts say how many, not which.",
        "Whether the paper's sentences hold where the paper looked: "
        f"{_in_regime(inside, len(same))} in its regime of accuracy and gain.",
        "[What would decide each of them](claims.ipynb) is on the scorecard.",
    ]
    return Text(" ".join(said))


def _deciding(fair: pd.DataFrame) -> str:
    """What the undecided verdicts lack; "" where that was not computed."""
    if "missing" not in fair:
        return ""
    lacks = [one.short for one in fair.loc[fair["verdict"] == "undecided", "missing"]]
    counts = {kind: lacks.count(kind) for kind in LACKS}
    counts["more seeds"] += len(lacks) - sum(counts.values())  # so many seeds, so many hours
    told = [f"{n} {LACKS[kind]}" for kind, n in counts.items() if n]
    return f": {listed(told)}" if told else ""


LACKS = {
    "more seeds": "need more seeds",
    "more examples": "a larger test set",
    "too small to matter": "seem too small to matter",
    "no number of seeds": "no number of seeds would decide",
}


# helpers


def _with_factor(found: list[Results]) -> list[Sweep]:
    """The usual sweep of each study, where it has two seeds; with the factor T squared."""
    sweeps = []
    for one in found:
        try:
            mine = sweep(one, soft_scale="T2")
        except NotThere:
            continue
        if len(mine.seeds) > 1:
            sweeps.append(mine)
    return sweeps


def _at(
    frame: pd.DataFrame, measure: str, role: str, t: float = np.nan, attribute: str = ""
) -> dict[str, Any]:
    """The one row of a frame of effects."""
    rows = frame[(frame["measure"] == measure) & (frame["role"] == role)]
    rows = rows[rows["attribute"] == attribute]
    rows = rows[rows["T"].isna()] if np.isnan(t) else rows[rows["T"] == t]
    found: list[Any] = rows.to_dict("records")
    return found[0]


def _title(mine: Sweep) -> str:
    return TITLES.get(mine.results.study, mine.results.study)


def _rests(used: list[Sweep], test: str) -> str:
    seeds = sorted({len(one.seeds) for one in used})
    many = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    sizes = listed(
        sorted({SIZES.get(p, f"profile {p}") for p in {u.results.profile for u in used}})
    )
    word = "study" if len(used) == 1 else "studies"
    return f"{len(used)} {word}, {sizes}; {many} seeds each (trainings); {test}."


def _ends(values: list[float]) -> tuple[float, float]:
    return min(values), max(values)


def _of(some: int, all_: int) -> str:
    """ "all five", "four of five"."""
    if some == all_:
        return "both" if all_ == 2 else f"all {in_words(all_)}"
    return f"{in_words(some)} of {in_words(all_)}"


def _in_regime(inside: int, all_: int) -> str:
    if inside == 0:
        return f"none of the {in_words(all_)} studies measured here is"
    return f"{_of(inside, all_)} studies measured here {'is' if inside == 1 else 'are'}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _signed(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "\u2212")
