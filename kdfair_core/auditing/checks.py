"""What has to hold of counts before anything is said about them."""

from __future__ import annotations

from kdfair_core.auditing.counting import Counts
from kdfair_core.auditing.errors import AuditError, listed, quoted


def check(counts: Counts) -> list[str]:
    """Refuse counts that cannot be audited, and say what a reader has to know of the others.

    Returns
    -------
    list of str
        Notes: classes that a model never predicts, groups without labels of a class.

    Raises
    ------
    AuditError
        For a single class or group, and for predictions that are none of the labels.
    """
    if counts.n == 0:
        raise AuditError("there are no rows")
    names = counts.class_names
    labels = counts.table("y")
    seen = [name for name, n in zip(names, labels, strict=True) if n]
    if len(seen) < 2:
        raise AuditError(
            f"the label has only one class, {listed(seen)}: there is nothing to tell apart"
        )
    notes = [*counts.notes]
    for attribute in counts.groups:
        groups = [
            name
            for name, n in zip(
                counts.group_names(attribute), counts.table(counts.axis(attribute)), strict=True
            )
            if n
        ]
        if len(groups) < 2:
            raise AuditError(
                f"column {quoted(attribute)} has only one group, {listed(groups)}: there is "
                "nothing to compare"
            )
        left_out = counts.n - int(counts.table(counts.axis(attribute)).sum())
        if left_out:
            notes.append(
                f"{left_out:,} of {counts.n:,} examples have no {quoted(attribute)} and are left "
                "out of its tables."
            )
    for run, model in enumerate(counts.models):
        predicted = counts.table(f"p{run}")
        new = [name for name, n, m in zip(names, predicted, labels, strict=True) if n and not m]
        if new and not counts.declared:
            raise AuditError(
                f"column {quoted(model.name)} predicts {listed(new)}, which the label never is "
                f"(its classes are {listed(seen, 10)}); if the data merely lacks them, give all "
                "classes with --classes"
            )
        never = [name for name, n, m in zip(names, predicted, labels, strict=True) if m and not n]
        if never:
            notes.append(f"{quoted(model.name)} never predicts {listed(never, 10)}.")
    if len(names) > 2:
        for attribute in counts.groups:
            empty = int((counts.table(counts.axis(attribute), "y") == 0).sum())
            if empty:
                notes.append(
                    f"{empty:,} combinations of {quoted(attribute)} and class have no example; "
                    "those groups are left out of that class's equalized odds."
                )
    return notes
