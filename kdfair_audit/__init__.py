"""Audit a distilled model of your own: what changed for whom, from predictions alone.

    table -> counts -> findings -> report

``sources`` makes one Ibis table of whatever is given (``dialects`` says how a file is written,
``addresses`` what is behind a URL), ``roles`` finds the models in it, ``columns`` turns them into
expressions and checks them, and ``counting`` groups by them: DuckDB counts, or the database that
holds the table. ``counts`` is what is left of the table; ``merging`` keeps it in files and adds
it. ``rates``, ``changes``, ``fairness`` and ``calibration`` compute frames from counts, ``verdict``
puts them into words and ``findings`` holds them; ``page`` and ``markdown`` show them, ``rules``
makes a gate of them, and ``report`` is all of it;
``gate`` and ``model_card`` take it where it is read.
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
