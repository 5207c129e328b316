import hashlib
import resource
import subprocess
import sys
import textwrap

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aucli.errors import OutputError
from aucli.sinks.atomic import atomic_file, write_json
from aucli.sinks.metadata import read_metadata
from aucli.sinks.parquet import ROW_GROUP_ROWS, read_rows, rows_sha256, write_parquet
from aucli.sinks.report import ReportEntry
from aucli.sinks.rows import rows_to_batch
from tests.sinks.recipes import SCHEMA, describe, make_rows


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def batch():
    return rows_to_batch(SCHEMA, make_rows(1, frames=200), video="a.mp4")


@pytest.fixture(scope="module")
def long_table():
    """150,000 rows of three columns: more than two row groups."""
    schema = pa.schema([("video", pa.string()), ("frame", pa.int32()), ("value", pa.float32())])
    values = np.random.default_rng(0).random(150_000, np.float32)
    frames = np.arange(150_000, dtype=np.int32)
    nulls = pa.array(values, mask=values < 0.3)
    return pa.table([pa.repeat("a.mp4", 150_000), pa.array(frames), nulls], schema=schema)


def test_what_is_read_is_what_was_written(tmp_path, batch):
    path = tmp_path / "a.parquet"
    write_parquet(path, [batch], SCHEMA)
    assert pq.read_table(path).equals(pa.Table.from_batches([batch]))
    assert [file.name for file in tmp_path.iterdir()] == ["a.parquet"]


def test_encodings_of_the_design(tmp_path, batch):
    write_parquet(tmp_path / "a.parquet", [batch], SCHEMA)
    group = pq.read_metadata(tmp_path / "a.parquet").row_group(0)
    for i in range(group.num_columns):
        column = group.column(i)
        kind = SCHEMA.field(column.path_in_schema).type
        assert column.compression == "ZSTD"
        assert ("RLE_DICTIONARY" in column.encodings) == pa.types.is_string(kind)
        assert ("BYTE_STREAM_SPLIT" in column.encodings) == pa.types.is_floating(kind)
        assert ("DELTA_BINARY_PACKED" in column.encodings) == (column.path_in_schema == "frame")


@pytest.mark.parametrize("pieces", [[150_000], [1, 70_000, 79_999], [30_000] * 5, [999] * 150 + [150]])
def test_the_bytes_do_not_tell_how_rows_were_cut(tmp_path, long_table, pieces):
    assert sum(pieces) == 150_000
    starts = np.cumsum([0, *pieces[:-1]])
    batches = [
        batch
        for start, rows in zip(starts, pieces, strict=True)
        for batch in long_table.slice(start, rows).to_batches()
    ]
    write_parquet(tmp_path / "cut.parquet", batches, long_table.schema)
    write_parquet(tmp_path / "whole.parquet", long_table.to_batches(), long_table.schema)
    assert sha256(tmp_path / "cut.parquet") == sha256(tmp_path / "whole.parquet")
    metadata = pq.read_metadata(tmp_path / "cut.parquet")
    groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert groups == [ROW_GROUP_ROWS, ROW_GROUP_ROWS, 150_000 - 2 * ROW_GROUP_ROWS]


def test_the_bytes_do_not_tell_what_lies_under_a_null(tmp_path):
    schema = pa.schema([("frame", pa.int32()), ("value", pa.float32())])
    mask = np.array([False, True, False])
    for name, hidden in (("a", 0.0), ("b", 7.0)):
        values = pa.array(np.array([1.0, hidden, 3.0], np.float32), mask=mask)
        batch = pa.record_batch([pa.array([0, 1, 2], pa.int32()), values], schema=schema)
        write_parquet(tmp_path / f"{name}.parquet", [batch], schema)
    assert sha256(tmp_path / "a.parquet") == sha256(tmp_path / "b.parquet")


TINY = """
    import pathlib, resource, sys
    from aucli.sinks.parquet import parquet_file
    from aucli.sinks.rows import rows_to_batch
    from tests.sinks.recipes import SCHEMA, make_rows

    batch = rows_to_batch(SCHEMA, make_rows(1, frames=2), video="a.mp4")
    with parquet_file(pathlib.Path(sys.argv[1]), SCHEMA) as writer:
        peaks = []
        for _ in range(2):
            for _ in range(2000):
                writer.write(batch.take([0]))
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(*peaks)
"""


def test_thousands_of_tiny_videos_take_the_memory_of_their_rows(tmp_path):
    """A record batch of one row takes a hundred times the memory of the row."""
    code = f"import sys; sys.path[:0] = {sys.path!r}\n{textwrap.dedent(TINY)}"
    path = tmp_path / "a.parquet"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    first, second = map(float, done.stdout.split())
    assert pq.read_metadata(path).num_rows == 4000
    assert second - first < 10  # MiB


@pytest.mark.parametrize(
    ("start", "stop"), [(0, 150_000), (0, 1), (65_535, 65_537), (70_000, 140_000), (149_999, 150_000), (5, 5)]
)
def test_reading_a_stretch_of_rows(tmp_path, long_table, start, stop):
    write_parquet(tmp_path / "a.parquet", long_table.to_batches(), long_table.schema)
    with pq.ParquetFile(tmp_path / "a.parquet") as file:
        batches = list(read_rows(file, start, stop))
    assert pa.Table.from_batches(batches, long_table.schema).equals(long_table.slice(start, stop - start))


def test_pandas_duckdb_and_polars_read_rows_nulls_and_metadata(tmp_path, batch):
    path = tmp_path / "out.parquet"
    entry = ReportEntry("a.mp4", "videos/a.mp4", "ok", rows=batch.num_rows, key="0" * 16)
    write_parquet(path, [batch], SCHEMA, metadata=describe()([entry]))
    expected = batch.column("AU12_prob").to_pylist()
    known = [value for value in expected if value is not None]
    by_pandas = pd.read_parquet(path)
    assert list(by_pandas.columns) == SCHEMA.names
    assert by_pandas["AU12_prob"].dropna().tolist() == pytest.approx(known, abs=0)
    assert by_pandas["AU12_prob"].isna().sum() == len(expected) - len(known)
    by_polars = pl.read_parquet(path)
    assert by_polars.columns == SCHEMA.names
    assert by_polars["AU12_prob"].to_list() == expected
    assert by_polars["AU12"].to_list() == batch.column("AU12").to_pylist()
    counted = duckdb.sql(
        f"select count(*), count(track), sum(\"AU12\"::int), max(frame) from '{path}' where video = 'a.mp4'"
    ).fetchall()[0]
    occurrences = batch.column("AU12").to_pylist()
    assert counted == (len(expected), len(known), occurrences.count(True), 199)
    key, value = duckdb.sql(
        f"select key, value from parquet_kv_metadata('{path}') where key = 'aucli'"
    ).fetchall()[0]
    assert key == b"aucli"
    assert b'"valid_rule"' in value
    assert read_metadata(pq.read_schema(path))["videos"][0]["rows"] == batch.num_rows


def test_the_hash_of_rows_sees_values_and_not_metadata(tmp_path, batch):
    paths = [tmp_path / f"{i}.parquet" for i in range(4)]
    write_parquet(paths[0], [batch], SCHEMA)
    write_parquet(paths[1], [batch.slice(0, 7), batch.slice(7)], SCHEMA, metadata={b"aucli": b"{}"})
    assert rows_sha256(paths[0]) == rows_sha256(paths[1])
    write_parquet(paths[2], [batch.slice(1)], SCHEMA)
    write_parquet(paths[3], [rows_to_batch(SCHEMA, make_rows(2, frames=200), video="a.mp4")], SCHEMA)
    assert len({rows_sha256(path) for path in paths}) == 3


def test_an_error_in_the_middle_leaves_the_old_file_and_nothing_else(tmp_path, batch):
    path = tmp_path / "a.parquet"
    write_parquet(path, [batch], SCHEMA)
    before = sha256(path)

    def breaks():
        yield batch
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_parquet(path, breaks(), SCHEMA)
    assert sha256(path) == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.parquet"]


def test_a_missing_folder_is_an_output_error(tmp_path, batch):
    with pytest.raises(OutputError, match="No such file"):
        write_parquet(tmp_path / "missing" / "a.parquet", [batch], SCHEMA)
    with pytest.raises(OutputError, match="No such file"):
        write_json(tmp_path / "missing" / "a.json", {})


def test_atomic_file_uses_the_other_folder_until_the_end(tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    with atomic_file(tmp_path / "a.bin", temporary_folder=work) as file:
        file.write(b"abc")
        assert [path.name for path in work.iterdir()] == ["a.bin.tmp"]
        assert not (tmp_path / "a.bin").exists()
    assert (tmp_path / "a.bin").read_bytes() == b"abc"
    assert list(work.iterdir()) == []


def test_json_is_readable_and_has_no_nan(tmp_path):
    write_json(tmp_path / "a.json", {"name": "Ж é", "values": [1, None]})
    assert "Ж é" in (tmp_path / "a.json").read_text()
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"fps": float("nan")})
    assert "Ж é" in (tmp_path / "a.json").read_text()


FULL_DISK = """
    import pathlib, resource, sys
    from aucli.errors import OutputError
    from aucli.sinks.parquet import write_parquet
    from aucli.sinks.rows import rows_to_batch
    from aucli.sinks.spool import Spool
    from tests.sinks.recipes import SCHEMA, make_rows

    folder = pathlib.Path(sys.argv[1])
    batch = rows_to_batch(SCHEMA, make_rows(1, frames=3000), video="a.mp4")
    write_parquet(folder / "out.parquet", [batch.slice(0, 10)], SCHEMA)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
    try:
        write_parquet(folder / "out.parquet", [batch], SCHEMA)
    except OutputError as error:
        print(error)
    try:
        spool = Spool(folder / "a.arrows", SCHEMA)
        spool.write(batch)
    except OutputError as error:
        print(error)
        spool.discard()
"""


def test_a_full_disk_leaves_the_old_file_and_says_what_to_do(tmp_path):
    """A limit on file sizes stands in for the full disk: the same write fails, as an OSError."""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.path[:0] = {sys.path!r}\n{textwrap.dedent(FULL_DISK)}",
            tmp_path,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 2, done.stderr
    assert "cannot write" in lines[0]
    assert "out.parquet: File too large; make room or choose another output" in lines[0]
    assert "a.arrows: " in lines[1]
    assert [file.name for file in tmp_path.iterdir()] == ["out.parquet"]
    assert pq.read_metadata(tmp_path / "out.parquet").num_rows == 10


def test_a_device_without_room_is_an_output_error():
    """`/dev/full` answers every write with ENOSPC."""
    from pathlib import Path

    from aucli.sinks.spool import Spool

    with pytest.raises(OutputError, match="No space left on device"):
        Spool(Path("/dev/full"), SCHEMA).write(rows_to_batch(SCHEMA, make_rows(1, frames=3000), video="a"))
