"""What a worker gets for one video."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aucli.datatypes import Source


@dataclass(frozen=True)
class VideoTask:
    """One video to do. The finished part appears at `part_path`; the supervisor's side commits it.

    part_url: where it appears instead when a Dask worker does the video and the output has an address.
    """

    source: Source
    key: str
    spool_path: Path
    part_path: Path
    part_url: str | None = None
