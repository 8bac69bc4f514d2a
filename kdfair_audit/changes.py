"""What changed from the teacher, or from the baseline, to the distilled student."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kdfair_audit.counts import Counts, right
from kdfair_audit.rates import Options, tables_of
from kdfair_audit.roles import Setting, comparisons, run_pairs
from kdfair_audit.statistics import mean_rate, paired_change, paired_test, seed_half_width
from kdfair_core.metrics import benjamini_hochberg, welch

MCNEMAR = "McNemar's exact test over examples"
SIGNS = "sign-flip test over examples, runs averaged"
WELCH = "Welch's t-test over seeds"


def test_used(a: Setting, b: Setting) -> str:
    """The test that the runs there are can bear."""
    if len(a.runs) > 1 and len(b.runs) > 1:
        return WELCH
    return MCNEMAR if len(a.runs) == len(b.runs) == 1 else SIGNS


def overall_changes(counts: Counts, options: Options) -> pd.DataFrame:
    """Change of overall accuracy: a row a comparison.

    Columns: against ("teacher" or "baseline"), temperature, n, accuracy_a, accuracy_b, change (b
    minus a, b the distilled student), low, high, test, p_value.
    """
    rows = []
    for a, b in comparisons(counts.models):
        frame = _changes(
            counts.table("y", right(a.runs), right(b.runs)).sum(axis=0)[None],
            _run_accuracy(counts, a),
            _run_accuracy(counts, b),
            a,
            b,
            options,
        )
        rows.append(frame.assign(against=a.role, temperature=_temperature(b)))
    columns = ["against", "temperature", "n", "accuracy_a", "accuracy_b", "change", "low", "high"]
    return _concat(rows, [*columns, "test", "p_value"])


def class_changes(counts: Counts, options: Options) -> pd.DataFrame:
    """Change of the accuracy on each class: a row a comparison and class.

    Over seeds the test is the study's: on class accuracy over overall accuracy (equation 8), so a
    class that only moves with the rest is not called changed; ``relative`` is that change. Other
    tests are on the class accuracy itself. Columns as :func:`overall_changes`, and class,
    relative, p_corrected (Benjamini-Hochberg over the classes of a comparison), significant,
    small.
    """
    rows = []
    for a, b in comparisons(counts.models):
        table = counts.table("y", right(a.runs), right(b.runs))
        recall_a, recall_b = _class_accuracy(counts, a), _class_accuracy(counts, b)
        frame = _changes(table, recall_a, recall_b, a, b, options)
        with np.errstate(divide="ignore", invalid="ignore"):
            relative_a = recall_a / _run_accuracy(counts, a)
            relative_b = recall_b / _run_accuracy(counts, b)
        frame["relative"] = relative_b.mean(axis=0) - relative_a.mean(axis=0)
        if test_used(a, b) == WELCH:
            frame["p_value"] = welch(relative_a, relative_b)[1]
        frame["class"] = counts.class_names
        rows.append(_judge(frame, options).assign(against=a.role, temperature=_temperature(b)))
    columns = ["against", "temperature", "class", "n", "accuracy_a", "accuracy_b", "change", "low"]
    columns += ["high", "relative", "test", "p_value", "p_corrected", "significant", "small"]
    return _concat(rows, columns)


def group_changes(counts: Counts, options: Options) -> pd.DataFrame:
    """Change of the accuracy on each group.

    Columns as :func:`class_changes`, by attribute and group; p-values are corrected over the
    groups of all attributes. A group is called changed where besides the interval of its change,
    which over seeds has the luck of the examples in it too, leaves out 0.
    """
    rows = []
    for a, b in comparisons(counts.models):
        frames = []
        for attribute in counts.groups:
            axis = counts.axis(attribute)
            table = counts.table(axis, "y", right(a.runs), right(b.runs)).sum(axis=1)
            runs_a, runs_b = _group_accuracy(counts, a, axis), _group_accuracy(counts, b, axis)
            frame = _changes(table, runs_a, runs_b, a, b, options)
            frames.append(frame.assign(attribute=attribute, group=counts.group_names(attribute)))
        frame = _judge(pd.concat(frames, ignore_index=True), options)
        frame["significant"] &= (frame["low"] > 0) | (frame["high"] < 0)
        rows.append(frame.assign(against=a.role, temperature=_temperature(b)))
    columns = ["against", "temperature", "attribute", "group", "n", "accuracy_a", "accuracy_b"]
    columns += ["change", "low", "high", "test", "p_value", "p_corrected", "significant", "small"]
    return _concat(rows, columns)


def disagreement_frame(counts: Counts, options: Options) -> pd.DataFrame:
    """How often the distilled student predicts something else: a row a comparison and group.

    Columns: against, temperature, attribute ("" for all examples), group, n, value, low, high.
    """
    rows: list[dict[str, Any]] = []
    for a, b in comparisons(counts.models):
        pairs = run_pairs(counts.models, a, b)
        shared = {"against": a.role, "temperature": _temperature(b)}
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
            rows += [
                {
                    **shared,
                    "attribute": attribute,
                    "group": name,
                    "n": int(n[i]),
                    "value": rate.value[i],
                    "low": rate.low[i],
                    "high": rate.high[i],
                }
                for i, name in enumerate(names)
            ]
    columns = ["against", "temperature", "attribute", "group", "n", "value", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def disagreement_matrix_frame(counts: Counts) -> pd.DataFrame:
    """What the two predict where they differ: a row a comparison and pair of classes.

    Columns: against, temperature, class_a (predicted by the other model), class_b (by the
    distilled student), count (mean over pairs of runs).
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
        frames.append(frame.assign(against=a.role, temperature=_temperature(b)))
    return _concat(frames, ["against", "temperature", "class_a", "class_b", "count"])


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
    return pd.DataFrame(
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


def _judge(frame: pd.DataFrame, options: Options) -> pd.DataFrame:
    small = frame["n"] < options.min_group
    tested = frame["p_value"].where(~small)
    corrected = benjamini_hochberg(tested.to_numpy())
    return frame.assign(
        p_corrected=corrected, significant=corrected <= 1 - options.level, small=small
    )


def _run_accuracy(counts: Counts, setting: Setting) -> NDArray[np.float64]:
    tables = tables_of(counts, setting)
    return np.trace(tables, axis1=1, axis2=2)[:, None] / counts.n


def _class_accuracy(counts: Counts, setting: Setting) -> NDArray[np.float64]:
    tables = tables_of(counts, setting)
    n = tables.sum(axis=2)
    hits = np.diagonal(tables, axis1=1, axis2=2)
    return np.divide(hits, n, out=np.full(n.shape, np.nan), where=n > 0)


def _group_accuracy(counts: Counts, setting: Setting, axis: str) -> NDArray[np.float64]:
    tables = tables_of(counts, setting, axis)
    n = tables.sum(axis=(2, 3))
    hits = np.trace(tables, axis1=2, axis2=3)
    return np.divide(hits, n, out=np.full(n.shape, np.nan), where=n > 0)


def _temperature(setting: Setting) -> float:
    return np.nan if setting.temperature is None else setting.temperature


def _concat(frames: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    if not frames:
        return pd.DataFrame(columns=columns)
    return pd.concat(frames, ignore_index=True)[columns]
