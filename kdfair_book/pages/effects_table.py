"""A study's effects in one table, which follows the page's dial."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from kdfair_book import paper
from kdfair_book.charts import theme
from kdfair_book.evidence import NotThere, Sweep, sweep
from kdfair_book.evidence.across_studies import TITLES
from kdfair_book.evidence.chance import chance_count
from kdfair_book.evidence.effects import effects
from kdfair_book.evidence.regime import regime
from kdfair_core import studies
from kdfair_core.results import Results

NAMES = {
    "accuracy": "accuracy",
    "disagreement": "disagreement with the teacher",
    "sc": "#SC: classes that differ, alone and distilled",
    "tc": "#TC: classes that differ, teacher and distilled",
    "dpd": "DPD",
    "eod": "EOD",
    "individual": "individual unfairness",
}
COUNTS = ("sc", "tc")
CHANCE = "[chance]"
NOTE = (
    f"{CHANCE}: the 95 % interval includes zero, so chance alone can explain the difference. DPD "
    "(demographic parity difference) and EOD (equalized odds difference) are bias-corrected: what "
    "noise adds to a largest difference is taken out. The paper calls the student alone NDS and "
    "the distilled student DS."
)
OF_CHANCE = (
    "The column of chance says what would be shown where nothing differs; for individual "
    "unfairness, which is 0 where a model answers the same to everyone, what the student alone's "
    "answers would have if they were dealt out to the examples at random. "
)


@dataclass(frozen=True, eq=False)
class EffectsTable:
    """The frame of :func:`kdfair_book.evidence.effects.effects`, as a table of one temperature.

    On a page of the book the columns of the distilled student follow the dial.

    Attributes
    ----------
    frame : DataFrame
    title, badge : str
    temperatures : tuple of float
    start : float
    regime : str
        What the study's regime is, if it is not the paper's.
    note : str
        What stands below the table.
    """

    frame: pd.DataFrame
    title: str
    badge: str
    temperatures: tuple[float, ...]
    start: float
    regime: str
    note: str = OF_CHANCE + NOTE

    def rows(self, t: float) -> list[dict[str, str]]:
        """The cells at one temperature, as text; a row a measure."""
        keys = self.frame[["measure", "attribute"]].drop_duplicates().to_numpy()
        return [self._row(measure, attribute, t) for measure, attribute in keys]

    def _row(self, measure: str, attribute: str, t: float) -> dict[str, str]:
        mine = self.frame[
            (self.frame["measure"] == measure) & (self.frame["attribute"] == attribute)
        ]

        def cell(role: str, at: float = np.nan) -> dict[str, Any] | None:
            rows = mine[mine["role"] == role]
            rows = rows[rows["T"].isna()] if np.isnan(at) else rows[rows["T"] == at]
            found: list[Any] = rows.to_dict("records")
            return found[0] if found else None

        ds, gap = cell("ds", t), cell("difference", t)
        by = attribute.replace("_", " ")
        where = f" ({by} distance)" if measure == "individual" else f" by {by}" if by else ""
        paper = [cell("teacher"), cell("nds"), ds]
        printed = [_plain(measure, one["paper"]) if one else "" for one in paper]
        return {
            "measure": NAMES[measure] + where,
            "student alone": _with_interval(measure, cell("nds")),
            "distilled student": _with_interval(measure, ds),
            "distilled less alone": _difference(measure, gap),
            "chance alone": _chance(measure, ds),
            "teacher": _with_interval(measure, cell("teacher")),
            "paper: teacher / alone / distilled": (
                " / ".join(one or "–" for one in printed) if any(printed) else "–"
            ),
        }

    def _repr_html_(self) -> str:
        by_t = {t: self.rows(t) for t in self.temperatures}
        columns = list(by_t[self.start][0])
        label = self.title
        head = "".join(
            f'<th scope="col">{escape(name)}'
            + (self._at_dial({t: f", T = {t:g}" for t in by_t}) if name in MOVING else "")
            + "</th>"
            for name in columns
        )
        body = ""
        for k, row in enumerate(by_t[self.start]):
            cells = f'<th scope="row">{escape(row["measure"])}</th>'
            for name in columns[1:]:
                texts = {t: rows[k][name] for t, rows in by_t.items()}
                cells += f"<td>{self._at_dial(texts)}</td>"
            body += f"<tr>{cells}</tr>"
        listed = " ".join(f"{t:g}" for t in self.temperatures)
        other = f"; {escape(self.regime)}" if self.regime else ""
        return (
            f'<div class="kd-effects" data-kd-temperatures="{listed}" '
            f'data-kd-start="{self.start:g}"><p class="kd-badge kd-badge-{self.badge}">'
            f"{theme.badge_text(self.badge)}{other}</p>"
            f'<div class="kd-scroll" tabindex="0" role="region" aria-label="{escape(label)}">'
            f'<table class="kd-table kd-narrow"><caption>{escape(label)}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
            f'<p class="kd-effects-note">{escape(self.note)}</p></div>'
        )

    def _at_dial(self, texts: dict[float, str]) -> str:
        """One text, or one for each temperature, of which the dial's is shown."""
        if len(set(texts.values())) == 1:
            return _cell(next(iter(texts.values())))
        return "".join(
            f'<span data-kd-at="{t:g}"{"" if t == self.start else " hidden"}>{_cell(text)}</span>'
            for t, text in texts.items()
        )

    def __repr__(self) -> str:
        return f"{self.title} at T = {self.start:g}\n" + pd.DataFrame(
            self.rows(self.start)
        ).to_string(index=False)


MOVING = ("distilled student", "distilled less alone")


def effects_table(
    found: Results, *, start: float = 4, alpha: float | None = None, soft_scale: str | None = None
) -> EffectsTable:
    """A study's effects.

    Raises
    ------
    NotThere
        A ValueError, with fewer than two seeds.
    """
    mine = sweep(found, alpha=alpha, soft_scale=soft_scale)
    near = min(mine.temperatures, key=lambda t: abs(np.log(t / start)))
    return EffectsTable(
        effects(mine),
        f"Effects of {TITLES.get(found.study, found.study)}, 95 % intervals",
        found.profile,
        mine.temperatures,
        near,
        regime(found).short,
    )


class ReportedTable(EffectsTable):
    """What the paper prints of a study, as a table of one temperature.

    ``frame`` has the rows of :func:`kdfair_book.paper.numbers.results`.
    """

    def rows(self, t: float) -> list[dict[str, str]]:
        """The cells at one temperature, as text; a row a measure."""
        keys = self.frame[["metric", "attribute"]].drop_duplicates().to_numpy().tolist()
        keys.sort(key=lambda key: (list(NAMES).index(PRINTED[key[0]]), key[1]))
        return [self._printed(metric, attribute, t) for metric, attribute in keys]

    def _printed(self, metric: str, attribute: str, t: float) -> dict[str, str]:
        measure = PRINTED[metric]
        mine = self.frame[(self.frame["metric"] == metric) & (self.frame["attribute"] == attribute)]

        def cell(role: str) -> str:
            rows = mine[mine["role"] == role]
            rows = rows[rows["temperature"] == t] if role == "ds" else rows
            if rows.empty:
                return "–"
            share = rows["unit"].iloc[0] == "percent"
            return _plain(measure, rows["mean"].iloc[0] / (100 if share else 1))

        chance = chance_count(self.n_classes) if measure in COUNTS else None
        return {
            "measure": NAMES[measure] + (f" by {attribute}" if attribute else ""),
            "student alone": cell("nds"),
            "distilled student": cell("ds"),
            "teacher": cell("teacher"),
            "chance alone": f"{chance.mean:.2g}, up to {chance.high:.0f}" if chance else "–",
        }

    @property
    def n_classes(self) -> int:
        """Number of the study's classes."""
        return studies.get(str(self.frame["study"].iloc[0])).n_classes


PRINTED = {"accuracy": "accuracy", "sc": "sc", "tc": "tc", "dpd": "dpd", "eod": "eod"}
PRINTED |= {"individual_unfairness": "individual"}
AS_PRINTED = (
    "As the paper prints it, without an interval of any difference; the column of chance, computed "
    "here, says how many classes a test at level 0.05 names when nothing differs. DPD: demographic "
    "parity difference; EOD: equalized odds difference. The paper calls the student alone NDS and "
    "the distilled student DS."
)


def reported_table(study: str, *, start: float = 4, alpha: float = 0.8) -> ReportedTable:
    """What the paper prints of a study.

    Raises
    ------
    ValueError
        If the paper has no such study.
    """
    rows = paper.results(study)
    rows = rows[rows["metric"].isin(PRINTED) & (rows["alpha"].isna() | (rows["alpha"] == alpha))]
    temperatures = tuple(sorted(float(t) for t in rows["temperature"].dropna().unique()))
    near = min(temperatures, key=lambda t: abs(np.log(t / start)))
    title = f"The paper's numbers of {TITLES.get(study, study)}"
    return ReportedTable(
        rows.assign(study=study), title, "reported", temperatures, near, "", AS_PRINTED
    )


def side_by_side(found: list[Results], *, at: float = 4) -> EffectsSideBySide:
    """The difference between distilled and alone in every study, at one temperature."""
    columns = {}
    for one in found:
        try:
            mine = sweep(one)
            mine.need_seeds()
        except NotThere:
            continue
        columns[TITLES.get(one.study, one.study)] = (mine, effects(mine))
    return EffectsSideBySide(columns, at)


@dataclass(frozen=True, eq=False)
class EffectsSideBySide:
    """A column a study, a row a measure: what distillation changes at one temperature.

    Attributes
    ----------
    studies : dict of str to (Sweep, DataFrame)
        By title.
    at : float
    """

    studies: dict[str, tuple[Sweep, pd.DataFrame]]
    at: float

    def table(self) -> pd.DataFrame:
        """The cells as text: index the measure, columns the studies."""
        cells: dict[str, dict[str, str]] = {}
        for title, (mine, frame) in self.studies.items():
            t = min(mine.temperatures, key=lambda other: abs(np.log(other / self.at)))
            own = cells.setdefault(title, {})
            own["regime"] = regime(mine.results).label
            own["seeds"] = str(len(mine.seeds))
            for measure in ("accuracy", "disagreement", *COUNTS):
                role = "ds" if measure in COUNTS else "difference"
                for row in _records(frame, measure, role, t):
                    own[NAMES[measure]] = _count(row) if role == "ds" else _difference(measure, row)
            for measure in ("eod", "dpd", "individual"):
                told = [
                    f"{row['attribute'].replace('_', ' ')} {_difference(measure, row)}"
                    for row in _records(frame, measure, "difference", t)
                ]
                if told:
                    own[NAMES[measure]] = "; ".join(told)
        order = ["regime", "seeds", *NAMES.values()]
        table = pd.DataFrame(cells).reindex([name for name in order])
        return table.fillna("–")

    def _repr_html_(self) -> str:
        table = self.table()
        head = "".join(f'<th scope="col">{escape(c)}</th>' for c in table.columns)
        body = "".join(
            f'<tr><th scope="row">{escape(str(name))}</th>'
            + "".join(f"<td>{'<br>'.join(map(_cell, cell.split('; ')))}</td>" for cell in row)
            + "</tr>"
            for name, row in zip(table.index, table.to_numpy(), strict=True)
        )
        label = f"Distilled less alone in every study, T = {self.at:g}"
        return (
            '<div class="kd-effects"><div class="kd-scroll" tabindex="0" role="region" '
            f'aria-label="{label}"><table class="kd-table kd-wrapped"><caption>{label}</caption>'
            f'<thead><tr><th scope="col">measure</th>{head}</tr></thead><tbody>{body}</tbody>'
            f'</table></div><p class="kd-effects-note">{escape(NOTE)}</p></div>'
        )

    def __repr__(self) -> str:
        return self.table().to_string()


def _cell(text: str) -> str:
    """A value, and its interval in small below it."""
    value, bracket, rest = text.partition(" (")
    return escape(value) + (f" <small>({escape(rest)}</small>" if bracket else "")


def _records(frame: pd.DataFrame, measure: str, role: str, t: float) -> list[dict[str, Any]]:
    chosen = (frame["measure"] == measure) & (frame["role"] == role) & (frame["T"] == t)
    found: list[Any] = frame[chosen].to_dict("records")
    return found


def _plain(measure: str, value: float) -> str:
    if np.isnan(value):
        return ""
    if measure in COUNTS:
        return f"{value:.0f}"
    return f"{value:.3g}" if measure == "individual" else f"{100 * value:.1f} %"


def _with_interval(measure: str, row: dict[str, Any] | None) -> str:
    if row is None or np.isnan(row["value"]):
        return "–"
    if measure in COUNTS:
        return f"{row['value']:.0f}"
    if measure == "individual":
        return f"{row['value']:.3g} ({row['low']:.3g} to {row['high']:.3g})"
    value, low, high = (100 * row[name] for name in ("value", "low", "high"))
    return f"{value:.1f} % ({low:.1f} to {high:.1f})"


def _difference(measure: str, row: dict[str, Any] | None) -> str:
    if row is None or np.isnan(row["value"]):
        return "–"
    times, digits = (1, 3) if measure == "individual" else (100, 1)
    value, low, high = (times * row[name] for name in ("value", "low", "high"))
    one, two, three = (f"{round(x, digits) + 0.0:+.{digits}f}" for x in (value, low, high))
    said = f"{one} ({two} to {three})".replace("-", "\u2212")
    return said if low > 0 or high < 0 else f"{said} {CHANCE}"


def _count(row: dict[str, Any]) -> str:
    beyond = "more than" if row["value"] > row["chance_high"] else "within"
    return f"{row['value']:.0f}, {beyond} chance ({row['chance_high']:.0f})"


def _chance(measure: str, row: dict[str, Any] | None) -> str:
    if row is None or np.isnan(row["chance"]):
        return "–"
    if measure in COUNTS:
        return f"{row['chance']:.2g}, up to {row['chance_high']:.0f}"
    if measure == "individual":
        return f"{row['chance']:.3g}, at random"
    return f"{100 * row['chance']:.1f} %"
