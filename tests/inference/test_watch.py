"""A worker that hangs or swells is ended; its video fails with the reason, and the others go on."""

import os
import signal
import subprocess
import sys
import time
from contextlib import closing

import pytest

from aucli.config import ExtractConfig
from aucli.errors import WorkerError
from aucli.inference.events import VideoStarted, WorkerLost
from aucli.inference.extract import run_extract
from aucli.inference.limits import memory_limit_bytes
from aucli.inference.supervisor import Task, TaskFailure, run_tasks
from aucli.inference.watch import LOOK_SECONDS, Limits, Silence, resident_bytes, too_large, usual_memory_bytes
from tests.clips import numbered_frames, write_clip
from tests.inference.test_supervisor import children

SETUP = "tests.inference.worker_functions:setup"


def run(payloads, limits, *, workers=2, on_event=lambda event: None):
    tasks = [Task(name, {"name": name, **payload}) for name, payload in payloads.items()]
    outcomes = run_tasks(
        tasks,
        setup=SETUP,
        setup_kwargs=[{"number": number} for number in range(workers)],
        on_event=on_event,
        limits=limits,
    )
    with closing(outcomes):
        return {task.video: outcome for task, outcome in outcomes}


@pytest.fixture
def pipe(tmp_path):
    os.mkfifo(tmp_path / "never")
    return str(tmp_path / "never")


def test_a_read_that_never_returns_ends_one_task_without_a_second_try(pipe):
    payloads = {"hangs": {"do": "read_pipe", "path": pipe}}
    payloads |= {str(number): {"do": "square", "value": number} for number in range(4)}
    seen = []
    started = time.monotonic()
    outcomes = run(payloads, Limits(stall_seconds=2), workers=1, on_event=seen.append)
    assert time.monotonic() - started < 60
    failure = outcomes.pop("hangs")
    assert isinstance(failure, TaskFailure)
    assert failure.reason.startswith("no progress for 2 seconds")
    assert "--stall-seconds" in failure.reason
    assert outcomes == {str(number): number**2 for number in range(4)}
    assert [(event.video, event.retry) for event in seen] == [("hangs", False)]


def test_a_stopped_process_is_ended_too():
    stopped = []

    def stop(event):
        if isinstance(event, VideoStarted) and event.video == "stopped":
            os.kill(event.worker, signal.SIGSTOP)
            stopped.append(event.worker)

    payloads = {"stopped": {"do": "sleep", "seconds": 0.2}, "other": {"do": "sleep", "seconds": 0.2}}
    outcomes = run(payloads, Limits(stall_seconds=2), on_event=stop)
    assert outcomes["stopped"].reason.startswith("no progress")
    assert outcomes["other"] == "slept"
    with pytest.raises(ProcessLookupError):
        os.kill(stopped[0], 0)


def test_a_slow_task_that_goes_on_is_left_alone():
    payloads = {"slow": {"do": "steady", "steps": 8, "seconds": 0.5}}
    assert run(payloads, Limits(stall_seconds=2), workers=1) == {"slow": "steady"}


def test_a_task_is_not_blamed_for_a_supervisor_that_was_busy():
    # The loop's body blocks for longer than the limit while the second task has long been done.
    tasks = [Task(name, {"name": name, "do": "sleep", "seconds": 0.1}) for name in "ab"]
    outcomes = run_tasks(
        tasks,
        setup=SETUP,
        setup_kwargs=[{}, {}],
        on_event=lambda event: None,
        limits=Limits(stall_seconds=3 * LOOK_SECONDS),
    )
    found = []
    with closing(outcomes):
        for _, outcome in outcomes:
            found.append(outcome)
            if len(found) == 1:
                time.sleep(4 * LOOK_SECONDS)
    assert found == ["slept", "slept"]


def test_a_task_that_takes_too_much_memory_is_ended():
    lost = []
    payloads = {"hog": {"do": "hog", "bytes": 400_000_000}, "other": {"do": "square", "value": 3}}
    outcomes = run(payloads, Limits(memory_bytes=300_000_000), on_event=lost.append)
    assert "GB of memory, more than 0.3 GB" in outcomes["hog"].reason
    assert "--worker-memory" in outcomes["hog"].reason
    assert outcomes["other"] == 9
    assert [type(event) for event in lost if isinstance(event, WorkerLost)] == [WorkerLost]


def test_a_worker_that_never_gets_ready_is_ended_and_another_tried_once(tmp_path):
    started = time.monotonic()
    tasks = [Task("a", {"name": "a", "do": "square", "value": 3})]
    outcomes = run_tasks(
        tasks,
        setup="tests.inference.worker_functions:setup_slow",
        setup_kwargs=[{}],
        on_event=lambda event: None,
        limits=Limits(start_seconds=2),
    )
    words = r"a worker died \(not ready after 2 seconds\) twice while it started"
    with closing(outcomes), pytest.raises(WorkerError, match=words):
        next(outcomes)
    assert 3 < time.monotonic() - started < 25


def test_silence_is_counted_in_looks():
    silence = Silence(3)
    assert [silence.look(1), silence.look(1)] == [False, False]
    silence.heard()
    assert not silence.look(3600), "this process was stopped for an hour: two looks, no more"
    assert silence.look(1)
    assert not Silence(None).look(1)


def test_memory_has_a_limit_only_where_one_is_given():
    assert too_large(Limits(), os.getpid()) is None
    assert "memory" in too_large(Limits(memory_bytes=1), os.getpid())


def test_memory_is_that_of_the_process_and_the_machine():
    code = "import sys; held = b'x' * 200_000_000; print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        assert 200_000_000 < resident_bytes(process.pid) < 260_000_000
        process.stdin.close()
    assert resident_bytes(process.pid) == 0
    assert 0 < usual_memory_bytes() <= (memory_limit_bytes() or 2**60)


def test_a_video_whose_process_hangs_is_reported_and_the_next_one_is_done(tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    # The larger file goes first.
    write_clip(videos / "a.mp4", numbered_frames(40, 96, 64))
    write_clip(videos / "b.mp4", numbered_frames(2, 96, 64))
    before = set(children())
    stopped = []

    def stop(event):
        if isinstance(event, VideoStarted) and event.video == "a.mp4":
            stopped.extend(set(children()) - before)
            for pid in stopped:
                os.kill(pid, signal.SIGSTOP)

    config = ExtractConfig(jobs=1, stall_seconds=5)
    result = run_extract([videos], tmp_path / "out.parquet", config, on_event=stop)
    assert stopped
    entries = {entry.video: entry for entry in result.report.entries}
    assert entries["a.mp4"].status == "failed"
    assert entries["a.mp4"].reason.startswith("no progress for 5 seconds")
    assert (entries["b.mp4"].status, entries["b.mp4"].rows) == ("no_face", 2)
    assert result.exit_code == 3
    assert set(children()) == before, "no process is left"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.parquet", "out.report.json", "videos"]
    # Nothing of it was kept: the next run does the video again, and then all is well.
    again = run_extract([videos], tmp_path / "out.parquet", config)
    assert [entry.status for entry in again.report.entries] == ["no_face", "no_face"]
    assert again.table.num_rows == 42
