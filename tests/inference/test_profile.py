"""A trace that other programs read, with the seconds that were recorded; and a whole run with --profile."""

import itertools
import json
import time

import pytest

from aucli.config import ExtractConfig
from aucli.datatypes import Selection
from aucli.errors import OutputError, UsageError
from aucli.inference.events import StagesTimed, VideoProgress
from aucli.inference.extract import run_extract
from aucli.inference.profile import recording
from aucli.inference.timing import Span, StageTimes
from tests.inference.analysed import EXAMPLES


def times(start):
    return StageTimes(
        busy={"decode": 1.0, "network": 0.5},
        waiting={"decode": 0.25},
        spans=(
            Span("decode", "decode", start, 1.0, waiting=False),
            Span("decode", "decode", start + 1.0, 0.25, waiting=True),
            Span("network", "MainThread", start + 1.5, 0.5, waiting=False),
        ),
    )


def test_sums_by_worker_and_a_trace_of_spans(tmp_path):
    path = tmp_path / "trace.json"
    with recording(str(path)) as profile:
        profile(StagesTimed(1, "cuda:1", times(100.0)))
        profile(VideoProgress("a.mp4", 3))  # of no interest here
        profile(StagesTimed(0, "cuda:0", times(101.0)))
        profile(StagesTimed(1, "cuda:1", times(102.0)))
        assert not path.exists()  # half-written
    rows = {(row.worker, row.stage): row for row in profile.rows}
    assert list(rows) == [(0, "decode"), (0, "network"), (1, "decode"), (1, "network")]
    assert rows[1, "decode"].busy_seconds == 2.0
    assert rows[1, "decode"].waiting_seconds == 0.5
    assert rows[1, "decode"].share_busy == 0.5  # 2 of the 4 seconds from 100 to 104
    assert rows[0, "network"].device == "cuda:0"
    trace = json.loads(path.read_text())
    spans = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    assert len(spans) == 9
    assert sum(span["dur"] for span in spans if span["cat"] == "busy") == pytest.approx(4.5e6)
    assert min(span["ts"] for span in spans) == 0.0
    assert {span["name"] for span in spans} == {"decode", "decode waits", "network"}
    names = {
        (event["pid"], event["tid"]): event["args"]["name"]
        for event in trace["traceEvents"]
        if event["ph"] == "M"
    }
    assert {names[span["pid"], span["tid"]] for span in spans} == {"decode", "MainThread"}
    assert names[1, 0] == "worker 1, cuda:1"
    assert len(trace["otherData"]["stages"]) == 4
    assert trace["otherData"]["start_seconds"] == 100.0


def test_a_run_without_work_is_a_trace_without_spans(tmp_path):
    path = tmp_path / "trace.json"
    with recording(str(path)):
        pass
    assert json.loads(path.read_text())["traceEvents"] == []


def test_an_error_leaves_no_trace(tmp_path):
    with pytest.raises(ValueError, match="broken"), recording(str(tmp_path / "trace.json")):
        raise ValueError("broken")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_refused_at_once(tmp_path):
    with (
        pytest.raises(OutputError, match="no such folder"),
        recording(str(tmp_path / "no such folder" / "trace.json")),
    ):
        pass


def test_only_json_files_are_written():
    with pytest.raises(UsageError, match=r"trace\.json"):
        ExtractConfig(profile="talk.mp4")


def test_a_profiled_run_times_every_stage_and_changes_no_row(tmp_path):
    path = tmp_path / "trace.json"
    config = ExtractConfig(jobs=1, selection=Selection(end_seconds=0.4), detect_every=3)
    plain = run_extract([EXAMPLES / "smile.mp4"], None, config)
    assert plain.profile == ()
    clock = time.perf_counter()
    timed = run_extract(
        [EXAMPLES / "smile.mp4"],
        None,
        ExtractConfig(jobs=1, selection=config.selection, detect_every=3, profile=str(path)),
    )
    clock = time.perf_counter() - clock
    assert timed.table.equals(plain.table)
    rows = {row.stage: row for row in timed.profile}
    assert list(rows) == ["load", "decode", "detect", "refit", "track", "align", "network", "write"]
    assert all(0 < row.busy_seconds < clock for row in rows.values())
    trace = json.loads(path.read_text())
    spans = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    # Spans of one thread do not overlap: a stage inside another would be counted twice.
    for thread in {span["tid"] for span in spans}:
        mine = sorted((span["ts"], span["dur"]) for span in spans if span["tid"] == thread)
        assert all(start + length <= after + 1 for (start, length), (after, _) in itertools.pairwise(mine))
