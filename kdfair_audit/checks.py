"""What has to hold of counts before anything is said about them."""

from __future__ import annotations

import math

import numpy as np

from kdfair_audit.counts import Counts
from kdfair_audit.errors import AuditError, listed, quoted
from kdfair_audit.numbers import percent


def check(counts: Counts) -> list[str]:
    """Refuse counts that cannot be audited, and note what a reader has to know of the others."""
    if counts.n == 0:
        raise AuditError("there are no rows")
    names, labels = np.array(counts.class_names, dtype=object), counts.table("y")
    seen = names[labels > 0]
    if len(seen) < 2:
        raise AuditError(
            f"the label has only one class, {listed(seen)}: there is nothing to tell apart"
        )
    notes = [*below_chance(counts), *counts.notes]
    for attribute in counts.groups:
        n = counts.table(counts.axis(attribute))
        groups = np.array(counts.group_names(attribute), dtype=object)[n > 0]
        if len(groups) < 2:
            raise AuditError(
                f"column {quoted(attribute)} has only one group, {listed(groups)}: there is "
                "nothing to compare"
            )
        left_out = counts.n - int(n.sum())
        if left_out:
            notes.append(
                f"{left_out:,} of {counts.n:,} examples have no {quoted(attribute)} and are left "
                "out of its tables."
            )
    for run, model in enumerate(counts.models):
        predicted = counts.table(f"p{run}")
        new = names[(predicted > 0) & (labels == 0)]
        if len(new) and not counts.declared:
            raise AuditError(
                f"column {quoted(model.name)} predicts {listed(new)}, which the label never is "
                f"(its classes are {listed(seen, 10)}); if the data merely lacks them, give all "
                "classes with --classes"
            )
        never = names[(predicted == 0) & (labels > 0)]
        if len(never):
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


def below_chance(counts: Counts) -> list[str]:
    """A note on every run that is right less often than chance, by more than three deviations.

    Chance is that of guesses made as often as the run makes them, without regard to the labels.
    """
    notes = []
    for run, model in enumerate(counts.models):
        table = counts.table("y", f"p{run}") / counts.n
        right = float(np.trace(table))
        chance = float(table.sum(axis=1) @ table.sum(axis=0))
        if right >= chance - 3 * math.sqrt(chance * (1 - chance) / counts.n):
            continue
        ask = (
            "are its scores, or the labels, of the other class (--positive)?"
            if len(counts.classes) == 2
            else "are its classes, or columns of scores, in another order than the labels' "
            "(--classes)?"
        )
        notes.append(
            f"{quoted(model.name)} is right on {percent(right)} of the examples, where guesses "
            f"would be right on {percent(chance)}: {ask}"
        )
    return notes
