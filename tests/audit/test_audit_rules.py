"""Rules of the gate: what they say, and what they refuse."""

import pytest

import kdfair_core
from kdfair_core.auditing.errors import AuditError
from kdfair_core.auditing.rules import parse


@pytest.fixture
def report(binary, roles):
    return kdfair_core.audit(binary.rename(columns={"age": "age group"}), **{
        **roles, "groups": ["sex", "age group"]
    })  # fmt: skip


@pytest.fixture
def seeded(seeds, seed_roles):
    return kdfair_core.audit(seeds, **seed_roles, n_boot=200)


def _fairness(report, metric, role="distilled", column="value", attribute="sex"):
    frame = report.frames["fairness"]
    chosen = (frame["metric"] == metric) & (frame["role"] == role)
    return frame[chosen & (frame["attribute"] == attribute)][column].iloc[0]


@pytest.mark.parametrize("space", ["", " "])
def test_a_rule_is_read(space):
    rule = parse(f"eod(sex,{space}T=4).low{space}>={space}5%")
    assert (rule.what, rule.names, rule.temperature) == ("eod", ("sex",), 4)
    assert (rule.field, rule.comparison, rule.limit) == ("low", ">=", 0.05)
    assert parse("accuracy < .9").limit == 0.9
    assert parse("accuracy_change(teacher) < -1e-2").limit == -0.01
    assert parse(r"""dpd("a \"b\" (c)", baseline) > 0""").names == ('a "b" (c)', "baseline")
    assert parse("eod('âge-élevé') > 0.1").names == ("âge-élevé",)
    assert parse("eod(âge) > 0.1").names == ("âge",)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("", "it ends there"),
        ("eod", "expected one of > >= < <="),
        ("eod(sex)", "expected one of > >= < <="),
        ("eod(sex) > ", "expected a number, it ends there"),
        ("eod(sex) > x", "expected a number, found 'x'"),
        ("eod(sex) = 1", "'=' is none of > >= < <="),
        ("eod(sex) > 0.05 and 1", "'and' is left over"),
        ("eod(sex) > 0.05 > 1", "'>' is left over"),
        ("eod(sex > 0.05", "expected ','"),
        ("eod(sex) > __import__('os')", "expected a number, found '__import__'"),
        ("eop(sex) > 0.05", "did you mean 'eod'"),
        ("eod(sex).mean > 1", "'mean' is none of value, low, high and judged"),
        ("changed_classes(teacher).low > 1", "is a count and has no .low"),
        ("eod(sex) > 0.05; rm", "cannot read '; rm'"),
        ("eod(sex) > 0x10", "cannot read"),
        ("eod($sex) > 1", "cannot read"),
        ('eod("sex) > 1', "cannot read"),
    ],
)
def test_what_is_no_rule_is_said(rule, said):
    with pytest.raises(AuditError) as caught:
        parse(rule)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("eod(sexx) > 0.05", "'sexx' is no group column; did you mean 'sex'"),
        ("eod > 0.05", "eod is of a group column, for example eod(sex)"),
        ("eod(sex, teacher, baseline) > 0", "too many names"),
        ("accuracy(sex) > 0", "too many names"),
        ("accuracy_change > 0", "against which, teacher or baseline?"),
        ("accuracy_change(distilled) > 0", "no distilled to look at"),
        ("eod(sex, T=4) > 0", "there is no student of T = 4"),
        ("accuracy.judged < 1", "only dpd and eod have .judged"),
    ],
)
def test_what_the_audit_does_not_have_is_said(report, rule, said):
    with pytest.raises(AuditError) as caught:
        report.broken([rule])
    assert said in str(caught.value)


def test_values_and_ends_are_those_of_the_frames(report):
    for metric in ("dpd", "eod"):
        for role in ("teacher", "baseline", "distilled"):
            for field, column in (("", "value"), (".low", "low"), (".high", "high")):
                value = _fairness(report, metric, role, column)
                over = f"{metric}(sex, {role}){field} > {value + 1e-9}"
                at = f"{metric}(sex, {role}){field} >= {value - 1e-9}"
                assert report.broken([over]) == []
                assert report.broken([at]) == [f"{at}: it is {value:.4g}"]
    judged = _fairness(report, "eod", column="judged", attribute="age group")
    assert judged < _fairness(report, "eod", attribute="age group")
    assert report.broken([f"eod('age group').judged > {judged + 1e-9}"]) == []
    assert len(report.broken([f"eod('age group') > {judged + 1e-9}"])) == 1


@pytest.mark.parametrize(
    ("what", "frame", "column", "query"),
    [
        ("accuracy", "models", "accuracy", "role == 'distilled'"),
        ("accuracy(teacher)", "models", "accuracy", "role == 'teacher'"),
        ("accuracy_change(baseline)", "changes", "change", "against == 'baseline'"),
        ("worst_accuracy(sex)", "worst", "accuracy", "attribute=='sex' and role=='distilled'"),
        ("worst_gap(sex).high", "worst", "gap_high", "attribute=='sex' and role=='distilled'"),
        ("disagreement(teacher)", "disagreement", "value", "against=='teacher' and group == ''"),
        (
            "eod_change(sex, teacher).high",
            "fairness_changes",
            "high",
            "metric=='eod' and attribute=='sex' and against=='teacher'",
        ),
    ],
)
def test_other_numbers(report, what, frame, column, query):
    value = report.frames[frame].query(query)[column].iloc[0]
    assert len(report.broken([f"{what} >= {value - 1e-9}"])) == 1
    assert report.broken([f"{what} >= {value + 1e-9}"]) == []


def test_counts_of_changes(report):
    n = report.frames["changed_classes"].query("against == 'teacher'")["significant"].sum()
    assert report.broken([f"changed_classes(teacher) > {n - 1}"]) == [
        f"changed_classes(teacher) > {n - 1}: it is {n}"
    ]
    assert report.broken([f"changed_classes(teacher) > {n}"]) == []
    groups = report.frames["changed_groups"].query("against == 'teacher' and attribute == 'sex'")
    m = groups["significant"].sum()
    assert len(report.broken([f"changed_groups(sex, teacher) >= {m}"])) == 1


def test_every_temperature_is_judged_unless_one_is_named(seeded):
    lines = seeded.broken(["accuracy < 1"])
    assert [line.split(":")[0] for line in lines] == [
        "accuracy < 1 (T = 1)",
        "accuracy < 1 (T = 4)",
    ]
    assert len(seeded.broken(["accuracy(T=4) < 1"])) == 1
    assert len(seeded.broken(["accuracy(teacher) < 1"])) == 1


def test_an_undefined_number_does_not_pass(binary, roles):
    binary["sex"] = binary["y"].map({0: "M", 1: "F"})
    report = kdfair_core.audit(binary, **roles)
    (line,) = report.broken(["eod(sex) > 0.05"])
    assert line == "eod(sex) > 0.05: undefined, so that nothing shows the rule to hold"
