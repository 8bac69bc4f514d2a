"""What a study's page shows: our measurements with the paper's beside them, or the paper's alone.

A notebook opens its study once and then asks for one section a cell. Which figures and sentences
a section holds depends on what was measured; where there is nothing, a sentence says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from kdfair_book import charts, paper
from kdfair_book.charts import paper as reported_charts
from kdfair_book.charts import paper_comparison
from kdfair_book.charts.figure import Figure, Section
from kdfair_book.charts.intervals import start_near
from kdfair_book.charts.study import setting
from kdfair_book.evidence.chance import affected_counts
from kdfair_book.evidence.regime import Regime, regime
from kdfair_book.evidence.sweep import NotThere
from kdfair_book.pages import paper_sentences as reported
from kdfair_book.pages import study_sentences as story
from kdfair_book.pages import what_we_found as answers
from kdfair_book.pages.effects_table import effects_table, reported_table
from kdfair_book.pages.folded import Folded
from kdfair_book.pages.text import Text
from kdfair_core import results, studies
from kdfair_core.results import Results
from kdfair_core.studies import Study

RUNS = Path(__file__).parents[2] / "runs"


def measured(
    study: str,
    profile: str | None = None,
    *,
    train: bool = False,
    seeds: Iterable[int] | None = None,
    temperatures: Iterable[float] | None = None,
    alphas: Iterable[float] | None = None,
    device: str = "auto",
    time_limit: float | None = None,
    runs: str | os.PathLike[str] | None = None,
) -> Results:
    """Published results of a study or, with ``train``, results trained here and now.

    What is trained goes into the folder ``runs`` (finished runs are not trained again), and what
    is read from it is published into ``runs/published``; the project's own ``data/`` is not
    touched.

    Parameters
    ----------
    study, profile, seeds, temperatures, alphas, device, time_limit
        As in :func:`kdfair_core.training.run_study`; without ``train``, which of the published
        runs are meant.
    train
        Whether to train what is missing.
    runs
        Folder of the run store; by default the project's own, ``runs``, wherever a notebook runs.
    """
    part = dict(seeds=seeds, temperatures=temperatures, alphas=alphas)
    if not train:
        return results.load(study, profile).only(**part)
    from kdfair_core import training
    from kdfair_core.runs import RunStore
    from kdfair_core.training.memory import kept_memory

    folder = RUNS if runs is None else Path(runs)
    store = RunStore(folder)
    chosen = profile or "laptop"
    with kept_memory():
        training.run_study(study, chosen, store=store, device=device, time_limit=time_limit, **part)
    root = folder / "published"
    results.publish(study, chosen, store, root=root, replace=True)
    return results.load(study, chosen, root=root)


def open_study(
    study: str,
    profile: str | None = None,
    *,
    start: float = 4,
    alpha: float | None = None,
    soft_scale: str | None = None,
    **how: Any,
) -> Page:
    """Open a study's page.

    Parameters
    ----------
    study
        A name out of :func:`kdfair_core.studies.names`.
    profile
        "paper", "laptop" or "smoke"; by default the most faithful that was published.
    start
        Temperature at which the dial starts; the nearest is taken.
    alpha, soft_scale
        Which distilled students; by default 0.8 and "T2" where they were measured.
    **how
        As in :func:`measured`: whether to train, which seeds, and so on.

    Returns
    -------
    Page
        Without measurements if there are none.

    Raises
    ------
    ValueError
        If the study, the profile, alpha or soft_scale is unknown or was not measured.
    """
    about = studies.get(study)
    if profile is not None:
        about.profile(profile)
    found = None
    try:
        found = measured(study, profile, **how)
    except results.NotMeasured:
        if how.get("train"):
            raise
    if found is not None:
        alpha, soft_scale = setting(found, alpha, soft_scale)
        start = start_near(found.temperatures, start)
    return Page(about, profile, found, start, alpha or 0.8, soft_scale or "T2")


@dataclass(frozen=True, eq=False)
class Page:
    """One study, as its page shows it. Every method returns a :class:`Section`.

    Attributes
    ----------
    study : Study
    profile : str or None
        The profile that was asked for.
    found : Results or None
        What was measured.
    start, alpha, soft_scale
        As in :func:`open_study`.
    """

    study: Study
    profile: str | None
    found: Results | None
    start: float
    alpha: float
    soft_scale: str

    @property
    def name(self) -> str:
        """Name of the study."""
        return self.study.name

    @property
    def _show(self) -> dict[str, Any]:
        return dict(start=self.start, alpha=self.alpha, soft_scale=self.soft_scale)

    @property
    def _said(self) -> dict[str, Any]:
        return dict(alpha=self.alpha, soft_scale=self.soft_scale)

    @cached_property
    def _counted(self) -> bool:
        """Whether classes can be compared: with two runs on each side."""
        return self.found is not None and not affected_counts(self.found).empty

    def _printed(self, metric: str, attribute: str | None = None) -> bool:
        """Whether the paper prints such numbers of this study, and of this attribute."""
        try:
            rows = paper.results(self.name, metric, attribute)
        except ValueError:
            return False
        return attribute is None or bool((rows["attribute"] == attribute).any())

    @cached_property
    def regime(self) -> Regime | None:
        """How far the study is from the paper's; None where nothing, or no whole seed, was run."""
        try:
            return None if self.found is None else regime(self.found)
        except NotThere:
            return None

    def _section(self, parts: Iterable[Any]) -> Section:
        """A section whose measured figures say which regime they are of."""
        note = self.regime.short if self.regime is not None else ""

        def noted(part: Any) -> Any:
            if isinstance(part, Folded):
                return replace(part, texts=[noted(inner) for inner in part.texts])
            if isinstance(part, Figure) and part.badge != "reported":
                return replace(part, note=note)
            return part

        return Section(map(noted, parts))

    def answer(self, attribute: str | None = None) -> Section:
        """What was found, and the page's main figure: counts of classes, or fairness by attribute.

        Raises
        ------
        ValueError
            As :meth:`fairness`.
        """
        if attribute is None:
            first = self._counts_figure()
        else:
            self._known(attribute)
            first = self._fairness_figure(attribute)
        said: list[Any] = []
        if self.found is not None:
            said.append(answers.found_here(self.found, at=self.start, **self._said))
        elif self.name in paper.studies():
            said.append(answers.reported_here(self.name))
        return self._section([*said, *first] or [self._waits("what was found")])

    def details(self) -> Section:
        """How sure, what was measured and where it departs from the paper: folded."""
        if self.found is None:
            return Section([Folded("What would measure it here", self.about())])
        sure = answers.how_sure(self.found, **self._said)
        told = [sure, story.provenance(self.found)]
        return Section([Folded("How sure, what was trained, and where it departs", told)])

    def effects(self) -> Section:
        """Every effect in one table, which follows the dial; else what the paper prints."""
        if self.found is None and self.name in paper.studies():
            return Section([reported_table(self.name, start=self.start, alpha=self.alpha)])
        if self.found is None or not self._enough:
            return Section([self._waits("one table of all effects")])
        return Section([effects_table(self.found, start=self.start, **self._said)])

    @cached_property
    def _enough(self) -> bool:
        """Whether there are two seeds or more."""
        nds = self.found.runs["role"] == "nds" if self.found is not None else pd.Series(dtype=bool)
        return int(nds.sum()) > 1

    def about(self) -> Section:
        """What was measured and on what, or what would measure it; departures from the paper."""
        if self.found is None:
            reported_here = self.name in paper.studies()
            return Section([reported.unmeasured(self.study, self.profile, reported=reported_here)])
        return Section([story.provenance(self.found)])

    def _counts_figure(self) -> list[Any]:
        if self.found is not None and self._counted:
            return [charts.affected_counts(self.found, **self._show)]
        if self.found is None and self._printed("sc"):
            return [charts.paper_counts(self.name, start=self.start, alpha=self.alpha)]
        return []

    def _fairness_figure(self, attribute: str) -> list[Any]:
        if self.found is not None:
            return [charts.fairness(self.found, attribute, **self._show)]
        if self._printed("eod", attribute):
            return [charts.paper_fairness(self.name, attribute, start=self.start)]
        return []

    def counts(self, *, figure: bool = True) -> Section:
        """#SC, #TC and accuracy against temperature, ours and the paper's.

        Without ``figure`` only what stands below it, where :meth:`answer` has shown it.
        """
        parts: list[Any] = self._counts_figure() if figure else []
        words: list[Any] = []
        if self.found is not None and self._counted:
            parts.append(story.crossing(self.found, **self._said))
            words.append(story.affected(self.found, **self._said))
        elif self.found is not None:
            parts.append(Text("Classes are compared over seeds: that needs two seeds or more."))
        if not self._printed("sc"):
            parts.append(self._silent("how many classes are affected"))
        elif self.alpha not in set(paper.results(self.name)["alpha"]):
            parts.append(self._silent(f"how many classes are affected at alpha {self.alpha:g}"))
        else:
            if self.found is not None and self._counted:
                parts.append(paper_comparison.beside_counts(self.found, **self._show))
            elif self.found is not None:
                parts.append(charts.paper_counts(self.name, start=self.start, alpha=self.alpha))
            words.append(reported.counts(self.name, alpha=self.alpha))
        if words:
            parts.append(Folded("The counts in words", words))
        return self._section(parts)

    def alphas(self) -> Section:
        """Two weights of the distillation term, ours and the paper's."""
        parts: list[Any] = []
        if self.found is not None and len(self.found.alphas) > 1 and self._counted:
            parts.append(
                paper_comparison.alphas(self.found, start=self.start, soft_scale=self.soft_scale)
            )
        elif self.found is not None:
            had = f"{self.found.alphas[0]:g}"
            parts.append(Text(f"Measured here at alpha = {had} only; the paper has both."))
        return self._section([*parts, paper_comparison.paper_alphas(self.name, start=self.start)])

    def classes(self) -> Section:
        """Accuracy of each class at the dial's temperature."""
        if self.found is None:
            return Section([self._waits("the accuracy of each class at the dial's temperature")])
        if not self._counted:
            return Section([Text("Classes are compared over seeds: that needs two or more.")])
        return self._section([charts.class_accuracy(self.found, **self._show)])

    def disagreement(self) -> Section:
        """Where student and teacher disagree, ours and the paper's Figure 2."""
        parts: list[Any] = []
        if self.found is not None:
            parts += [
                charts.disagreement(self.found, **self._show),
                story.agreement(self.found, **self._said),
            ]
        if self.name in set(paper.table("figure2")["study"]):
            parts.append(reported_charts.paper_disagreement(self.name))
        return self._section(parts or [self._waits("the disagreement with the teacher")])

    def fairness(self, attribute: str, *, figure: bool = True) -> Section:
        """Accuracy, EOD and DPD by an attribute against temperature, ours and the paper's.

        Without ``figure`` only what stands below it, where :meth:`answer` has shown it.

        Raises
        ------
        ValueError
            If the study has no such attribute.
        """
        self._known(attribute)
        printed = self._printed("eod", attribute)
        parts: list[Any] = self._fairness_figure(attribute) if figure else []
        if self.found is not None:
            words = [story.fairness(self.found, attribute, **self._said)]
            parts.append(Folded("The curves in words", words))
            if printed:
                beside = [
                    charts.beside_paper(self.found, attribute, **self._show),
                    story.beside_paper(self.found, attribute, **self._said),
                ]
                by = attribute.replace("_", " ")
                parts.append(Folded(f"Beside the paper's curves, by {by}", beside))
        elif printed:
            parts.append(Folded("In words", [reported.fairness(self.name, attribute)]))
        what = f"fairness by {attribute.replace('_', ' ')}"
        if not parts:
            parts.append(self._waits(what))
        elif not printed and self.study.in_paper:
            parts.append(self._silent(what))
        return self._section(parts)

    def _known(self, attribute: str) -> None:
        if attribute not in self.study.attributes:
            raise ValueError(
                f"unknown attribute {attribute!r} of study {self.name}; expected one of "
                f"{', '.join(self.study.attributes) or 'none: it has no sensitive attributes'}"
            )

    def scales(self, attribute: str) -> Section:
        """Fairness with the factor T² and without, where both were measured."""
        if self.found is None:
            return Section([self._waits("the comparison of both scalings")])
        said = story.scales(self.found, alpha=self.alpha)
        if len(self.found.soft_scales) < 2:
            return Section([said])
        show = self._show | {"soft_scale": "both"}
        return self._section([charts.fairness(self.found, attribute, **show), said])

    def individual(self, *, beside: bool = True) -> Section:
        """Individual unfairness, ours and, with ``beside``, what was reported.

        Distances are taken in every space that is published: between inputs, unless those may
        not be kept, as of people; and between what the teacher's last layer reads.
        """
        parts: list[Any] = []
        if self.found is not None and self.found.features:
            words = [story.individual(self.found, s, **self._said) for s in self.found.features]
            parts += [
                charts.individual_fairness(self.found, **self._show),
                Text(
                    "A smoother model is fairer by this measure, a constant one perfectly so: "
                    "read it beside accuracy."
                ),
                Folded("The curves in words", words),
            ]
        if (beside or not parts) and self._printed("individual_unfairness"):
            theirs = [
                reported_charts.paper_individual(self.name, start=self.start),
                reported.individual(self.name),
            ]
            parts += [Folded("What was reported of the paper's", theirs)] if parts else theirs
        return self._section(parts or [self._waits("individual fairness")])

    def _waits(self, what: str) -> Text:
        """Nothing to show until the study is measured."""
        instead = ", and the paper prints no numbers of it" if self.study.in_paper else ""
        return Text(f"*Not measured here yet{instead}: {what}.*")

    def _silent(self, what: str) -> Text:
        """The paper does not say."""
        return Text(f"*The paper prints no numbers of {what}.*")
