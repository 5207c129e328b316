"""What is known of a run: from the metadata of its files and the report that extract wrote beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from aucli.plain_json import read_json
from aucli.sinks.extraction import ExtractedVideo
from aucli.sinks.metadata import read_metadata
from aucli.sinks.place import OutputPlace


@dataclass(frozen=True)
class VideoFact:
    """One input of the run. frames, tracks: None where no report says so."""

    video: str
    subject: str | None
    status: str
    reason: str | None
    decoder: str | None
    frames: int | None = None
    tracks: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunFacts:
    """A run.

    metadata: the `aucli` entry of its (first) file. videos: all inputs, those without rows too where
    `complete`; else no report fits, and which inputs failed is not known. finished: ISO 8601, or None.
    """

    metadata: Mapping[str, Any]
    videos: tuple[VideoFact, ...]
    complete: bool
    finished: str | None
    command_line: tuple[str, ...] | None

    @property
    def card(self) -> Mapping[str, Any]:
        """The model's."""
        card: Mapping[str, Any] = self.metadata["card"]
        return card

    @property
    def synthetic(self) -> bool:
        """Whether the card says that the training data were made by a renderer."""
        text = str(self.card.get("training_data", "")).lower()
        return "synthetic" in text or "rendered" in text

    @property
    def research_only(self) -> bool:
        """Whether the card says that weights or training data are for non-commercial research."""
        text = f"{self.card.get('licence', '')} {self.card.get('training_data', '')}".lower()
        return "non-commercial" in text or "research only" in text


def read_facts(path: Path, videos: Sequence[ExtractedVideo]) -> RunFacts:
    """The facts of the extraction at `path`, a file or a folder, whose videos are `videos`."""
    files = list(dict.fromkeys(video.file for video in videos))
    of_files = [read_metadata(pq.read_schema(file)) or {} for file in files]
    with_rows = [entry for metadata in of_files for entry in metadata.get("videos", [])]
    report = _report_of(path, {str(entry["key"]) for entry in with_rows})
    entries = with_rows if report is None else report["entries"]
    command_line = of_files[0].get("command_line") if report is None else report.get("command_line")
    return RunFacts(
        metadata=of_files[0],
        videos=tuple(_fact(entry) for entry in entries),
        complete=report is not None,
        finished=None if report is None else report.get("finished"),
        command_line=None if command_line is None else tuple(map(str, command_line)),
    )


def _report_of(path: Path, keys: set[str]) -> dict[str, Any] | None:
    """The report of the run that wrote these rows, or None: missing, damaged, or of another run."""
    place = OutputPlace(path, single_file=not path.is_dir())
    try:
        report = read_json(place.report.read_bytes())
        reported = {str(entry["key"]) for entry in report["entries"]}
        [_fact(entry) for entry in report["entries"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return report if keys <= reported and isinstance(report, dict) else None


def _fact(entry: Mapping[str, Any]) -> VideoFact:
    return VideoFact(
        video=str(entry["video"]),
        subject=entry.get("subject"),
        status=str(entry["status"]),
        reason=entry.get("reason"),
        decoder=entry.get("decoder"),
        frames=entry.get("frames"),
        tracks=entry.get("tracks"),
        notes=tuple(map(str, entry.get("notes") or ())),
    )
