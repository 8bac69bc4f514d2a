"""What an explorer shows of published results: a choice, its numbers, its charts.

No example is ever shown: only counts.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kdfair_book.charts import theme
from kdfair_book.charts.temperature import looks, tooltip
from kdfair_book.evidence.group import group_rates
from kdfair_core import metrics
from kdfair_core.results import Results

PAIRS = {
    "nds-ds": "student alone and distilled student",
    "teacher-ds": "teacher and distilled student",
    "teacher-nds": "teacher and student alone",
    "nds-null": "two sets of students alone (null control)",
}
#: Role -> name in a table, color.
ROLES = {
    "teacher": ("teacher", "teacher"),
    "nds": ("student alone", "nds"),
    "ds": ("distilled student", "ds"),
    "null": ("second student alone", "other"),
}
EVERY = "all"
MOST = 8  # wrong predictions of a class that are drawn


@dataclass(frozen=True)
class State:
    """What the explorer shows; every field can be given to :func:`explore`."""

    study: str
    profile: str
    pair: str
    temperature: float
    alpha: float
    soft_scale: str
    attribute: str | None
    class_name: str
    group: str


FIELDS = tuple(field.name for field in fields(State))


@dataclass(frozen=True)
class Selection:
    """The numbers and charts of one state, out of the results of its study and profile."""

    results: Results
    state: State

    @property
    def roles(self) -> list[str]:
        """The two sides of the pair."""
        return self.state.pair.split("-")

    @property
    def names(self) -> list[str]:
        """What tables and charts call the two sides."""
        return [ROLES[role][0] for role in self.roles]

    @property
    def group_names(self) -> list[str]:
        """Groups of the state's attribute; none if it has no attribute."""
        return list(self.results.group_names[self.state.attribute]) if self.state.attribute else []

    @property
    def positive(self) -> str:
        """The class that group rates are about: of two classes always the second."""
        two = len(self.results.classes) == 2
        return self.results.classes[1] if two else self.state.class_name

    # ---- numbers -----------------------------------------------------------------------------

    def runs(self, role: str) -> pd.DataFrame:
        """The runs of one side of the pair, in the state's setting if they are distilled."""
        if role != "ds":
            return self.results.runs[self.results.runs["role"] == role]
        s = self.state
        return measured(
            self.results, temperature=s.temperature, alpha=s.alpha, soft_scale=s.soft_scale
        )

    def predictions(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Predictions [run, example] of both sides."""
        first, second = (self.runs(role)["run"].to_numpy() for role in self.roles)
        return self.results.pred[first], self.results.pred[second]

    def classes(self) -> pd.DataFrame:
        """A row a class: accuracies of both sides (means over seeds), and Welch's test.

        Columns ``class_name``, ``accuracy_a``, ``accuracy_b``, ``effect``, ``p_value``,
        ``significant``; the last three are missing with fewer than two seeds.
        """
        there, (a, b) = self.results, self.predictions()
        n = len(there.classes)
        accuracy = [
            metrics.class_accuracy(there.y_true, p, n_classes=n).mean(axis=0) for p in (a, b)
        ]
        frame = pd.DataFrame(
            {"class_name": there.classes, "accuracy_a": accuracy[0], "accuracy_b": accuracy[1]}
        )
        if min(len(a), len(b)) < 2:
            return frame.assign(effect=np.nan, p_value=np.nan, significant=False)
        tests = metrics.affected_classes(there.y_true, a, b, n_classes=n)
        return frame.join(tests[["effect", "p_value", "significant"]])

    def groups(self) -> pd.DataFrame:
        """A row a side and group: rates of the state's class against the rest, over all runs.

        Columns ``model``, ``group``, ``n`` (examples a run), ``selection_rate``, ``tpr``, ``fpr``.

        Raises
        ------
        ValueError
            If the study has no sensitive attribute.
        """
        there, attribute = self.results, self.state.attribute
        if attribute is None:
            raise ValueError(f"study {self.state.study!r} has no sensitive attribute")
        parts = []
        for name, predictions in zip(self.names, self.predictions(), strict=True):
            counts = metrics.group_counts(
                there.y_true,
                predictions,
                sensitive_features=there.groups[attribute],
                n_classes=len(there.classes),
                groups=range(len(self.group_names)),
            )
            rates = group_rates(
                counts.sum(axis=0), group_names=self.group_names, class_names=list(there.classes)
            )
            rates = rates[rates["class"] == self.positive].drop(columns="class")
            rates["n"] /= len(counts)
            rates.insert(0, "model", name)
            parts.append(rates)
        return pd.concat(parts, ignore_index=True)

    def counts(self) -> pd.DataFrame:
        """What the examples of the chosen class (and group) are predicted as: means over seeds.

        Columns ``prediction``, one a side, and ``both`` (where the sides agree, over pairs of runs
        of the same seed; missing if they share none).
        """
        there, state = self.results, self.state
        chosen = there.y_true == there.classes.index(state.class_name)
        if state.group != EVERY and state.attribute is not None:
            chosen &= there.groups[state.attribute] == self.group_names.index(state.group)
        n = len(there.classes)

        def count(predictions: NDArray[Any]) -> NDArray[np.float64]:
            return np.stack([np.bincount(p, minlength=n) for p in predictions]).mean(axis=0)

        a, b = (p[:, chosen] for p in self.predictions())
        name_a, name_b = self.names
        frame = pd.DataFrame({"prediction": there.classes, name_a: count(a), name_b: count(b)})
        seeds_a, seeds_b = (self.runs(role)["seed"].tolist() for role in self.roles)
        shared = [s for s in seeds_a if s in seeds_b]
        same = [(a[seeds_a.index(s)], b[seeds_b.index(s)]) for s in shared]
        agreed = [np.bincount(p[p == q], minlength=n) for p, q in same]
        frame["both"] = np.mean(agreed, axis=0) if agreed else np.nan
        seen = (frame.iloc[:, 1:3] > 0).any(axis=1) | (frame["prediction"] == state.class_name)
        return frame[seen].reset_index(drop=True)

    def summary(self) -> pd.DataFrame:
        """Accuracy, and DPD and EOD by the attribute, of both sides: means over seeds."""
        rows = []
        for role, name in zip(self.roles, self.names, strict=True):
            runs = self.runs(role)
            row = {"model": name, "seeds": len(runs), "accuracy": runs["accuracy"].mean()}
            if self.state.attribute:
                fair = self.results.group_fairness(self.state.attribute).loc[runs.index]
                row |= {"dpd": fair["dpd"].mean(), "eod": fair["eod"].mean()}
            rows.append(row)
        return pd.DataFrame(rows)

    # ---- pictures ----------------------------------------------------------------------------

    def chart(self) -> alt.VConcatChart:
        """Linked charts: classes of both sides; what a clicked class is predicted as; groups."""
        start = [{"class_name": self.state.class_name}]
        pick = alt.selection_point(fields=["class_name"], value=start, empty=False, name="pick")
        rows: list[Any] = [self._class_chart(pick)]
        if self.state.attribute:
            rows.append(self._group_chart())
        s = self.state
        subtitle = self.results.badge
        if "ds" in self.roles:
            subtitle += f", T = {s.temperature:g}, alpha {s.alpha:g}, {s.soft_scale}"
        title = alt.Title(f"{self.results.study}: {' and '.join(self.names)}", subtitle=subtitle)
        joined = alt.vconcat(*rows).resolve_scale(color="independent", shape="independent")
        return joined.properties(title=title)

    def _class_chart(self, pick: alt.Parameter) -> alt.HConcatChart:
        table = self.classes()
        table[["accuracy_a", "accuracy_b"]] *= 100
        table["differs"] = np.where(table["significant"], "yes", "no")
        seen = table[["accuracy_a", "accuracy_b"]].to_numpy()
        low, high = np.nanmin(seen) - 2, np.nanmax(seen) + 2
        scale = alt.Scale(domain=[max(low, 0), min(high, 100)], zero=False, nice=True)
        name_a, name_b = self.names
        equal = alt.Chart(pd.DataFrame({"a": [0.0, 100.0]})).mark_line(
            clip=True, strokeDash=[3, 3], color=theme.LIGHT["floor"]
        )
        points = (
            alt.Chart(table)
            .mark_point(filled=True)
            .encode(
                x=alt.X("accuracy_a:Q", title=f"class accuracy, {name_a} (%)", scale=scale),
                y=alt.Y("accuracy_b:Q", title=f"class accuracy, {name_b} (%)", scale=scale),
                **looks("differs", ["no", "yes"], title="p ≤ 0.05", shape=["circle", "cross"]),
                color=alt.condition(
                    pick, alt.value(theme.LIGHT["mark"]), alt.value(theme.LIGHT["ds"])
                ),
                size=alt.condition(pick, alt.value(160), alt.value(50)),
                tooltip=tooltip(
                    "class_name",
                    accuracy_a=".2f",
                    accuracy_b=".2f",
                    effect=".3f",
                    p_value=".3g",
                ),
            )
            .add_params(pick)
        )
        left = (equal.encode(x="a:Q", y="a:Q") + points).properties(width=300, height=300)
        return (left | self._prediction_chart(pick)).resolve_scale(
            color="independent", shape="independent"
        )

    def _prediction_chart(self, pick: alt.Parameter) -> alt.Chart:
        """The most frequent wrong predictions of each class, of which the picked one's show."""
        there = self.results
        n = len(there.classes)
        parts = []
        for name, predictions in zip(self.names, self.predictions(), strict=True):
            pairs = np.stack(
                [np.bincount(there.y_true * n + p, minlength=n * n) for p in predictions]
            )
            label, prediction = np.divmod(np.arange(n * n), n)
            frame = pd.DataFrame(
                {"label": label, "prediction": prediction, "examples": pairs.mean(axis=0)}
            ).assign(model=name)
            parts.append(frame[(frame["label"] != frame["prediction"]) & (frame["examples"] > 0)])
        wrong = pd.concat(parts, ignore_index=True)
        rank = wrong.groupby(["label", "prediction"])["examples"].transform("sum")
        rank = rank.groupby(wrong["label"]).rank(method="dense", ascending=False)
        wrong = wrong[rank <= MOST].copy()
        classes = np.array(there.classes, dtype=object)
        wrong["class_name"] = classes[wrong["label"].to_numpy()]
        wrong["prediction"] = classes[wrong["prediction"].to_numpy()]
        full_and_open = alt.Scale(domain=self.names, range=[1, 0.2])
        color = self._looks()["color"]
        return (
            alt.Chart(wrong, title="wrong predictions of the picked class")
            .mark_bar(strokeWidth=1.5)
            .encode(
                x=alt.X("sum(examples):Q", title="test examples (mean over seeds)"),
                y=alt.Y("prediction:N", title="predicted as", sort="-x"),
                yOffset=alt.YOffset("model:N", sort=self.names),
                color=color,
                stroke=alt.Stroke("model:N", legend=None, scale=color["scale"]),
                fillOpacity=alt.FillOpacity("model:N", legend=None, scale=full_and_open),
                tooltip=tooltip("class_name", "model", "prediction", examples=".1f"),
            )
            .transform_filter(pick)
            .properties(width=280, height=300)
        )

    def _group_chart(self) -> alt.FacetChart:
        rates = self.groups().melt(["model", "group", "n"], var_name="rate", value_name="share")
        rates["rate"] = rates["rate"].replace(
            {"selection_rate": "selected", "tpr": "TPR", "fpr": "FPR"}
        )
        rates["share"] *= 100
        return (
            alt.Chart(rates)
            .mark_point(filled=True, size=70)
            .encode(
                x=alt.X("share:Q", title="%"),
                y=alt.Y("group:N", title=self.state.attribute),
                tooltip=[*tooltip("model", "group", share=".2f"), "n"],
                **self._looks(shape=["square", "circle"]),
            )
            .properties(width=190)
            .facet(
                column=alt.Column(
                    "rate:N",
                    title=f"“{self.positive}” against the rest",
                    sort=["selected", "TPR", "FPR"],
                )
            )
            .resolve_scale(x="independent")
        )

    def _looks(self, **ranges: Any) -> dict[str, Any]:
        """What tells the two sides apart."""
        colors = [ROLES[role][1] for role in self.roles]
        return looks("model", self.names, color=colors, **ranges)


def measured(there: Results, **setting: Any) -> pd.DataFrame:
    """Distilled runs of the given temperature, alpha or soft_scale."""
    runs = there.runs[there.runs["role"] == "ds"]
    for name, value in setting.items():
        runs = runs[runs[name] == value]
    return runs


def pairs_of(there: Results) -> list[str]:
    """The pairs of roles of which both sides were measured."""
    roles = set(there.runs["role"])
    return [pair for pair in PAIRS if set(pair.split("-")) <= roles]
