"""Lab 4: individual fairness and its confound."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdfair_book import toy
from kdfair_book.evidence.softening import matching_temperature, mean_confidence, softmax
from kdfair_book.labs.checking import call, close, need, number_of, question
from kdfair_core import metrics

N_POINTS = 300


def models(temperature: float = 10, soft_scale: str = "T2") -> dict[str, NDArray[np.float64]]:
    """Logits [seed, point, class] of the toy's NDS and DS on its first 300 test points, and the
    points [point, 2]. Real networks: see the page "What a student learns"."""
    published = toy.load()
    x = toy.draw_points(published["settings"]["n_test"], seed=1).x[:N_POINTS]
    kinds = {"nds": ("nds", None, None), "ds": ("ds", temperature, soft_scale)}
    out = {"points": x}
    for name, kind in kinds.items():
        out[name] = np.stack(
            [
                toy.logits_of(m["layers"], x)
                for m in published["models"]
                if (m["role"], m["temperature"], m["soft_scale"]) == kind
            ]
        )
    return out


def unfairness_of(p: NDArray[Any], x: NDArray[Any]) -> float:
    """Mean over all pairs, total variation over Euclidean distance."""
    n_pairs = len(x) * (len(x) - 1) // 2
    return metrics.individual_unfairness(p, x, n_pairs=n_pairs, seed=0, distance="euclidean")


def _people() -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(8)
    return softmax(rng.normal(size=(12, 3))), rng.normal(size=(12, 2))


@question("4.1")
def unfairness(answer: Any) -> None:
    p, x = _people()
    given = number_of(call(answer, p, x))
    close(
        number_of(call(answer, np.full((12, 3), 1 / 3), x)),
        0,
        "a model that answers everyone alike should have 0.",
    )
    need(given > 0, "the measure is positive for a model that tells people apart.")
    close(
        number_of(call(answer, p, 2 * x)),
        given / 2,
        "twice as far apart, half as unfair: is the distance in the denominator?",
    )
    expected = unfairness_of(p, x)
    need(not np.isclose(given, 2 * expected), "total variation is half the sum of differences.")
    need(
        not np.isclose(given, expected * 11 / 12),
        "a pair is two different people: leave out pairs of a person with itself.",
    )
    close(given, expected, "not the mean over pairs of total variation over Euclidean distance.")
    twins = np.vstack([x, x[:1]])
    again = number_of(call(answer, np.vstack([p, p[:1]]), twins))
    need(np.isfinite(again), "two people in the same place have no ratio: leave such pairs out.")


@question("4.2")
def constant(answer: Any) -> None:
    need(number_of(answer) == 0, "compute it: everyone gets the same answer.")


@question("4.3")
def softened(answer: Any) -> None:
    data = models()
    need(isinstance(answer, dict), "expected a dict from temperature to unfairness.")
    need(set(map(float, answer)) == {1, 2, 4, 8}, "expected the temperatures 1, 2, 4 and 8.")
    for T, given in answer.items():
        expected = unfairness_of(softmax(data["nds"][0], float(T)), data["points"])
        close(number_of(given), expected, f"not the value at T = {T:g}.", within=1e-4)


@question("4.4")
def matched(answer: Any) -> None:
    logits = models()["nds"][0]
    start = mean_confidence(logits)
    for target in (start - 0.1, 0.5, start + 0.03):
        T = number_of(call(answer, logits, target))
        need(T > 0, "a temperature is positive.")
        need(
            abs(mean_confidence(logits, T) - target) < 0.002,
            "softened by your temperature, the mean of the largest probability is not the target.",
        )


@question("4.5")
def explained(answer: Any) -> None:
    need(isinstance(answer, dict), 'expected a dict with the keys "nds", "ds" and "nds matched".')
    expected = three_values()
    need(set(answer) == set(expected), f"expected the keys {', '.join(expected)}.")
    for name, value in expected.items():
        close(
            number_of(answer[name]),
            value,
            f'"{name}" is not right: take the mean over the five seeds, and soften each NDS to the '
            "confidence of the DS of its own seed.",
            within=5e-3 * value,
        )


def three_values() -> dict[str, float]:
    """Mean unfairness of NDS, of DS, and of the NDS softened to the DS's confidence."""
    data = models()
    x = data["points"]
    rows = []
    for nds, ds in zip(data["nds"], data["ds"], strict=True):
        T = matching_temperature(nds, mean_confidence(ds))
        rows.append([unfairness_of(softmax(z, t), x) for z, t in ((nds, 1), (ds, 1), (nds, T))])
    return dict(zip(("nds", "ds", "nds matched"), np.mean(rows, axis=0).tolist(), strict=True))


@question("4.6")
def distances(answer: Any) -> None:
    data = models()
    p, x = softmax(data["nds"][0]), data["points"]
    values = np.asarray(answer, dtype=float)
    need(values.shape == (2,), "expected two numbers.")
    expected = [unfairness_of(p, x), unfairness_of(p, x * np.array([1, 10]))]
    close(values, expected, "not the unfairness with the two distances.", within=1e-4)


@question("4.7")
def conclusion(answer: Any) -> None:
    need(isinstance(answer, str) and answer.strip().lower() in set("abc"), "expected a, b or c.")
    need(
        answer.strip().lower() == "c",
        "which of the statements would still be true if you had only softened the answers?",
    )
