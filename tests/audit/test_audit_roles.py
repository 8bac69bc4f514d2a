"""The language in which columns are given a role."""

import pytest

from kdfair_audit.errors import AuditError
from kdfair_audit.roles import Model, comparisons, resolve, run_pairs, settings

COLUMNS = [
    "y",
    "student",
    "kd_T4_s0",
    "kd_T4_s1",
    "kd_T10_s0",
    "kd_T0.5_s0",
    "a:T=4",
    "p_cat",
    "p_dog",
]


def test_a_columns_name_is_a_run():
    assert resolve("distilled", "student", COLUMNS) == [Model("distilled", ("student",))]


def test_options_after_a_colon():
    (model,) = resolve("distilled", "student:T=4,seed=2,scores", COLUMNS)
    assert (model.columns, model.temperature, model.seed, model.kind) == (
        ("student",),
        4,
        2,
        "scores",
    )


def test_a_column_whose_name_looks_like_options_is_itself():
    (model,) = resolve("distilled", "a:T=4", COLUMNS)
    assert (model.columns, model.temperature) == (("a:T=4",), None)


def test_a_pattern_finds_temperatures_and_seeds():
    models = resolve("distilled", "kd_T{T}_s{seed}", COLUMNS)
    found = {model.columns[0]: (model.temperature, model.seed) for model in models}
    assert found == {
        "kd_T4_s0": (4, 0),
        "kd_T4_s1": (4, 1),
        "kd_T10_s0": (10, 0),
        "kd_T0.5_s0": (0.5, 0),
    }
    assert isinstance(models[0].temperature, int)


def test_one_column_of_scores_a_class():
    (model,) = resolve("teacher", "p_{class}", COLUMNS)
    assert model.columns == ("p_cat", "p_dog")
    assert model.classes == ("cat", "dog")
    assert model.kind == "scores"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("studnet", "did you mean 'student'"),
        ("STUDENT", "did you mean 'student'"),
        ("kd_T{T}", "no column has the pattern"),
        ("student:T=x", "expected T=NUMBER"),
        ("student:T=-1", "expected T=NUMBER"),
        ("student:T=4,sed=2", "expected T=NUMBER"),
        ("kd_T{T}_s{T}", "one placeholder twice"),
    ],
)
def test_what_cannot_be_found_is_said(given, said):
    with pytest.raises(AuditError, match=said):
        resolve("distilled", given, COLUMNS)


def test_runs_that_nothing_tells_apart_are_refused():
    with pytest.raises(AuditError, match="nothing tells the distilled columns 'student' and 'y'"):
        resolve("distilled", ["student", "y"], COLUMNS)


def test_a_teacher_has_no_temperature():
    with pytest.raises(AuditError, match="a teacher was given a temperature"):
        resolve("teacher", "student:T=4", COLUMNS)


def test_some_temperatures_are_not_enough():
    with pytest.raises(AuditError, match=r"\('student' lack it\)"):
        resolve("distilled", ["student", "kd_T4_s0:T=4,seed=0"], COLUMNS)


def test_settings_are_sorted_and_compared():
    models = [
        *resolve("distilled", "kd_T{T}_s{seed}", COLUMNS),
        *resolve("teacher", ["student:seed=0", "y:seed=1"], COLUMNS),
    ]
    found = settings(models)
    assert [(s.role, s.temperature, len(s.runs)) for s in found] == [
        ("teacher", None, 2),
        ("distilled", 0.5, 1),
        ("distilled", 4, 2),
        ("distilled", 10, 1),
    ]
    assert [(a.role, b.temperature) for a, b in comparisons(models)] == [
        ("teacher", 0.5),
        ("teacher", 4),
        ("teacher", 10),
    ]
    teacher, student = comparisons(models)[1]
    pairs = run_pairs(models, teacher, student)
    assert [(models[i].seed, models[j].seed) for i, j in pairs] == [(0, 0), (1, 1)]
    teacher, student = comparisons(models)[0]
    assert len(run_pairs(models, teacher, student)) == 2  # a single run goes with all
