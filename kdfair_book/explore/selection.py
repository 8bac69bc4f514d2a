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
from kdfair_core import metrics
from kdfair_core.results import Results

PAIRS = {
    "nds-ds": "non-distilled and distilled student",
    "teacher-ds": "teacher and distilled student",
    "teacher-nds": "teacher and non-distilled student",
    "nds-null": "two sets of non-distilled students (null control)",
}
NAMES = {"teacher": "teacher", "nds": "NDS", "ds": "DS", "null": "second NDS"}
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
        first, second = (self.runs(role)["run"].to_numpy() for role in _roles(self.state))
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
        if self.state.attribute is None:
            raise ValueError(f"study {self.state.study!r} has no sensitive attribute")
        parts = []
        for role, counts in zip(_roles(self.state), self._group_counts(), strict=True):
            rates = metrics.group_rates(
                counts.sum(axis=0),
                group_names=self.group_names,
                class_names=list(self.results.classes),
            )
            rates = rates[rates["class"] == self._positive()].drop(columns="class")
            rates["n"] /= len(counts)
            rates.insert(0, "model", NAMES[role])
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
            code = there.group_names[state.attribute].index(state.group)
            chosen &= there.groups[state.attribute] == code
        n = len(there.classes)

        def count(predictions: NDArray[Any]) -> NDArray[np.float64]:
            return np.stack([np.bincount(p, minlength=n) for p in predictions]).mean(axis=0)

        a, b = (p[:, chosen] for p in self.predictions())
        role_a, role_b = _roles(state)
        frame = pd.DataFrame(
            {"prediction": there.classes, NAMES[role_a]: count(a), NAMES[role_b]: count(b)}
        )
        seeds_a, seeds_b = (self.runs(role)["seed"].tolist() for role in (role_a, role_b))
        shared = [s for s in seeds_a if s in seeds_b]
        same = [(a[seeds_a.index(s)], b[seeds_b.index(s)]) for s in shared]
        agreed = [np.bincount(p[p == q], minlength=n) for p, q in same]
        frame["both"] = np.mean(agreed, axis=0) if agreed else np.nan
        seen = (frame.iloc[:, 1:3] > 0).any(axis=1) | (frame["prediction"] == state.class_name)
        return frame[seen].reset_index(drop=True)

    def summary(self) -> pd.DataFrame:
        """Accuracy, and DPD and EOD by the attribute, of both sides: means over seeds."""
        rows = []
        for role in _roles(self.state):
            runs = self.runs(role)
            row: dict[str, Any] = {"model": NAMES[role], "seeds": len(runs)}
            row["accuracy"] = runs["accuracy"].mean()
            if self.state.attribute:
                fair = self.results.group_fairness(self.state.attribute).loc[runs.index]
                row |= {"dpd": fair["dpd"].mean(), "eod": fair["eod"].mean()}
            rows.append(row)
        return pd.DataFrame(rows)

    @property
    def group_names(self) -> list[str]:
        """Groups of the state's attribute; none if it has no attribute."""
        return list(self.results.group_names[self.state.attribute]) if self.state.attribute else []

    def _group_counts(self) -> list[NDArray[Any]]:
        there, attribute = self.results, self.state.attribute
        if attribute is None:
            return []
        return [
            metrics.group_counts(
                there.y_true,
                predictions,
                sensitive_features=there.groups[attribute],
                n_classes=len(there.classes),
                groups=range(len(there.group_names[attribute])),
            )
            for predictions in self.predictions()
        ]

    def _positive(self) -> str:
        """The class that group rates are about: of two classes always the second."""
        two = len(self.results.classes) == 2
        return self.results.classes[1] if two else self.state.class_name

    # ---- pictures ----------------------------------------------------------------------------

    def chart(self) -> alt.VConcatChart:
        """Linked charts: classes of both sides; what a clicked class is predicted as; groups."""
        name_a, name_b = (NAMES[role] for role in _roles(self.state))
        start = [{"class_name": self.state.class_name}]
        pick = alt.selection_point(fields=["class_name"], value=start, empty=False, name="pick")
        rows: list[Any] = [self._class_chart(pick, name_a, name_b)]
        if self.state.attribute:
            rows.append(self._group_chart())
        title = alt.Title(f"{self.results.study}: {name_a} and {name_b}", subtitle=self._subtitle())
        joined = alt.vconcat(*rows).resolve_scale(color="independent", shape="independent")
        return joined.properties(title=title)

    def _subtitle(self) -> str:
        s = self.state
        ds = (
            f", T = {s.temperature:g}, alpha {s.alpha:g}, {s.soft_scale}"
            if "ds" in _roles(s)
            else ""
        )
        return f"{self.results.badge}{ds}"

    def _class_chart(self, pick: alt.Parameter, name_a: str, name_b: str) -> alt.HConcatChart:
        table = self.classes()
        table[["accuracy_a", "accuracy_b"]] *= 100
        table["differs"] = np.where(table["significant"], "yes", "no")
        seen = table[["accuracy_a", "accuracy_b"]].to_numpy()
        low, high = np.nanmin(seen) - 2, np.nanmax(seen) + 2
        scale = alt.Scale(domain=[max(low, 0), min(high, 100)], zero=False, nice=True)
        yes_no = alt.Scale(domain=["no", "yes"], range=["circle", "cross"])
        equal = alt.Chart(pd.DataFrame({"a": [0.0, 100.0]})).mark_line(
            clip=True, strokeDash=[3, 3], color=theme.LIGHT["floor"]
        )
        points = (
            alt.Chart(table)
            .mark_point(filled=True)
            .encode(
                x=alt.X("accuracy_a:Q", title=f"class accuracy, {name_a} (%)", scale=scale),
                y=alt.Y("accuracy_b:Q", title=f"class accuracy, {name_b} (%)", scale=scale),
                shape=alt.Shape("differs:N", title="p ≤ 0.05", scale=yes_no),
                color=alt.condition(
                    pick, alt.value(theme.LIGHT["mark"]), alt.value(theme.LIGHT["ds"])
                ),
                size=alt.condition(pick, alt.value(160), alt.value(50)),
                tooltip=[
                    "class_name",
                    alt.Tooltip("accuracy_a", format=".2f"),
                    alt.Tooltip("accuracy_b", format=".2f"),
                    alt.Tooltip("effect", format=".3f"),
                    alt.Tooltip("p_value", format=".3g"),
                ],
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
        for role, predictions in zip(_roles(self.state), self.predictions(), strict=True):
            pairs = np.stack(
                [np.bincount(there.y_true * n + p, minlength=n * n) for p in predictions]
            )
            label, prediction = np.divmod(np.arange(n * n), n)
            frame = pd.DataFrame(
                {"label": label, "prediction": prediction, "examples": pairs.mean(axis=0)}
            ).assign(model=NAMES[role])
            parts.append(frame[(frame["label"] != frame["prediction"]) & (frame["examples"] > 0)])
        wrong = pd.concat(parts, ignore_index=True)
        rank = wrong.groupby(["label", "prediction"])["examples"].transform("sum")
        rank = rank.groupby(wrong["label"]).rank(method="dense", ascending=False)
        wrong = wrong[rank <= MOST].copy()
        classes = np.array(there.classes, dtype=object)
        wrong["class_name"] = classes[wrong["label"].to_numpy()]
        wrong["prediction"] = classes[wrong["prediction"].to_numpy()]
        colors = _model_colors(self.state)
        names = [NAMES[role] for role in _roles(self.state)]
        full_and_open = alt.Scale(domain=names, range=[1, 0.2])
        return (
            alt.Chart(wrong, title="wrong predictions of the picked class")
            .mark_bar(strokeWidth=1.5)
            .encode(
                x=alt.X("sum(examples):Q", title="test examples (mean over seeds)"),
                y=alt.Y("prediction:N", title="predicted as", sort="-x"),
                yOffset=alt.YOffset("model:N", sort=names),
                color=alt.Color("model:N", title=None, scale=colors),
                stroke=alt.Stroke("model:N", legend=None, scale=colors),
                fillOpacity=alt.FillOpacity("model:N", legend=None, scale=full_and_open),
                tooltip=[
                    "class_name",
                    "model",
                    "prediction",
                    alt.Tooltip("examples", format=".1f"),
                ],
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
        names = [NAMES[role] for role in _roles(self.state)]
        shapes = alt.Scale(domain=names, range=["square", "circle"])
        return (
            alt.Chart(rates)
            .mark_point(filled=True, size=70)
            .encode(
                x=alt.X("share:Q", title="%"),
                y=alt.Y("group:N", title=self.state.attribute),
                shape=alt.Shape("model:N", title=None, scale=shapes),
                color=alt.Color("model:N", title=None, scale=_model_colors(self.state)),
                tooltip=["model", "group", alt.Tooltip("share", format=".2f"), "n"],
            )
            .properties(width=190)
            .facet(
                column=alt.Column(
                    "rate:N",
                    title=f"“{self._positive()}” against the rest",
                    sort=["selected", "TPR", "FPR"],
                )
            )
            .resolve_scale(x="independent")
        )


def _roles(state: State) -> list[str]:
    return state.pair.split("-")


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


def _model_colors(state: State) -> alt.Scale:
    color = {"teacher": "teacher", "nds": "nds", "ds": "ds", "null": "other"}
    roles = _roles(state)
    return alt.Scale(domain=[NAMES[r] for r in roles], range=[theme.LIGHT[color[r]] for r in roles])
