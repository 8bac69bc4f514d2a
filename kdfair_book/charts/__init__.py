"""Figures that answer one temperature dial: in JupyterLab and in the book.

Each function takes published results (or the name of a study in the paper) and returns a
:class:`Figure`, which shows itself.
"""

from . import altair_import  # noqa: F401  (before the first import of Altair)
from .classes import class_accuracy, disagreement
from .figure import Figure, Panel
from .opening import opening
from .paper import paper_counts, paper_fairness
from .paper_comparison import beside_paper
from .picture import Picture
from .study import affected_counts, fairness, individual_fairness
from .temperature import against_temperature

__all__ = [
    "Figure",
    "Panel",
    "Picture",
    "affected_counts",
    "against_temperature",
    "beside_paper",
    "class_accuracy",
    "disagreement",
    "fairness",
    "individual_fairness",
    "opening",
    "paper_counts",
    "paper_fairness",
]
