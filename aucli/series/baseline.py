"""A person's neutral face, and changes against it.

Networks see a resting face differently from person to person: heavy lids, a mouth that turns down, a beard.
Subtracting what a person's face gives at rest takes that offset out (person-specific normalisation;
Baltrusaitis, Mahmoud and Robinson, FG 2015, subtract the person's median from the features).

What is subtracted:

- From an intensity, the neutral intensity. The difference is in grades, -5 to 5.
- From a probability, the neutral probability. The difference is no probability any more and is not called
  one: it is a change, -1 to 1, 0 for a face as at rest. Log-odds would be the network's own scale, but have
  no bounds where probabilities are 0 or 1, and without a reference person no threshold fits them.

A change counts as the AU from `threshold x (1 - neutral / highest value)` on: the model's threshold, as a
share of what is left above the neutral. For a neutral of 0 that is the threshold itself; and a person whose
neutral is not 0 can still reach a high threshold, which would else be impossible (0.76 above a neutral of 0.3
is no probability). Values are never clipped: below 0 means less than at rest.

A person is a subject, where the extraction names subjects, else one track of one video. A subject is named
for a whole video: where others are in the picture too, extract one person of each video (`--primary`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from aucli.config import parse_seconds
from aucli.errors import UsageError
from aucli.series.course import Person, Signal, TrackCourses, weighted_mean

_STRETCH = re.compile(r"([\d.:]+)-([\d.:]+)")


@dataclass(frozen=True)
class Baseline:
    """How the neutral of a person is found.

    kind: `median`: the median of the person's values; right where an AU is off most of the time. `stretch`:
        the mean from `start_seconds` up to `end_seconds` of each of the person's videos. `file`: the median
        of the same person in another extraction.
    """

    kind: Literal["median", "stretch", "file"]
    start_seconds: float = 0.0
    end_seconds: float = 0.0
    file: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """What is written beside the results."""
        if self.kind == "stretch":
            return {"kind": "mean", "start_seconds": self.start_seconds, "end_seconds": self.end_seconds}
        return {"kind": "median"} if self.file is None else {"kind": "median", "file": str(self.file)}


def read_baseline(text: str) -> Baseline:
    """`median`, `START-END` in seconds or as 1:30-1:45, or the path of another extraction.

    Raises:
        UsageError: a stretch that ends before it starts, or none of the three.
    """
    if text == "median":
        return Baseline("median")
    stretch = _STRETCH.fullmatch(text)
    if stretch is None:
        if text and Path(text).exists():
            return Baseline("file", file=Path(text))
        raise UsageError(
            f"--baseline {text}: give median, a stretch of seconds such as 0-5 or 1:30-1:45, "
            "or the Parquet file of an extraction that exists"
        )
    try:
        start, end = (parse_seconds(part) for part in stretch.groups())
    except ValueError as error:
        raise UsageError(f"--baseline {text}: each end {error}") from error
    if end <= start:
        raise UsageError(f"--baseline {text}: must end after it starts, such as 0-5")
    return Baseline("stretch", start, end)


def median_of(tracks: Sequence[TrackCourses]) -> NDArray[np.float64]:
    """The neutral of one person as the median by time of all their values: float64 (signals,).

    NaN for a signal without a value. Takes memory for all values of the person at once.
    """
    weights = np.concatenate([track.weights for track in tracks])
    values = np.concatenate([track.values for track in tracks], axis=1)
    return np.array([_weighted_median(row, weights) for row in values], np.float64)


def mean_of(tracks: Iterable[TrackCourses], start_seconds: float, end_seconds: float) -> NDArray[np.float64]:
    """The neutral of one person as the mean by time from start to end (not included): float64 (signals,)."""
    values, weights = [], []
    for track in tracks:
        inside = (track.times_seconds >= start_seconds) & (track.times_seconds < end_seconds)
        values.append(track.values[:, inside])
        weights.append(track.weights[inside])
    return weighted_mean(np.concatenate(values, axis=1), np.concatenate(weights))


def change(
    track: TrackCourses, neutrals: Mapping[Person, NDArray[np.float64]]
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """The values of a track less its person's neutral, and that neutral.

    Returns:
        float32 (signals, frames) and float64 (signals,); NaN where no neutral is known.
    """
    neutral = neutrals.get(track.person)
    if neutral is None:
        neutral = np.full(len(track.signals), np.nan)
    return track.values - neutral.astype(np.float32)[:, None], neutral


def threshold_above(threshold: float, neutral: float, signal: Signal) -> float:
    """From which change on the AU counts, see the head of this file; NaN for an unknown neutral."""
    return threshold * (1 - neutral / signal.top)


def _weighted_median(values: NDArray[np.float32], weights: NDArray[np.float64]) -> float:
    """Half of the weight lies at or below it; between two values where it lies between them. NaN of none."""
    known = ~np.isnan(values) & (weights > 0)
    values, weights = values[known].astype(np.float64), weights[known]
    if not len(values):
        return float("nan")
    order = np.argsort(values)
    values, heavier = values[order], np.cumsum(weights[order])
    half = heavier[-1] / 2
    tolerance = heavier[-1] * 1e-9
    first = min(int(np.searchsorted(heavier, half - tolerance)), len(values) - 1)
    next_one = min(first + 1, len(values) - 1) if abs(heavier[first] - half) <= tolerance else first
    return float((values[first] + values[next_one]) / 2)
