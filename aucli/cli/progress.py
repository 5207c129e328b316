"""How a run shows that it lives: bars on a terminal, a line now and then elsewhere; always on stderr.

Each class is a context manager and an event hook: ``with Bars(console) as hook: run(on_event=hook)``.
"""

from __future__ import annotations

import time

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from aucli.cli.names import one_line, shorten
from aucli.datatypes import counted
from aucli.inference.events import (
    Event,
    RunStarted,
    VideoFinished,
    VideoProgress,
    VideoStarted,
    WorkerLost,
)


class _Counts:
    """Sums over the events of a run; a video that is started again after a crash counts once."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.videos = self.done = self.problems = self.frames = 0
        self._frames: dict[str, int] = {}  # of the videos in work

    def add(self, event: Event) -> None:
        match event:
            case RunStarted():
                self.videos, self.done = event.videos, event.reused
                self.started = time.monotonic()
            case VideoProgress():
                self._set_frames(event.video, event.frames)
            case VideoFinished():
                self._set_frames(event.entry.video, event.entry.frames)
                del self._frames[event.entry.video]
                self.done += 1
                self.problems += event.entry.status in ("failed", "partial")

    def _set_frames(self, video: str, frames: int) -> None:
        self.frames += frames - self._frames.get(video, 0)
        self._frames[video] = frames

    @property
    def frames_per_second(self) -> float:
        return self.frames / max(time.monotonic() - self.started, 1e-3)


class Silence:
    """For --quiet."""

    def __enter__(self) -> Silence:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def __call__(self, event: Event) -> None:
        return


class Lines:
    """One plain line every few seconds, for log files and batch systems."""

    def __init__(self, console: Console, *, seconds_between: float = 5.0) -> None:
        self._console = console
        self._seconds_between = seconds_between
        self._counts = _Counts()
        self._printed = time.monotonic()

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def __call__(self, event: Event) -> None:
        self._counts.add(event)
        counts = self._counts
        if isinstance(event, RunStarted):
            devices = ", ".join(event.devices)
            self._print(
                f"{counted(event.videos, 'video')}, {event.reused} done before, {event.model} on {devices}"
            )
        elif isinstance(event, WorkerLost):
            self._print(_lost(event))
        elif time.monotonic() - self._printed >= self._seconds_between:
            problems = f", {counts.problems} with problems" if counts.problems else ""
            self._print(
                f"{counts.done} of {counts.videos} videos{problems}, {counts.frames} frames, "
                f"{counts.frames_per_second:.1f} frames per second"
            )

    def _print(self, line: str) -> None:
        self._printed = time.monotonic()
        self._console.print(f"aucli: {line}", markup=False, highlight=False, soft_wrap=True)


class Bars:
    """One bar for the run and one for each video in work, with speed and time left."""

    def __init__(self, console: Console) -> None:
        self._counts = _Counts()
        self._bars = progress_bars(console)
        self._run = self._bars.add_task("starting", total=None, count="")
        self._videos: dict[str, TaskID] = {}

    def __enter__(self) -> Bars:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def __call__(self, event: Event) -> None:
        self._counts.add(event)
        match event:
            case RunStarted():
                self._bars.update(self._run, description="all videos", total=event.videos)
            case VideoStarted():
                self._close(event.video)  # its worker was lost and it starts again
                self._videos[event.video] = self._bars.add_task(
                    escape(shorten(event.video, 32)), total=event.frames_expected, count=""
                )
            case VideoProgress() if event.video in self._videos:
                self._bars.update(
                    self._videos[event.video], completed=event.frames, count=f"{event.frames:,} frames"
                )
            case VideoFinished():
                self._close(event.entry.video)
            case WorkerLost():
                self._bars.console.print(_lost(event), markup=False, highlight=False)
        counts = self._counts
        # Videos in work count by their share, so that a time left can be told before the first is done.
        shares = [task.percentage / 100 for task in self._bars.tasks if task.id != self._run]
        self._bars.update(
            self._run,
            completed=counts.done + sum(shares),
            count=f"{counts.done} of {counts.videos}, {counts.frames_per_second:.1f} fps",
        )

    def _close(self, video: str) -> None:
        if video in self._videos:
            self._bars.remove_task(self._videos.pop(video))


def progress_for(console: Console, *, quiet: bool = False) -> Silence | Bars | Lines:
    """What fits where the progress goes to."""
    if quiet:
        return Silence()
    return Bars(console) if console.is_terminal else Lines(console)


def progress_bars(console: Console) -> Progress:
    """Bars with a name, a field `count` and times, which go when they are stopped."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,  # the table takes the bars' place
    )


def _lost(event: WorkerLost) -> str:
    return f"{one_line(event.video)}: {event.reason}; {'trying again' if event.retry else 'given up'}"
