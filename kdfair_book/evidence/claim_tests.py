"""What each claim of the paper comes to in one sweep: a test, an effect, and how sure it is.

Every function takes a :class:`~kdfair_book.evidence.Sweep` and returns findings whose effects point
the claim's way: positive where the claim is right. They were written, with their temperatures and
directions, before any result was looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from kdfair_book.evidence import collapse, trends
from kdfair_book.evidence.class_bias import (
    affected_classes_test,
    affected_trend,
    disagreement_reduction,
    teacher_distance,
)
from kdfair_book.evidence.group import bootstrap, fairness_trend
from kdfair_book.evidence.individual import individual_by_run
from kdfair_book.evidence.sweep import PAPER_RANGE, NotThere, Sweep, sweep

EXTREME = 40.0
"""The paper's highest temperature: reversals are looked for from T = 10 up to it."""

OTHER_ALPHA = 0.6


@dataclass(frozen=True)
class Finding:
    """Outcome of one test.

    Attributes
    ----------
    statistic : float
        What the test computed; which, the claim says.
    p_value, p_opposite : float
        One-sided, for the claim and for its opposite.
    effect : float
        Positive where the claim is right, in the claim's unit.
    low, high : float
        95 % interval of the effect; NaN where the test gives none.
    n : int
        Seeds, or studies.
    detail : str
        The numbers in a sentence.
    attribute : str
        The sensitive attribute, or "".
    by_seed : tuple of float
        The effect of each seed, of which ``effect`` is the mean; empty where seeds have none.
    """

    statistic: float
    p_value: float
    p_opposite: float
    effect: float
    low: float
    high: float
    n: int
    detail: str
    attribute: str = ""
    by_seed: tuple[float, ...] = ()


def uneven(found: Sweep) -> list[Finding]:
    """More significant classes than permuted students give, over the paper's temperatures."""
    test = affected_classes_test(found)
    n_classes = len(found.results.classes)
    error = float(test.permuted[1:].std() / n_classes)
    return [
        Finding(
            statistic=test.observed,
            p_value=test.p_value,
            p_opposite=float((test.permuted <= test.observed).mean()),
            effect=test.excess,
            low=test.excess - 1.96 * error,
            high=test.excess + 1.96 * error,
            n=test.n_seeds,
            detail=(
                f"on average {test.observed:.1f} of {n_classes} classes are significant, "
                f"{test.permuted[1:].mean():.1f} when students are permuted"
            ),
        )
    ]


def count_trend(
    found: Sweep, comparison: str, alternative: str, low: float, high: float
) -> list[Finding]:
    """Trend of #SC or #TC between two temperatures."""
    trend = affected_trend(found, comparison, low=low, high=high, alternative=alternative)
    told = path(found, found.between(low, high), trend.counts, "{:d}")
    detail = f"#{comparison} {told}{_blind(found, low, high)}"
    return [of_trend(trend, alternative, len(found.seeds), detail)]


def of_trend(trend: trends.CountTrend, alternative: str, n: int, detail: str) -> Finding:
    """What a trend of counts says of a claim: an effect in the claimed direction, no interval."""
    sign = 1 if alternative == "increasing" else -1
    return Finding(
        statistic=trend.statistic,
        p_value=trend.p_value,
        p_opposite=trend.p_opposite,
        effect=sign * trend.effect,
        low=np.nan,
        high=np.nan,
        n=n,
        detail=detail,
    )


def closer_to_teacher(found: Sweep) -> list[Finding]:
    """Distance of the DS's class bias from its teacher's falls as T rises."""
    found.need_seeds()
    columns = found.between(*PAPER_RANGE)
    frame = teacher_distance(found)
    table = frame[frame["role"] == "ds"].pivot(
        index="seed", columns="temperature", values="distance"
    )
    values = table.to_numpy()[:, columns]
    nds = float(frame.loc[frame["role"] == "nds", "distance"].mean())
    told = path(found, columns, values.mean(0), "{:.4f}")
    detail = f"mean distance {told}; NDS {nds:.4f}"
    return [page_finding(trends.page_test(values, alternative="decreasing"), -1, detail)]


def less_disagreement(found: Sweep) -> list[Finding]:
    """The DS disagrees with its teacher less than the NDS does."""
    test = disagreement_reduction(found)
    word = "less" if test.effect >= 0 else "more"
    detail = f"the DS disagrees {100 * abs(test.effect):.1f} % {word} often than the NDS"
    return [
        Finding(
            test.statistic,
            test.p_value,
            test.p_opposite,
            test.effect,
            test.low,
            test.high,
            test.n,
            detail,
            by_seed=test.by_seed,
        )
    ]


def metric_trend(
    found: Sweep, metric: str, alternative: str, low: float, high: float
) -> list[Finding]:
    """Trend of DPD or EOD between two temperatures, for each attribute."""
    sign = 1 if alternative == "increasing" else -1
    findings = []
    for attribute in _attributes(found):
        trend = fairness_trend(
            found, attribute, metric, low=low, high=high, alternative=alternative
        )
        frame = found.results.group_fairness(attribute)[metric].to_numpy()
        columns = found.between(low, high)
        values = 100 * frame[found.ds[:, columns]].mean(0)
        detail = f"{metric.upper()} {path(found, columns, values, '{:.2f} %')}"
        findings.append(page_finding(trend, sign, detail, attribute))
    return findings


def fairer(found: Sweep, metric: str, than: str) -> list[Finding]:
    """The DS at the highest of the paper's usual temperatures is fairer than teacher or NDS."""
    t, found_seeds = found.highest, len(found.seeds)
    found.need_seeds()
    reference = found.teacher if than == "teacher" else found.nds
    findings = []
    for attribute in _attributes(found):
        boot = bootstrap(found.results, attribute, [reference, found.at(t)])
        gain = boot.difference(0, 1, metric)  # positive: the DS has less
        if np.isnan(gain["difference"]):
            raise NotThere(f"{metric} by {attribute} is undefined")
        above = gain["p_value"] / 2 if gain["corrected"] >= 0 else 1 - gain["p_value"] / 2
        name = "teacher" if than == "teacher" else "NDS"
        ours, theirs = (100 * boot.by_run(k, metric).mean() for k in (1, 0))
        findings.append(
            Finding(
                statistic=gain["difference"],
                p_value=above,
                p_opposite=1 - above if 0 < above < 1 else float(above == 0),
                effect=gain["corrected"],
                low=gain["low"],
                high=gain["high"],
                n=found_seeds,
                detail=(
                    f"{metric.upper()} of the DS at T = {t:g} {ours:.2f} %, of the {name} "
                    f"{theirs:.2f} %, noise included"
                ),
                attribute=attribute,
            )
        )
    return findings


def individual_trend(found: Sweep, *, controlled: bool) -> list[Finding]:
    """Individual unfairness falls as T rises; or falls more than softening alone explains."""
    found.need_seeds()
    columns = found.between(*PAPER_RANGE)
    findings = []
    for space in _spaces(found):
        frame = individual_by_run(found, space)
        ds = frame[frame["role"] == "ds"]
        ds = ds.assign(value=ds["unfairness"] / (ds["softened"] if controlled else 1.0))
        values = ds.pivot(index="seed", columns="temperature", values="value").to_numpy()
        values = values[:, columns]
        if not np.isfinite(values).all():
            raise NotThere("individual unfairness is undefined for some runs")
        trend = trends.page_test(values, alternative="decreasing")
        what = "unfairness over that of the softened NDS" if controlled else "unfairness"
        told = path(found, columns, values.mean(0), "{:.4f}")
        detail = f"{what} {told} (distances in {space} space)"
        findings.append(page_finding(trend, -1, detail, f"{space} distance"))
    return findings


def same_under_other_alpha(found: Sweep) -> list[Finding]:
    """#SC rises and #TC falls at alpha 0.6 too: both must, so the larger p-value counts."""
    other = sweep(found.results, alpha=OTHER_ALPHA, soft_scale=found.soft_scale)
    low, high = PAPER_RANGE
    (rise,) = count_trend(other, "SC", "increasing", low, high)
    (fall,) = count_trend(other, "TC", "decreasing", low, high)
    return [
        Finding(
            statistic=min(rise.statistic, -fall.statistic),
            p_value=max(rise.p_value, fall.p_value),
            p_opposite=min(1.0, 2 * min(rise.p_opposite, fall.p_opposite)),
            effect=min(rise.effect, fall.effect),
            low=np.nan,
            high=np.nan,
            n=len(other.seeds),
            detail=f"at alpha {OTHER_ALPHA:g} {rise.detail}; {fall.detail}",
        )
    ]


def harder_is_more_affected(sweeps: list[Sweep]) -> Finding:
    """Share of affected classes beyond chance against the NDS's error, over studies."""
    if len(sweeps) < 3:
        listed = ", ".join(found.results.study for found in sweeps) or "none"
        raise NotThere(f"this compares data sets and needs three; measured: {listed}")
    shares, errors = [], []
    for found in sweeps:
        shares.append(affected_classes_test(found).excess)
        errors.append(1 - float(found.results.runs["accuracy"].to_numpy()[found.nds].mean()))
    order = np.argsort(errors)
    test = trends.page_test(np.array(shares)[order][None])
    names = [sweeps[k].results.study for k in order]
    listed = ", ".join(
        f"{name} {100 * shares[k]:.0f} %" for name, k in zip(names, order, strict=True)
    )
    return Finding(
        statistic=test.statistic,
        p_value=test.p_value,
        p_opposite=test.p_opposite,
        effect=test.effect,
        low=np.nan,
        high=np.nan,
        n=len(sweeps),
        detail=f"share of classes affected beyond chance, from the easiest: {listed}",
    )


def _blind(found: Sweep, low: float, high: float) -> str:
    """Where a collapsed training keeps a test over seeds from seeing classes differ."""
    accuracy = found.results.runs["accuracy"].to_numpy()
    n = {
        found.temperatures[k]: int(collapse.collapsed(accuracy[found.ds[:, k]]).sum())
        for k in found.between(low, high)
    }
    fell = [f"{count} of {len(found.seeds)} at T = {t:g}" for t, count in n.items() if count]
    return f" (few are seen where trainings collapsed: {', '.join(fell)})" if fell else ""


def path(found: Sweep, columns: NDArray[Any], values: NDArray[Any], form: str) -> str:
    """Values at the first and the last of some temperatures, and where they turn between them."""
    inner, low, high = values[1:-1], min(values[0], values[-1]), max(values[0], values[-1])
    turns = []
    if len(inner) and inner.min() < low:
        turns.append((1 + int(inner.argmin()), "lowest"))
    if len(inner) and inner.max() > high:
        turns.append((1 + int(inner.argmax()), "highest"))
    steps = [(0, ""), *sorted(turns), (len(values) - 1, "")]
    return ", ".join(
        f"{word} {form.format(values[k])} at T = {found.temperatures[columns[k]]:g}".strip()
        for k, word in steps
    )


def page_finding(trend: trends.Trend, sign: int, detail: str, attribute: str = "") -> Finding:
    """A finding of Page's test; the interval is Student's over blocks, none if all are equal."""
    n, effects = trend.n_blocks, sign * trend.by_block
    half: Any = np.nan
    if n > 1 and effects.std() > 1e-9:
        half = stats.t.ppf(0.975, n - 1) * effects.std(ddof=1) / np.sqrt(n)
    effect = sign * trend.effect
    return Finding(
        statistic=trend.statistic,
        p_value=trend.p_value,
        p_opposite=trend.p_opposite,
        effect=effect,
        low=max(effect - half, -1.0),
        high=min(effect + half, 1.0),
        n=n,
        detail=detail,
        attribute=attribute,
        by_seed=tuple(map(float, effects)),
    )


def _attributes(found: Sweep) -> tuple[str, ...]:
    if not found.results.attributes:
        raise NotThere("the study has no sensitive attribute")
    return found.results.attributes


def _spaces(found: Sweep) -> list[str]:
    if not found.results.features or len(found.results.scored) < 2:
        raise NotThere("no features are published, so that examples have no distances")
    return sorted(found.results.features)
