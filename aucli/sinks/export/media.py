"""Where the videos of an extraction lie, for formats that link to them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import av

from aucli.errors import UsageError
from aucli.media.container import open_video
from aucli.plain_json import read_json
from aucli.sinks.extraction import ExtractedVideo
from aucli.sinks.identity import content_identity, input_identity


class MediaPlaces:
    """Finds the file of a video: by its content, so that never another one is linked.

    source: the extraction, its file or its folder. folder: below which the videos have their names; by
    default where the report beside the extraction says, else beside the extraction.

    Raises:
        UsageError: no such folder.
    """

    def __init__(self, source: Path, folder: Path | None = None) -> None:
        if folder is not None and not folder.is_dir():
            raise UsageError(f"--media {folder}: is not a folder; give the one below which the videos lie")
        self._source = source
        self._folder = folder
        self._paths: Mapping[str, str] | None = None

    def find(self, video: ExtractedVideo) -> Path | None:
        """The file that the rows are of, or None where it is not found."""
        if self._folder is not None:
            places = [self._folder / video.video, self._folder / Path(video.video).name]
        else:
            beside = self._source if self._source.is_dir() else self._source.parent
            places = [Path(path) for path in [self._reported().get(video.video)] if path] + [
                beside / video.video
            ]
        return next((place for place in places if _is_content(place, video.identity)), None)

    def _reported(self) -> Mapping[str, str]:
        """Video -> path as the report has it; empty where there is no report."""
        if self._paths is None:
            is_folder = self._source.is_dir()
            report = self._source / "report.json" if is_folder else self._source.with_suffix(".report.json")
            try:
                entries = read_json(report.read_bytes())["entries"]
                self._paths = {str(entry["video"]): str(entry["path"]) for entry in entries}
            except (OSError, ValueError, KeyError, TypeError):
                self._paths = {}
        return self._paths


def media_start_seconds(path: Path) -> float:
    """Time stamp with which the file begins, which players show as 0: not 0 in many transport streams.

    Raises:
        MediaError: it cannot be opened.
    """
    container, _ = open_video(path)
    with container:
        return 0.0 if container.start_time is None else float(container.start_time / av.time_base)


def _is_content(path: Path, identity: Mapping[str, object]) -> bool:
    try:
        return path.is_file() and content_identity(input_identity(path)) == dict(identity)
    except (OSError, ValueError):  # not readable, or a name that no file can have
        return False
