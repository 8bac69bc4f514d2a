"""The dial of temperatures, as a chart knows it: its Vega signals.

The temperatures of a study are a list without even steps (1..10, 20, 30, 40), so the dial is
a position in that list. A chart has the Vega signals ``dial`` (the position, 0-based),
``temperatures`` (the list) and ``T`` (the temperature at the position), and uses ``T`` in its
filters. In JupyterLab a slider under the chart moves ``dial``; in the book the page's dial does.
"""

from collections.abc import Sequence

import altair as alt

#: Pixels beside a legend: the padding.
LEGEND_MARGIN = 12
#: A filter that keeps the rows at the dial's temperature.
AT_DIAL = "datum.T == T"


def position(temperatures: Sequence[float], start: float) -> int:
    """Where ``start`` stands in ``temperatures``.

    Raises
    ------
    ValueError
        If it is not one of them.
    """
    if start not in list(temperatures):
        choices = ", ".join(f"{t:g}" for t in temperatures)
        raise ValueError(f"no temperature {start!r} in this chart; choose from {choices}")
    return list(temperatures).index(start)


def params(
    temperatures: Sequence[float], start: float, *, slider: bool, room: float = 360
) -> list[alt.Parameter]:
    """The three signals of the dial; with ``slider``, an input under the chart.

    A fourth signal, ``room``, is the width that a chart has for its legend, in pixels; a fifth,
    ``ends``, says whether lines are labeled where they end instead.
    """
    at = position(temperatures, start)
    bind = alt.binding_range(min=0, max=len(temperatures) - 1, step=1, name="Temperature, place ")
    return [
        alt.param(name="dial", value=at, bind=bind) if slider else alt.param(name="dial", value=at),
        alt.param(name="temperatures", value=[float(t) for t in temperatures]),
        alt.param(name="T", expr="temperatures[dial]"),
        alt.param(name="room", value=room - LEGEND_MARGIN),
        alt.param(name="ends", value=False),
    ]
