"""What is drawn of a stretch of time: all of it, or where that is too much, the extremes of each pixel.

Least and greatest value per pixel keep every peak, however short (as plotting tools and oscilloscopes
do); a mean would hide a blink in two hours.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aucli.viewer.rows import VideoRows


@dataclass(frozen=True, eq=False)
class Lines:
    """Points of time lines.

    times: float64 (points,), seconds. values: float32 (tracks, AUs, points), NaN where the track is not seen.
    exact: True: a point is a frame; False: two points are a bucket, its least and its greatest values.
    """

    times: NDArray[np.float64]
    values: NDArray[np.float32]
    exact: bool


def lines(
    rows: VideoRows, start_seconds: float, end_seconds: float, *, buckets: int, tracks: Sequence[int]
) -> Lines:
    """The time lines of some tracks between two times, with one frame more on either side.

    buckets: about as many as the drawing has pixels; up to twice as many frames come as they are.
    """
    first, last = rows.stretch(start_seconds, end_seconds)
    first, last = max(0, first - 1), min(len(rows.times), last + 1)
    if last - first <= 2 * buckets:
        values = np.full((len(tracks), len(rows.au_names), last - first), np.nan, np.float32)
        for place, track in enumerate(tracks):
            faces, frames = _faces_between(rows, track, first, last)
            values[place][:, frames - first] = rows.values[:, faces]
        return Lines(rows.times[first:last], values, exact=True)
    edges = _bucket_edges(rows.times[first:last], buckets) + first
    begins = rows.times[edges[:-1]]
    lengths = np.diff(np.append(begins, rows.times[last - 1]))
    times = np.stack([begins + 0.25 * lengths, begins + 0.75 * lengths], axis=1).reshape(-1)
    values = np.full((len(tracks), len(rows.au_names), len(edges) - 1, 2), np.nan, np.float32)
    for place, track in enumerate(tracks):
        faces, frames = _faces_between(rows, track, first, last)
        starts = np.searchsorted(frames, edges)
        seen = starts[1:] > starts[:-1]
        if seen.any():
            mine = rows.values[:, faces]
            values[place][:, seen, 0] = np.fmin.reduceat(mine, starts[:-1][seen], axis=1)
            values[place][:, seen, 1] = np.fmax.reduceat(mine, starts[:-1][seen], axis=1)
    return Lines(times, values.reshape(len(tracks), len(rows.au_names), -1), exact=False)


def presence(rows: VideoRows, *, smallest_share: float) -> list[list[list[float]]]:
    """When each track is seen: per track [from, to] in parts of the video's time, 0 to 1.

    smallest_share: pauses shorter than this part of the time are left out.
    """
    first, last = float(rows.times[0]), float(rows.times[-1])
    frame_seconds = (last - first) / max(len(rows.times) - 1, 1) or 1.0
    begins = (rows.times - first) / (last - first + frame_seconds)
    ends = np.append(begins[1:], 1.0)  # a frame stands until the next
    found = []
    for low, high in itertools.pairwise(rows.bounds.tolist()):
        frames = rows.frame_of[low:high]
        pauses = np.flatnonzero(begins[frames[1:]] - ends[frames[:-1]] >= smallest_share)
        starts = begins[frames[np.append(0, pauses + 1)]]
        stops = ends[frames[np.append(pauses, len(frames) - 1)]]
        found.append(np.stack([starts, stops], axis=1).round(6).tolist())
    return found


def _faces_between(rows: VideoRows, track: int, first: int, last: int) -> tuple[slice, NDArray[np.int32]]:
    """The faces of a track in frames [first, last), and the frame of each."""
    mine = rows.faces_of(track)
    low, high = np.searchsorted(rows.frame_of[mine], [first, last])
    faces = slice(mine.start + int(low), mine.start + int(high))
    return faces, rows.frame_of[faces]


def _bucket_edges(times: NDArray[np.float64], buckets: int) -> NDArray[np.int64]:
    """Frames at which buckets of equal time begin, and the number of frames; empty buckets are left out."""
    limits = np.linspace(times[0], times[-1], buckets, endpoint=False)
    return np.append(np.unique(np.searchsorted(times, limits)), len(times)).astype(np.int64)
