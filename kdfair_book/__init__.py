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
