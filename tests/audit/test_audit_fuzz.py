"""Whatever is given, an audit ends in a report or in one sentence.

A short round in the suite; KDFAIR_FUZZ=50 makes it fifty times as long, from other seeds.
"""

import datetime
import decimal
import json
import math
import os
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

import kdfair_audit
from kdfair_audit.errors import AuditError
from kdfair_audit.inputs import count
from kdfair_audit.merging import write_counts
from kdfair_audit.report import AuditReport
from kdfair_audit.rules import METRICS, parse
from kdfair_core import metrics

pytestmark = pytest.mark.slow

ROUNDS = int(os.environ.get("KDFAIR_FUZZ", "1"))
FIRST = 0 if ROUNDS == 1 else 1_000_000

WORDS = [
    "a",
    "b",
    "A",
    "0",
    "1",
    "yes",
    "no",
    "",
    " ",
    "NaN",
    "None",
    "<b>",
    "é",
    "🙂",
    "a\nb",
    "T=4",
]
ODD = [
    None, math.nan, math.inf, -math.inf, 0, 1, -1, 2**40, 2**63 - 1, -(2**63), 0.5, 1e300, 1e-300,
    True, False, "x", "", b"\xff\x00", datetime.date(2020, 1, 1), datetime.datetime(2020, 1, 1),
    decimal.Decimal("1.5"), [1, 2], {"a": 1}, (), object,
]  # fmt: skip


def _column(rng, n):
    """A column of some kind: as it should be, or not."""
    k = int(rng.integers(1, 6))
    kind = rng.integers(0, 16)
    if kind <= 3:
        return rng.integers(0, k, n)
    if kind == 4:
        return rng.choice(np.array(WORDS, dtype=object), n)
    if kind == 5:
        return rng.choice(np.array(WORDS[:k], dtype=object), n)
    if kind == 6:
        return rng.random(n)
    if kind == 7:
        return rng.random(n).round(1) * rng.choice([1, 10, -1])
    if kind == 8:
        return rng.integers(0, 2, n).astype(bool)
    if kind == 9:
        return pd.Categorical.from_codes(rng.integers(-1, k, n), [f"c{i}" for i in range(k)])
    if kind == 10:
        return rng.dirichlet(np.ones(k + 1), n)
    if kind == 11:
        return np.where(rng.random(n) < 0.1, np.nan, rng.integers(0, k, n))
    if kind == 12:
        return rng.integers(-(2**40), 2**40, n)
    if kind == 13:
        return [ODD[i] for i in rng.integers(0, len(ODD), n)]
    if kind == 14:
        return [ODD[int(rng.integers(0, len(ODD)))]] * n
    return rng.integers(0, k, n).astype(rng.choice(["int8", "uint8", "uint64", "float32"]))


def _likely(rng, n):
    """A table that mostly makes sense, so that reports are fuzzed and not only refusals."""
    k = int(rng.integers(2, 5))
    names = np.array(WORDS[: k + 3], dtype=object) if rng.random() < 0.5 else np.arange(k + 3)
    y = rng.integers(0, k, n)
    columns = {"y": names[y]}
    for i in range(int(rng.integers(1, 3))):
        size = int(rng.integers(2, 6))
        weights = rng.dirichlet(np.full(size, 0.7))
        columns[f"g{i}"] = np.array(WORDS, dtype=object)[rng.choice(size, n, p=weights)]
    for i in range(int(rng.integers(1, 6))):
        wrong = rng.random(n) < rng.choice([0, 0.1, 0.5, 1])
        columns[f"m{i}"] = names[np.where(wrong, rng.integers(0, k, n), y)]
    return columns


def _roles(rng, columns):
    names = list(columns)
    groups = [name for name in names if str(name)[:1] == "g"] or names[1:2]
    runs = [name for name in names if str(name)[:1] == "m"] or names[2:]
    several = len(runs) > 2 and rng.random() < 0.5
    given = {"label": names[0], "groups": groups}
    if several:
        cut = int(rng.integers(1, len(runs)))
        given["teacher"] = [f"{name}:seed={i}" for i, name in enumerate(runs[:cut])]
        temperatures = rng.choice([1, 4, 0.5], len(runs))
        given["distilled"] = [
            f"{name}:T={temperatures[i]:g},seed={i}" for i, name in enumerate(runs[cut:])
        ]
    else:
        for role, name in zip(("distilled", "teacher", "baseline"), runs, strict=False):
            given[role] = str(name)
    if rng.random() < 0.2:
        given["positive"] = rng.choice(["0", "1", "a"])
    if rng.random() < 0.2:
        given["missing"] = str(rng.choice(["group", "exclude"]))
    if rng.random() < 0.2:
        given["classes"] = list(WORDS[:3]) if rng.random() < 0.5 else [0, 1, 2]
    return given


def _sound(report):
    """What holds of every report."""
    assert isinstance(report, AuditReport)
    frames = report.frames
    for name in ("models", "groups", "fairness", "worst", "disagreement", "intersections"):
        frame = frames[name]
        for column in {"value", "accuracy", "low", "high"} & set(frame.columns):
            known = frame[column].dropna()
            assert ((known >= 0) & (known <= 1)).all(), (name, column)
        if len(frame):
            assert not (frame["low"] > frame["high"]).any(), name
    rates = frames["groups"]
    known = rates[rates["value"].notna()]
    assert (known["low"] <= known["value"] + 1e-12).all()
    assert (known["value"] <= known["high"] + 1e-12).all()
    for name in ("changes", "changed_classes", "changed_groups"):
        known = frames[name].dropna(subset=["change", "low"])
        assert (known["low"] <= known["change"] + 1e-12).all(), name
        assert (known["change"] <= known["high"] + 1e-12).all(), name
    assert len(frames["verdict"]) % 5 == 0
    json.loads(report.to_json())
    assert report.to_html().endswith("</html>\n")
    assert "<" not in report.to_markdown()


@pytest.fixture(autouse=True)
def warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("seed", range(FIRST, FIRST + 40 * ROUNDS))
def test_any_table_ends_in_a_report_or_a_sentence(seed):
    for sub in range(6):
        rng = np.random.default_rng([seed, sub])
        n = int(rng.choice([0, 1, 2, 7, 40, 200], p=[0.03, 0.02, 0.1, 0.25, 0.3, 0.3]))
        columns = _likely(rng, n)
        for name in list(columns):
            if rng.random() < (0.0 if sub < 3 else 0.2):
                columns[name] = _column(rng, n)
        if rng.random() < 0.05:
            columns[str(rng.choice(list(columns)))] = [1] * (n + 1)
        given = _roles(rng, columns)
        try:
            report = kdfair_audit.audit(columns, **given, n_boot=8, seed=int(seed))
        except AuditError as error:
            assert "\n" not in str(error)
            assert 10 < len(str(error)) < 800
            continue
        _sound(report)
        _equal_to_metrics(columns, given, report)


def _equal_to_metrics(columns, given, report):
    """DPD and EOD once more, by the functions that the rest of the project uses."""
    if given.get("missing") or isinstance(given["distilled"], list) or "classes" in given:
        return
    predicted = columns[given["distilled"]]
    if report.counts.models[-1].kind != "labels" or not isinstance(predicted, np.ndarray):
        return
    code = {name: i for i, name in enumerate(report.counts.classes)}
    try:
        y, p = ([code[v] for v in column] for column in (columns["y"], predicted))
    except KeyError:  # written in another way, such as True for 1
        return
    for group in given["groups"]:
        own = {"sensitive_features": np.array([str(v) for v in columns[group]])}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = [
                metrics.demographic_parity_difference(y, p, **own, n_classes=len(code)),
                metrics.equalized_odds_difference(y, p, **own, n_classes=len(code)),
            ]
        frame = report.frames["fairness"]
        found = frame[(frame["role"] == "distilled") & (frame["attribute"] == group)]
        np.testing.assert_allclose(found["value"], expected)


@pytest.fixture(scope="module")
def whole_files(tmp_path_factory):
    """Small files of every form."""
    folder = tmp_path_factory.mktemp("whole")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"y": rng.integers(0, 2, 300), "g": rng.choice(["x", "y"], 300)})
    frame["s"] = np.where(rng.random(300) < 0.2, 1 - frame["y"], frame["y"])
    frame["t"] = (0.8 * frame["y"] + 0.1).round(2)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    pa.parquet.write_table(table, folder / "a.parquet")
    pa.parquet.write_table(table, folder / "b.parquet", compression="none", use_dictionary=False)
    frame.to_csv(folder / "a.csv", index=False)
    frame.to_csv(folder / "a.csv.gz", index=False)
    with pa.OSFile(str(folder / "a.arrow"), "wb") as file:
        with pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
    with pa.OSFile(str(folder / "a.arrows"), "wb") as file:
        with pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table)
    counts, _ = count(frame, label="y", groups="g", teacher="t", distilled="s")
    write_counts(counts, folder / "a.counts")
    return sorted(folder.iterdir())


def _damage(rng, content):
    content = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        if not content:
            break
        at, how = int(rng.integers(0, len(content))), rng.integers(0, 5)
        if how == 0:
            content[at] ^= 1 << int(rng.integers(0, 8))
        elif how == 1:
            del content[at:]
        elif how == 2:
            del content[at : at + int(rng.integers(1, 40))]
        elif how == 3:
            content[at:at] = rng.bytes(int(rng.integers(1, 40)))
        else:
            content[at : at + 4] = rng.bytes(4)
    return bytes(content)


@pytest.mark.parametrize("seed", range(FIRST, FIRST + 25 * ROUNDS))
def test_any_damage_ends_in_a_report_or_a_sentence(seed, whole_files, tmp_path):
    rng = np.random.default_rng(seed)
    for path in whole_files:
        broken = tmp_path / path.name
        broken.write_bytes(_damage(rng, path.read_bytes()))
        try:
            report = kdfair_audit.audit(
                broken, label="y", groups="g", teacher="t", distilled="s", n_boot=8
            )
        except AuditError as error:
            assert "\n" not in str(error)
            continue
        _sound(report)


@pytest.mark.parametrize("seed", range(FIRST, FIRST + 5 * ROUNDS))
def test_any_text_is_a_rule_or_is_refused(seed):
    rng = np.random.default_rng(seed)
    parts = [*METRICS, "(", ")", ",", ".", "low", "high", "=", ">", "<", ">=", "0.05", "5%", "T"]
    parts += ["sex", "'a b'", '"', "'", " ", "teacher", "-", "1e999", "nan", "\\", "\x00", "é"]
    for _ in range(400):
        text = "".join(rng.choice(np.array(parts, dtype=object), int(rng.integers(0, 12))))
        try:
            rule = parse(text)
        except AuditError:
            continue
        assert rule.what in METRICS
        assert not math.isnan(rule.limit)
