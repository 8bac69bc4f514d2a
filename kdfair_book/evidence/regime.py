"""How far a measured study is from the paper's regime.

A profile that shrinks images or schedules changes more than the time that training takes: students
may learn less than the paper's, and gain more from a teacher. What such a study says of classes and
groups is then said of other students. So every study is set beside the paper's numbers before
anyone reads a verdict from it, by a rule that was written down before it was applied.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kdfair_book import paper
from kdfair_book.evidence.sweep import NotThere, sweep
from kdfair_core.results import Results

ACCURACY_OFF = 5.0
"""Points by which the accuracy of the NDS may differ from the paper's.

Two to four times what the paper gains by distillation where it prints both (0.6 to 3 points): a
student that differs by more than that is another student, whatever its teacher does for it.
"""

GAIN_FACTOR = 2.0
"""Factor by which the gain of the best DS over the NDS may differ from the paper's.

#SC counts classes whose relative accuracy moved between NDS and DS: a DS that learned twice as much
as the paper's has moved twice as far before any class is favored.
"""


@dataclass(frozen=True)
class Regime:
    """Accuracies of a study beside the paper's, in percent; NaN where the paper has none.

    Attributes
    ----------
    study, profile : str
    attribute : str
        The paper's sensitive attribute whose accuracies these are, where it prints one for each;
        the one nearest to ours.
    teacher, nds, best : float
        Means over seeds; ``best`` of the distilled students is that of the best temperature.
    best_at : float
        That temperature.
    paper_teacher, paper_nds, paper_best, paper_best_at : float
    """

    study: str
    profile: str
    attribute: str
    teacher: float
    nds: float
    best: float
    best_at: float
    paper_teacher: float
    paper_nds: float
    paper_best: float
    paper_best_at: float

    @property
    def gain(self) -> float:
        """Points that the best DS is above the NDS."""
        return self.best - self.nds

    @property
    def paper_gain(self) -> float:
        """The same of the paper's."""
        return self.paper_best - self.paper_nds

    @property
    def compared(self) -> bool:
        """Whether the paper has such a study."""
        return not np.isnan(self.paper_nds)

    @property
    def off(self) -> float:
        """Points by which the NDS is above the paper's."""
        return self.nds - self.paper_nds

    @property
    def ratio(self) -> float:
        """Our gain over the paper's; NaN where the paper's is not positive."""
        return self.gain / self.paper_gain if self.paper_gain > 0 else float("nan")

    @property
    def accuracy_differs(self) -> bool:
        """Whether the NDS is more than :data:`ACCURACY_OFF` points from the paper's."""
        return self.compared and abs(self.off) > ACCURACY_OFF

    @property
    def gain_differs(self) -> bool:
        """Whether the gain has another sign, or is off by more than :data:`GAIN_FACTOR`."""
        if not self.compared:
            return False
        if np.sign(self.gain) != np.sign(self.paper_gain):
            return True
        return not 1 / GAIN_FACTOR <= self.gain / self.paper_gain <= GAIN_FACTOR

    @property
    def same(self) -> bool:
        """Whether the study is in the paper's regime; never for a study the paper has not."""
        return self.compared and not self.accuracy_differs and not self.gain_differs

    @property
    def label(self) -> str:
        """In a word or two: "the paper's regime", "another regime", "not in the paper"."""
        if not self.compared:
            return "not in the paper"
        return "the paper's regime" if self.same else "another regime"

    @property
    def short(self) -> str:
        """What differs, for a badge or the head of a column; "" in the paper's regime."""
        if not self.compared:
            return "no counterpart in the paper"
        parts = []
        if self.accuracy_differs:
            parts.append(f"student alone {self.nds:.1f} % (paper {self.paper_nds:.1f} %)")
        if self.gain_differs:
            parts.append(f"gain {_points(self.gain)} points (paper {_points(self.paper_gain)})")
        return "another regime: " + ", ".join(parts) if parts else ""

    @property
    def follows(self) -> str:
        """What follows for a reader, in one or two sentences."""
        if not self.compared:
            return (
                "The paper has no such study: what is measured here can show the paper's pattern "
                "again or not, and confirms or contradicts none of its numbers."
            )
        if self.same:
            return "Its verdicts are verdicts on the paper's claim."
        parts = []
        if self.gain_differs and self.gain * self.paper_gain < 0:
            words = ("less", "more") if self.gain < 0 else ("more", "less")
            parts.append(
                f"Here even the best distilled student is {words[0]} accurate than the student "
                f"alone; the paper's is {words[1]} accurate."
            )
        elif self.gain_differs and abs(self.ratio) > GAIN_FACTOR:
            parts.append(
                f"Here a distilled student gains {self.ratio:.2g} times what the paper's gains: "
                "#SC and every comparison with the student alone also count who has learned more."
            )
        elif self.gain_differs:
            parts.append(
                f"Here a distilled student gains {100 * self.ratio:.0f} % of what the paper's "
                "gains: there is less for a comparison with the student alone to find."
            )
        if self.accuracy_differs:
            word = "less" if self.off < 0 else "more"
            parts.append(
                f"The student alone is right {abs(self.off):.1f} points {word} often than the "
                "paper's."
            )
        return " ".join(parts) + " So verdicts from it are not verdicts on the paper."


def regime(found: Results) -> Regime:
    """Accuracies of a study's usual setting, beside those that the paper prints.

    Compared are means over seeds, at alpha 0.8 with the factor T squared where measured; the best
    DS is the best over all temperatures, on both sides. Point values: this is a rule for a
    warning, not a test.

    Raises
    ------
    NotThere
        A ValueError, if the study has no whole seed.
    """
    mine = sweep(found)
    mine.need_seeds(1)
    accuracy = 100 * found.runs["accuracy"].to_numpy()
    ds = accuracy[mine.ds].mean(axis=0)
    teacher, nds = (float(accuracy[runs].mean()) for runs in (mine.teacher, mine.nds))
    ours = (teacher, nds, float(ds.max()), mine.temperatures[int(ds.argmax())])
    attribute, theirs = _printed(found.study, mine.alpha, nds)
    return Regime(found.study, found.profile, attribute, *ours, *theirs)


def _printed(study: str, alpha: float, nds: float) -> tuple[str, tuple[float, float, float, float]]:
    """The paper's accuracies; where it prints several, those whose NDS is nearest to ours."""
    nothing = ("", (float("nan"),) * 4)
    if study not in paper.studies():
        return nothing
    rows = paper.results(study, "accuracy")
    choices = []
    for attribute, part in rows.groupby("attribute"):
        level = part.set_index("role")["mean"]
        ds = part[(part["role"] == "ds") & (part["alpha"] == alpha)].set_index("temperature")
        if ds.empty or "nds" not in level or "teacher" not in level:
            continue
        best = float(ds.index.to_numpy()[ds["mean"].to_numpy().argmax()])
        numbers = (float(level["teacher"]), float(level["nds"]), float(ds["mean"].max()), best)
        choices.append((str(attribute), numbers))
    if not choices:
        return nothing
    return min(choices, key=lambda choice: abs(choice[1][1] - nds))


def regimes(results: list[Results]) -> dict[tuple[str, str], Regime]:
    """The regime of each study and profile; those without a whole seed are left out."""
    found = {}
    for one in results:
        try:
            found[one.study, one.profile] = regime(one)
        except NotThere:
            continue
    return found


def _points(value: float) -> str:
    return f"{value:+.1f}".replace("-", "\u2212")
