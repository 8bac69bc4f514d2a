"""Checks as a reader sees them: a verdict, both values, and why."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import pandas as pd

from kdfair_book.paper.checks import checks

#: Values of fewer characters than this stand in the line of a difference: stated → recomputed.
SHORT = 120
VERDICTS = {True: "= agrees", False: "≠ differs"}

_STYLE = """<style>
.kd-checks { margin: 0.5rem 0 1rem; }
.kd-checks summary { cursor: pointer; }
.kd-checks section details { font-size: 0.95em; margin: 0; }
.kd-checks section { border-top: 1px solid var(--kd-grid, #8888); padding: 0.35rem 0; }
.kd-checks p { margin: 0.15rem 0; }
.kd-checks .kd-verdict { font-weight: 700; }
.kd-checks .kd-where { opacity: 0.85; font-size: 0.85em; }
.text_html:has(> .kd-checks) { background: none !important; color: inherit !important; }
.kd-checks dl { display: grid; grid-template-columns: 6.5rem 1fr; gap: 0 0.6rem; margin: 0.3rem 0; }
.kd-checks dt { font-weight: 400; opacity: 0.8; }
.kd-checks dd { margin: 0; font-variant-numeric: tabular-nums; }
</style>"""


@dataclass(frozen=True)
class Listing:
    """Checks that show themselves in a notebook: as blocks, or as plain text."""

    rows: pd.DataFrame

    def _repr_html_(self) -> str:
        return f'{_STYLE}<div class="kd-checks">{"".join(map(_html, self._records()))}</div>'

    def __repr__(self) -> str:
        return "\n".join(
            f"{VERDICTS[row['agrees']]}: {row['claim']} ({row['where']})\n"
            f"    stated: {row['stated']}\n    recomputed: {row['recomputed']}"
            for row in self._records()
        )

    def _records(self) -> list[dict]:
        return self.rows.to_dict("records")


def listing(topic: str | None = None, *, show: str = "all") -> Listing:
    """Show checks.

    Parameters
    ----------
    topic : str, optional
        One of ``TOPICS``; all of them if None.
    show : str
        "all", "agree" or "differ".

    Raises
    ------
    ValueError
        If the topic or what to show is unknown; the message names the choices.
    """
    choices = {"all": (True, False), "agree": (True,), "differ": (False,)}
    if show not in choices:
        raise ValueError(f"unknown choice {show!r} of what to show; expected {', '.join(choices)}")
    rows = checks(topic)
    return Listing(rows[rows["agrees"].isin(choices[show])].reset_index(drop=True))


def _html(row: dict) -> str:
    """A line; where and why wait behind it, and long values."""
    text = {key: escape(str(value), quote=False) for key, value in row.items()}
    verdict = f'<span class="kd-verdict">{VERDICTS[row["agrees"]]}</span>'
    where = f'<p class="kd-where">{text["where"]}</p>'
    values = (
        f"<dl><dt>stated</dt><dd>{text['stated']}</dd>"
        f"<dt>recomputed</dt><dd>{text['recomputed']}</dd></dl>"
    )
    note = f"<p>{text['note']}</p>" if row["note"] else ""
    claim = text["claim"]
    if not row["agrees"]:
        claim = f"<strong>{claim}</strong>"
        if len(row["stated"]) + len(row["recomputed"]) < SHORT:
            claim += f'<p class="kd-where">{text["stated"]} → {text["recomputed"]}</p>'
    line = f"<summary>{verdict} · {claim}</summary>"
    return f"<section><details>{line}{values}{where}{note}</details></section>"
