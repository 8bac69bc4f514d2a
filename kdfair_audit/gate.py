"""A gate where it runs: rules from a file, JUnit XML, a summary in Markdown, and pytest."""

from __future__ import annotations

import os
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kdfair_audit.errors import AuditError, quoted
from kdfair_audit.findings import Findings
from kdfair_audit.inputs import audit
from kdfair_audit.markdown import escape
from kdfair_audit.numbers import printable
from kdfair_audit.report import AuditReport
from kdfair_audit.rules import broken, parse

Rules = Mapping[str, str]  # name -> rule


def read_rules(path: str | os.PathLike[str]) -> dict[str, str]:
    """Rules of a TOML file: a table ``[fail-if]`` of names and rules.

    For example ``"no group loses" = "worse_groups(sex, teacher) > 0"``.

    Raises
    ------
    AuditError
        If there is no such file, it is no such TOML, or a rule cannot be read.
    """
    name = Path(path).name
    try:
        content = tomllib.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise AuditError(f"cannot open {quoted(str(path), 200)}: {error.strerror}") from None
    except ValueError as error:
        raise AuditError(f"{name} is no TOML: {error}") from None
    rules = content.get("fail-if")
    if set(content) != {"fail-if"} or not isinstance(rules, dict) or not rules:
        raise AuditError(f"{name} holds {list(content)}; expected one table [fail-if] of rules")
    for key, rule in rules.items():
        if not isinstance(rule, str):
            raise AuditError(f"rule {quoted(key)} in {name} is {quoted(rule)}; expected text")
        parse(rule)
    return rules


def junit(report: Findings, rules: Rules) -> str:
    """JUnit XML: a test case a rule, failed where it is broken."""
    cases = []
    for name, rule in rules.items():
        lines = broken(report, [rule])
        case = ET.Element("testcase", name=printable(name), classname=printable(report.title))
        if lines:
            text = printable("; ".join(lines))
            ET.SubElement(case, "failure", message=text, type="broken rule").text = text
        cases.append(case)
    failures = sum(len(case) for case in cases)
    counted: dict[str, str] = {"tests": str(len(cases)), "failures": str(failures), "errors": "0"}
    suites = ET.Element("testsuites", counted)
    suite = ET.SubElement(suites, "testsuite", {"name": printable(report.title), **counted})
    suite.extend(cases)
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def summary(report: Findings, rules: Rules) -> str:
    """Markdown for a step's summary: the rules, then the verdict."""
    lines = [f"## {escape(report.title)}", ""]
    if rules:
        lines += ["| rule | |", "| --- | --- |"]
        for name, rule in rules.items():
            said = "; ".join(broken(report, [rule]))
            lines.append(f"| {escape(name)} | {'❌ ' + escape(said) if said else '✅'} |")
        lines.append("")
    lines += [f"- {escape(line)}" for line in report.verdict()]
    return "\n".join(lines) + "\n"


def add_summary(report: Findings, rules: Rules) -> None:
    """Add to the summary of a step of GitHub's, where ``GITHUB_STEP_SUMMARY`` names its file."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    try:
        with open(path, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(summary(report, rules))
    except OSError as error:
        raise AuditError(f"cannot write {quoted(path, 200)}: {error.strerror}") from error


def assert_fair(
    data: Any = None, *, fail_if: str | Iterable[str] | os.PathLike[str], **options: Any
) -> AuditReport:
    """Hold a rule in a model's own tests.

    Parameters
    ----------
    data : object
        As :func:`kdfair_audit.inputs.audit` takes, or a report of it.
    fail_if : str or sequence of str, or path
        Rules, such as ``"eod(sex).low > 0.05"``; or a TOML file of them, as a ``Path``.
    **options
        As :func:`kdfair_audit.inputs.audit` takes.

    Returns
    -------
    AuditReport

    Raises
    ------
    AssertionError
        If a rule is broken; a line for each.
    AuditError
        For bad input.
    """
    if isinstance(fail_if, os.PathLike):
        rules = list(read_rules(fail_if).values())
    else:
        rules = [fail_if] if isinstance(fail_if, str) else list(fail_if)
    for rule in rules:
        parse(rule)
    report = data if isinstance(data, AuditReport) else audit(data, **options)
    lines = report.broken(rules)
    if lines:
        raise AssertionError("broken: " + "\nbroken: ".join(map(printable, lines)))
    return report
