"""A figure that does not answer the temperature dial."""

import re
from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from . import dial, theme
from .figure import Figure, Panel


class Still(Figure):
    """A figure without temperatures: same badge, caption, numbers and text, but no dial."""

    def to_altair(self) -> Any:
        """All panels as one Altair chart, for JupyterLab or a file; there is no slider."""
        charts = [
            panel.chart.properties(
                width=panel.width - 60, height=panel.height - 80, title=panel.title
            )
            for panel in self.panels
        ]
        joined = alt.concat(*charts, columns=self.columns).resolve_scale(color="independent")
        badge: list[Any] = [theme.badge_text(self.badge)]
        return joined.add_params(
            *dial.params(self.temperatures, self.start, slider=False)
        ).properties(title=alt.Title(self.title, subtitle=badge, anchor="start"))

    def to_html(self) -> str:
        """The figure for a page of the book; it asks for no dial."""
        return re.sub(r' data-kd-temperatures="[^"]*" data-kd-start="[^"]*"', "", super().to_html())


def still(
    name: str,
    title: str,
    caption: str,
    badge: str,
    panels: Sequence[Panel],
    table: pd.DataFrame,
    said: str,
    *,
    columns: int = 1,
) -> Still:
    """A figure that stays as it is; ``said`` is the sentence under it."""
    theme.badge_text(badge)
    return Still(
        name=name,
        title=title,
        caption=caption,
        badge=badge,
        panels=panels,
        table=table,
        temperatures=(1.0,),
        start=1.0,
        readout={1.0: said},
        columns=columns,
    )
