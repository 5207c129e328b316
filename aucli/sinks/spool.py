"""The rows of one video while it runs: an Arrow IPC stream, then a Parquet part.

An Arrow stream can be read up to its last whole batch after a kill; an open Parquet file cannot be
read at all. Memory stays bounded whatever the length of the video.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc

from aucli.sinks.atomic import cannot_write
from aucli.sinks.parquet import PART_ROW_GROUP_ROWS, write_parquet

SPOOL_SUFFIX = ".arrows"
FLUSH_ROWS = 1024
FLUSH_SECONDS = 2.0


class Spool:
    """Rows of a running video on disk, handed to the system every 1,024 rows or 2 seconds.

    Raises (all methods):
        OutputError: the disk is full or the folder cannot be written.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path = path
        self.rows = 0
        self._schema = schema
        self._waiting: list[pa.RecordBatch] = []
        self._last_flush = time.monotonic()
        with self._writing():
            # Without a buffer of its own: what was written survives a kill of the process.
            self._file = pa.OSFile(str(path), "wb")
            self._stream = pyarrow.ipc.new_stream(self._file, schema)

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows."""
        self._waiting.append(batch)
        self.rows += batch.num_rows
        waiting_rows = sum(waiting.num_rows for waiting in self._waiting)
        if waiting_rows >= FLUSH_ROWS or time.monotonic() - self._last_flush >= FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Hand all rows so far to the system: they survive a kill of this process."""
        with self._writing():
            if self._waiting:
                self._stream.write_batch(pa.concat_batches(self._waiting))
        self._waiting = []
        self._last_flush = time.monotonic()

    def finish(self, part: Path, change: Callable[[pa.RecordBatch], pa.RecordBatch] | None = None) -> None:
        """Turn the rows into the Parquet file `part`, whole or not at all, and remove the spool.

        change: made to each batch on the way; a frame's rows are never in two batches.
        """
        self.close()
        batches = _batches(self.path)
        _write_part(part, map(change, batches) if change else batches, self._schema)
        self._remove()

    def close(self) -> None:
        """No more rows come; they stay for a `JoinedSpools`."""
        self.flush()
        with self._writing():
            self._stream.close()
            self._file.close()

    def discard(self) -> None:
        """Remove the spool with its rows; for a video that failed."""
        with self._writing():
            self._file.close()
        self._remove()

    def _remove(self) -> None:
        with self._writing():
            self.path.unlink(missing_ok=True)  # its folder may have been removed

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise cannot_write(self.path, error) from error


class JoinedSpools:
    """Closed spools of one video, one after the other, to be finished as one.

    numbers: for each, the numbers of its tracks in the video.
    """

    def __init__(
        self, paths: Sequence[Path], numbers: Sequence[Mapping[int, int]], schema: pa.Schema, rows: int
    ) -> None:
        self.rows = rows
        self._paths = tuple(paths)
        self._numbers = tuple(numbers)
        self._schema = schema

    def finish(self, part: Path, change: Callable[[pa.RecordBatch], pa.RecordBatch] | None = None) -> None:
        """As `Spool.finish`.

        Raises:
            OutputError: the part cannot be written, or a spool not be read.
        """
        batches = self._renumbered()
        _write_part(part, map(change, batches) if change else batches, self._schema)
        self.discard()

    def discard(self) -> None:
        """Remove the spools with their rows."""
        for path in self._paths:
            path.unlink(missing_ok=True)

    def _renumbered(self) -> Iterator[pa.RecordBatch]:
        for path, numbers in zip(self._paths, self._numbers, strict=True):
            for batch in _batches(path):
                yield renumbered(batch, numbers)


def renumbered(batch: pa.RecordBatch, numbers: Mapping[int, int]) -> pa.RecordBatch:
    """The batch with other track numbers, whose order is the same.

    Raises:
        KeyError: a track has no new number.
    """
    place = batch.schema.get_field_index("track")
    tracks = [None if track is None else numbers[track] for track in batch.column(place).to_pylist()]
    return batch.set_column(
        place, batch.schema.field(place), pa.array(tracks, batch.schema.field(place).type)
    )


def recover(path: Path) -> pa.Table:
    """All whole batches of a spool, also of one whose process was killed while writing.

    Raises:
        pyarrow.ArrowInvalid: nothing was flushed yet, or not a spool.
    """
    with pa.memory_map(str(path)) as file, pyarrow.ipc.open_stream(file) as stream:
        batches = []
        while True:
            try:
                batches.append(stream.read_next_batch())
            except (StopIteration, pa.ArrowInvalid, OSError):  # the end, or a batch cut off by the kill
                return pa.Table.from_batches(batches, schema=stream.schema)


def _write_part(part: Path, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> None:
    write_parquet(part, batches, schema, group_rows=PART_ROW_GROUP_ROWS)


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    with pa.OSFile(str(path)) as file, pyarrow.ipc.open_stream(file) as stream:
        yield from stream
