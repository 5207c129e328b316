"""What a run tells whoever watches it (progress display, logs); the run never waits for an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aucli.inference.timing import StageTimes
from aucli.sinks.report import ReportEntry


@dataclass(frozen=True)
class RunStarted:
    """The plan: `videos` inputs, of which `reused` are already finished."""

    videos: int
    reused: int
    model: str
    devices: tuple[str, ...]


@dataclass(frozen=True)
class VideoStarted:
    """A worker opened a video; `frames_expected` is what the header claims, where it claims any."""

    video: str
    frames_expected: int | None
    worker: int


@dataclass(frozen=True)
class VideoProgress:
    """`frames` frames of the video are done, counted from its start."""

    video: str
    frames: int


@dataclass(frozen=True)
class VideoFinished:
    """An input is done, well or not."""

    entry: ReportEntry


@dataclass(frozen=True)
class WorkerLost:
    """The process on this video died; with `retry` the video goes to a fresh one."""

    video: str
    reason: str
    retry: bool


@dataclass(frozen=True)
class StagesTimed:
    """What a worker's stages took since it last told; only with `--profile`."""

    worker: int
    device: str
    times: StageTimes


@dataclass(frozen=True)
class SegmentProgress:
    """From a worker to the run alone, which sums up: `frames` frames of this segment of a video are done."""

    video: str
    key: str
    segment: int
    frames: int
    worker: int


Event = RunStarted | VideoStarted | VideoProgress | VideoFinished | WorkerLost | StagesTimed | SegmentProgress
EventHook = Callable[[Event], None]
