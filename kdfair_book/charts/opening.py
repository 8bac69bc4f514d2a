"""The chart of the book's first page."""

from dataclasses import replace

from kdfair_book.evidence import fairness_intervals
from kdfair_book.evidence.regime import regime
from kdfair_core import results
from kdfair_core.results import Results

from .figure import Figure
from .paper import paper_fairness
from .study import fairness

STUDY, ATTRIBUTE = "faces", "gender"
INSTEAD = "celeba-smiling", "Young"


def opening(*, start: float = 4) -> Figure:
    """Accuracy and EOD of Faces' students with the factor T squared and without, under the dial.

    Where that was not measured, what the paper reports of faces.

    Parameters
    ----------
    start
        Temperature at which the dial starts.
    """
    try:
        found = results.load(STUDY)
    except results.NotMeasured:
        figure = paper_fairness(*INSTEAD, start=start)
        return replace(figure, name="opening", panels=figure.panels[:2], columns=2)
    start = start if start in found.temperatures else found.temperatures[0]
    figure = fairness(found, ATTRIBUTE, start=start, soft_scale="both", metrics=("accuracy", "eod"))
    return replace(
        figure,
        name="opening",
        note=regime(found).short,
        title="Thirty or older? Faces, by gender",
        caption=(
            "Distilled students whose loss multiplies the teacher's part by T², and students whose "
            "loss does not. Left, how often they are right; right, how unevenly their errors fall "
            "on men and women (EOD, equalized odds difference; 0 is even). Bands are 95 % "
            "intervals over test examples and seeds. "
            f"*{_parted(found)}*"
        ),
        panels=[replace(panel, height=240) for panel in figure.panels],
        columns=2,
    )


def _parted(found: Results) -> str:
    """From which temperature on the bands of EOD with and without the factor lie apart."""
    frame = fairness_intervals(found, ATTRIBUTE)
    frame = frame[(frame["metric"] == "eod") & (frame["role"] == "ds")]
    low = frame[frame["soft_scale"] == "none"].set_index("temperature")["low"]
    high = frame[frame["soft_scale"] == "T2"].set_index("temperature")["high"]
    apart = [t for t in sorted(high.index.intersection(low.index)) if low[t] > high[t]]
    if not apart:
        return "The bands overlap at every temperature: chance may explain what differs."
    every = all(t in apart for t in high.index if t >= apart[0])
    where = f"From T = {apart[0]:g} on" if every else f"At {len(apart)} temperatures"
    return f"{where}, EOD without the factor is higher and the bands do not overlap: beyond chance."
