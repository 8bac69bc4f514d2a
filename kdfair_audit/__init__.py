"""Audit a distilled model of your own: what changed for whom, from predictions alone.

    predictions -> codes -> counts -> frames -> report

``reading`` opens tables, ``roles`` finds the models in them, ``codes`` and ``streaming`` turn rows
into integer codes and ``counting`` into counts, a batch at a time; ``merging`` keeps counts in
files and adds them. ``rates``, ``changes``, ``fairness`` and ``calibration`` compute frames from
counts, ``verdict`` puts them into words and ``findings`` holds them; ``page`` and ``markdown`` show
them, ``rules`` makes a gate of them, and ``report`` is all of it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kdfair_audit.errors import AuditError
    from kdfair_audit.inputs import audit, count, head
    from kdfair_audit.merging import merge, read_counts, write_counts
    from kdfair_audit.published import published_frame
    from kdfair_audit.report import AuditReport

HOMES = {
    "audit": "inputs",
    "count": "inputs",
    "head": "inputs",
    "AuditError": "errors",
    "merge": "merging",
    "read_counts": "merging",
    "write_counts": "merging",
    "published_frame": "published",
    "AuditReport": "report",
}
__all__ = [
    "AuditError",
    "AuditReport",
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
