"""The command: the same numbers as the call, and exit codes that a pipeline can use."""

import json
import os
import subprocess
import sys

import pytest

import kdfair_audit
from kdfair_core.cli import main


@pytest.fixture
def table(binary, tmp_path):
    path = tmp_path / "predictions.parquet"
    binary.to_parquet(path)
    return path


GIVEN = "--label y --group sex --group age --teacher teacher --distilled student".split()


def test_the_command_gives_the_calls_numbers(table, binary, roles, tmp_path, capsys):
    out = tmp_path / "report"
    assert main(["audit", str(table), *GIVEN, "--baseline", "scratch", "--out", str(out)]) == 0
    report = kdfair_audit.audit(binary, **roles, title="Audit of predictions.parquet")
    assert json.loads(out.with_suffix(".json").read_text()) == json.loads(report.to_json())
    assert out.with_suffix(".md").read_text() == report.to_markdown()
    assert out.with_suffix(".html").read_text() == report.to_html()
    said = capsys.readouterr().out.splitlines()
    assert said[:5] == report.verdict()
    assert len(said) == 8


def test_options_reach_the_report(table, binary, roles, tmp_path):
    out = tmp_path / "r.json"
    options = "--level 0.9 --min-group 50 --n-boot 64 --seed 5 --title Mine --positive 0".split()
    assert main(["audit", str(table), *GIVEN, "--out", str(out), *options]) == 0
    del roles["baseline"]
    report = kdfair_audit.audit(
        binary, **roles, level=0.9, min_group=50, n_boot=64, seed=5, title="Mine", positive=0
    )
    assert json.loads(out.read_text()) == json.loads(report.to_json())


def test_the_gate(table, capsys):
    assert main(["audit", str(table), *GIVEN, "--fail-if", "eod(sex) > 0.9"]) == 0
    assert capsys.readouterr().err == ""
    rules = ["--fail-if", "eod(sex) > 0.01", "--fail-if", "accuracy < 0.1", "--fail-if",
             "eod(sex).low > 1%"]  # fmt: skip
    assert main(["audit", str(table), *GIVEN, *rules]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("broken: eod(sex) > 0.01: it is 0.0")
    low = kdfair_audit.audit(
        table, label="y", groups=["sex", "age"], teacher="teacher", distilled="student"
    ).frames["fairness"]
    low = low.query("metric == 'eod' and role == 'distilled' and attribute == 'sex'")["low"].iloc[0]
    assert lines[1] == f"broken: eod(sex).low > 1%: it is {100 * low:.4g}%"


def test_what_cannot_be_judged_does_not_pass_the_gate(binary, tmp_path, capsys):
    path = tmp_path / "few.csv"
    binary.head(25).to_csv(path, index=False)
    rules = ["changed_groups(age, teacher) > 0", "changed_classes(teacher) > 0",
             "eod(age).low > 0.05", "worst_gap(age) < -5%"]  # fmt: skip
    for rule in rules:
        assert main(["audit", str(path), *GIVEN, "--fail-if", rule]) == 1
        said = capsys.readouterr().err
        assert said.startswith(f"broken: {rule}: undefined (")
        assert said.endswith("so that nothing shows the rule to hold\n")


def test_a_model_worse_than_chance_is_asked_about(binary, tmp_path, capsys):
    path = tmp_path / "reversed.parquet"
    binary.assign(student=0.9 - 0.8 * binary["student"]).to_parquet(path)
    assert main(["audit", str(path), *GIVEN]) == 0
    said = capsys.readouterr().err
    right = (binary["student"] != binary["y"]).mean()
    assert said.startswith(
        f"note: 'student' is right on {right:.1%} of the examples, where guesses"
    )
    assert said.endswith("are its scores, or the labels, of the other class (--positive)?\n")
    assert main(["audit", str(path), *GIVEN, "--positive", "0"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("--student", "--distilled"), ("--groups", "--group"), ("--labels", "--label")],
)
def test_an_option_under_another_name(table, capsys, wrong, meant):
    assert main(["audit", str(table), *GIVEN, wrong, "sex", "age"]) == 2
    said = capsys.readouterr().err
    assert f"there is no {wrong}; give {meant} (see kdfair audit --help)" in said


def test_a_bad_rule_is_bad_input_and_stops_before_the_work(table, tmp_path, capsys):
    out = tmp_path / "report"
    for rule in ("eod(sex) >> 1", "eod(color) > 1"):
        given = ["audit", str(table), *GIVEN, "--out", str(out), "--fail-if", rule]
        assert main(given) == 2
        said = capsys.readouterr()
        assert len(said.err.splitlines()) == 1
        assert list(tmp_path.iterdir()) == [table]


def test_the_report_is_written_when_the_gate_fails(table, tmp_path):
    out = tmp_path / "report"
    given = ["audit", str(table), *GIVEN, "--out", str(out), "--fail-if", "accuracy < 1"]
    assert main(given) == 1
    assert out.with_suffix(".html").exists()


def test_counts_of_parts_make_the_report_of_the_whole(binary, table, tmp_path, capsys):
    parts = []
    for i, part in enumerate((binary[:600], binary[600:])):
        path = tmp_path / f"part{i}.csv"
        part.to_csv(path, index=False)
        parts.append(str(tmp_path / f"{i}.counts"))
        assert main(["audit", str(path), *GIVEN, "--counts-only", "--out", parts[-1]]) == 0
    assert capsys.readouterr().out.splitlines()[1].endswith("counts of 1,400 examples")
    assert main(["audit", *parts, "--out", str(tmp_path / "a.json"), "--title", "x"]) == 0
    assert (
        main(["audit", str(table), *GIVEN, "--out", str(tmp_path / "b.json"), "--title", "x"]) == 0
    )
    assert (tmp_path / "a.json").read_text() == (tmp_path / "b.json").read_text()
    assert main(["audit", str(table), *GIVEN, "--counts-only"]) == 2
    assert "--counts-only needs --out" in capsys.readouterr().err


@pytest.mark.slow
def test_names_cannot_steer_the_terminal(binary, tmp_path):
    path = tmp_path / "t.parquet"
    binary["sex"] = binary["sex"].map({"F": "\x1b[2J\x1b]0;owned\x07\u202e", "M": "m\u00e9\n"})
    binary.to_parquet(path)
    for encoding in ("utf-8", "ascii"):
        done = subprocess.run(
            [sys.executable, "-m", "kdfair_core", "audit", str(path), *GIVEN],
            capture_output=True,
            env={**os.environ, "PYTHONIOENCODING": encoding},
            check=True,
        )
        text = done.stdout.decode(encoding)
        assert "owned" in text
        assert len(text.splitlines()) == 5
        assert all(sign.isprintable() or sign == "\n" for sign in text)


def test_help_is_quick_and_complete():
    code = (
        "import sys; from kdfair_core.cli import main; main(['audit', '--help']);"
        "heavy = {'pandas', 'pyarrow', 'scipy', 'torch', 'altair'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for option in ("--fail-if", "--counts-only", "--missing", "--encoding", "exit code"):
        assert option in done.stdout


def test_an_audit_needs_no_torch_and_no_charts(table):
    code = (
        "import sys, kdfair_core; from kdfair_core.cli import main;"
        f"assert main(['audit', {str(table)!r}, *{GIVEN!r}]) == 0;"
        "heavy = {'torch', 'altair', 'sklearn', 'fairlearn'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, check=True)
