"""The frames of published results, against small cases computed by hand and against scipy."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from toy_study import LABELS, SIDE, make_dataset, make_study, write_run

from kdfair_core import metrics, results, studies
from kdfair_core.datasets import Split
from kdfair_core.runs import run_name

NDS = np.array([0, 1, 1, 1, 0, 0, 0, 1])
"""Wrong on the examples 1 (a left "no") and 6 (the right "yes")."""

IDENTIFYING = ["role", "seed", "temperature", "alpha", "soft_scale"]


@pytest.fixture
def loaded(toy):
    """All are right, but the first NDS predicts NDS and the DS of T = 4 say yes to everything."""

    def predict(identity):
        if identity["role"] == "nds" and identity["seed"] == 0:
            return NDS
        return np.ones(8, int) if identity["temperature"] == 4 else LABELS

    toy.fill(predict)
    toy.publish()
    return results.load("toy")


def row(frame, **values):
    chosen = frame
    for name, value in values.items():
        chosen = chosen[chosen[name] == value]
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_attributes(loaded):
    assert (loaded.study, loaded.profile) == ("toy", "smoke")
    assert loaded.badge == "measured here (smoke)"
    assert loaded.classes == ("no", "yes") and loaded.attributes == ("side",)
    assert loaded.group_names == {"side": ("left", "right")}
    assert loaded.temperatures == [1, 4]
    assert loaded.alphas == [0.8] and loaded.soft_scales == ["T2"]
    np.testing.assert_array_equal(loaded.y_true, LABELS)
    np.testing.assert_array_equal(loaded.groups["side"], SIDE)
    assert repr(loaded) == (
        "<Results of toy, measured here (smoke): 10 runs on 8 examples of 2 classes>"
    )


def test_runs(loaded):
    runs = loaded.runs
    assert list(runs)[:8] == ["run", *IDENTIFYING, "accuracy", "seconds"]
    nds = row(runs, role="nds", seed=0)
    assert nds["accuracy"] == 6 / 8 and nds["seconds"] == 36 and nds["soft_scale"] == ""
    assert np.isnan(nds["temperature"]) and np.isnan(nds["alpha"])
    np.testing.assert_array_equal(loaded.pred[nds["run"]], NDS)
    ds = row(runs, role="ds", seed=1, temperature=4)
    assert (ds["accuracy"], ds["alpha"], ds["soft_scale"]) == (0.5, 0.8, "T2")
    assert not runs["diverged"].any()


def test_predictions(loaded):
    frame = loaded.predictions
    assert frame.shape == (8, 2 + 10) and frame.index.name == "example"
    np.testing.assert_array_equal(frame["label"], LABELS)
    assert frame["side"].tolist()[:5] == ["left"] * 4 + ["right"] and pd.isna(frame["side"][7])
    np.testing.assert_array_equal(frame[row(loaded.runs, role="nds", seed=0)["name"]], NDS)


def test_class_accuracy(loaded):
    frame = loaded.class_accuracy()
    assert list(frame) == [*IDENTIFYING, "class", "class_name", "accuracy"] and len(frame) == 20
    assert row(frame, role="nds", seed=0, class_name="no")["accuracy"] == 3 / 4
    assert row(frame, role="ds", seed=0, temperature=4, class_name="no")["accuracy"] == 0
    assert row(frame, role="ds", seed=0, temperature=4, **{"class": 1})["accuracy"] == 1


def test_group_fairness(loaded):
    frame = loaded.group_fairness("side")
    assert list(frame) == [*IDENTIFYING, "accuracy", "dpd", "eod"] and len(frame) == 10
    # "yes" to 3 of 4 on the left and 0 of 3 on the right; the unknown one does not count
    nds = row(frame, role="nds", seed=0)
    assert nds["dpd"] == pytest.approx(3 / 4) and nds["accuracy"] == 6 / 8
    # TPR 2/2 and 0/1, FPR 1/2 and 0/2
    assert nds["eod"] == pytest.approx(1)
    # 2 of 4 labels on the left are "yes" and 1 of 3 on the right
    assert frame.attrs["floor"] == pytest.approx(1 / 2 - 1 / 3)
    teacher = row(frame, role="teacher", seed=0)
    assert teacher["dpd"] == pytest.approx(1 / 2 - 1 / 3) and teacher["eod"] == 0


def test_fairness_summary(loaded):
    frame = loaded.fairness_summary("side")
    assert list(frame) == [
        *["role", "temperature", "alpha", "soft_scale", "metric"],
        *["mean", "sd", "low", "high", "n_runs", "floor"],
    ]
    dpd = row(frame, role="nds", metric="dpd")
    values = np.array([3 / 4, 1 / 6])
    assert dpd["mean"] == pytest.approx(values.mean())
    assert dpd["sd"] == pytest.approx(values.std(ddof=1)) and dpd["n_runs"] == 2
    low, high = stats.t.interval(0.95, 1, values.mean(), stats.sem(values))
    assert dpd["low"] == pytest.approx(low) and dpd["high"] == pytest.approx(high)
    assert dpd["floor"] == pytest.approx(1 / 6)
    assert row(frame, role="nds", metric="eod")["floor"] == 0
    assert np.isnan(row(frame, role="nds", metric="accuracy")["floor"])
    narrow = row(loaded.fairness_summary("side", level=0.5), role="nds", metric="dpd")
    assert narrow["high"] - narrow["low"] < high - low
    with pytest.raises(ValueError, match="level is 95"):
        loaded.fairness_summary("side", level=95)


def test_one_run_has_no_interval(toy):
    toy.fill(keep=lambda identity: identity["seed"] == 0)
    toy.publish()
    frame = results.load("toy").fairness_summary("side")
    assert (frame["n_runs"] == 1).all() and frame["mean"].notna().all()
    assert frame[["sd", "low", "high"]].isna().all().all()


def test_disagreement(loaded):
    frame = loaded.disagreement()
    columns = ["pair", "temperature", "alpha", "soft_scale", "class_a", "class_b", "count"]
    assert list(frame) == columns and len(frame) == 3 * 4
    # one example each way for seed 0, none for seed 1
    teacher_no = row(frame, pair="teacher-nds", class_a="no", class_b="yes")
    assert teacher_no["count"] == 0.5
    assert row(frame, pair="teacher-ds", temperature=4, class_a="no", class_b="yes")["count"] == 4
    assert row(frame, pair="teacher-ds", temperature=4, class_a="yes", class_b="no")["count"] == 0
    assert (frame.loc[frame["class_a"] == frame["class_b"], "count"] == 0).all()


def test_disagreement_is_with_the_teacher_of_the_same_seed(toy):
    right, wrong = LABELS, 1 - LABELS
    toy.fill(lambda identity: right if identity["seed"] == 0 else wrong)
    toy.publish()
    assert results.load("toy").disagreement()["count"].sum() == 0


def test_individual_fairness_by_hand(toy):
    toy.fill(lambda identity: NDS if identity["role"] == "nds" else np.ones(8, int))
    # every two different directions are at cosine distance 1, equal ones at 0 and left out
    directions = np.eye(2)[[0, 0, 0, 0, 1, 1, 1, 1]]
    toy.publish()
    loaded = dataclasses.replace(results.load("toy"), features={"own": directions})
    frame = loaded.individual_fairness("own")
    assert list(frame) == [*IDENTIFYING, "individual_unfairness"]
    assert frame.attrs == {"space": "own", "n_pairs": 16, "n_same": 12}
    # logits 1 and -1: the probability of "yes" is p or 1 - p
    gap = abs(2 / (1 + np.exp(-2)) - 1)
    different = sum(NDS[i] != NDS[j] for i in range(4) for j in range(4, 8))
    nds = frame[frame["role"] == "nds"]["individual_unfairness"]
    np.testing.assert_allclose(nds, gap * different / 16, rtol=1e-4)
    assert (frame[frame["role"] != "nds"]["individual_unfairness"] == 0).all()


def test_individual_fairness_of_a_diverged_run_is_nan(toy):
    identities = studies.expected_identities(toy.study, "smoke")
    toy.fill(keep=lambda identity: identity != identities[0])
    arrays = {
        "logits": np.full((8, 2), np.nan, np.float16),
        "prediction": np.zeros(8, np.uint8),
        "features": np.full((8, 3), np.nan),
    }
    toy.store.write(identities[0], arrays, {"diverged": True})
    with (
        pytest.warns(UserWarning, match="'teacher' are not finite"),
        pytest.warns(metrics.UndefinedMetricWarning, match="1 of 10 runs .* diverged .*teacher-s0"),
    ):
        toy.publish()
    loaded = results.load("toy")
    assert loaded.runs["diverged"].tolist() == [True] + [False] * 9
    unfairness = loaded.individual_fairness()["individual_unfairness"]
    assert np.isnan(unfairness[0]) and unfairness[1:].notna().all()
    assert np.isnan(loaded.runs["seconds"][0])


def test_a_diverged_run_is_not_called_fair(toy):
    """Its predictions are all of class 0, which would give DPD and EOD 0."""
    identities = studies.expected_identities(toy.study, "smoke")
    toy.fill(keep=lambda identity: identity != identities[1])
    arrays = {"logits": np.full((8, 2), np.nan, np.float16), "prediction": np.zeros(8, np.uint8)}
    toy.store.write(identities[1], arrays, {"diverged": True})
    named = pytest.warns(metrics.UndefinedMetricWarning, match=f"{run_name(identities[1])}$")
    with named:
        toy.publish()
    loaded = results.load("toy")
    with named:
        fairness = loaded.group_fairness("side")
        summary = loaded.fairness_summary("side")
        classes = loaded.class_accuracy()
        affected = loaded.affected_classes()
        accuracy = loaded.accuracy_summary()
    lost = (fairness["role"] == "nds") & (fairness["seed"] == identities[1]["seed"])
    assert fairness.loc[lost, ["dpd", "eod", "accuracy"]].isna().all(axis=None)
    assert fairness.loc[~lost, ["dpd", "eod", "accuracy"]].notna().all(axis=None)
    assert summary.loc[summary["role"] == "nds", "n_runs"].tolist() == [1, 1, 1]
    assert accuracy.loc[accuracy["role"] == "nds", "mean"].tolist() == [1.0]
    assert classes["accuracy"].isna().sum() == 2
    assert set(affected["comparison"]) == {"TC"}  # one NDS is left, too few to test


def test_unknown_names(loaded):
    for call in (loaded.group_fairness, loaded.fairness_summary):
        with pytest.raises(ValueError, match=r"unknown attribute 'hue' of study toy; .* side"):
            call("hue")
    with pytest.raises(ValueError, match=r"unknown feature space 'pixels'.*input, teacher"):
        loaded.individual_fairness("pixels")
    with pytest.raises(ValueError, match="unknown correction 'holm'"):
        loaded.affected_classes("holm")


def test_a_study_without_attributes(toy):
    toy.fill()
    dataset = make_dataset(group_names={}, test=Split(make_dataset().test.x, LABELS))
    toy.publish(dataset=dataset)
    loaded = results.load("toy")
    assert loaded.attributes == () and loaded.groups == {}
    with pytest.raises(ValueError, match="the study has no sensitive attributes"):
        loaded.group_fairness("side")
    summary = pd.read_csv(toy.folder / "summary.csv")
    assert set(summary["metric"]) == {"accuracy"}


# comparisons, with enough examples and seeds to test


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """Three classes; distillation at T = 4 costs class 0 and nothing else does."""
    root = tmp_path_factory.mktemp("sweep")
    labels = np.repeat([0, 1, 2], 100)
    names = ("a", "b", "c")
    dataset = make_dataset(
        test=Split(np.zeros((300, 3, 8, 8), np.uint8), labels), class_names=names, group_names={}
    )
    study = make_study(seeds=(0, 1, 2, 3), null_seeds=(5, 6, 7), soft_scales=("T2", "none"))
    store = results.publishing.RunStore(root / "runs")
    for position, identity in enumerate(studies.expected_identities(study, "smoke")):
        rng = np.random.default_rng(position)
        chance = np.array([0.9, 0.9, 0.9])
        if identity["temperature"] == 4:
            chance[0] = 0.3
        wrong = rng.random(300) > chance[labels]
        prediction = np.where(wrong, (labels + 1) % 3, labels)
        write_run(store, identity, prediction, labels)
    results.publish(study, "smoke", store, dataset=dataset, root=root / "data")
    return results.load("toy", root=root / "data")


def relative(loaded, runs):
    right = loaded.pred[runs] == loaded.y_true
    by_class = np.stack([right[:, loaded.y_true == c].mean(1) for c in range(3)], axis=1)
    return by_class / right.mean(1, keepdims=True)


def test_affected_classes(sweep):
    frame = sweep.affected_classes()
    assert list(frame)[:5] == ["comparison", "temperature", "alpha", "soft_scale", "class"]
    assert {"statistic", "p_value", "significant", "class_name"} <= set(frame)
    assert frame["comparison"].value_counts().to_dict() == {"SC": 12, "TC": 12, "null": 3}
    position = {}
    for key, runs in sweep.runs.groupby(["role", "temperature", "soft_scale"], dropna=False):
        position[key] = runs["run"].to_numpy()
    sides = {"SC": ("nds", "ds"), "TC": ("teacher", "ds"), "null": ("nds", "null")}
    for (comparison, temperature, soft_scale), rows in frame.groupby(
        ["comparison", "temperature", "soft_scale"], dropna=False
    ):
        a, b = (
            next(
                runs
                for (role, t, scale), runs in position.items()
                if role == side and (role != "ds" or (t, scale) == (temperature, soft_scale))
            )
            for side in sides[comparison]
        )
        oracle = stats.ttest_ind(relative(sweep, a), relative(sweep, b), equal_var=False)
        np.testing.assert_allclose(rows["p_value"], oracle.pvalue)
        np.testing.assert_array_equal(rows["significant"], oracle.pvalue <= 0.05)
    hit = frame[(frame["temperature"] == 4) & (frame["class_name"] == "a")]
    assert hit["significant"].all() and (hit["effect"] < -0.3).all()


def test_a_single_seed_is_not_compared(toy):
    toy.fill(keep=lambda identity: identity["seed"] in (0, 5))
    toy.publish()
    loaded = results.load("toy")
    assert loaded.affected_classes().empty
    assert len(loaded.disagreement()) == 12


def test_only_teachers(toy):
    toy.fill(keep=lambda identity: identity["role"] == "teacher")
    toy.publish()
    loaded = results.load("toy")
    assert loaded.temperatures == [] and loaded.soft_scales == []
    assert loaded.disagreement().empty and len(loaded.group_fairness("side")) == 2
