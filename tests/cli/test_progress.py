"""Progress: bars on a terminal, plain lines elsewhere."""

import io
import re

from rich.console import Console

from aucli.cli.names import shorten
from aucli.cli.progress import Bars, Lines
from aucli.inference.events import RunStarted, VideoFinished, VideoProgress, VideoStarted, WorkerLost
from aucli.sinks.report import ReportEntry

LONG = "study [red]/participant_0042/session_3/very_long_name_of_a_recording.mp4"


def console(*, terminal):
    return Console(file=io.StringIO(), force_terminal=terminal, width=100, legacy_windows=False)


def events():
    yield RunStarted(videos=3, reused=1, model="small", devices=("cpu",))
    yield VideoStarted(LONG, frames_expected=200, worker=0)
    yield VideoProgress(LONG, frames=100)
    yield WorkerLost(LONG, reason="its worker was killed by signal 9", retry=True)
    yield VideoStarted(LONG, frames_expected=200, worker=1)
    yield VideoProgress(LONG, frames=50)  # once more from the start: not 150
    yield VideoFinished(ReportEntry(LONG, LONG, "partial", "cut off", rows=90, frames=90, key="a"))
    yield VideoFinished(ReportEntry("b.mp4", "b.mp4", "failed", "empty"))


def test_lines_are_plain_and_say_how_far_the_run_is():
    out = console(terminal=False)
    with Lines(out, seconds_between=0) as hook:
        for event in events():
            hook(event)
    lines = out.file.getvalue().splitlines()
    assert lines[0] == "aucli: 3 videos, 1 done before, small on cpu"
    assert f"aucli: {LONG}: its worker was killed by signal 9; trying again" in lines
    assert re.fullmatch(
        r"aucli: 3 of 3 videos, 2 with problems, 90 frames, [\d.]+ frames per second", lines[-1]
    )
    assert "\x1b" not in out.file.getvalue()


def test_lines_come_seconds_apart():
    out = console(terminal=False)
    with Lines(out) as hook:
        hook(RunStarted(videos=1, reused=0, model="small", devices=("cpu",)))
        for frames in range(1000):
            hook(VideoProgress("a.mp4", frames))
    assert len(out.file.getvalue().splitlines()) == 1


def test_bars_show_each_video_in_work_and_vanish():
    out = console(terminal=True)
    with Bars(out) as hook:
        for event in events():
            hook(event)
            hook._bars.refresh()
            shown = [task.description for task in hook._bars.tasks]
            if isinstance(event, VideoProgress):
                assert len(shown) == 2
                assert shown[0] == "all videos"
        assert shown == ["all videos"]
        assert [task.completed for task in hook._bars.tasks] == [3]
    text = out.file.getvalue()
    assert "trying again" in text
    assert "100 frames" in text
    assert "study [red]" in text  # a name is no markup


def test_long_names_are_shortened_in_the_middle():
    assert shorten("short.mp4", 10) == "short.mp4"
    assert shorten("abcdefghij.mp4", 9) == "abcd….mp4"
    assert len(shorten(LONG, 32)) == 32
    assert shorten(LONG, 32).startswith("study")
    assert shorten(LONG, 32).endswith("recording.mp4")
