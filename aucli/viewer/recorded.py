"""Requests about a finished run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from aucli.viewer.answers import Answer, Body, FileContent, as_json
from aucli.viewer.legend import palette_json
from aucli.viewer.packed import CONTENT_TYPE
from aucli.viewer.run import ViewedRun

_MOST_BUCKETS = 8192
_MOST_TRACKS = 64

# The types under which browsers play what they can play; whether they can, they find out themselves.
_VIDEO_TYPES = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/mp4",  # nearly the same container, and browsers refuse video/quicktime unseen
    ".qt": "video/mp4",
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
    ".ogv": "video/ogg",
    ".3gp": "video/3gpp",
}


class RecordedPages:
    """See `answers.Pages`.

    run.json                           the list of videos
    videos/0/about.json                one of them
    videos/0/lines?from&to&buckets&tracks     its time lines, packed
    videos/0/frames?from&to            its frames one by one, packed
    videos/0/together.json?from&to&tracks&thresholds
    videos/0/file                      the video itself
    """

    def __init__(self, run: ViewedRun) -> None:
        self._run = run

    def answer(self, parts: tuple[str, ...], query: dict[str, str]) -> Answer:
        if parts == ("run.json",):
            return as_json({**self._run.to_json(), "palette": palette_json()})
        if len(parts) != 3 or parts[0] != "videos" or not (parts[1].isascii() and parts[1].isdecimal()):
            raise LookupError("/".join(parts))
        place, what = int(parts[1]), parts[2]
        if what == "about.json":
            return as_json(self._run.about(place))
        if what == "file":
            return self._file(place)
        if what not in ("lines", "frames", "together.json"):
            raise LookupError(what)
        start, end = _number(query, "from"), _number(query, "to")
        if what == "frames":
            return Body(self._run.frames(place, start, end), CONTENT_TYPE)
        if what == "lines":
            buckets = round(_number(query, "buckets"))
            if not 1 <= buckets <= _MOST_BUCKETS:
                raise ValueError(f"buckets: 1 to {_MOST_BUCKETS}")
            return Body(self._run.lines(place, start, end, buckets, _tracks(query)), CONTENT_TYPE)
        thresholds = np.array([float(part) for part in query["thresholds"].split(",")], np.float32)
        return as_json(self._run.together(place, start, end, _tracks(query), thresholds))

    def _file(self, place: int) -> FileContent:
        path = self._run.source(place).path
        if path is None:
            raise LookupError("the video is not there any more")
        return FileContent(path, _content_type(path))


def _content_type(path: Path) -> str:
    return _VIDEO_TYPES.get(path.suffix.lower(), "application/octet-stream")


def _number(query: Mapping[str, str], name: str) -> float:
    value = float(query[name])
    if not math.isfinite(value):
        raise ValueError(f"{name}: not a number")
    return value


def _tracks(query: Mapping[str, str]) -> tuple[int, ...]:
    tracks = tuple(int(part) for part in query["tracks"].split(",") if part)
    if len(tracks) > _MOST_TRACKS:
        raise ValueError(f"tracks: {_MOST_TRACKS} at most")
    return tracks
