"""The videos of a run with what became of each: from the output, and from the report beside it."""

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
class ListedVideo:
    """A line of the list: with rows, or with the reason why there are none."""

    name: str
    status: str
    reason: str | None
    recorded_path: str | None
    duration_seconds: float
    frames: int
    subject: str | None
    extracted: ExtractedVideo | None


def list_videos(path: Path, extracted: Sequence[ExtractedVideo]) -> tuple[list[ListedVideo], list[str]]:
    """The videos in the order of the report, those without rows too; without a report those with rows.

    path: of the output; extracted: what it holds. The second value: what the reader should know of the list.
    """
    told = {(file, str(entry["video"])): entry for file, entry in _entries_in_files(extracted)}
    with_rows = {video.video: video for video in extracted}
    entries, folder, notes = _report_entries(path, told)
    listed = []
    for entry in entries:
        video = with_rows.pop(str(entry["video"]), None) if entry.get("rows") else None
        listed.append(
            ListedVideo(
                str(entry["video"]),
                str(entry["status"]),
                _without_path(entry),
                None if entry.get("path") is None else str(folder / str(entry["path"])),
                float(entry.get("duration_seconds") or 0.0),
                int(entry.get("frames") or 0),
                entry.get("subject"),
                video,
            )
        )
    for video in with_rows.values():
        entry = told[video.file, video.video]
        listed.append(
            ListedVideo(
                video.video,
                str(entry.get("status", "ok")),
                entry.get("reason"),
                None,
                0.0,
                0,
                entry.get("subject"),
                video,
            )
        )
    return listed, notes


def _without_path(entry: Mapping[str, Any]) -> str | None:
    """The reason; most begin with the path, which stands beside it anyway."""
    reason = entry.get("reason")
    return None if reason is None else str(reason).removeprefix(f"{entry.get('path')}: ")


def _entries_in_files(extracted: Sequence[ExtractedVideo]) -> list[tuple[Path, Mapping[str, Any]]]:
    found = []
    for file in dict.fromkeys(video.file for video in extracted):
        metadata = read_metadata(pq.read_schema(file)) or {"videos": []}
        found += [(file, entry) for entry in metadata["videos"]]
    return found


def _report_entries(
    path: Path, told: Mapping[tuple[Path, str], Mapping[str, Any]]
) -> tuple[list[Mapping[str, Any]], Path, list[str]]:
    """The entries of the report beside the output, and the folder that their paths start from.

    Only if it is of this output: its rows have the same keys.
    """
    here = Path()
    report = OutputPlace(path, not path.is_dir()).report
    try:
        value = read_json(report.read_text(encoding="utf-8"))
        entries, typed = value["entries"], Path(value["output"] or "")
        keys = {(str(entry["video"]), entry["key"]) for entry in entries if entry["rows"]}
    except OSError:
        return [], here, [f"There is no {report.name} beside the output: videos that failed are not listed."]
    except (ValueError, KeyError, TypeError):
        return [], here, [f"{report.name} cannot be read: videos that failed are not listed."]
    if keys != {(video, entry.get("key")) for (_, video), entry in told.items()}:
        return [], here, [f"{report.name} is of another run: videos that failed are not listed."]
    return entries, _run_in(path, typed) or here, []


def _run_in(path: Path, typed: Path) -> Path | None:
    """The folder in which `extract` was run, where the name that was typed for its output tells it."""
    full = path.resolve().parts
    if typed.is_absolute() or not typed.parts or full[-len(typed.parts) :] != typed.parts:
        return None
    return Path(*full[: -len(typed.parts)])
