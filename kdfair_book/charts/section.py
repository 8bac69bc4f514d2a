"""Several figures and sentences that one cell shows."""

from __future__ import annotations


class Section(tuple):
    """Figures and sentences that show themselves one below the other."""

    def _ipython_display_(self) -> None:
        from IPython.display import display

        for part in self:
            display(part)
