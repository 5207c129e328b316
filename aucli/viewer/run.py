"""A finished run as the page sees it: its videos, and what is asked of one of them.

Everything is addressed by the place of a video in the list, never by a path.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aucli.errors import AucliError, MediaError
from aucli.sinks.extraction import ExtractedVideo, read_extraction
from aucli.viewer.legend import legend_json
from aucli.viewer.listing import ListedVideo, list_videos
from aucli.viewer.packed import packed
from aucli.viewer.reduce import lines, presence
from aucli.viewer.rows import VideoRows, read_video_rows
from aucli.viewer.sources import FoundSource, describe_picture, find_source
from aucli.viewer.together import together
from aucli.zoo.card import Card
from aucli_models.au import facs_order

SMALLEST_PAUSE = 1 / 1200
"""Of the video's time: shorter ones are no pixel wide in the strip that shows who is there."""
MOST_FRAMES = 4096
"""In one answer about single frames: two minutes at 30 a second."""
_VIDEOS_KEPT = 2  # in memory: 150 MB each for two hours, two people and 41 AUs


class ViewedRun:
    """The output of `extract`: a Parquet file, or a folder of them.

    folders: where to look for the videos, before the places that the report names.
    """

    def __init__(
        self, path: Path, videos: Sequence[ListedVideo], folders: Sequence[Path], notes: Sequence[str]
    ) -> None:
        self.path = path
        self.videos = tuple(videos)
        self._notes = tuple(notes)
        self._folders = (*folders, path if path.is_dir() else path.absolute().parent)
        self._rows: OrderedDict[int, VideoRows] = OrderedDict()
        self._sources: dict[int, FoundSource] = {}
        self._lock = threading.Lock()

    @classmethod
    def open(cls, path: Path, folders: Sequence[Path] = ()) -> ViewedRun:
        """Read what the output says of itself, and of its report what is of this output.

        Raises:
            InputNotFoundError: nothing is there.
            UsageError: not the output of `extract`.
        """
        extracted = read_extraction(path)
        videos, notes = list_videos(path, extracted)
        return cls(path, videos, folders, notes)

    def to_json(self) -> dict[str, Any]:
        """The list, for the page."""
        key = hashlib.sha256(os.fsencode(self.path.resolve())).hexdigest()[:16]
        return {
            "mode": "recorded",
            "name": self.path.name,
            "key": key,
            "notes": list(self._notes),
            "videos": [
                {
                    "name": video.name,
                    "status": video.status,
                    "reason": video.reason,
                    "subject": video.subject,
                    "seconds": video.duration_seconds,
                    "frames": video.frames,
                    "has_rows": video.extracted is not None,
                }
                for video in self.videos
            ],
        }

    def read_ahead(self) -> None:
        """Begin to read the first video in a thread: a browser needs a second to start, and so does this."""
        first = next(place for place, video in enumerate(self.videos) if video.extracted is not None)

        def read() -> None:
            with suppress(AucliError):  # told when it is asked for
                self.rows(first)

        threading.Thread(target=read, name="read ahead", daemon=True).start()

    def about(self, place: int) -> dict[str, Any]:
        """All about one video but its rows.

        Raises:
            MediaError: its rows cannot be read.
            LookupError: no such video, or one without rows.
        """
        rows, card = self.rows(place), self._card(place)
        source = self.source(place)
        picture, problem = None, None
        if source.path is not None:
            try:
                found = describe_picture(source.path)
            except (MediaError, OSError) as error:
                problem = str(error)
            else:
                picture = {
                    "width": found.width,
                    "height": found.height,
                    "start_seconds": found.start_seconds,
                    "codec": found.codec,
                    "container": found.container,
                }
        faces = np.diff(rows.bounds)
        seen = presence(rows, smallest_share=SMALLEST_PAUSE)
        longest = np.argsort(-faces, kind="stable")
        return {
            "start": float(rows.times[0]),
            "end": float(rows.times[-1]),
            "frames": len(rows.times),
            "legend": legend_json(card, rows.au_names),
            "tracks": [
                {
                    "track": int(rows.tracks[t]),
                    "faces": int(faces[t]),
                    "seconds": [
                        float(rows.times[rows.frame_of[rows.bounds[t]]]),
                        float(rows.times[rows.frame_of[rows.bounds[t + 1] - 1]]),
                    ],
                    "presence": seen[t],
                }
                for t in longest
            ],
            "source": {
                "state": source.state,
                "file": None if source.path is None else source.path.name,
                "looked_at": [str(path.absolute()) for path in source.looked_at],
                "picture": picture,
                "problem": problem,
            },
        }

    def rows(self, place: int) -> VideoRows:
        """The rows of one video; the last few are kept.

        Raises:
            MediaError, LookupError: see `about`.
        """
        extracted = self._extracted(place)
        with self._lock:
            if place not in self._rows:
                names = tuple(sorted(self._card(place).written_aus, key=facs_order))
                self._rows[place] = read_video_rows(extracted, names)
                if len(self._rows) > _VIDEOS_KEPT:
                    self._rows.popitem(last=False)
            self._rows.move_to_end(place)
            return self._rows[place]

    def source(self, place: int) -> FoundSource:
        """The file of one video, looked for once.

        Raises:
            LookupError: see `about`.
        """
        extracted = self._extracted(place)
        if place not in self._sources or self._sources[place].state == "missing":
            video = self.videos[place]
            self._sources[place] = find_source(
                video.name, video.recorded_path, extracted.identity, self._folders
            )
        return self._sources[place]

    def lines(self, place: int, start: float, end: float, buckets: int, tracks: Sequence[int]) -> bytes:
        """Time lines of a stretch, see `reduce.lines`, packed."""
        found = lines(self.rows(place), start, end, buckets=buckets, tracks=tracks)
        return packed(
            {"exact": found.exact, "tracks": list(tracks)}, {"times": found.times, "values": found.values}
        )

    def frames(self, place: int, start: float, end: float) -> bytes:
        """Every frame of a short stretch with its faces; at most `MOST_FRAMES`, packed."""
        rows = self.rows(place)
        first, last = rows.stretch(start, end)
        complete = last - first <= MOST_FRAMES
        last = min(last, first + MOST_FRAMES)
        low, high = int(rows.first_face[first]), int(rows.first_face[last])
        faces = rows.by_frame[low:high]
        return packed(
            {"complete": complete},
            {
                "times": rows.times[first:last],
                "indices": rows.indices[first:last],
                "first_face": (rows.first_face[first : last + 1] - low).astype(np.int32),
                "tracks": _track_of(rows, faces),
                "boxes": rows.boxes[faces],
                "valid": rows.valid[faces],
                "values": rows.values[:, faces].T,
            },
        )

    def together(
        self, place: int, start: float, end: float, tracks: Sequence[int], thresholds: NDArray[np.float32]
    ) -> dict[str, Any]:
        """Co-activation of a stretch, see `together.together`.

        Raises:
            ValueError: not one threshold for each AU.
        """
        rows = self.rows(place)
        if thresholds.shape != (len(rows.au_names),):
            raise ValueError(f"thresholds: give {len(rows.au_names)}, not {thresholds.size}")
        found = together(rows, start, end, tracks=tracks, thresholds=thresholds)
        return {"faces": found.faces, "both": found.both.tolist()}

    def _extracted(self, place: int) -> ExtractedVideo:
        if not 0 <= place < len(self.videos):
            raise LookupError(f"there is no video {place}")
        extracted = self.videos[place].extracted
        if extracted is None:
            raise LookupError(f"video {place} has no rows")
        return extracted

    def _card(self, place: int) -> Card:
        extracted = self._extracted(place)
        return Card.from_json(extracted.card, str(extracted.file))


def _track_of(rows: VideoRows, faces: NDArray[np.int64]) -> NDArray[np.int32]:
    return rows.tracks[np.searchsorted(rows.bounds, faces, side="right") - 1]
