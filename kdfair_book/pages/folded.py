"""What waits behind a line until a reader opens it: texts, figures, tables."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from html import escape
from typing import Any

from markdown_it import MarkdownIt

from kdfair_book.charts.figure import BOOK_VARIABLE
from kdfair_book.pages.text import Text


@dataclass(frozen=True)
class Folded:
    """Parts of a page below a line that opens them; one below the other in JupyterLab.

    Attributes
    ----------
    title : str
    texts : sequence
        Plain Markdown (paragraphs, lists, tables, emphasis, links to pages of the same folder),
        figures, and whatever else shows itself as HTML.
    """

    title: str
    texts: Any

    def _repr_html_(self) -> str:
        body = "".join(self._html(part) for part in self.texts)
        return f'<details class="kd-folded"><summary>{escape(self.title)}</summary>{body}</details>'

    def _html(self, part: Any) -> str:
        if not isinstance(part, str):
            return part.to_html() if hasattr(part, "panels") else part._repr_html_()
        text = MarkdownIt("commonmark").enable("table").render(str(part))
        text = re.sub(r'href="([\w-]+)\.ipynb', r'href="\1.html', text)
        return text.replace(
            "<table>",
            f'<div class="kd-scroll" tabindex="0" role="region" '
            f'aria-label="{escape(self.title)}"><table class="kd-table kd-wrapped">',
        ).replace("</table>", "</table></div>")

    def _ipython_display_(self) -> None:
        from IPython.display import display

        if os.environ.get(BOOK_VARIABLE) or all(isinstance(part, str) for part in self.texts):
            plain = dict.fromkeys(("text/markdown", "text/plain"), repr(self))
            display({"text/html": self._repr_html_(), **plain}, raw=True)
        else:
            display(Text(f"**{self.title}**"), *self.texts)

    def __repr__(self) -> str:
        return "\n\n".join(map(str, self.texts))
