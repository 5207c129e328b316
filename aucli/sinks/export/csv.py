"""The whole extraction as one tidy CSV file: the columns of the Parquet file, for any program that reads CSV.

Made for `pandas.read_csv`, R's `read.csv`, `data.table::fread`, DuckDB, spreadsheets. UTF-8, `,` between
columns, a header, fields in quotation marks where they need them (RFC 4180). Units and signs are those of the
extraction (README, "Columns"). Nulls are empty, flags `true` and `false`, and floats have as many digits as
bring the same number back. All columns are filled, and none is left out; of the metadata, the note has the
model's name and licence.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from aucli.sinks.export.contents import Contents
from aucli.sinks.export.lines import as_text, join, quoted
from aucli.sinks.export.read import VideoRows


class CsvExporter:
    """See the module."""

    suffixes: tuple[str, ...] = (".csv",)
    whole = True
    per_person = False

    def contents(self, schema: pa.Schema) -> Contents:
        return Contents()

    def write(self, file: BinaryIO, path: Path, videos: Iterable[VideoRows]) -> tuple[str, ...]:
        begun = False
        for video in videos:
            if not begun:
                file.write((",".join(video.schema.names) + "\n").encode())
                begun = True
            for batch in video.batches:
                file.write(join(_parts(batch, video)))
        return ()


def _parts(batch: pa.RecordBatch, video: VideoRows) -> list[pa.Array | str]:
    # Texts are the same in all rows of a video.
    constant = {"video": video.name, "subject": video.extracted.subject or ""}
    parts: list[pa.Array | str] = []
    for name in batch.schema.names:
        parts += [quoted(constant[name]) if name in constant else as_text(batch.column(name)), ","]
    return [*parts[:-1], "\n"]
