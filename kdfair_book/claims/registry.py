"""The paper's claims, each with its test, as data.

The tests, their directions, temperatures and smallest effects were fixed before any result was
looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from kdfair_book.evidence import claim_tests as tests
from kdfair_book.evidence.claim_tests import EXTREME
from kdfair_book.evidence.sweep import PAPER_RANGE


@dataclass(frozen=True)
class Claim:
    """A claim of the paper and how it is decided.

    Attributes
    ----------
    id : str
    sentence : str
        In our words.
    source : str
        Where the paper says it.
    test : str
        The test, in words.
    evidence : str
        What must have been run.
    effect : str
        What the effect is, and its unit; positive where the claim is right.
    smallest : float
        The smallest effect that would matter: with no direction shown, an interval that ends below
        it makes the claim fail. NaN: the test gives no interval, and only the opposite does.
    asks : str
        Of which studies: "classes" (ten classes or more), "groups" (sensitive attributes) or
        "studies" (all studies together).
    figure : str
        Name of the figure behind it in a study's page.
    measure : callable
        Sweep -> tests.
    ours : bool
        Not the paper's claim, but the question that follows it.
    shares : str
        "%" or "points" where the effect is a share or a difference of shares; "" for correlations.
    """

    id: str
    sentence: str
    source: str
    test: str
    evidence: str
    effect: str
    smallest: float
    asks: str
    figure: str
    measure: Callable[..., Any]
    ours: bool = False
    shares: str = ""


LOW, HIGH = PAPER_RANGE
SWEEP = "two seeds or more (the paper: five) of teacher, NDS and three DS from T = 1 to 10"
EXTREMES = "two seeds or more (the paper: five) of DS at T = 10 and two more up to 40"
COUNT = "permutation of temperatures within seeds, trend of the count over temperatures"
PAGE = "Page's trend test over temperatures, seeds as blocks"
RHO = "mean rank correlation with temperature, in the claimed direction"
TREND_MATTERS = 0.3

CLAIMS: tuple[Claim, ...] = (
    Claim(
        "uneven",
        "Distillation affects some classes more than others, and not by chance.",
        "Abstract; section 5, class-wise measurement",
        "permutation of which student is the NDS within seeds, number of significant classes",
        SWEEP,
        "share of classes that are significant beyond what permutation gives",
        0.05,
        "classes",
        "affected-classes",
        tests.uneven,
        shares="%",
    ),
    Claim(
        "sc-rises",
        "The number of classes that differ between the student alone and the distilled one (#SC) "
        "rises with temperature.",
        "Section 1, second bullet; Figure 3; Tables 1, 5 and 6",
        COUNT,
        SWEEP,
        "correlation of #SC with the order of temperatures",
        np.nan,
        "classes",
        "affected-classes",
        partial(tests.count_trend, comparison="SC", alternative="increasing", low=LOW, high=HIGH),
    ),
    Claim(
        "tc-falls",
        "The number of classes that differ between teacher and distilled student (#TC) falls with "
        "temperature.",
        "Section 1, second bullet; Figure 3; Tables 1, 5 and 6",
        COUNT,
        SWEEP,
        "correlation of #TC with the order of temperatures, turned around",
        np.nan,
        "classes",
        "affected-classes",
        partial(tests.count_trend, comparison="TC", alternative="decreasing", low=LOW, high=HIGH),
    ),
    Claim(
        "closer-to-teacher",
        "At higher temperatures the distilled student's class bias is closer to its teacher's.",
        "Section 5, on Figure 3",
        PAGE + ", of the distance between relative class accuracies of DS and teacher",
        SWEEP,
        RHO,
        TREND_MATTERS,
        "classes",
        "class-accuracy",
        tests.closer_to_teacher,
    ),
    Claim(
        "less-disagreement",
        "After distillation a student disagrees less with the teacher.",
        "Section 5, on Figure 2",
        "paired t-test over seeds: NDS against the mean of the DS over T = 1 to 10",
        SWEEP,
        "disagreements that distillation removes, as a share of the NDS's",
        0.05,
        "classes",
        "disagreement",
        tests.less_disagreement,
        shares="%",
    ),
    Claim(
        "dpd-falls",
        "DPD falls as temperature rises.",
        "Abstract; Figure 4; Tables 2, 3, 8 and 9",
        PAGE,
        SWEEP,
        RHO,
        TREND_MATTERS,
        "groups",
        "fairness",
        partial(tests.metric_trend, metric="dpd", alternative="decreasing", low=LOW, high=HIGH),
    ),
    Claim(
        "eod-falls",
        "EOD falls as temperature rises.",
        "Abstract; Figure 4; Tables 2, 3, 8 and 9",
        PAGE,
        SWEEP,
        RHO,
        TREND_MATTERS,
        "groups",
        "fairness",
        partial(tests.metric_trend, metric="eod", alternative="decreasing", low=LOW, high=HIGH),
    ),
    *(
        Claim(
            f"{metric}-below-{than}",
            f"At a high temperature {metric.upper()} of the distilled student is below the "
            f"{name}'s.",
            source,
            "difference at the highest temperature up to 10, bootstrap over examples and seeds",
            f"two seeds or more of {name} and of DS at a temperature up to 10",
            f"by how much the DS's {metric.upper()} is lower, what noise adds to both taken off",
            0.0025,
            "groups",
            "fairness",
            partial(tests.fairer, metric=metric, than=than),
            shares="points",
        )
        for than, name, source in (
            ("nds", "student alone", "Section 1, fourth bullet; Tables 2, 3, 8 and 9"),
            ("teacher", "teacher", "Abstract; section 5, fairness measurement; Figure 4"),
        )
        for metric in ("dpd", "eod")
    ),
    Claim(
        "sc-reverses",
        "From T = 10 to 40, #SC falls again.",
        "Appendix B; Table 6 and Figure 8",
        COUNT,
        EXTREMES,
        "correlation of #SC with the order of temperatures, turned around",
        np.nan,
        "classes",
        "affected-classes",
        partial(
            tests.count_trend,
            comparison="SC",
            alternative="decreasing",
            low=HIGH,
            high=EXTREME,
        ),
    ),
    Claim(
        "tc-reverses",
        "From T = 10 to 40, #TC rises again.",
        "Appendix B; Table 6 and Figure 8",
        COUNT,
        EXTREMES,
        "correlation of #TC with the order of temperatures",
        np.nan,
        "classes",
        "affected-classes",
        partial(
            tests.count_trend,
            comparison="TC",
            alternative="increasing",
            low=HIGH,
            high=EXTREME,
        ),
    ),
    *(
        Claim(
            f"{metric}-reverses",
            f"From T = 10 to 40, {metric.upper()} rises again.",
            "Section 5; Figure 4, second column; Tables 8 and 9",
            PAGE,
            EXTREMES,
            RHO,
            TREND_MATTERS,
            "groups",
            "fairness",
            partial(
                tests.metric_trend,
                metric=metric,
                alternative="increasing",
                low=HIGH,
                high=EXTREME,
            ),
        )
        for metric in ("dpd", "eod")
    ),
    Claim(
        "individual-falls",
        "Individual unfairness falls as temperature rises.",
        "Abstract of the published version; the talk's Table 4",
        PAGE + ", for each space in which distances are measured",
        SWEEP + ", with logits and features",
        RHO,
        TREND_MATTERS,
        "groups",
        "individual-fairness",
        partial(tests.individual_trend, controlled=False),
    ),
    Claim(
        "individual-beyond-softness",
        "Individual unfairness falls more than that of a student alone softened to the same "
        "confidence.",
        "Not in the paper: the control that its claim needs",
        PAGE + ", of the ratio of the DS's unfairness to that of the softened NDS of its seed",
        SWEEP + ", with logits and features",
        RHO,
        TREND_MATTERS,
        "groups",
        "individual-fairness",
        partial(tests.individual_trend, controlled=True),
        ours=True,
    ),
    Claim(
        "same-at-other-alpha",
        "#SC rises and #TC falls with alpha 0.6 as with 0.8.",
        "Appendix B; Table 7",
        COUNT + ", for both; both must reject",
        SWEEP + ", at alpha 0.6",
        "smaller of the two correlations, in the claimed direction",
        np.nan,
        "classes",
        "affected-classes",
        tests.same_under_other_alpha,
    ),
    Claim(
        "harder-more-affected",
        "Data sets that are harder have a larger share of affected classes.",
        "Section 5, on Tables 1 and 5",
        "rank correlation over studies of the share beyond chance with the NDS's error, exact",
        "three studies of class bias or more under one profile",
        "rank correlation",
        np.nan,
        "studies",
        "affected-classes",
        tests.harder_is_more_affected,
    ),
)


def get(claim: str) -> Claim:
    """The claim of that id, or ValueError with the choices."""
    for known in CLAIMS:
        if known.id == claim:
            return known
    raise ValueError(f"unknown claim {claim!r}; expected one of {', '.join(c.id for c in CLAIMS)}")
