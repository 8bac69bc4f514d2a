"""Lab 5: audit and replication."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from kdfair_book import paper, toy
from kdfair_book.evidence.trends import page_test
from kdfair_book.labs.checking import call, close, need, number_of, question
from kdfair_core import metrics

TEMPERATURES = tuple(range(1, 11))


def shipment() -> pd.DataFrame:
    """A made-up audit: columns label, site (A to D), teacher, student; 6,000 rows, one run each.

    The student is as accurate as its teacher on the whole. On one site it is not.
    """
    rng = np.random.default_rng(12)
    n = 6000
    site = rng.choice(list("ABCD"), n, p=[0.45, 0.3, 0.17, 0.08])
    y = (rng.random(n) < 0.5).astype(int)
    hard = rng.random(n)  # both models find the same examples hard
    lost = np.select([site == "C", site == "A"], [0.04, -0.012], 0.0)
    teacher = np.where(hard < 0.1, 1 - y, y)
    jitter = 0.03 * rng.normal(size=n)
    student = np.where(hard + jitter < 0.1 + lost, 1 - y, y)
    return pd.DataFrame({"label": y, "site": site, "teacher": teacher, "student": student})


def fair_worlds(n_worlds: int = 200) -> NDArray[np.int64]:
    """Count tables [world, group, label, prediction] of test sets of 400, drawn from a world in
    which both groups are treated exactly alike."""
    rng = np.random.default_rng(13)
    chance = np.array([[0.35, 0.15], [0.1, 0.4]]) / 2
    return rng.multinomial(400, np.tile(chance.ravel(), 2), size=n_worlds).reshape(-1, 2, 2, 2)


def eod_by_seed() -> NDArray[np.float64]:
    """EOD of the toy's distilled students (with T squared) [seed, temperature], T = 1 to 10."""
    models = [m for m in toy.load()["models"] if m["soft_scale"] == "T2"]
    seeds = sorted({m["seed"] for m in models})
    value = {(m["seed"], m["temperature"]): m["eod"] for m in models}
    return np.array([[value[seed, T] for T in TEMPERATURES] for seed in seeds])


@question("5.1")
def mcnemar(answer: Any) -> None:
    for b, c in ((3, 12), (12, 3), (0, 6), (40, 60)):
        given = number_of(call(answer, b, c))
        need(0 <= given <= 1 + 1e-12, "a p-value lies between 0 and 1.")
        expected = stats.binomtest(b, b + c).pvalue
        one_sided = stats.binom.cdf(min(b, c), b + c, 0.5)
        need(not np.isclose(given, one_sided), "that is one-sided; either model may be the better.")
        close(given, expected, "not the exact two-sided binomial test of b against c.")
    close(number_of(call(answer, 5, 5)), 1, "with as many on either side the p-value is 1.")
    close(
        number_of(call(answer, 0, 0)), 1, "if the models never differ, nothing speaks against it."
    )


@question("5.2")
def lost_site(answer: Any) -> None:
    need(
        isinstance(answer, tuple) and len(answer) == 2, "expected a pair: the site and its p-value."
    )
    site, p = answer
    need(site in set("ABCD"), "the site is A, B, C or D.")
    table = shipment()
    tests = {}
    for name, rows in table.groupby("site"):
        teacher, student = (rows[m] == rows["label"] for m in ("teacher", "student"))
        b, c = int((teacher & ~student).sum()), int((~teacher & student).sum())
        tests[name] = (b - c, stats.binomtest(b, b + c).pvalue)
    worst = max(tests, key=lambda name: (tests[name][0] > 0, -tests[name][1]))
    need(site == worst, "on another site the student loses more, and more surely.")
    paid = number_of(p) / tests[worst][1]
    need(
        not 0.99 < paid < 1.01,
        "four sites were tested; the p-value has to pay for that (Bonferroni: times four).",
    )
    need(3.99 < paid < 4.01, "not the corrected p-value of that site.")


@question("5.3")
def percentile_interval(answer: Any) -> None:
    table = fair_worlds(3)[1]
    low, high = (number_of(v) for v in call(answer, table, 4000, 1))
    need(low < high, "expected (low, high).")
    draws = np.random.default_rng(2).multinomial(400, table.ravel() / 400, size=8000)
    dpd = metrics.dpd_from_counts(draws.reshape(-1, 2, 2, 2))
    expected = np.quantile(dpd, [0.025, 0.975])
    need(high < 0.5, "much too wide: redraw 400 examples, not one.")
    close(
        (low, high),
        expected,
        "not the 2.5 % and 97.5 % quantiles of DPD over redrawn tables.",
        within=0.012,
    )


@question("5.4")
def never_zero(answer: Any) -> None:
    given = number_of(answer)
    need(0 <= given <= 1, "a share lies between 0 and 1.")
    expected = share_without_zero()
    need(
        abs(given - expected) < 0.03,
        "count the worlds whose interval begins above zero, out of all.",
    )


def share_without_zero(n_boot: int = 500) -> float:
    """Share of fair worlds whose percentile interval of DPD does not contain zero."""
    rng = np.random.default_rng(4)
    lows = []
    for table in fair_worlds():
        draws = rng.multinomial(400, table.ravel() / 400, size=n_boot).reshape(-1, 2, 2, 2)
        lows.append(np.quantile(metrics.dpd_from_counts(draws), 0.025))
    return float(np.mean(np.array(lows) > 0))


@question("5.5")
def verdict(answer: Any) -> None:
    cases = [
        (0.02, 0.05, 0.01, "higher"),
        (-0.05, -0.02, 0.01, "lower"),
        (-0.004, 0.006, 0.01, "no relevant change"),
        (-0.03, 0.02, 0.01, "undecided"),
        (0.002, 0.03, 0.01, "undecided"),
        (0.002, 0.008, 0.01, "no relevant change"),
        (float("nan"), 0.1, 0.01, "undecided"),
    ]
    words = {case[-1] for case in cases}
    for low, high, margin, expected in cases:
        given = call(answer, low, high, margin)
        need(given in words, f"return one of: {', '.join(sorted(words))}.")
        need(
            given == expected,
            f"wrong for the interval from {low:g} to {high:g} with a margin of {margin:g}.",
        )


@question("5.6")
def trend(answer: Any) -> None:
    rng = np.random.default_rng(14)
    values = rng.random((4, 6)) + 0.3 * np.arange(6)
    returned = call(answer, values)
    need(np.shape(returned) == (2,), "return the mean correlation and the p-value.")
    effect, p = (number_of(v) for v in returned)
    expected = page_test(values)
    close(effect, expected.effect, "not the mean over seeds of Spearman's correlation with T.")
    rising = np.tile(np.arange(6.0), (3, 1))
    close(call(answer, rising)[0], 1, "where every seed rises at each step the effect is 1.")
    flat = number_of(call(answer, rng.random((4, 6)))[1])
    steep = number_of(call(answer, rising)[1])
    need(steep < 0.01 < flat, "the p-value should be small for a clear rise, and only then.")
    need(
        abs(p - expected.p_value) < 0.02,
        "the p-value is not that of a rise, found by shuffling each seed's values among the "
        "temperatures.",
    )


@question("5.7")
def toy_claim(answer: Any) -> None:
    need(isinstance(answer, str), "expected one of: holds, fails, undecided.")
    given = answer.strip().lower()
    need(given in ("holds", "fails", "undecided"), "expected one of: holds, fails, undecided.")
    rising = page_test(eod_by_seed())
    expected = "fails" if rising.p_value <= 0.05 else "undecided"
    need(given == expected, "the claim says that EOD falls. Which way does it go here, how surely?")


@question("5.8")
def abstract(answer: Any) -> None:
    need(isinstance(answer, dict), "expected a dict from study to share.")
    expected = largest_shares()
    need(set(answer) == set(expected), f"expected the keys {', '.join(sorted(expected))}.")
    for study, share in expected.items():
        close(
            number_of(answer[study]),
            share,
            f"not the largest share of affected classes of {study}, over #SC and #TC, in Table 1.",
        )


def largest_shares() -> dict[str, float]:
    """The largest of #SC and #TC over temperatures in Table 1, over the number of classes."""
    table = paper.table("table1")
    counts = table[table["metric"].isin(["sc", "tc"])].groupby("study")["mean"].max()
    classes = {study: 100 if study.startswith("cifar") else 1000 for study in counts.index}
    return {study: float(counts[study]) / classes[study] for study in counts.index}


@question("5.9")
def loss_of_ones_own(answer: Any) -> None:
    import torch  # only here: every other lab works without it

    draw = torch.Generator().manual_seed(15)
    student = torch.randn(5, 10, generator=draw, requires_grad=True)
    teacher = torch.randn(5, 10, generator=draw)
    labels = torch.randint(10, (5,), generator=draw)
    loss = call(answer, student, teacher, labels, 7.0)
    need(isinstance(loss, torch.Tensor), "return a tensor: torch has to take its gradient.")
    need(loss.shape == (5,), "return one number for each example.")
    need(loss.requires_grad, "the loss does not depend on the student's logits.")
    (gradient,) = torch.autograd.grad(7.0**2 * loss.sum(), student)
    gap = (student - teacher).detach()
    expected = (gap - gap.mean(-1, keepdim=True)) / 10
    need(
        not torch.allclose(gradient, gap / 10, atol=1e-5),
        "softmax does not change when all logits move together; nor may your loss.",
    )
    close(
        gradient.numpy(),
        expected.numpy(),
        "times T squared, its gradient is not the one that the soft term tends to at high T.",
        within=1e-5,
    )
