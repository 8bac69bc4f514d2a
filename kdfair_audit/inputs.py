"""The call: what may be given, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from kdfair_audit.columns import CROSS
from kdfair_audit.counting import MAX_GROUPS, Plan, count_source
from kdfair_audit.counts import Counts
from kdfair_audit.errors import AuditError
from kdfair_audit.findings import findings_of
from kdfair_audit.merging import is_counts, merge, read_counts
from kdfair_audit.published import is_published, published_frame
from kdfair_audit.rates import Options
from kdfair_audit.report import AuditReport
from kdfair_audit.sources import open_source

READING = ("encoding", "delimiter", "decimal", "table", "memory_limit")


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
    decimal: str | None = None,
    table: str | None = None,
    memory_limit: str | None = None,
    title: str | None = None,
) -> AuditReport:
    """Audit a distilled model's predictions: what distillation changed, and for whom.

    Parameters
    ----------
    data : path, address, table, mapping of arrays, counts, results, or a list of these
        CSV, Parquet, Arrow or JSON lines, packed or not: files, folders of them (a folder
        ``year=2026`` is a column), patterns (``"part-*.csv"``) and addresses (``https://``,
        ``s3://``); a DuckDB or SQLite file; a file written by ``--counts-only``; an Ibis table,
        which is counted where it is; a frame of pandas or Polars, an Arrow table, a DuckDB
        relation; published results of this project, or their folder. Several are added up.
        Without it the other arguments are arrays.
    label : str, or array [example]
        Column of the true class.
    groups : str or sequence of str, or mapping of str to array [example]
        Columns of sensitive attributes; ``"sex*age"`` crosses two.
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
    encoding, delimiter, decimal : str, optional
        Of CSV files; found out without them.
    table : str, optional
        Which one, in a DuckDB or SQLite file.
    memory_limit : str, optional
        What DuckDB may take, such as "1GB"; what needs more goes to a temporary folder.
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
        decimal=decimal,
        table=table,
        memory_limit=memory_limit,
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
    together = [parts] if len(parts) > 1 and _are_one_table(parts) else parts
    counted = [_count_one(part, label=label, groups=groups, **options) for part in together]
    name = counted[0][1] + (f" and {len(together) - 1} more" if len(together) > 1 else "")
    return merge([counts for counts, _ in counted]), name


def _are_one_table(parts: list[Any]) -> bool:
    """Whether these are paths of files of one form, which are read as one table."""
    if not all(isinstance(part, str | Path) for part in parts):
        return False
    if any(is_counts(part) or is_published(part) for part in parts):
        return False
    return len({Path(part).suffix.lower() for part in parts}) == 1


def head(data: Any, rows: int = 5) -> pd.DataFrame:
    """The first rows of a table of predictions, however it is given; to look at."""
    if isinstance(data, str | Path) and is_counts(data):
        raise AuditError(f"{Path(data).name} holds counts, which have no rows to look at")
    with open_source(published_frame(data)[0] if is_published(data) else data) as source:
        table = source.table.select(**{name: source.column(name) for name in source.columns})
        return source.run(table.limit(rows)).to_pandas()


def _count_one(data: Any, *, label: Any, groups: Any, **options: Any) -> tuple[Counts, str]:
    roles = {role: options.pop(role, None) for role in ("teacher", "distilled", "baseline")}
    reading = {name: options.pop(name, None) for name in READING}
    missing = options.pop("missing", None)
    if isinstance(data, Counts):
        return data, "counts"
    if isinstance(data, str | Path) and is_counts(data):
        return read_counts(data), Path(data).name
    name = ""
    if is_published(data):
        data, given = published_frame(data, groups=groups, temperatures=roles["distilled"])
        name = given.pop("title").removeprefix("Audit of ")
        label, groups = given.pop("label"), given.pop("groups")
        roles = {role: given.get(role) for role in roles}
        missing = missing or given["missing"]
        options["classes"] = options.get("classes") or given["classes"]
    elif data is None:
        data, label, groups, roles = _from_arrays(label, groups, roles)
        name = "the arrays"
    names = [str(name) for name in ([groups] if isinstance(groups, str) else groups or [])]
    text = [*names, *(part.strip() for name in names for part in name.split(CROSS))]
    with open_source(data, text=text, name=name, **reading) as source:
        if not isinstance(label, str):
            raise AuditError("the label column is not given; name it with label (--label)")
        if missing not in (None, "refuse", "group", "exclude"):
            raise AuditError(f"missing is {missing!r}; expected refuse, group or exclude")
        plan = Plan(
            label=label, groups=tuple(names), missing=missing or "refuse", **roles, **options
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
