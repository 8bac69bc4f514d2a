"""The gate where it runs: a file of rules, JUnit, a step's summary, pytest, a model card."""

import xml.etree.ElementTree as ET

import pytest
from huggingface_hub import ModelCard

import kdfair_audit
from kdfair_audit.errors import AuditError
from kdfair_audit.gate import read_rules
from kdfair_audit.model_card import model_card
from kdfair_core.cli import main

GIVEN = "--label y --group sex --group age --teacher teacher --distilled student".split()
RULES = """
[fail-if]
"EOD stays <below> 90%" = "eod(sex) > 0.9"
"nobody | loses" = "worse_groups(sex, teacher) > 0"
"""


@pytest.fixture
def table(binary, tmp_path):
    path = tmp_path / "t.parquet"
    binary.to_parquet(path)
    return path


def test_a_gate_in_a_pipeline(table, tmp_path, capsys, monkeypatch):
    rules, summary = tmp_path / "rules.toml", tmp_path / "summary.md"
    rules.write_text(RULES)
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    out = tmp_path / "report"
    assert main(["audit", str(table), *GIVEN, "--gate", str(rules), "--out", str(out)]) == 1
    said = capsys.readouterr()
    assert said.err.splitlines()[0].startswith("broken: worse_groups(sex, teacher) > 0: it is 2")
    suite = ET.parse(tmp_path / "report.junit.xml").getroot().find("testsuite")
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    first, second = suite.findall("testcase")
    assert first.get("name") == "EOD stays <below> 90%" and first.find("failure") is None
    assert "it is 2" in second.find("failure").get("message")
    lines = summary.read_text().splitlines()
    assert lines[0] == "before"
    assert "| EOD stays &lt;below&gt; 90% | ✅ |" in lines
    assert any(line.startswith(r"| nobody \| loses | ❌ worse") for line in lines)
    assert sum(line.startswith("- ") for line in lines) == 5
    assert main(["audit", str(table), *GIVEN, "--fail-if", "eod(sex) > 0.9"]) == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot open"),
        ("fail-if = [", "is no TOML"),
        ("[other]\na = 1", r"holds \['other'\]; expected one table"),
        ("[fail-if]\na = 1", "rule 'a' in r.toml is 1; expected text"),
        ("[fail-if]\na = 'eod >> 1'", "rule 'eod >> 1'"),
    ],
)
def test_a_file_of_rules_that_cannot_be_read(tmp_path, text, said):
    if text is not None:
        (tmp_path / "r.toml").write_text(text)
    with pytest.raises(AuditError, match=said):
        read_rules(tmp_path / "r.toml")


def test_a_models_own_tests_hold_it(binary, roles, tmp_path):
    report = kdfair_audit.assert_fair(binary, fail_if="eod(sex) > 0.9", **roles)
    with pytest.raises(AssertionError, match=r"^broken: accuracy < 1: it is 0.8"):
        kdfair_audit.assert_fair(report, fail_if=["accuracy < 1", "eod(sex) > 0.9"])
    (tmp_path / "r.toml").write_text(RULES)
    with pytest.raises(AssertionError, match="worse_groups"):
        kdfair_audit.assert_fair(binary, fail_if=tmp_path / "r.toml", **roles)
    with pytest.raises(AuditError, match="rule 'nonsense'"):
        kdfair_audit.assert_fair(binary, fail_if="nonsense", **roles)


def test_a_model_card(seeds, seed_roles, table, binary, tmp_path):
    path = tmp_path / "README.md"
    assert main(["audit", str(table), *GIVEN, "--model-card", str(path)]) == 0
    card = ModelCard.load(path)
    report = kdfair_audit.audit(binary, label="y", groups=["sex", "age"], distilled="student")
    results = {r.metric_name: r.metric_value for r in card.data.eval_results}
    models = report.frames["models"].set_index("role")
    assert results["accuracy"] == models.loc["distilled", "accuracy"]
    fairness = report.frames["fairness"].query("attribute == 'sex' and metric == 'eod'")
    assert results["equalized odds difference between groups of sex"] == fairness["value"].iloc[0]
    assert len(results) == 1 + 4 + 6
    for heading in ("## Evaluation", "#### Factors", "### Results"):
        assert f"\n{heading}\n" in card.text
    card = ModelCard(model_card(kdfair_audit.audit(seeds, **seed_roles, n_boot=50)))
    assert {"accuracy (T = 1)", "accuracy (T = 4)"} <= {
        r.metric_name for r in card.data.eval_results
    }


def test_a_model_card_of_hostile_names(binary, roles):
    odd = binary["sex"].map({"F": "---\n# x: [", "M": "</script>: *a"})
    card = ModelCard(model_card(kdfair_audit.audit(binary.assign(sex=odd), **roles)))
    names = [r.metric_name for r in card.data.eval_results]
    assert "accuracy on ---\ufffd# x: [ (sex)" in names
    assert "<" not in card.text
