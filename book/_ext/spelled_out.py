"""Spells out the book's abbreviations where a page first uses them.

Pages are written by many hands, and their sentences by programs, so the rule is kept in one place:
the first use in a page's running text is followed by the full name, unless that stands near it
already. Headings, tables, formulas, code and what the dial rewrites are left as they are.
"""

import re
from typing import Any

from sphinx.application import Sphinx

#: Abbreviation -> what is added after it, and what shows that it is spelled out already.
FULL = {
    "EOD": ("equalized odds difference", "equalized odds difference"),
    "DPD": ("demographic parity difference", "demographic parity difference"),
    "NDS": ("non-distilled student", "non-distilled|student alone|trained alone|without"),
    "DS": ("distilled student", "distilled student|distilled from"),
    "#SC": (
        "the number of classes that differ between the student alone and the distilled student",
        "(?:alone|non-distilled|NDS).{0,90}(?:distilled|DS)|distilled.{0,90}alone",
    ),
    "#TC": (
        "the number of classes that differ between teacher and distilled student",
        "teacher.{0,90}(?:distilled|DS)|(?:distilled|DS).{0,60}teacher",
    ),
}
#: Characters on either side in which the full name counts as near.
NEAR = 160
WHOLE = ("script", "style", "svg", "math", "pre", "code", "thead", "caption", "dt", "summary")
KEPT = re.compile(
    r"<!--.*?-->"
    + "".join(rf"|<{tag}\b.*?</{tag}>" for tag in (*WHOLE, *(f"h{k}" for k in range(1, 7))))
    + r'|<table class="kd-table.*?</table>'
    + r'|<p class="(?:kd-readout|kd-badge)[^>]*>.*?</p>|<ul class="kd-key.*?</ul>|<[^>]*>',
    re.DOTALL,
)


def spelled_out(body: str) -> str:
    """A page's HTML with each abbreviation spelled out at its first use in running text."""
    pieces, at = [], 0  # alternately text that may change, and what is kept
    for kept in KEPT.finditer(body):
        pieces += [body[at : kept.start()], kept.group()]
        at = kept.end()
    pieces.append(body[at:])
    for short, (full, shown) in FULL.items():
        _once(pieces, rf"(?<![\w#]){re.escape(short)}(?!\w)", shown, rf"\g<0> ({full})")
    _once(pieces, r"(?<!\w)T²", "temperature", r"\g<0> (T: the temperature)")
    _once(pieces, r"(?<!\w)T(?= = \d)", "temperature", "temperature T", before=True)
    return "".join(pieces)


def _once(
    pieces: list[str], pattern: str, shown: str, instead: str, *, before: bool = False
) -> None:
    """Replace the first match in what may change, unless the full name is near or before it."""
    text = [piece if k % 2 == 0 else _plain(piece) for k, piece in enumerate(pieces)]
    for k in range(0, len(pieces), 2):
        found = re.search(pattern, pieces[k])
        if found is None:
            continue
        past = "".join(text[:k]) + pieces[k][: found.start()]
        rest = pieces[k][found.end() :] + "".join(text[k + 1 :])
        near = past if before else past[-NEAR:] + found.group() + rest[:NEAR]
        if not re.search(shown, near, re.IGNORECASE | re.DOTALL):
            pieces[k] = re.sub(pattern, instead, pieces[k], count=1)
        return


def _plain(kept: str) -> str:
    """What of a kept piece a reader reads as text beside it: of a tag nothing, of a heading all."""
    if re.match(r"<(script|style|svg|pre|!--)", kept):
        return ""
    return re.sub(r"<[^>]*>", "", kept)


def change_body(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Spell out a page's abbreviations; the glossary and the reference define them."""
    if "body" in context and not page.endswith(("glossary", "api", "genindex")):
        context["body"] = spelled_out(context["body"])


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect."""
    app.connect("html-page-context", change_body)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
