"""One study's results as one HTML file: dial, figures, numbers and verdicts, without a server."""

from __future__ import annotations

import html
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from kdfair_book import charts, claims
from kdfair_book.charts import assets, theme
from kdfair_book.charts.figure import table_html
from kdfair_book.evidence.chance import affected_counts
from kdfair_book.evidence.sweep import NotThere
from kdfair_book.pages.effects_table import effects_table
from kdfair_core.files import workplace
from kdfair_core.results import Results

STATIC = Path(__file__).parents[2] / "book" / "_static"
SCRIPTS = ("dial.js", "figures.js", "effects.js", "reach.js")
OWN = """
body { font: 1.05rem/1.55 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; }
h1, h2 { line-height: 1.25; }
@media (prefers-color-scheme: dark) { body { background: #14181e; color: #e6edf3; } }
"""
THEME = (
    "const dark = matchMedia('(prefers-color-scheme: dark)');"
    "const paint = () => document.documentElement.dataset.theme = dark.matches ? 'dark' : 'light';"
    "paint(); dark.addEventListener('change', paint);"
)


def report(
    found: Results, out: str | os.PathLike[str], *, title: str | None = None, start: float = 4
) -> Path:
    """Write one study's results as a single HTML file: dial, figures, numbers and verdicts.

    Parameters
    ----------
    found : Results
        Of ``kdfair_core.distill`` or ``kdfair_core.results.load``.
    out : path
        The file, ending in ``.html``.
    title : str, optional
        By default the study's name.
    start : float
        Temperature at which the dial starts; the nearest is taken.

    Returns
    -------
    Path

    Raises
    ------
    ValueError
        For another ending, results without distilled students, and outside of a checkout of the
        project, whose scripts and styles the page takes along.
    """
    out = Path(out)
    if not STATIC.is_dir():
        raise ValueError(f"the report needs a checkout of the project: {STATIC} is not there")
    if out.suffix != ".html":
        raise ValueError(f"{out} does not end in .html")
    if not found.temperatures:
        raise ValueError(f"{found!r} has no distilled students: there is nothing to show")
    start = min(found.temperatures, key=lambda t: abs(t - start))
    title = title or found.manifest.get("title") or found.study
    parts = "\n".join(_parts(found, start))
    texts = [assets.vega_script(), *((STATIC / n).read_text(encoding="utf-8") for n in SCRIPTS)]
    scripts = "\n".join(
        "<script>" + t.replace("</script", "<\\/script") + "</script>" for t in texts
    )
    style = theme.css() + (STATIC / "kdfair.css").read_text(encoding="utf-8") + OWN
    page = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title>\n<style>{style}</style>\n<script>{THEME}</script>\n"
        f"{scripts}</head>\n<body><main><h1>{html.escape(title)}</h1>\n{parts}\n</main></body></html>\n"
    )
    with workplace(out.parent, f"the report {out.name}") as aside:
        (aside / out.name).write_text(page, encoding="utf-8")
        os.replace(aside / out.name, out)
    return out


def _parts(found: Results, start: float) -> Iterator[str]:
    runs = found.runs
    seeds = runs.loc[runs["role"] == "ds", "seed"].nunique()
    yield (
        f"<p>{len(runs)} runs on {len(found.y_true):,} test examples of {len(found.classes)} "
        f"classes: {seeds} seeds, T = {', '.join(f'{t:g}' for t in found.temperatures)}. "
        f"{html.escape(found.manifest['dataset'].get('note', ''))}</p>"
    )
    yield from _shown("In one table", lambda: effects_table(found, start=start)._repr_html_())
    figures: list[tuple[str, Callable[..., Any]]] = []
    for attribute in found.attributes:
        name = f"Fairness by {attribute.replace('_', ' ')}"
        figures.append((name, partial(charts.fairness, attribute=attribute)))
    figures += [
        ("How many classes are affected?", _counts),
        ("Class by class", charts.class_accuracy),
        ("Where student and teacher disagree", charts.disagreement),
    ]
    if found.features:
        figures.append(("Individual fairness", charts.individual_fairness))
    for heading, make in figures:
        yield from _shown(heading, lambda: make(found, start=start).to_html())  # noqa: B023
    yield from _shown("The paper's claims, tested here", lambda: _verdicts(found))


def _counts(found: Results, *, start: float) -> charts.Figure:
    if affected_counts(found).empty:
        raise NotThere("classes are compared with two seeds or more")
    return charts.affected_counts(found, start=start)


def _shown(heading: str, make: Callable[[], str]) -> Iterator[str]:
    """A section, or a sentence that says what it would take."""
    said = f"<h2>{html.escape(heading)}</h2>\n"
    try:
        yield said + make()
    except NotThere as error:
        yield said + f"<p>Not shown: {html.escape(str(error))}.</p>"


def _verdicts(found: Results) -> str:
    card = claims.judge(found)
    sentences = {claim.id: claim.sentence for claim in claims.CLAIMS}
    rows = pd.DataFrame(
        {
            "claim": [sentences[claim] for claim in card["claim"]],
            "by": card["attribute"].fillna("").str.replace("_", " "),
            "verdict": card["verdict"],
            "p, corrected": card["p_adjusted"].map(lambda p: "" if pd.isna(p) else f"{p:.3f}"),
            "why": card["why"].fillna(""),
        }
    )
    return table_html(rows, "Verdicts on the paper's claims, from these runs alone") + (
        "<p>The claims are the paper's; a study of one's own decides nothing about the paper.</p>"
    )
