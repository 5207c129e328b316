"""Which of the decoded frames are processed.

Times are the stream's own: second 0 is PTS 0 of the stream, wherever its first frame lies. A transport
stream that begins at 1.4 s has no frame before `--end 1`.
"""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction
from typing import Literal

from aucli.datatypes import Selection, Source
from aucli.errors import MediaError, UsageError


def window_of(source: Source, selection: Selection) -> Selection:
    """The selection with the start and end that a list.csv gives for this source, where it does.

    Raises:
        MediaError: together they leave nothing (`end` of one before `start` of the other).
    """
    given = {
        name: value
        for name in ("start_seconds", "end_seconds")
        if (value := getattr(source, name)) is not None
    }
    try:
        return dataclasses.replace(selection, **given)
    except UsageError as error:
        raise MediaError(f"{source.path}: the times of its list do not fit the command's: {error}") from error


def selected_rate(frame_rate: Fraction | None, selection: Selection) -> float | None:
    """Frames per second that remain of a stream's average rate; None where it has none."""
    if frame_rate is None:
        return None
    rate = float(frame_rate) / selection.every
    return rate if selection.fps is None else min(rate, selection.fps)


class FrameChooser:
    """Decides on each frame in turn, exactly: times are fractions.

    The window is start <= time < end. `every` N takes the first frame inside the window and each Nth
    decoded one after it. `fps` F takes the first frame at or after each tick of 1/F s; ticks begin at the
    start of the window, or at its first frame where no start is given. So a frame is never taken twice,
    and a video with fewer than F frames a second is taken whole.
    """

    def __init__(self, selection: Selection) -> None:
        self._start = _exact(selection.start_seconds)
        self._end = _exact(selection.end_seconds)
        self._fps = _exact(selection.fps)
        self._every = selection.every
        self._inside = 0
        self._taken = 0
        self._tick = -1
        self._last_seconds: Fraction | None = None

    def decide(self, seconds: Fraction) -> Literal["take", "leave", "stop"]:
        """`stop`: this frame and all after it are beyond the end."""
        if self._end is not None and seconds >= self._end:
            return "stop"
        self._last_seconds = seconds
        if self._start is not None and seconds < self._start:
            return "leave"
        if self._inside == 0 and self._start is None:
            self._start = seconds
        taken = self._is_due(seconds)
        self._inside += 1
        self._taken += taken
        return "take" if taken else "leave"

    def _is_due(self, seconds: Fraction) -> bool:
        if self._fps is None:
            return self._inside % self._every == 0
        assert self._start is not None
        tick = math.floor((seconds - self._start) * self._fps)
        due = tick > self._tick
        self._tick = tick
        return due

    @property
    def note(self) -> str | None:
        """Says so when no frame was taken: the report shows it beside a video without rows."""
        if self._taken:
            return None
        if self._last_seconds is None:
            return f"no frame lies before {_text(self._end)} s, where the window ends"
        return f"no frame lies in the window; the last one before its end is at {_text(self._last_seconds)} s"


def _exact(value: float | None) -> Fraction | None:
    """The number as typed: 0.2 is 1/5, not the binary number a little above it."""
    return None if value is None else Fraction(repr(float(value)))


def _text(seconds: Fraction | None) -> str:
    return f"{float(seconds or 0):.3f}"
