"""The same table in every form gives the same numbers."""

import gzip

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

import kdfair_audit


def _write(frame, folder, kind):
    path = folder / f"table.{kind}"
    table = pa.Table.from_pandas(frame, preserve_index=False)
    if kind == "parquet":
        frame.to_parquet(path, row_group_size=300)
    elif kind in ("csv", "tsv"):
        frame.to_csv(path, index=False, sep="\t" if kind == "tsv" else ",")
    elif kind == "csv.gz":
        path.write_bytes(gzip.compress(frame.to_csv(index=False).encode()))
    elif kind == "feather":
        pa.feather.write_feather(table, path)
    else:
        new = pa.ipc.new_stream if kind == "arrows" else pa.ipc.new_file
        with pa.OSFile(str(path), "wb") as file, new(file, table.schema) as writer:
            writer.write_table(table, max_chunksize=300)
    return path


@pytest.fixture
def expected(binary, roles):
    return kdfair_audit.audit(binary, **roles).frames


def _same(frames, expected):
    assert frames.keys() == expected.keys()
    for name, frame in frames.items():
        pd.testing.assert_frame_equal(frame, expected[name], obj=name)


@pytest.mark.parametrize("kind", ["parquet", "csv", "tsv", "csv.gz", "feather", "arrow", "arrows"])
def test_files(binary, roles, expected, tmp_path, kind):
    _same(kdfair_audit.audit(_write(binary, tmp_path, kind), **roles).frames, expected)


def test_arrow_table_and_mapping(binary, roles, expected):
    _same(kdfair_audit.audit(pa.Table.from_pandas(binary), **roles).frames, expected)
    columns = {name: binary[name].to_numpy() for name in binary}
    _same(kdfair_audit.audit(columns, **roles).frames, expected)
    lists = {name: binary[name].tolist() for name in binary}
    _same(kdfair_audit.audit(lists, **roles).frames, expected)


def test_arrays_without_a_table(binary, expected):
    report = kdfair_audit.audit(
        label=binary["y"].to_numpy(),
        groups={"sex": binary["sex"], "age": binary["age"]},
        teacher=binary["teacher"],
        distilled=binary["student"],
        baseline=binary["scratch"],
    )
    for name in ("fairness", "changes", "groups", "verdict"):
        pd.testing.assert_frame_equal(report.frames[name], expected[name])


def test_arrays_of_several_runs(seeds, seed_roles):
    table = kdfair_audit.audit(seeds, **seed_roles)
    arrays = kdfair_audit.audit(
        label=seeds["label"],
        groups={"color": seeds["color"]},
        teacher={f"seed={s}": seeds[f"teacher_s{s}"] for s in range(3)},
        distilled={f"T={t},seed={s}": seeds[f"kd_T{t}_s{s}"] for t in (1, 4) for s in range(3)},
        baseline={f"seed={s}": seeds[f"base_s{s}"] for s in range(3)},
    )
    for name in ("fairness", "changed_classes", "verdict"):
        pd.testing.assert_frame_equal(arrays.frames[name], table.frames[name])


@pytest.mark.parametrize(
    "kind",
    ["int8", "int64", "uint8", "float32", "float64", "bool", "category", "Int64", "bool[pyarrow]"],
)
def test_kinds_of_labels(binary, roles, expected, kind):
    names = ["y", "teacher", "student", "scratch"]
    frame = binary.astype(dict.fromkeys(names, kind))
    found = kdfair_audit.audit(frame, **roles).frames["fairness"]
    pd.testing.assert_frame_equal(found, expected["fairness"])


def test_labels_of_text_and_the_positive_class(binary, roles, expected):
    words = {0: "no", 1: "yes"}
    names = ["y", "teacher", "student", "scratch"]
    frame = binary.assign(**{name: binary[name].map(words) for name in names})
    for kind in ("object", "category", "string"):
        report = kdfair_audit.audit(frame.astype(dict.fromkeys(names, kind)), **roles)
        pd.testing.assert_frame_equal(report.frames["fairness"], expected["fairness"])
        assert set(report.frames["groups"]["class"]) == {"", "yes"}
    other = kdfair_audit.audit(frame, **roles, positive="no").frames["groups"]
    assert set(other["class"]) == {"", "no"}
    # What is a true positive of one class is a true negative of the other.
    tpr = other[other["metric"] == "tpr"]["value"].to_numpy()
    fpr = expected["groups"][expected["groups"]["metric"] == "fpr"]["value"].to_numpy()
    np.testing.assert_allclose(tpr, 1 - fpr)


def test_scores_of_the_positive_class(binary, roles, expected):
    frame = binary.assign(student=np.where(binary["student"] == 1, 0.9, 0.2))
    report = kdfair_audit.audit(frame, **roles)
    for name in ("fairness", "changed_classes", "groups"):
        pd.testing.assert_frame_equal(report.frames[name], expected[name])
    assert "predicted from a score of 0.5 on" in report.notes[0]
    strict = kdfair_audit.audit(frame, **roles, threshold=0.95).frames["groups"]
    student = strict[(strict["role"] == "distilled") & (strict["metric"] == "selection_rate")]
    assert (student["value"] == 0).all()


def test_scores_whose_first_label_is_the_other(binary, roles):
    """The negative class is known only once it is seen."""
    frame = binary.sort_values("y", ascending=False).assign(
        y=lambda f: np.where(f["y"] == 1, "sick", "well"),
        **{name: np.where(binary[name] == 1, 0.8, 0.1) for name in ("teacher", "scratch")},
        student=np.where(binary["student"] == 1, 0.8, 0.1),
    )
    frame = frame[["y", "sex", "age", "teacher", "student", "scratch"]]
    a = kdfair_audit.audit(frame, **roles, positive="sick").frames["groups"]
    shuffled = frame.sample(frac=1, random_state=0)
    b = kdfair_audit.audit(shuffled, **roles, positive="sick").frames["groups"]
    pd.testing.assert_frame_equal(a, b)
    assert set(a["class"]) == {"", "sick"}


@pytest.mark.parametrize("form", ["columns", "list", "array"])
def test_scores_of_every_class(seeds, form):
    rng = np.random.default_rng(0)
    classes = ["ant", "bee", "cat", "dog"]
    scores = rng.dirichlet(np.ones(4), len(seeds))
    predicted = np.array(classes)[scores.argmax(axis=1)]
    base = {name: seeds[name].to_numpy() for name in ("label", "color")}
    plain = kdfair_audit.audit(
        {**base, "student": predicted}, label="label", groups="color", distilled="student"
    )
    if form == "columns":
        columns = {f"p_{name}": scores[:, i] for i, name in enumerate(classes)}
        given = {"distilled": "p_{class}"}
    else:
        columns = {"p": scores if form == "array" else pa.array(scores.tolist())}
        given = {"distilled": "p", "classes": classes}
    report = kdfair_audit.audit({**base, **columns}, label="label", groups="color", **given)
    pd.testing.assert_frame_equal(report.frames["fairness"], plain.frames["fairness"])
    assert plain.frames["calibration"].empty
    confidence = pd.Series(scores.max(axis=1)).groupby(seeds["color"]).mean()
    right = pd.Series(predicted == seeds["label"].to_numpy()).groupby(seeds["color"]).mean()
    found = report.frames["calibration"].set_index("group")
    pd.testing.assert_series_equal(found["score"], confidence, check_names=False)
    pd.testing.assert_series_equal(found["outcome"], right, check_names=False)


def test_logits_are_predictions_but_not_calibrated(seeds):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(len(seeds), 4)) * 5
    columns = {"y": rng.integers(0, 4, len(seeds)), "color": seeds["color"], "p": logits}
    report = kdfair_audit.audit(columns, label="y", groups="color", distilled="p")
    assert report.frames["calibration"].empty
    assert any("not probabilities" in note for note in report.notes)


def test_a_csv_in_another_encoding_when_it_is_named(binary, roles, tmp_path):
    frame = binary.assign(sex=binary["sex"].map({"F": "féminin", "M": "mâle"}))
    path = tmp_path / "t.csv"
    for encoding in ("latin-1", "utf-16", "utf-8-sig"):
        frame.to_csv(path, index=False, encoding=encoding)
        for given in [{"encoding": encoding}] + [{}] * (encoding != "latin-1"):
            report = kdfair_audit.audit(path, **roles, **given)
            assert report.counts.groups["sex"] == ["féminin", "mâle"]


def test_groups_keep_their_text_in_a_csv(binary, roles, tmp_path):
    frame = binary.assign(sex=binary["sex"].map({"F": "NA", "M": "007"}))
    path = tmp_path / "t.csv"
    frame.to_csv(path, index=False)
    assert kdfair_audit.audit(path, **roles).counts.groups["sex"] == ["007", "NA"]


def test_missing_groups_become_one_or_are_left_out(binary, roles, tmp_path):
    frame = binary.assign(sex=binary["sex"].where(binary.index % 10 > 0))
    path = tmp_path / "t.csv"
    frame.to_csv(path, index=False)
    for data in (frame, path):
        own = kdfair_audit.audit(data, **roles, missing="group")
        assert own.counts.group_names("sex") == ["F", "M", "(missing)"]
        without = kdfair_audit.audit(data, **roles, missing="exclude")
        assert without.counts.group_names("sex") == ["F", "M"]
        assert any("200 of 2,000 examples have no 'sex'" in note for note in without.notes)
        known = frame.dropna()
        expected = kdfair_audit.audit(known, **roles).frames["fairness"]
        found = without.frames["fairness"]
        mine = (expected["attribute"] == "sex") & (expected["metric"] == "eod")
        np.testing.assert_array_equal(found[mine]["value"], expected[mine]["value"])
        assert without.frames["models"]["n"].eq(len(frame)).all()


def test_groups_and_classes_are_in_natural_order():
    rng = np.random.default_rng(0)
    n = 600
    y = rng.integers(0, 12, n)
    columns = {
        "y": [f"class {i}" for i in y],
        "bin": [f"{10 * (i % 12)}-{10 * (i % 12) + 9}" for i in range(n)],
        "s": [f"class {i}" for i in y],
    }
    report = kdfair_audit.audit(columns, label="y", groups="bin", distilled="s")
    assert report.counts.class_names[:3] == ["class 0", "class 1", "class 2"]
    assert report.counts.class_names[-1] == "class 11"
    assert report.counts.group_names("bin")[:3] == ["0-9", "10-19", "20-29"]
    assert report.counts.group_names("bin")[-1] == "110-119"
