"""What to check and what to change: sentences whose numbers come from published results."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from kdfair_book.charts.collapsed import in_words
from kdfair_book.claims.seeds_to_decide import mean_seeds
from kdfair_book.evidence import Sweep, disagreement_reduction, settings, sweep
from kdfair_book.evidence.chance import affected_counts
from kdfair_book.evidence.class_bias import disagreements
from kdfair_book.evidence.collapse import collapsed
from kdfair_book.evidence.effects import share_interval
from kdfair_book.evidence.what_could_be_seen import (
    ACCURACY,
    BASE_RATES,
    OTHERS,
    SEEDS,
    SIZES,
    changed_answers,
    error_correlation,
    tabulate,
    visible,
)
from kdfair_book.pages.folded import Folded
from kdfair_book.pages.opening import squared, title_of, with_factor
from kdfair_book.pages.text import Text, table
from kdfair_book.pages.text import listed as in_a_list
from kdfair_book.pages.what_we_found import AT
from kdfair_core.results import Results


@dataclass(frozen=True)
class Advice:
    """One piece of advice.

    Attributes
    ----------
    about : str
        In a word or two.
    do : str
        What to do, a sentence.
    because : str
        The number that it rests on, with a link, in Markdown.
    sure : str
        How sure that is.
    """

    about: str
    do: str
    because: str
    sure: str

    def __str__(self) -> str:
        said = f"**{self.about}.** {self.do} {self.because} *How sure: {self.sure}.*"
        return re.sub(r"(?<![\w-])-(?=\d)", "\u2212", said)


def advise(found: list[Results], card: pd.DataFrame) -> list[Advice]:
    """The advice that published studies give.

    Parameters
    ----------
    found : list of Results
        Measured studies, as from :func:`kdfair_book.pages.opening.published`.
    card : DataFrame
        From :func:`kdfair_book.claims.scorecard`.
    """
    sweeps = with_factor(found)
    made = [
        _compare(card),
        _factor(found),
        _temperature(sweeps),
        _alpha(found),
        _seeds(sweeps),
        _collapse(sweeps),
        _examples(sweeps),
        _not_fairer(card),
        _not_which(sweeps),
    ]
    return [one for one in made if one is not None]


def listed(advice: list[Advice]) -> Text:
    """The advice as a numbered list."""
    return Text("\n".join(f"{k}. {one}" for k, one in enumerate(advice, start=1)))


def _compare(card: pd.DataFrame) -> Advice:
    counts = {}
    for than in ("nds", "teacher"):
        rows = card[card["claim"].str.match(rf"(dpd|eod)-below-{than}")]
        rows = rows[rows["verdict"].isin(["holds", "fails", "undecided"])]
        counts[than] = (int((rows["verdict"] == "holds").sum()), len(rows))
    (alone, n), (teacher, m) = counts["nds"], counts["teacher"]
    return Advice(
        "What to compare with",
        "Train the small network without the teacher as well, and compare with both.",
        "The distilled student's DPD or EOD is shown to be lower than the student alone's in "
        f"{alone} of {n} comparisons, and lower than the teacher's in {teacher} of {m} (two "
        f"measures by {in_words(n // 2)} attributes; [scorecard](claims.ipynb)).",
        "each count is of tests that are corrected for their number",
    )


def _factor(found: list[Results]) -> Advice | None:
    answer = squared(found)
    if answer is None:
        return None
    return Advice(
        "The factor T²",
        "Multiply the teacher's part of the loss (the soft term) by T², the temperature squared, "
        "and write down that you did.",
        f"Left out, at T = {AT:g}: {answer.number} (EOD; shown on [Faces]({_page(answer.link)})). "
        "Students lose accuracy too, which may explain a part.",
        answer.rests.rstrip("."),
    )


def _temperature(sweeps: list[Sweep]) -> Advice:
    """How much of the disagreement distillation removes, at low and at high temperatures."""
    left: dict[float, dict[str, float]] = {}
    mean = [100 * disagreement_reduction(one).effect for one in sweeps]
    for one in sweeps:
        frame = disagreements(one)
        nds = frame.loc[frame["role"] == "nds", "disagreement"].mean()
        ds = frame[frame["role"] == "ds"].groupby("temperature")["disagreement"].mean()
        for t in (1.0, 4.0, 10.0, 40.0):
            if t in ds.index:
                left.setdefault(t, {})[title_of(one)] = 100 * (1 - ds[t] / nds)
    told = ", ".join(
        f"{np.median(list(by_study.values())):.0f} % at T = {t:g}" for t, by_study in left.items()
    )
    more = [
        f"on {study} at T = {t:g}, {-share:.0f} % more"
        for t, by_study in left.items()
        for study, share in by_study.items()
        if share < 0
    ]
    adds = f"; some disagree more often ({in_a_list(more)})" if more else ""
    return Advice(
        "Temperature",
        "Start between T = 4 and T = 10; do not stay at T = 1, and look twice above T = 20.",
        "Disagreements with the teacher that distillation removes: from "
        f"{min(mean):.0f} to {max(mean):.0f} % by study, averaged over T = 1 to 10 (the numbers of "
        f"[the first page](welcome.ipynb)). By temperature, the median of studies is {told}{adds}.",
        f"{in_words(len(sweeps))} studies, none tuned for the best T; which T is best differs and "
        "is not decided here",
    )


def _alpha(found: list[Results]) -> Advice | None:
    """Two weights of the soft term, where a study has both."""
    for one in found:
        alphas = sorted({a for a, scale in settings(one) if scale == "T2"})
        if len(alphas) < 2:
            continue
        low, high = (sweep(one, alpha=a, soft_scale="T2") for a in (alphas[0], alphas[-1]))
        if AT not in low.temperatures or AT not in high.temperatures or low.seeds != high.seeds:
            continue
        right = one.pred == one.y_true
        gap = right[high.at(AT)].astype(int) - right[low.at(AT)].astype(int)
        ends = [100 * end for end in share_interval(gap)]
        known = "beyond chance" if ends[0] > 0 or ends[1] < 0 else "no more than chance explains"
        reduced = [100 * disagreement_reduction(s).effect for s in (high, low)]
        return Advice(
            "The weight alpha",
            "Start with 0.8, the paper's weight of the teacher's part of the loss, and report it.",
            f"On {title_of(high)}, accuracy at alpha {alphas[-1]:g} differs from that at "
            f"{alphas[0]:g} by {100 * gap.mean():+.1f} points ({ends[0]:+.1f} to {ends[1]:+.1f}), "
            f"{known}; disagreement with the teacher falls by {reduced[0]:.0f} % and "
            f"{reduced[1]:.0f} % ([CIFAR-100](cifar100.ipynb)).",
            f"one study, {in_words(len(high.seeds))} seeds",
        )
    return None


def _seeds(sweeps: list[Sweep]) -> Advice:
    needs = {}
    for one in sweeps:
        if AT in one.temperatures:
            accuracy = one.results.runs["accuracy"].to_numpy()
            gap = accuracy[one.at(AT)] - accuracy[one.nds]
            needs[title_of(one)] = mean_seeds(0.01, float(gap.std(ddof=1)), level=0.025).seeds
    few, many = min(needs.values()), max(needs.values())
    easy, hard = (next(t for t, n in needs.items() if n == end) for end in (few, many))
    return Advice(
        "Number of seeds",
        "Train at least five students of each kind (five seeds), each with a teacher of its own.",
        f"To see a gain of one point of accuracy four times in five takes {few:.0f} "
        f"seeds ({easy}) to {many:.0f} ({hard}), by the spread measured there "
        "([power](statistics.ipynb)).",
        f"spreads of {in_words(len(needs))} studies, each from three to five seeds, so the numbers "
        "are rough",
    )


def _collapse(sweeps: list[Sweep]) -> Advice | None:
    told, runs = [], 0
    for one in sweeps:
        accuracy = one.results.runs["accuracy"].to_numpy()
        runs += one.ds.size
        for k, t in enumerate(one.temperatures):
            low = int(collapsed(accuracy[one.ds[:, k]]).sum())
            if low:
                many = f"{in_words(low)} of {in_words(len(one.seeds))}"
                told.append(f"{many} on {title_of(one)} at T = {t:g}")
    if not told:
        return None
    return Advice(
        "Each seed by itself",
        "Look at every trained student, not only at means.",
        f"Of {runs} distilled students trained with the factor T², these collapsed (ended far "
        f"below the others): {in_a_list(told)}; a mean hides it ([Trifeature](trifeature.ipynb)).",
        "counted; how often it happens elsewhere is not known",
    )


def _examples(sweeps: list[Sweep]) -> Advice:
    shared, changed = error_correlation(sweeps), changed_answers(sweeps, AT)
    few, many = (visible(n, 0.25, 5, correlation=shared, changed=changed) for n in (100, 2000))
    return Advice(
        "Examples in the smallest group",
        "Count them before anything else; the calculator below says what they can show.",
        f"With 100 examples, a quarter of them positive, equal groups show an EOD of "
        f"{100 * few['eod_chance']:.1f} % by chance, and only a true EOD of "
        f"{100 * few['eod']:.0f} % would be seen four times in five; with 2,000 it is "
        f"{100 * many['eod_chance']:.1f} % and {100 * many['eod']:.0f} % "
        "([fairness, explained](/book/explain/fairness.md)).",
        "simulated with the book's own metrics, for two groups",
    )


def _not_fairer(card: pd.DataFrame) -> Advice:
    rows = card[card["claim"].isin(["dpd-falls", "eod-falls"])]
    rows = rows[rows["verdict"].isin(["holds", "fails", "undecided"])]
    counts = rows["verdict"].value_counts()
    words = {"holds": "hold", "fails": "fail", "undecided": "are undecided"}
    said = ", ".join(f"{counts.get(word, 0)} {plural}" for word, plural in words.items())
    return Advice(
        "What not to conclude: that it is fairer",
        "A lower DPD need not be a fairer model, and a lower EOD may be noise: give the interval, "
        "and the DPD of the labels themselves.",
        f"Whether they fall as T rises, asked by each of {in_words(len(rows) // 2)} attributes: "
        f"{said} ([scorecard](claims.ipynb)).",
        "tests corrected over studies",
    )


def _not_which(sweeps: list[Sweep]) -> Advice | None:
    for one in sweeps:
        counts = affected_counts(one.results)
        mine = counts[(counts["comparison"] == "SC") & (counts["temperature"] == AT)]
        mine = mine[(mine["alpha"] == one.alpha) & (mine["soft_scale"] == one.soft_scale)]
        if mine.empty or mine["n_classes"].iloc[0] < 50:
            continue
        row = mine.iloc[0]
        named = f"{row['significant_bh']:.0f}" if row["significant_bh"] else "none"
        return Advice(
            "What not to conclude: which classes suffer",
            "A count of affected classes says how many differ, not which: correct for the number "
            "of tests before you name one.",
            f"On {title_of(one)}, {row['significant']:.0f} of {row['n_classes']:.0f} classes "
            f"differ at T = {AT:g} where chance gives up to {row['chance_high']:.0f}; after "
            f"correction {named} can be named ([CIFAR-100](cifar100.ipynb)).",
            f"{in_words(len(one.seeds))} seeds; more would name more",
        )
    return None


def _page(link: str) -> str:
    """The notebook of a page, without its anchor: Markdown links are checked by Sphinx."""
    return link.partition("#")[0].replace(".html", ".ipynb")


# the calculator


@dataclass(frozen=True, eq=False)
class Calculator:
    """What a test set could show, for the reader's own numbers.

    Attributes
    ----------
    frame : DataFrame
        From :func:`kdfair_book.evidence.what_could_be_seen.tabulate`.
    correlation, changed : float
        What it was tabulated with.
    start : tuple
        Size, base rate and seeds that are shown first.
    """

    frame: pd.DataFrame
    correlation: float
    changed: float
    start: tuple[int, float, int] = (200, 0.25, 5)

    def said(self, n: int, base_rate: float, seeds: int) -> dict[str, str]:
        """The answers for one choice, as text."""
        frame = self.frame
        chosen = (frame["n"] == n) & (frame["base_rate"] == base_rate) & (frame["seeds"] == seeds)
        row = frame[chosen].iloc[0]
        return {name: _points(row[name]) for name, *_ in ANSWERS if name} | {
            "dpd_chance": _points(row["dpd_chance"]),
            "eod_chance": _points(row["eod_chance"]),
        }

    def _repr_html_(self) -> str:
        choices = {
            "n": ("examples in the smallest group", [f"{n:,}" for n in SIZES], SIZES),
            "base_rate": (
                "base rate (share of positive labels)",
                [f"{100 * rate:g} %" for rate in BASE_RATES],
                BASE_RATES,
            ),
            "seeds": ("seeds (students trained)", [str(k) for k in SEEDS], SEEDS),
        }
        fields = ""
        for (name, (label, texts, values)), begin in zip(choices.items(), self.start, strict=True):
            options = "".join(
                f'<option value="{k}"{" selected" if value == begin else ""}>{text}</option>'
                for k, (text, value) in enumerate(zip(texts, values, strict=True))
            )
            fields += (
                f'<label>{escape(label)} <select data-kd-choice="{name}">{options}</select></label>'
            )
        first = self.said(*self.start)
        head = "<td></td><th scope='col'>smallest that could be seen</th>"
        head += "<th scope='col'>by chance alone</th>"
        body = "".join(
            f'<tr><th scope="row">{escape(title)}</th>'
            f'<td data-kd-answer="{name}">{first[name]}</td>'
            + (
                f'<td data-kd-answer="{chance}">{first[chance]}</td></tr>'
                if chance
                else "<td>–</td></tr>"
            )
            for name, title, chance in ANSWERS
        )
        table = [[[self.said(n, rate, k) for k in SEEDS] for rate in BASE_RATES] for n in SIZES]
        state = json.dumps(table, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
        return (
            '<div class="kd-calculator" id="calculator" role="group" '
            'aria-label="What could be seen">'
            f'<div class="kd-choices">{fields}</div>'
            f'<div aria-live="polite"><table class="kd-table"><thead><tr>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>"
            f'<p class="kd-effects-note">{escape(self.assumes())}</p>'
            f'<script type="application/json" class="kd-answers-state">{state}</script></div>'
        )

    def assumes(self) -> str:
        """What the numbers assume."""
        return (
            "Smallest: seen four times in five at level 0.05. Accuracy: the difference between "
            "student alone and distilled student within that group, where they answer "
            f"{100 * self.changed:.0f} % of examples differently. DPD and EOD: the true difference "
            f"between two groups, the other {OTHERS} times as large, {100 * ACCURACY:.0f} % of "
            "either label recognized. Seeds share their test examples: their errors correlate "
            f"with {self.correlation:.2f} (both numbers are medians of the studies measured here)."
        )

    def __repr__(self) -> str:
        said = ", ".join(f"{name} {value}" for name, value in self.said(*self.start).items())
        n, rate, seeds = self.start
        return f"{n} examples, base rate {rate:g}, {seeds} seeds: {said}"


ANSWERS = (
    ("accuracy", "difference in accuracy", ""),
    ("dpd", "DPD", "dpd_chance"),
    ("eod", "EOD", "eod_chance"),
)


def calculator(found: list[Results]) -> Calculator:
    """The calculator, tabulated with what published students share."""
    sweeps = with_factor(found)
    correlation, changed = error_correlation(sweeps), changed_answers(sweeps, AT)
    return Calculator(tabulate(correlation, changed), correlation, changed)


def as_table(calculator: Calculator, *, seeds: int, decimals: int = 1) -> Folded:
    """The calculator's table at one number of seeds, for those who read without JavaScript."""
    frame = calculator.frame[calculator.frame["seeds"] == seeds]
    names = {"n": "examples in the smallest group", "base_rate": "base rate"}
    names |= {"accuracy": "accuracy (points)", "dpd": "DPD", "eod": "EOD"}
    names |= {"dpd_chance": "DPD by chance", "eod_chance": "EOD by chance"}
    shown = frame[list(names)].copy()
    for column in list(names)[1:]:
        shown[column] = [
            "nothing up to 60" if np.isnan(v) else f"{100 * v:.{decimals}f}" for v in shown[column]
        ]
    return Folded(f"Smallest differences that could be seen, {seeds} seeds, in percent",
                  [table(shown.rename(columns=names))])  # fmt: skip


def _points(value: Any) -> str:
    if np.isnan(value):
        return "nothing up to 60"
    return f"{100 * value:.1f} points"
