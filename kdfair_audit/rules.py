"""Rules for a gate, such as ``eod(sex) > 0.05``: what must not be true.

    rule    := what [ "." field ] comparison number [ "%" ]
    what    := name [ "(" argument { "," argument } ")" ]
    field   := value | low | high | judged [ "." ( low | high ) ]
    comparison := > | >= | < | <=

An argument is an attribute, a role, or ``T=number``; names with other signs in them are quoted. A
rule is about the distilled student unless it names another role, and about every temperature
unless it names one. Without a field it is about the value; dpd and eod have ``judged``, which
leaves small groups out, and its interval ``judged.low`` and ``judged.high``. Nothing is evaluated
but this.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from kdfair_audit.changes import WELCH
from kdfair_audit.errors import AuditError, listed, nearest, quoted
from kdfair_audit.findings import Findings
from kdfair_audit.frames import records
from kdfair_audit.numbers import name_list, temperature
from kdfair_audit.roles import ROLES

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
TOKEN = re.compile(
    r"""\s*(?: (?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?%?)(?![\w])
        | (?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
        | (?P<name>[^\W\d][\w-]*)
        | (?P<mark>>=|<=|[><().,=]) )""",
    re.X,
)


@dataclass(frozen=True)
class Rule:
    """One rule, read but not yet looked up; ``percent`` says that its limit was given in %."""

    text: str
    what: str
    names: tuple[str, ...]
    temperature: float | None
    field: str
    comparison: str
    limit: float
    percent: bool = False

    def error(self, what: str) -> AuditError:
        """What is said of a rule that cannot be judged."""
        return _error(self.text, what)


@dataclass(frozen=True)
class Metric:
    """Where a name of the language is looked up."""

    frame: str
    column: str
    fixed: dict[str, str]
    attribute: bool  # whether it needs one
    against: bool  # whether its role is what the student is compared with
    counted: str = ""  # what the rows are that it counts, those where the column is true
    lost: bool = False  # whether it counts only those that lost accuracy


METRICS = {
    "dpd": Metric("fairness", "value", {"metric": "dpd"}, True, False),
    "eod": Metric("fairness", "value", {"metric": "eod"}, True, False),
    "dpd_change": Metric("fairness_changes", "change", {"metric": "dpd"}, True, True),
    "eod_change": Metric("fairness_changes", "change", {"metric": "eod"}, True, True),
    "accuracy": Metric("models", "accuracy", {}, False, False),
    "accuracy_change": Metric("changes", "change", {}, False, True),
    "worst_accuracy": Metric("worst", "accuracy", {}, True, False),
    "worst_gap": Metric("worst", "gap", {}, True, False),
    "changed_classes": Metric("changed_classes", "significant", {}, False, True, "class"),
    "changed_groups": Metric("changed_groups", "significant", {}, True, True, "group"),
    "worse_classes": Metric("changed_classes", "significant", {}, False, True, "class", True),
    "worse_groups": Metric("changed_groups", "significant", {}, True, True, "group", True),
    "disagreement": Metric("disagreement", "value", {"attribute": ""}, False, True),
}
ENDS = {"worst_gap": ("gap_low", "gap_high")}


def parse(text: str) -> Rule:
    """Read one rule.

    Raises
    ------
    AuditError
        If it is not in the language, with the place where it stops being so.
    """
    return _Parser(text).rule()


def broken(report: Findings, rules: Iterable[str]) -> list[str]:
    """One line for every rule, and temperature, that does not hold.

    A rule about a number that is undefined does not hold either, nor one about what too few
    examples leave unjudged: nothing shows that it does. The number found is written in the unit of
    the rule's limit, and with up to three of the groups or classes that it counts.

    Raises
    ------
    AuditError
        For a rule that cannot be read, or is about something that the audit does not have.
    """
    parsed = [parse(text) for text in rules]
    return [line for rule in parsed for line in _judge(report, rule)]


@dataclass(frozen=True)
class _Found:
    """The number of a rule at one temperature; ``said`` is what it counts, or why it is none."""

    temperature: float
    value: float
    said: str = ""


def _judge(report: Findings, rule: Rule) -> list[str]:
    lines = []
    for found in _look_up(report, rule):
        where = f"{rule.text}{temperature(found.temperature)}"
        if math.isnan(found.value):
            why = f" ({found.said})" if found.said else ""
            lines.append(f"{where}: undefined{why}, so that nothing shows the rule to hold")
        elif COMPARISONS[rule.comparison](found.value, rule.limit):
            lines.append(f"{where}: it is {_written(rule, found)}")
    return lines


def _written(rule: Rule, found: _Found) -> str:
    """The number in the unit of the rule, and what it counts."""
    if METRICS[rule.what].counted:
        return f"{found.value:.0f}" + (f": {found.said}" if found.said else "")
    return f"{100 * found.value:.4g}%" if rule.percent else f"{found.value:.4g}"


def _look_up(report: Findings, rule: Rule) -> list[_Found]:
    metric = METRICS[rule.what]
    frame = report.frames[metric.frame]
    role, attribute = _arguments(report, rule, metric)
    at = rule.temperature
    if at is not None and at not in report.temperatures:
        have = listed(report.temperatures, 20)
        raise rule.error(f"there is no student of T = {at:g}; there are {have}")
    if metric.frame == "worst" and (frame.empty or not (frame["attribute"] == attribute).any()):
        every = (report.temperatures if role == "distilled" else []) or [math.nan]
        found = every if at is None or role != "distilled" else [at]
        return [_Found(t, math.nan, _few(attribute)) for t in found]
    if frame.empty:
        raise rule.error(f"this audit has no {rule.what}")
    wanted: dict[str, Any] = {**metric.fixed, "attribute": metric.fixed.get("attribute", attribute)}
    wanted |= {"against" if metric.against else "role": role, "temperature": at}
    rows = frame
    for column, value in wanted.items():
        rows = rows if value is None else rows[rows[column] == value]
    if rows.empty:
        raise rule.error("this audit has no such number")
    if metric.counted:
        parts = rows.groupby("temperature", dropna=False)
        return [_counted(float(str(t)), part, metric, attribute) for t, part in parts]
    column = _column(rule, metric)
    return [_number_of(row, column, metric) for row in records(rows)]


def _number_of(row: dict[str, Any], column: str, metric: Metric) -> _Found:
    """A number of a frame; the interval of DPD or EOD only where enough groups can be judged."""
    at, value = float(row["temperature"]), float(row[column])
    if metric.frame == "fairness" and column != "value" and math.isnan(row["judged"]):
        return _Found(at, math.nan, _few(row["attribute"]))
    return _Found(at, value)


def _counted(at: float, rows: pd.DataFrame, metric: Metric, attribute: str | None) -> _Found:
    """How many changed, or lost, of those that can be judged, and which; NaN where none can."""
    rows = rows[~rows["small"].astype(bool) & (rows["n"] > 0)]
    if rows.empty:
        what = "class" if attribute is None else f"group of {quoted(attribute)}"
        return _Found(at, math.nan, f"no {what} has enough examples to be judged")
    hits = rows[rows[metric.column].astype(bool)]
    if metric.lost:
        hits = hits[lost(hits)]
    hits = hits.sort_values("change", key=lambda change: -change.abs(), kind="stable")
    return _Found(at, float(len(hits)), name_list([str(name) for name in hits[metric.counted]], 3))


def lost(rows: pd.DataFrame) -> pd.Series:
    """Which rows of a frame of changes lost accuracy.

    Where a class was tested relative to the rest, over seeds, it has to have fallen behind it too.
    """
    fell = rows["change"] < 0
    return fell & ((rows["relative"] < 0) | (rows["test"] != WELCH)) if "relative" in rows else fell


def _few(attribute: str | None) -> str:
    return f"fewer than two groups of {quoted(attribute)} can be judged"


def _arguments(report: Findings, rule: Rule, metric: Metric) -> tuple[str | None, str | None]:
    roles = [name for name in rule.names if name in ROLES and name not in report.counts.groups]
    attributes = [name for name in rule.names if name not in roles]
    have = {model.role for model in report.counts.models}
    if len(roles) > 1 or len(attributes) > (1 if metric.attribute else 0):
        raise rule.error(f"too many names for {rule.what}")
    for role in roles:
        if role not in have or (metric.against and role == "distilled"):
            raise rule.error(f"this audit has no {role} to look at")
    for name in attributes:
        if name not in report.counts.groups:
            choices = nearest(name, report.counts.groups)
            raise rule.error(f"{quoted(name)} is no group column; {choices}")
    if metric.attribute and not attributes:
        example = f"{rule.what}({next(iter(report.counts.groups))})"
        raise rule.error(f"{rule.what} is of a group column, for example {example}")
    others = [role for role in ("teacher", "baseline") if role in have]
    if metric.against and not roles and len(others) > 1:
        example = f"{rule.what}({', '.join([*attributes, 'teacher'])})"
        raise rule.error(f"against which, teacher or baseline? for example {example}")
    chosen = roles[0] if roles else None if metric.against else "distilled"
    return chosen, attributes[0] if attributes else None


def _column(rule: Rule, metric: Metric) -> str:
    if rule.field == "value":
        return metric.column
    if rule.field.startswith("judged"):
        if metric.frame != "fairness":
            raise rule.error("only dpd and eod have .judged")
        return rule.field
    low, high = ENDS.get(rule.what, ("low", "high"))
    return low if rule.field == "low" else high


class _Parser:
    def __init__(self, text: str) -> None:
        self.text, self.tokens, place = text, [], 0
        while text[place:].strip():
            match = TOKEN.match(text, place)
            if match is None:
                raise _error(text, f"cannot read {quoted(text[place:].strip())}")
            self.tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
            place = match.end()

    def rule(self) -> Rule:
        what = self._take("name", "the name of a number")
        if what not in METRICS:
            raise self._error(nearest(what, METRICS, len(METRICS)))
        names: list[str] = []
        at: float | None = None
        if self._accept("("):
            while not self._accept(")"):
                if (names or at is not None) and not self._accept(","):
                    raise self._error("expected ','")
                name = self._name()
                if name == "T" and self._accept("="):
                    at = self._number()
                else:
                    names.append(name)
        field = self._field(what) if self._accept(".") else "value"
        comparison = self._take("mark", "one of > >= < <=")
        if comparison not in COMPARISONS:
            raise self._error(f"{quoted(comparison)} is none of > >= < <=")
        percent = bool(self.tokens) and self.tokens[0][1].endswith("%")
        limit = self._number()
        if self.tokens:
            raise self._error(f"{quoted(self.tokens[0][1])} is left over")
        return Rule(self.text, what, tuple(names), at, field, comparison, limit, percent)

    def _field(self, what: str) -> str:
        field = self._take("name", "value, low, high or judged")
        if field not in ("value", "low", "high", "judged"):
            raise self._error(f"{quoted(field)} is none of value, low, high and judged")
        if METRICS[what].counted and field != "value":
            raise self._error(f"{what} is a count and has no .{field}")
        if not self._accept("."):
            return field
        if field != "judged":
            raise self._error(
                f"nothing can follow .{field}; an end of the interval without small groups is "
                ".judged.low or .judged.high"
            )
        end = self._take("name", "low or high")
        if end not in ("low", "high"):
            raise self._error(f"{quoted(end)} is none of low and high, which may follow .judged")
        return f"judged_{end}"

    def _name(self) -> str:
        if self.tokens and self.tokens[0][0] == "quoted":
            text = self.tokens.pop(0)[1]
            return re.sub(r"\\(.)", r"\1", text[1:-1])
        return self._take("name", "a name")

    def _number(self) -> float:
        text = self._take("number", "a number")
        value = float(text.rstrip("%"))
        return value / 100 if text.endswith("%") else value

    def _accept(self, mark: str) -> bool:
        if self.tokens and self.tokens[0] == ("mark", mark):
            self.tokens.pop(0)
            return True
        return False

    def _take(self, kind: str, expected: str) -> str:
        if not self.tokens or self.tokens[0][0] != kind:
            found = f"found {quoted(self.tokens[0][1])}" if self.tokens else "it ends there"
            raise self._error(f"expected {expected}, {found}")
        return self.tokens.pop(0)[1]

    def _error(self, what: str) -> AuditError:
        return _error(self.text, what)


def _error(text: str, what: str) -> AuditError:
    return AuditError(f"rule {quoted(text)}: {what}")
