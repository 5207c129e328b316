"""The person whom a recording was made of: a track, and those that continue it after a loss of sight."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from aucli.datatypes import Faces
from aucli.faces.track import iou

SMALLEST_IOU = 0.3
"""Overlap with the person's box before or after, from which another track counts as the same person."""


@dataclass
class Sightings:
    """Where each track was seen; filled frame by frame, in order."""

    frames: dict[int, list[int]] = field(default_factory=dict)
    boxes: dict[int, list[NDArray[np.float32]]] = field(default_factory=dict)

    def add(self, frame: int, faces: Faces) -> None:
        """Note the faces of a frame; they must be tracked."""
        assert faces.tracks is not None
        for track, box in zip(faces.tracks.tolist(), faces.boxes, strict=True):
            self.frames.setdefault(track, []).append(frame)
            self.boxes.setdefault(track, []).append(box)

    def main_person(self) -> tuple[int, ...]:
        """Tracks of the person who is seen in the most frames, in order of time; none if nobody is.

        That is the longest track. A track that never is in a frame with it continues it if, where the two are
        nearest in time, their boxes overlap by `SMALLEST_IOU`; longer tracks are asked first. Equal lengths
        go to the lower number.
        """
        by_length = sorted(self.frames, key=lambda track: (-len(self.frames[track]), track))
        if not by_length:
            return ()
        chosen = [by_length[0]]
        seen = dict(zip(self.frames[chosen[0]], self.boxes[chosen[0]], strict=True))
        waiting = by_length[1:]
        while (more := next((track for track in waiting if self._continues(track, seen)), None)) is not None:
            waiting.remove(more)
            chosen.append(more)
            seen |= dict(zip(self.frames[more], self.boxes[more], strict=True))
        return tuple(sorted(chosen, key=lambda track: self.frames[track][0]))

    def _continues(self, track: int, seen: dict[int, NDArray[np.float32]]) -> bool:
        frames, boxes = self.frames[track], self.boxes[track]
        if any(frame in seen for frame in frames):
            return False
        times = sorted(seen)
        # The nearest moments: the person's last frame before the track, or the first one after it.
        place = bisect_left(times, frames[0])
        gaps = []
        if place:
            gaps.append((frames[0] - times[place - 1], boxes[0], seen[times[place - 1]]))
        after = bisect_left(times, frames[-1])
        if after < len(times):
            gaps.append((times[after] - frames[-1], boxes[-1], seen[times[after]]))
        _, mine, theirs = min(gaps, key=lambda gap: gap[0])
        return float(iou(_centred(mine), _centred(theirs))[0, 0]) >= SMALLEST_IOU


def _centred(box: NDArray[np.float32]) -> NDArray[np.float64]:
    left, top, width, height = box.astype(np.float64)
    return np.array([[left + width / 2, top + height / 2, width, height]])
