"""A gap between groups, told in people: of a hundred, how many are called wrongly.

Counted from stored predictions: real counts, of nobody in particular.
"""

from __future__ import annotations

import numpy as np

from kdfair_book.charts.collapsed import in_words
from kdfair_book.evidence import NotThere, Sweep, settings, sweep
from kdfair_book.pages.text import Text, listed
from kdfair_book.pages.what_we_found import AT
from kdfair_core import results
from kdfair_core.results import Results

#: Study -> group or class -> what a sentence calls it.
WORDS = {
    "faces": {
        "female": "women",
        "male": "men",
        "under 30": "under thirty",
        "30 or over": "thirty or older",
    }
}


def worked_case(found: Results | str | None, attribute: str, *, at: float = AT) -> Text:
    """Who is called wrongly, of a hundred in each of two groups, by each kind of model.

    Told of the label for which the two groups are furthest apart under the student alone: the
    larger gap, which is EOD.

    Parameters
    ----------
    found : Results, str or None
        Of a study with two classes, or its name; the attribute has two groups. Where the study
        was not measured, or has no whole seed, nothing is told.
    attribute : str
    at : float
        Temperature of the distilled student; the nearest measured.

    Raises
    ------
    ValueError
        With more classes or groups than two.
    """
    try:
        found = results.load(found) if isinstance(found, str) else found
        mine = sweep(found) if found is not None else None
    except (results.NotMeasured, NotThere):
        return Text("")
    if found is None or mine is None:
        return Text("")
    names = found.group_names[attribute]
    if len(names) != 2 or len(found.classes) != 2:
        raise ValueError(
            f"{found.study} has {len(found.classes)} classes and {len(names)} groups by "
            f"{attribute}; a worked case is told of two and two"
        )
    at = min(mine.temperatures, key=lambda t: abs(np.log(t / at)))
    models = [("the teacher", mine.teacher), ("the student alone", mine.nds)]
    models.append((f"the distilled student (T = {at:g})", mine.at(at)))
    if mine.soft_scale == "T2" and (mine.alpha, "none") in settings(found):
        other = sweep(found, alpha=mine.alpha, soft_scale="none")
        models.append(("the one distilled without the factor T²", other.at(at)))
    wrong = {
        (label, group): [_wrong(mine, runs, attribute, group, label) for _, runs in models]
        for label in (0, 1)
        for group in (0, 1)
    }
    label = max((0, 1), key=lambda y: abs(wrong[y, 0][1] - wrong[y, 1][1]))
    worse = int(wrong[label, 1][1] > wrong[label, 0][1])
    words = WORDS.get(found.study, {})
    is_, called = (words.get(found.classes[k], found.classes[k]) for k in (label, 1 - label))
    groups = [words.get(name, name) for name in (names[worse], names[1 - worse])]
    sizes = [int(_members(mine, attribute, g, label).sum()) for g in (worse, 1 - worse)]
    first, *others = [
        f"{name}{'' if k else ' wrongly calls'} {n:.0f}{'' if k else ' ' + called}"
        for k, ((name, _), n) in enumerate(zip(models, wrong[label, worse], strict=True))
    ]
    beside = listed(f"{n:.0f}" for n in wrong[label, 1 - worse])
    return Text(
        f"**What a gap is, in people.** Of 100 {groups[0]} who are {is_}, "
        f"{listed([first, *others])}. Of 100 {groups[1]} who are {is_}, the same models wrongly "
        f"call {beside} {called}. The difference between the two groups is the gap that EOD "
        f"(equalized odds difference) measures. Counted on {sizes[0]:,} {groups[0]} and "
        f"{sizes[1]:,} {groups[1]} of the test set, mean of {in_words(len(mine.seeds))} seeds "
        "(trainings)."
    )


def _members(mine: Sweep, attribute: str, group: int, label: int) -> np.ndarray:
    of = mine.results
    return np.asarray((of.groups[attribute] == group) & (of.y_true == label))


def _wrong(mine: Sweep, runs: np.ndarray, attribute: str, group: int, label: int) -> float:
    """Of 100 in the group with this label, how many a model calls by the other."""
    members = _members(mine, attribute, group, label)
    return float(100 * (mine.results.pred[runs][:, members] != label).mean())
