"""Resampling the test examples that several runs share.

All runs are judged on the same examples, so their errors go together, and a resample must redraw
an example for all of them at once. Examples with the same group, label and predictions of every
run are interchangeable: they are one cell of a joint count table. A resample redraws the cells
(Poisson counts, which makes cells independent), and the counts of every run and group follow from
it by matrix products.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class JointTable:
    """Cells of examples that every run treats alike.

    Parameters
    ----------
    y_true : int array [example]
    y_pred : int array [run, example]
    groups : int array [example]
        Codes ``0..n_groups-1``; examples coded -1 are left out.
    n_groups, n_classes : int
    count : int array [example], optional
        How many identical examples each one stands for; by default one.
    """

    def __init__(
        self,
        y_true: Array,
        y_pred: Array,
        groups: Array,
        *,
        n_groups: int,
        n_classes: int,
        count: Array | None = None,
    ) -> None:
        known = groups >= 0
        if not known.any():
            raise ValueError("no example belongs to a known group")
        small = np.min_scalar_type(max(n_groups, n_classes))
        rows = np.column_stack([groups[known], y_true[known], y_pred[:, known].T]).astype(small)
        packed = np.ascontiguousarray(rows).view((np.void, rows.itemsize * rows.shape[1])).ravel()
        _, first, cell = np.unique(packed, return_index=True, return_inverse=True)
        weights = None if count is None else count[known]
        count = np.bincount(cell, weights=weights).astype(np.int64)
        cells, block = rows[first], rows[first, 0].astype(int) * n_classes + rows[first, 1]
        order = np.argsort(block, kind="stable")
        self.count = count[order]
        self.pred = np.ascontiguousarray(cells[order, 2:].T)  # [run, cell]
        self.edges = np.searchsorted(block[order], np.arange(n_groups * n_classes + 1))
        self.n_groups, self.n_classes, self.n_runs = n_groups, n_classes, len(self.pred)
        self.classes = [1] if n_classes == 2 else list(range(n_classes))

    def draw(self, n_boot: int, rng: np.random.Generator) -> Array:
        """How often each cell is redrawn ``[cell, resample]``."""
        weights = np.empty((len(self.count), n_boot), dtype=np.float32)
        single = self.count == 1
        ones = rng.integers(0, 2**16, (int(single.sum()), n_boot), dtype=np.uint16)
        weights[single] = POISSON_ONE[ones]
        many = self.count[~single]
        weights[~single] = rng.poisson(many[:, None], (len(many), n_boot))
        return weights

    def rates(self, weights: Array) -> dict[str, Array]:
        """Rates under cell weights ``[cell, resample]``.

        Returns
        -------
        dict of float array [run, group, class, resample]
            "selection", "tpr" and "fpr", of class 1 alone when there are two; and "accuracy"
            ``[run, resample]``. NaN where a group has no examples of the kind.
        """
        n_boot, classes = weights.shape[1], np.array(self.classes)
        shape = (self.n_groups, len(classes), self.n_runs, n_boot)
        hits, predicted = np.zeros((2, *shape), dtype=weights.dtype)
        positives = np.zeros((self.n_groups, len(classes), n_boot), dtype=weights.dtype)
        examples = np.zeros((self.n_groups, n_boot), dtype=weights.dtype)
        right = np.zeros((self.n_runs, n_boot), dtype=weights.dtype)
        for group, label in np.ndindex(self.n_groups, self.n_classes):
            lo, hi = self.edges[group * self.n_classes + label :][:2]
            if lo == hi:
                continue
            drawn, pred = weights[lo:hi], self.pred[:, lo:hi]
            total = drawn.sum(axis=0)
            examples[group] += total
            chosen = (pred == classes[:, None, None]).astype(weights.dtype)  # [class, run, cell]
            counts = (chosen.reshape(-1, hi - lo) @ drawn).reshape(*chosen.shape[:2], n_boot)
            predicted[group] += counts
            if label in self.classes:
                k = self.classes.index(label)
                positives[group, k], hits[group, k] = total, counts[k]
                right += counts[k]
            else:  # class 0 of two
                right += total - counts[0]
        negatives = examples[:, None] - positives
        with np.errstate(invalid="ignore", divide="ignore"):
            rates = {
                "selection": predicted / examples[:, None, None],
                "tpr": hits / positives[:, :, None],
                "fpr": (predicted - hits) / negatives[:, :, None],
            }
            by_run = {name: rate.transpose(2, 0, 1, 3) for name, rate in rates.items()}
            return by_run | {"accuracy": right / examples.sum(axis=0)}

    def resample(self, n_boot: int, rng: np.random.Generator) -> dict[str, Array]:
        """:meth:`rates` of ``n_boot`` resamples, ``[..., resample]``."""
        return self.rates(self.draw(n_boot, rng))

    def observed(self) -> dict[str, Array]:
        """The rates themselves ``[run, group, class]``, and "accuracy" ``[run]``."""
        return {name: rate[..., 0] for name, rate in self.rates(self.count[:, None] * 1.0).items()}

    def examples(self) -> dict[str, Array]:
        """Examples behind each rate ``[group, class]``."""
        sizes = np.add.reduceat(
            np.append(self.count, 0), np.minimum(self.edges[:-1], len(self.count))
        )
        sizes = np.where(np.diff(self.edges) > 0, sizes, 0).reshape(self.n_groups, self.n_classes)
        total, positives = sizes.sum(axis=1, keepdims=True), sizes[:, self.classes]
        return {
            "selection": np.broadcast_to(total, positives.shape),
            "tpr": positives,
            "fpr": total - positives,
        }


def _poisson_one() -> Array:
    """Poisson(1) by table: the count for each of 65,536 equally likely numbers."""
    factorial = np.cumprod(np.maximum(np.arange(10), 1))
    upper = np.round(np.cumsum(np.exp(-1.0) / factorial) * 2**16)
    return np.searchsorted(upper, np.arange(2**16), side="right").astype(np.float32)


POISSON_ONE = _poisson_one()
