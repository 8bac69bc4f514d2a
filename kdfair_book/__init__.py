"""What the book computes, says and draws.

::

    paper      the paper's numbers, and the paper against itself
    evidence   intervals, tests and controls of a study; simulations behind them
    claims     the paper's claims, each with its test and its verdict
    charts     figures that answer the temperature dial
    pages      what a page holds, in figures and in sentences
    explore    explorers and widgets for JupyterLab
    labs       checks of the course's labs
    toy        distillation in the plane, small enough to draw
    build      papermill, then Jupyter Book
"""


def __getattr__(name: str) -> object:
    """``report``, imported when it is asked for (see :mod:`kdfair_book.pages.one_file`)."""
    if name == "report":
        from kdfair_book.pages.one_file import report

        return report
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
