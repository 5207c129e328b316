"""The courses of AUs in an extraction, video by video, as arrays; no object per row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from aucli.errors import MediaError, ShapeError
from aucli.series.clock import frame_ends
from aucli.series.course import Signal, TrackCourses
from aucli.sinks.extraction import ExtractedVideo
from aucli.sinks.parquet import read_rows
from aucli.sinks.schema import column_name


@dataclass(frozen=True, eq=False)
class VideoCourses:
    """The tracks of one video, in their order, and the time of its frames with and without faces.

    seconds: of all frames. face_seconds: of the frames with a face. frames: how many were analysed.
    """

    video: str
    subject: str | None
    frames: int
    seconds: float
    face_seconds: float
    tracks: tuple[TrackCourses, ...]


def column_of(signal: Signal) -> str:
    """The column in the extraction that holds a signal."""
    return f"{column_name(signal.au)}_{'prob' if signal.measure == 'probability' else 'int'}"


def read_courses(
    video: ExtractedVideo, signals: Sequence[Signal], *, with_invalid: bool = False
) -> VideoCourses:
    """All tracks of a video. Only the columns of the signals are read, the rows of this video only.

    with_invalid: also take values of faces that are not `valid`; else they are unknown.

    Raises:
        MediaError: the file is damaged, has been changed since it was opened, or lacks a column.
    """
    wanted = ["frame", "time_s", "track", "valid", *(column_of(signal) for signal in signals)]
    try:
        with pq.ParquetFile(video.file) as file:
            rows = pa.Table.from_batches(
                list(read_rows(file, video.start, video.start + video.rows, columns=wanted))
            ).combine_chunks()
        return _courses(video, rows, tuple(signals), with_invalid=with_invalid)
    except (OSError, pa.ArrowException, KeyError, ValueError, ShapeError) as error:
        raise MediaError(f"{video.file}: its rows cannot be read ({error})") from error


def _courses(
    video: ExtractedVideo, rows: pa.Table, signals: tuple[Signal, ...], *, with_invalid: bool
) -> VideoCourses:
    frames, times = rows["frame"].to_numpy().astype(np.int64), rows["time_s"].to_numpy()
    # Rows lie in the order of frames, so each frame's first row gives its time.
    first, frame_of_row = np.unique(frames, return_index=True, return_inverse=True)[1:]
    ends = frame_ends(times[first])
    shown = ends - times[first]
    tracks = rows["track"].fill_null(-1).to_numpy()
    valid = rows["valid"].fill_null(False).to_numpy()
    with_face = np.zeros(len(first), np.bool_)
    with_face[frame_of_row[tracks >= 0]] = True

    by_track = np.argsort(tracks, kind="stable")
    numbers, starts = np.unique(tracks[by_track], return_index=True)
    places = {
        int(number): by_track[start:stop]
        for number, start, stop in zip(numbers, starts, [*starts[1:], len(tracks)], strict=True)
        if number >= 0
    }
    columns = [_floats(rows[column_of(signal)]) for signal in signals]
    if not with_invalid:
        for column in columns:
            column[~valid] = np.nan
    return VideoCourses(
        video.video,
        video.subject,
        frames=len(first),
        seconds=float(shown.sum()),
        face_seconds=float(shown[with_face].sum()),
        tracks=tuple(
            TrackCourses(
                video.video,
                video.subject,
                number,
                frames[place],
                times[place],
                ends[frame_of_row[place]],
                valid[place],
                signals,
                np.array([column[place] for column in columns], np.float32).reshape(len(signals), len(place)),
            )
            for number, place in places.items()
        ),
    )


def _floats(column: Any) -> NDArray[np.float32]:
    """A column as float32 (rows,), NaN for null; a copy that may be changed."""
    return np.array(column.to_numpy(), np.float32)
