"""Whole runs: a folder with good and bad files, resume after a kill, any number of processes."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

from aucli.config import ExtractConfig
from aucli.datatypes import Selection
from aucli.errors import UsageError
from aucli.inference.extract import StoppedAtFailureError, run_extract
from aucli.inference.extract_plan import plan_extract
from tests.clips import RECIPES, pan_over, photo_astronaut, truncate

FRAMES = 20


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Three good clips, an empty file, a text, a truncated clip and a folder, all called videos."""
    folder = tmp_path_factory.mktemp("videos")
    frames = list(pan_over(photo_astronaut(), 240, 240, FRAMES))
    recipe = RECIPES["cfr_mp4"]
    for name in ("a", "b"):
        recipe.write(folder / f"{name}.mp4", frames)
    (folder / "sub").mkdir()
    recipe.write(folder / "sub" / "c.mp4", frames[:8])
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("these are words\n" * 50)
    truncate(RECIPES["fragmented_mp4"].write(folder / "truncated.mp4", frames), 0.6)
    (folder / "folder.mp4").mkdir()
    (folder / "folder.mp4" / "notes.txt").touch()
    return folder


@pytest.fixture(scope="module")
def undisturbed(videos, tmp_path_factory):
    output = tmp_path_factory.mktemp("undisturbed") / "out.parquet"
    return run_extract([videos], output, ExtractConfig(jobs=1))


def test_good_ones_are_whole_and_bad_ones_are_named(undisturbed):
    entries = {entry.video: entry for entry in undisturbed.report.entries}
    assert {name: entry.status for name, entry in entries.items()} == {
        "a.mp4": "ok",
        "b.mp4": "ok",
        "sub/c.mp4": "ok",
        "truncated.mp4": "partial",
        "empty.mp4": "failed",
        "text.mp4": "failed",
        "folder.mp4": "failed",
    }
    assert entries["a.mp4"].frames == FRAMES
    assert entries["sub/c.mp4"].frames == 8
    assert 0 < entries["truncated.mp4"].frames < FRAMES
    assert all(entry.reason for entry in entries.values() if entry.status != "ok")
    assert undisturbed.exit_code == 3


def test_the_report_agrees_with_the_rows(undisturbed):
    table = undisturbed.table
    for entry in undisturbed.report.entries:
        rows = table.filter(np.array(table["video"].to_pylist()) == entry.video)
        assert rows.num_rows == entry.rows
        assert len(set(rows["frame"].to_pylist())) == entry.frames
    written = json.loads(undisturbed.output.with_suffix(".report.json").read_text())
    assert [entry["video"] for entry in written["entries"]] == [e.video for e in undisturbed.report.entries]


def test_the_file_says_what_it_is(undisturbed):
    metadata = json.loads(pq.read_schema(undisturbed.output).metadata[b"aucli"])
    assert metadata["card"]["sha256"]
    assert set(metadata["card"]["thresholds"]) == set(AUS_WRITTEN)
    assert metadata["config"]["detector"] == "mtcnn"
    assert metadata["crop"]["size"] == 112
    assert metadata["columns"]["time_s"]
    # Nothing is left of the work.
    assert sorted(path.name for path in undisturbed.output.parent.iterdir()) == [
        "out.parquet",
        "out.report.json",
    ]


AU_NUMBERS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 16, 17, 18, 20, 22, 23, 24, 25, 26, 27, 28, 38, 39, 43)
SIDED = (1, 2, 4, 6, 10, 12, 14)
AUS_WRITTEN = [f"AU{n}{side}" for n in AU_NUMBERS for side in ("", *("LR" if n in SIDED else ""))]


def test_columns_follow_the_written_order(undisturbed):
    names = undisturbed.table.schema.names
    assert names[:9] == [
        "video", "frame", "time_s", "track", "face_score", "face_x", "face_y", "face_w", "face_h",
    ]  # fmt: skip
    columns = [f"AU{n:02d}{side}" for n in AU_NUMBERS for side in ("", *("LR" if n in SIDED else ""))]
    card = json.loads(undisturbed.table.schema.metadata[b"aucli"])["card"]
    measured = [
        f"{name}_int"
        for name, au in zip(columns, AUS_WRITTEN, strict=True)
        if card["validation"][au]["icc"] >= 0.6
    ]
    written = [*(f"{name}_prob" for name in columns), *columns, *measured]
    assert 20 < len(measured) < len(columns)
    assert names[-len(written) :] == written


def test_pandas_duckdb_and_polars_read_the_same(undisturbed):
    path = str(undisturbed.output)
    query = f"select avg(AU12_prob) m, count(*) n, count(track) faces from '{path}'"
    mean, rows, faces = duckdb.sql(query).fetchall()[0]
    frame = pd.read_parquet(path)
    assert (len(frame), int(frame["track"].notna().sum())) == (rows, faces)
    assert frame["AU12_prob"].mean() == pytest.approx(mean, rel=1e-6)
    assert pl.read_parquet(path)["AU12_prob"].mean() == pytest.approx(mean, rel=1e-6)


def test_two_processes_write_the_same_bytes(videos, undisturbed, tmp_path):
    result = run_extract([videos], tmp_path / "out.parquet", ExtractConfig(jobs=2))
    assert _digest(result.output) == _digest(undisturbed.output)


def test_a_second_run_does_nothing_twice(videos, undisturbed):
    before = undisturbed.output.stat().st_mtime_ns
    started = []
    again = run_extract([videos], undisturbed.output, ExtractConfig(jobs=1), on_event=started.append)
    touched = {event.video for event in started if type(event).__name__ == "VideoStarted"}
    assert touched == set()  # the bad files fail before they are opened for work
    assert undisturbed.output.stat().st_mtime_ns == before
    assert [entry.status for entry in again.report.entries] == [
        entry.status for entry in undisturbed.report.entries
    ]


@pytest.mark.parametrize("seconds", [4.0, 6.5])
def test_killed_and_started_again(videos, undisturbed, tmp_path, seconds):
    """SIGKILL of the whole group at some moment, then the same command: the same bytes."""
    output = tmp_path / "out.parquet"
    code = (
        "from aucli.config import ExtractConfig; from aucli.inference.extract import run_extract;"
        f"run_extract([{str(videos)!r}], {str(output)!r}, ExtractConfig(jobs=1))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    result = run_extract([videos], output, ExtractConfig(jobs=1))
    assert _digest(result.output) == _digest(undisturbed.output)
    assert not (tmp_path / "out.parquet.parts").exists()


def test_other_options_are_other_rows(videos, undisturbed, tmp_path):
    config = ExtractConfig(selection=Selection(every=5), primary="largest")
    result = run_extract([videos / "a.mp4"], tmp_path / "out.parquet", config)
    assert result.table["frame"].to_pylist() == list(range(0, FRAMES, 5))
    whole = undisturbed.table.to_pandas().query("video == 'a.mp4' and frame % 5 == 0")
    # The same frames, seen alone: the network does not know what came between them. In frames 5 and 10 the
    # whole run followed the face from detections on both sides, so its crop lies a little differently.
    difference = np.abs(result.table["AU12_prob"].to_numpy() - whole["AU12_prob"].to_numpy())
    assert difference[[0, 3]].max() < 1e-6
    assert difference.max() < 0.1


def test_one_file_per_video(videos, tmp_path):
    result = run_extract([videos / "sub", videos / "empty.mp4"], f"{tmp_path}/out/", ExtractConfig())
    assert (tmp_path / "out" / "c.mp4.parquet").is_file()
    assert result.table.num_rows == 8
    assert result.exit_code == 3


def test_fail_fast_stops_and_keeps_what_is_done(videos, tmp_path):
    with pytest.raises(StoppedAtFailureError, match="fail-fast"):
        run_extract([videos / "empty.mp4"], tmp_path / "out.parquet", ExtractConfig(), fail_fast=True)
    assert not (tmp_path / "out.parquet").exists()


def test_nothing_usable(videos, tmp_path):
    result = run_extract([videos / "text.mp4"], tmp_path / "out.parquet", ExtractConfig())
    assert result.exit_code == 4
    assert result.output is None
    assert not (tmp_path / "out.parquet").exists()
    assert result.table.num_rows == 0


def test_a_plan_writes_nothing(videos, tmp_path):
    plan = plan_extract([videos], tmp_path / "out.parquet", ExtractConfig())
    assert len(plan.sources) + len(plan.rejected) == 7
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UsageError, match="also an input"):
        plan_extract([videos], videos, ExtractConfig())


def _digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
