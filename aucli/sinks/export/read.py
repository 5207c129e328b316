"""The rows of an extraction, video by video, in one pass over each file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from aucli.errors import MediaError
from aucli.sinks.extraction import ExtractedVideo
from aucli.sinks.parquet import read_rows


@dataclass(frozen=True, eq=False)
class VideoRows:
    """Rows of one video, to be read once and before those of the next.

    extracted: where they come from. schema: of the batches. rows: how many there are.
    """

    extracted: ExtractedVideo
    schema: pa.Schema
    rows: int
    batches: Iterator[pa.RecordBatch]

    @property
    def name(self) -> str:
        """The video's name in the extraction."""
        return self.extracted.video


def read_videos(
    videos: Sequence[ExtractedVideo], columns: Sequence[str] | None = None
) -> Iterator[VideoRows]:
    """The rows of each video, in their order. Neighbours in a file share its row groups.

    columns: only these, all by default. A video whose batches nobody takes is not read.

    Raises:
        MediaError: (also while batches are taken) a file is damaged or was changed since it was opened.
    """
    for neighbours in _neighbours(videos):
        first, last = neighbours[0], neighbours[-1]
        try:
            file = pq.ParquetFile(first.file)
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(first, error) from error
        with file:
            stretch = _Stretch(file, first, last.start + last.rows, columns)
            schema = file.schema_arrow
            if columns is not None:
                schema = pa.schema([schema.field(name) for name in columns])
            for video in neighbours:
                batches = stretch.rows(video.start, video.start + video.rows)
                yield VideoRows(video, schema, video.rows, batches)


class _Stretch:
    """Rows of one file, read forwards only, and only as far as they are asked for."""

    def __init__(
        self, file: pq.ParquetFile, first: ExtractedVideo, stop: int, columns: Sequence[str] | None
    ) -> None:
        self._batches = read_rows(file, first.start, stop, columns=columns)
        self._first = first
        self._position = first.start  # of the next row
        self._left: pa.RecordBatch | None = None  # read already, from that row on

    def rows(self, start: int, stop: int) -> Iterator[pa.RecordBatch]:
        """Rows `start` to `stop` (exclusive); those before are passed over."""
        while self._position < stop:
            batch = self._next()
            passed = min(max(start - self._position, 0), batch.num_rows)
            taken = min(batch.num_rows, max(stop - self._position, 0)) - passed
            self._position += passed + taken
            if passed + taken < batch.num_rows:
                self._left = batch.slice(passed + taken)
            if taken:
                yield batch.slice(passed, taken)

    def _next(self) -> pa.RecordBatch:
        if self._left is not None:
            batch, self._left = self._left, None
            return batch
        try:
            return next(self._batches)
        except StopIteration:
            raise _unreadable(self._first, "rows are missing") from None
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(self._first, error) from error


def _unreadable(video: ExtractedVideo, why: object) -> MediaError:
    return MediaError(f"{video.file}: its rows cannot be read ({why})")


def _neighbours(videos: Sequence[ExtractedVideo]) -> list[list[ExtractedVideo]]:
    """The videos in stretches that lie one behind the other in one file."""
    stretches: list[list[ExtractedVideo]] = []
    for video in videos:
        before = stretches[-1][-1] if stretches else None
        if before is not None and before.file == video.file and before.start + before.rows == video.start:
            stretches[-1].append(video)
        else:
            stretches.append([video])
    return stretches
