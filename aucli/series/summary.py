"""Figures of a track: how much of the time an AU is on, how strong it is, and which AUs go together.

Each frame counts for the time that it is shown, so that neither a variable frame rate nor `--every` changes a
figure. Time for which a value is unknown is in no figure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aucli.series.course import TrackCourses, weighted_mean

_FRAMES_AT_ONCE = 65_536  # of the products of AUs by AUs


@dataclass(frozen=True, eq=False)
class Figures:
    """Of one track. Each is float64 (signals,), NaN where it cannot be known.

    known_seconds: time with a value. active_share: share of that with a value at or above the threshold, 0
    to 1. mean: by time. highest: the highest value.
    """

    known_seconds: NDArray[np.float64]
    active_share: NDArray[np.float64]
    mean: NDArray[np.float64]
    highest: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Cooccurrence:
    """Which AUs are on together. Each is float64 (signals, signals), in the order of the track's signals.

    known: time for which both values are known (seconds; for a still picture the frames). both: time in which
    both are on. first: time in which the AU of the row is on while that of the column is known.
    The sum of two is that of both tracks together.
    """

    known: NDArray[np.float64]
    both: NDArray[np.float64]
    first: NDArray[np.float64]

    def __add__(self, other: Cooccurrence) -> Cooccurrence:
        return Cooccurrence(self.known + other.known, self.both + other.both, self.first + other.first)

    @property
    def share(self) -> NDArray[np.float64]:
        """Share of the known time in which both are on, 0 to 1; on the diagonal that of the AU itself."""
        return _ratio(self.both, self.known)

    @property
    def phi(self) -> NDArray[np.float64]:
        """Pearson's correlation of two on-off courses (Yule 1912), -1 to 1; 0 is as by chance.

        NaN where one of the two never changes. Unlike the share of the time, and unlike the probability of
        one given the other, it does not grow with how often the AUs are on.
        """
        one, other, both = _ratio(self.first, self.known), _ratio(self.first.T, self.known), self.share
        spread = np.sqrt(np.clip(one * (1 - one) * other * (1 - other), 0, None))
        return np.clip(_ratio(both - one * other, np.where(spread > 1e-9, spread, 0.0)), -1.0, 1.0)


def active_frames(values: NDArray[np.float32], thresholds: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where each value is at or above its threshold: bool (signals, frames); False where it is unknown.

    Compared in float32, as extract does.
    """
    return np.asarray(values >= thresholds.astype(np.float32)[:, None], np.bool_)


def figures_of(track: TrackCourses, judged: NDArray[np.float32], active: NDArray[np.bool_]) -> Figures:
    """The figures of a track.

    judged: float32 (signals, frames), what was compared with thresholds: the track's values, or changes of
    them; NaN where nothing could be compared. active: bool (signals, frames), where it was high enough.
    """
    known, weights = ~np.isnan(track.values), track.weights
    highest = np.max(track.values, axis=1, initial=-np.inf, where=known).astype(np.float64)
    return Figures(
        known_seconds=known @ (track.ends_seconds - track.times_seconds),
        active_share=_ratio(active @ weights, ~np.isnan(judged) @ weights),
        mean=weighted_mean(track.values, weights),
        highest=np.where(known.any(1), highest, np.nan),
    )


def cooccurrence_of(
    judged: NDArray[np.float32], active: NDArray[np.bool_], weights: NDArray[np.float64]
) -> Cooccurrence:
    """How long AUs are on together.

    judged, active: (signals, frames), see `figures_of`. weights: float64 (frames,), see `TrackCourses`.
    """
    known_both, both, first = (np.zeros((len(judged), len(judged))) for _ in range(3))
    for start in range(0, len(weights), _FRAMES_AT_ONCE):
        part = slice(start, start + _FRAMES_AT_ONCE)
        on = active[:, part].astype(np.float64)
        known = (~np.isnan(judged[:, part])).astype(np.float64)
        known_both += (known * weights[part]) @ known.T
        weighted = on * weights[part]
        both += weighted @ on.T
        first += weighted @ known.T
    return Cooccurrence(known_both, both, first)


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    ratio: NDArray[np.float64] = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
    return ratio
