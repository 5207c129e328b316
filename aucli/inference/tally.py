"""What is known of a video while its rows go by: numbers for the report, and who the main person is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from aucli.config import PrimaryRule
from aucli.faces.primary import TrackSummary, choose_primary
from aucli.inference.top_aus import top_aus

if TYPE_CHECKING:  # it brings torch, and a supervisor that gets tallies from its workers has none
    from aucli.inference.pipeline import Chunk


@dataclass
class _Track:
    frames: int
    area_share_sum: float
    centre_distance_sum: float
    occurrences: NDArray[np.int64]  # (AUs,)


@dataclass
class Tally:
    """Sums over the chunks of one video; memory grows with the number of tracks only."""

    au_names: tuple[str, ...]
    frames: int = 0
    first_seconds: float | None = None
    last_seconds: float = 0.0
    _previous_seconds: float | None = None
    _tracks: dict[int, _Track] = field(default_factory=dict)

    def add(self, chunk: Chunk) -> None:
        rows = chunk.rows
        self.frames += chunk.frames
        times = np.unique(rows.pts_seconds)
        if self.first_seconds is None:
            self.first_seconds = float(times[0])
        if len(times) > 1:
            self._previous_seconds = float(times[-2])
        elif self.last_seconds < float(times[-1]):
            self._previous_seconds = self.last_seconds if self.frames > chunk.frames else None
        self.last_seconds = float(times[-1])
        boxes, sizes = rows.faces.boxes.astype(np.float64), chunk.picture_sizes.astype(np.float64)
        area_share = boxes[:, 2] * boxes[:, 3] / sizes.prod(1)
        centre = boxes[:, :2] + boxes[:, 2:] / 2
        distance = np.linalg.norm(centre - sizes / 2, axis=1) / (np.linalg.norm(sizes, axis=1) / 2)
        numbers = rows.faces.tracks if rows.faces.tracks is not None else np.zeros(0, np.int32)
        for number in np.unique(numbers):
            mine = numbers == number
            track = self._tracks.setdefault(
                int(number), _Track(0, 0.0, 0.0, np.zeros(len(self.au_names), np.int64))
            )
            track.frames += int(mine.sum())
            track.area_share_sum += float(area_share[mine].sum())
            track.centre_distance_sum += float(distance[mine].sum())
            if rows.occurrences is not None:
                track.occurrences += rows.occurrences[mine].sum(0)

    def go_on(self, other: Tally, numbers: Mapping[int, int]) -> None:
        """Add what another one saw of the same video, later.

        numbers: of the other's tracks in this one.
        """
        if not other.frames:
            return
        if other._previous_seconds is not None:
            self._previous_seconds = other._previous_seconds
        elif self.frames:
            self._previous_seconds = self.last_seconds
        if self.first_seconds is None:
            self.first_seconds = other.first_seconds
        self.last_seconds = other.last_seconds
        self.frames += other.frames
        for number, track in other._tracks.items():
            mine = self._tracks.setdefault(
                numbers[number], _Track(0, 0.0, 0.0, np.zeros(len(self.au_names), np.int64))
            )
            mine.frames += track.frames
            mine.area_share_sum += track.area_share_sum
            mine.centre_distance_sum += track.centre_distance_sum
            mine.occurrences = mine.occurrences + track.occurrences

    @property
    def numbers(self) -> tuple[int, ...]:
        """Of the tracks, in order."""
        return tuple(sorted(self._tracks))

    def primary(self, rule: PrimaryRule) -> int | None:
        """The main person's track; None for a video without faces."""
        return choose_primary(
            rule,
            [
                TrackSummary(number, t.frames, t.area_share_sum / t.frames, t.centre_distance_sum / t.frames)
                for number, t in sorted(self._tracks.items())
            ],
        )

    def keep(self, number: int | None) -> None:
        """Forget all tracks but this one."""
        self._tracks = {key: track for key, track in self._tracks.items() if key == number}

    @property
    def faces(self) -> int:
        return sum(track.frames for track in self._tracks.values())

    @property
    def tracks(self) -> int:
        return len(self._tracks)

    @property
    def duration_seconds(self) -> float:
        """From the first frame's time to the last one's, and as long again as the last took to come."""
        if self.first_seconds is None:
            return 0.0
        step = 0.0 if self._previous_seconds is None else self.last_seconds - self._previous_seconds
        return self.last_seconds - self.first_seconds + step

    @property
    def top_aus(self) -> tuple[tuple[str, float], ...]:
        """See `top_aus.top_aus`."""
        if not self.faces:
            return ()
        counts = np.sum([track.occurrences for track in self._tracks.values()], axis=0)
        return top_aus(self.au_names, counts, self.faces)
