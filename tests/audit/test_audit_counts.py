"""Counts: however they are gathered, added or kept, the same numbers."""

import json
import zipfile

import numpy as np
import pandas as pd
import pytest

import kdfair_audit
from kdfair_audit import counting
from kdfair_audit.errors import AuditError
from kdfair_audit.inputs import count
from kdfair_audit.merging import is_counts, merge, read_counts, write_counts
from kdfair_core import metrics


@pytest.fixture
def counts(binary, roles):
    return count(binary, **roles)[0]


def test_tables_are_counts(binary, counts):
    codes = {"F": 0, "M": 1}
    expected = metrics.group_counts(
        binary["y"],
        binary["student"],
        sensitive_features=binary["sex"].map(codes),
        n_classes=2,
    )
    assert [model.name for model in counts.models] == ["teacher", "scratch", "student"]
    np.testing.assert_array_equal(counts.table("g0", "y", "p2"), expected)
    np.testing.assert_array_equal(counts.table("p2", "y"), expected.sum(axis=0).T)
    same = (binary["teacher"] == binary["student"]).groupby(binary["sex"]).sum()
    np.testing.assert_array_equal(counts.table("g0", "same:0+2")[:, 1], same)
    right = (binary["teacher"] == binary["y"]).astype(int) + (binary["student"] == binary["y"])
    np.testing.assert_array_equal(counts.table("right:0+2"), np.bincount(right, minlength=3))


@pytest.fixture
def tables_only(monkeypatch):
    """Count as tables of many distinct rows are counted, without keeping them."""
    monkeypatch.setattr(counting, "JOINT", 10)


def test_tables_are_those_of_the_rows(binary, roles, counts, tables_only):
    late = binary.sort_values(["y", "age"])
    long, _ = count(late, **roles)
    assert long.rows is None
    expected, found = counts.as_tables(), long.as_tables()
    assert expected.keys() == found.keys()
    for name, table in expected.items():
        np.testing.assert_array_equal(found[name], table, err_msg=name)


def test_reports_from_tables_only(binary, roles, monkeypatch):
    short = kdfair_audit.audit(binary, **roles).frames
    monkeypatch.setattr(counting, "JOINT", 10)
    reading_long = kdfair_audit.audit(binary, **roles)
    assert reading_long.counts.rows is None
    for name, frame in reading_long.frames.items():
        if name in ("verdict", "fairness", "fairness_changes"):  # intervals are drawn otherwise
            continue
        pd.testing.assert_frame_equal(frame, short[name], obj=name)
    exact = ["role", "attribute", "metric", "value", "floor", "judged"]
    found = reading_long.frames["fairness"]
    pd.testing.assert_frame_equal(found[exact], short["fairness"][exact])
    drawn = found[["low", "high", "chance", "corrected"]]
    assert (drawn - short["fairness"][drawn.columns]).abs().max().max() < 0.04


def test_intervals_of_several_runs_without_rows(seeds, seed_roles, monkeypatch):
    kept = kdfair_audit.audit(seeds, **seed_roles).frames
    monkeypatch.setattr(counting, "JOINT", 10)
    streamed = kdfair_audit.audit(seeds, **seed_roles)
    assert streamed.counts.rows is None
    found = streamed.frames["fairness"]
    np.testing.assert_allclose(found["value"], kept["fairness"]["value"])
    width = found["high"] - found["low"]
    assert (width >= 0.7 * (kept["fairness"]["high"] - kept["fairness"]["low"])).all()
    changes = streamed.frames["fairness_changes"]
    np.testing.assert_allclose(changes["change"], kept["fairness_changes"]["change"], atol=1e-12)
    assert (changes["low"] < changes["high"]).all()


@pytest.mark.parametrize("mode", ["rows", "tables"])
def test_parts_add_up(seeds, seed_roles, tmp_path, monkeypatch, mode):
    if mode == "tables":
        monkeypatch.setattr(counting, "JOINT", 10)
    # The parts differ in the classes and groups that they show.
    order = seeds.sort_values(["label", "color"]).reset_index(drop=True)
    cuts = [order.iloc[:200], order.iloc[200:500], order.iloc[500:]]
    paths = []
    for i, part in enumerate(cuts):
        counts, _ = count(part, **seed_roles)
        paths.append(tmp_path / f"{i}.counts")
        write_counts(counts, paths[-1])
        assert is_counts(paths[-1])
    whole = kdfair_audit.audit(seeds, **seed_roles)
    merged = kdfair_audit.audit(paths)
    assert merged.frames.keys() == whole.frames.keys()
    assert merged.counts.n == len(seeds)
    for name, frame in merged.frames.items():
        pd.testing.assert_frame_equal(frame, whole.frames[name], obj=name)


def test_scores_add_up(binary, roles, tmp_path):
    rng = np.random.default_rng(0)
    noise = 0.4 * rng.random(len(binary))
    frame = binary.assign(student=np.clip(0.6 * binary["student"] + noise, 0, 1))
    files = []
    for i, part in enumerate((frame[:700], frame[700:])):
        files.append(tmp_path / f"{i}.parquet")
        part.to_parquet(files[-1])
    whole = kdfair_audit.audit(frame, **roles).frames
    merged = kdfair_audit.audit(files, **roles).frames
    pd.testing.assert_frame_equal(merged["calibration"], whole["calibration"])
    pd.testing.assert_frame_equal(merged["reliability"], whole["reliability"])


def test_a_counts_file_is_plain(counts, tmp_path):
    path = tmp_path / "a.counts"
    write_counts(counts, path)
    with zipfile.ZipFile(path) as archive:
        meta = json.loads(archive.read("counts.json"))
        assert meta["classes"] == [0, 1]
        assert meta["groups"]["sex"] == ["F", "M"]
        names = {name.split("/")[0] for name in archive.namelist()}
        assert names == {"counts.json", "rows"}
    again = read_counts(path)
    np.testing.assert_array_equal(again.table("g1", "y", "p0"), counts.table("g1", "y", "p0"))
    assert again.models == counts.models
    assert list(tmp_path.iterdir()) == [path]


def test_counts_that_do_not_fit_are_not_added(binary, roles, counts):
    with pytest.raises(AuditError, match="differ in their group columns: 'sex', 'age', and 'sex'"):
        merge([counts, count(binary, **{**roles, "groups": ["sex"]})[0]])
    other = binary.rename(columns={"student": "pupil"})
    with pytest.raises(AuditError, match="differ in their models"):
        merge([counts, count(other, **{**roles, "distilled": "pupil"})[0]])
    words = ["y", "teacher", "student", "scratch"]
    text = binary.astype(dict.fromkeys(words, str))
    with pytest.raises(AuditError, match="labels of text in one and numbers in another"):
        merge([counts, count(text, **roles)[0]])


def test_damaged_counts_are_refused(counts, tmp_path):
    path = tmp_path / "a.counts"
    write_counts(counts, path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-200])
    with pytest.raises(AuditError, match="zip archive"):
        kdfair_audit.audit(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("counts.json", json.dumps({"format": "kdfair audit counts", "version": 9}))
    with pytest.raises(AuditError, match="version 9; expected 1"):
        kdfair_audit.audit(path)
    write_counts(counts, path)
    for change in ({"classes": [0, 1, 2], "n": 5}, {"groups": {"sex": ["F"]}}, {"rows": ["y"]}):
        with zipfile.ZipFile(path) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        parts["counts.json"] = json.dumps({**json.loads(parts["counts.json"]), **change}).encode()
        broken = tmp_path / "b.counts"
        with zipfile.ZipFile(broken, "w") as archive:
            for name, content in parts.items():
                archive.writestr(name, content)
        with pytest.raises(AuditError, match="damaged"):
            kdfair_audit.audit(broken)


def test_a_bootstrap_of_counted_rows_is_one_of_examples(binary):
    """Distinct rows with their number stand for the examples themselves."""
    from kdfair_audit.intervals import FairnessBootstrap

    groups = binary["sex"].map({"F": 0, "M": 1}).to_numpy()
    rows = binary.assign(g=groups)[["g", "y", "student"]]
    few = rows.value_counts().reset_index()
    options = {"n_classes": 2, "groups": [0, 1], "n_boot": 200, "seed": 3}
    one = FairnessBootstrap(
        rows["y"], [rows[["student"]].T], sensitive_features=rows["g"], **options
    )
    other = FairnessBootstrap(
        few["y"],
        [few[["student"]].T],
        sensitive_features=few["g"],
        sample_count=few["count"].to_numpy(),
        **options,
    )
    assert one.interval(0, "eod") == other.interval(0, "eod")
