"""Events: when an AU sets in, is strongest and ends.

An event begins with the first frame at or above one threshold and ends with the last frame before the value
falls below a second, lower one (hysteresis, after Schmitt 1938), so that a value that hovers about the
threshold is one event, not many. Then events that are separated by a short pause are joined, and after that
those that are too short are dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aucli.errors import ShapeError, UsageError
from aucli.series.clock import frame_ends

_TOLERANCE_SECONDS = 1e-6  # three frames of a 30th of a second are no less than 0.1 s


@dataclass(frozen=True)
class EventSettings:
    """How values become events.

    enter, leave: shares of the AU's threshold at which an event begins and below which it ends.
    min_duration_seconds: shorter events are dropped.
    max_gap_seconds: pauses up to this are bridged, whether the value was low there or unknown (no face, a
        missing frame). After a longer time without a value an event has ended and another begins.

    Raises:
        UsageError: `leave` above `enter`, or a number out of range.
    """

    enter: float = 1.0
    leave: float = 0.7
    min_duration_seconds: float = 0.1
    max_gap_seconds: float = 0.2

    def __post_init__(self) -> None:
        if not 0 < self.leave <= self.enter:
            raise UsageError(
                f"an event is entered at {self.enter:g} and left at {self.leave:g} times the threshold: "
                "both must be above 0, and leave at most enter"
            )
        for name in ("min_duration_seconds", "max_gap_seconds"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise UsageError(f"{name} {getattr(self, name):g}: must be a number of seconds, 0 or more")

    def to_json(self) -> dict[str, Any]:
        """What is written beside the events."""
        return {
            "enter_times_threshold": self.enter,
            "leave_times_threshold": self.leave,
            "min_duration_seconds": self.min_duration_seconds,
            "max_gap_seconds": self.max_gap_seconds,
        }


@dataclass(frozen=True)
class Event:
    """One appearance of an AU.

    onset_seconds: time of its first frame. apex_seconds: of the first frame with the highest value.
    offset_seconds: when its last frame gives way to the next one. peak: the value at the apex.
    cut_start, cut_end: already on in the first frame with a value, or still on in the last one (of the track,
        or beside a gap too long to bridge): it may have begun earlier, or have lasted longer.
    onset_index, apex_index, last_index: positions of the first, highest and last frame in the arrays given.
    """

    onset_seconds: float
    apex_seconds: float
    offset_seconds: float
    peak: float
    cut_start: bool = False
    cut_end: bool = False
    onset_index: int = 0
    apex_index: int = 0
    last_index: int = 0

    @property
    def duration_seconds(self) -> float:
        """From onset to offset."""
        return self.offset_seconds - self.onset_seconds


def find_events(
    times_seconds: NDArray[np.float64],
    values: NDArray[np.floating[Any]],
    threshold: float,
    *,
    settings: EventSettings | None = None,
    ends_seconds: NDArray[np.float64] | None = None,
) -> list[Event]:
    """The events in the course of one AU of one track, in order; they never overlap.

    times_seconds: float64 (frames,), strictly increasing, as the stream has them; frames may be missing.
    values: float (frames,), probability or intensity; NaN where unknown.
    threshold: from which the AU counts as present, above 0.
    settings: `EventSettings()` by default.
    ends_seconds: float64 (frames,), when each frame gives way to the next frame of the video. Needed where
        the track is not seen in each of them; by default what `clock.frame_ends` makes of `times_seconds`.

    Raises:
        ShapeError: arrays of different lengths, or times that do not increase.
        UsageError: a threshold that is not above 0.
    """
    settings = settings or EventSettings()
    if not 0 < threshold < float("inf"):
        raise UsageError(f"threshold {threshold:g}: must be a number above 0")
    ends = frame_ends(times_seconds) if ends_seconds is None else ends_seconds
    if times_seconds.shape != values.shape or ends.shape != values.shape:
        raise ShapeError(
            "times, values and ends must have one shape, "
            f"got {times_seconds.shape}, {values.shape}, {ends.shape}"
        )
    known = np.flatnonzero(~np.isnan(values))
    if not len(known):
        return []
    times, ends, levels = times_seconds[known], ends[known], values[known]
    if not (np.diff(times) > 0).all():
        raise ShapeError("the times of frames must increase from one to the next")
    gap = settings.max_gap_seconds + _TOLERANCE_SECONDS
    after_hole = np.append(True, times[1:] - ends[:-1] > gap)
    active = _hysteresis(levels, threshold * settings.enter, threshold * settings.leave, after_hole)

    before = np.append(False, active[:-1]) & ~after_hole
    behind = np.append(active[1:] & ~after_hole[1:], False)
    first, last = np.flatnonzero(active & ~before), np.flatnonzero(active & ~behind)
    apart = times[first[1:]] - ends[last[:-1]] > gap
    first, last = first[np.append(True, apart)[: len(first)]], last[np.append(apart, True)[: len(last)]]
    long = ends[last] - times[first] >= settings.min_duration_seconds - _TOLERANCE_SECONDS

    before_hole = np.append(after_hole[1:], True)
    found = []
    for start, stop in zip(first[long].tolist(), last[long].tolist(), strict=True):
        apex = start + int(np.argmax(levels[start : stop + 1]))
        found.append(
            Event(
                float(times[start]),
                float(times[apex]),
                float(ends[stop]),
                float(levels[apex]),
                bool(after_hole[start]),
                bool(before_hole[stop]),
                *(int(known[place]) for place in (start, apex, stop)),
            )
        )
    return found


def _hysteresis(
    levels: NDArray[np.floating[Any]], enter: float, leave: float, after_hole: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Whether each frame is in an event, bool (frames,): between the thresholds it is as the one before.

    Nothing is carried over a hole. Thresholds are compared in the precision of the values, as extract does.
    """
    rises = levels >= levels.dtype.type(enter)
    decided = rises | (levels < levels.dtype.type(leave)) | after_hole
    return np.asarray(rises[np.maximum.accumulate(np.where(decided, np.arange(len(levels)), 0))], np.bool_)
