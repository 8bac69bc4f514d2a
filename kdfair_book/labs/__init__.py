"""Checks of the course's labs: they say whether an answer is right, and never show it.

In a lab, ``check("1.1", answer)`` prints a tick, or stops with a sentence about what is not right
yet. ``kdfair_book.labs.lab2.studies()`` and the like make the data that a lab works on. Anyone can
read the answers here; teachers find them worked out in ``tests/labs/solutions.py``.
"""

from kdfair_book.labs import lab1, lab2, lab3, lab4, lab5
from kdfair_book.labs.checking import NotYet, check, questions

__all__ = ["NotYet", "check", "lab1", "lab2", "lab3", "lab4", "lab5", "questions"]
