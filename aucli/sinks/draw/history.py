"""What was seen of each person in the last seconds, and a little ahead: what the time line shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aucli.sinks.frames import FrameResult


@dataclass(frozen=True, eq=False)
class Stretch:
    """One person over some frames.

    times: float64 (frames,), seconds, increasing. probabilities: float32 (frames, AUs), NaN where
    unknown. occurrences: bool (frames, AUs).
    """

    times: NDArray[np.float64]
    probabilities: NDArray[np.float32]
    occurrences: NDArray[np.bool_]


class _Trace:
    """Rows of one track, appended at the end and dropped at the start, in arrays that grow as needed."""

    def __init__(self, aus: int) -> None:
        self._start = self._end = 0
        self._times, self._probabilities, self._occurrences = _arrays(256, aus)
        self.area = 0.0  # of the face when last seen, in pixels

    def append(
        self, seconds: float, probabilities: NDArray[np.float32], occurrences: NDArray[np.bool_]
    ) -> None:
        if self._end == len(self._times):
            self._make_room()
        self._times[self._end] = seconds
        self._probabilities[self._end] = probabilities
        self._occurrences[self._end] = occurrences
        self._end += 1

    def _make_room(self) -> None:
        kept, here = slice(self._start, self._end), slice(0, self._end - self._start)
        room = 2 * max(128, here.stop)
        times, probabilities, occurrences = _arrays(room, self._probabilities.shape[1])
        times[here] = self._times[kept]
        probabilities[here] = self._probabilities[kept]
        occurrences[here] = self._occurrences[kept]
        self._times, self._probabilities, self._occurrences = times, probabilities, occurrences
        self._start, self._end = 0, here.stop

    def drop_before(self, seconds: float) -> None:
        self._start += int(np.searchsorted(self._times[self._start : self._end], seconds))

    def between(self, start: float, end: float) -> Stretch:
        first, last = np.searchsorted(self._times[self._start : self._end], [start, end])
        kept = slice(self._start + int(first), self._start + int(last))
        return Stretch(self._times[kept], self._probabilities[kept], self._occurrences[kept])

    def __len__(self) -> int:
        return self._end - self._start


def _arrays(room: int, aus: int) -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.bool_]]:
    return np.zeros(room), np.zeros((room, aus), np.float32), np.zeros((room, aus), np.bool_)


class History:
    """All tracks of one video over a sliding stretch of `seconds`; results come in order of time."""

    def __init__(self, aus: int, seconds: float) -> None:
        self._aus = aus
        self._seconds = seconds
        self._traces: dict[int, _Trace] = {}

    def add(self, result: FrameResult) -> None:
        """Take in the next frame; what is older than `seconds` is forgotten."""
        faces = result.faces
        assert faces.tracks is not None  # results are of tracked faces
        for row, track in enumerate(faces.tracks.tolist()):
            trace = self._traces.setdefault(track, _Trace(self._aus))
            trace.append(result.pts_seconds, result.probabilities[row], result.occurrences[row])
            trace.area = float(faces.boxes[row, 2] * faces.boxes[row, 3])
        for track in list(self._traces):
            self._traces[track].drop_before(result.pts_seconds - self._seconds)
            if not len(self._traces[track]):
                del self._traces[track]

    def between(self, start: float, end: float) -> dict[int, Stretch]:
        """What was seen in start <= time < end, by track; the largest faces first."""
        by_size = sorted(self._traces.items(), key=lambda item: (-item[1].area, item[0]))
        found = ((track, trace.between(start, end)) for track, trace in by_size)
        return {track: stretch for track, stretch in found if len(stretch.times)}
