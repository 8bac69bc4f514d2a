"""Audit a distilled model of your own: what changed for whom, from predictions alone.

    table -> counts -> findings -> report

To be read in this order: ``inputs`` is the call; ``sources`` makes one Ibis table of whatever is
given (``files``, ``addresses`` and ``dialects`` say what is there and how it is written);
``counting`` groups it by label, groups and predictions, in DuckDB or where the table is (``roles``
finds the models, ``columns`` and ``scores`` turn columns into expressions and refuse what cannot be
one); ``counts`` is what is left of the table. ``findings`` computes frames from it (``rates``,
``changes``, ``fairness``, ``calibration``, and ``verdict`` in words), and ``report`` shows them:
``page`` fills ``static/report.html`` with what ``views`` chooses, ``markdown`` and ``model_card``
write cards. Beside this path, ``merging`` keeps counts in files and adds them, and ``rules`` and
``gate`` hold a report to rules.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kdfair_audit.errors import AuditError
    from kdfair_audit.gate import assert_fair
    from kdfair_audit.inputs import audit, count, head
    from kdfair_audit.merging import merge, read_counts, write_counts
    from kdfair_audit.published import published_frame
    from kdfair_audit.report import AuditReport

HOMES = {
    "audit": "inputs",
    "count": "inputs",
    "head": "inputs",
    "AuditError": "errors",
    "assert_fair": "gate",
    "merge": "merging",
    "read_counts": "merging",
    "write_counts": "merging",
    "published_frame": "published",
    "AuditReport": "report",
}
__all__ = [
    "AuditError",
    "AuditReport",
    "assert_fair",
    "audit",
    "count",
    "head",
    "merge",
    "published_frame",
    "read_counts",
    "write_counts",
]


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib  # only now: the command's --help needs none of it

    return getattr(importlib.import_module(f"{__name__}.{HOMES[name]}"), name)
