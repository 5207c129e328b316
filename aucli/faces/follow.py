"""The stage from frames to faces: detection, cuts, tracks, and the frames in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import groupby, islice

import numpy as np
from numpy.typing import NDArray

from aucli.datatypes import Faces, Frame
from aucli.faces.cuts import CutFinder, Look, look_at
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
    batch_pixels: int | None = None,
    looked_at_once: int = 1,
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
    batch_frames, batch_pixels: frames that go to the detector together, fewer if they have more pixels than
        that in all. Bounds the memory (at most `batch_frames + detect_every + looked_at_once` frames are
        held) and never changes a value.
    looked_at_once: frames that are looked at for cuts together; changes no value either.
    timer: called with `"detect"`, `"refit"` (frames in between) and `"track"` (cuts too), gives a context
        manager around that work.
    filled_from: skipped frames between two detections that both lie before the frame with this index come
        without faces.
    snapshots: what is known at some frames, to be taken on the way.
    """
    tracker = Tracker(sure_score=detector.sure_score, max_faces=max_faces)
    waiting: list[_Marked] = []  # the last detection and the skipped frames after it
    marked_frames = _mark(_with_looks(frames, looked_at_once, timer), detect_every, snapshots)
    for batch in _batches(marked_frames, batch_frames, batch_pixels):
        with timer("detect"):
            _detect(detector, batch)
        spans: list[list[_Marked]] = []  # from one detection to the next, both included
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
            spans.append(waiting)
            waiting = [marked]
        with_skipped = [span for span in spans if len(span) > 2 and span[-1].frame.index > filled_from]
        if with_skipped:
            with timer("refit"):
                _fill(detector, with_skipped, max_faces)
        for span in spans:
            yield from ((done.frame, done.faces or Faces.none()) for done in span[:-1])
    yield from ((done.frame, done.faces or Faces.none()) for done in waiting)


def _with_looks(frames: Iterator[Frame], at_once: int, timer: Timer) -> Iterator[tuple[Frame, Look]]:
    """Every frame with what is needed of it to find cuts."""
    while group := list(islice(frames, at_once)):
        for _, of_one_size in groupby(group, lambda frame: frame.pixels.shape):
            some = list(of_one_size)
            with timer("track"):
                looks = look_at([frame.pixels for frame in some])
            yield from zip(some, looks, strict=True)


def _mark(
    frames: Iterator[tuple[Frame, Look]], detect_every: int, snapshots: SnapshotLog | None
) -> Iterator[_Marked]:
    """Finds the cuts and decides where to detect; one frame behind, to know the last before a cut."""
    cuts = CutFinder()
    held: _Marked | None = None
    for position, (frame, look) in enumerate(frames):
        resized = held is not None and held.frame.pixels.shape != frame.pixels.shape
        breaks = cuts.update(look) or resized
        if snapshots is not None and frame.index in snapshots.at:
            snapshots.scenes[frame.index] = cuts.state
        if held is not None:
            held.detect = held.detect or breaks
            yield held
        held = _Marked(frame, cut=breaks, detect=breaks or position % detect_every == 0)
    if held is not None:
        held.detect = True
        yield held


def _batches(
    marked: Iterator[_Marked], batch_frames: int, batch_pixels: int | None
) -> Iterator[list[_Marked]]:
    """Groups of frames of one size."""
    batch: list[_Marked] = []
    most = batch_frames
    for one in marked:
        height, width, _ = one.frame.pixels.shape
        if batch and (len(batch) == most or batch[0].frame.pixels.shape != one.frame.pixels.shape):
            yield batch
            batch = []
        if not batch and batch_pixels is not None:
            most = max(1, min(batch_frames, batch_pixels // (height * width)))
        batch.append(one)
    if batch:
        yield batch


def _detect(detector: Detector, batch: list[_Marked]) -> None:
    looked_at = [marked for marked in batch if marked.detect]
    if looked_at:
        found = detector.detect([marked.frame.pixels for marked in looked_at])
        for marked, faces in zip(looked_at, found, strict=True):
            marked.faces = faces


@dataclass(frozen=True)
class _Line:
    """The skipped frames of a span, and where the faces of its two ends are in them on the straight line."""

    skipped: Sequence[_Marked]
    faces: list[Faces]
    numbers: NDArray[np.int32]  # tracks of either end
    leaves: NDArray[np.bool_]  # those that are not at the later end any more
    comes: NDArray[np.bool_]  # those that were not yet at the earlier one


def _fill(detector: Detector, spans: Sequence[list[_Marked]], max_faces: int | None) -> None:
    """Sets the faces of the frames between the first and the last of each span, which are detected; all
    spans are of one size.
    """
    lines = [line for line in map(_line, spans) if line is not None]
    if not lines:
        return
    on_lines = [faces for line in lines for faces in line.faces]
    refitted = on_lines
    if detector.can_refit:
        pictures = [marked.frame.pixels for line in lines for marked in line.skipped]
        refitted = detector.refit(pictures, [faces.boxes for faces in on_lines])
    start = 0
    for line in lines:
        end = start + len(line.faces)
        _settle(line, refitted[start:end] if detector.can_refit else None, max_faces)
        start = end


def _line(span: list[_Marked]) -> _Line | None:
    """None where there is no face at either end."""
    before, after = span[0].faces, span[-1].faces
    assert before is not None
    assert after is not None
    tracks_before, tracks_after = _tracks(before), _tracks(after)
    numbers = np.union1d(tracks_before, tracks_after)
    if not len(numbers):
        return None
    skipped = span[1:-1]
    start, end = span[0].frame.pts_seconds, span[-1].frame.pts_seconds
    parts = np.array([_part(marked.frame.pts_seconds, start, end) for marked in skipped])
    faces = _between(before, after, numbers, parts)
    return _Line(skipped, faces, numbers, ~np.isin(numbers, tracks_after), ~np.isin(numbers, tracks_before))


def _settle(line: _Line, refitted: list[Faces] | None, max_faces: int | None) -> None:
    """The faces of a line's frames, of what was found there and, where that is not believed, the line."""
    old = _stacked(line.faces)
    new = old if refitted is None else _stacked(refitted)
    believed = np.zeros(old.scores.shape, dtype=bool) if refitted is None else _believe(new, old)
    # Followed from the side where the person was found, up to the first failure.
    unbroken = np.logical_and.accumulate(believed, axis=0) & line.leaves
    unbroken |= np.logical_and.accumulate(believed[::-1], axis=0)[::-1] & line.comes
    kept = unbroken | (~line.leaves & ~line.comes)
    boxes = np.where(believed[..., None], new.boxes, old.boxes)
    landmarks = np.where(believed[..., None, None], new.landmarks, old.landmarks)
    tracks = line.numbers.astype(np.int32)
    for index, marked in enumerate(line.skipped):
        rows = np.flatnonzero(kept[index])[:max_faces]
        marked.faces = Faces(
            boxes[index, rows], new.scores[index, rows], landmarks[index, rows], tracks[rows]
        )


@dataclass(frozen=True)
class _Stacked:
    """The same faces in several frames: boxes (frames, faces, 4), and so on."""

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    landmarks: NDArray[np.float32]


def _stacked(frames: Sequence[Faces]) -> _Stacked:
    return _Stacked(
        np.stack([faces.boxes for faces in frames]),
        np.stack([faces.scores for faces in frames]),
        np.stack([faces.landmarks for faces in frames]),
    )


def _tracks(faces: Faces) -> NDArray[np.int32]:
    assert faces.tracks is not None
    return faces.tracks


def _part(seconds: float, start: float, end: float) -> float:
    return (seconds - start) / (end - start) if end > start else 0.5


def _between(
    before: Faces, after: Faces, numbers: NDArray[np.int32], parts: NDArray[np.float64]
) -> list[Faces]:
    """Faces of these tracks at points in time between; where only one side has one, as it is there."""
    row_before, row_after = (
        {number: row for row, number in enumerate(_tracks(side).tolist())} for side in (before, after)
    )
    first = [(before, row_before[n]) if n in row_before else (after, row_after[n]) for n in numbers.tolist()]
    last = [(after, row_after[n]) if n in row_after else (before, row_before[n]) for n in numbers.tolist()]

    def mixed(field: str) -> NDArray[np.float32]:
        starts, ends = (
            np.stack([getattr(faces, field)[row] for faces, row in side]) for side in (first, last)
        )
        shape = (-1, *[1] * starts.ndim)
        weights = parts.reshape(shape)
        found: NDArray[np.float32] = (1 - weights).astype(np.float32) * starts + weights.astype(
            np.float32
        ) * ends
        return found

    tracks = numbers.astype(np.int32)
    fields = zip(mixed("boxes"), mixed("scores"), mixed("landmarks"), strict=True)
    return [Faces(boxes, scores, landmarks, tracks) for boxes, scores, landmarks in fields]


def _believe(new: _Stacked, old: _Stacked) -> NDArray[np.bool_]:
    """Which re-fitted faces are faces, and still near the place where they were looked for."""
    move = np.abs(
        (new.boxes[..., :2] + new.boxes[..., 2:] / 2) - (old.boxes[..., :2] + old.boxes[..., 2:] / 2)
    )
    near = (move <= REFIT_SHIFT * old.boxes[..., 2:]).all(axis=-1)
    believed: NDArray[np.bool_] = near & (new.scores >= REFIT_SCORE)
    return believed
