"""The call: what may be given, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from kdfair_audit.counting import Counts
from kdfair_audit.errors import AuditError
from kdfair_audit.findings import findings_of
from kdfair_audit.merging import is_counts, merge, read_counts
from kdfair_audit.published import is_published, published_frame
from kdfair_audit.rates import Options
from kdfair_audit.reading import open_source
from kdfair_audit.report import AuditReport
from kdfair_audit.streaming import MAX_GROUPS, Plan, count_source


def audit(
    data: Any = None,
    *,
    label: Any = None,
    groups: Any = None,
    teacher: Any = None,
    distilled: Any = None,
    baseline: Any = None,
    classes: Sequence[Any] | None = None,
    positive: Any = None,
    threshold: float = 0.5,
    missing: str | None = None,
    max_groups: int = MAX_GROUPS,
    level: float = 0.95,
    min_group: int = 30,
    n_boot: int = 1000,
    seed: int = 0,
    encoding: str | None = None,
    delimiter: str | None = None,
    title: str | None = None,
) -> AuditReport:
    """Audit a distilled model's predictions: what distillation changed, and for whom.

    Parameters
    ----------
    data : path, frame, Arrow table, mapping of arrays, counts, results, or a list of these
        A Parquet, CSV or Arrow file; a file written by ``--counts-only``; a pandas frame or
        anything with ``__arrow_c_stream__``; published results of this project, or their folder.
        Several are added up. Without it the other arguments are arrays.
    label : str, or array [example]
        Column of the true class.
    groups : str or sequence of str, or mapping of str to array [example]
        Columns of sensitive attributes.
    teacher, distilled, baseline : str or sequence of str; or array, or mapping of str to array
        Columns of predicted classes (whole numbers or text) or of scores: one number in 0..1 for
        the positive class, or [example, class]. Runs are told apart by a temperature and a seed:
        ``"student_T4_s0:T=4,seed=0"``, or a pattern such as ``"student_T{T}_s{seed}"``; keys of a
        mapping likewise, ``{"T=4,seed=0": array}``.
    classes : sequence, optional
        The classes, where the data may not show them all; in the order of columns of scores.
    positive : object, optional
        Of two classes, the one that rates are about: by default the last in order (1 of 0 and 1).
    threshold : float
        The positive class is predicted from this score on.
    missing : str, optional
        Missing groups: "refuse" (default), "group" (of their own) or "exclude".
    max_groups : int
        A group column with more values is refused.
    level : float
        Confidence level; tests are made at 1 - level.
    min_group : int
        Groups with fewer examples are shown and not judged.
    n_boot, seed : int
        Redrawn test sets behind the intervals of DPD and EOD, and their random seed.
    encoding, delimiter : str, optional
        Of a CSV file.
    title : str, optional

    Returns
    -------
    AuditReport
        Shows itself in a notebook; ``.to_html()``, ``.to_json()``, ``.to_markdown()``,
        ``.frames``, ``.save(path)``, ``.broken(rules)``.

    Raises
    ------
    AuditError
        A ValueError of one sentence that says what is wrong with the input.
    """
    counts, name = count(
        data,
        label=label,
        groups=groups,
        teacher=teacher,
        distilled=distilled,
        baseline=baseline,
        classes=classes,
        positive=positive,
        threshold=threshold,
        missing=missing,
        max_groups=max_groups,
        encoding=encoding,
        delimiter=delimiter,
    )
    options = Options(level=level, min_group=min_group, n_boot=n_boot, seed=seed)
    found = findings_of(counts, title=title or f"Audit of {name}", options=options)
    return AuditReport(**vars(found))


def count(
    data: Any = None, *, label: Any = None, groups: Any = None, **options: Any
) -> tuple[Counts, str]:
    """The counts behind an audit, and a name for the data; parameters as :func:`audit`."""
    parts = list(data) if isinstance(data, list | tuple) else [data]
    if not parts:
        raise AuditError("there is nothing to audit: no file is given")
    counted = [_count_one(part, label=label, groups=groups, **options) for part in parts]
    name = counted[0][1] + (f" and {len(parts) - 1} more" if len(parts) > 1 else "")
    return merge([counts for counts, _ in counted]), name


def head(data: Any, rows: int = 5) -> pd.DataFrame:
    """The first rows of a table of predictions, however it is given; to look at."""
    if isinstance(data, str | Path) and is_counts(data):
        raise AuditError(f"{Path(data).name} holds counts, which have no rows to look at")
    source = open_source(published_frame(data)[0] if is_published(data) else data)
    batches = source.batches(source.columns, text=())
    first = next(batches, None)
    if first is None:
        return pd.DataFrame(columns=list(source.columns))
    return first.slice(0, rows).to_pandas()


def _count_one(
    data: Any,
    *,
    label: Any,
    groups: Any,
    missing: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    **options: Any,
) -> tuple[Counts, str]:
    roles = {role: options.pop(role, None) for role in ("teacher", "distilled", "baseline")}
    if isinstance(data, Counts):
        return data, "counts"
    if isinstance(data, str | Path) and is_counts(data):
        return read_counts(data), Path(data).name
    if is_published(data):
        frame, given = published_frame(data, groups=groups, temperatures=roles["distilled"])
        source = open_source(frame, name=given.pop("title").removeprefix("Audit of "))
        label, groups = given.pop("label"), given.pop("groups")
        roles = {role: given.get(role) for role in roles}
        missing = missing or given["missing"]
        options["classes"] = options.get("classes") or given["classes"]
    elif data is None:
        columns, label, groups, roles = _from_arrays(label, groups, roles)
        source = open_source(columns, name="the arrays")
    else:
        source = open_source(data, encoding=encoding, delimiter=delimiter)
    if not isinstance(label, str):
        raise AuditError("the label column is not given; name it with label (--label)")
    names = [groups] if isinstance(groups, str) else list(groups or [])
    if missing not in (None, "refuse", "group", "exclude"):
        raise AuditError(f"missing is {missing!r}; expected refuse, group or exclude")
    plan = Plan(
        label=label,
        groups=tuple(str(name) for name in names),
        missing=missing or "refuse",
        **roles,
        **options,
    )
    return count_source(source, plan), source.name


def _from_arrays(
    label: Any, groups: Any, roles: Mapping[str, Any]
) -> tuple[dict[str, Any], str, list[str], dict[str, list[str]]]:
    """Columns made of arrays, and the names under which they were put."""
    if label is None or isinstance(label, str) or not isinstance(groups, Mapping):
        raise AuditError("without data, label is an array and groups a mapping of names to arrays")
    columns: dict[str, Any] = {"label": label, **groups}
    if "label" in groups:
        raise AuditError("a group column is named 'label'; give it another name")
    named: dict[str, list[str]] = {}
    for role, given in roles.items():
        runs = given if isinstance(given, Mapping) else {} if given is None else {"": given}
        named[role] = []
        for options, array in runs.items():
            column = f"{role} {options}".strip().replace(":", " ")
            columns[column] = array
            named[role].append(f"{column}:{options}" if options else column)
    return columns, "label", list(groups), named
