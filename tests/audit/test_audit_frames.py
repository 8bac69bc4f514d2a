"""The report's numbers: equal to fairlearn's, to scipy's, and to this project's own elsewhere."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import (
    MetricFrame,
    demographic_parity_difference,
    equalized_odds_difference,
    false_positive_rate,
    selection_rate,
    true_positive_rate,
)
from sklearn.metrics import accuracy_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

import kdfair_audit
from kdfair_core import metrics

COLUMNS = {"teacher": "teacher", "distilled": "student", "baseline": "scratch"}


@pytest.fixture
def report(binary, roles):
    return kdfair_audit.audit(binary, **roles)


@pytest.fixture
def seeded(seeds, seed_roles):
    return kdfair_audit.audit(seeds, **seed_roles)


@pytest.mark.parametrize("role", COLUMNS)
@pytest.mark.parametrize("attribute", ["sex", "age"])
def test_dpd_and_eod_are_fairlearns(binary, report, role, attribute):
    given = {"sensitive_features": binary[attribute]}
    frame = report.frames["fairness"].query("role == @role and attribute == @attribute")
    values = frame.set_index("metric")["value"]
    y, p = binary["y"], binary[COLUMNS[role]]
    assert values["dpd"] == demographic_parity_difference(y, p, **given)
    assert values["eod"] == equalized_odds_difference(y, p, **given)


@pytest.mark.parametrize("role", COLUMNS)
@pytest.mark.parametrize("attribute", ["sex", "age"])
def test_rates_are_fairlearns(binary, report, role, attribute):
    functions = {
        "accuracy": accuracy_score,
        "selection_rate": selection_rate,
        "tpr": true_positive_rate,
        "fpr": false_positive_rate,
    }
    expected = MetricFrame(
        metrics=functions,
        y_true=binary["y"],
        y_pred=binary[COLUMNS[role]],
        sensitive_features=binary[attribute],
    ).by_group
    frame = report.frames["groups"].query("role == @role and attribute == @attribute")
    found = frame.pivot(index="group", columns="metric", values="value")
    for name in functions:
        np.testing.assert_allclose(found[name], expected[name].loc[found.index], rtol=1e-15)
    assert ((frame["low"] <= frame["value"]) & (frame["value"] <= frame["high"])).all()


def test_intersections_are_fairlearns_and_small_ones_are_pooled(binary, report):
    expected = MetricFrame(
        metrics=accuracy_score,
        y_true=binary["y"],
        y_pred=binary["student"],
        sensitive_features=binary[["sex", "age"]],
    ).by_group
    sizes = binary.groupby(["sex", "age"]).size()
    frame = report.frames["intersections"].query("role == 'distilled' and metric == 'accuracy'")
    found = frame.set_index("group")
    large = {f"{sex} × {age}": pair for pair in sizes[sizes >= 30].index for sex, age in [pair]}
    assert set(found.index) == {*large, "(2 small groups together)"}
    for name, pair in large.items():
        assert found.loc[name, "value"] == pytest.approx(expected[pair], rel=1e-15)
        assert found.loc[name, "n"] == sizes[pair]
    small = [(sex, age) for sex, age in sizes[sizes < 30].index]
    pooled = binary[[pair in small for pair in zip(binary["sex"], binary["age"], strict=True)]]
    row = found.loc["(2 small groups together)"]
    assert row["value"] == pytest.approx((pooled["y"] == pooled["student"]).mean())
    assert row["members"] == 2
    assert report.pooled == [f"{sex} × {age} ({sizes[sex, age]:,})" for sex, age in small]


def test_the_floor_is_the_dpd_of_the_labels(binary, report):
    frame = report.frames["fairness"].query("attribute == 'age'").set_index(["role", "metric"])
    expected = demographic_parity_difference(
        binary["y"], binary["y"], sensitive_features=binary["age"]
    )
    assert frame.loc[("distilled", "dpd"), "floor"] == expected
    assert frame.loc[("distilled", "eod"), "floor"] == 0


def test_small_groups_count_in_the_value_and_not_in_what_is_judged(binary, report):
    known = binary[binary["age"] != "70+"]
    frame = report.frames["fairness"].query("attribute == 'age' and role == 'distilled'")
    row = frame.set_index("metric").loc["eod"]
    assert row["judged"] == equalized_odds_difference(
        known["y"], known["student"], sensitive_features=known["age"]
    )
    assert row["n_small"] == 1
    every = kdfair_audit.audit(
        binary, label="y", groups="age", distilled="student", min_group=1
    ).frames["fairness"]
    assert (every["judged"] == every["value"]).all()
    sizes = report.frames["sizes"].set_index(["attribute", "group"])
    assert sizes.loc[("age", "70+"), "small"]
    changed = report.frames["changed_groups"].query("group == '70+'")
    assert changed["p_corrected"].isna().all()
    assert "70+" not in set(report.frames["worst"]["group"])
    assert "Too small to judge" in report.to_markdown()


def test_class_and_group_changes_are_mcnemars(binary, report):
    for frame, column, key in (
        ("changed_classes", "y", "class"),
        ("changed_groups", "sex", "group"),
    ):
        found = report.frames[frame].query("against == 'baseline'")
        if frame == "changed_groups":
            found = found[found["attribute"] == "sex"]
        for name, part in binary.groupby(column):
            a, b = part["scratch"] == part["y"], part["student"] == part["y"]
            row = found[found[key] == str(name)].iloc[0]
            table = pd.crosstab(a, b).to_numpy()
            assert row["p_value"] == pytest.approx(mcnemar(table, exact=True).pvalue)
            assert row["change"] == pytest.approx(b.mean() - a.mean())
            assert row["test"] == "McNemar's exact test over examples"


def test_p_values_are_corrected_over_what_was_compared(report):
    for against in ("teacher", "baseline"):
        frame = report.frames["changed_groups"]
        frame = frame[frame["against"] == against]
        judged = frame[~frame["small"]]
        expected = multipletests(judged["p_value"], method="fdr_bh")[1]
        np.testing.assert_allclose(judged["p_corrected"], expected)


def test_several_seeds_are_tested_as_the_study_tests_them(seeds, seeded):
    codes = {name: i for i, name in enumerate(["ant", "bee", "cat", "dog"])}
    coded = seeds.apply(lambda c: c.map(codes))
    student = np.stack([coded[f"kd_T4_s{s}"] for s in range(3)])
    for against, prefix in (("teacher", "teacher"), ("baseline", "base")):
        other = np.stack([coded[f"{prefix}_s{s}"] for s in range(3)])
        expected = metrics.affected_classes(
            coded["label"], other, student, n_classes=4, correction="bh"
        )
        found = seeded.frames["changed_classes"].query("temperature == 4")
        found = found[found["against"] == against]
        np.testing.assert_allclose(found["p_value"], expected["p_value"])
        np.testing.assert_allclose(found["relative"], expected["effect"])
        np.testing.assert_array_equal(found["significant"], expected["significant"])
        assert (found["test"] == "Welch's t-test over seeds").all()


def test_seeds_on_one_side_only_are_not_tested_over_seeds(seeds):
    report = kdfair_audit.audit(
        seeds,
        label="label",
        groups="color",
        teacher="teacher_s0",
        distilled="kd_T4_s{seed}:T=4",
    )
    assert set(report.frames["changed_classes"]["test"]) == {
        "sign-flip test over examples, runs averaged"
    }
    assert "One side has a single run" in report.to_markdown()


def test_the_mean_over_seeds_and_multi_class_fairness(seeds, seeded):
    codes = {name: i for i, name in enumerate(["ant", "bee", "cat", "dog"])}
    coded = seeds.drop(columns="color").apply(lambda c: c.map(codes))
    each = [
        metrics.equalized_odds_difference(
            coded["label"], coded[f"kd_T1_s{s}"], sensitive_features=seeds["color"]
        )
        for s in range(3)
    ]
    row = seeded.frames["fairness"].query("temperature == 1 and metric == 'eod'").iloc[0]
    assert row["value"] == pytest.approx(np.mean(each))
    assert row["n_runs"] == 3
    assert seeded.temperatures == [1, 4]


def test_disagreement_is_counted_between_runs_of_a_seed(seeds, seeded):
    pairs = [(seeds[f"teacher_s{s}"], seeds[f"kd_T1_s{s}"]) for s in range(3)]
    differ = np.mean([(a != b).mean() for a, b in pairs])
    frame = seeded.frames["disagreement"].query("against == 'teacher' and temperature == 1")
    overall = frame[frame["attribute"] == ""].iloc[0]
    assert overall["value"] == pytest.approx(differ)
    matrix = seeded.frames["disagreement_matrix"].query("against == 'teacher' and temperature == 1")
    one = matrix.set_index(["class_a", "class_b"])["count"]
    expected = np.mean([((a == "cat") & (b == "dog")).sum() for a, b in pairs])
    assert one["cat", "dog"] == pytest.approx(expected)
    assert matrix["count"].sum() == pytest.approx(differ * len(seeds))


def test_the_worst_group_is_found_and_compared(binary, report):
    row = report.frames["worst"].query("role == 'distilled' and attribute == 'sex'").iloc[0]
    right = (binary["student"] == binary["y"]).groupby(binary["sex"]).mean()
    assert row["group"] == "F"
    assert row["accuracy"] == pytest.approx(right["F"])
    assert row["gap"] == pytest.approx(right["F"] - right["M"])
    assert row["clear"]
    assert row["gap_low"] < row["gap"] < row["gap_high"] < 0


def test_calibration_by_hand(binary, roles):
    rng = np.random.default_rng(1)
    scores = np.clip(0.6 * binary["student"] + 0.4 * rng.random(len(binary)), 0, 1).round(3)
    report = kdfair_audit.audit(binary.assign(student=scores), **roles)
    frame = report.frames["calibration"].query("attribute == 'sex'").set_index("group")
    for group, part in binary.assign(score=scores).groupby("sex"):
        row = frame.loc[group]
        gaps = part["score"] - part["y"]
        assert row["gap"] == pytest.approx(gaps.mean())
        half = 1.959964 * gaps.std(ddof=0) / np.sqrt(len(part))
        assert row["high"] - row["gap"] == pytest.approx(half, rel=1e-6)
        bins = np.minimum((part["score"] * 10).astype(int), 9)
        ece = abs(gaps.groupby(bins).sum()).sum() / len(part)
        assert row["ece"] == pytest.approx(ece)


def test_the_verdict_is_five_lines_with_a_number_and_an_interval(report, seeded):
    for one, n in ((report, 1), (seeded, 2)):
        frame = one.frames["verdict"]
        assert len(frame) == 5 * n
        assert list(frame["heading"][:5]) == [
            "Accuracy",
            "Classes",
            "For whom",
            "Equalized odds",
            "Worst group",
        ]
        assert frame[["value", "low", "high"]].notna().all().all()
        assert frame["text"].str.contains(r"\d to [+−]?\d").all()
    assert (
        "accuracy changed for 4 of 5 groups, most of all “30-49” (age): −6.2 points"
        in (report.verdict()[2])
    )
    assert seeded.verdict(4)[0].startswith("Accuracy: The distilled student (T = 4) is right on")
    with pytest.raises(ValueError, match="no student of temperature 3; there are 1, 4"):
        seeded.verdict(3)


def test_the_verdict_calls_the_interval_that_of_the_true_difference(report):
    row = report.frames["fairness"].query("role == 'distilled' and metric == 'eod'")
    row = row.sort_values(["judged_low", "judged"]).iloc[-1]
    value, chance, low, high = (
        f"{100 * row[name]:.1f}"
        for name in ("judged", "judged_chance", "judged_low", "judged_high")
    )
    said = report.verdict()[3]
    assert f"differ by {value} points (EOD). Chance alone would show {chance} points" in said
    assert f"the 95% interval of the true difference, without chance's share, is {low} to" in said
    assert f"to {high} points. EOD changed" in said
    assert re.search(r"EOD changed by \S+ points \(.*\) against the teacher, by .* baseline", said)


def test_the_verdict_says_what_a_count_of_changes_has_in_it(binary, report, roles, seeded):
    change = (
        100 * ((binary["student"] == binary["y"]) * 1.0 - (binary["teacher"] == binary["y"])).mean()
    )
    said = f"does not take out the change of all examples together, −{-change:.1f} points"
    for line in report.verdict()[1:3]:
        teacher, baseline = line.split("Against the baseline")
        assert said in teacher
        assert "all examples together" not in baseline  # over all, no change is shown
    assert "all examples together" not in seeded.verdict(4)[1]  # relative to the rest already


def test_the_verdict_says_what_a_lost_class_is_called_instead():
    y = np.repeat([0, 1, 2, 3], 200)
    names = np.array(["ant", "bee", "cat", "dog"])
    student = y.copy()
    student[400:460], student[460:480], student[0:20] = 3, 0, 1
    columns = {"y": names[y], "g": np.tile(["a", "b"], 400), "t": names[y], "s": names[student]}
    given = {"label": "y", "groups": "g", "n_boot": 50}
    line = kdfair_audit.audit(columns, **given, teacher="t", distilled="s").verdict()[1]
    assert re.search(
        r"most of all “cat” \(−40.0 points, [^)]*\), most often called “dog” inst", line
    )
    assert "“dog” instead (+30.0 points)" in line
    line = kdfair_audit.audit(columns, **given, teacher="s", distilled="t").verdict()[1]
    assert "“cat” (+40.0 points" in line and "instead" not in line  # it gained


@pytest.mark.slow
def test_a_model_right_less_often_than_chance_is_noted(binary, roles):
    note = kdfair_audit.audit(binary.assign(student=1 - binary["student"]), **roles).notes[0]
    assert "'student' is right on" in note and note.endswith("other class (--positive)?")
    rng = np.random.default_rng(0)
    for _ in range(20):
        guess = binary.assign(student=rng.permutation(binary["y"]))
        assert not any(
            "guesses" in note for note in kdfair_audit.audit(guess, **roles, n_boot=2).notes
        )
    y = rng.integers(0, 4, 400)
    columns = {"y": y, "g": rng.choice(["a", "b"], 400), "s": (y + 1) % 4}
    (note,) = kdfair_audit.audit(columns, label="y", groups="g", distilled="s").notes
    assert note.endswith("in another order than the labels' (--classes)?")


@pytest.mark.slow
def test_equal_models_are_not_said_to_differ():
    """Over 80 tables of models that err alike, a change is claimed about as seldom as promised."""
    rng = np.random.default_rng(5)
    claims = []
    for _ in range(80):
        y = rng.integers(0, 4, 600)
        columns = {"y": y, "g": rng.choice(list("abc"), 600)}
        for name in ("t", "s"):
            wrong = rng.random(600) < 0.2
            columns[name] = np.where(wrong, (y + 1) % 4, y)
        report = kdfair_audit.audit(
            columns, label="y", groups="g", teacher="t", distilled="s", n_boot=200
        )
        frames = report.frames
        claims.append(
            [
                frames["changed_classes"]["significant"].any(),
                frames["changed_groups"]["significant"].any(),
                frames["fairness_changes"]["significant"].any(),
                (frames["fairness"].query("metric == 'eod'")["low"] > 0).mean(),
                frames["worst"]["clear"].mean(),
            ]
        )
    assert (np.mean(claims, axis=0) < 0.1).all()


def test_no_teacher_and_no_baseline(binary):
    report = kdfair_audit.audit(binary, label="y", groups=["sex"], distilled="student")
    assert report.frames["changes"].empty
    assert "There is neither a teacher nor a baseline" in report.verdict()[1]
    for text in (report.to_html(), report.to_json(), report.to_markdown()):
        assert "distilled student" in text or '"distilled"' in text


def test_an_undefined_difference_is_said_to_be_so(binary, roles):
    frame = binary.assign(sex=np.where(binary["y"] == 1, "F", "M"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = kdfair_audit.audit(frame, **roles)
    row = report.frames["fairness"].query("attribute == 'sex' and metric == 'eod'")
    assert row["value"].isna().all()
    assert "DPD or EOD of sex is undefined" in report.to_markdown()
    assert "null" in report.to_json()
