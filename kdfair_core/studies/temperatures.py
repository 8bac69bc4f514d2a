"""The temperatures that students are trained at, and so those that a page's dial shows."""

TEMPERATURES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 30, 40)
"""The paper's range, with T = 1 (its fairness tables) and its extremes."""

WITHOUT_SOME = (1, 2, 4, 6, 8, 10, 20, 40)
"""Where training takes long: T = 3, 5, 7, 9 and 30 left out."""

OTHER_LOSSES = (1, 2, 4, 8, 20)
"""Of the losses that are compared with the paper's."""

SMOKE = (1, 4, 10)
