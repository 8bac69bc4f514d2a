"""``python -m kdfair_core audit``: an audit from a command line, and a gate for a pipeline."""

from __future__ import annotations

import argparse
import io
import sys
import warnings
from pathlib import Path
from typing import Any

SUMMARY = "audit models from their predictions"
DESCRIPTION = """\
What did distillation change for whom? From a table with the true label, group columns, and
predicted labels or scores of a teacher, of distilled students and of a baseline.

  python -m kdfair_core audit predictions.parquet --label y --group sex --group age \\
      --teacher teacher --distilled student --baseline scratch --out report

Several runs are told apart by temperature and seed: --distilled "student_T4_s0:T=4,seed=0", or by
a pattern, --distilled "student_T{T}_s{seed}"; --teacher "p_{class}" takes one column of scores a
class. A folder of results published by this project needs no roles.
"""
EPILOG = """\
rules for --fail-if: dpd(ATTRIBUTE), eod(ATTRIBUTE), dpd_change(ATTRIBUTE, teacher|baseline),
  eod_change(..), accuracy, accuracy_change(teacher), worst_accuracy(ATTRIBUTE),
  worst_gap(ATTRIBUTE) (below 0 where it does worse), changed_classes(teacher),
  changed_groups(ATTRIBUTE, teacher), worse_classes(teacher), worse_groups(ATTRIBUTE, teacher)
  (those that lost), disagreement(teacher); then .low or .high for an end of the interval; then
  > >= < <= a number or a percentage. What cannot be judged breaks its rule.
  For example: --fail-if "eod(sex).low > 0.05" --fail-if "accuracy_change(teacher).high < -1%"

--gate reads rules from a table [fail-if] of a TOML file, "a name" = "a rule". With rules, --out
  writes PATH.junit.xml too, and the summary of a GitHub step is added to (GITHUB_STEP_SUMMARY).

exit code: 0 if no rule is broken, 1 with a line for each broken rule, 2 for bad input.
"""


NO_OPTIONS = {
    ("--student", "--students"): "--distilled",
    ("--groups", "--attribute", "--sensitive"): "--group",
    ("--labels", "--target"): "--label",
}


class _Instead(argparse.Action):
    """Names the option that is meant."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        parser.error(f"there is no {option_string}; give {self.const}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    add = parser.add_argument
    add("data", nargs="+", help="files, folders, patterns, addresses; counts; a results folder")
    add("--label", metavar="COLUMN", help="column of the true class")
    add(
        "--group", action="append", metavar="COLUMN", help='an attribute; repeatable; "a*b" crosses'
    )
    add("--teacher", action="append", metavar="COLUMN", help="predictions of the teacher")
    add("--distilled", action="append", metavar="COLUMN", help="of a distilled student")
    add("--baseline", action="append", metavar="COLUMN", help="of a student trained without it")
    add("--classes", nargs="+", metavar="CLASS", help="all classes, in the order of scores")
    add("--positive", metavar="CLASS", help="of two classes, the one that rates are about")
    add("--threshold", type=float, default=0.5, help="score from which on it is predicted")
    add("--missing", choices=("refuse", "group", "exclude"), help="what missing groups are")
    add("--max-groups", type=int, metavar="N", help="most groups in a column (100)")
    add("--min-group", type=int, default=30, metavar="N", help="fewest examples judged (30)")
    add("--level", type=float, default=0.95, help="confidence level (0.95)")
    add("--n-boot", type=int, default=1000, metavar="N", help="redrawn test sets (1000)")
    add("--seed", type=int, default=0, help="random seed of the redrawn test sets")
    add("--encoding", help="of a CSV file (UTF-8)")
    add("--delimiter", help="of a CSV file (found out)")
    add("--decimal", help="sign of a CSV file's numbers (found out)")
    add("--table", metavar="NAME", help="in a DuckDB or SQLite file")
    add("--memory-limit", metavar="SIZE", help="of DuckDB, such as 1GB; more goes to disk")
    add("--title", help="title of the report")
    add("--out", type=Path, metavar="PATH", help="write PATH.html, .json and .md, or one of them")
    add("--counts-only", action="store_true", help="write counts to --out, to be merged later")
    add("--fail-if", action="append", default=[], metavar="RULE", help="exit 1 if it is true")
    add("--gate", type=Path, metavar="TOML", help="a file of such rules, each with a name")
    add("--model-card", type=Path, metavar="PATH", help="write a model card of Hugging Face's form")
    for names, meant in NO_OPTIONS.items():
        hidden = argparse.SUPPRESS
        add(*names, action=_Instead, const=meant, nargs="*", dest=hidden, help=hidden)


def main(args: argparse.Namespace) -> int:
    """Run the command; returns its exit code."""
    from kdfair_audit.errors import AuditError

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # whatever the terminal can show
            stream.reconfigure(errors="backslashreplace")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is undefined, the report says
            return _run(args)
    except AuditError as error:
        print(f"audit: {error}", file=sys.stderr)
        return 2


def _run(args: argparse.Namespace) -> int:
    import pyarrow

    import kdfair_audit as auditing
    from kdfair_audit.checks import below_chance
    from kdfair_audit.errors import AuditError
    from kdfair_audit.gate import add_summary, junit, read_rules
    from kdfair_audit.merging import replace_file
    from kdfair_audit.model_card import model_card
    from kdfair_audit.numbers import printable
    from kdfair_audit.rules import parse

    pyarrow.set_cpu_count(min(2, pyarrow.cpu_count()))
    roles = ("label", "teacher", "distilled", "baseline", "classes", "positive", "threshold")
    reading = ("missing", "encoding", "delimiter", "decimal", "table", "memory_limit")
    options: dict[str, Any] = {name: getattr(args, name) for name in (*roles, *reading)}
    options["groups"] = args.group
    if args.max_groups is not None:
        options["max_groups"] = args.max_groups
    if args.counts_only:
        if args.out is None:
            raise AuditError("--counts-only needs --out, the file to write")
        counts, _ = auditing.count(args.data, **options)
        auditing.write_counts(counts, args.out)
        print(f"{args.out}: counts of {counts.n:,} examples")
        return 0
    for rule in args.fail_if:  # a rule that cannot be read is said before the work
        parse(rule)
    rules = dict(zip(args.fail_if, args.fail_if, strict=True)) | (
        read_rules(args.gate) if args.gate else {}
    )
    judged = {name: getattr(args, name) for name in ("level", "min_group", "n_boot", "seed")}
    report = auditing.audit(args.data, **options, **judged, title=args.title)

    def write(path: Path, text: str) -> None:
        replace_file(path, text.encode("utf-8", "backslashreplace"))
        print(f"wrote {path}")

    broken = report.broken(rules.values())
    for line in report.verdict():
        print(printable(line))
    for note in below_chance(report.counts):
        print(f"note: {printable(note)}", file=sys.stderr)
    if args.out is not None:
        for path in report.save(args.out):
            print(f"wrote {path}")
        if rules and args.out.suffix not in (".html", ".json", ".md"):
            write(args.out.with_name(f"{args.out.name}.junit.xml"), junit(report, rules))
    if args.model_card is not None:
        write(args.model_card, model_card(report))
    if rules:
        add_summary(report, rules)
    for line in broken:
        print(f"broken: {printable(line)}", file=sys.stderr)
    return 1 if broken else 0
