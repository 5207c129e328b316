"""Several videos at a time in one process, and what a GPU gets at once: the rows are those of one by one."""

import itertools
import json
import os
import signal

import numpy as np
import pytest

from aucli.config import ExtractConfig
from aucli.errors import UsageError
from aucli.inference import worker
from aucli.inference.cluster import cluster_for
from aucli.inference.events import VideoStarted, WorkerLost
from aucli.inference.extract import run_extract
from aucli.inference.portions import (
    BYTES_A_PIXEL,
    GPU_DETECTIONS,
    GPU_SHARE,
    LARGEST_PIXELS,
    for_cpu,
    for_gpu,
)
from tests.clips import pan_over, photo_astronaut, photo_t1, write_clip
from tests.inference.analysed import EXAMPLES, analysed
from tests.inference.test_supervisor import children

TOLERANCE = 2e-6  # of batches, see `Predictor`


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Clips of different lengths, of several people, of nobody, and one that is no video."""
    folder = tmp_path_factory.mktemp("clips")
    for number, count in enumerate((4, 30, 11, 2, 50)):
        write_clip(folder / f"one {number}.mp4", pan_over(photo_astronaut(), 200, 200, count, travel=0.05))
    write_clip(folder / "six.mp4", pan_over(photo_t1(), 640, 444, 12, travel=0.04))
    write_clip(folder / "nobody.mp4", (np.full((120, 160, 3), 90, np.uint8) for _ in range(9)))
    (folder / "broken.mp4").write_bytes(b"no video at all" * 100)
    return folder


@pytest.fixture(scope="module")
def one_by_one(folder):
    return run_extract([folder], None, ExtractConfig(jobs=1, detect_every=3))


def assert_same(found, expected):
    assert found.column_names == expected.column_names
    assert found.num_rows == expected.num_rows
    for name in expected.column_names:
        if name.endswith(("_prob", "_int")):
            mine, theirs = (table[name].to_numpy(zero_copy_only=False) for table in (found, expected))
            np.testing.assert_allclose(mine.astype(float), theirs.astype(float), rtol=0, atol=TOLERANCE)
        else:
            assert found[name].equals(expected[name]), name


def fates(result):
    return [
        (entry.video, entry.status, entry.reason, entry.rows, entry.tracks) for entry in result.report.entries
    ]


@pytest.mark.parametrize("at_once", [3, 20])
def test_videos_at_a_time_change_no_row(folder, one_by_one, at_once):
    result = run_extract([folder], None, ExtractConfig(jobs=1, in_flight=at_once, detect_every=3))
    assert_same(result.table, one_by_one.table)
    assert fates(result) == fates(one_by_one)


def test_they_are_really_in_work_together(folder):
    """Each of three is begun before the first one is done, by one process."""
    before, told, processes = set(children()), [], set()

    def on_event(event):
        processes.update(set(children()) - before)
        told.append(event)

    clips = [folder / "one 1.mp4", folder / "one 4.mp4", folder / "six.mp4"]
    run_extract(clips, None, ExtractConfig(jobs=1, in_flight=3), on_event=on_event)
    begun = [place for place, event in enumerate(told) if isinstance(event, VideoStarted)]
    ended = [place for place, event in enumerate(told) if type(event).__name__ == "VideoFinished"]
    assert len(begun) == len(ended) == 3
    assert max(begun) < min(ended)
    assert len(processes) == 1


def test_a_process_that_dies_costs_no_row_of_any_video(folder, one_by_one):
    before, begun, killed, lost = set(children()), set(), [], []

    def on_event(event):
        if isinstance(event, VideoStarted):
            begun.add(event.video)
        if len(begun) == 3 and not killed:
            killed.extend(set(children()) - before)
            for pid in killed:
                os.kill(pid, signal.SIGKILL)
        if isinstance(event, WorkerLost):
            lost.append(event)

    config = ExtractConfig(jobs=1, in_flight=4, detect_every=3)
    result = run_extract([folder], None, config, on_event=on_event)
    assert len(killed) == 1
    assert len(lost) >= 2, "they were in company"
    assert all(event.retry for event in lost)
    assert_same(result.table, one_by_one.table)
    assert fates(result) == fates(one_by_one)


def test_a_trace_shows_each_video_in_a_lane_of_its_own(folder, tmp_path):
    path = tmp_path / "trace.json"
    clips = [folder / "one 1.mp4", folder / "one 4.mp4"]
    run_extract(clips, None, ExtractConfig(jobs=1, in_flight=2, profile=str(path)))
    events = json.loads(path.read_text())["traceEvents"]
    names = {event["args"]["name"] for event in events if event["name"] == "thread_name"}
    wanted = {f"{lane}: {thread}" for lane in (1, 2) for thread in ("task", "detect", "decode")}
    assert wanted <= names
    spans = {}
    for event in events:
        if event["ph"] == "X":
            spans.setdefault(event["tid"], []).append((event["ts"], event["ts"] + event["dur"]))
    for of_one in spans.values():  # a thread does one thing at a time
        of_one.sort()
        assert all(end <= start + 1 for (_, end), (start, _) in itertools.pairwise(of_one))


def test_wrong_use():
    with pytest.raises(UsageError, match="--in-flight 0: must be 1 or more"):
        ExtractConfig(in_flight=0)
    with (
        pytest.raises(UsageError, match="a Dask worker has one video at a time"),
        cluster_for("dask", None, ExtractConfig(in_flight=2)),
    ):
        pass


@pytest.mark.parametrize(
    ("device", "engines", "threads", "expected"),
    [("cpu", 0, 16, 1), ("cuda:0", 7, 4, 8), ("cuda:0", 1, 16, 2), ("cuda:0", 0, 5, 5), ("cuda:0", 0, 1, 2)],
)
def test_how_many_unless_the_user_says(monkeypatch, device, engines, threads, expected):
    monkeypatch.setattr(worker, "engines", lambda device: engines)
    assert worker._in_flight(device, threads) == expected


# -- what a GPU is given at once, on the CPU ----------------------------------------------------


@pytest.mark.parametrize("every", [1, 4])
@pytest.mark.parametrize("clip", ["two_people.mp4", "smile.mp4"])
def test_what_a_gpu_gets_at_once_changes_no_row(detector, predictor, clip, every):
    plain, together = (
        analysed(EXAMPLES / clip, detector, predictor, ExtractConfig(detect_every=every), portions=portions)
        for portions in (for_cpu(1), for_gpu(10**9, 3, 64))
    )
    for name in ("frames", "times", "tracks", "boxes", "landmarks", "valid", "pose", "sharpness"):
        np.testing.assert_array_equal(getattr(together, name), getattr(plain, name), err_msg=name)
    np.testing.assert_allclose(together.probabilities, plain.probabilities, rtol=0, atol=TOLERANCE)


def test_large_pictures_are_fewer_at_once():
    free, videos = 8 * 10**9, 4
    portions = for_gpu(free, videos, 256)
    assert portions.pixels * BYTES_A_PIXEL * videos <= free * GPU_SHARE
    assert for_gpu(10**12, 1, 256).pixels == LARGEST_PIXELS
    assert portions.detections == GPU_DETECTIONS
    assert portions.chunk == 64
    assert for_gpu(free, 1, 256).chunk == 256, "a lone video fills a batch by itself"
    assert for_gpu(10**6, 8, 1).pixels > 0
