"""Evidence from results: against the metrics themselves, and on studies whose truth is known."""

import dataclasses

import numpy as np
import pytest
from known_study import TEMPERATURES, made_up
from scipy import stats

from kdfair_book import evidence
from kdfair_book.evidence.class_bias import disagreements, paired_test
from kdfair_book.evidence.individual import pairs_of
from kdfair_book.evidence.softening import (
    matching_temperature,
    mean_confidence,
    softmax,
)
from kdfair_core import metrics


def runs_of(sweep, role, temperature=None):
    frame = sweep.results.runs
    chosen = frame[(frame["role"] == role)]
    if role == "ds":
        chosen = chosen[
            (chosen["temperature"] == temperature)
            & (chosen["alpha"] == sweep.alpha)
            & (chosen["soft_scale"] == sweep.soft_scale)
        ]
    return chosen.sort_values("seed")["run"].to_numpy()


def test_a_sweep_knows_whose_run_is_which(moving):
    assert moving.temperatures == TEMPERATURES
    assert (moving.alpha, moving.soft_scale) == (0.8, "T2")
    assert moving.seeds == (0, 1, 2, 3, 4)
    assert len(moving.null) == 5
    np.testing.assert_array_equal(moving.teacher, runs_of(moving, "teacher"))
    np.testing.assert_array_equal(moving.nds, runs_of(moving, "nds"))
    for k, t in enumerate(TEMPERATURES):
        np.testing.assert_array_equal(moving.ds[:, k], runs_of(moving, "ds", t))
    assert evidence.settings(moving.results) == [(0.8, "T2"), (0.6, "T2")]
    assert evidence.sweep(moving.results, alpha=0.6).alpha == 0.6


def test_seeds_that_are_not_whole_are_dropped(moving):
    manifest = dict(moving.results.manifest)
    manifest["runs"] = [dict(run) for run in manifest["runs"]]
    first = next(r for r in manifest["runs"] if r["role"] == "ds" and r["alpha"] == 0.8)
    first["diverged"] = True
    broken = dataclasses.replace(moving.results, manifest=manifest)
    found = evidence.sweep(broken)
    assert found.seeds == (1, 2, 3, 4)
    assert found.dropped == (0,)


def test_what_was_not_measured_is_said(moving):
    with pytest.raises(evidence.NotThere, match=r"alpha 0.5.*measured: alpha 0.8 with T2"):
        evidence.sweep(moving.results, alpha=0.5)
    with pytest.raises(evidence.NotThere, match="needs three temperatures; measured: 20, 30"):
        moving.between(15, 35)
    with pytest.raises(evidence.NotThere, match="no distilled student at T = 11"):
        moving.at(11)
    with pytest.raises(evidence.NotThere, match="needs 6"):
        moving.need_seeds(6)
    with pytest.raises(evidence.NotThere, match="'output'"):
        pairs_of(moving, "output")


def test_uneven_effects_are_seen_and_none_is_not_invented(moving, still):
    test = evidence.affected_classes_test(moving, n_permutations=200)
    counts = [
        evidence.class_effects(moving, "SC", t)["significant"].sum() for t in TEMPERATURES[:10]
    ]
    assert test.observed == pytest.approx(np.mean(counts))
    assert test.p_value <= 0.01
    assert test.excess > 0.3
    none = evidence.affected_classes_test(still, n_permutations=200)
    assert none.p_value > 0.05
    assert abs(none.excess) < 0.1


def test_uneven_effects_are_found_at_the_nominal_rate():
    n, p_values = 40, []
    for seed in range(n):
        found = evidence.sweep(
            made_up(pull=lambda t: 0.0, lift=0.0, n=300, temperatures=(1, 4, 10), seed=seed)
        )
        p_values.append(evidence.affected_classes_test(found, n_permutations=60).p_value)
    for level in (0.05, 0.2):
        share = (np.array(p_values) <= level).mean()
        assert share <= level + 3 * np.sqrt(level * (1 - level) / n)
    assert (np.array(p_values) <= 0.5).mean() > 0.2  # counts tie, but p is not simply 1


def test_counts_rise_towards_the_nds_and_fall_towards_the_teacher(moving):
    rise = evidence.affected_trend(moving, "SC", n_permutations=200)
    fall = evidence.affected_trend(moving, "TC", alternative="decreasing", n_permutations=200)
    assert rise.effect > 0.7
    assert rise.p_value < 0.05
    assert fall.effect < -0.7
    assert fall.p_value < 0.05
    counted = evidence.class_effects(moving, "TC", 4)["significant"].sum()
    assert fall.counts[3] == counted
    with pytest.raises(ValueError, match="unknown comparison 'XC'"):
        evidence.affected_trend(moving, "XC")
    with pytest.raises(ValueError, match="unknown comparison 'XC'"):
        evidence.class_effects(moving, "XC", 4)


def test_distance_to_the_teacher_falls(moving):
    frame = evidence.teacher_distance(moving)
    at = frame.groupby("temperature")["distance"].mean()
    assert at[10] < at[4] < at[1]
    accuracy = metrics.class_accuracy(moving.results.y_true, moving.results.pred, n_classes=10)
    overall = (moving.results.pred == moving.results.y_true).mean(axis=1)
    relative = accuracy / overall[:, None]
    expected = np.abs(relative[moving.ds[2, 3]] - relative[moving.teacher[2]]).mean()
    row = frame[(frame["seed"] == 2) & (frame["temperature"] == 4)]
    assert row["distance"].item() == pytest.approx(expected)


def test_disagreement_is_reduced(moving, still):
    test = evidence.disagreement_reduction(moving)
    assert test.low > 0
    assert test.p_value < 0.001
    frame = disagreements(moving)
    seed = frame[(frame["seed"] == 1) & (frame["temperature"] == 3)]["disagreement"].item()
    pred = moving.results.pred
    assert seed == (pred[moving.ds[1, 2]] != pred[moving.teacher[1]]).mean()
    none = evidence.disagreement_reduction(still)
    assert none.low < 0 < none.high


def test_paired_test_is_scipys():
    gains = np.random.default_rng(0).normal(0.3, 1, 6)
    ours = paired_test(gains)
    theirs = stats.ttest_1samp(gains, 0, alternative="greater")
    interval = stats.ttest_1samp(gains, 0).confidence_interval()
    assert (ours.statistic, ours.p_value) == pytest.approx((theirs.statistic, theirs.pvalue))
    assert (ours.low, ours.high) == pytest.approx(interval)
    assert paired_test(np.zeros(3)).p_value == 0.5
    assert paired_test(np.ones(3)).p_value == 0


def test_intervals_have_the_columns_of_the_summary(moving):
    frame = evidence.fairness_intervals(moving.results, "color", n_boot=100)
    summary = moving.results.fairness_summary("color")
    merged = summary.merge(
        frame,
        on=["role", "temperature", "alpha", "soft_scale", "metric"],
        suffixes=("", "_ours"),
        validate="one_to_one",
    )
    assert len(merged) == len(summary) == len(frame)
    np.testing.assert_allclose(merged["mean_ours"], merged["mean"])
    np.testing.assert_allclose(merged["sd_ours"], merged["sd"])
    np.testing.assert_allclose(merged["floor_ours"], merged["floor"])
    inside = frame[frame["metric"] == "accuracy"]
    assert ((inside["low"] < inside["mean"]) & (inside["mean"] < inside["high"])).all()
    assert frame.loc[frame["metric"] != "accuracy", "chance"].gt(0).all()
    with pytest.raises(ValueError, match="unknown attribute 'age'"):
        evidence.fairness_intervals(moving.results, "age")


def test_differences_and_trends_follow_the_gap(moving):
    frame = evidence.fairness_differences(moving, "color", "nds", n_boot=200)
    eod = frame[frame["metric"] == "eod"].set_index("temperature")
    assert eod.loc[10, "high"] < 0
    assert eod.loc[10, "corrected"] < eod.loc[2, "corrected"]
    trend = evidence.fairness_trend(moving, "color", "eod")
    assert trend.effect < -0.8
    assert trend.p_value < 1e-6
    values = evidence.fairness_by_run(moving, "color", "eod")
    direct = metrics.equalized_odds_difference(
        moving.results.y_true,
        moving.results.pred[moving.ds[3, 5]],
        sensitive_features=moving.results.groups["color"],
    )
    assert values[3, 5] == pytest.approx(direct)
    with pytest.raises(ValueError, match="against is 'null'"):
        evidence.fairness_differences(moving, "color", "null")
    with pytest.raises(ValueError, match="unknown metric 'auc'"):
        evidence.fairness_by_run(moving, "color", "auc")


def test_floor_by_chance_is_the_floor_of_permuted_groups(moving):
    floor, permuted = evidence.floor_by_chance(moving.results, "color", n_permutations=200)
    assert floor == pytest.approx(moving.results.group_fairness("color").attrs["floor"])
    rng = np.random.default_rng(0)
    y_true = moving.results.y_true
    shuffled = rng.permutation(moving.results.groups["color"])
    expected = metrics.demographic_parity_difference(y_true, y_true, sensitive_features=shuffled)
    assert permuted[0] == pytest.approx(expected)
    # labels and groups were drawn independently: the floor is one of those
    assert 0.01 < (permuted >= floor).mean() < 0.99


def test_signed_gaps_say_which_group():
    two = evidence.sweep(made_up(n_classes=2, temperatures=(1, 10)))
    frame = evidence.signed_gaps(two, "color", n_boot=200).set_index(["role", "rate"])
    assert frame.attrs["groups"] == ["red", "blue"]
    assert frame.loc[("nds", "tpr"), "high"].item() < 0  # blue is recognized less often
    assert frame.loc[("nds", "fpr"), "low"].item() > 0
    assert frame.loc[("teacher", "tpr"), "low"].item() < 0.02


def test_softening_keeps_decisions_and_sets_confidence():
    logits = np.random.default_rng(0).normal(0, 3, (200, 4))
    for confidence in (0.3, 0.5, 0.9):
        temperature = matching_temperature(logits, confidence)
        assert mean_confidence(logits, temperature) == pytest.approx(confidence)
        np.testing.assert_array_equal(
            softmax(logits, temperature).argmax(axis=1), logits.argmax(axis=1)
        )
    np.testing.assert_allclose(softmax(logits).sum(axis=1), 1)
    ties = np.zeros((3, 4))
    assert np.isnan(matching_temperature(ties, 0.5))
    with pytest.raises(ValueError, match=r"confidence is 0\.2"):
        matching_temperature(logits, 0.2)
    with pytest.raises(ValueError, match="shape"):
        matching_temperature(logits[0], 0.5)


def test_softened_controls_explain_what_softness_explains(moving):
    frame = evidence.individual_by_run(moving, "input", n_pairs=2000)
    ds = frame[frame["role"] == "ds"].groupby("temperature")[["unfairness", "softened"]].mean()
    assert ds.loc[10, "unfairness"] < ds.loc[1, "unfairness"]
    assert ds.loc[10, "softened"] < ds.loc[1, "softened"]
    curve = evidence.softening_curve(moving, "input", n_pairs=2000)
    one = curve[curve["seed"] == 0].sort_values("softening")
    assert one["unfairness"].iloc[-1] < 0.1 * one["unfairness"].iloc[0]
    nds = frame[(frame["role"] == "nds") & (frame["seed"] == 0)]
    beside = np.interp(0, np.log(one["softening"]), one["unfairness"])
    assert beside == pytest.approx(nds["unfairness"].item(), rel=0.02)
    published = moving.results.individual_fairness("input", n_pairs=2000)
    np.testing.assert_allclose(
        published["individual_unfairness"].to_numpy()[moving.teacher],
        frame[frame["role"] == "teacher"]["unfairness"],
        rtol=1e-4,
    )


def test_individual_intervals_and_differences(moving):
    frame = evidence.individual_intervals(moving, "input", n_pairs=1000, n_boot=100)
    rows = frame.set_index(["role", "temperature"])
    real = frame[frame["role"] != "constant"]
    assert ((real["low"] < real["mean"]) & (real["mean"] < real["high"])).all()
    same = rows.loc[("softened", 4), "confidence"], rows.loc[("ds", 4), "confidence"]
    assert same[0] == pytest.approx(same[1], abs=1e-3)
    constant = frame[frame["role"] == "constant"]
    assert constant["mean"].item() == 0
    differences = evidence.softening_differences(moving, "input", n_pairs=1000, n_boot=100)
    at = differences.set_index(["against", "temperature"])
    expected = rows.loc[("ds", 10), "mean"] - rows.loc[("softened", 10), "mean"]
    assert at.loc[("softened", 10), "difference"] == pytest.approx(expected)
    assert at.loc[("nds", 10), "high"] < 0


def test_gradients_are_those_of_the_loss(moving):
    frame = evidence.gradient_sizes(moving)
    frame = frame.set_index(["state", "soft_scale", "temperature"]).sort_index()
    results, alpha, t, step = moving.results, 0.8, 4.0, 1e-5
    student = results.logits[moving.nds[0]].astype(float)
    teacher = results.logits[moving.teacher[0]].astype(float)
    n_classes = student.shape[1]

    def soft(z):
        return -alpha * t**2 * (softmax(teacher, t) * np.log(softmax(z, t))).sum(axis=1)

    numeric = np.stack(
        [
            (soft(student + step * axis) - soft(student - step * axis)) / (2 * step)
            for axis in np.eye(n_classes)
        ],
        axis=1,
    )
    lengths = []
    for s in range(5):
        z = results.logits[moving.nds[s]].astype(float)
        zt = results.logits[moving.teacher[s]].astype(float)
        lengths.append(np.linalg.norm(alpha * t * (softmax(z, t) - softmax(zt, t)), axis=1).mean())
    assert np.linalg.norm(numeric, axis=1).mean() == pytest.approx(lengths[0], rel=1e-4)
    assert frame.loc[("trained", "T2", 4), "soft"] == pytest.approx(np.mean(lengths))
    none = frame.loc[("trained", "none", 4), "soft"]
    assert none == pytest.approx(np.mean(lengths) / 16)
    fade = frame.loc[("untrained", "none")]["soft"]
    assert fade[40] < fade[10] / 10
    assert (
        frame.loc[("untrained", "T2")]["soft"][40]
        > 0.5 * frame.loc[("untrained", "T2")]["soft"][10]
    )


def test_power_curves_rise_and_agree_with_seeds_needed(moving):
    curve = evidence.power_curve(moving, 4, effects=(0.03,), seed_counts=(2, 5, 20, 60))
    table = curve.pivot(index="seeds", columns="correction", values="power")
    assert table["none"].is_monotonic_increasing
    assert table["bh"].is_monotonic_increasing
    assert (table["bh"] <= table["none"] + 1e-9).all()
    needed = evidence.seeds_for(moving, 4, 0.03)
    assert needed["none"] <= needed["bh"]
    at = evidence.power_curve(moving, 4, effects=(0.03,), seed_counts=(int(needed["none"]),))
    assert at[at["correction"] == "none"]["power"].item() == pytest.approx(0.8, abs=0.08)
