"""An explorer of published results for JupyterLab.

``explore()`` shows controls, linked charts and the counts behind what is chosen. Whatever it shows
is also a frame (see :class:`kdfair_book.explore.selection.Selection`), and :meth:`Explorer.code`
writes its state as a line of Python.
"""

from __future__ import annotations

import os
from dataclasses import asdict
from html import escape
from typing import Any

import ipywidgets as ipw
import pandas as pd

from kdfair_book.charts import theme
from kdfair_book.evidence.available import available
from kdfair_book.explore.selection import EVERY, FIELDS, PAIRS, Selection, State, measured, pairs_of
from kdfair_core import studies
from kdfair_core.results import NotMeasured, Results, load, results_root

NO_ATTRIBUTE = "(none)"


def explore(root: str | os.PathLike[str] | None = None, **state: Any) -> Explorer:
    """Show the explorer, from a state (any of the fields of :class:`State`).

    Parameters
    ----------
    root : path, optional
        Folder of published results; default as in :func:`kdfair_core.results.load`.

    Raises
    ------
    ValueError
        If nothing is published, or the state asks for what is not there.
    """
    return Explorer(root, **state)


class Explorer:
    """Controls over published results, with linked charts. Shows itself in a notebook.

    Attributes
    ----------
    selection : Selection
        What is chosen, with its numbers and charts.
    controls : dict of str to widget
        By the name of the state's field.
    """

    def __init__(self, root: str | os.PathLike[str] | None = None, **state: Any) -> None:
        self.root = root
        self.published = available(root)
        self.published = self.published[self.published["problem"].fillna("") == ""]
        if self.published.empty:
            raise NotMeasured(
                f"no results in {results_root(root)}: "
                "'python -m kdfair_core run trifeature --profile smoke' measures some in seconds"
            )
        unknown = sorted(set(state) - set(FIELDS))
        if unknown:
            raise ValueError(f"unknown field {unknown[0]!r}; expected out of {', '.join(FIELDS)}")
        self._loaded: dict[tuple[str, str], Results] = {}
        self._filling = False
        self.selection = self._settle(state, must=set(state))
        self.controls = self._make_controls()
        self.charts, self.tables = ipw.Output(), ipw.HTML()
        self.copy = ipw.Textarea(
            description="as code", layout=ipw.Layout(width="100%", height="4.8em"), disabled=True
        )
        controls = list(self.controls.values())
        rows = [ipw.HBox(controls[i : i + 3]) for i in (0, 3, 6)]
        self.widget = ipw.VBox([*rows, self.charts, self.tables, self.copy])
        self._show()

    # ---- state -------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        return self.selection.state

    def change(self, **changes: Any) -> None:
        """Change the state, as turning the controls does.

        Values that another study does not have are replaced by ones that it has.

        Raises
        ------
        ValueError
            If what was asked for is not there; the state stays as it was.
        """
        self.selection = self._settle(asdict(self.state) | changes, must=set(changes))
        self._show()

    def code(self) -> str:
        """The state as a line of Python that brings it back."""
        chosen = asdict(self.state)
        if self.root is not None:
            chosen = {"root": str(self.root), **chosen}
        listed = ", ".join(f"{name}={value!r}" for name, value in chosen.items())
        return f"from kdfair_book.explore.widgets import explore\nexplore({listed})"

    def _load(self, study: str, profile: str) -> Results:
        if (study, profile) not in self._loaded:
            self._loaded[study, profile] = load(study, profile, root=self.root)
        return self._loaded[study, profile]

    def _settle(self, wanted: dict[str, Any], *, must: set[str]) -> Selection:
        """A whole choice from what is wanted; what is not there is replaced, or an error."""

        def choose(name: str, choices: list[Any], usual: Any = None) -> Any:
            value = wanted.get(name)
            if value in choices:
                return value
            if value is not None and name in must:
                listed = ", ".join(map(str, choices))
                raise ValueError(f"{name} {value!r} is not there; expected one of {listed}")
            return usual if usual in choices else choices[0]

        study = choose("study", self._studies())
        profile = choose("profile", self._profiles(study))
        there = self._load(study, profile)
        attribute = choose("attribute", list(there.attributes) or [None])
        groups = [EVERY, *(there.group_names[attribute] if attribute else ())]
        alpha = choose("alpha", there.alphas, 0.8)
        scales, _ = _settings(there, alpha)
        soft_scale = choose("soft_scale", scales, "T2")
        _, temperatures = _settings(there, alpha, soft_scale)
        state = State(
            study=study,
            profile=profile,
            pair=choose("pair", pairs_of(there)),
            temperature=choose("temperature", temperatures, 4),
            alpha=alpha,
            soft_scale=soft_scale,
            attribute=attribute,
            class_name=choose("class_name", list(there.classes)),
            group=choose("group", groups),
        )
        return Selection(there, state)

    def _studies(self) -> list[str]:
        """Names, in the order in which the book tells the studies; unknown ones last."""
        order = studies.names()
        there = dict.fromkeys(self.published["study"])
        return sorted(there, key=lambda name: order.index(name) if name in order else len(order))

    def _profiles(self, study: str) -> list[str]:
        return self.published.loc[self.published["study"] == study, "profile"].tolist()

    # ---- the widget --------------------------------------------------------------------------

    def _make_controls(self) -> dict[str, Any]:
        makers: dict[str, Any] = {
            name: ipw.Dropdown(description=name.replace("_name", "").replace("_", " "))
            for name in FIELDS
        }
        makers["temperature"] = ipw.SelectionSlider(options=[4], description="T")
        for name, control in makers.items():
            control.observe(lambda change, name=name: self._turned(name, change["new"]), "value")
        return makers

    def _turned(self, name: str, value: Any) -> None:
        if not self._filling:
            self.change(**{name: None if value == NO_ATTRIBUTE else value})

    def _options(self) -> dict[str, list[Any]]:
        there, state = self.selection.results, self.state
        scales, _ = _settings(there, state.alpha)
        _, temperatures = _settings(there, state.alpha, state.soft_scale)
        return {
            "study": self._studies(),
            "profile": self._profiles(state.study),
            "pair": [(PAIRS[p], p) for p in pairs_of(there)],
            "temperature": [(f"{t:g}", t) for t in temperatures],
            "alpha": there.alphas,
            "soft_scale": scales,
            "attribute": list(there.attributes) or [NO_ATTRIBUTE],
            "class_name": list(there.classes),
            "group": [EVERY, *self.selection.group_names],
        }

    def _show(self) -> None:
        """Bring controls, charts, tables and code in line with the state."""
        self._filling = True
        try:
            for name, options in self._options().items():
                control = self.controls[name]
                if list(control.options) != options:
                    control.options = options
                value = getattr(self.state, name)
                control.value = NO_ATTRIBUTE if value is None else value
        finally:
            self._filling = False
        drawn = theme.in_jupyter(self.selection.chart(), theme.CONFIG)
        self.charts.outputs = ({"output_type": "display_data", "data": drawn, "metadata": {}},)
        where = "" if self.state.group == EVERY else f", {self.state.attribute} {self.state.group}"
        self.tables.value = (
            "<h4>Means over seeds</h4>" + _html(self.selection.summary())
            + f"<h4>Test examples labeled {escape(self.state.class_name)}{escape(where)}: "
            "what they are predicted as</h4>" + _html(self.selection.counts())
        )  # fmt: skip
        self.copy.value = self.code()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return self.widget._repr_mimebundle_(**kwargs)


def _settings(
    there: Results, alpha: float, soft_scale: str | None = None
) -> tuple[list[str], list[float]]:
    """Scalings and temperatures that were measured with this weight (and scaling)."""
    given = {"alpha": alpha} | ({"soft_scale": soft_scale} if soft_scale else {})
    runs = measured(there, **given)
    return sorted(set(runs["soft_scale"])), sorted(set(runs["temperature"]))


def _html(frame: pd.DataFrame) -> str:
    return frame.to_html(index=False, border=0, float_format="{:.3f}".format)
