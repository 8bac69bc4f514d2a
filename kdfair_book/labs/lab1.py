"""Lab 1: temperature and distillation."""

from __future__ import annotations

from typing import Any

import numpy as np

from kdfair_book import toy
from kdfair_book.evidence.softening import softmax as softmax_of
from kdfair_book.labs.checking import array, call, close, need, number_of, question

SLIDE = np.array([0.4, 0.5, 0.1])
SLIDE_TEACHER = np.array([0.09, 0.9, 0.01])


def cases(seed: int, classes: int = 4, examples: int = 5) -> tuple[Any, Any, Any]:
    """Student logits, teacher logits [example, class] and labels."""
    rng = np.random.default_rng(seed)
    student, teacher = 3 * rng.normal(size=(2, examples, classes))
    return student, teacher, rng.integers(0, classes, examples)


@question("1.1")
def softmax(answer: Any) -> None:
    logits, _, _ = cases(1)
    p = array(answer, logits, 1.0, shape=logits.shape)
    close(p.sum(axis=-1), np.ones(5), "each row of probabilities should sum to one.")
    need((p > 0).all(), "every probability should be positive.")
    need(
        (p.argmax(-1) == logits.argmax(-1)).all(),
        "the largest logit should get the largest probability.",
    )
    hot = array(answer, logits, 1000.0, shape=logits.shape)
    need(np.ptp(hot) < 0.02, "at T = 1000 the classes should be nearly equal.")
    cold = array(answer, logits, 0.001, shape=logits.shape)
    need(
        np.isfinite(cold).all(),
        "at T = 0.001 the result is not finite: subtract the largest first.",
    )
    need(cold.max(-1).min() > 0.9, "at T = 0.001 nearly everything should be on one class.")
    close(array(answer, logits, 3.0), softmax_of(logits, 3.0), "not the softmax of logits / T.")


@question("1.2")
def entropy(answer: Any) -> None:
    even = number_of(call(answer, np.full(8, 1 / 8)))
    need(even > 0, "entropy is not negative.")
    close(even, 3, "eight equal classes have an entropy of 3 bits; check the logarithm's base.")
    certain = number_of(call(answer, np.array([1.0, 0, 0])))
    need(np.isfinite(certain), "a certain answer gives NaN: 0 log 0 counts as 0.")
    close(certain, 0, "a certain answer should have entropy 0.")
    close(call(answer, np.array([0.5, 0.25, 0.25])), 1.5, "wrong for {1/2, 1/4, 1/4}.")


@question("1.3")
def nearest_temperature(answer: Any) -> None:
    T = np.exp(np.linspace(np.log(0.5), np.log(40), 8001))
    there = softmax_of(np.log(SLIDE_TEACHER), T[:, None])
    best = T[(np.abs(there - SLIDE).sum(axis=1) / 2).argmin()]
    given = number_of(answer)
    need(given > 0, "a temperature is positive.")
    need(
        abs(given - 10) > 0.5,
        "that is what the slide says. Compute the three probabilities there, and elsewhere.",
    )
    need(abs(given - best) < 0.1, "there is a temperature at which total variation is smaller.")


@question("1.4")
def soft_gradient(answer: Any) -> None:
    student, teacher, _ = cases(2)
    for T in (1.0, 5.0):
        gradient = array(answer, student, teacher, T, shape=student.shape)
        close(
            gradient.sum(axis=-1),
            np.zeros(5),
            "a constant added to all logits changes nothing, so each row should sum to zero.",
        )
        close(
            array(answer, teacher, teacher, T),
            np.zeros(student.shape),
            "a student who says what the teacher says should not be moved.",
        )
        expected = (softmax_of(student, T) - softmax_of(teacher, T)) / T
        need(
            np.sign(gradient[0, 0]) == np.sign(expected[0, 0]),
            "the sign is turned around: a logit that is too high should have a positive gradient.",
        )
        close(gradient, expected, f"compare with a numerical derivative at T = {T:g}: they differ.")


@question("1.5")
def slope(answer: Any) -> None:
    given = number_of(answer)
    need(given < 0, "the gradient shrinks as T grows; the slope is negative.")
    need(
        abs(given - round(given)) < 0.05,
        "fit the slope where T is large (20 and more), in logarithms of both.",
    )
    need(round(given) == -2, "not the slope of log gradient against log T.")


@question("1.6")
def loss(answer: Any) -> None:
    student, teacher, labels = cases(3)

    def cross_entropy(p: Any, q: Any) -> Any:
        return -(p * np.log(q)).sum(axis=-1)

    def expected(T: float, alpha: float, soft_scale: str) -> float:
        soft = cross_entropy(softmax_of(teacher, T), softmax_of(student, T))
        hard = cross_entropy(np.eye(4)[labels], softmax_of(student))
        return float(
            np.mean(alpha * (T**2 if soft_scale == "T2" else 1) * soft + (1 - alpha) * hard)
        )

    def given(T: float, alpha: float, soft_scale: str) -> float:
        return number_of(call(answer, student, teacher, labels, T, alpha, soft_scale))

    close(
        given(7, 0, "T2"),
        expected(7, 0, "T2"),
        "with alpha = 0 only the labels count, at temperature 1.",
    )
    close(
        given(1, 1, "none"),
        expected(1, 1, "none"),
        "with alpha = 1 and T = 1 it is the cross-entropy of student under teacher, a mean over "
        "examples.",
    )
    close(given(3, 1, "none"), expected(3, 1, "none"), "both sides of the soft term are softened.")
    close(given(3, 1, "T2"), expected(3, 1, "T2"), 'wrong with soft_scale "T2".')
    close(
        given(3, 0.8, "T2"),
        expected(3, 0.8, "T2"),
        "the two terms are not weighted as they should.",
    )


@question("1.7")
def who_comes_back(answer: Any) -> None:
    need(isinstance(answer, dict), 'expected a dict with the keys "T2" and "none".')
    need(set(answer) == {"T2", "none"}, 'expected the keys "T2" and "none".')
    for scale, share in expected_agreement().items():
        given = number_of(answer[scale])
        need(0 <= given <= 1, "a share lies between 0 and 1.")
        need(
            abs(given - share) < 0.002,
            f'not the share for "{scale}": take the mean over the five seeds, and compare the '
            "distilled student at T = 40 with the NDS of its own seed on the test points.",
        )


def expected_agreement() -> dict[str, float]:
    """Share of test points on which DS at T = 40 and NDS agree, by soft_scale."""
    published = toy.load()
    test = toy.draw_points(published["settings"]["n_test"], seed=1)

    def predictions(role: str, scale: str | None) -> dict[int, Any]:
        return {
            m["seed"]: toy.predict(m["layers"], test.x)
            for m in published["models"]
            if m["role"] == role and m["soft_scale"] == scale and m["temperature"] in (None, 40)
        }

    nds = predictions("nds", None)
    return {
        scale: float(np.mean([np.mean(p == nds[s]) for s, p in predictions("ds", scale).items()]))
        for scale in ("T2", "none")
    }
