"""Many short stretches of rows out of a few Parquet files, as when the videos of two runs are interleaved.

Each read of its own would parse the file's footer, which names all videos, and decode a whole row group for a
few rows: quadratic in the number of videos.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

FILES_KEPT = 8  # each with one decoded row group, some 30 MB
_READ_ROWS = 16_384


class StretchReader:
    """Reads rows by file and place; a context manager. What was read in part stays open for the next stretch.

    Raises (on reading):
        OSError, pyarrow.ArrowInvalid: a file cannot be read.
    """

    def __init__(self) -> None:
        self._files: dict[Path, _File] = {}  # the one used last comes last

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for file in self._files.values():
            file.close()

    def read(self, path: Path, start: int, stop: int) -> Iterator[pa.RecordBatch]:
        """Rows `start` to `stop` (exclusive) of a file in batches; decodes only their row groups."""
        file = self._files.pop(path, None) or _File(path)
        self._files[path] = file
        yield from file.rows(start, stop)
        if start == 0 and stop == file.starts[-1]:  # nothing is left in it
            self._files.pop(path).close()
        elif len(self._files) > FILES_KEPT:
            self._files.pop(next(iter(self._files))).close()


class _File:
    """An open file, with the row group that was last read in part."""

    def __init__(self, path: Path) -> None:
        self._file = pq.ParquetFile(path)
        metadata = self._file.metadata
        groups = (metadata.row_group(group).num_rows for group in range(metadata.num_row_groups))
        self.starts = list(accumulate(groups, initial=0))  # first row of each group; last, that of the end
        self._kept: tuple[int, pa.Table] | None = None

    def rows(self, start: int, stop: int) -> Iterator[pa.RecordBatch]:
        position = start
        while position < stop:
            group = bisect_right(self.starts, position) - 1
            first, end = self.starts[group], self.starts[group + 1]
            if position == first and end <= stop:  # nothing of it is needed again
                yield from self._file.iter_batches(batch_size=_READ_ROWS, row_groups=[group])
            else:
                yield from self._group(group).slice(position - first, min(stop, end) - position).to_batches()
            position = end

    def _group(self, group: int) -> pa.Table:
        if self._kept is None or self._kept[0] != group:
            self._kept = None  # before the next one is decoded
            self._kept = group, self._file.read_row_group(group)
        return self._kept[1]

    def close(self) -> None:
        self._file.close()
