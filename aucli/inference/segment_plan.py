"""Which videos of a run are split, and where: asked before the run, of processes that have no network.

Their own processes, because a file that makes FFmpeg crash or hang must not end the run. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aucli.config import ExtractConfig
from aucli.errors import MediaError, SplitError
from aucli.faces.detect_every import detect_every_for
from aucli.inference.events import EventHook, VideoProgress
from aucli.inference.task import VideoTask
from aucli.media.decode.choose import selected_rate, window_of
from aucli.media.segments import Segment, divide, is_long, scan_packets

CLIP_CONTEXT = 7
"""Frames on both sides on which a network that reads clips depends; `aucli_models.mdhr.HALO`, by a test."""


@dataclass(frozen=True, eq=False)
class SplitPlan:
    """How one video is split. detect_every: for which the plan was made."""

    segments: tuple[Segment, ...]
    detect_every: int


def set_up(
    config: ExtractConfig, warm_up_seconds: float, *, reads_clips: bool
) -> Callable[[VideoTask, EventHook], SplitPlan | None]:
    """Returns the function that plans one video: None where it is not long, or not a video that can be read;
    a SplitError says why a long one is not split.
    """
    assert config.segment_minutes is not None  # else nobody asks
    longest_seconds = 60 * config.segment_minutes

    def plan(task: VideoTask, send: EventHook) -> SplitPlan | None:
        source = task.source
        try:
            window = window_of(source, config.selection)
            if not is_long(source.path, window, longest_seconds):
                return None
            _refuse_whole_only(config, reads_clips=reads_clips)
            scan = scan_packets(source.path, lambda: send(VideoProgress(source.name, 0)))
        except MediaError:
            return None  # the run says so
        rate = selected_rate(scan.frame_rate, config.selection)
        detect_every = config.detect_every or detect_every_for(rate)
        segments = divide(
            scan,
            window,
            longest_seconds,
            detect_every=detect_every,
            context_frames=CLIP_CONTEXT if reads_clips else 0,
            warm_up_seconds=warm_up_seconds,
        )
        return SplitPlan(tuple(segments), detect_every) if segments else None

    return plan


def _refuse_whole_only(config: ExtractConfig, *, reads_clips: bool) -> None:
    if config.decoder == "decord":
        raise SplitError("decord reads a video from its start only")
    if reads_clips and config.clips == "official":
        raise SplitError("with --clips official the clips are counted from the beginning of each track")
