"""Colors, marks and texts that every chart shares.

A chart is written in the plain colors of the light theme, so that it works anywhere. In the
book every one of these colors becomes a CSS variable (:func:`themed`), so that the picture
follows the reader's theme, alive or static, without being drawn again.
"""

import re
import sys
from typing import Any

from kdfair_core.files import safe_name
from kdfair_core.results import manifest

#: Name of a color -> (light theme, dark theme). Light values are unique: they are the key by
#: which :func:`themed` finds a color again.
COLORS = {
    "ink": ("#1f2730", "#e6edf3"),
    "muted": ("#4f5964", "#b1bac4"),
    "grid": ("#dfe4e9", "#363e48"),
    "surface": ("#fefefe", "#14181e"),
    "teacher": ("#3b3f46", "#d5dbe2"),
    "nds": ("#b35309", "#f2a65a"),
    "ds": ("#0b62a5", "#6fb7ff"),
    "other": ("#a657e0", "#c953b4"),
    "floor": ("#66707b", "#98a3ae"),
    "chance": ("#b9c2cb", "#4a5460"),
    "mark": ("#a8124f", "#ff8fb8"),
    "dial": ("#0f766e", "#4fd1c1"),
    "seq-0": ("#eef4fa", "#18212c"),
    "seq-1": ("#d3e4f3", "#1b3049"),
    "seq-2": ("#a9cde6", "#1d4468"),
    "seq-3": ("#79b1d8", "#1f5b8c"),
    "seq-4": ("#3476ad", "#5f9fd6"),
    "seq-5": ("#1e5f9c", "#94c4ef"),
    "seq-6": ("#0b3d76", "#cde6ff"),
    "on-low": ("#1c2631", "#eef4fb"),
    "on-high": ("#fdfdfd", "#08121d"),
}
LIGHT = {name: light for name, (light, _) in COLORS.items()}
SEQUENCE = [LIGHT[f"seq-{i}"] for i in range(7)]

#: What each series is drawn with: color, dash, shape. Never by color alone.
SERIES = {
    "teacher": ("teacher", [1, 0], "square"),
    "student alone": ("nds", [7, 3], "triangle-up"),
    "distilled student": ("ds", [1, 0], "circle"),
    "distilled, with T²": ("ds", [1, 0], "circle"),
    "distilled, without T²": ("other", [5, 2], "diamond"),
    "no errors": ("floor", [2, 3], "stroke"),
    "measured here": ("ds", [1, 0], "circle"),
    "paper": ("other", [5, 2], "diamond"),
    "#SC": ("ds", [1, 0], "circle"),
    "#TC": ("other", [5, 2], "diamond"),
    "null control": ("nds", [7, 3], "triangle-up"),
    "equal groups": ("muted", [1, 3], "cross"),
    "softened student alone": ("nds", [2, 3], "triangle-down"),
    "constant": ("floor", [2, 3], "stroke"),
    "T² scale": ("ds", [1, 0], "circle"),
    "no scale": ("other", [5, 2], "diamond"),
    "Hinton's loss": ("ds", [1, 0], "circle"),
    "decoupled": ("other", [5, 2], "diamond"),
    "standardized": ("nds", [7, 3], "triangle-up"),
    "hard term": ("teacher", [7, 3], "square"),
    "alpha 0.8": ("ds", [1, 0], "circle"),
    "alpha 0.6": ("other", [5, 2], "diamond"),
}

#: Series -> what the legend calls it, with the paper's abbreviation.
IN_FULL = {
    "student alone": "student alone (NDS)",
    "distilled student": "distilled student (DS)",
    "#SC": "#SC: student alone, distilled",
    "#TC": "#TC: teacher, distilled",
}

#: Series -> its label where a line ends, if that is shorter.
AT_END = {"distilled, with T²": "with T²", "distilled, without T²": "without T²"}

#: Where a number comes from -> what the badge says.
BADGES = {
    "reported": "reported by the paper",
    "paper": "measured here (paper protocol)",
    "laptop": "measured here (laptop)",
    "smoke": "measured here (smoke)",
    "simulated": "simulated here",
    "annotations": "counted here (annotations)",
    "timed": "timed here (benchmark)",
}

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

CONFIG: dict[str, Any] = {
    "background": "transparent",
    "font": FONT,
    "aria": False,  # the figure carries one text alternative; marks need none of their own
    "view": {"stroke": None},
    "axis": {
        "labelColor": LIGHT["muted"],
        "titleColor": LIGHT["muted"],
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "gridColor": LIGHT["grid"],
        "domainColor": LIGHT["grid"],
        "tickColor": LIGHT["grid"],
    },
    "title": {
        "color": LIGHT["ink"],
        "subtitleColor": LIGHT["muted"],
        "fontSize": 13,
        "subtitleFontSize": 11,
        "fontWeight": 600,
        "anchor": "start",
        "offset": 8,
    },
    "legend": {
        "labelColor": LIGHT["ink"],
        "labelFontSize": 11,
        "title": None,
        "orient": "bottom",
        "direction": "horizontal",
        "columns": 4,
        "layout": {"bottom": {"anchor": "start", "bounds": "full"}},
        "columnPadding": 12,
        "rowPadding": 3,
        "labelLimit": 240,
        "offset": 8,
    },
    "text": {"color": LIGHT["ink"], "fontSize": 11},
}

# As many entries beside each other as fit; the signal is defined where there is a dial (see
# signals.params), and only there.
WITH_DIAL = CONFIG | {
    "legend": CONFIG["legend"] | {"columns": {"expr": "clamp(floor(room / 170), 1, 4)"}}
}

_NAME = {light: name for name, light in LIGHT.items()}
_COLOR = re.compile("|".join(_NAME))


def in_jupyter(chart: Any, config: dict[str, Any]) -> dict[str, Any]:
    """MIME bundle of an Altair chart: what JupyterLab draws itself, without the network."""
    if "google.colab" in sys.modules:  # which draws Altair's own bundle only
        return chart._repr_mimebundle_()
    spec = chart.to_dict()
    spec["config"] = {**config, "background": LIGHT["surface"]}
    # JupyterLab's renderer answers to this type; nothing newer is used.
    spec["$schema"] = "https://vega.github.io/schema/vega-lite/v5.json"
    return {"application/vnd.vegalite.v5+json": spec}


def badge_text(badge: str) -> str:
    """What the badge says for ``badge``: a key of :data:`BADGES`, or a profile of one's own.

    Raises
    ------
    ValueError
        If ``badge`` names neither.
    """
    if badge not in BADGES:
        return manifest.badge(safe_name(badge, "badge"))
    return BADGES[badge]


def themed(text: str) -> str:
    """``text`` (JSON or SVG) with each color of the light theme as a CSS variable.

    ``#0b62a5`` becomes ``var(--kd-ds,#0b62a5)``: a page without the style sheet still shows
    the light color.
    """
    return _COLOR.sub(lambda m: f"var(--kd-{_NAME[m[0]]},{m[0]})", text)


def css() -> str:
    """The style sheet that gives the variables of :func:`themed` their values."""
    light = "".join(f"--kd-{name}:{pair[0]};" for name, pair in COLORS.items())
    dark = "".join(f"--kd-{name}:{pair[1]};" for name, pair in COLORS.items())
    return (
        f":root{{{light}}}\n"
        f'@media screen{{html[data-theme="dark"]{{{dark}}}}}\n'
        f"@media screen and (prefers-color-scheme:dark)"
        f"{{html:not([data-theme]){{{dark}}}}}\n"
    )
