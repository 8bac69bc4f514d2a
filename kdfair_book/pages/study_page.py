"""What a study's page shows: our measurements with the paper's beside them, or the paper's alone.

A notebook opens its study once and then asks for one section a cell. Which figures and sentences
a section holds depends on what was measured; where there is nothing, a sentence says so.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from kdfair_book import charts, paper
from kdfair_book.charts import paper as reported_charts
from kdfair_book.charts import paper_comparison
from kdfair_book.charts.figure import Figure, Section
from kdfair_book.charts.intervals import start_near
from kdfair_book.charts.study import setting
from kdfair_book.pages import paper_sentences as reported
from kdfair_book.pages import study_sentences as story
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


def open_study(
    study: str,
    profile: str | None = None,
    *,
    start: float = 4,
    alpha: float | None = None,
    soft_scale: str | None = None,
    train: bool = False,
    seeds: Iterable[int] | None = None,
    device: str = "auto",
    runs: str | os.PathLike[str] | None = None,
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
    train, seeds, device, runs
        As in :func:`measured`.

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
        found = measured(study, profile, train=train, seeds=seeds, device=device, runs=runs)
    except results.NotMeasured:
        if train:
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

    def _ours(self, figure: Callable[..., Figure], *about: str) -> Figure:
        """A figure of what was measured, at the page's start and setting."""
        setting = {"alpha": self.alpha, "soft_scale": self.soft_scale}
        return figure(self.found, *about, start=self.start, **setting)

    def _said(self, sentence: Callable[..., Text], *about: str) -> Text:
        """A sentence about what was measured, at the page's setting."""
        return sentence(self.found, *about, alpha=self.alpha, soft_scale=self.soft_scale)

    @cached_property
    def _counted(self) -> bool:
        """Whether classes can be compared: with two runs on each side."""
        return self.found is not None and not self.found.affected_counts().empty

    def _printed(self, metric: str, attribute: str | None = None) -> bool:
        """Whether the paper prints such numbers of this study, and of this attribute."""
        try:
            rows = paper.results(self.name, metric, attribute)
        except ValueError:
            return False
        return attribute is None or bool((rows["attribute"] == attribute).any())

    def about(self) -> Section:
        """What was measured and on what, or what would measure it; departures from the paper."""
        if self.found is None:
            reported_here = self.name in paper.studies()
            return Section([reported.unmeasured(self.study, self.profile, reported=reported_here)])
        return Section([story.provenance(self.found)])

    def counts(self) -> Section:
        """#SC, #TC and accuracy against temperature, ours and the paper's."""
        parts: list[Any] = []
        if self._counted:
            parts += [self._ours(charts.affected_counts), self._said(story.affected)]
        elif self.found is not None:
            parts.append(Text("Classes are compared over seeds: that needs two seeds or more."))
        if not self._printed("sc"):
            parts.append(self._silent("how many classes are affected"))
        elif self.alpha not in set(paper.results(self.name)["alpha"]):
            parts.append(self._silent(f"how many classes are affected at alpha {self.alpha:g}"))
        else:
            parts += [
                self._ours(paper_comparison.beside_counts)
                if self._counted
                else charts.paper_counts(self.name, start=self.start, alpha=self.alpha),
                reported.counts(self.name, alpha=self.alpha),
            ]
        return Section(parts)

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
        return Section([*parts, paper_comparison.paper_alphas(self.name, start=self.start)])

    def classes(self) -> Section:
        """Accuracy of each class at the dial's temperature."""
        if self.found is None:
            return Section([self._waits("the accuracy of each class at the dial's temperature")])
        if not self._counted:
            return Section([Text("Classes are compared over seeds: that needs two or more.")])
        return Section([self._ours(charts.class_accuracy)])

    def disagreement(self) -> Section:
        """Where student and teacher disagree, ours and the paper's Figure 2."""
        parts: list[Any] = []
        if self.found is not None:
            parts += [self._ours(charts.disagreement), self._said(story.agreement)]
        if self.name in set(paper.table("figure2")["study"]):
            parts.append(reported_charts.paper_disagreement(self.name))
        return Section(parts or [self._waits("the disagreement with the teacher")])

    def fairness(self, attribute: str) -> Section:
        """Accuracy, EOD and DPD by an attribute against temperature, ours and the paper's.

        Raises
        ------
        ValueError
            If the study has no such attribute.
        """
        if attribute not in self.study.attributes:
            raise ValueError(
                f"unknown attribute {attribute!r} of study {self.name}; expected one of "
                f"{', '.join(self.study.attributes) or 'none: it has no sensitive attributes'}"
            )
        printed = self._printed("eod", attribute)
        parts: list[Any] = []
        if self.found is not None:
            pairs: list[tuple[Any, Any]] = [(charts.fairness, story.fairness)]
            if printed:
                pairs.append((charts.beside_paper, story.beside_paper))
            for figure, sentence in pairs:
                parts += [self._ours(figure, attribute), self._said(sentence, attribute)]
        elif printed:
            parts += [
                charts.paper_fairness(self.name, attribute, start=self.start),
                reported.fairness(self.name, attribute),
            ]
        what = f"fairness by {attribute.replace('_', ' ')}"
        if not parts:
            parts.append(self._waits(what))
        elif not printed and self.study.in_paper:
            parts.append(self._silent(what))
        return Section(parts)

    def scales(self, attribute: str) -> Section:
        """Fairness with the factor T² and without, where both were measured."""
        if self.found is None:
            return Section([self._waits("the comparison of both scalings")])
        said = story.scales(self.found, alpha=self.alpha)
        if len(self.found.soft_scales) < 2:
            return Section([said])
        both = charts.fairness(
            self.found, attribute, start=self.start, alpha=self.alpha, soft_scale="both"
        )
        return Section([both, said])

    def individual(self) -> Section:
        """Individual unfairness, ours and what was reported.

        Distances are taken in every space that is published: between inputs, unless those may
        not be kept, as of people; and between what the teacher's last layer reads.
        """
        parts: list[Any] = []
        if self.found is not None:
            for space in self.found.features:
                figure = partial(charts.individual_fairness, space=space)
                parts += [self._ours(figure), self._said(story.individual, space)]
        if self._printed("individual_unfairness"):
            parts += [
                reported_charts.paper_individual(self.name, start=self.start),
                reported.individual(self.name),
            ]
        return Section(parts or [self._waits("individual fairness")])

    def _waits(self, what: str) -> Text:
        """Nothing to show until the study is measured."""
        instead = " The paper prints no numbers to show instead." if self.study.in_paper else ""
        return Text(
            f"*Here stands {what}, once the study is measured with the command above.{instead}*"
        )

    def _silent(self, what: str) -> Text:
        """The paper does not say."""
        return Text(f"*The paper prints no numbers of {what}.*")
