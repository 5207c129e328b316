"""A finished extraction read again: which videos it holds, and the results of one of them frame by frame."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from aucli.errors import InputNotFoundError, MediaError, UsageError
from aucli.sinks.frames import FrameResult, frames_of
from aucli.sinks.metadata import read_metadata
from aucli.sinks.parquet import read_rows
from aucli.sinks.rows import batch_to_rows


@dataclass(frozen=True)
class ExtractedVideo:
    """The rows of one video in an extraction.

    file: Parquet file that holds them, from row `start` on, `rows` of them. video: its name there.
    identity: of the file that they are from, see `identity.content_identity`. card: the model's, as JSON.
    subject: the person named for the video.
    """

    file: Path
    video: str
    start: int
    rows: int
    identity: Mapping[str, Any]
    card: Mapping[str, Any]
    subject: str | None = None

    def frames(self, au_names: tuple[str, ...]) -> Iterator[FrameResult]:
        """The results of its frames, in order; memory does not grow with their number.

        au_names: the AUs of the card, in its order.

        Raises:
            MediaError: the file is damaged or has been changed since it was opened.
        """
        try:
            with pq.ParquetFile(self.file) as file:
                for batch in _whole_frames(read_rows(file, self.start, self.start + self.rows)):
                    yield from frames_of(batch_to_rows(batch, au_names))
        except (OSError, pa.ArrowException, KeyError, ValueError) as error:
            raise MediaError(f"{self.file}: its rows cannot be read ({error})") from error

    def digest(self) -> str:
        """SHA-256 of its rows, names left out; the same wherever in a file they lie.

        Raises:
            MediaError: they cannot be read.
        """
        columns: dict[str, Any] = {}
        try:
            with pq.ParquetFile(self.file) as file:
                for batch in read_rows(file, self.start, self.start + self.rows):
                    for name, column in zip(batch.schema.names, batch.columns, strict=True):
                        if name not in ("video", "subject"):
                            numbers = column.cast(pa.float64()).to_numpy(zero_copy_only=False)  # null: NaN
                            columns.setdefault(name, hashlib.sha256()).update(numbers.tobytes())
        except (OSError, pa.ArrowException) as error:
            raise MediaError(f"{self.file}: its rows cannot be read ({error})") from error
        parts = "".join(f"{name} {columns[name].hexdigest()}\n" for name in sorted(columns))
        return hashlib.sha256(parts.encode()).hexdigest()


def read_extraction(path: Path) -> list[ExtractedVideo]:
    """The videos in a Parquet file that `extract` wrote, or in all such files of its output folder.

    Raises:
        InputNotFoundError: nothing is there.
        UsageError: not the output of `extract`, or of a version that did not record which files it read.
    """
    if not path.exists():
        raise InputNotFoundError(f"{path}: does not exist; give the Parquet file that extract wrote")
    files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    videos = [video for file in files for video in _videos_in(file)]
    if not videos:
        raise UsageError(f"{path}: holds no rows of any video")
    return videos


def _videos_in(file: Path) -> list[ExtractedVideo]:
    try:
        metadata, rows_there = read_metadata(pq.read_schema(file)), pq.read_metadata(file).num_rows
        if metadata is None:
            raise KeyError("aucli")
        found, start = [], 0
        for entry in metadata["videos"]:
            rows = int(entry["rows"])
            found.append(
                ExtractedVideo(
                    file,
                    str(entry["video"]),
                    start,
                    rows,
                    entry["input"],
                    metadata["card"],
                    entry.get("subject"),
                )
            )
            start += rows
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"{file}: is not the output of aucli extract, or of an older one; run extract again"
        ) from error
    if start != rows_there:
        raise UsageError(f"{file}: has {rows_there} rows where its videos have {start}; run extract again")
    return found


def find_video(
    videos: Sequence[ExtractedVideo], path: Path, name: str, identity: Mapping[str, Any]
) -> ExtractedVideo:
    """The rows that were extracted from this file, whatever it was called then.

    path: of the file; name: under which it would be extracted; identity: of its content.

    Raises:
        MediaError: rows of no such file; names both identities where a video of that name is there.
    """
    same = [video for video in videos if video.identity == identity]
    if same:
        # The same content twice, or several windows of one file: the name decides.
        return next((video for video in same if video.video == name), same[0])
    of_that_name = next((video for video in videos if Path(video.video).name == path.name), None)
    if of_that_name is None:
        names = ", ".join(video.video for video in videos[:3]) + (", ..." if len(videos) > 3 else "")
        raise MediaError(
            f"{path}: {_described(identity)}: there are no rows of it, only of {names}; run extract on it"
        )
    raise MediaError(
        f"{path}: is not the file that was extracted: it has {_described(identity)}, the rows are of "
        f"{_described(of_that_name.identity)}; run extract again"
    )


def _described(identity: Mapping[str, Any]) -> str:
    digest = str(identity.get("samples_sha256", identity.get("sha256", "")))[:12]
    return f"{identity.get('size', 0):,} bytes, SHA-256 {digest}..."


def _whole_frames(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows, in batches that never end within a frame."""
    begun: pa.RecordBatch | None = None
    for batch in batches:
        rows = batch if begun is None else pa.concat_batches([begun, batch])
        frames = rows.column("frame").to_numpy()
        last = int(np.searchsorted(frames, frames[-1]))
        if last:
            yield rows.slice(0, last)
        begun = rows.slice(last)
    if begun is not None:
        yield begun
