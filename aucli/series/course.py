"""The course of AUs over time, of one track in one video."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from aucli.errors import ShapeError

Measure = Literal["probability", "intensity"]
Person = str | tuple[str, int]
"""Whom a neutral belongs to: a subject by name, or a track of a video where no subject is named."""


@dataclass(frozen=True)
class Signal:
    """What is followed over time: the probability of an AU (`AU12`), or its intensity (`AU12_int`)."""

    au: str
    measure: Measure = "probability"

    @property
    def name(self) -> str:
        """As people write it and tables show it."""
        return self.au if self.measure == "probability" else f"{self.au}_int"

    @property
    def top(self) -> float:
        """The highest value there is."""
        return 1.0 if self.measure == "probability" else 5.0


@dataclass(frozen=True, eq=False)
class TrackCourses:
    """All signals of one track.

    video, subject, track: as in the extraction. frames: int64 (frames,). times_seconds, ends_seconds: float64
    (frames,), strictly increasing; when each frame is shown and gives way to the next frame of the video.
    valid: bool (frames,). signals: what the rows of `values` are. values: float32 (signals, frames), NaN
    where unknown.

    Raises:
        ShapeError: arrays that do not fit together.
    """

    video: str
    subject: str | None
    track: int
    frames: NDArray[np.int64]
    times_seconds: NDArray[np.float64]
    ends_seconds: NDArray[np.float64]
    valid: NDArray[np.bool_]
    signals: tuple[Signal, ...]
    values: NDArray[np.float32]

    def __post_init__(self) -> None:
        count = len(self.frames)
        for name in ("times_seconds", "ends_seconds", "valid"):
            if getattr(self, name).shape != (count,):
                raise ShapeError(f"TrackCourses.{name} must have {count} frames")
        if self.values.shape != (len(self.signals), count):
            raise ShapeError(f"TrackCourses.values must be ({len(self.signals)}, {count})")

    def __repr__(self) -> str:
        return f"TrackCourses({self.video}, track {self.track}, {len(self.frames)} frames)"

    @property
    def person(self) -> Person:
        """The subject, or the track in its video where no subject is named."""
        return (self.video, self.track) if self.subject is None else self.subject

    @property
    def weights(self) -> NDArray[np.float64]:
        """Seconds that each frame counts, float64 (frames,); all 1 for a still picture."""
        seconds = self.ends_seconds - self.times_seconds
        return seconds if seconds.any() else np.ones(len(seconds))


def weighted_mean(values: NDArray[np.floating[Any]], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of each row of float (signals, frames) by weights (frames,), without NaN: float64 (signals,).

    NaN where a row has no value.
    """
    known = ~np.isnan(values)
    total = known @ weights
    sums = np.where(known, values, 0).astype(np.float64) @ weights
    mean: NDArray[np.float64] = np.divide(sums, total, out=np.full(len(values), np.nan), where=total > 0)
    return mean
