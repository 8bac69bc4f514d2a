"""Text that waits behind a line until a reader opens it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import Any

from markdown_it import MarkdownIt


@dataclass(frozen=True)
class Folded:
    """Markdown texts below a line that opens them; plain text elsewhere.

    Attributes
    ----------
    title : str
    texts : sequence of str
        Plain Markdown: paragraphs, lists, tables, emphasis, links to pages of the same folder.
    """

    title: str
    texts: Any

    def _repr_html_(self) -> str:
        write = MarkdownIt("commonmark").enable("table")
        body = "".join(write.render(str(text)) for text in self.texts)
        body = re.sub(r'href="([\w-]+)\.ipynb', r'href="\1.html', body)
        body = body.replace(
            "<table>",
            f'<div class="kd-scroll" tabindex="0" role="region" '
            f'aria-label="{escape(self.title)}"><table class="kd-table kd-wrapped">',
        ).replace("</table>", "</table></div>")
        return f'<details class="kd-folded"><summary>{escape(self.title)}</summary>{body}</details>'

    def _repr_markdown_(self) -> str:
        return "\n\n".join(map(str, self.texts))

    def __repr__(self) -> str:
        return self._repr_markdown_()
