"""Sentences about what the numbers can bear; every number in them comes from the results."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from kdfair_book.evidence.chance import chance_count, count_significant
from kdfair_book.evidence.class_bias import affected_classes_test
from kdfair_book.evidence.group import fairness_intervals, fairness_trend, floor_by_chance
from kdfair_book.evidence.individual import individual_by_run, softening_differences
from kdfair_book.evidence.loss_gradients import gradient_sizes
from kdfair_book.evidence.seeds_needed import seeds_for
from kdfair_book.evidence.sweep import NotThere, Sweep
from kdfair_book.evidence.trends import holm
from kdfair_book.pages.text import Text, table


def chance(found: Sweep) -> Text:
    """What chance alone gives, by the binomial, by the null control, and by permutation."""
    n = len(found.results.classes)
    expected = chance_count(n)
    test = affected_classes_test(found)
    text = (
        f"**Chance.** {n} tests at level 0.05 find {expected.mean:g} classes on average where "
        f"nothing differs; 95 times in 100 between {expected.low} and {expected.high}. "
    )
    if len(found.null) > 1 and len(found.nds) > 1:
        null = int(count_significant(found.relative[found.nds], found.relative[found.null]))
        text += f"The null control, non-distilled students against others, finds {null}. "
    text += (
        f"Distilled students differ from non-distilled ones in {test.observed:.1f} classes, on "
        f"average over T = 1 to 10; with the names permuted within each seed it is "
        f"{test.permuted[1:].mean():.1f} (p = {test.p_value:.2g}). "
    )
    text += (
        "So some classes are affected, beyond what chance explains."
        if test.p_value <= 0.05
        else "So these runs do not show that any class is affected."
    )
    return Text(text)


def power(found: Sweep, temperature: float) -> Text:
    """How many seeds would be needed, in one sentence."""
    said = []
    for effect in (0.01, 0.02, 0.05):
        need = seeds_for(found, temperature, effect)
        said.append(
            f"a change of {100 * effect:g} % with {_count(need['none'])} seeds "
            f"({_count(need['bh'])} after correction)"
        )
    return Text(
        f"**Power.** With the spread between seeds measured at T = {temperature:g}, one class is "
        f"seen to change four times in five: {'; '.join(said)}; correction is Benjamini and "
        f"Hochberg's, if one class in five changes so. There are {len(found.seeds)} seeds here."
    )


def floor(found: Sweep, attribute: str) -> Text:
    """The DPD of a perfect classifier, and who falls below it."""
    fairness = found.results.group_fairness(attribute)
    dpd = 100 * fairness["dpd"].to_numpy()
    own = 100 * fairness.attrs["floor"]
    teacher = float(dpd[found.teacher].mean())
    gaps = [own - float(dpd[found.ds[:, k]].mean()) for k in range(len(found.temperatures))]
    below = sum(gap > 0 for gap in gaps)
    own_chance, permuted = floor_by_chance(found.results, attribute)
    low, high = (100 * q for q in np.quantile(permuted, [0.025, 0.975]))
    luck = float((permuted >= own_chance).mean())
    odds = f"{100 * luck:.0f} %" if luck >= 0.01 else "fewer than 1 %"
    depth = f", by at most {max(gaps):.2f} points" if below else ""
    return Text(
        f"**The floor.** By {attribute}, the labels of this test set have a DPD of {own:.2f} % "
        "themselves: that is what a classifier without a single error shows. Dealing the groups "
        f"out at random over the same labels gives between {low:.2f} and {high:.2f} % in 95 cases "
        f"of 100, and as much as here in {odds}. The teacher shows {teacher:.2f} %. The distilled "
        f"student lies below the floor at {below} of {len(gaps)} temperatures{depth}."
    )


def noise(found: Sweep, attribute: str) -> Text:
    """How much of EOD and DPD is what equal groups would show."""
    frame = fairness_intervals(found.results, attribute)
    ds = frame[
        (frame["role"] == "ds")
        & (frame["alpha"] == found.alpha)
        & (frame["soft_scale"] == found.soft_scale)
    ]
    said = []
    for metric in ("eod", "dpd"):
        rows = ds[ds["metric"] == metric]
        zero = int((rows["low"] == 0).sum())
        said.append(
            f"{metric.upper()} of the distilled student is {100 * rows['mean'].mean():.2f} % on "
            f"average over "
            f"temperatures, and {100 * rows['chance'].mean():.2f} % is what groups with equal "
            f"rates would show; the interval reaches zero at {zero} of {len(rows)} temperatures"
        )
    return Text(f"**By {attribute}.** {'. '.join(said)}.")


def trend_table(found: Sweep) -> Text:
    """Page's test for a fall of EOD and DPD over T = 1 to 10, by attribute."""
    rows: list[dict[str, Any]] = []
    for attribute in found.results.attributes:
        for metric in ("eod", "dpd"):
            try:
                trend = fairness_trend(found, attribute, metric)
            except NotThere as reason:
                rows.append({"attribute": attribute, "metric": metric.upper(), "note": str(reason)})
                continue
            rows.append(
                {
                    "attribute": attribute,
                    "metric": metric.upper(),
                    "mean rank correlation with T": f"{trend.effect:+.2f}",
                    "p (falls)": trend.p_value,
                    "p (rises)": trend.p_opposite,
                    "seeds": trend.n_blocks,
                }
            )
    frame = pd.DataFrame(rows)
    if "p (falls)" in frame:
        adjusted = holm(frame["p (falls)"].to_numpy(dtype=float))
        frame.insert(4, "p (falls), Holm", adjusted)
        for column in ("p (falls)", "p (falls), Holm", "p (rises)"):
            frame[column] = frame[column].map("{:.2g}".format)
    return table(frame)


def gradients(found: Sweep) -> Text:
    """What happens to the soft term's gradient as T rises, with and without T²."""
    frame = gradient_sizes(found)
    frame = frame.assign(ratio=frame["soft"] / frame["hard"])
    start = frame[frame["state"] == "untrained"]
    ratio = start.pivot(index="temperature", columns="soft_scale", values="ratio").to_dict("index")
    first, last = found.temperatures[0], found.temperatures[-1]
    return Text(
        "**The two terms.** At the start of training the teacher's term pulls at the logits "
        f"{ratio[first]['none']:.2g} times as hard as the labels' at T = {first:g}. At "
        f"T = {last:g} it is {ratio[last]['T2']:.2g} times with the factor T², and "
        f"{ratio[last]['none']:.2g} times without: there almost only the labels count."
    )


def repeated(again: pd.DataFrame) -> Text:
    """A simulated coverage as a table: a row a world, a column a method."""
    wide = again.pivot(index="world", columns="method", values="coverage")
    wide = wide.loc[again["world"].unique()].reset_index()
    return table(wide.rename(columns={"seeds": "Student's t over seeds"}))


def softness(found: Sweep, space: str) -> Text:
    """What is left of the claim about individual fairness."""
    frame = softening_differences(found, space)
    runs = individual_by_run(found, space)
    t = found.highest
    at = frame[frame["temperature"] == t].set_index("against").to_dict("index")
    plain, control = at["nds"], at["softened"]
    ds = runs[(runs["role"] == "ds") & (runs["temperature"] == t)]
    nds = runs[runs["role"] == "nds"]
    explained = (nds["unfairness"].mean() - ds["softened"].mean()) / (
        nds["unfairness"].mean() - ds["unfairness"].mean()
    )
    share = ""
    if np.isfinite(explained) and plain["difference"] < 0:
        share = (
            "Softening alone would have raised it. "
            if explained < 0
            else f"Softening alone explains {100 * explained:.0f} % of the difference to the "
            f"student alone. "
            if explained <= 1
            else "Softening alone would have lowered it even further. "
        )
    low, high = control["low"], control["high"]
    left = (
        "fairer than softness explains"
        if high < 0
        else "less fair than its softness alone would make it"
        if low > 0
        else "as fair as its softness alone would make it, as far as these runs can tell"
    )
    return Text(
        f"**What remains** (T = {t:g}, distances in {space} space): against the student alone as "
        f"trained, "
        f"the distilled student's individual unfairness differs by {_signed(plain)}. Against the "
        f"student alone softened to "
        f"the same confidence it differs by {_signed(control)}. {share}So the distilled student is "
        f"{left}."
    )


def _count(n: float) -> str:
    return "more than 10,000" if np.isinf(n) else f"{n:.0f}"


def _signed(row: dict[Any, Any]) -> str:
    return f"{row['difference']:+.4f} (95 % interval {row['low']:+.4f} to {row['high']:+.4f})"
