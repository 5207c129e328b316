"""Follows persons from frame to frame by overlap and a constant velocity."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from aucli.datatypes import Faces
from aucli.faces.snapshot import KnownPerson

GAP_SECONDS = 1.0  # how long a person may be out of sight and come back as the same track
SMALLEST_IOU = 0.2  # below, two boxes are not taken for one person in the first round
LARGEST_STEP = 0.75  # second round: between box centres, in parts of the box's mean side
LARGEST_GROWTH = 1.6  # second round: ratio of the mean sides
VELOCITY_MEMORY_SECONDS = 0.2  # time constant of the smoothed velocity
VELOCITY_REACH_SECONDS = 0.3  # no one keeps a velocity for longer; prediction stops there


@dataclass
class _Track:
    number: int
    box: NDArray[np.float64]  # centre x, centre y, width, height where last seen
    seen_seconds: float
    velocity: NDArray[np.float64]  # centre, pixels per second

    def predicted(self, pts_seconds: float) -> NDArray[np.float64]:
        ahead = min(pts_seconds - self.seen_seconds, VELOCITY_REACH_SECONDS)
        return np.concatenate([self.box[:2] + ahead * self.velocity, self.box[2:]])

    def see(self, box: NDArray[np.float64], pts_seconds: float) -> None:
        elapsed = pts_seconds - self.seen_seconds
        if elapsed > 0:
            weight = 1.0 - exp(-elapsed / VELOCITY_MEMORY_SECONDS)
            self.velocity += weight * ((box[:2] - self.box[:2]) / elapsed - self.velocity)
        self.box, self.seen_seconds = box, pts_seconds


def _centred(boxes: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = boxes.astype(np.float64)
    return np.concatenate([wide[:, :2] + wide[:, 2:] / 2, wide[:, 2:]], axis=1)


def iou(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union, float64 (n, m), of boxes (n, 4) and (m, 4) as centre, width, height."""
    low = np.maximum((first[:, :2] - first[:, 2:] / 2)[:, None], (second[:, :2] - second[:, 2:] / 2)[None])
    high = np.minimum((first[:, :2] + first[:, 2:] / 2)[:, None], (second[:, :2] + second[:, 2:] / 2)[None])
    common = np.clip(high - low, 0, None).prod(axis=2)
    union = first[:, 2:].prod(axis=1)[:, None] + second[:, 2:].prod(axis=1)[None] - common
    shares: NDArray[np.float64] = common / np.maximum(union, 1e-9)
    return shares


class Tracker:
    """Gives each face the number of its person; numbers count up from 0 in order of appearance.

    Faces are matched to the predicted boxes of known persons by the assignment with the largest total
    overlap; what is left over (fast motion, few frames a second) by the nearest centres. A person not
    seen for `GAP_SECONDS` of stream time, or across a cut, gets a new number. Persons who appear in
    the same frame are numbered from the largest box to the smallest.

    sure_score: a person not known yet must score at least this much, so that what is mistaken for a face
        for a moment is left out; a known person is followed at any score the detector reports.
    max_faces: the most faces kept in a frame: known persons first (the longest known first), then the
        largest boxes. None keeps all.
    """

    def __init__(self, *, sure_score: float = 0.0, max_faces: int | None = None) -> None:
        self._sure_score = sure_score
        self._max_faces = max_faces
        self._tracks: list[_Track] = []
        self._next_number = 0

    @property
    def state(self) -> tuple[tuple[KnownPerson, ...], int]:
        """Who may come back, and the number of the next who is new: all that later answers depend on."""
        persons = tuple(
            KnownPerson(
                track.number,
                tuple(track.box.tolist()),
                track.seen_seconds,
                tuple(track.velocity.tolist()),
            )
            for track in self._tracks
        )
        return persons, self._next_number

    def update(self, faces: Faces, *, cut: bool, pts_seconds: float) -> Faces:
        """The faces of the next frame in time, with `tracks` set, in order of the track number.

        cut: the frame begins a new scene: nobody in it is known.
        """
        self._tracks = [
            track for track in self._tracks if not cut and pts_seconds - track.seen_seconds <= GAP_SECONDS
        ]
        boxes = _centred(faces.boxes)
        owner = self._match(boxes, pts_seconds)
        known = sorted((row for row in range(len(faces)) if row in owner), key=lambda row: owner[row].number)
        new = sorted(
            (row for row in range(len(faces)) if row not in owner and faces.scores[row] >= self._sure_score),
            key=lambda row: (-boxes[row, 2] * boxes[row, 3], boxes[row, 0], boxes[row, 1]),
        )
        kept = (known + new)[: self._max_faces]
        for row in kept:
            if row in owner:
                owner[row].see(boxes[row], pts_seconds)
            else:
                owner[row] = _Track(self._next_number, boxes[row], pts_seconds, np.zeros(2))
                self._next_number += 1
                self._tracks.append(owner[row])
        chosen = faces.select(np.array(kept, dtype=np.int64))
        numbers = np.array([owner[row].number for row in kept], dtype=np.int32)
        return Faces(chosen.boxes, chosen.scores, chosen.landmarks, numbers)

    def _match(self, boxes: NDArray[np.float64], pts_seconds: float) -> dict[int, _Track]:
        """Which track each row belongs to; rows of unknown persons are left out."""
        owner: dict[int, _Track] = {}
        if not self._tracks or not len(boxes):
            return owner
        predicted = np.stack([track.predicted(pts_seconds) for track in self._tracks])
        overlap = iou(predicted, boxes)
        overlap[overlap < SMALLEST_IOU] = 0.0
        for track, row in zip(*linear_sum_assignment(-overlap), strict=True):
            if overlap[track, row] > 0:
                owner[int(row)] = self._tracks[track]
        matched = {track.number for track in owner.values()}
        tracks = [index for index, track in enumerate(self._tracks) if track.number not in matched]
        rows = [row for row in range(len(boxes)) if row not in owner]
        if tracks and rows:
            side_then = np.sqrt(predicted[tracks, 2] * predicted[tracks, 3])[:, None]
            side_now = np.sqrt(boxes[rows, 2] * boxes[rows, 3])[None]
            apart = np.linalg.norm(predicted[tracks, None, :2] - boxes[None, rows, :2], axis=2)
            step = apart / ((side_then + side_now) / 2)
            growth = np.maximum(side_then, side_now) / np.minimum(side_then, side_now)
            far = (step > LARGEST_STEP) | (growth > LARGEST_GROWTH)
            step[far] = 1e6
            for first, second in zip(*linear_sum_assignment(step), strict=True):
                if not far[first, second]:
                    owner[rows[second]] = self._tracks[tracks[first]]
        return owner
