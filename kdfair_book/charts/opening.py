"""The chart of the book's first page."""

from dataclasses import replace

from kdfair_core import results

from .figure import Figure
from .paper import paper_fairness
from .study import fairness

STUDY, ATTRIBUTE = "trifeature", "color"


def opening(*, start: float = 4) -> Figure:
    """Accuracy and EOD of Trifeature's students: measured here, else as the paper reports them.

    Parameters
    ----------
    start
        Temperature at which the dial starts.
    """
    try:
        found = results.load(STUDY)
    except results.NotMeasured:
        figure = paper_fairness(STUDY, ATTRIBUTE, start=start)
        figure = replace(figure, panels=figure.panels[:2])
    else:
        start = start if start in found.temperatures else found.temperatures[0]
        figure = fairness(found, ATTRIBUTE, start=start, metrics=("accuracy", "eod"))
    return replace(
        figure,
        name="opening",
        title="Shapes named by a student, taught at each temperature",
        caption=(
            "Pictures of shapes in ten colors (Trifeature). Left, how often the distilled student "
            "(DS) names the shape right; right, how unevenly its errors fall on the colors (EOD, "
            "zero is even). Dashed: the same network trained without a teacher (NDS). Bands: 95 % "
            "intervals, freed of noise that raises the points. *Is the most accurate the fairest?*"
        ),
        panels=[replace(panel, height=225) for panel in figure.panels],
        columns=2,
    )
