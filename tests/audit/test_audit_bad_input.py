"""Everything that can be wrong with the input: one clear sentence, exit 2, no report."""

import gzip
import io
import pickle
import re
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

import kdfair_audit
from kdfair_audit.errors import AuditError
from kdfair_core.cli import main


@pytest.fixture
def refused(tmp_path, capsys, roles):
    """Run the command on a file that it must refuse; gives what it said."""

    def run(path, *more, **changed):
        out = tmp_path / "out" / "report"
        given = {**roles, **changed}
        arguments = ["audit", str(path), "--out", str(out), *more]
        for role in ("label", "teacher", "distilled", "baseline"):
            if given[role] is not None:
                arguments += [f"--{role}", given[role]]
        for group in given["groups"]:
            arguments += ["--group", group]
        capsys.readouterr()
        assert main(arguments) == 2
        said = capsys.readouterr()
        assert said.out == ""
        lines = said.err.strip().splitlines()
        assert len(lines) == 1, lines
        assert not out.parent.exists()
        assert len(lines[0]) < 700
        return lines[0]

    return run


@pytest.fixture
def parquet(binary, tmp_path):
    """Write ``binary`` with some columns changed."""

    def write(**columns):
        path = tmp_path / "t.parquet"
        binary.assign(**columns).to_parquet(path)
        return path

    return write


def test_a_missing_column_with_the_nearest_names(parquet, refused):
    assert "no column 'studnet' for the distilled; did you mean 'student'?" in refused(
        parquet(), distilled="studnet"
    )
    assert "no column 'Sex' for the group; did you mean 'sex'?" in refused(
        parquet(), groups=["Sex"]
    )
    said = refused(parquet(), label="qqqqqqqq")
    assert "no column 'qqqqqqqq' for the label; there are: 'y', 'sex'" in said
    said = refused(parquet(), label="label")  # which shares two letters with 'age'
    assert "no column 'label' for the label; there are: 'y', 'sex', 'age', 'teacher'" in said


def test_a_role_that_is_not_given(parquet, refused):
    assert "the label column is not given" in refused(parquet(), label=None)
    assert "no group column is given" in refused(parquet(), groups=[])
    assert "no distilled student is given" in refused(parquet(), distilled=None)


def test_a_column_with_two_roles(parquet, refused):
    assert "'student' is given more than one role" in refused(parquet(), teacher="student")


def test_labels_that_a_model_never_saw(parquet, binary, refused):
    said = refused(parquet(student=binary["student"].replace(0, 2)))
    assert "column 'student' predicts '2', which the label never is" in said
    words = {0: "cat", 1: "dog"}
    animals = {name: binary[name].map(words) for name in ("y", "teacher", "scratch")}
    said = refused(parquet(**animals, student=binary["student"].map({0: "Cat", 1: "dog"})))
    assert "column 'student' predicts 'Cat'" in said


def test_a_class_that_the_data_lacks_is_fine_when_declared(parquet, binary, roles):
    path = parquet(student=binary["student"].where(binary.index > 5, 2))
    report = kdfair_audit.audit(path, **roles, classes=[0, 1, 2])
    assert report.counts.class_names == ["0", "1", "2"]
    with pytest.raises(AuditError, match="holds the class 2, which is none of those given"):
        kdfair_audit.audit(path, **roles, classes=[0, 1])


def test_a_class_that_a_model_never_predicts_is_noted(parquet, roles):
    report = kdfair_audit.audit(parquet(student=1), **roles)
    assert "'student' never predicts '0'." in report.notes
    assert "never predicts" in report.to_html()


def test_missing_values(parquet, binary, refused):
    gappy = binary.index != 6
    said = refused(parquet(y=binary["y"].where(gappy)))
    assert "column 'y' has no value in row 7" in said
    said = refused(parquet(student=binary["student"].where(gappy)))
    assert "column 'student' has no value in row 7; every row needs" in said
    said = refused(parquet(sex=binary["sex"].where(gappy)))
    assert "column 'sex' has no value in row 7; give --missing group" in said
    said = refused(parquet(student=np.where(gappy, 0.5, np.nan)))
    assert "column 'student' has no finite score in row 7" in said
    said = refused(parquet(y=pd.Series([None] * len(binary), dtype=object)))
    assert "column 'y' has no value in row 1" in said


def test_where_missing_values_are_and_how_many(parquet, binary, tmp_path, refused):
    there = ~binary.index.isin([32, 40, 1999])
    for column in ("y", "student", "sex"):
        path = tmp_path / "t.csv"
        binary.assign(**{column: binary[column].where(there)}).to_csv(path, index=False)
        said = refused(path)
        assert f"column '{column}' has no value in row 33" in said
        assert said.endswith("(line 34 of a CSV with its header; missing in 3 of 2,000 rows)")
        assert "" in path.read_text().splitlines()[33].split(",")
    said = refused(parquet(student=np.where(there, 0.5, np.nan)))
    assert "no finite score in row 33" in said
    assert said.endswith("(line 34 of a CSV with its header; missing in 3 of 2,000 rows)")


def test_missing_values_in_later_rows(binary, roles):
    gappy = binary.assign(student=binary["student"].where(~binary.index.isin([700, 800, 1700])))
    with pytest.raises(AuditError) as caught:
        kdfair_audit.audit(gappy, **roles)
    assert "in row 701; every row needs" in str(caught.value)
    assert "(line 702 of a CSV with its header; missing in 3 of 2,000 rows)" in str(caught.value)


def test_missing_values_in_a_csv(binary, tmp_path, refused):
    path = tmp_path / "t.csv"
    for sign in ("", "NaN", "nan"):
        binary.assign(y=binary["y"].where(binary.index != 6)).to_csv(path, index=False, na_rep=sign)
        assert "column 'y' has no value in row 7" in refused(path)


def test_strings_against_integers(parquet, binary, refused):
    said = refused(parquet(student=binary["student"].astype(str)))
    assert re.search(r"'student' holds text \('[01]'\) and column 'y' holds numbers \(0\)", said)


def test_labels_that_are_measurements(parquet, binary, refused):
    rng = np.random.default_rng(0)
    assert "holds" in refused(parquet(y=rng.random(len(binary))))
    said = refused(parquet(y=np.arange(len(binary))), "--max-groups", "5000")
    assert "column 'y' has more than 1,000 different values" in said
    said = refused(parquet(student=rng.normal(size=len(binary))))
    assert "column 'student' holds the score" in said
    assert "expected probabilities between 0 and 1, or labels" in said
    said = refused(parquet(y=pd.Timestamp("2020-01-01")))
    assert "column 'y' holds values of type timestamp" in said


def test_an_empty_file_and_no_rows(tmp_path, binary, refused):
    path = tmp_path / "t.csv"
    path.write_bytes(b"")
    assert "t.csv is empty" in refused(path)
    path.write_text("y,sex,age,teacher,student,scratch\n")
    assert "t.csv holds no rows" in refused(path)
    binary.head(0).to_parquet(tmp_path / "t.parquet")
    assert "holds no rows" in refused(tmp_path / "t.parquet")


def test_one_group_only_and_one_class_only(parquet, refused):
    assert "column 'sex' has only one group, 'F'" in refused(parquet(sex="F"))
    assert "the label has only one class" in refused(parquet(y=1))


def test_a_model_column_with_the_wrong_length(binary, roles):
    columns = {name: binary[name].tolist() for name in binary}
    columns["student"] = columns["student"][:-1]
    with pytest.raises(AuditError, match="'student' has 1,999 rows where others have 2,000"):
        kdfair_audit.audit(columns, **roles)
    with pytest.raises(AuditError, match="'distilled' has 10"):
        kdfair_audit.audit(label=binary["y"], groups={"sex": binary["sex"]}, distilled=[1] * 10)


def test_ten_thousand_groups_by_accident(tmp_path, refused):
    n = 20_000
    y = np.arange(n) % 2
    path = tmp_path / "t.parquet"
    for ids in (np.arange(n) % 10_000, [f"user {i % 10_000}" for i in range(n)]):
        columns = {"y": y, "id": ids, "student": y}
        pa.parquet.write_table(pa.table(columns), path)
        said = refused(path, groups=["id"], teacher=None, baseline=None)
        assert "column 'id' has more than 100 different values, too many to be group names" in said


def test_a_truncated_parquet(parquet, refused):
    path = parquet()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "t.parquet is a Parquet file cut short" in refused(path)
    path.write_bytes(whole[: len(whole) // 2] + whole[-8:])
    assert "cannot read t.parquet" in refused(path)
    path.write_bytes(whole[:100] + bytes(200) + whole[300:])  # a page is damaged
    assert "t.parquet" in refused(path)


def test_truncated_arrow_and_gzip(binary, tmp_path, refused):
    path = tmp_path / "t.arrow"
    pa.feather.write_feather(pa.Table.from_pandas(binary), path, compression="uncompressed")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "cannot read t.arrow" in refused(path)
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(binary.to_csv(index=False).encode())[:-2000])
    assert "t.csv.gz" in refused(path)
    path.write_bytes(b"\x1f\x8b nonsense")
    assert "t.csv.gz is a damaged gzip file" in refused(path)


def test_a_csv_in_another_encoding(binary, tmp_path, refused):
    frame = binary.assign(sex=binary["sex"].map({"F": "féminin", "M": "mâle"}))
    path = tmp_path / "t.csv"
    frame.to_csv(path, index=False, encoding="latin-1")
    assert "t.csv is not in UTF-8; give its encoding" in refused(path)
    frame.rename(columns={"age": "âge"}).to_csv(path, index=False, encoding="latin-1")
    assert "t.csv is not in UTF-8; give its encoding" in refused(path)
    frame.to_csv(path, index=False, encoding="utf-16-le")
    assert "t.csv is none of Parquet, CSV, JSON lines or Arrow: it is binary" in refused(path)
    frame.to_csv(path, index=False, encoding="latin-1")
    assert "there is no encoding 'klingon'" in refused(path, "--encoding", "klingon")
    assert "cannot" in refused(path, "--encoding", "ascii")


def test_a_csv_with_another_delimiter_or_ragged_rows(binary, tmp_path, refused):
    path = tmp_path / "t.csv"
    binary.to_csv(path, index=False, sep=";")
    assert main(_command(path)) == main(_command(path, "--delimiter", ";")) == 0
    assert "no column 'y' for the label; there are: 'y;sex;age" in refused(path, "--delimiter", ",")
    assert "is not one character" in refused(path, "--delimiter", "ab")
    path.write_text(binary.to_csv(index=False) + "1,F,70+,1\n")
    assert "cannot read t.csv" in refused(path)
    path.write_text(binary.to_csv(index=False) + "oops,F,70+,1,1,1\n")
    assert "column 'y' holds text" in refused(path)


def _command(path, *more):
    given = "--label y --group sex --teacher teacher --distilled student".split()
    return ["audit", str(path), *given, *more]


def test_columns_of_the_same_name(tmp_path, refused):
    path = tmp_path / "t.csv"
    path.write_text("y,sex,sex,student\n1,F,F,1\n0,M,F,1\n")
    said = refused(path, groups=["sex"], teacher=None, baseline=None, distilled="student")
    assert "t.csv has more than one column 'sex'" in said


class Trap:
    def __reduce__(self):
        return (exec, ("raise SystemError('a pickle was run')",))


@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.pkl", "t.counts", "t.arrow"])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_pickle_in_disguise(tmp_path, refused, name, protocol):
    path = tmp_path / name
    path.write_bytes(pickle.dumps(Trap(), protocol=protocol))
    assert f"{name} is a Python pickle, which can run code" in refused(path)


def test_a_pickle_of_old_or_zipped(tmp_path, refused):
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(pickle.dumps(Trap(), protocol=4)))
    assert "is a Python pickle" in refused(path)
    path = tmp_path / "t.csv"
    path.write_bytes(pickle.dumps(Trap(), protocol=0))  # text: a table without the columns
    refused(path)
    path = tmp_path / "t.counts"
    buffer = io.BytesIO()
    np.save(buffer, np.array([Trap()], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("counts.json", "{}")
        archive.writestr("tables/0.npy", buffer.getvalue())
    assert "t.counts holds damaged counts" in refused(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Trap()))
    assert "t.counts is a zip archive" in refused(path)


def test_files_that_are_something_else(tmp_path, refused):
    assert "there is no file" in refused(tmp_path / "nothing.parquet")
    assert "is a folder" in refused(tmp_path)
    for name, content in {
        "t.parquet": b"y,student\n1,1\n",
        "t.csv": bytes(range(256)),
        "t.xlsx": b"PK\x03\x04" + bytes(100),
        "t.npy": b"\x93NUMPY" + bytes(100),
        "t.h5": b"\x89HDF\r\n" + bytes(100),
    }.items():
        path = tmp_path / name
        path.write_bytes(content)
        assert name in refused(path)


def test_python_says_the_same(binary, roles):
    with pytest.raises(ValueError, match="did you mean 'student'"):
        kdfair_audit.audit(binary, **{**roles, "distilled": "studnet"})
    with pytest.raises(ValueError, match="cannot audit a int"):
        kdfair_audit.audit(3, **roles)
    with pytest.raises(ValueError, match="mixes kinds of values"):
        kdfair_audit.audit(binary.assign(student=[1, "a"] * 1000), **roles)
    with pytest.raises(ValueError, match="level is 95"):
        kdfair_audit.audit(binary, **roles, level=95)
    with pytest.raises(ValueError, match="missing is 'drop'"):
        kdfair_audit.audit(binary, **roles, missing="drop")
    with pytest.raises(ValueError, match="nothing to audit"):
        kdfair_audit.audit([], **roles)


def test_scores_need_to_know_their_classes(binary, roles):
    words = {0: "no", 1: "yes"}
    frame = binary.assign(**{n: binary[n].map(words) for n in ("y", "teacher", "scratch")})
    scored = frame.assign(student=0.25)
    with pytest.raises(AuditError, match="say which class the scores are of"):
        kdfair_audit.audit(scored, **roles)
    with pytest.raises(AuditError, match="give the classes in their order"):
        kdfair_audit.audit(
            {**{n: frame[n] for n in frame}, "student": np.full((len(frame), 2), 0.5)}, **roles
        )
    with pytest.raises(AuditError, match="which needs two classes; given are 3"):
        kdfair_audit.audit(scored, **roles, classes=["no", "yes", "maybe"])
    with pytest.raises(AuditError, match="the labels are whole numbers"):
        kdfair_audit.audit(binary.assign(student=0.25), **roles, positive="yes")


WORDS = np.array(["approve", "reject", "review"])


@pytest.mark.parametrize(
    ("given", "late"),
    [
        ({}, False),
        ({"positive": "approve"}, False),
        ({"positive": "review"}, False),
        ({"positive": "approve"}, True),
        ({"positive": "review"}, True),
    ],
)
def test_one_score_a_row_of_three_classes(given, late):
    rng = np.random.default_rng(0)
    y = np.arange(300) % 3
    y = np.sort(y) if late else y
    table = pd.DataFrame({"y": WORDS[y], "g": rng.choice(["a", "b"], 300), "p": 0.25})
    table["t"] = table["y"]
    with pytest.raises(AuditError) as caught:
        kdfair_audit.audit(table, label="y", groups="g", distilled="p", **given)
    said = str(caught.value)
    assert said.startswith("column 'p' gives one score a row (such as 0.25), which tells two")
    assert "with column 'y' there are at least 3, 'approve', 'reject', 'review'" in said
    assert "give predicted classes, or a score for each class: one column a class" in said
    assert '"p_{class}"' in said and "--classes" in said


def test_the_syntax_that_a_message_on_scores_names_is_read():
    rng = np.random.default_rng(0)
    scores = rng.dirichlet(np.ones(3), 300)
    table = {"y": WORDS[np.arange(300) % 3], "g": rng.choice(["a", "b"], 300)}
    columns = {f"p_{name}": scores[:, i] for i, name in enumerate(WORDS)}
    given = {"label": "y", "groups": "g", "n_boot": 50}
    by_column = kdfair_audit.audit({**table, **columns}, **given, distilled="p_{class}")
    by_row = kdfair_audit.audit({**table, "p": scores}, **given, distilled="p", classes=list(WORDS))
    pd.testing.assert_frame_equal(by_column.frames["groups"], by_row.frames["groups"])


@pytest.mark.parametrize("given", [{}, {"positive": 1}])
def test_one_score_a_row_of_three_numbered_classes(given):
    y = np.arange(300) % 3
    table = pd.DataFrame({"y": y, "g": np.where(np.arange(300) % 2, "a", "b"), "p": 0.25, "t": y})
    for roles in ({"distilled": "p"}, {"distilled": "p", "teacher": "t"}):
        with pytest.raises(AuditError, match=r"'p' gives one score a row \(such as 0.25\)"):
            kdfair_audit.audit(table, label="y", groups="g", **roles, **given)
    two = table.assign(y=y % 2)
    with pytest.raises(AuditError, match="with column 't' there are at least 3, 0, 1, 2"):
        kdfair_audit.audit(two, label="y", groups="g", distilled="p", teacher="t", **given)


def test_scores_of_two_classes_say_which_and_what(binary, roles):
    words = {0: "no", 1: "yes"}
    text = binary.assign(**{n: binary[n].map(words) for n in ("y", "teacher", "scratch")})
    with pytest.raises(AuditError) as caught:
        kdfair_audit.audit(text.assign(student=0.25), **roles)
    assert "column 'student' gives one score a row (such as 0.25)" in str(caught.value)
    assert "the labels in column 'y' are text ('no', 'yes')" in str(caught.value)
    assert str(caught.value).endswith("for example --positive 'yes'")
    with pytest.raises(AuditError, match="class 'yess' is no class of column 'y'; expected 'no' "):
        kdfair_audit.audit(text.assign(student=0.25), **roles, positive="yess")
    numbered = binary.assign(**{n: binary[n] + 1 for n in ("y", "teacher", "scratch")})
    with pytest.raises(AuditError, match="holds the class 2; expected 0, 1, because column 'stud"):
        kdfair_audit.audit(numbered.assign(student=0.25), **roles)
    assert kdfair_audit.audit(numbered.assign(student=0.25), **roles, positive=2).counts.n == 2000


def test_models_too_many_for_one_audit():
    n, rng = 400_000, np.random.default_rng(0)
    columns = {"y": rng.integers(0, 900, n), "g": rng.integers(0, 90, n)}
    columns |= {f"s{i}": columns["y"] for i in range(4)}
    with pytest.raises(AuditError, match="too many for one audit; give fewer"):
        kdfair_audit.audit(columns, label="y", groups="g", distilled="s{seed}")
