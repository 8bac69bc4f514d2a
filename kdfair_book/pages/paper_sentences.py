"""Sentences about what the paper reports, and about what was not measured here.

The counterpart of :mod:`kdfair_book.pages.study_sentences` for numbers that are the paper's: they
come from ``data/paper`` and are said as reported.
"""

from __future__ import annotations

import re
import tempfile
from urllib.parse import urlsplit

import pandas as pd

from kdfair_book import paper
from kdfair_book.charts.paper import one_accuracy
from kdfair_book.evidence.chance import chance_count
from kdfair_book.pages.text import SCALES, Text, at, listed, network
from kdfair_core import datasets, studies
from kdfair_core.studies import Profile, Study

ARCHIVES = (".zip", ".gz", ".mat")


def counts(study: str, *, alpha: float = 0.8) -> Text:
    """What the paper reports of accuracy, #SC and #TC, against what chance alone would give."""
    rows = paper.results(study)
    rows = rows[rows["alpha"].isna() | (rows["alpha"] == alpha)]
    n = studies.get(study).n_classes
    chance = chance_count(n)
    accuracy = _level_and_curve(rows, "accuracy")
    best = accuracy["ds"].idxmax()
    lines = [
        f"- **Accuracy.** Student alone {accuracy['nds']:.2f} %, teacher "
        f"{accuracy['teacher']:.2f} %; the distilled student "
        f"is best at T = {best:g}, {accuracy['ds'][best]:.2f} %."
    ]
    for metric, sides in (
        ("sc", "student alone and distilled student"),
        ("tc", "teacher and distilled student"),
    ):
        ds = _level_and_curve(rows, metric)["ds"]
        top = ds.idxmax()
        above = ds[ds > chance.high].index
        where = (
            "more than chance would give at every temperature"
            if len(above) == len(ds)
            else f"more than chance would give at {at(above)}"
            if len(above)
            else "nowhere more than chance would give"
        )
        lines.append(
            f"- **{paper.METRICS[metric]}** ({sides}): from {ds.iloc[0]:g} at T = "
            f"{ds.index[0]:g} to {_there(ds, 10)}; most at T = {top:g}, {ds[top]:g} of {n} classes "
            f"({100 * ds[top] / n:.3g} %): {where}."
        )
    lines.append(
        f"- **Chance.** If no class differed at all, a test at level 0.05 would still name about "
        f"{chance.mean:g} of {n} classes, and up to {chance.high:g} in 95 % of such studies."
    )
    return Text("**What the paper reports:**\n\n" + "\n".join(lines))


def fairness(study: str, attribute: str) -> Text:
    """What the paper reports of accuracy, EOD and DPD by an attribute."""
    rows = one_accuracy(paper.results(study, attribute=attribute), attribute)
    lines = []
    for metric, name in (("accuracy", "Accuracy"), ("eod", "EOD"), ("dpd", "DPD")):
        found = _level_and_curve(rows, metric)
        ds = found["ds"]
        best = ds.idxmax() if metric == "accuracy" else ds.idxmin()
        below = ds[ds < found["teacher"]].index
        said = (
            f"- **{name}.** Student alone {found['nds']:.2f} %, teacher {found['teacher']:.2f} %; "
            f"the distilled student "
            f"goes from {ds.iloc[0]:.2f} % at T = {ds.index[0]:g} to "
            f"{_there(ds, 10, '.2f', ' %')}, "
            f"{'highest' if metric == 'accuracy' else 'lowest'} at T = {best:g} ({ds[best]:.2f} %)"
        )
        if metric != "accuracy":
            said += f"; below the teacher at {at(below)}"
        lines.append(said + ".")
    return Text(f"**What the paper reports, by {attribute}:**\n\n" + "\n".join(lines))


def individual(study: str) -> Text:
    """What a talk on the paper reports of individual fairness."""
    found = _level_and_curve(paper.results(study, "individual_unfairness"), "individual_unfairness")
    ds = found["ds"]
    return Text(
        f"**As reported:** teacher {found['teacher']:g}, student alone {found['nds']:g}; "
        f"distilled student {ds.iloc[0]:g} "
        f"at T = {ds.index[0]:g}, {_there(ds, 10)}."
    )


def unmeasured(study: Study, profile: str | None = None, *, reported: bool = True) -> Text:
    """What would measure the study here, what it needs, and where it would depart from the paper.

    Parameters
    ----------
    study
        The study.
    profile
        The profile that was asked for; by default the smallest that learns something.
    reported
        Whether the paper has numbers that are shown in the meantime.
    """
    name = profile or ("laptop" if "laptop" in study.profiles else "paper")
    chosen = study.profile(name)
    runs = len(studies.expected_identities(study, name))
    asked = f" under the profile *{profile}*" if profile else ""
    shown = (
        "What this page shows instead is **reported by the paper**, and marked so."
        if reported
        else "The paper has no such study, so there are no numbers to show in the meantime."
    )
    departures = "".join(f"\n- {sentence}" for sentence in chosen.departures)
    return Text(
        f"**{study.title} was not measured here yet{asked}.** {shown} One command measures it: "
        f"{_plan(chosen, runs)}.\n\n"
        f"```bash\npython -m kdfair_core run {study.name} --profile {name} --publish\n```\n\n"
        + (f"{data}\n\n" if (data := needed(study)) else "")
        + f"Where the profile *{name}* departs from the paper, or reads it:\n{departures}"
    )


def _plan(profile: Profile, runs: int) -> str:
    temperatures = listed(f"{t:g}" for t in profile.temperatures)
    alphas = listed(f"{a:g}" for a in profile.alphas)
    return (
        f"{runs} runs, {len(profile.seeds)} seeds of a teacher ({network(profile.teacher)}), its "
        f"student without it and with it ({network(profile.student)}) at T = {temperatures}, "
        f"alpha = {alphas}, {listed(SCALES[s] for s in profile.soft_scales)}, and "
        f"{len(profile.null_seeds)} more students as a null control"
    )


def needed(study: Study) -> str:
    """What to download before a study can be trained; empty if its data are drawn."""
    options = study.profile("smoke").dataset  # the least to draw, where a set is drawn
    with tempfile.TemporaryDirectory() as empty:
        try:
            datasets.load(study.dataset, root=empty, **options)
        except datasets.DatasetMissing as error:
            said = str(error).replace(empty, "datasets").replace("$KDFAIR_DATA", "`$KDFAIR_DATA`")
            return re.sub(r"https?://\S+", _link, said[said.index("Download") :])
        except ValueError:
            pass
    return ""


def _link(found: re.Match[str]) -> str:
    """An address as a link in a few words: the file to download, else the site."""
    parts = urlsplit(found[0])
    last = parts.path.rpartition("/")[2]
    return f"[{last if last.endswith(ARCHIVES) else parts.netloc}]({found[0]})"


def _level_and_curve(rows: pd.DataFrame, metric: str) -> dict:
    """Means of one metric: "teacher" and "nds" (None if not printed), "ds" by temperature."""
    rows = rows[rows["metric"] == metric]
    found: dict = {
        role: rows.loc[rows["role"] == role, "mean"].iloc[0]
        for role in ("teacher", "nds")
        if (rows["role"] == role).any()
    }
    found["ds"] = rows[rows["role"] == "ds"].set_index("temperature")["mean"].sort_index()
    return found


def _there(ds: pd.Series, ten: float, form: str = "g", unit: str = "") -> str:
    """The value at T = 10 and, where there is one, at the last temperature."""
    said = f"{ds[ten]:{form}}{unit} at T = {ten:g}"
    last = ds.index[-1]
    return said if last == ten else f"{said} and {ds[last]:{form}}{unit} at T = {last:g}"
