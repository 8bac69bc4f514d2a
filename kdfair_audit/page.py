"""The report as HTML: one page that needs nothing else, or a part of another page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from importlib import resources

from kdfair_audit.changes import MCNEMAR, SIGNS, WELCH
from kdfair_audit.fairness import estimate
from kdfair_audit.findings import Findings
from kdfair_audit.frames import records
from kdfair_audit.numbers import ROLE_NAMES, count, name_list
from kdfair_audit.report_charts import over_temperature, text
from kdfair_audit.show_changes import changes, disagreement, verdict
from kdfair_audit.show_groups import (
    calibration,
    fairness,
    groups,
    intersections,
    worst,
)

RELATIVE = (
    "“Relative to overall” is the change of a class's accuracy divided by that on all examples, in "
    "points: about 0 where the class only moved with all others."
)
PARTS = (changes, fairness, groups, worst, disagreement, intersections, calibration)
TESTS = {
    MCNEMAR: (
        "There is one run of each model, so changes are tested over the examples (McNemar's exact "
        "test): they are shown for these two trained models, not for the way of training them. "
        "Another seed may change other groups and classes."
    ),
    SIGNS: (
        "One side has a single run, so changes are tested over the examples, with the runs of the "
        "other side averaged (sign-flip test): they are shown for these trained models, not for "
        "the way of training them."
    ),
    WELCH: (
        "Both sides have several seeds, so changes are tested over seeds (Welch's t-test): they "
        "are shown for the way of training. A class counts as changed when its accuracy changed "
        "relative to the overall accuracy of the same run; a group when, besides, the interval of "
        "its change, which also covers other examples, leaves out zero."
    ),
}


def page(report: Findings) -> str:
    """A whole document."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">"
        f"<title>{text(report.title)}</title><style>body{{margin:0}}"
        "html[data-theme=dark] body{background:#14181e}"
        "@media (prefers-color-scheme:dark){html:not([data-theme]) body{background:#14181e}}"
        f"</style></head><body><main>{fragment(report, alone=True)}</main></body></html>\n"
    )


def fragment(report: Findings, *, alone: bool = False) -> str:
    """What a notebook shows, with its own style and script; ``alone`` adds the theme's button."""
    temperatures = report.temperatures
    asks = ""
    if temperatures:
        listed = " ".join(f"{t:g}" for t in temperatures)
        asks = f' data-kd-temperatures="{listed}" data-kd-start="{temperatures[0]:g}"'
    level = 1 if alone else 2  # a page has one first heading; a part of one has none
    title = f'<h{level} class="ka-title">{text(report.title)}</h{level}>'
    button = '<button type="button" data-ka-theme hidden>Dark theme</button>' if alone else ""
    body = _each(report, [verdict]) + _curves(report) + _each(report, PARTS) + _notes(report)
    if not alone:  # headings one level further down
        body = re.sub(r"(</?h)([2-5])\b", lambda m: f"{m[1]}{int(m[2]) + 1}", body)
    return (
        f"<style>{_static('report.css')}</style>"
        f'<div class="kdfair-audit"{asks}><div class="ka-bar"><div>{title}'
        f'<p class="ka-muted">{text(_data_line(report))}</p></div>{button}</div>'
        f"{_dial(temperatures)}{body}</div>"
        f"<script>{_static('report.js')}</script>"
    )


def _each(report: Findings, parts: Iterable[Callable[[Findings, float], str]]) -> str:
    """The parts at each temperature; all but the first hidden until the dial turns."""
    return "".join(
        f'<section data-ka-at="{i}"{" hidden" if i else ""}>'
        + "".join(part(report, at) for part in parts)
        + "</section>"
        for i, at in enumerate(report.temperatures or [float("nan")])
    )


def _dial(temperatures: list[float]) -> str:
    if len(temperatures) < 2:
        return ""
    return (
        '<div class="ka-dial" hidden><label>Temperature T = <output>'
        f"{temperatures[0]:g}</output></label>"
        f'<input type="range" min="0" max="{len(temperatures) - 1}" step="1" value="0" '
        'aria-label="Temperature of the distilled student"></div>'
    )


def _curves(report: Findings) -> str:
    """Accuracy and fairness over temperature."""
    temperatures = report.temperatures
    if len(temperatures) < 2:
        return ""
    models, fairness = report.frames["models"], report.frames["fairness"]
    corrected = [estimate(row) for row in records(fairness)]
    fairness = fairness.assign(measured=fairness["value"], value=corrected)
    series = [("Accuracy", models.rename(columns={"accuracy": "value"}))]
    for attribute in report.counts.groups:
        for metric in ("eod", "dpd"):
            own = fairness[(fairness["attribute"] == attribute) & (fairness["metric"] == metric)]
            series.append((f"{metric.upper()}, groups of {attribute}", own))
    plots = []
    for title, frame in series:
        student = frame[frame["role"] == "distilled"].sort_values("temperature")
        others = frame[frame["role"] != "distilled"]
        levels = dict(zip(others["role"], others["value"].astype(float), strict=True))
        plots.append(over_temperature(title, student.reset_index(drop=True), levels, 0))
    said = ", ".join(
        f"{dash} the {ROLE_NAMES[role]}"
        for role, dash in (("teacher", "dashed"), ("baseline", "dotted"))
        if (models["role"] == role).any()
    )
    caption = (
        "The line is the student's, with its 95 % interval as a band. DPD and EOD are corrected "
        "for what chance adds to a largest difference; short marks: as measured"
    )
    caption += f"; {said}." if said else "."
    return (
        f'<h2 class="ka-h2">Over temperature</h2>'
        f'<p class="ka-muted">{text(caption)}</p><div class="ka-plots">{"".join(plots)}</div>'
    )


def _data_line(report: Findings) -> str:
    counts = report.counts
    roles = [
        f"{ROLE_NAMES[role]} ({count(n, 'run')})"
        for role in ROLE_NAMES
        if (n := sum(model.role == role for model in counts.models))
    ]
    groups = ", ".join(
        f"{name} ({count(len(counts.group_names(name)), 'group')})" for name in counts.groups
    )
    return (
        f"{counts.n:,} examples · {count(len(counts.classes), 'class', 'classes')} · "
        f"{', '.join(roles)} · groups of {groups}"
    )


def _notes(report: Findings) -> str:
    items = "".join(f"<li>{text(note)}</li>" for note in bearing(report))
    return f'<h2 class="ka-h2">What these data can bear</h2><ul class="ka-notes">{items}</ul>'


def bearing(report: Findings) -> list[str]:
    """How it was judged and what was not, in sentences."""
    options = report.options
    sentences = [TESTS[test] for test in report.frames["changed_groups"]["test"].unique()]
    sentences.append(
        f"Intervals are {options.level:.0%} intervals: Wilson's for rates, Bonett and Price's for "
        f"changes on the same examples, {options.n_boot:,} redrawn test sets for DPD and EOD; with "
        "several runs they include the spread between seeds. P-values are corrected for the number "
        "of groups, or classes, compared (Benjamini-Hochberg); at each temperature by itself."
    )
    if len(report.frames["changed_classes"]):
        sentences.append(RELATIVE)
    if len(report.counts.classes) > 2:
        sentences.append(
            "With more than two classes DPD and EOD are means over classes, each against the rest."
        )
    sizes = report.frames["sizes"]
    small = sizes[sizes["small"] & ~sizes["left_out"]]
    if len(small):
        names = [f"{r['group']} ({r['attribute']}, {r['n']:,})" for r in records(small)]
        sentences.append(
            f"Too small to judge, with fewer than {options.min_group} examples: "
            f"{name_list(names, 12)}. They count in DPD and EOD as others compute them, and are "
            "left out of “large groups”, of changes, and of the verdict."
        )
    undefined = report.frames["fairness"].query("value != value")
    for attribute in undefined["attribute"].unique():
        sentences.append(
            f"DPD or EOD of {attribute} is undefined: fewer than two groups have the examples "
            "that it needs."
        )
    return [*sentences, *report.notes]


@cache
def _static(name: str) -> str:
    folder = resources.files("kdfair_audit") / "static"
    return (folder / name).read_text(encoding="utf-8")
