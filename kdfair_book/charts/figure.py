"""A figure: charts under one dial or none, with everything a reader needs beside them."""

import html
import itertools
import json
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import altair as alt
import pandas as pd
import vl_convert

from . import signals, theme

#: Set by the book's build: figures then show themselves as HTML for the page.
BOOK_VARIABLE = "KDFAIR_BOOK"

_serial = itertools.count(1)
#: Names of figures that the page already has an anchor for.
_anchored: set[str] = set()


@dataclass(frozen=True)
class Panel:
    """One chart of a figure: a single view, of a width that the page may change.

    Attributes
    ----------
    chart
        Altair chart without width and height; it may use the signals of :mod:`.signals`.
    title
        A few words above the chart.
    says
        Text alternative: what the chart shows.
    width, height
        Size in pixels as drawn where nothing else decides; the page keeps the height.
    """

    chart: Any
    title: str
    says: str
    width: int = 370
    height: int = 270

    def spec(self, temperatures: Sequence[float], start: float, *, slider: bool) -> dict[str, Any]:
        """The chart alone, as a Vega-Lite specification."""
        sized = self.chart.properties(
            width=self.width, height=self.height, title=alt.Title(self.title)
        )
        sized = sized.add_params(
            *signals.params(temperatures, start, slider=slider, room=self.width)
        )
        spec: dict[str, Any] = sized.to_dict(context={"pre_transform": False})
        spec["config"] = theme.WITH_DIAL
        spec["autosize"] = {"type": "fit", "contains": "padding"}
        return spec


@dataclass(frozen=True)
class Figure:
    """Panels under one dial, with badge, caption, numbers and a text for each temperature.

    Shown in JupyterLab it is a Vega-Lite chart with a slider of its own. While the book is
    built (environment variable ``KDFAIR_BOOK``) it is a ``<figure>``: interactive with JavaScript,
    a picture with its numbers without.

    A figure whose ``readout`` is one sentence has no dial.

    Attributes
    ----------
    name
        Short name, for file names and links.
    title, caption
        What it shows, and what to look for.
    method
        How the numbers were computed; folded below the figure.
    badge
        Where the numbers come from: a key of :data:`.theme.BADGES`.
    note
        What the badge adds: how far the numbers are from what the paper studied.
    panels
        The charts.
    table
        The numbers behind the figure: a row or column a temperature.
    readout
        One sentence for each temperature: what the figure shows there.
    temperatures, start
        The list under the dial, and where it starts.
    columns
        Panels beside each other where there is room; 0: all, but two of four.

    Raises
    ------
    ValueError
        If the badge is unknown or ``start`` is not among the temperatures.
    """

    name: str
    title: str
    caption: str
    badge: str
    panels: Sequence[Panel]
    table: pd.DataFrame
    readout: Mapping[float, str] | str
    temperatures: Sequence[float] = (1.0,)
    start: float = 1.0
    columns: int = 0
    note: str = ""
    method: str = ""

    def __post_init__(self) -> None:
        theme.badge_text(self.badge)
        signals.position(self.temperatures, self.start)

    @property
    def badge_text(self) -> str:
        """All that the badge says."""
        own = theme.badge_text(self.badge)
        return f"{own}; {self.note}" if self.note else own

    @property
    def _still(self) -> bool:
        return isinstance(self.readout, str)

    @property
    def _columns(self) -> int:
        return self.columns or {1: 1, 3: 3}.get(len(self.panels), 2)

    def _said(self, t: float) -> str:
        return self.readout if isinstance(self.readout, str) else self.readout.get(t, "")

    def to_altair(self) -> Any:
        """All panels as one Altair chart, for JupyterLab or a file; with a slider if dialed."""
        charts = [
            panel.chart.properties(
                width=panel.width - 60, height=panel.height - 80, title=panel.title
            )
            for panel in self.panels
        ]
        room = min(panel.width for panel in self.panels)
        params = signals.params(self.temperatures, self.start, slider=not self._still, room=room)
        subtitle: list[Any] = [self.badge_text]
        title: Any = self.title
        if not self._still:
            listed = [f"{t:g}" for t in self.temperatures]
            title = alt.expr(f"{self.title + ': T = '!r} + {listed}[dial]")
        with warnings.catch_warnings():  # a selection that the panels share is there once
            warnings.filterwarnings("ignore", message="Automatically deduplicated selection")
            joined = alt.concat(*charts, columns=min(self._columns, 2)).add_params(*params)
        return joined.resolve_scale(
            color="independent", shape="independent", strokeDash="independent", x="independent"
        ).properties(title=alt.Title(title, subtitle=subtitle, anchor="start"))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        if os.environ.get(BOOK_VARIABLE):
            return {"text/html": self.to_html(), "text/plain": str(self)}
        return {**theme.in_jupyter(self.to_altair(), theme.WITH_DIAL), "text/plain": str(self)}

    def __str__(self) -> str:
        note = f" {self.note}" if self.note else ""
        return f"{self.title} [{theme.badge_text(self.badge)}]{note}\n{self.describe()}"

    def _vega(self, panel: Panel) -> dict[str, Any]:
        """The panel as a Vega specification that answers the page's dial."""
        lite = panel.spec(self.temperatures, self.start, slider=False)
        spec: dict[str, Any] = vl_convert.vegalite_to_vega(lite)
        spec.pop("$schema", None)
        return spec

    def _method_html(self) -> str:
        if not self.method:
            return ""
        return f"<details><summary>How it is computed</summary>{_inline(self.method)}</details>"

    def describe(self) -> str:
        """What the figure shows, in words."""
        said = [*(panel.says for panel in self.panels), self._said(self.start)]
        return " ".join(filter(None, said))

    def to_html(self) -> str:
        """The figure for a page of the book (see ``book/_static/figures.js``)."""
        identity = f"kd-{self.name}-{next(_serial)}"
        specs = [self._vega(panel) for panel in self.panels]
        key = _shared_key(specs)
        anchor = "" if self.name in _anchored else f'<span id="figure-{self.name}"></span>'
        _anchored.add(self.name)
        sized = [replace(p, height=p.height - 44) if key else p for p in self.panels]
        if key and self._columns < 3:
            for spec in specs:
                _label_ends(spec)
        panels = [
            _panel_html(panel, spec, f"{identity}-{i}")
            for i, (panel, spec) in enumerate(zip(sized, specs, strict=True))
        ]
        state = {
            "name": self.name,
            "temperatures": [float(t) for t in self.temperatures],
            "start": signals.position(self.temperatures, self.start),
            "readout": [self._said(t) for t in self.temperatures],
            "panels": [spec for _, spec in panels],
        }
        said = html.escape(self._said(self.start))
        longest = html.escape(max(map(self._said, self.temperatures), key=len))
        boxes = "".join(box for box, _ in panels)
        listed = " ".join(f"{t:g}" for t in self.temperatures)
        answers = f' data-kd-temperatures="{listed}" data-kd-start="{self.start:g}"'
        badge = html.escape(self.badge_text)
        title = html.escape(self.title)
        return (
            f'<figure class="kd-figure" id="{identity}"{"" if self._still else answers}>{anchor}\n'
            f'<p class="kd-badge kd-badge-{self.badge}">{badge}</p>\n'
            f'<div class="kd-panels kd-columns-{self._columns}">{boxes}</div>\n{key}'
            f'<p class="kd-readout"><span class="kd-said">{said}</span>'
            f'<span class="kd-room" aria-hidden="true">{longest}</span></p>\n'
            f"<figcaption><strong>{title}.</strong> {_inline(self.caption)}</figcaption>\n"
            f'<div class="kd-take"><details><summary>The numbers</summary>'
            f"{table_html(self.table, self.title)}</details>{self._method_html()}"
            f"{_address(self.name) if anchor else ''}</div>\n"
            f'<script type="application/json" class="kd-state">{_embedded(state)}</script>\n'
            "</figure>"
        )


def _address(name: str) -> str:
    return (
        f'<a class="kd-button" href="#figure-{name}" aria-label="Address of this figure">Link</a>'
    )


class Section(tuple):
    """Figures and sentences that show themselves one below the other."""

    def _ipython_display_(self) -> None:
        from IPython.display import display

        for part in self:
            display(part)


def _label_ends(spec: dict[str, Any]) -> None:
    """Label lines where they end; the page takes that back where the chart is too narrow."""
    for signal in spec["signals"]:
        if signal["name"] == "ends":
            signal["value"] = True


def _shared_key(specs: list[dict[str, Any]]) -> str:
    """One legend of lines for panels that each would have their own: taken out of them.

    "" where a panel has another legend, or none.
    """
    found: dict[str, tuple[str, list[int]]] = {}
    for spec in specs:
        legends = spec.get("legends", [])
        if len(legends) != 1 or legends[0].get("symbolType") != "stroke":
            return ""
        scales = {scale["name"]: scale for scale in spec["scales"]}
        color, dash = (scales[legends[0][channel]] for channel in ("stroke", "strokeDash"))
        found |= dict(
            zip(color["domain"], zip(color["range"], dash["range"], strict=True), strict=True)
        )
    for spec in specs:
        del spec["legends"]
    items = "".join(
        f'<li><svg viewBox="0 0 26 8" width="26" height="8" aria-hidden="true"><path d="M0 4H26" '
        f'stroke="{theme.themed(color)}" stroke-width="2.5" stroke-dasharray="{_dashes(dash)}"/>'
        f"</svg>{html.escape(theme.IN_FULL.get(name, name))}</li>"
        for name, (color, dash) in sorted(found.items(), key=lambda one: _place(one[0]))
    )
    return f'<ul class="kd-key">{items}</ul>\n'


def _dashes(dash: list[int]) -> str:
    return "none" if dash == [1, 0] else " ".join(map(str, dash))


def _place(name: str) -> int:
    order = list(theme.SERIES)
    return order.index(name) if name in order else len(order)


def _panel_html(panel: Panel, spec: dict[str, Any], identity: str) -> tuple[str, dict[str, Any]]:
    """The panel as a still picture in its box, and the Vega specification that moves it."""
    spec["height"] = panel.height
    _silence(spec)
    svg = vl_convert.vega_to_svg(spec)
    svg = re.sub(r'\b(id="|url\(#)', rf"\1{identity}-", svg)  # clip paths, unique on the page
    svg = re.sub(r"<svg ", '<svg preserveAspectRatio="xMidYMid meet" ', svg, count=1)
    box = (
        f'<div class="kd-panel" role="img" aria-label="{html.escape(panel.says)}" '
        f'style="--kd-width:{panel.width}px;--kd-height:{panel.height}px">'
        f"{theme.themed(svg)}</div>"
    )
    return box, json.loads(theme.themed(json.dumps(_rounded(spec))))


def _silence(part: dict[str, Any]) -> None:
    """Leave out what Vega says of each mark: the panel has one text for all of them."""
    for name in ("title", "legends", "axes", "marks"):
        inner = part.get(name) or []
        for one in [inner] if isinstance(inner, dict) else list(inner):
            if isinstance(one, dict):  # a title may be plain text
                one["aria"] = False
                _silence(one)


def _rounded(value: Any) -> Any:
    """Floats of a specification to six significant digits: pages stay light."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _rounded(v) for key, v in value.items()}
    if isinstance(value, list):
        return [_rounded(v) for v in value]
    return value


def _embedded(state: Any) -> str:
    """JSON that may stand in a ``<script>``: no text in it can end the element."""
    return json.dumps(state, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _inline(text: str) -> str:
    """Escaped text with ``*emphasis*``, the one mark that captions use."""
    return re.sub(r"\*([^*]+)\*", r"<em>\1</em>", html.escape(text, quote=False))


def table_html(table: pd.DataFrame, caption: str) -> str:
    """A frame as a table with headed rows (first column) and columns.

    Floats are shown with two decimals, missing values as a dash.
    """

    def cell(value: Any) -> str:
        if value is None or (isinstance(value, float) and value != value):
            return "–"
        if isinstance(value, float):
            return f"{value:.2f}".replace("-", "−")
        return html.escape(str(value))

    head = "".join(f'<th scope="col">{html.escape(str(c))}</th>' for c in table.columns)
    rows = []
    for row in table.itertuples(index=False):
        first, *rest = row
        label = f"{first:g}" if isinstance(first, float) else html.escape(str(first))
        rows.append(
            f'<tr><th scope="row">{label}</th>'
            + "".join(f"<td>{cell(v)}</td>" for v in rest)
            + "</tr>"
        )
    return (
        f'<div class="kd-scroll" tabindex="0" role="region" aria-label="Numbers: '
        f'{html.escape(caption)}"><table class="kd-table"><caption>{html.escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
