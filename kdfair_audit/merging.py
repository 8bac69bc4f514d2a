"""Counts kept in files, laid in one order, and added."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdfair_audit.counts import JOINT, Counts, Rows, Tables, distinct, wanted_tables
from kdfair_audit.errors import AuditError, listed, quoted
from kdfair_audit.roles import Model
from kdfair_audit.vocabulary import Value, in_order
from kdfair_core.files import write_bytes

FORMAT = "kdfair audit counts"
VERSION = 1
META = "counts.json"


def in_natural_order(counts: Counts) -> Counts:
    """The same counts with classes and groups sorted; of two classes the positive one last."""
    classes = [counts.classes[i] for i in in_order(counts.classes)]
    if len(classes) == 2 and counts.positive in classes[:1]:
        classes.reverse()
    groups = {name: [values[i] for i in in_order(values)] for name, values in counts.groups.items()}
    return _laid_out(counts, classes, groups)


def merge(parts: Sequence[Counts]) -> Counts:
    """Add counts of several tables, or machines.

    Raises
    ------
    AuditError
        If they are not of the same models and group columns, or were made differently.
    """
    total = parts[0]
    for part in parts[1:]:
        _same("models", [m.to_dict() for m in total.models], [m.to_dict() for m in part.models])
        _same("group columns", list(total.groups), list(part.groups))
        _same("positive class", total.positive, part.positive)
        _same("treatment of missing groups", total.excluded, part.excluded)
        kinds = {isinstance(value, str) for value in [*total.classes, *part.classes]}
        if len(kinds) > 1:
            raise AuditError(
                "the counts to merge have labels of text in one and numbers in another"
            )
        classes = _union(total.classes, part.classes)
        groups = {name: _union(total.groups[name], part.groups[name]) for name in total.groups}
        a, b = _laid_out(total, classes, groups), _laid_out(part, classes, groups)
        rows = _add_rows(a.rows, b.rows)
        left, right = ({}, {}) if rows is not None else (a.as_tables(), b.as_tables())
        total = replace(
            a,
            n=a.n + b.n,
            declared=a.declared and b.declared,
            rows=rows,
            tables={name: left[name] + right[name] for name in left if name in right},
            sums={name: a.sums[name] + b.sums[name] for name in a.sums if name in b.sums},
            notes=_union(a.notes, b.notes),
        )
    return in_natural_order(total)


def write_counts(counts: Counts, path: str | os.PathLike[str]) -> None:
    """Write counts, whole or not at all: a zip of JSON and ``.npy`` arrays; nothing pickled.

    ``counts.json`` names the classes, groups and models, and the tables by their axes, in the
    order of ``tables/0.npy``, ``tables/1.npy`` and so on; ``sums`` likewise. Distinct rows are
    ``rows/0.npy`` and so on, one array for each axis under "rows", and last how often each came.
    """
    rows = {**counts.rows.codes, "n": counts.rows.n} if counts.rows else {}
    meta = {
        "format": FORMAT,
        "version": VERSION,
        "n": counts.n,
        "classes": counts.classes,
        "groups": counts.groups,
        "models": [model.to_dict() for model in counts.models],
        "positive": counts.positive,
        "declared": counts.declared,
        "excluded": counts.excluded,
        "notes": counts.notes,
        "rows": list(rows),
        "tables": list(counts.tables),
        "sums": list(counts.sums),
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(META, json.dumps(meta, ensure_ascii=False, indent=1))
        for kind, arrays in (("rows", rows), ("tables", counts.tables), ("sums", counts.sums)):
            for i, table in enumerate(arrays.values()):
                with archive.open(f"{kind}/{i}.npy", "w") as member:
                    np.lib.format.write_array(member, table, allow_pickle=False)
    replace_file(path, file.getvalue())


def is_counts(path: str | os.PathLike[str]) -> bool:
    """Whether a file holds counts."""
    try:
        with zipfile.ZipFile(path) as archive:
            return META in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def read_counts(path: str | os.PathLike[str]) -> Counts:
    """Read what :func:`write_counts` wrote.

    Raises
    ------
    AuditError
        If the file is damaged, or no such file.
    """
    name = Path(path).name
    try:
        with zipfile.ZipFile(path) as archive:
            meta = json.loads(archive.read(META))
            if meta["format"] != FORMAT or meta["version"] != VERSION:
                raise AuditError(
                    f"{name} holds counts of version {quoted(meta['version'])}; expected {VERSION}"
                )
            rows = _read_tables(archive, "rows", meta, "iu")
            n = rows.pop("n", None)
            counts = Counts(
                classes=meta["classes"],
                groups=meta["groups"],
                models=[Model.from_dict(model) for model in meta["models"]],
                n=int(meta["n"]),
                rows=Rows(rows, n) if n is not None else None,
                tables=_read_tables(archive, "tables", meta, "iu"),
                sums=_read_tables(archive, "sums", meta, "f"),
                positive=meta["positive"],
                declared=bool(meta["declared"]),
                excluded=bool(meta["excluded"]),
                notes=[str(note) for note in meta["notes"]],
            )
        _check(counts)
        return counts
    except AuditError:
        raise
    except Exception as error:  # whatever a damaged archive brings up
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise AuditError(f"{name} holds damaged counts ({reason})") from error


def replace_file(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file whole or not at all; AuditError if it cannot be written."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        try:
            write_bytes(temporary, content)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise AuditError(f"cannot write {quoted(str(path), 200)}: {error.strerror}") from error


def _read_tables(archive: zipfile.ZipFile, kind: str, meta: dict[str, Any], dtypes: str) -> Tables:
    tables = {}
    for i, name in enumerate(meta[kind]):
        with archive.open(f"{kind}/{i}.npy") as member:
            table = np.lib.format.read_array(member, allow_pickle=False)
        if table.dtype.kind not in dtypes:
            raise AuditError(f"the counts hold the table {quoted(name)} of type {table.dtype}")
        tables[str(name)] = table
    return tables


def _check(counts: Counts) -> None:
    """Make sure that arrays and names fit: a damaged file is refused, not reported on."""
    sizes = counts.sizes()
    for name, table in [*counts.tables.items(), *counts.sums.items()]:
        axes = _axes(name)
        known = [sizes[axis] for axis in axes if ":" not in axis]
        found = [n for n, axis in zip(table.shape, axes, strict=True) if ":" not in axis]
        if known != found or (name in counts.tables and (table < 0).any()):
            raise AuditError(f"the counts hold a damaged table {quoted(name)}")
    if counts.rows is None:
        needed = wanted_tables(counts.models, list(counts.groups)).items()
        missing = [name for name, optional in needed if name not in counts.tables and not optional]
        if missing:
            raise AuditError(f"the counts are damaged: they lack the table {quoted(missing[0])}")
        return
    if set(counts.rows.codes) != set(sizes) or int(counts.rows.n.sum()) != counts.n:
        raise AuditError("the counts hold damaged rows")
    for axis, codes in counts.rows.codes.items():
        if codes.shape != counts.rows.n.shape or codes.min() < 0 or codes.max() >= sizes[axis]:
            raise AuditError(f"the counts hold damaged rows, along {quoted(axis)}")


def _laid_out(counts: Counts, classes: list[Value], groups: dict[str, list[Value]]) -> Counts:
    """The same counts over these classes and groups, in this order."""
    places = {"class": np.array([classes.index(value) for value in counts.classes])}
    sizes = {"class": len(classes)}
    for a, (name, values) in enumerate(counts.groups.items()):
        places[f"g{a}"] = np.array([groups[name].index(value) for value in values])
        sizes[f"g{a}"] = len(groups[name])

    def lay(name: str, table: NDArray) -> NDArray:
        for i, axis in enumerate(_axes(name)):
            kind = axis if axis[0] == "g" else "class"
            if ":" not in axis:
                # A table may have room for values that never came.
                given = np.moveaxis(table, i, 0)[: len(places[kind])]
                wide = np.zeros((sizes[kind], *given.shape[1:]), table.dtype)
                wide[places[kind]] = given
                table = np.ascontiguousarray(np.moveaxis(wide, 0, i))
        return table

    rows = counts.rows and Rows(
        {
            axis: places[axis if axis[0] == "g" else "class"][codes]
            for axis, codes in counts.rows.codes.items()
        },
        counts.rows.n,
    )
    return replace(
        counts,
        classes=classes,
        groups=groups,
        rows=rows,
        tables={name: lay(name, table) for name, table in counts.tables.items()},
        sums={name: lay(name, table) for name, table in counts.sums.items()},
    )


def _add_rows(a: Rows | None, b: Rows | None) -> Rows | None:
    if a is None or b is None:
        return None
    codes = {axis: np.concatenate([a.codes[axis], b.codes[axis]]) for axis in a.codes}
    rows = distinct(codes, np.concatenate([a.n, b.n]))
    return rows if len(rows) <= JOINT else None


def _axes(name: str) -> list[str]:
    """Axes in a table's name."""
    return name.partition("/")[0].split(",")


def _union(a: list[Any], b: list[Any]) -> list[Any]:
    return [*a, *(value for value in b if value not in a)]


def _same(what: str, a: Any, b: Any) -> None:
    if a != b:
        one, other = (listed(side if isinstance(side, list) else [side], 3) for side in (a, b))
        raise AuditError(f"the counts to merge differ in their {what}: {one}, and {other}")
