"""Parquet files of the output: row groups of a fixed size, the same bytes for the same rows.

Encodings were chosen by measurement: zstd 3 with BYTE_STREAM_SPLIT for floats halves the size of the
defaults and is read and written faster; a dictionary pays for strings only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from aucli.sinks.atomic import atomic_file

ROW_GROUP_ROWS = 65_536
PART_ROW_GROUP_ROWS = 8_192
"""Of a video's part, which is regrouped into the output: a group is held in memory three times while it is
written, and beside the networks that would be 90 MiB for groups of the usual size.
"""
_READ_ROWS = 16_384
_BATCHES_APART = 64  # a batch of a hundred columns takes some 70 kB, also with a single row


class RowGroupWriter:
    """Gathers record batches and writes them as row groups of exactly so many rows.

    How the rows were cut into batches leaves no trace in the file.
    """

    def __init__(self, writer: pq.ParquetWriter, schema: pa.Schema, group_rows: int) -> None:
        self._writer = writer
        self._schema = schema
        self._group_rows = group_rows
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = 0
        self._latest: list[pa.RecordBatch] = []  # not yet among those that wait

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows; their columns must be those of the file."""
        while batch.num_rows:
            head = batch.slice(0, self._group_rows - self._waiting_rows)
            batch = batch.slice(head.num_rows)
            self._latest.append(pa.RecordBatch.from_arrays(head.columns, schema=self._schema))
            self._waiting_rows += head.num_rows
            if self._waiting_rows == self._group_rows:
                self.flush()
            elif len(self._latest) == _BATCHES_APART:
                self._waiting.append(pa.concat_batches(self._latest))
                self._latest = []

    def flush(self) -> None:
        """Write what waits as one row group."""
        if self._waiting_rows:
            # One chunk per column: pages would otherwise end where batches did.
            table = pa.Table.from_batches([*self._waiting, *self._latest]).combine_chunks()
            self._writer.write_table(table, row_group_size=self._group_rows)
        self._waiting, self._latest, self._waiting_rows = [], [], 0


@contextmanager
def parquet_file(
    path: Path,
    schema: pa.Schema,
    *,
    metadata: Mapping[bytes, bytes] | None = None,
    temporary_folder: Path | None = None,
    group_rows: int | None = None,
) -> Iterator[RowGroupWriter]:
    """A Parquet file to fill, which takes its name whole or not at all when the block ends.

    group_rows: of a row group, `ROW_GROUP_ROWS` by default.

    Raises:
        OutputError: it cannot be written; nothing is left of it.
    """
    schema = schema.with_metadata(dict(metadata) if metadata else None)
    strings = [field.name for field in schema if pa.types.is_string(field.type)]
    encodings = {field.name: "BYTE_STREAM_SPLIT" for field in schema if pa.types.is_floating(field.type)}
    encodings["frame"] = "DELTA_BINARY_PACKED"
    with (
        atomic_file(path, temporary_folder=temporary_folder) as file,
        pq.ParquetWriter(
            file,
            schema,
            compression="zstd",
            compression_level=3,
            use_dictionary=strings,
            column_encoding=encodings,
        ) as writer,
    ):
        rows = RowGroupWriter(writer, schema, group_rows or ROW_GROUP_ROWS)
        yield rows
        rows.flush()


def write_parquet(
    path: Path,
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    *,
    metadata: Mapping[bytes, bytes] | None = None,
    group_rows: int | None = None,
) -> None:
    """Write all batches to one Parquet file, whole or not at all. group_rows: see `parquet_file`.

    Raises:
        OutputError: it cannot be written.
    """
    with parquet_file(path, schema, metadata=metadata, group_rows=group_rows) as writer:
        for batch in batches:
            writer.write(batch)


def read_rows(
    file: pq.ParquetFile, start: int, stop: int, *, columns: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """Rows `start` to `stop` (exclusive) of an open file in batches; reads only their row groups.

    columns: those to read, by default all.
    """
    first_row = 0
    for group in range(file.num_row_groups):
        end_row = first_row + file.metadata.row_group(group).num_rows
        if end_row > start and first_row < stop:
            position = first_row
            for batch in file.iter_batches(batch_size=_READ_ROWS, row_groups=[group], columns=columns):
                lower, upper = max(start - position, 0), min(stop - position, batch.num_rows)
                if lower < upper:
                    yield batch.slice(lower, upper - lower)
                position += batch.num_rows
        first_row = end_row


def rows_sha256(path: Path) -> str:
    """Hash of the rows of a Parquet file, column names and types included, metadata left out.

    Equal for two files with the same rows, whatever versions, machines or command lines made them.
    """
    digest = hashlib.sha256()
    with pq.ParquetFile(path) as file:
        schema = file.schema_arrow.remove_metadata()
        digest.update(schema.to_string().encode())
        for batch in file.iter_batches(batch_size=_READ_ROWS):
            for column in batch.columns:
                # Python values are independent of buffers under nulls and of offsets.
                digest.update(repr(column.to_pylist()).encode())
    return digest.hexdigest()
