"""Headings and tables of the report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kdfair_audit.numbers import ROLE_NAMES
from kdfair_audit.report_charts import Scale, text

ROWS = 12  # a longer table folds away what is least notable
NUMERIC = {
    "n",
    "as measured",
    "corrected",
    "change",
    "interval",
    "p",
    "value",
    "floor",
    "chance",
    "large groups",
    "gap",
}
NUMERIC |= {*ROLE_NAMES.values(), "student", "accuracy", "disagree", "examples", "ECE"}
NUMERIC |= {"relative to overall", "mean score", "came true"}

Head = Sequence[str | Scale]


def h2(title: str) -> str:
    return f'<h2 class="ka-h2">{text(title)}</h2>'


def h3(title: str) -> str:
    return f'<h3 class="ka-h3">{text(title)}</h3>'


def table(
    caption: str,
    head: Head,
    lines: Sequence[str],
    small: Iterable[bool] = (),
    *,
    kind: str = "",
    shown: int = ROWS,
    most: int = 1000,
) -> str:
    """A table in a box that scrolls; rows beyond ``shown`` fold away.

    A ``Scale`` heads the column of tracks that it belongs to.
    """
    if not lines:
        return ""
    faint = list(small) or [False] * len(lines)
    rows = [
        f"<tr{' class=ka-small' if is_small else ''}>{line}</tr>"
        for line, is_small in zip(lines, faint, strict=True)
    ]
    cells = "".join(_head(name) for name in head)
    thead = f"<thead><tr>{cells}</tr></thead>"

    def box(part: Sequence[str], title: str) -> str:
        heading = f'<p class="ka-caption">{text(title)}</p>' if title else ""
        return (
            f'{heading}<div class="ka-scroll" role="group" tabindex="0" '
            f'aria-label="{text(title or "Numbers")}"><table{f" class={kind}" if kind else ""}>'
            f"{thead}<tbody>{''.join(part)}</tbody></table></div>"
        )

    first = box(rows[:shown], caption)
    if len(rows) <= shown:
        return first
    rest = box(rows[shown:most], "The other rows.")
    end = f", of which {most - shown:,} are listed" if len(rows) > most else ""
    return f"{first}<details><summary>{len(rows) - shown:,} more{end}</summary>{rest}</details>"


def _head(name: str | Scale) -> str:
    if isinstance(name, Scale):
        return f'<th scope="col" class="ka-wide">{name.ends()}</th>'
    if not name:
        return "<td></td>"
    numeric = " class=ka-num" if name in NUMERIC else ""
    return f'<th scope="col"{numeric}>{text(name)}</th>'
