"""The stage from frames to faces: detection, cuts, tracks, and the frames in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from aucli.datatypes import Faces, Frame
from aucli.faces.cuts import CutFinder
from aucli.faces.detect.protocol import Detector
from aucli.faces.snapshot import Snapshot, SnapshotLog
from aucli.faces.track import Tracker

Timer = Callable[[str], AbstractContextManager[object]]

REFIT_SCORE = 0.7  # smallest score at which a re-fitted face is believed, as in a full detection
REFIT_SHIFT = 0.5  # largest move of a re-fitted box's centre, in parts of its width


@dataclass
class _Marked:
    frame: Frame
    cut: bool  # nobody in it can be known from before
    detect: bool  # a full detection is run on it
    faces: Faces | None = None


def find_faces(
    frames: Iterator[Frame],
    detector: Detector,
    *,
    detect_every: int = 1,
    max_faces: int | None = None,
    batch_frames: int = 8,
    timer: Timer = nullcontext,
    filled_from: int = 0,
    snapshots: SnapshotLog | None = None,
) -> Iterator[tuple[Frame, Faces]]:
    """Yields every frame, in order, with its faces and their tracks.

    detect_every: a full detection on each Nth frame, counted from the first, and on the frames before
        and after a cut or a change of size and on the last one, so that skipped frames always lie
        between two detections. Cuts do not begin the count anew, so that who starts in the middle of a video,
        at a multiple of N, detects in the same frames. In a skipped frame the detector looks again at the
        straight line between the boxes of the two detections (`Detector.refit`); where it finds no face
        there, or cannot look again, box and landmarks are taken from the straight line itself. A person
        found in only one of the two detections is followed from there as long as the re-fit succeeds.
    max_faces: see `Tracker`.
    batch_frames: frames that go to the detector together. Bounds the memory (at most `batch_frames +
        detect_every` frames are held) and never changes a value.
    timer: called with `"detect"`, `"refit"` (frames in between) and `"track"` (cuts too), gives a context
        manager around that work.
    filled_from: skipped frames between two detections that both lie before the frame with this index come
        without faces.
    snapshots: what is known at some frames, to be taken on the way.
    """
    tracker = Tracker(sure_score=detector.sure_score, max_faces=max_faces)
    waiting: list[_Marked] = []  # the last detection and the skipped frames after it
    for batch in _batches(_mark(frames, detect_every, timer, snapshots), batch_frames):
        with timer("detect"):
            _detect(detector, batch)
        for marked in batch:
            waiting.append(marked)
            if marked.faces is None:
                continue
            with timer("track"):
                seconds = marked.frame.pts_seconds
                marked.faces = tracker.update(marked.faces, cut=marked.cut, pts_seconds=seconds)
            index = marked.frame.index
            if snapshots is not None and index in snapshots.at:
                persons, next_number = tracker.state
                snapshots.taken[index] = Snapshot(index, persons, next_number, snapshots.scenes.pop(index))
            if len(waiting) > 2 and index > filled_from:
                with timer("refit"):
                    _fill(detector, waiting, max_faces)
            yield from ((done.frame, done.faces or Faces.none()) for done in waiting[:-1])
            waiting = [marked]
    yield from ((done.frame, done.faces or Faces.none()) for done in waiting)


def _mark(
    frames: Iterator[Frame], detect_every: int, timer: Timer, snapshots: SnapshotLog | None
) -> Iterator[_Marked]:
    """Finds the cuts and decides where to detect; one frame behind, to know the last before a cut."""
    cuts = CutFinder()
    held: _Marked | None = None
    for position, frame in enumerate(frames):
        resized = held is not None and held.frame.pixels.shape != frame.pixels.shape
        with timer("track"):
            breaks = cuts.update(frame.pixels) or resized
        if snapshots is not None and frame.index in snapshots.at:
            snapshots.scenes[frame.index] = cuts.state
        if held is not None:
            held.detect = held.detect or breaks
            yield held
        held = _Marked(frame, cut=breaks, detect=breaks or position % detect_every == 0)
    if held is not None:
        held.detect = True
        yield held


def _batches(marked: Iterator[_Marked], batch_frames: int) -> Iterator[list[_Marked]]:
    """Groups of frames of one size."""
    batch: list[_Marked] = []
    for one in marked:
        if batch and (len(batch) == batch_frames or batch[0].frame.pixels.shape != one.frame.pixels.shape):
            yield batch
            batch = []
        batch.append(one)
    if batch:
        yield batch


def _detect(detector: Detector, batch: list[_Marked]) -> None:
    looked_at = [marked for marked in batch if marked.detect]
    if looked_at:
        found = detector.detect(torch.stack([marked.frame.pixels for marked in looked_at]))
        for marked, faces in zip(looked_at, found, strict=True):
            marked.faces = faces


def _fill(detector: Detector, span: list[_Marked], max_faces: int | None) -> None:
    """Sets the faces of the frames between the first and the last of a span, which are detected."""
    before, after = span[0].faces, span[-1].faces
    assert before is not None
    assert after is not None
    tracks_before, tracks_after = _tracks(before), _tracks(after)
    numbers = np.union1d(tracks_before, tracks_after)
    skipped = span[1:-1]
    if not len(numbers):
        return
    start, end = span[0].frame.pts_seconds, span[-1].frame.pts_seconds
    line = [
        _between(before, after, numbers, _part(marked.frame.pts_seconds, start, end)) for marked in skipped
    ]
    both = np.isin(numbers, tracks_before) & np.isin(numbers, tracks_after)
    believed = np.zeros((len(skipped), len(numbers)), dtype=bool)
    refitted = line
    if detector.can_refit:
        pictures = torch.stack([marked.frame.pixels for marked in skipped])
        refitted = detector.refit(pictures, [faces.boxes for faces in line])
        believed = np.stack([_believe(new, old) for new, old in zip(refitted, line, strict=True)])
    # Followed from the side where the person was found, up to the first failure.
    leaves, comes = ~np.isin(numbers, tracks_after), ~np.isin(numbers, tracks_before)
    unbroken = np.logical_and.accumulate(believed, axis=0) & leaves
    unbroken |= np.logical_and.accumulate(believed[::-1], axis=0)[::-1] & comes
    for index, marked in enumerate(skipped):
        seen = believed[index]
        new, old = refitted[index], line[index]
        merged = Faces(
            np.where(seen[:, None], new.boxes, old.boxes),
            new.scores,
            np.where(seen[:, None, None], new.landmarks, old.landmarks),
            numbers.astype(np.int32),
        )
        rows = np.flatnonzero(both | unbroken[index])
        marked.faces = merged.select(rows[:max_faces])


def _tracks(faces: Faces) -> NDArray[np.int32]:
    assert faces.tracks is not None
    return faces.tracks


def _part(seconds: float, start: float, end: float) -> float:
    return (seconds - start) / (end - start) if end > start else 0.5


def _between(before: Faces, after: Faces, numbers: NDArray[np.int32], part: float) -> Faces:
    """Faces of these tracks at a point in time between; where only one side has it, as it is there."""
    sides = []
    for one, other in ((before, after), (after, before)):
        row = {int(number): index for index, number in enumerate(_tracks(one))}
        other_row = {int(number): index for index, number in enumerate(_tracks(other))}
        sides.append(
            [
                (one, row[int(number)]) if int(number) in row else (other, other_row[int(number)])
                for number in numbers
            ]
        )

    def mix(field: str) -> NDArray[np.float32]:
        first, last = (np.stack([getattr(faces, field)[row] for faces, row in side]) for side in sides)
        mixed: NDArray[np.float32] = ((1 - part) * first + part * last).astype(np.float32)
        return mixed

    return Faces(mix("boxes"), mix("scores"), mix("landmarks"), numbers.astype(np.int32))


def _believe(new: Faces, old: Faces) -> NDArray[np.bool_]:
    """Which re-fitted faces are faces, and still near the place where they were looked for."""
    move = np.abs((new.boxes[:, :2] + new.boxes[:, 2:] / 2) - (old.boxes[:, :2] + old.boxes[:, 2:] / 2))
    near = (move <= REFIT_SHIFT * old.boxes[:, 2:]).all(axis=1)
    believed: NDArray[np.bool_] = near & (new.scores >= REFIT_SCORE)
    return believed
