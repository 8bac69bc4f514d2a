"""What changed from the teacher, or from the baseline, to the distilled student."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kdfair_audit.counts import Counts, right
from kdfair_audit.rates import Options, tables_of, temperature_of
from kdfair_audit.roles import Setting, comparisons, run_pairs
from kdfair_audit.statistics import mean_rate, paired_change, paired_test, seed_half_width, share
from kdfair_core.metrics import benjamini_hochberg, welch

MCNEMAR = "McNemar's exact test over examples"
SIGNS = "sign-flip test over examples, runs averaged"
WELCH = "Welch's t-test over seeds"


COMPARED = ["against", "temperature"]
CHANGE = ["n", "accuracy_a", "accuracy_b", "change", "low", "high"]
TEST = ["test", "p_value"]
JUDGED = ["p_corrected", "significant", "small"]


def test_used(a: Setting, b: Setting) -> str:
    """The test that the runs there are can bear."""
    if len(a.runs) > 1 and len(b.runs) > 1:
        return WELCH
    return MCNEMAR if len(a.runs) == len(b.runs) == 1 else SIGNS


def overall_changes(counts: Counts, options: Options) -> pd.DataFrame:
    """Change of overall accuracy, from a to b, the distilled student: a row a comparison."""
    frames = []
    for a, b in comparisons(counts.models):
        table = counts.table("y", right(a.runs), right(b.runs)).sum(axis=0)[None]
        frames.append(_changes(table, _accuracy(counts, a), _accuracy(counts, b), a, b, options))
    return _concat(frames, [*COMPARED, *CHANGE, *TEST])


def class_changes(counts: Counts, options: Options) -> pd.DataFrame:
    """Change of the accuracy on each class: a row a comparison and class.

    Over seeds the test is the study's: on class accuracy over overall accuracy (equation 8), so a
    class that only moves with the rest is not called changed; ``relative`` is that change. Other
    tests are on the class accuracy itself. P-values are corrected over the classes of a comparison.
    """
    frames = []
    for a, b in comparisons(counts.models):
        table = counts.table("y", right(a.runs), right(b.runs))
        recall_a, recall_b = _accuracy(counts, a, "y"), _accuracy(counts, b, "y")
        frame = _changes(table, recall_a, recall_b, a, b, options)
        with np.errstate(divide="ignore", invalid="ignore"):
            relative_a = recall_a / _accuracy(counts, a)
            relative_b = recall_b / _accuracy(counts, b)
        frame["relative"] = relative_b.mean(axis=0) - relative_a.mean(axis=0)
        if test_used(a, b) == WELCH:
            frame["p_value"] = welch(relative_a, relative_b)[1]
        frames.append(_judge(frame.assign(**{"class": counts.class_names}), options))
    return _concat(frames, [*COMPARED, "class", *CHANGE, "relative", *TEST, *JUDGED])


def group_changes(counts: Counts, options: Options) -> pd.DataFrame:
    """Change of the accuracy on each group: a row a comparison, attribute and group.

    P-values are corrected over the groups of all attributes. A group is called changed where
    besides the interval of its change, which over seeds has the luck of the examples in it too,
    leaves out 0.
    """
    frames = []
    for a, b in comparisons(counts.models):
        parts = []
        for attribute in counts.groups:
            axis = counts.axis(attribute)
            table = counts.table(axis, "y", right(a.runs), right(b.runs)).sum(axis=1)
            runs_a, runs_b = _accuracy(counts, a, axis), _accuracy(counts, b, axis)
            frame = _changes(table, runs_a, runs_b, a, b, options)
            parts.append(frame.assign(attribute=attribute, group=counts.group_names(attribute)))
        frame = _judge(pd.concat(parts, ignore_index=True), options)
        frame["significant"] &= (frame["low"] > 0) | (frame["high"] < 0)
        frames.append(frame)
    return _concat(frames, [*COMPARED, "attribute", "group", *CHANGE, *TEST, *JUDGED])


def disagreement_frame(counts: Counts, options: Options) -> pd.DataFrame:
    """How often the distilled student predicts something else: a row a comparison and group.

    The attribute of all examples together is "".
    """
    frames = []
    for a, b in comparisons(counts.models):
        pairs = run_pairs(counts.models, a, b)
        matrices = np.stack([counts.table(f"p{i}", f"p{j}") for i, j in pairs])
        differ = matrices.sum(axis=(1, 2)) - np.trace(matrices, axis1=1, axis2=2)
        parts = [("", [""], differ[:, None], np.array([counts.n]))]
        for attribute in counts.groups:
            axis = counts.axis(attribute)
            same = np.stack([counts.table(axis, f"same:{i}+{j}") for i, j in pairs])
            names = counts.group_names(attribute)
            parts.append((attribute, names, same[:, :, 0], same[0].sum(axis=1)))
        for attribute, names, hits, n in parts:
            rate = mean_rate(hits, n, level=options.level)
            frame = pd.DataFrame({"group": names, "n": n, **rate._asdict()})
            frames.append(_compared(frame, a, b).assign(attribute=attribute))
    return _concat(frames, [*COMPARED, "attribute", "group", "n", "value", "low", "high"])


def disagreement_matrix_frame(counts: Counts) -> pd.DataFrame:
    """What the two predict where they differ: a row a comparison and pair of classes.

    ``count`` is how often a says the one and b the other, the mean over pairs of runs.
    """
    names = np.array(counts.class_names, dtype=object)
    frames = []
    for a, b in comparisons(counts.models):
        pairs = run_pairs(counts.models, a, b)
        matrix = np.mean([counts.table(f"p{i}", f"p{j}") for i, j in pairs], axis=0)
        np.fill_diagonal(matrix, 0)
        one, other = matrix.nonzero()
        frame = pd.DataFrame(
            {"class_a": names[one], "class_b": names[other], "count": matrix[one, other]}
        ).sort_values("count", ascending=False, kind="stable")
        frames.append(_compared(frame, a, b))
    return _concat(frames, [*COMPARED, "class_a", "class_b", "count"])


def _changes(
    table: NDArray, runs_a: NDArray, runs_b: NDArray, a: Setting, b: Setting, options: Options
) -> pd.DataFrame:
    """Changes of the rows of ``table[row, right a, right b]``; ``runs_*`` are [run, row]."""
    change = paired_change(table, level=options.level)
    seeds = seed_half_width([runs_a, runs_b], level=options.level)
    test = test_used(a, b)
    if test == WELCH:
        p_value = welch(runs_a, runs_b)[1]
    else:
        p_value = np.array([paired_test(one) for one in table])
    frame = pd.DataFrame(
        {
            "n": table.sum(axis=(1, 2)),
            "accuracy_a": runs_a.mean(axis=0),
            "accuracy_b": runs_b.mean(axis=0),
            "change": change.value,
            "low": np.maximum(change.value - np.hypot(change.value - change.low, seeds), -1),
            "high": np.minimum(change.value + np.hypot(change.high - change.value, seeds), 1),
            "test": test,
            "p_value": p_value,
        }
    )
    return _compared(frame, a, b)


def _judge(frame: pd.DataFrame, options: Options) -> pd.DataFrame:
    small = frame["n"] < options.min_group
    corrected = benjamini_hochberg(frame["p_value"].where(~small).to_numpy())
    significant = corrected <= 1 - options.level
    return frame.assign(p_corrected=corrected, significant=significant, small=small)


def _accuracy(counts: Counts, setting: Setting, axis: str = "") -> NDArray[np.float64]:
    """Accuracy ``[run, row]``: on all examples, on each class (y), or on each group of an axis."""
    tables = tables_of(counts, setting, *([axis] if axis[:1] == "g" else []))
    if axis == "y":
        return share(np.diagonal(tables, axis1=1, axis2=2), tables.sum(axis=2))
    rates = share(np.trace(tables, axis1=-2, axis2=-1), tables.sum(axis=(-2, -1)))
    return rates.reshape(len(tables), -1)


def _compared(frame: pd.DataFrame, a: Setting, b: Setting) -> pd.DataFrame:
    return frame.assign(against=a.role, temperature=temperature_of(b))


def _concat(frames: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    if not frames:
        return pd.DataFrame(columns=columns)
    return pd.concat(frames, ignore_index=True)[columns]
