"""The findings that open the book: those that stand, and what is not known.

Every number is computed from published results.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd

from kdfair_book.charts.collapsed import in_words
from kdfair_book.charts.tiny import Interval, intervals_svg
from kdfair_book.evidence import NotThere, Sweep, disagreement_reduction, settings, sweep
from kdfair_book.evidence.across_studies import TITLES
from kdfair_book.evidence.available import available
from kdfair_book.evidence.class_bias import paired_test
from kdfair_book.evidence.equal_accuracy import AtEqualAccuracy, at_equal_accuracy
from kdfair_book.evidence.group import all_models, position
from kdfair_book.evidence.regime import Regime, regime
from kdfair_book.pages.text import Text, listed
from kdfair_book.pages.what_we_found import AT, effect_at
from kdfair_core import results, studies
from kdfair_core.results import Results

SIZES = {"laptop": "smaller than the paper's", "paper": "by the paper's protocol"}


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
    there = available()
    there = there[(there["problem"] == "") & (there["profile"] != "smoke")]
    there = there.drop_duplicates("study")
    known = [name for name in studies.names() if name in set(there["study"])]
    return [results.load(name) for name in known]


def imitation(found: list[Results]) -> Answer | None:
    """Students imitate their teacher."""
    rows = []
    for one in with_factor(found):
        try:
            test = disagreement_reduction(one)
        except NotThere:
            continue
        rows.append(
            (one, Interval(title_of(one), 100 * test.effect, 100 * test.low, 100 * test.high))
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
            f"In {how_many(len(sure), len(rows))} studies a distilled student disagrees with its "
            "teacher on fewer test examples than the same network trained alone, beyond chance "
            "(with the factor T², mean over T = 1 to 10)."
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
    equal = []
    for one in with_factor(found):
        if (one.alpha, "none") not in settings(one.results):
            continue
        other = sweep(one.results, alpha=one.alpha, soft_scale="none")
        if AT not in one.temperatures or AT not in other.temperatures or len(other.seeds) < 2:
            continue
        for attribute in one.results.attributes:
            boot, models = all_models(one.results, attribute)
            with_, without = (position(models, kind, "ds", AT) for kind in (one, other))
            gap = boot.difference(without, with_, "eod")
            by = attribute.replace("_", " ")
            ends = (100 * gap[k] for k in ("corrected", "low", "high"))
            rows.append(Interval(f"{title_of(one)}, {by}", *ends))
            if gap["low"] > surest:
                had, has = (100 * boot.interval(k, "eod")["corrected"] for k in (with_, without))
                example = f"on {title_of(one)} by {by} from {had:.1f} to {has:.1f} %"
                surest = gap["low"]
            equal.append((by, at_equal_accuracy(one, other, attribute)))
        accuracy = one.results.runs["accuracy"].to_numpy()
        worse += paired_test(accuracy[other.at(AT)] - accuracy[other.nds]).high < 0
        used.append(one)
    if not rows:
        return None
    sure = [row for row in rows if row.low > 0]
    low, high = _ends([row.value for row in sure or rows])
    return Answer(
        name="factor",
        number=(
            f"{low:.0f} to {high:.0f} points wider gaps, "
            f"{how_many(len(sure), len(rows))} attributes"
        ),
        claim="The factor T² matters.",
        sentence=(
            "The teacher's part of the loss is usually multiplied by T², the temperature squared. "
            f"Without it, at T = {AT:g}, the gap in error rates between groups (EOD, equalized "
            f"odds difference) grows: {example}. Students also end less accurate than without a "
            f"teacher in {how_many(worse, len(used))} studies{_at_equal_accuracy(equal)}."
        ),
        rows=rows,
        unit="EOD without T² less EOD with it (points)",
        rests=_rests(used, "bootstrap over examples and seeds, corrected for noise"),
        link="faces.html#with-the-factor-t2-and-without",
        link_text="Faces",
    )


def _at_equal_accuracy(equal: list[tuple[str, AtEqualAccuracy]]) -> str:
    """How much wider gaps are at equal accuracy, where that can be compared."""
    known = [(name, one) for name, one in equal if one.comparable]
    if not known:
        return ", which alone may explain it"
    told = (f"{100 * one.total:.0f} to {100 * one.step:.0f} ({name})" for name, one in known)
    rest = "" if len(known) == len(equal) else ", where comparable"
    return f"; at equal accuracy{rest}, the growth over T > 1 goes from {listed(told)} points"


def gain(found: list[Results]) -> Answer | None:
    """What distillation does to accuracy at the dial's temperature."""
    rows, used = [], []
    for one in with_factor(found):
        if AT not in one.temperatures:
            continue
        gap = effect_at(effects_of_accuracy(one), "accuracy", "difference", AT)
        rows.append(Interval(title_of(one), *(100 * gap[k] for k in ("value", "low", "high"))))
        used.append(one)
    if not rows:
        return None
    up = [row for row in rows if row.low > 0]
    down = [row for row in rows if row.high < 0]
    rest = [row.label for row in rows if row.low <= 0 <= row.high]
    low, high = _ends([row.value for row in up]) if up else (0.0, 0.0)
    near = [(one, regime(one.results)) for one in used]
    after = f"; in {listed(rest)} chance alone explains the difference" if rest else ""
    after += f"; in {listed(row.label for row in down)} it loses accuracy" if down else ""
    return Answer(
        name="gain",
        number=(
            f"{low:+.1f} to {high:+.1f} points of accuracy, in "
            f"{how_many(len(up), len(rows))} studies"
        ),
        claim="Most students gain accuracy.",
        sentence=(
            f"At T = {AT:g} a distilled student is more accurate than the same network trained "
            f"alone{after}. {_sizes(near)}"
        ),
        rows=rows,
        unit="gain in accuracy (points)",
        rests=_rests(used, "intervals over examples and seeds"),
        link="across.html",
        link_text="All studies side by side",
    )


def _sizes(near: list[tuple[Sweep, Regime]]) -> str:
    """How many studies are in the paper's regime, and what that means, in numbers."""
    inside = sum(one.same for _, one in near)
    said = _in_regime(inside, len(near)).capitalize()
    apart = [(abs(one.off), title_of(mine), one) for mine, one in near if one.accuracy_differs]
    example = ""
    if apart:
        _, title, one = max(apart, key=lambda row: row[0])
        example = (
            f": on {title} the student alone is right {one.nds:.1f} % of the time, the paper's "
            f"{one.paper_nds:.1f} %"
        )
    sizes = "not" if not inside else "only there"
    near_it = f"{said} near the paper's accuracies and gains{example}."
    return f"{near_it} So the sizes are {sizes} the paper's."


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
    alone = fair.loc[fair["claim"].str.endswith("-below-nds"), "verdict"].value_counts()
    yes, no, unsure = (int(alone.get(word, 0)) for word in ("holds", "fails", "undecided"))
    same = {
        (study, profile): regime(results.load(study, profile)).same
        for study, profile in measured[["study", "profile"]].drop_duplicates().to_numpy()
        if study != "all"
    }
    inside = sum(same.values())
    said = [
        f"**What is not known.** Whether a distilled student is fairer than one trained alone: of "
        f"{yes + no + unsure} comparisons {yes} say yes, {no} no, {unsure} neither; of all "
        f"{len(fair)} tests of group gaps {open_} are undecided{_deciding(fair)}.",
        "Which classes are affected: counts name none.",
        "Whether the paper holds at its accuracies and gains (its regime): "
        f"{_in_regime(inside, len(same))} there.",
        "[The scorecard](claims.ipynb) says what would decide each.",
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
    "more seeds": "need more seeds (trainings)",
    "more examples": "a larger test set",
    "no number of seeds": "no number of seeds would decide",
}


def with_factor(found: list[Results]) -> list[Sweep]:
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


def title_of(mine: Sweep) -> str:
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


def how_many(some: int, all_: int) -> str:
    """ "all five", "four of five"."""
    if some == all_:
        return "both" if all_ == 2 else f"all {in_words(all_)}"
    return f"{in_words(some)} of {in_words(all_)}"


def _in_regime(inside: int, all_: int) -> str:
    if inside == 0:
        return f"none of the {in_words(all_)} studies measured here is"
    return f"{how_many(inside, all_)} studies measured here {'is' if inside == 1 else 'are'}"
