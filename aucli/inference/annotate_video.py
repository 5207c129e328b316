"""One video with its results drawn on it: decode, match, draw, encode, each in a thread of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aucli.datatypes import Frame
from aucli.errors import MediaError
from aucli.inference.prefetch import prefetch
from aucli.inference.timing import UNTIMED, Timer
from aucli.media.tone import Tone
from aucli.sinks.draw.annotator import AHEAD_SECONDS, Annotator
from aucli.sinks.frames import FrameResult

FRAMES_AHEAD = 4  # pictures waiting between two stages: 25 MB each at 4K
RESULTS_AHEAD = 256  # without pictures: they may run ahead of the drawing
LONGEST_HOLD_SECONDS = 1.0

DrawnFrame = tuple[NDArray[np.uint8], int]  # picture (height, width, 3), RGB, and its time stamp


class Matched:
    """The results of a video, matched to its decoded frames one after the other.

    expect: told each result as soon as it is known, up to `AHEAD_SECONDS` before its frame.
    """

    def __init__(
        self, path: Path, results: Iterator[FrameResult], expect: Callable[[FrameResult], None]
    ) -> None:
        self._path, self._results, self._expect = path, results, expect
        self._waiting: deque[FrameResult] = deque()
        self._last: FrameResult | None = None
        self._frames = 0

    def result_of(self, frame: Frame) -> FrameResult | None:
        """What to draw on a frame; frames come in order, each once.

        A frame that was not analysed (`--every 5`) shows the result before it, if another follows within
        `LONGEST_HOLD_SECONDS` of that; else there is nothing to show.

        Raises:
            MediaError: the result with this frame's number is of another time: not of this video.
        """
        self._frames += 1
        self._look_ahead(frame.pts_seconds + AHEAD_SECONDS)
        if self._waiting and self._waiting[0].index == frame.index:
            self._last = self._waiting.popleft()
            if self._last.pts_seconds != frame.pts_seconds:
                raise MediaError(
                    f"{self._path}: the rows are not of this video: frame {frame.index} is shown at "
                    f"{frame.pts_seconds:.6f} s, in the rows at {self._last.pts_seconds:.6f} s; "
                    "run extract again"
                )
            return self._last
        if self._last is None or not self._waiting:
            return None
        pause = self._waiting[0].pts_seconds - self._last.pts_seconds
        return self._last if pause <= LONGEST_HOLD_SECONDS else None

    def finish(self) -> None:
        """To be called after the last frame.

        Raises:
            MediaError: there are results of frames that the video does not have.
        """
        left = self._waiting[0] if self._waiting else next(self._results, None)
        if left is not None:
            raise MediaError(
                f"{self._path}: the rows are not of this video: it has {self._frames} frames, and there "
                f"are rows of frame {left.index}; run extract again"
            )

    def _look_ahead(self, seconds: float) -> None:
        while not self._waiting or self._waiting[-1].pts_seconds <= seconds:
            result = next(self._results, None)
            if result is None:
                return
            self._expect(result)
            self._waiting.append(result)


@dataclass
class Seen:
    """What went by: numbers for the report."""

    frames: int = 0
    faces: int = 0
    tracks: set[int] = field(default_factory=set)
    occurrences: NDArray[np.int64] | None = None  # (AUs,)
    first_seconds: float | None = None
    last_seconds: float = 0.0

    def add(self, frame: Frame, result: FrameResult | None) -> None:
        self.frames += 1
        if self.first_seconds is None:
            self.first_seconds = frame.pts_seconds
        self.last_seconds = frame.pts_seconds
        if result is None or result.index != frame.index:
            return
        assert result.faces.tracks is not None  # results are of tracked faces
        self.faces += len(result.faces)
        self.tracks |= set(result.faces.tracks.tolist())
        counts = result.occurrences.sum(0)
        self.occurrences = counts if self.occurrences is None else self.occurrences + counts


def draw_video(
    path: Path,
    frames: Iterable[Frame],
    results: Iterator[FrameResult],
    annotator: Annotator,
    *,
    tone: Tone | None = None,
    seen: Seen | None = None,
    timer: Timer = UNTIMED,
    threaded: bool = True,
) -> Generator[DrawnFrame, None, None]:
    """Every frame of a video once, with its results drawn on it, and its own time stamp.

    path: for messages. frames: all of the video, in order. results: of some or all of them, in order.
    tone: made to each picture first, for HDR. threaded: decode, analyse and draw in threads of their own;
    the pictures are the same without.

    Raises:
        MediaError: the results are not of these frames.
    """
    seen = seen or Seen()
    decoded = timer.each("decode", frames)
    if threaded:
        decoded, results = prefetch(decoded, FRAMES_AHEAD), prefetch(results, RESULTS_AHEAD)

    def drawn() -> Generator[DrawnFrame, None, None]:
        matched = Matched(path, results, annotator.expect)
        for frame in decoded:
            result = matched.result_of(frame)
            seen.add(frame, result)
            with timer("draw"):
                pixels = np.asarray(frame.pixels.numpy(), np.uint8)
                if tone is not None:
                    pixels = tone(pixels)
                picture = annotator.draw(pixels, frame.index, frame.pts_seconds, result)
            yield picture, frame.pts
        matched.finish()

    pictures = drawn()
    try:
        if threaded:
            with closing(prefetch(pictures, FRAMES_AHEAD)) as ahead:
                yield from ahead
        else:
            yield from pictures
    finally:
        # From the end on: a stage is closed only when nobody takes from it any more.
        for stage in (pictures, decoded, results):
            close = getattr(stage, "close", None)
            if close is not None:
                close()
