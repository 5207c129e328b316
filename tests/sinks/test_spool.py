import os
import signal
import subprocess
import sys
import textwrap

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aucli.sinks.rows import rows_to_batch
from aucli.sinks.spool import FLUSH_ROWS, JoinedSpools, Spool, recover
from tests.sinks.recipes import SCHEMA, make_rows


def batches(count, frames=20):
    return [
        rows_to_batch(SCHEMA, make_rows(1, frames=frames, first_frame=i * frames), video="a.mp4")
        for i in range(count)
    ]


def test_a_spool_becomes_a_part_with_the_same_rows(tmp_path):
    spool = Spool(tmp_path / "a.arrows", SCHEMA)
    for batch in batches(100):
        spool.write(batch)
    spool.finish(tmp_path / "a.parquet")
    assert pq.read_table(tmp_path / "a.parquet").equals(pa.Table.from_batches(batches(100)).combine_chunks())
    assert spool.rows == pq.read_metadata(tmp_path / "a.parquet").num_rows
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]


def test_the_part_does_not_tell_when_the_spool_was_flushed(tmp_path):
    for name in ("often", "never"):
        spool = Spool(tmp_path / "a.arrows", SCHEMA)
        for batch in batches(5):
            spool.write(batch)
            if name == "often":
                spool.flush()
        spool.finish(tmp_path / f"{name}.parquet")
    assert (tmp_path / "often.parquet").read_bytes() == (tmp_path / "never.parquet").read_bytes()


def test_rows_are_on_disk_after_so_many_at_the_latest(tmp_path):
    spool = Spool(tmp_path / "a.arrows", SCHEMA)
    for batch in batches(100):
        spool.write(batch)
        if spool.rows >= FLUSH_ROWS:
            assert spool.rows - recover(tmp_path / "a.arrows").num_rows < FLUSH_ROWS
    assert recover(tmp_path / "a.arrows").num_rows > FLUSH_ROWS
    spool.discard()
    assert list(tmp_path.iterdir()) == []


def test_an_empty_spool(tmp_path):
    spool = Spool(tmp_path / "a.arrows", SCHEMA)
    with pytest.raises(pa.ArrowInvalid):
        recover(tmp_path / "a.arrows")
    spool.finish(tmp_path / "a.parquet")
    assert pq.read_schema(tmp_path / "a.parquet").names == SCHEMA.names


KILLED = """
    import os, pathlib, signal, sys
    from aucli.sinks.spool import Spool
    from tests.sinks.recipes import SCHEMA
    from tests.sinks.test_spool import batches

    spool = Spool(pathlib.Path(sys.argv[1]), SCHEMA)
    for batch in batches(50):
        spool.write(batch)
    spool.flush()
    for batch in batches(53)[50:]:
        spool.write(batch)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_flushed_survives_a_kill(tmp_path):
    path = tmp_path / "a.arrows"
    code = f"import sys; sys.path[:0] = {sys.path!r}\n{textwrap.dedent(KILLED)}"
    assert subprocess.run([sys.executable, "-c", code, path], check=False).returncode == -signal.SIGKILL
    assert recover(path).equals(pa.Table.from_batches(batches(50)).combine_chunks())


@pytest.mark.parametrize("missing_bytes", [1, 100, 5000])
def test_a_torn_last_batch_is_left_out(tmp_path, missing_bytes):
    path = tmp_path / "a.arrows"
    spool = Spool(path, SCHEMA)
    for batch in batches(4):
        spool.write(batch)
        spool.flush()
    os.truncate(path, path.stat().st_size - missing_bytes)
    assert recover(path).equals(pa.Table.from_batches(batches(3)).combine_chunks())


def test_spools_are_joined_with_other_track_numbers(tmp_path):
    spools = [Spool(tmp_path / f"{number}.arrows", SCHEMA) for number in range(2)]
    for number, spool in enumerate(spools):
        for batch in batches(4)[2 * number : 2 * number + 2]:
            spool.write(batch)
        spool.close()
    numbers = [{0: 0, 1: 1, 2: 2}, {0: 1, 1: 4, 2: 7}]
    rows = sum(spool.rows for spool in spools)
    joined = JoinedSpools([spool.path for spool in spools], numbers, SCHEMA, rows)
    joined.finish(tmp_path / "a.parquet")
    found, given = pq.read_table(tmp_path / "a.parquet"), pa.Table.from_batches(batches(4))
    assert found.drop(["track"]).equals(given.drop(["track"]).combine_chunks())
    places = [0] * spools[0].rows + [1] * spools[1].rows
    tracks = zip(places, given["track"].to_pylist(), strict=True)
    assert found["track"].to_pylist() == [
        None if track is None else numbers[place][track] for place, track in tracks
    ]
    assert found.schema.equals(given.schema)
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]
