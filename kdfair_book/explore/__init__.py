"""Explorers of published results for JupyterLab."""

from kdfair_book.explore.widgets import Explorer, explore

__all__ = ["Explorer", "explore"]
