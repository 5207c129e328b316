"""The supervisor's side of split videos: their segments as tasks, what becomes of them, one progress each.

A video counts as one: it is started with its first segment and done when all have been stitched. If anything
about its segments is not as it should be, they are thrown away and the video is done whole.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aucli.config import ExtractConfig
from aucli.inference.events import Event, EventHook, SegmentProgress, VideoProgress, VideoStarted, WorkerLost
from aucli.inference.segment_plan import SplitPlan
from aucli.inference.supervisor import Task, TaskFailure, Todo, run_tasks
from aucli.inference.task import SegmentResult, SegmentTask, StitchTask, VideoTask
from aucli.inference.watch import Limits
from aucli.sinks.report import ReportEntry
from aucli.sinks.spool import SPOOL_SUFFIX


@dataclass(eq=False)
class _Video:
    whole: Task
    expected: int  # frames
    waiting: dict[int, Task]  # segments without an outcome, by number
    paths: tuple[Path, ...]
    results: dict[int, SegmentResult] = field(default_factory=dict)
    frames: dict[int, int] = field(default_factory=dict)  # done, by segment
    started: float | None = None
    failure: str | None = None
    is_whole: bool = False


class SplitVideos:
    """Those of one run. `hear` takes the events of its workers, `settle` the outcomes of its tasks."""

    def __init__(self, on_event: EventHook) -> None:
        self._on_event = on_event
        self._videos: dict[str, _Video] = {}  # by key
        self._notes: dict[str, str] = {}  # by key, of those that were not split

    def split(self, whole: Task, plan: SplitPlan) -> list[Task]:
        """The tasks to do in place of the whole one; heavier where there are more pictures to decode."""
        video: VideoTask = whole.payload
        pictures = max(sum(len(segment.stretch.pts) for segment in plan.segments), 1)
        tasks = {}
        for segment in plan.segments:
            path = video.spool_path.with_name(f"{video.key}.{segment.number + 1}{SPOOL_SUFFIX}")
            payload = SegmentTask(video.source, video.key, segment, plan.detect_every, path)
            tasks[segment.number] = Task(
                whole.video, payload, whole.weight * len(segment.stretch.pts) / pictures
            )
        paths = tuple(task.payload.spool_path for task in tasks.values())
        expected = sum(segment.frames for segment in plan.segments)
        self._videos[video.key] = _Video(whole, expected, dict(tasks), paths)
        return list(tasks.values())

    def not_split(self, key: str, why: str) -> None:
        """A video of which the report has to say why it is done whole."""
        self._notes[key] = f"not split: {why}"

    def hear(self, event: Event) -> None:
        """Pass on what workers tell, of segments as of their video."""
        match event:
            case SegmentProgress():
                video = self._videos[event.key]
                if video.started is None:
                    video.started = time.perf_counter()
                    self._on_event(VideoStarted(event.video, video.expected, event.worker))
                video.frames[event.segment] = event.frames
                self._on_event(VideoProgress(event.video, sum(video.frames.values())))
            case WorkerLost(retry=False) if any(
                video.whole.video == event.video and not video.is_whole for video in self._videos.values()
            ):
                self._on_event(replace(event, retry=True))  # the video goes on, as a whole
            case _:
                self._on_event(event)

    def settle(self, task: Task, outcome: Any | TaskFailure, todo: Todo) -> bool:
        """Whether the outcome is that of a video. Else it is that of a part, and what follows is added."""
        match task.payload:
            case SegmentTask() as part:
                self._settle_segment(self._videos[part.key], part.segment.number, outcome, todo)
                return False
            case StitchTask() as stitch if isinstance(outcome, TaskFailure):
                video = self._videos[stitch.video.key]
                video.failure = outcome.reason
                self._do_whole(video, todo)
                return False
        return True

    def finished(self, entry: ReportEntry) -> ReportEntry:
        """The entry as it goes into the report."""
        video = self._videos.get(entry.key)
        if video is not None and video.started is not None:
            seconds = time.perf_counter() - video.started
            entry = replace(entry, wall_seconds=round(seconds, 3), fps=round(entry.frames / seconds, 2))
        note = self._notes.get(entry.key)
        return entry if note is None else replace(entry, notes=(*entry.notes, note))

    def _settle_segment(self, video: _Video, number: int, outcome: Any | TaskFailure, todo: Todo) -> None:
        del video.waiting[number]
        if isinstance(outcome, TaskFailure):
            video.failure = video.failure or outcome.reason
            for other, task in list(video.waiting.items()):
                if todo.drop(task):
                    del video.waiting[other]
        else:
            video.results[number] = outcome
        if video.waiting:
            return
        if video.failure is not None:
            self._do_whole(video, todo)
            return
        segments = tuple(result for _, result in sorted(video.results.items()))
        stitch = StitchTask(video.whole.payload, segments)
        todo.add(replace(video.whole, payload=stitch))

    def _do_whole(self, video: _Video, todo: Todo) -> None:
        for path in video.paths:
            path.unlink(missing_ok=True)
        video.is_whole = True
        video.results.clear()
        self._notes[video.whole.payload.key] = f"done in one piece: {video.failure}"
        todo.add(video.whole)


def split_long(
    tasks: Sequence[Task],
    config: ExtractConfig,
    split: SplitVideos,
    *,
    processes: int,
    reads_clips: bool,
    warm_up_seconds: float,
    limits: Limits,
) -> list[Task]:
    """The tasks with segments in place of long videos, which `split` then takes care of.

    processes: that read packets, one video each. warm_up_seconds: see `media.segments`.
    """
    whole: list[Task] = []
    asked: list[Task] = []
    for task in tasks:
        source = task.payload.source
        if source.remote is not None:
            split.not_split(task.payload.key, "it is fetched from its address, which is done for whole files")
        (asked if source.kind == "video" and source.remote is None else whole).append(task)
    settings = {"config": config, "warm_up_seconds": warm_up_seconds, "reads_clips": reads_clips}
    outcomes = run_tasks(
        asked,
        setup="aucli.inference.segment_plan:set_up",
        setup_kwargs=[settings] * processes,
        on_event=lambda event: None,
        limits=limits,
    )
    parts: list[Task] = []
    with closing(outcomes):
        for task, outcome in outcomes:
            if isinstance(outcome, SplitPlan):
                parts += split.split(task, outcome)
                continue
            if isinstance(outcome, TaskFailure):
                split.not_split(task.payload.key, outcome.reason)
            whole.append(task)
    return [*parts, *whole]
