"""What a page of the book holds, in figures and in sentences."""

from kdfair_book.pages.study_page import Page, measured, open_study

__all__ = ["Page", "measured", "open_study"]
