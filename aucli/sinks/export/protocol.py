"""What each format has to offer."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Protocol

import pyarrow as pa

from aucli.sinks.export.contents import Contents
from aucli.sinks.export.read import VideoRows


class Exporter(Protocol):
    """Writes files of one format.

    suffixes: of its files, the usual one first.
    whole: whether all videos go into one file; else each gets a file of its own.
    per_person: whether a video with several tracks gets a file for each of them.
    """

    suffixes: tuple[str, ...]
    whole: bool
    per_person: bool

    def contents(self, schema: pa.Schema) -> Contents:
        """What the format holds of an extraction with these columns."""
        ...

    def write(self, file: BinaryIO, path: Path, videos: Iterable[VideoRows]) -> tuple[str, ...]:
        """Write one file; returns what there is to say of this one, a sentence each.

        path: the name that it will have. videos: of the whole extraction, or the one that it is about.

        Raises:
            MediaError: rows that cannot be read.
        """
        ...
