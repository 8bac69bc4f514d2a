"""The report as HTML: one page that needs nothing else, or a part of another page."""

from __future__ import annotations

import html
import math
import re
from functools import cache
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from kdfair_audit.changes import MCNEMAR, SIGNS, WELCH
from kdfair_audit.fairness import estimate
from kdfair_audit.findings import Findings
from kdfair_audit.frames import records
from kdfair_audit.numbers import (
    METRIC_NAMES,
    RATE_NAMES,
    ROLE_NAMES,
    count,
    name_list,
    p_value,
    percent,
    points,
    printable,
    span,
)
from kdfair_audit.report_charts import Mark
from kdfair_audit.views import View, around_zero, largest_first, marks, over, worst_first

RELATIVE = (
    "“Relative to overall” is the change of a class's accuracy divided by that on all examples, in "
    "points: about 0 where the class only moved with all others."
)
NUMERIC = {  # heads of columns of numbers
    *("n", "as measured", "corrected", "change", "interval", "p", "value", "floor", "chance"),
    *("large groups", "gap", "student", "accuracy", "disagree", "examples", "ECE"),
    *("relative to overall", "mean score", "came true", *ROLE_NAMES.values()),
}
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
    return f"<!doctype html>\n{_filled(report, alone=True)}\n"


def fragment(report: Findings) -> str:
    """What a notebook shows, its headings a level further down and without the theme's button."""
    return _filled(report, alone=False)


def _filled(report: Findings, *, alone: bool) -> str:
    view, styles = View(report), {"css": _static("report.css"), "js": _static("report.js")}
    own = {"report": report, "counts": report.counts, "view": view, "notes": bearing(report)}
    static = {name: Markup(content) for name, content in styles.items()}
    return _template().render(own | static, alone=alone, down=0 if alone else 1)


@cache
def _template() -> jinja2.Template:
    """``static/report.html``, its lines joined, so that no space is shown that is not meant."""
    strict = jinja2.StrictUndefined
    engine = jinja2.Environment(autoescape=True, finalize=text, undefined=strict)
    used: tuple[Any, ...] = (around_zero, largest_first, marks, over, worst_first, Mark, estimate)
    used += (count, p_value, percent, points, span)
    engine.globals |= {function.__name__: function for function in used}
    engine.globals |= {"commas": "{:,.0f}".format, "isnan": math.isnan, "nan": math.nan}
    engine.globals |= {"ROLE_NAMES": ROLE_NAMES, "METRIC_NAMES": METRIC_NAMES}
    engine.globals |= {"RATE_NAMES": RATE_NAMES, "NUMERIC": NUMERIC}
    return engine.from_string(re.sub(r"\n\s*", "", _static("report.html")))


def text(value: object) -> Markup:
    """Text from the data, safe in an element and in an attribute; control signs made visible."""
    if isinstance(value, Markup):
        return value
    return Markup(html.escape(printable(value), quote=True))


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
