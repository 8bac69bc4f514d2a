"""Checks of what the paper says about group and individual fairness."""

from __future__ import annotations

from kdfair_book import paper
from kdfair_book.paper.checks.check import (
    FAIRNESS,
    NAMES,
    Check,
    by_temperature,
    listed,
    lowest_at,
    of_role,
    steps,
    tau,
)

INDIVIDUAL = ("celeba-smiling", "trifeature", "hatexplain")
COLUMNS = tuple((study, attribute, m) for study, attribute in FAIRNESS for m in ("eod", "dpd"))
EXTREME = tuple(column for column in COLUMNS if column[0] != "hatexplain")
"""The columns for which a table prints T = 20, 30, 40."""

RANGE_OF_TEN = 3.0775
"""Expected range of ten independent standard normal numbers."""


def _name(study: str, attribute: str, metric: str = "") -> str:
    return f"{NAMES[study]} by {attribute} {metric.upper()}".strip()


def downward() -> Check:
    taus = {column: tau(by_temperature(*_order(column))) for column in COLUMNS}
    return Check(
        "downward trend",
        "EOD and DPD fall as the temperature rises to 10.",
        "paper, Section 5, Tables 2, 3, 8 and 9",
        "downward",
        f"Kendall's tau with T = 1..10 between {min(taus.values()):+.2f} and "
        f"{max(taus.values()):+.2f} in {len(taus)} columns",
        all(value < 0 for value in taus.values()),
        "Nearly every step goes down. Steps that go up: "
        + listed(
            f"{_name(*column)} {rises}"
            for column in COLUMNS
            if (rises := int((steps(by_temperature(*_order(column))) > 0).sum()))
        )
        + ".",
    )


def _order(column: tuple[str, str, str]) -> tuple[str, str, str]:
    """Arguments of :func:`by_temperature`: study, metric, attribute."""
    study, attribute, metric = column
    return study, metric, attribute


def surpassing() -> Check:
    first = {}
    for study, attribute, metric in COLUMNS:
        teacher = of_role(study, metric, "teacher", attribute)
        below = [t for t, v in by_temperature(study, metric, attribute).items() if v < teacher]
        if below:
            first[study, attribute, metric] = below[0]
    eod = [column for column in first if column[2] == "eod"]
    dpd = [column for column in first if column[2] == "dpd"]
    return Check(
        "fairer than the teacher",
        "At high temperatures the DS can be fairer than its teacher.",
        "paper, Abstract and Section 6",
        "fairer, of EOD and DPD",
        f"by DPD in {len(dpd)} of {len(FAIRNESS)} cases, by EOD in {len(eod)}"
        f" ({listed(_name(*column) for column in eod)})",
        bool(eod and dpd),
        "By EOD it is the exception. From T = "
        + listed(f"{t} for {_name(*column)}" for column, t in first.items())
        + ". An earlier abstract (arXiv:2410.08407v1) claimed it for DPD only.",
    )


def hatexplain_gender() -> Check:
    below = {
        metric: [
            t
            for t, value in by_temperature("hatexplain", metric, "gender").items()
            if value < of_role("hatexplain", metric, "teacher", "gender")
        ]
        for metric in ("eod", "dpd")
    }
    return Check(
        "HateXplain by gender",
        "By gender the DS is fairer than its teacher in both EOD and DPD.",
        "paper, Section 5, Table 3",
        "both",
        listed(f"{m.upper()} at T = {listed(temperatures)}" for m, temperatures in below.items()),
        all(below.values()),
    )


def teacher_over_nds() -> Check:
    fairer = [
        column
        for column in COLUMNS
        if of_role(*_roles(column, "teacher")) < of_role(*_roles(column, "nds"))
    ]
    return Check(
        "teacher fairer than NDS",
        "The teacher is fairer than the NDS (said of CelebA's two attributes).",
        "paper, Section 5",
        "fairer",
        f"in {len(fairer)} of {len(COLUMNS)} columns of all data sets",
        len(fairer) == len(COLUMNS),
        "CelebA by Male is in a figure only.",
    )


def _roles(column: tuple[str, str, str], role: str) -> tuple[str, str, str, str]:
    """Arguments of :func:`of_role`: study, metric, role, attribute."""
    study, attribute, metric = column
    return study, metric, role, attribute


def ds_over_nds() -> Check:
    cells = [
        value < of_role(*_roles(column, "nds"))
        for column in COLUMNS
        for value in by_temperature(*_order(column)).values()
    ]
    return Check(
        "DS fairer than NDS",
        "Distillation makes the student fairer than the one trained without it.",
        "paper, Section 1",
        "fairer",
        f"in {sum(cells)} of {len(cells)} cells, T = 1 to 10",
        all(cells),
        "At T = 1 too, where the teacher's outputs are not softened at all.",
    )


def extremes() -> Check:
    turned = []
    below_nds = []
    for column in EXTREME:
        values = by_temperature(*_order(column), highest=40)
        turned.append(values[10] < values[20] < values[30] < values[40])
        below_nds.append(values[40] < of_role(*_roles(column, "nds")))
    return Check(
        "extreme temperatures: fairness",
        "EOD and DPD rise again at T = 20, 30, 40.",
        "paper, Section 5, Tables 8 and 9",
        "rising",
        f"rising in {sum(turned)} of {len(turned)} columns",
        all(turned),
        f"Even at T = 40 the DS is printed as fairer than the NDS in {sum(below_nds)} of "
        f"{len(below_nds)} columns. HateXplain's are in a figure only.",
    )


def trade_off() -> Check:
    best = {}
    for study, attribute in FAIRNESS:
        accuracy = by_temperature(study, "accuracy", attribute)
        best[study, attribute] = (
            max(accuracy, key=accuracy.__getitem__),
            lowest_at(by_temperature(study, "dpd", attribute)),
        )
    return Check(
        "fairness and accuracy",
        "The fairest temperature need not be the most accurate one.",
        "paper, Section 1",
        "not always the same",
        "most accurate, lowest DPD: "
        + listed(f"{_name(*part)} T = {a}, {d}" for part, (a, d) in best.items()),
        any(a != d for a, d in best.values()),
    )


def individual() -> Check:
    values = {study: by_temperature(study, "individual_unfairness") for study in INDIVIDUAL}
    falls = {study: bool((steps(means) < 0).all()) for study, means in values.items()}
    ratios = {
        study: min(means.values()) / of_role(study, "individual_unfairness", "teacher")
        for study, means in values.items()
    }
    return Check(
        "individual fairness",
        "Individual fairness improves with temperature.",
        "talk, Table 4; arXiv page",
        "improves",
        listed(
            f"{NAMES[study]}: {'every step' if f else 'not every step'}"
            for study, f in falls.items()
        ),
        all(falls.values()),
        "No DS comes near its teacher, whose score is lower than the best DS's by a factor of "
        + listed(f"{ratio:.1f} ({NAMES[study]})" for study, ratio in ratios.items())
        + ". The talk gives no deviations. Softer outputs differ less by themselves, which lowers "
        "this score without any change in what is decided.",
    )


def trifeature_balanced() -> Check:
    dpd = of_role("trifeature", "dpd", "teacher", "color")
    images = 10 * 0.1 * 0.9 * (RANGE_OF_TEN / (dpd / 100)) ** 2
    return Check(
        "Trifeature balanced",
        "Trifeature's attributes are balanced.",
        "paper, Section 5, Figure 4",
        "balanced: a perfect classifier would have DPD 0",
        f"DPD of the perfect teacher: {dpd:.2f}",
        dpd == 0,
        "The set as a whole may be; the test split is not. A model that is always right predicts "
        "each shape as often as it occurs, so its DPD is the labels' own. A test split drawn at "
        f"random has this one when it holds about {images:,.0f} images (Algorithm 1, ten colors).",
    )


def trifeature_accuracy() -> Check:
    pairs = {
        role: [of_role("trifeature", "accuracy", role, part) for part in ("color", "texture")]
        for role in ("teacher", "nds")
    }
    return Check(
        "Trifeature's two accuracies",
        "The same networks classify shape; fairness is read by color and by texture.",
        "paper, Table 9",
        "one task, so one accuracy",
        listed(f"{role} {a:.2f} % and {b:.2f} %" for role, (a, b) in pairs.items()),
        all(a == b for a, b in pairs.values()),
        "An accuracy does not depend on which attribute the predictions are grouped by. The two "
        "halves must come from different models or data. Appendix B speaks of 'shape' and "
        "'texture' labels, so the second half may classify texture.",
    )


def equal_accuracies() -> Check:
    trifeature = by_temperature("trifeature", "accuracy", "color")
    celeba = by_temperature("celeba-smiling", "accuracy")
    same = [t for t in trifeature if trifeature[t] == celeba[t]]
    teacher = of_role("celeba-smiling", "accuracy", "teacher")
    return Check(
        "equal accuracies",
        "Accuracies of different networks on Trifeature and on CelebA.",
        "paper, Table 2",
        "two experiments",
        "the same to both digits at T = " + listed(f"{t} ({celeba[t]:.2f} %)" for t in same),
        not same,
        f"Of ten temperatures two, side by side. With these, CelebA's DS reaches {celeba[9]:.2f} % "
        f"at T = 9, above its teacher ({teacher:.2f} %); at the other eight it is at most "
        f"{max(v for t, v in celeba.items() if t not in same):.2f} %.",
    )


def male_in_a_table() -> Check:
    attributes = sorted(
        {
            attribute
            for study in ("celeba-smiling", "celeba-eyeglasses")
            for attribute in paper.results(study)["attribute"]
            if attribute
        }
    )
    return Check(
        "CelebA by Male",
        "Results are given for both of CelebA's demographic attributes, in full tables.",
        "paper, Section 5, Appendix B",
        "Young and Male",
        f"in a table: {listed(attributes)}",
        attributes == ["Male", "Young"],
        "Figure 4 draws Male; no table has its numbers.",
    )


CHECKS = (
    downward,
    surpassing,
    hatexplain_gender,
    teacher_over_nds,
    ds_over_nds,
    extremes,
    trade_off,
    individual,
    trifeature_balanced,
    trifeature_accuracy,
    equal_accuracies,
    male_in_a_table,
)
