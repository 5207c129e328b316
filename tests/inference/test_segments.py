"""A video in segments gives what it gives in one piece, or is done in one piece."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from aucli.config import ExtractConfig
from aucli.datatypes import Selection, Source
from aucli.errors import SplitError, UsageError
from aucli.inference import segment_plan, worker
from aucli.inference.cluster import cluster_for
from aucli.inference.events import SegmentProgress, VideoProgress, VideoStarted, WorkerLost
from aucli.inference.extract import run_extract
from aucli.inference.segment_plan import CLIP_CONTEXT, SplitPlan
from aucli.inference.split_videos import SplitVideos
from aucli.inference.supervisor import Task, TaskFailure
from aucli.inference.task import SegmentTask, StitchTask, VideoTask
from aucli.media.segments import divide, scan_packets
from aucli.sinks.report import ReportEntry
from aucli.sinks.schema import output_schema
from aucli.zoo.catalogue import find
from aucli_models.mdhr import HALO
from tests.clips import numbered_frames, write_clip, zero_middle
from tests.inference.films import FRAMES, RATE, film, uneven_pts
from tests.models import small_mdhr

WARM_UP = 4.5  # seconds, until a velocity has forgotten where it began
MINUTES = 8 / 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("films")


@pytest.fixture(scope="module")
def even(folder):
    return write_clip(folder / "even.mp4", film(), rate=RATE, gop=5, bframes=2)


@pytest.fixture(scope="module")
def uneven(folder):
    return write_clip(folder / "uneven.mkv", film(), rate=RATE, pts=uneven_pts(), gop=5, bframes=2)


@pytest.fixture(scope="module")
def late(folder):
    """12 seconds: two people, one of whom leaves, and a cut."""
    return write_clip(folder / "late.mp4", film(range(60, FRAMES)), rate=RATE, gop=5)


def assert_same_rows(found, expected):
    assert found.schema.names == expected.schema.names
    assert len(found) == len(expected) > 0
    for name in expected.schema.names:
        if name.endswith(("_prob", "_int")):
            mine, theirs = (np.array(table[name].to_pylist(), float) for table in (found, expected))
            np.testing.assert_array_equal(np.isnan(mine), np.isnan(theirs))
            assert np.nanmax(np.abs(mine - theirs), initial=0) <= 2e-6, name
        else:
            assert found[name].equals(expected[name]), name


def entry_of(entry):
    """Without what is another one in each run."""
    return replace(entry, wall_seconds=0, fps=0)


def both_ways(path, tmp_path, config, warm_up=WARM_UP, **source):
    """Entry and rows in one piece, then in segments, in this process; and the segments' results."""
    config = replace(config, segment_minutes=MINUTES)
    card = find(config.model).card
    schema = output_schema(
        card.written_aus,
        intensity_aus=card.intensity_aus,
        with_probabilities=card.probabilities,
        with_occurrences=card.gives_occurrences,
        with_subject=False,
    )
    task = VideoTask(
        Source(path, path.name, **source), "key", tmp_path / "key.arrows", tmp_path / "key.parquet"
    )
    plan = segment_plan.set_up(config, warm_up, reads_clips=card.reads_clips)(task, lambda event: None)
    process = worker.set_up(config, schema, "cpu", 1, 0)
    whole = process(task, lambda event: None), pq.read_table(task.part_path)
    results = [
        process(
            SegmentTask(
                task.source, "key", segment, plan.detect_every, tmp_path / f"{segment.number}.arrows"
            ),
            lambda event: None,
        )
        for segment in plan.segments
    ]
    stitched = process(StitchTask(task, tuple(results)), lambda event: None)
    assert list(tmp_path.glob("*.arrows")) == []
    return whole, (stitched, pq.read_table(task.part_path)), results


def test_people_come_and_go_over_the_segments(even, tmp_path):
    whole, split, results = both_ways(even, tmp_path, ExtractConfig(detect_every=2))
    assert entry_of(split[0]) == entry_of(whole[0])
    assert_same_rows(split[1], whole[1])
    assert whole[0].tracks == 4
    assert len(results) == 3
    # The last one knows one person, whom the video knows by another number.
    assert [person.number for person in results[1].meets.snapshot.persons] == [1]
    assert [person.number for person in results[2].met.snapshot.persons] == [0]


def test_uneven_times_every_second_frame_and_one_person(uneven, tmp_path):
    config = ExtractConfig(selection=Selection(every=2), detect_every=1, primary="longest")
    whole, split, results = both_ways(uneven, tmp_path, config)
    assert entry_of(split[0]) == entry_of(whole[0])
    assert_same_rows(split[1], whole[1])
    assert len(results) > 1
    assert set(split[1]["track"].to_pylist()) == {1, None}  # known as 1 in the whole video only


def test_a_window_at_a_lower_rate_with_one_face_in_a_frame(even, tmp_path):
    config = ExtractConfig(selection=Selection(fps=2.5, start_seconds=3), max_faces=1, primary="largest")
    whole, split, results = both_ways(even, tmp_path, config, end_seconds=21.3)
    assert entry_of(split[0]) == entry_of(whole[0])
    assert_same_rows(split[1], whole[1])
    assert len(results) > 1
    assert 3 <= split[1]["time_s"][0].as_py() < 3.4


def test_a_network_that_reads_clips_sees_beyond_its_segment(even, tmp_path):
    assert CLIP_CONTEXT == HALO
    config = ExtractConfig(model=str(small_mdhr.card_file(tmp_path)), detect_every=3)
    whole, split, results = both_ways(even, tmp_path, config)
    assert entry_of(split[0]) == entry_of(whole[0])
    assert_same_rows(split[1], whole[1])
    assert len(results) == 3
    with pytest.raises(SplitError, match="official"):
        both_ways(even, tmp_path, replace(config, clips="official"))


def test_who_begins_within_a_gap_does_not_agree(folder, tmp_path):
    # Its second key frame is the first frame in which one of the two people hides.
    hidden = write_clip(folder / "hidden.mp4", film(range(26, 50)), rate=RATE, gop=11)
    run_extract([hidden], tmp_path / "whole.parquet", ExtractConfig(jobs=1))
    config = ExtractConfig(jobs=2, segment_minutes=3 / 60)
    found = run_extract([hidden], tmp_path / "split.parquet", config, warm_up_seconds=0)
    (entry,) = found.report.entries
    assert entry.status == "ok"
    assert entry.notes == (
        "done in one piece: segments 1 and 2 do not agree at frame 11: 2 and 1 persons are known",
    )
    assert found.table.equals(pq.read_table(tmp_path / "whole.parquet"))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "split.parquet", "split.report.json", "whole.parquet", "whole.report.json",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def inputs(folder, late):
    """One that can be split, three that cannot, and one that is short."""
    others = [folder / name for name in ("damaged.mp4", "plain.avi", "plain.ts")]
    for path in others:
        write_clip(path, numbered_frames(60, 96, 64), rate=RATE, gop=5)
    zero_middle(others[0], 0.2, 0.6)
    short = write_clip(folder / "short.mp4", numbered_frames(10, 96, 64), rate=RATE)
    return [late, *others, short]


@pytest.fixture(scope="module")
def whole(inputs, tmp_path_factory):
    return run_extract(inputs, tmp_path_factory.mktemp("whole") / "whole.parquet", ExtractConfig(jobs=2))


def test_a_run_splits_what_it_can_and_says_what_not(inputs, whole, tmp_path):
    config = ExtractConfig(jobs=2, segment_minutes=6 / 60)
    events = []
    split = run_extract(inputs, tmp_path / "split.parquet", config, on_event=events.append, warm_up_seconds=4)
    assert_same_rows(split.table, whole.table)
    notes = {entry.video: " ".join(entry.notes) for entry in split.report.entries}
    assert notes["late.mp4"] == notes["short.mp4"] == ""
    assert "done in one piece: " in notes["damaged.mp4"]
    assert "not split: a container of the kind avi" in notes["plain.avi"]
    assert "not split: a container of the kind mpegts" in notes["plain.ts"]
    for mine, theirs in zip(split.report.entries, whole.report.entries, strict=True):
        assert entry_of(replace(mine, notes=theirs.notes)) == entry_of(theirs)
        assert mine.wall_seconds > 0 or mine.status == "failed"
    assert {entry.video: entry.status for entry in split.report.entries}["damaged.mp4"] != "ok"
    # As if the video had been one: begun once, and its frames counted together.
    of_late = [event for event in events if getattr(event, "video", None) == "late.mp4"]
    assert sum(isinstance(event, VideoStarted) for event in of_late) == 1
    assert of_late[0].frames_expected == 60
    progress = [event.frames for event in of_late if isinstance(event, VideoProgress)]
    assert progress == sorted(progress)
    assert not any(isinstance(event, SegmentProgress) for event in events)
    metadata = [json.loads(result.table.schema.metadata[b"aucli"])["videos"] for result in (split, whole)]
    assert metadata[0] == metadata[1]


def test_one_process_does_whole_videos(folder, tmp_path):
    clip = write_clip(folder / "one.mp4", numbered_frames(30, 96, 64), rate=RATE, gop=5)
    events = []
    config = ExtractConfig(jobs=1, segment_minutes=1 / 60)
    result = run_extract([clip], None, config, on_event=events.append)
    assert result.report.entries[0].notes == ()
    assert result.report.machine["workers"] == 1


_KILLED = """
import os, signal, sys, threading, time
from pathlib import Path
from aucli.config import ExtractConfig
from aucli.inference.extract import run_extract

def kill_in_the_second_segment():
    while not list(Path(sys.argv[2] + ".parts").glob("*.1.arrows")):
        time.sleep(0.002)
    os.killpg(os.getpgrp(), signal.SIGKILL)

threading.Thread(target=kill_in_the_second_segment, daemon=True).start()
run_extract(sys.argv[1:2], sys.argv[2], ExtractConfig(jobs=2, segment_minutes=6 / 60), warm_up_seconds=4)
"""


def test_a_run_killed_within_a_segment_goes_on(late, whole, tmp_path):
    output = tmp_path / "out.parquet"
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, str(late), str(output)],
        env=environ,
        check=False,
        start_new_session=True,  # its workers die with it
    )
    assert done.returncode == -signal.SIGKILL
    left = [path.name for path in (tmp_path / "out.parquet.parts").iterdir()]
    assert any(name.endswith(".1.arrows") for name in left)
    config = ExtractConfig(jobs=2, segment_minutes=6 / 60)
    result = run_extract([late], output, config, warm_up_seconds=4)
    assert result.report.entries[0].notes == ()
    assert_same_rows(result.table, whole.table.filter(pc.field("video") == "late.mp4"))
    assert not (tmp_path / "out.parquet.parts").exists()
    # What is done is not done again, however it was done.
    again = run_extract([late], output, ExtractConfig(jobs=1))
    assert again.report.entries[0].wall_seconds == result.report.entries[0].wall_seconds


class Todo:
    def __init__(self, with_workers=()):
        self.added, self.dropped, self._with_workers = [], [], with_workers

    def add(self, task):
        self.added.append(task)

    def drop(self, task):
        waits = task.payload.segment.number not in self._with_workers
        if waits:
            self.dropped.append(task.payload.segment.number)
        return waits


@pytest.fixture
def book(even, tmp_path):
    """A split video's book-keeping, its tasks, and what it told."""
    events = []
    split = SplitVideos(events.append)
    video = VideoTask(Source(even, "even.mp4"), "key", tmp_path / "key.arrows", tmp_path / "key.parquet")
    whole = Task("even.mp4", video, 900.0)
    segments = divide(scan_packets(even), Selection(), 8, detect_every=2, warm_up_seconds=WARM_UP)
    tasks = split.split(whole, SplitPlan(tuple(segments), 2))
    return split, whole, tasks, events


def test_one_segment_that_fails_sends_the_video_back_as_a_whole(book):
    split, whole, tasks, events = book
    assert sum(task.weight for task in tasks) == pytest.approx(whole.weight)
    for task in tasks:
        task.payload.spool_path.touch()
    todo = Todo(with_workers=(0, 1))
    assert not split.settle(tasks[1], TaskFailure("damage at frame 50"), todo)
    assert (todo.added, todo.dropped) == ([], [2])  # the first one is still with a worker
    split.hear(WorkerLost("even.mp4", "signal 9", retry=False))
    assert events[-1] == WorkerLost("even.mp4", "signal 9", retry=True)
    assert not split.settle(tasks[0], TaskFailure("worker died"), todo)
    assert todo.added == [whole]
    assert not any(task.payload.spool_path.exists() for task in tasks)
    entry = ReportEntry("even.mp4", "even.mp4", "failed", key="key", notes=("a",))
    assert split.settle(whole, entry, todo)
    assert split.finished(entry).notes == ("a", "done in one piece: damage at frame 50")
    split.hear(WorkerLost("even.mp4", "signal 9", retry=False))  # now it is the end
    assert events[-1] == WorkerLost("even.mp4", "signal 9", retry=False)


def test_progress_of_segments_is_that_of_their_video(book):
    split, whole, tasks, events = book
    for segment, frames in ((1, 0), (0, 0), (0, 7), (1, 9), (1, 0), (1, 3)):  # segment 1 was begun anew
        split.hear(SegmentProgress("even.mp4", "key", segment, frames, worker=segment))
    assert events[0] == VideoStarted("even.mp4", FRAMES, 1)
    assert [event.frames for event in events[1:]] == [0, 0, 7, 16, 7, 10]
    todo = Todo()
    for task in tasks[::-1]:
        assert not split.settle(task, f"result {task.payload.segment.number}", todo)
    (stitch,) = todo.added
    assert stitch.payload.segments == ("result 0", "result 1", "result 2")
    assert stitch.weight == whole.weight
    entry = ReportEntry("even.mp4", "even.mp4", "ok", key="key", rows=9, frames=FRAMES)
    assert split.finished(entry).wall_seconds >= 0
    assert split.finished(entry).fps > 0


def test_segments_are_for_one_machine_and_longer_than_nothing():
    with (
        pytest.raises(UsageError, match="--segment 10: is for --engine local"),
        cluster_for("dask", None, ExtractConfig(segment_minutes=10)),
    ):
        pass
    for minutes in (0, -1, float("inf"), float("nan")):
        with pytest.raises(UsageError, match="--segment"):
            ExtractConfig(segment_minutes=minutes)
    assert "segment_minutes" not in ExtractConfig(segment_minutes=10).value_fields()
