"""The whole extraction as JSON lines: one object per row, one row per line.

Made for `jq` (which reads one object after the other), `pandas.read_json(lines=True)`, DuckDB's `read_json`,
`polars.scan_ndjson`. It can be written and read row by row, which one large array could not. Keys are the
columns of the Parquet file, units and signs those of the extraction (README, "Columns"). Nulls are `null`,
and floats have as many digits as bring the same number back. All columns are filled, and none is left out; of
the metadata, the note has the model's name and licence.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from aucli.sinks.export.contents import Contents
from aucli.sinks.export.lines import as_text, join
from aucli.sinks.export.read import VideoRows


class JsonExporter:
    """See the module."""

    suffixes: tuple[str, ...] = (".jsonl", ".ndjson", ".json")
    whole = True
    per_person = False

    def contents(self, schema: pa.Schema) -> Contents:
        return Contents(remarks=("JSON lines: each line is an object, a row of the extraction",))

    def write(self, file: BinaryIO, path: Path, videos: Iterable[VideoRows]) -> tuple[str, ...]:
        for video in videos:
            for batch in video.batches:
                file.write(join(_parts(batch, video), null="null"))
        return ()


def _parts(batch: pa.RecordBatch, video: VideoRows) -> list[pa.Array | str]:
    # Texts are the same in all rows of a video.
    constant = {"video": video.name, "subject": video.extracted.subject}
    parts: list[pa.Array | str] = []
    before = "{"
    for name in batch.schema.names:
        before += f"{json.dumps(name)}:"
        if name in constant:
            before += json.dumps(constant[name], ensure_ascii=False)
        else:
            parts += [before, as_text(batch.column(name))]
            before = ""
        before += ","
    return [*parts, f"{before.removesuffix(',')}}}\n"]
