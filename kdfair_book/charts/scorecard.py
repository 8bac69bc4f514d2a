"""The scorecard: claims against studies, a verdict in each cell."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd

from kdfair_book import claims
from kdfair_book.evidence.across_studies import TITLES
from kdfair_book.paper.checks.check import NAMES
from kdfair_core import studies

#: Verdict -> sign and word: never by color alone.
SIGNS = {
    "holds": "✓",
    "fails": "✗",
    "undecided": "?",
    "not measured": "–",
}

#: The same where a study is not in the paper's regime: no check and no cross beside the paper's
#: claim, since such a verdict speaks of the study alone.
APART = {"holds": "●", "fails": "○"}

ASKED = {"classes": "ten classes or more", "groups": "groups of people or things"}

PAPER_COLUMN = "the paper's own tables"

POOLED_COLUMN = "all studies together"

#: Endings of the columns of :func:`kdfair_book.claims.pooled` -> what they speak of.
POOLED = {"these": "these studies", "like": "studies like these"}

NOT_POOLED = '<span class="kd-not-measured">· one study only</span>'

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"

_STYLE = """<style>
.kd-score { border-collapse: collapse; font-size: 0.8rem; }
.kd-score th, .kd-score td { border-bottom: 1px solid var(--kd-grid, #8888);
  padding: 0.3rem 0.2rem; text-align: left; vertical-align: top; }
.kd-score thead th { vertical-align: bottom; }
.kd-score tbody th { font-weight: 400; min-width: 6.5rem; }
.kd-score a { text-decoration: none; }
.kd-score a:hover, .kd-score a:focus { text-decoration: underline; }
.kd-score small { display: block; font-size: 0.7rem; opacity: 0.85; }
.kd-holds { color: var(--kd-ds, #0b62a5); font-weight: 700; white-space: nowrap; }
.kd-fails { color: var(--kd-mark, #a8124f); font-weight: 700; white-space: nowrap; }
.kd-elsewhere.kd-holds, .kd-elsewhere.kd-fails { color: var(--kd-ink, #1f2730); }
.kd-undecided, .kd-not-measured { color: var(--kd-muted, #4f5964); white-space: nowrap; }
.kd-reasons details { border-top: 1px solid var(--kd-grid, #8888); padding: 0.3rem 0; margin: 0; }
.kd-reasons summary { cursor: pointer; }
.kd-reasons ul { font-size: 0.9rem; }
.text_html:has(> .kd-reasons) { background: none !important; color: inherit !important; }
.kd-across { overflow-x: auto; }
.text_html:has(> .kd-across) { background: none !important; color: inherit !important; }
</style>"""


@dataclass(frozen=True)
class Scorecard:
    """A scorecard that shows itself: a table for readers, plain text elsewhere.

    Attributes
    ----------
    frame
        From :func:`kdfair_book.claims.scorecard`.
    paper
        From :func:`kdfair_book.claims.paper_tables`: a column of its own.
    pooled
        From :func:`kdfair_book.claims.pooled`: another.
    """

    frame: pd.DataFrame
    paper: pd.DataFrame | None = None
    pooled: pd.DataFrame | None = None

    def _repr_html_(self) -> str:
        measured = self.frame[(self.frame["profile"] != "") & (self.frame["study"] != "all")]
        columns = measured[["study", "profile"]].drop_duplicates().to_numpy().tolist()
        head = "".join(
            f'<th scope="col">{escape(titled(study))}<small>{escape(profile)}'
            f"{self._regime(study, profile)}</small></th>"
            for study, profile in columns
        )
        if self.paper is not None:
            head = f'<th scope="col">{PAPER_COLUMN}<small>tested alike</small></th>{head}'
        if self.pooled is not None:
            head += f'<th scope="col">{POOLED_COLUMN}<small>pooled, beside the cells</small></th>'
        body = "".join(self._row(claim, columns) for claim in claims.CLAIMS)
        title = "Verdict on each claim, for each study that was measured"
        return (
            f'{_STYLE}<div class="kd-across" tabindex="0" role="region" aria-label="{title}">'
            f'<table class="kd-score"><thead><tr><th scope="col">claim</th>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>"
        )

    def _regime(self, study: str, profile: str) -> str:
        """What a column's head says of its regime, with what differs on hovering."""
        if "regime" not in self.frame:
            return _beyond(study)
        rows = self.frame[(self.frame["study"] == study) & (self.frame["profile"] == profile)]
        label, why = rows[["regime", "regime_why"]].iloc[0]
        return f'; <span title="{escape(why)}">{escape(label)}</span>' if label else ""

    def _row(self, claim: claims.Claim, columns: list[list[str]]) -> str:
        rows = self.frame[self.frame["claim"] == claim.id]
        ours = "<small>our question, not the paper's claim</small>" if claim.ours else ""
        name = f'<th scope="row">{escape(claim.sentence)}{ours}</th>{self._printed(claim)}'
        if claim.asks == "studies":
            cells = "; ".join(self._verdict(row) for row in rows.to_dict("records"))
            wide = f'<td colspan="{max(1, len(columns))}">{cells}</td>'
            return f"<tr>{name}{wide}{self._together(claim)}</tr>"
        cells = ""
        asked = f"asked of studies with {ASKED[claim.asks]}"
        for study, profile in columns:
            mine = rows[(rows["study"] == study) & (rows["profile"] == profile)]
            found = "".join(f"<div>{self._verdict(row)}</div>" for row in mine.to_dict("records"))
            nothing = f'<span class="kd-not-measured" title="{asked}">· not asked</span>'
            cells += f"<td>{found or nothing}</td>"
        return f"<tr>{name}{cells}{self._together(claim)}</tr>"

    def _together(self, claim: claims.Claim) -> str:
        """The cell of all studies pooled: for these studies, and for studies like these."""
        if self.pooled is None:
            return ""
        rows = self.pooled[self.pooled["claim"] == claim.id]
        mine = self.frame[(self.frame["claim"] == claim.id) & (self.frame["profile"] != "")]
        apart = len(mine) > 0 and all(map(elsewhere, mine.to_dict("records")))
        signs, kind = (SIGNS | APART, " kd-elsewhere") if apart else (SIGNS, "")
        lines = []
        for row in rows.to_dict("records"):
            family = f"{row['profile']}, " if rows["profile"].nunique() > 1 else ""
            for which, said in POOLED.items():
                word, why = row[f"verdict_{which}"], escape(pooled_numbers(row, which))
                small = f", {row[f'addition_{which}']}".rstrip(", ")
                lines.append(
                    f'<div><span class="kd-{word}{kind}" title="{why}">{signs[word]} {word}</span>'
                    f"<small>{family}{said}{small}</small></div>"
                )
        return f"<td>{''.join(lines) or NOT_POOLED}</td>"

    def _printed(self, claim: claims.Claim) -> str:
        """The cell of the paper's own tables: how many of their verdicts are of which kind."""
        if self.paper is None:
            return ""
        rows = self.paper[self.paper["claim"] == claim.id]
        if rows.empty:
            return '<td><span class="kd-not-measured">– not printed</span></td>'
        lines = []
        for word in SIGNS:
            mine = rows[rows["verdict"] == word]
            if len(mine):
                why = escape("; ".join(map(printed_cell, mine.to_dict("records"))))
                lines.append(
                    f'<div><span class="kd-{word}" title="{why}">{SIGNS[word]} {word}</span>'
                    f"<small>{len(mine)} of {len(rows)}</small></div>"
                )
        return f"<td>{''.join(lines)}</td>"

    def _verdict(self, row: dict) -> str:
        """One verdict, with its attribute, linked to the study's page; the numbers on hover."""
        word, why = row["verdict"], escape(numbers(row))
        text, apart = said(row), " kd-elsewhere" if elsewhere(row) else ""
        kind = f'class="kd-{word.replace(" ", "-")}{apart}" title="{why}"'
        by = escape(str(row["attribute"]).replace("_", " "))
        lacks = row.get("missing")
        if lacks is not None and word == "undecided":
            by += f"{': ' if by else ''}{escape(lacks.short)}"
        company = "; a training collapsed" if "collapsed" in str(row["why"]) else ""
        by = "; ".join(filter(None, [by, row["addition"] if word == "holds" else ""]))
        about = f"<small>{by}{company}</small>" if by or company else ""
        page = "" if word == "not measured" or row["study"] == "all" else study_page(row["study"])
        if not page:
            return f"<span {kind}>{text}</span>{about}"
        return (
            f'<a href="{escape(page)}#figure-{escape(figure_name(row))}" {kind}>{text}</a>{about}'
        )

    def __repr__(self) -> str:
        return "\n".join(
            f"{SIGNS[row['verdict']]} {row['verdict']:12} {row['claim']:28} {row['study']}"
            f"{' ' + row['profile'] if row['profile'] else ''}"
            f"{' by ' + row['attribute'] if row['attribute'] else ''}: {numbers(row)}"
            for row in self.frame.to_dict("records")
        )


@dataclass(frozen=True)
class Reasons:
    """What every verdict rests on: a block for each claim that opens."""

    frame: pd.DataFrame

    def _repr_html_(self) -> str:
        blocks = []
        for claim in claims.CLAIMS:
            rows = self.frame[(self.frame["claim"] == claim.id) & (self.frame["profile"] != "")]
            body = "".join(_reason(row) for row in rows.to_dict("records"))
            head = "".join(f'<th scope="col">{name}</th>' for name in REASON_COLUMNS)
            counts = rows["verdict"].value_counts()
            told = ", ".join(f"{counts[word]} {word}" for word in SIGNS if word in counts)
            blocks.append(
                f"<details><summary>{escape(claim.sentence)} <small>({told or 'not measured'})"
                f'</small></summary><div class="kd-scroll" tabindex="0" role="region" '
                f'aria-label="{escape(claim.sentence)}"><table class="kd-table kd-wrapped">'
                f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></details>"
            )
        return f'{_STYLE}<div class="kd-reasons">{"".join(blocks)}</div>'

    def __repr__(self) -> str:
        return repr(Scorecard(self.frame))


def elsewhere(row: dict) -> bool:
    """Whether a verdict is of a study that is not in the paper's regime."""
    return bool(row.get("regime")) and row["regime"] != "the paper's regime"


def said(row: dict) -> str:
    """A verdict with its sign, by whether it can speak of the paper."""
    word = row["verdict"]
    if elsewhere(row) and word in APART:
        return f"{APART[word]} {word}"
    return f"{SIGNS[word]} {word}"


REASON_COLUMNS = ("study", "verdict", "numbers", "p, corrected", "effect", "what would decide it")


def _reason(row: dict) -> str:
    """A row of :class:`Reasons`."""
    by = f", {row['attribute'].replace('_', ' ')}" if row["attribute"] else ""
    lacks = row.get("missing")
    measured = not np.isnan(row["p_value"])
    cells = [
        said(row) + f", {row['addition']}".rstrip(", "),
        str(row["why"]),
        f"{row['p_adjusted']:.2g}" if measured else "–",
        effect(row) if measured else "–",
        str(lacks) if lacks is not None else "–",
    ]
    regime = f" ({row['regime']})" if row.get("regime") else ""
    first = escape(f"{titled(str(row['study']))}, {row['profile']}{by}{regime}")
    return f'<tr><th scope="row">{first}</th>' + "".join(
        f"<td>{escape(cell)}</td>" for cell in cells
    ) + "</tr>"  # fmt: skip


def pooled_numbers(row: dict, which: str) -> str:
    """What a pooled verdict rests on; ``which`` is a key of :data:`POOLED`."""
    shown = effect(row | {"low": row[f"low_{which}"], "high": row[f"high_{which}"]})
    small = f"; {row[f'addition_{which}']}".rstrip("; ")
    p = row[f"p_value_{which}"]
    return f"effect {shown}, p = {p:.2g}, {row['studies']} studies, {row['cells']} cells{small}"


def p_value(p: float) -> str:
    """A p-value with two digits, very small ones as such."""
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}"


def p_said(p: float) -> str:
    """ "p = 0.03", or "p < 0.0001"."""
    return f"p {p_value(p)}" if p < 1e-4 else f"p = {p_value(p)}"


def printed_cell(row: dict) -> str:
    """Study and numbers of a verdict from the paper's own tables."""
    by = f" by {row['attribute']}" if row["attribute"] else ""
    where = "" if row["study"] == "all" else f"{NAMES[row['study']]}{by}: "
    return f"{where}{row['why']}"


def titled(study: str) -> str:
    """The name of a study as people write it."""
    return TITLES.get(study, study)


def effect(row: dict) -> str:
    """The effect of a verdict with its interval, rounded."""
    shares = claims.get(row["claim"]).shares
    low, middle, high = (
        _short(row[name] * (100 if shares else 1)) for name in ("low", "effect", "high")
    )
    unit = f" {shares}" if shares else ""
    return f"{middle}{unit}" + ("" if np.isnan(row["low"]) else f" [{low}, {high}]")


def _short(number: float) -> str:
    """Two digits, or as many as stand before the point."""
    return f"{number:.0f}" if abs(number) >= 100 else f"{round(number, 10):.2g}"


def numbers(row: dict) -> str:
    """What a verdict rests on, in a sentence."""
    if np.isnan(row["p_value"]):
        return str(row["why"])
    opposite = row["p_opposite_adjusted"]
    against = f" ({opposite:.2g} for the opposite)" if opposite <= claims.LEVEL else ""
    lacks = row.get("missing")
    missing = f"; what would decide it: {lacks}" if lacks is not None else ""
    small = f"; {row['addition']}".rstrip("; ")
    return (
        f"{row['why']}; p = {row['p_adjusted']:.2g} after correction{against}, effect "
        f"{effect(row)}, n = {row['n']:.0f}{small}{missing}"
    )


def _beyond(study: str) -> str:
    """What marks a study that is not one of the paper's."""
    known = study in studies.names()
    return "" if not known or studies.get(study).in_paper else ", not in the paper"


def study_page(study: str) -> str:
    """Address of a study's page from a page beside it; "" if the book has none."""
    for name in (study, study.replace("-", "_"), study.partition("-")[0]):
        if (NOTEBOOKS / f"{name}.ipynb").is_file():
            return f"{name}.html"
    return ""


def figure_name(row: dict) -> str:
    """Name of the figure, in the study's page, that a verdict rests on."""
    attribute = str(row["attribute"])
    if row["figure"] == "fairness":
        return f"fairness-{attribute}"
    return str(row["figure"])
