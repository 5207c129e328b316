"""One video's rows as arrays, laid out for drawing: all values of a person lie side by side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from aucli.errors import MediaError
from aucli.sinks.extraction import ExtractedVideo
from aucli.sinks.frames import MAX_INTENSITY
from aucli.sinks.schema import BOX_COLUMNS, column_name


@dataclass(frozen=True, eq=False)
class VideoRows:
    """The frames of one video and the faces in them. Faces lie in the order track, frame.

    au_names: of the values, in FACS order.
    times: float64 (frames,), seconds, not decreasing. indices: int32 (frames,), number of each frame.
    tracks: int32 (tracks,), increasing. bounds: int64 (tracks + 1,): where the faces of each begin and end.
    frame_of: int32 (faces,), place in `times` of a face's frame.
    boxes: float32 (faces, 4), left, top, width, height in pixels of the displayed picture.
    valid: bool (faces,). values: float32 (AUs, faces), probabilities, or fifths of the intensity
    of a model without them; NaN where unknown.
    by_frame: int64 (faces,), the faces in the order frame, track; those of frame f are
        by_frame[first_face[f]:first_face[f + 1]], first_face: int64 (frames + 1,).
    """

    au_names: tuple[str, ...]
    times: NDArray[np.float64]
    indices: NDArray[np.int32]
    tracks: NDArray[np.int32]
    bounds: NDArray[np.int64]
    frame_of: NDArray[np.int32]
    boxes: NDArray[np.float32]
    valid: NDArray[np.bool_]
    values: NDArray[np.float32]
    by_frame: NDArray[np.int64]
    first_face: NDArray[np.int64]

    def __repr__(self) -> str:
        frames, faces = len(self.times), len(self.frame_of)
        return f"VideoRows({frames} frames, {len(self.tracks)} tracks, {faces} faces)"

    def faces_of(self, track: int) -> slice:
        """The faces of a track, in order of time; empty for a track that is not there."""
        place = int(np.searchsorted(self.tracks, track))
        if place == len(self.tracks) or self.tracks[place] != track:
            return slice(0, 0)
        return slice(int(self.bounds[place]), int(self.bounds[place + 1]))

    def stretch(self, start_seconds: float, end_seconds: float) -> tuple[int, int]:
        """Frames [first, last) with a time from `start_seconds` to `end_seconds`, both included."""
        first = int(np.searchsorted(self.times, start_seconds, side="left"))
        return first, max(first, int(np.searchsorted(self.times, end_seconds, side="right")))


def read_video_rows(video: ExtractedVideo, au_names: tuple[str, ...]) -> VideoRows:
    """All rows of a video; only the columns that are drawn are read.

    au_names: in the order in which they are wanted.

    Raises:
        MediaError: the file is damaged or has been changed since it was opened.
    """
    ending, top = ("prob", 1.0) if video.card.get("probabilities", True) else ("int", MAX_INTENSITY)
    shown = [f"{column_name(au)}_{ending}" for au in au_names]
    names = ["frame", "time_s", "track", *BOX_COLUMNS, "valid", *shown]
    try:
        table = _read(video, names)
        return _laid_out(table, au_names, shown, top)
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise MediaError(f"{video.file}: its rows cannot be read ({error})") from error


def _read(video: ExtractedVideo, names: list[str]) -> pa.Table:
    stop = video.start + video.rows
    with pq.ParquetFile(video.file) as file:
        sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        starts = np.concatenate([[0], np.cumsum(sizes)])
        groups = [g for g in range(len(sizes)) if starts[g + 1] > video.start and starts[g] < stop]
        table = file.read_row_groups(groups, columns=names)
    if not groups or table.num_rows < stop - starts[groups[0]]:
        raise ValueError("rows are missing")
    return table.slice(video.start - int(starts[groups[0]]), video.rows)


def _laid_out(table: pa.Table, au_names: tuple[str, ...], shown: list[str], top: float) -> VideoRows:
    frame = table.column("frame").to_numpy()
    has_face = table.column("track").is_valid().to_numpy()
    faces = table if has_face.all() else table.filter(pa.array(has_face))
    new_frame = np.diff(frame, prepend=frame[0] - 1) != 0
    first = np.flatnonzero(new_frame)
    frame_of = (np.cumsum(new_frame)[has_face] - 1).astype(np.int32)
    track_of = faces.column("track").to_numpy().astype(np.int32)
    order = np.argsort(track_of, kind="stable")  # rows come by frame: each track stays in order of time
    by_frame = np.empty(len(order), np.int64)
    by_frame[order] = np.arange(len(order))
    tracks, begins = np.unique(track_of[order], return_index=True)
    values = np.empty((len(au_names), len(order)), np.float32)
    for place, name in enumerate(shown):
        np.take(faces.column(name).to_numpy(), order, out=values[place], mode="clip")
    if top != 1.0:
        values /= np.float32(top)
    boxes = [faces.column(name).to_numpy()[order] for name in BOX_COLUMNS]
    return VideoRows(
        au_names=au_names,
        times=table.column("time_s").to_numpy()[first],
        indices=frame[first],
        tracks=tracks,
        bounds=np.append(begins, len(order)).astype(np.int64),
        frame_of=frame_of[order],
        boxes=np.stack(boxes, axis=1).astype(np.float32),
        valid=faces.column("valid").fill_null(False).to_numpy().astype(np.bool_)[order],
        values=values,
        by_frame=by_frame,
        first_face=np.searchsorted(frame_of, np.arange(len(first) + 1)).astype(np.int64),
    )
