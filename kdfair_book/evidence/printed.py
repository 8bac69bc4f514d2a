"""What each claim comes to in the paper's own tables.

The counterpart of :mod:`kdfair_book.evidence.claim_tests` for numbers that are only printed. The
claims, their directions and temperatures are the same; the tests are those of
:mod:`kdfair_book.evidence.summaries`, which says what they assume. Means and deviations are over
five runs, as the paper says. They speak of training again, tested on the same examples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from kdfair_book import paper
from kdfair_book.evidence import summaries
from kdfair_book.evidence.claim_tests import EXTREME, OTHER_ALPHA, Finding
from kdfair_book.evidence.summaries import Summary
from kdfair_book.evidence.sweep import PAPER_RANGE, USUAL, NotThere
from kdfair_book.paper.checks.check import CLASS_STUDIES, FAIRNESS, NAMES, class_count, of_role

RUNS = 5
"""Runs behind each mean, as the paper says."""

LOW, HIGH = PAPER_RANGE


def series(
    study: str,
    metric: str,
    low: float,
    high: float,
    *,
    attribute: str = "",
    alpha: float = USUAL[0],
) -> pd.DataFrame:
    """A metric of the distilled students over temperatures, as printed.

    Returns
    -------
    pandas.DataFrame
        ``temperature``, ``mean``, ``deviation`` (NaN where none is printed), ascending.

    Raises
    ------
    NotThere
        If the tables have fewer than three temperatures of it.
    """
    rows = paper.results(study)
    rows = rows[(rows["metric"] == metric) & (rows["attribute"] == attribute)]
    rows = rows[(rows["alpha"] == alpha) & rows["temperature"].between(low, high)]
    if len(rows) < 3:
        raise NotThere(f"the tables have no three temperatures from T = {low:g} to {high:g}")
    chosen = rows[["temperature", "mean", "deviation"]]
    return chosen.sort_values("temperature", ignore_index=True)


def count_trend(
    study: str, attribute: str, *, metric: str, sign: int, low: float, high: float,
    alpha: float = USUAL[0],
) -> Finding:  # fmt: skip
    """Trend of #SC or #TC, by the order of the printed counts."""
    found = series(study, metric, low, high, alpha=alpha)
    test = summaries.trend_of_order(sign * found["mean"].to_numpy())
    return _finding(test, f"#{metric.upper()} {_path(found, '{:g}')}", attribute)


def uneven(study: str, attribute: str) -> Finding:
    """More significant classes (#SC) than chance gives."""
    counts = series(study, "sc", LOW, HIGH)["mean"].to_numpy()
    n = class_count(study)
    test = summaries.more_than_chance(counts, n)
    detail = (
        f"#SC between {counts.min():g} and {counts.max():g} of {n}, {0.05 * n:g} expected by chance"
    )
    return _finding(test, detail, attribute)


def metric_trend(
    study: str,
    attribute: str,
    *,
    metric: str,
    sign: int,
    low: float,
    high: float,
    as_errors: bool = False,
) -> Finding:
    """Trend of a metric, from its printed means and deviations; of means alone by their order."""
    by = "" if metric == "individual_unfairness" else attribute
    found = series(study, metric, low, high, attribute=by)
    if found["deviation"].isna().any():
        test = summaries.trend_of_order(sign * found["mean"].to_numpy())
        told = f"{_path(found, '{:g}')}; no deviations are printed"
        return _finding(test, f"individual unfairness {told}", attribute)
    means, sds = (found[name].to_numpy() / 100 for name in ("mean", "deviation"))
    sds = sds * (np.sqrt(RUNS) if as_errors else 1.0)
    test = summaries.trend_of_means(sign * means, sds, n=RUNS, rounding=summaries.ROUNDING / 100)
    return _finding(test, f"{metric.upper()} {_path(found, '{:.2f} %')}", attribute)


def fairer(
    study: str, attribute: str, *, metric: str, than: str, as_errors: bool = False
) -> Finding:
    """The DS at T = 10 against teacher or NDS, by Welch's test."""
    found = series(study, metric, LOW, HIGH, attribute=attribute)
    ours = found[found["temperature"] == found["temperature"].max()].iloc[0]
    rows = paper.results(study, metric, attribute)
    theirs = rows[rows["role"] == than].iloc[0]
    scale = 0.01 * (np.sqrt(RUNS) if as_errors else 1.0)
    test = summaries.welch(
        *(theirs["mean"] / 100, theirs["deviation"] * scale),
        *(ours["mean"] / 100, ours["deviation"] * scale),
        n=RUNS,
        rounding=summaries.ROUNDING / 100,
    )
    name = "teacher" if than == "teacher" else "NDS"
    detail = (
        f"{metric.upper()} of the DS at T = {ours['temperature']:g} {ours['mean']:.2f} ± "
        f"{ours['deviation']:.2f} %, of the {name} {theirs['mean']:.2f} ± "
        f"{theirs['deviation']:.2f} %"
    )
    return _finding(test, detail, attribute)


def same_under_other_alpha(study: str, attribute: str) -> Finding:
    """#SC rises and #TC falls at alpha 0.6 too: both must."""
    rise, fall = (
        count_trend(
            study, attribute, metric=metric, sign=sign, low=LOW, high=HIGH, alpha=OTHER_ALPHA
        )
        for metric, sign in (("sc", 1), ("tc", -1))
    )
    weaker = max(rise, fall, key=lambda found: found.p_value)
    opposite = min(1.0, 2 * min(rise.p_opposite, fall.p_opposite))
    detail = f"at alpha {OTHER_ALPHA:g} {rise.detail}; {fall.detail}"
    test = Summary(
        weaker.statistic, weaker.p_value, opposite, min(rise.effect, fall.effect), np.nan, np.nan
    )
    return _finding(test, detail, attribute)


def harder_is_more_affected() -> Finding:
    """Share of affected classes (#SC) against the NDS's error, over pairs of networks."""
    shares = {s: series(s, "sc", LOW, HIGH)["mean"].mean() / class_count(s) for s in CLASS_STUDIES}
    errors = {study: 100 - of_role(study, "accuracy", "nds") for study in shares}
    easiest = sorted(shares, key=errors.__getitem__)
    test = summaries.trend_of_order([shares[study] for study in easiest])
    told = ", ".join(f"{NAMES[study]} {100 * shares[study]:.0f} %" for study in easiest)
    found = _finding(test, f"#SC as a share of classes, from the easiest: {told}")
    return replace(found, n=len(easiest))


def findings(claim: str, *, as_errors: bool = False) -> dict[tuple[str, str], Finding]:
    """What the tables say of a claim, by study and attribute ("all" for all studies together).

    Empty where the tables do not hold what the claim is about. With ``as_errors`` printed
    deviations are read as standard errors of the means.
    """
    if claim == "harder-more-affected":
        return {("all", ""): harder_is_more_affected()}
    measure, cells = TESTS.get(claim, (uneven, ()))
    if as_errors and claim in WITH_DEVIATIONS:
        measure = partial(measure, as_errors=True)
    found = {}
    for study, attribute in cells:
        try:
            found[study, attribute] = measure(study, attribute)
        except NotThere:
            continue
    return found


def _finding(test: Summary, detail: str, attribute: str = "") -> Finding:
    return Finding(*test, n=RUNS, detail=detail, attribute=attribute)


def _path(found: pd.DataFrame, form: str) -> str:
    """First, lowest, highest and last of a series, in order."""
    values = found["mean"].to_numpy()
    at = sorted({0, int(values.argmin()), int(values.argmax()), len(values) - 1})
    return ", ".join(
        f"{form.format(values[k])} at T = {found['temperature'].iloc[k]:g}" for k in at
    )


_CLASSES = tuple((study, "") for study in CLASS_STUDIES)
_INDIVIDUAL = tuple((study, "") for study in ("celeba-smiling", "trifeature", "hatexplain"))
_UP: dict[str, Any] = {"low": LOW, "high": HIGH}
_BACK: dict[str, Any] = {"low": HIGH, "high": EXTREME}

TESTS: dict[str, tuple[Callable[..., Finding], tuple[tuple[str, str], ...]]] = {
    "uneven": (uneven, _CLASSES),
    "sc-rises": (partial(count_trend, metric="sc", sign=1, **_UP), _CLASSES),
    "tc-falls": (partial(count_trend, metric="tc", sign=-1, **_UP), _CLASSES),
    "sc-reverses": (partial(count_trend, metric="sc", sign=-1, **_BACK), _CLASSES),
    "tc-reverses": (partial(count_trend, metric="tc", sign=1, **_BACK), _CLASSES),
    **{
        f"{metric}-{word}": (partial(metric_trend, metric=metric, sign=sign, **span), FAIRNESS)
        for metric in ("dpd", "eod")
        for word, sign, span in (("falls", -1, _UP), ("reverses", 1, _BACK))
    },
    **{
        f"{metric}-below-{than}": (partial(fairer, metric=metric, than=than), FAIRNESS)
        for metric in ("dpd", "eod")
        for than in ("nds", "teacher")
    },
    "individual-falls": (
        partial(metric_trend, metric="individual_unfairness", sign=-1, **_UP),
        _INDIVIDUAL,
    ),
    "same-at-other-alpha": (same_under_other_alpha, (("cifar100", ""),)),
}
"""Claim: its test on a study and attribute, and the cells that the tables may have numbers for."""

WITH_DEVIATIONS = tuple(claim for claim in TESTS if claim.startswith(("dpd", "eod")))
"""Claims whose tests rest on printed deviations."""
