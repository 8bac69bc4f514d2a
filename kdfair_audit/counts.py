"""One pass over a table leaves counts, and every number of an audit comes from them.

Counts are asked for by axes:

    y           true class
    p3          class that run 3 predicts
    g0          group of attribute 0
    right:0+2   how many of runs 0 and 2 are right
    same:0+2    whether runs 0 and 2 predict the same (1) or not (0)
    bin:3       tenth of the unit interval in which the score of run 3 lies

so ``table("g0", "y", "p3")`` is the count [group, label, prediction] that group metrics read.

Where there are few distinct rows they are kept, each with how often it came, and any table follows
from them. Else the tables that a report reads are counted, and nothing else is kept. Counts add
either way.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdfair_audit.errors import AuditError, quoted
from kdfair_audit.roles import Model, comparisons, run_pairs
from kdfair_audit.vocabulary import Codes, Value, display

Tables = dict[str, NDArray[Any]]

ROWS = 1 << 16  # distinct rows are resampled together up to here
JOINT = 1 << 18  # and kept up to here
BINS = 10  # of scores, for calibration
TABLE_CELLS = 1 << 20  # an optional table, of intersections, is no larger than this
TOTAL_CELLS = 1 << 27  # and all tables together no larger than this


@dataclass
class Rows:
    """Distinct rows: codes of the base axes, and how often each row came."""

    codes: dict[str, Codes]
    n: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.n)


@dataclass
class Counts:
    """What an audit keeps of a table.

    Attributes
    ----------
    classes : list
        Values of the label, in order; of two the second is the positive class.
    groups : dict of str to list
        Attribute -> its groups, in order; None for missing values.
    rows : Rows, optional
    tables : dict of str to int64 array
        By axes, joined by commas; without ``rows`` only.
    sums : dict of str to float64 array
        What calibration needs, named by axes and by what is summed, such as
        ``g0,bin:1/score:1``: for run I, by group and bin, ``n:I``, ``score:I`` and ``outcome:I``
        (1 where the positive class, or the predicted one of many, is true); by group ``gap:I``,
        score minus outcome, and ``square:I``, its square.
    positive : object, optional
        Of two classes, the one that rates are about, as it was given.
    declared : bool
        Whether the classes were given, so that the data need not show them all.
    excluded : bool
        Whether missing groups are left out of the tables of their attribute when it is read.
    notes : list of str
        What a reader of the report has to know about the input.
    """

    classes: list[Value]
    groups: dict[str, list[Value]]
    models: list[Model]
    n: int = 0
    rows: Rows | None = None
    tables: Tables = field(default_factory=dict)
    sums: Tables = field(default_factory=dict)
    positive: Any = None
    declared: bool = False
    excluded: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def class_names(self) -> list[str]:
        return [display(value) for value in self.classes]

    def axis(self, attribute: str) -> str:
        if attribute not in self.groups:
            known = ", ".join(quoted(name) for name in self.groups)
            raise AuditError(
                f"{quoted(attribute)} is no group column of this audit; it has {known}"
            )
        return f"g{list(self.groups).index(attribute)}"

    def kept(self, axis: str) -> list[int]:
        """Codes of the groups that are judged: without missing ones where they are left out."""
        groups = self._values(axis)
        return [i for i, group in enumerate(groups) if group is not None or not self.excluded]

    def group_names(self, attribute: str) -> list[str]:
        """Names of the groups that are judged."""
        axis = self.axis(attribute)
        return [display(self._values(axis)[i]) for i in self.kept(axis)]

    def table(self, *axes: str) -> NDArray[np.int64]:
        """Counts over these axes, judged groups only; KeyError where :meth:`has` says no."""
        return self._judged(self._table(axes), axes)

    def has(self, *axes: str) -> bool:
        """Whether :meth:`table` has an answer."""
        if self.rows is not None:
            return cells_of(axes, self.sizes()) <= TABLE_CELLS
        return _find(axes, self.tables) is not None

    def sum(self, what: str, *axes: str) -> NDArray[np.float64]:
        """Sums of ``what`` over these axes, judged groups only."""
        return self._judged(self.sums[f"{','.join(axes)}/{what}"], axes)

    def sizes(self) -> dict[str, int]:
        """Number of values of each base axis."""
        found = {f"g{a}": len(values) for a, values in enumerate(self.groups.values())}
        axes = ["y", *(f"p{run}" for run in range(len(self.models)))]
        return found | {axis: len(self.classes) for axis in axes}

    def as_tables(self) -> Tables:
        """The tables that a report reads, each as it would have been counted."""
        if self.rows is None:
            return self.tables
        wanted = wanted_tables(self.models, list(self.groups))
        return {
            name: self._table(tuple(name.split(",")))
            for name, optional in wanted.items()
            if not optional or self.has(*name.split(","))
        }

    def _table(self, axes: Sequence[str]) -> NDArray[np.int64]:
        if self.rows is not None:
            return count_axes(self.rows.codes, axes, self.sizes(), self.rows.n)
        name = _find(axes, self.tables)
        if name is None:
            raise KeyError(",".join(axes))
        names = name.split(",")
        table = self.tables[name].sum(axis=tuple(i for i, a in enumerate(names) if a not in axes))
        left = [axis for axis in names if axis in axes]
        return np.asarray(table.transpose([left.index(axis) for axis in axes]))

    def _judged(self, table: NDArray, axes: Sequence[str]) -> NDArray:
        for i, axis in enumerate(axes):
            if axis[0] == "g" and self.excluded:
                table = table.take(self.kept(axis), axis=i)
        return table

    def _values(self, axis: str) -> list[Value]:
        return list(self.groups.values())[int(axis[1:])]


def uncrossed(groups: Sequence[str]) -> list[int]:
    """Positions of the groups that are not crossed from others of them."""
    own = set(groups)
    return [
        a
        for a, name in enumerate(groups)
        if not own - {name} >= {part.strip() for part in name.split("*")}
    ]


def wanted_tables(models: Sequence[Model], names: Sequence[str]) -> dict[str, bool]:
    """The tables that a report reads: name -> whether it can do without if it grows too large."""
    groups = [f"g{a}" for a in range(len(names))]
    apart = [f"g{a}" for a in uncrossed(names)]
    wanted: dict[str, bool] = {}
    for run in range(len(models)):
        wanted.update({f"{group},y,p{run}": False for group in groups})
        if len(apart) > 1:
            wanted[f"{','.join(apart)},y,p{run}"] = True
    for a, b in comparisons(models):
        wanted.update({f"{group},y,{right(a.runs)},{right(b.runs)}": False for group in groups})
        for i, j in run_pairs(models, a, b):
            wanted[f"p{i},p{j}"] = False
            wanted.update({f"{group},same:{i}+{j}": False for group in groups})
    return wanted


def right(runs: Iterable[int]) -> str:
    """The axis that says how many of these runs are right."""
    return "right:" + "+".join(map(str, runs))


def distinct(codes: Mapping[str, Codes], n: NDArray[np.int64]) -> Rows:
    """Add up equal rows."""
    small = np.min_scalar_type(max((int(c.max(initial=0)) for c in codes.values()), default=0))
    packed = np.column_stack([c.astype(small) for c in codes.values()])
    keys = np.ascontiguousarray(packed).view((np.void, packed.itemsize * packed.shape[1])).ravel()
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    total = np.bincount(inverse, weights=n, minlength=len(first)).astype(np.int64)
    return Rows({axis: packed[first, i].astype(np.int64) for i, axis in enumerate(codes)}, total)


def count_axes(
    codes: Mapping[str, Codes], axes: Sequence[str], sizes: Mapping[str, int], n: NDArray
) -> NDArray[np.int64]:
    """Count rows, each of which came ``n`` times, over any axes."""
    index, shape = np.zeros(len(n), dtype=np.int64), [cells_of([axis], sizes) for axis in axes]
    for axis, size in zip(axes, shape, strict=True):
        index = index * size + (_derive(axis, codes) if ":" in axis else codes[axis])
    # Sums of whole numbers in float64 are exact up to 2**53 examples.
    counted = np.bincount(index, weights=n, minlength=math.prod(shape))
    return counted.reshape(shape).astype(np.int64)


def _derive(axis: str, codes: Mapping[str, Codes]) -> Codes:
    kind, _, runs = axis.partition(":")
    predictions = np.stack([codes[f"p{run}"] for run in runs.split("+")])
    if kind == "same":
        return (predictions[0] == predictions[1]).astype(np.int64)
    return (predictions == codes["y"]).sum(axis=0)


def cells_of(axes: Iterable[str], sizes: Mapping[str, int]) -> int:
    """Number of cells of a table over these axes."""

    def size(axis: str) -> int:
        kind, colon, runs = axis.partition(":")
        return sizes[axis] if not colon else 2 if kind == "same" else runs.count("+") + 2

    return math.prod(map(size, axes))


def _find(axes: Sequence[str], tables: Tables) -> str | None:
    have = [name for name in tables if set(axes) <= set(name.split(","))]
    return min(have, key=lambda name: tables[name].size) if have else None
