"""The pages' arithmetic against numpy, torch-free, and against kdfair_core.metrics."""

import warnings

import numpy as np
import pytest

from kdfair_book import toy
from kdfair_book.evidence.group import group_rates
from kdfair_core import metrics

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def js(chromium):
    """js(expression, argument) evaluates with ``m`` the math of the pages."""
    from pathlib import Path

    page = chromium.new_page()
    static = Path(__file__).resolve().parents[3] / "book" / "_static" / "explain"
    page.add_script_tag(path=static / "math.js")
    yield lambda expression, argument: page.evaluate(
        f"argument => {{ const m = window.kdfair.math; return ({expression})(argument); }}",
        argument,
    )
    page.close()


SLIDE = ([0.09, 0.9, 0.01], [0.4, 0.5, 0.1])


@pytest.mark.parametrize("T", [0.5, 1, 4.7, 40])
def test_softmax_entropy_and_gradients(js, T):
    rng = np.random.default_rng(0)
    for classes in (2, 3, 7):
        teacher, student = rng.normal(size=(2, classes)) * 6
        p, q = toy.softmax(teacher, T), toy.softmax(student, T)
        np.testing.assert_allclose(
            js("([z, T]) => m.softmax(z, T)", [teacher.tolist(), T]), p, atol=1e-12
        )
        assert js("p => m.entropy(p)", p.tolist()) == pytest.approx(-(p * np.log2(p)).sum())
        sizes = js("([t, s, T]) => m.gradientSizes(t, s, 1, T)", [
            teacher.tolist(), student.tolist(), T,
        ])  # fmt: skip
        hard = toy.softmax(student) - np.eye(classes)[1]
        assert sizes["plain"] == pytest.approx(0.8 * np.linalg.norm(q - p) / T)
        assert sizes["scaled"] == pytest.approx(0.8 * T * np.linalg.norm(q - p))
        assert sizes["hard"] == pytest.approx(0.2 * np.linalg.norm(hard))
        both = toy.loss_gradient(
            student[None], teacher[None], [1], temperature=T, alpha=0.8, soft_factor=T**2
        )[0]
        assert np.linalg.norm(both - 0.2 * hard) == pytest.approx(sizes["scaled"])


def test_entropy_of_a_certain_answer_is_zero(js):
    assert js("p => m.entropy(p)", [1, 0, 0]) == 0


def test_nearest_temperature_of_the_slide(js):
    """What the page says of the talk's example, by brute force."""
    start, end = map(np.array, SLIDE)
    T = np.exp(np.linspace(np.log(0.5), np.log(40), 20_001))
    out_of_place = np.abs(toy.softmax(np.log(start), T[:, None]) - end).sum(axis=1) / 2
    nearest = js("([z, p]) => m.nearestTemperature(z, p)", [np.log(start).tolist(), end.tolist()])
    assert nearest == pytest.approx(T[out_of_place.argmin()], rel=1e-3)
    assert f"{nearest:.1f}" == "4.7"
    assert toy.softmax(np.log(start), nearest) == pytest.approx([0.31, 0.5, 0.19], abs=0.005)
    assert out_of_place.min() == pytest.approx(0.09, abs=0.005)
    divergence = (end * np.log(end / toy.softmax(np.log(start), T[:, None]))).sum(axis=1)
    assert f"{T[divergence.argmin()]:.1f}" == "3.6"
    assert toy.softmax(np.log(start), 10) == pytest.approx([0.33, 0.41, 0.26], abs=0.005)


def test_no_temperature_gives_the_slide_even_if_rounded():
    """Two ratios need ranges of T that do not meet, whatever lies within rounding."""
    (a, b, c), (x, y, z) = SLIDE

    def range_of_T(top, bottom, top_T, bottom_T, half, half_T):
        smallest = np.log((top - half) / (bottom + half)) / np.log(
            (top_T + half_T) / (bottom_T - half_T)
        )
        least = (top_T - half_T) / (bottom_T + half_T)
        most = np.log((top + half) / (bottom - half)) / np.log(least) if least > 1 else np.inf
        return smallest, most

    first = range_of_T(b, a, y, x, 0.005, 0.05)  # dog against cat
    second = range_of_T(b, c, y, z, 0.005, 0.05)  # dog against plane
    assert first[0] > second[1]


def test_which_teacher_gives_the_slide():
    powers = np.array(SLIDE[1]) ** 10
    p = powers / powers.sum()
    assert p == pytest.approx([0.097, 0.903, 9e-8], abs=5e-4)
    assert p[2] == pytest.approx(9e-8, rel=0.05)
    assert toy.softmax(np.log(p), 10) == pytest.approx(SLIDE[1])


def test_network_and_boundaries_are_those_of_numpy(js):
    models = toy.load()["models"]
    x = np.random.default_rng(0).normal(size=(50, 2)) * 2
    for model in (models[0], models[1], models[9]):
        ours = toy.logits_of(model["layers"], x)
        theirs = js("([l, x]) => x.map((p) => m.network(l, p))", [model["layers"], x.tolist()])
        np.testing.assert_allclose(theirs, ours, atol=1e-9)


def people(rng, n, groups):
    return (
        rng.integers(0, 2, n),
        rng.integers(0, 2, n),
        rng.choice(list("ABC")[:groups], n),
    )


@pytest.mark.parametrize("groups", [2, 3])
@pytest.mark.parametrize("n", [6, 40])
def test_group_fairness_is_that_of_the_metrics(js, n, groups):
    """Random populations, small ones with groups that lack positives or negatives."""
    rng = np.random.default_rng(n + groups)
    undefined = 0
    for _ in range(50):
        y, decision, group = people(rng, n, groups)
        rows = [
            {"label": int(a), "decision": int(b), "group": str(g)}
            for a, b, g in zip(y, decision, group, strict=True)
        ]
        got = js("(people) => m.groupFairness(people)", rows)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", metrics.UndefinedMetricWarning)
            dpd = metrics.demographic_parity_difference(y, decision, sensitive_features=group)
            eod = metrics.equalized_odds_difference(y, decision, sensitive_features=group)
        undefined += np.isnan(eod)
        np.testing.assert_equal(
            [round(v, 12) for v in (got["dpd"], got["eod"])], [round(v, 12) for v in (dpd, eod)]
        )
    assert (undefined > 0) == (n == 6)


def test_rates_are_those_of_the_metrics(js):
    rng = np.random.default_rng(1)
    y, decision, group = people(rng, 60, 2)
    rows = [
        {"label": int(a), "decision": int(b), "group": str(g)}
        for a, b, g in zip(y, decision, group, strict=True)
    ]
    got = js("(people) => m.groupFairness(people)", rows)["groups"]
    counts = metrics.group_counts(y, decision, sensitive_features=group, n_classes=2)
    for row in group_rates(counts, group_names=["A", "B"]).itertuples():
        mine = got[row.group]
        assert [mine["selection"], mine["tpr"], mine["fpr"]] == pytest.approx(
            [row.selection_rate, row.tpr, row.fpr]
        )


def test_individual_unfairness_is_that_of_the_metrics(js):
    rng = np.random.default_rng(2)
    scores, features = rng.random(30), rng.normal(size=(30, 2))
    features[3] = features[7]  # a pair at distance zero is left out
    got = js("([s, f]) => m.individualUnfairness(s, f)", [scores.tolist(), features.tolist()])
    with pytest.warns(metrics.UndefinedMetricWarning, match="distance zero"):
        ours = metrics.individual_unfairness(
            scores, features, n_pairs=435, seed=0, distance="euclidean"
        )
    assert got == pytest.approx(ours)
