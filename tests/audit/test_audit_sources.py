"""Any table, wherever it is: the report of the frame it was made of."""

import gzip
import http.server
import json
import shutil
import socket
import sqlite3
import threading
from functools import partial

import duckdb
import ibis
import numpy as np
import pandas as pd
import polars
import pyarrow as pa
import pyarrow.parquet
import pytest

import kdfair_audit
from kdfair_audit import addresses
from kdfair_audit.errors import AuditError
from kdfair_core.cli import main


@pytest.fixture
def expected(binary, roles):
    return kdfair_audit.audit(binary, **roles, title="x").to_json()


@pytest.fixture
def same(roles, expected):
    """Audit something and expect the report of the frame, byte for byte."""

    def check(data, **given):
        assert kdfair_audit.audit(data, **{**roles, **given}, title="x").to_json() == expected

    return check


def _parts(binary, folder, suffix="parquet"):
    """The table in three files."""
    folder.mkdir()
    for i, part in enumerate((binary[:500], binary[500:1700], binary[1700:])):
        path = folder / f"part-{i}.{suffix}"
        part.to_parquet(path) if suffix == "parquet" else part.to_csv(path, index=False)
    return folder


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_a_folder_a_pattern_and_a_list(binary, same, tmp_path, suffix):
    folder = _parts(binary, tmp_path / "parts", suffix)
    (folder / "_SUCCESS").write_text("")
    (folder / ".hidden.csv").write_text("z\n1\n")
    same(folder)
    same(str(folder / "part-*"))
    same(sorted(folder.glob("part-*")))


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_hive_partitions(binary, same, tmp_path, suffix):
    for sex, part in binary.groupby("sex"):
        folder = tmp_path / "table" / f"sex={sex}"
        folder.mkdir(parents=True)
        part = part.drop(columns="sex")
        path = folder / f"a.{suffix}"
        part.to_parquet(path) if suffix == "parquet" else part.to_csv(path, index=False)
    same(tmp_path / "table")


def test_partitions_keep_their_text(binary, roles, tmp_path):
    for name, part in binary.assign(sex=binary["sex"].map({"F": "007", "M": "1"})).groupby("sex"):
        folder = tmp_path / "table" / f"sex={name}"
        folder.mkdir(parents=True)
        part.drop(columns="sex").to_parquet(folder / "a.parquet")
    assert kdfair_audit.audit(tmp_path / "table", **roles).counts.groups["sex"] == ["1", "007"]


@pytest.mark.parametrize(
    ("options", "given"),
    [
        ({"sep": ";"}, {}),
        ({"sep": "|"}, {}),
        ({"sep": "\t"}, {}),
        ({"lineterminator": "\r\n"}, {}),
        ({"encoding": "utf-8-sig"}, {}),
        ({"encoding": "utf-16"}, {}),
        ({"encoding": "utf-16"}, {"encoding": "utf-16"}),
        ({"quotechar": "'", "quoting": 1}, {}),
        ({"quoting": 1, "sep": ";", "lineterminator": "\r\n", "encoding": "utf-8-sig"}, {}),
        ({"sep": "^"}, {"delimiter": "^"}),
    ],
)
def test_dialects_of_csv(binary, same, tmp_path, options, given):
    path = tmp_path / "t.csv"
    binary.to_csv(path, index=False, **options)
    same(path, **given)


@pytest.mark.parametrize("sep", [",", ";"])
def test_decimal_commas(binary, roles, tmp_path, sep):
    scored = binary.assign(student=np.where(binary["student"] == 1, 0.75, 0.25))
    kept = kdfair_audit.audit(scored, **roles, title="x").to_json()
    path = tmp_path / "t.csv"
    scored.to_csv(path, index=False, sep=sep, decimal=",", quoting=1)
    assert kdfair_audit.audit(path, **roles, title="x").to_json() == kept
    assert kdfair_audit.audit(path, **roles, title="x", decimal=",").to_json() == kept
    with pytest.raises(AuditError, match="decimal sign ';' is neither"):
        kdfair_audit.audit(path, **roles, decimal=";")


def test_letters_are_no_truth_values(binary, roles, tmp_path):
    words = {name: binary[name].map({0: "F", 1: "T"}) for name in ("y", "teacher", "student")}
    path = tmp_path / "t.csv"
    binary.assign(**words).to_csv(path, index=False)
    report = kdfair_audit.audit(path, **{**roles, "baseline": None})
    assert report.counts.class_names == ["F", "T"]


@pytest.mark.parametrize("packed", ["", "gz", "zst"])
def test_json_lines(binary, same, tmp_path, packed):
    path = tmp_path / f"t.jsonl.{packed}"
    lines = binary.to_json(orient="records", lines=True).encode()
    if packed == "zst":
        lines = pa.compress(lines, codec="zstd", asbytes=True)
    path.write_bytes(gzip.compress(lines) if packed == "gz" else lines)
    same(path)
    if not packed:
        path.write_text(json.dumps(binary.to_dict("records")))
        same(path)


def test_a_csv_packed_by_zstd(binary, same, tmp_path):
    path = tmp_path / "t.csv.zst"
    path.write_bytes(pa.compress(binary.to_csv(index=False).encode(), codec="zstd", asbytes=True))
    same(path)


def test_tables_in_memory(binary, same):
    same(polars.from_pandas(binary))
    same(polars.from_pandas(binary).lazy())
    same(duckdb.connect().from_df(binary))
    same(binary.to_records(index=False))
    same(pa.Table.from_pandas(binary).to_reader())
    same(ibis.memtable(pa.Table.from_pandas(binary)))


def test_databases(binary, same, tmp_path, roles):
    path = tmp_path / "d.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.register("frame", binary)
        connection.execute("CREATE TABLE predictions AS FROM frame")
    same(path)
    lite = tmp_path / "d.sqlite"
    with sqlite3.connect(lite) as connection:
        binary.to_sql("predictions", connection, index=False)
        binary.head(3).to_sql("other", connection, index=False)
    connection.close()
    same(lite, table="predictions")
    with pytest.raises(AuditError, match="holds 2 tables; name one with table"):
        kdfair_audit.audit(lite, **roles)
    with pytest.raises(AuditError, match=r"no table 'prediction' in d.sqlite; did you mean"):
        kdfair_audit.audit(lite, **roles, table="prediction")


def _scored(binary):
    rng = np.random.default_rng(1)
    student = np.clip(0.6 * binary["student"] + 0.4 * rng.random(len(binary)), 0, 1)
    return binary.assign(student=student)


def test_a_database_counts_where_the_data_are(binary, same, roles, tmp_path):
    """SQLite through Ibis: labels and scores, to the last digit."""
    scored = _scored(binary)
    with sqlite3.connect(tmp_path / "d.sqlite") as connection:
        binary.to_sql("predictions", connection, index=False)
        scored.to_sql("scored", connection, index=False)
        binary.assign(sex=binary["sex"].where(binary.index > 2)).to_sql(
            "gappy", connection, index=False
        )
    connection.close()
    engine = ibis.sqlite.connect(tmp_path / "d.sqlite")
    same(engine.table("predictions"))
    found = kdfair_audit.audit(engine.table("scored"), **roles, title="x").to_json()
    assert found == kdfair_audit.audit(scored, **roles, title="x").to_json()
    with pytest.raises(AuditError) as caught:
        kdfair_audit.audit(engine.table("gappy"), **roles)
    assert str(caught.value).endswith("column's tables (missing in 3 of 2,000 rows)")
    engine.disconnect()


def test_what_an_engine_cannot_do_is_named(binary, roles, monkeypatch):
    table = ibis.memtable(pa.Table.from_pandas(binary))

    def refuse(*args, **more):
        raise ibis.common.exceptions.OperationNotDefinedError("no such function here")

    monkeypatch.setattr(ibis.Table, "to_pyarrow", refuse)
    with pytest.raises(AuditError, match="cannot do what an audit asks: no such function here"):
        kdfair_audit.audit(table, **roles)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_spark(binary, roles, same, tmp_path):
    """A cluster of two workers on this machine."""
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java: apt-get install default-jre-headless")
    sql = pytest.importorskip("pyspark.sql", reason="pip install pyspark")
    session = (
        sql.SparkSession.builder.master("local-cluster[2,1,1024]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.warehouse.dir", str(tmp_path / "warehouse"))
        .getOrCreate()
    )
    try:
        engine = ibis.pyspark.connect(session)
        scored = _scored(binary)
        for name, frame in (("plain", binary), ("scored", scored)):
            frame.to_parquet(tmp_path / f"{name}.parquet")
            engine.read_parquet(tmp_path / f"{name}.parquet", table_name=name)
        same(engine.table("plain"))
        found = kdfair_audit.audit(engine.table("scored"), **roles, title="x").to_json()
        assert found == kdfair_audit.audit(scored, **roles, title="x").to_json()
    finally:
        session.stop()


@pytest.fixture
def served(tmp_path):
    """A folder served on this machine; gives (folder, address)."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    folder = tmp_path / "served"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Quiet, directory=str(folder))
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
def test_https_addresses(binary, same, served, kind):
    folder, address = served
    path = folder / f"t.{kind}"
    if kind == "parquet":
        binary.to_parquet(path)
    elif kind == "csv":
        binary.to_csv(path, index=False)
    else:
        binary.to_json(path, orient="records", lines=True)
    same(f"{address}/t.{kind}")


def test_addresses_that_give_nothing(roles, served, monkeypatch):
    _, address = served
    with pytest.raises(AuditError, match=r"there is no file 'http://.*/none.csv'"):
        kdfair_audit.audit(f"{address}/none.csv", **roles)
    monkeypatch.setattr(addresses, "SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]
        with pytest.raises(AuditError, match=r"does not answer within 0.3 seconds"):
            kdfair_audit.audit(f"http://127.0.0.1:{port}/t.csv", **roles)
    with pytest.raises(AuditError, match=r"cannot read 'http://127.0.0.1:"):
        kdfair_audit.audit(f"http://127.0.0.1:{port}/t.csv", **roles)
    with pytest.raises(AuditError, match=r"cannot read 'nowhere://a/b.csv'"):
        kdfair_audit.audit("nowhere://a/b.csv", **roles)


@pytest.fixture
def bucket(monkeypatch):
    """A bucket of moto's on this machine."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
    }.items():
        monkeypatch.setenv(name, value)
    import s3fs

    system = s3fs.S3FileSystem(skip_instance_cache=True)
    system.mkdir("bucket")
    yield system
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_s3(binary, same, bucket, tmp_path):
    for i, part in enumerate((binary[:500], binary[500:])):
        part.to_parquet(tmp_path / f"{i}.parquet")
        bucket.put(str(tmp_path / f"{i}.parquet"), f"bucket/parts/{i}.parquet")
    binary.to_csv(tmp_path / "t.csv", index=False)
    bucket.put(str(tmp_path / "t.csv"), "bucket/t.csv")
    same("s3://bucket/parts")
    same("s3://bucket/parts/*.parquet")
    same("s3://bucket/t.csv")


def test_dates_and_truth_values_as_groups(binary, roles, tmp_path):
    day = pd.to_datetime(np.where(binary["sex"] == "F", "2024-02-29", "2025-01-01"))
    frame = binary.assign(day=day.date, old=binary["age"] == "50-69")
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_csv(tmp_path / "t.csv", index=False)
    given = {**roles, "groups": ["day", "old"]}
    for name in ("t.parquet", "t.csv"):
        groups = kdfair_audit.audit(tmp_path / name, **given).counts.groups
        assert groups["day"] == ["2024-02-29", "2025-01-01"]
        assert len(groups["old"]) == 2


def test_crossed_groups(binary, roles, tmp_path, capsys):
    both = binary.assign(both=binary["sex"] + " × " + binary["age"])
    known = kdfair_audit.audit(both, **{**roles, "groups": ["sex", "both"]}).frames["fairness"]
    report = kdfair_audit.audit(binary, **{**roles, "groups": ["sex", "sex*age"]})
    found = report.frames["fairness"]
    assert set(found["attribute"]) == {"sex", "sex*age"}
    renamed = found.assign(attribute=found["attribute"].replace("sex*age", "both"))
    pd.testing.assert_frame_equal(renamed, known)
    report = kdfair_audit.audit(binary, **{**roles, "groups": ["sex", "age", "sex*age"]})
    plain = kdfair_audit.audit(binary, **roles)
    pd.testing.assert_frame_equal(report.frames["intersections"], plain.frames["intersections"])
    binary.to_parquet(tmp_path / "t.parquet")
    given = ["audit", str(tmp_path / "t.parquet"), "--label", "y", "--distilled", "student"]
    assert main([*given, "--group", "sex*age", "--fail-if", 'eod("sex*age") > 0.9']) == 0
    assert main([*given, "--group", "sex*agee"]) == 2
    assert "no column 'agee' for the group; did you mean 'age'?" in capsys.readouterr().err
    gappy = binary.assign(sex=binary["sex"].where(binary.index > 2))
    with pytest.raises(AuditError, match=r"column 'sex\*age' has no value in row 1;"):
        kdfair_audit.audit(gappy, **{**roles, "groups": "sex*age"})
    own = kdfair_audit.audit(gappy, **{**roles, "groups": "sex*age", "missing": "group"})
    assert any(name.startswith("(missing) × ") for name in own.counts.groups["sex*age"])


def test_a_file_that_lacks_a_column_or_has_another_kind(binary, roles, tmp_path):
    for suffix in ("parquet", "csv"):
        folder = _parts(binary, tmp_path / suffix, suffix)
        odd = binary[:100].drop(columns="student")
        path = folder / f"part-1.{suffix}"
        odd.to_parquet(path) if suffix == "parquet" else odd.to_csv(path, index=False)
        with pytest.raises(AuditError, match=r"part-1.\w+ has no column 'student', which other"):
            kdfair_audit.audit(folder, **roles)
    path = tmp_path / "parquet" / "part-1.parquet"
    binary[:100].assign(y=binary["y"].astype(str)).to_parquet(path)
    with pytest.raises(AuditError, match=r"column 'y' holds numbers in .* and text in .*part-1"):
        kdfair_audit.audit(tmp_path / "parquet", **roles)
    (tmp_path / "csv" / "part-1.csv").unlink()
    (tmp_path / "csv" / "part-1.csv").write_text('{"y": 1}\n')
    with pytest.raises(AuditError, match=r"is csv and .* is json; expected files of one form"):
        kdfair_audit.audit(tmp_path / "csv", **roles)
    with pytest.raises(AuditError, match=r"no file has the pattern"):
        kdfair_audit.audit(str(tmp_path / "*.parquet"), **roles)


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_the_row_and_the_file_of_a_missing_value(binary, roles, tmp_path, suffix):
    gappy = binary.assign(student=binary["student"].where(~binary.index.isin([700, 1800])))
    folder = _parts(gappy, tmp_path / "parts", suffix)
    with pytest.raises(AuditError) as caught:
        kdfair_audit.audit(folder, **roles)
    said = f"column 'student' has no value in row 201 of part-1.{suffix}; every row"
    assert said in str(caught.value)
    assert str(caught.value).endswith(
        "(line 202 of a CSV with its header; missing in 2 of 2,000 rows)"
    )


@pytest.mark.slow
def test_a_table_larger_than_memory(tmp_path, roles):
    """Two million distinct rows are grouped with 64 MB; what does not fit goes to disk."""
    n, rng = 2_000_000, np.random.default_rng(0)
    columns = {"y": rng.integers(0, 100, n), "sex": rng.choice(["F", "M"], n)}
    columns |= {name: rng.integers(0, 100, n) for name in ("teacher", "student", "scratch")}
    pa.parquet.write_table(pa.table(columns), tmp_path / "t.parquet")
    given = {**roles, "groups": "sex", "memory_limit": "64MB"}
    counts, _ = kdfair_audit.count(tmp_path / "t.parquet", **given)
    assert counts.rows is None
    expected = np.bincount(columns["y"], minlength=100)
    np.testing.assert_array_equal(counts.table("y"), expected)
    with pytest.raises(AuditError, match="Memory must have a number"):
        kdfair_audit.count(tmp_path / "t.parquet", **{**given, "memory_limit": "lots"})
