"""What a worker gets for one video, or for a part of one, and what it gives back of a part. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aucli.datatypes import DecodeSummary, Source
from aucli.faces.snapshot import Snapshot
from aucli.inference.tally import Tally
from aucli.media.segments import Segment


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


@dataclass(frozen=True, eq=False)
class SegmentTask:
    """One segment of the video with this key. Its rows stay at `spool_path`. detect_every: as planned."""

    source: Source
    key: str
    segment: Segment
    detect_every: int
    spool_path: Path


@dataclass(frozen=True, eq=False)
class KnownAt:
    """What a segment knows at a meeting. pictures: hash of the pictures that are compared."""

    snapshot: Snapshot
    pictures: bytes


@dataclass(frozen=True, eq=False)
class SegmentResult:
    """A segment that is done. met, meets: at its meetings with the one before and the next one."""

    segment: Segment
    spool_path: Path
    rows: int
    tally: Tally
    summary: DecodeSummary
    notes: tuple[str, ...]
    met: KnownAt | None
    meets: KnownAt | None


@dataclass(frozen=True, eq=False)
class StitchTask:
    """All segments of a video, in order, to be made into its part."""

    video: VideoTask
    segments: tuple[SegmentResult, ...]
