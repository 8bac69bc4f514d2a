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
        title="One student, trained at thirteen temperatures",
        caption=(
            "Left, how often the distilled student (DS) is right; right, how unevenly its errors "
            "fall on the groups (EOD, zero is even). The dashed line is the same network trained "
            "without a teacher (NDS). Bands hold, with 95 % certainty, what one trained model has "
            "among all it could meet; luck makes a largest difference larger, so points may lie "
            "above them. *Does fairness move where accuracy hardly does?*"
        ),
        panels=[replace(panel, height=225) for panel in figure.panels],
        columns=2,
    )
