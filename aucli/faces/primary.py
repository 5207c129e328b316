"""Which one of the tracks of a video is the main person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aucli.config import PrimaryRule
from aucli.errors import UsageError


@dataclass(frozen=True)
class TrackSummary:
    """One track over the whole video."""

    track: int
    frames: int  # in which it is seen
    mean_area_share: float  # mean of the box's area over the picture's area
    mean_centre_distance: float  # mean from box centre to picture centre, over half the diagonal


def choose_primary(rule: PrimaryRule, tracks: Sequence[TrackSummary]) -> int | None:
    """The number of the main person's track; None for a video without faces.

    `largest`: most picture area over the whole video, that is mean area share x frames, so that a
    passer-by who fills the picture for a moment does not win. `central`: nearest to the middle on
    average, among tracks seen at least half as often as the longest one, for the same reason.
    `longest`: seen in the most frames. Equal values go to the lower track number.

    Raises:
        UsageError: the rule is none of these.
    """
    if rule not in ("largest", "central", "longest"):
        raise UsageError(f"--primary {rule!r}: choose one of largest, central, longest")
    if not tracks:
        return None
    longest = max(one.frames for one in tracks)

    def order(one: TrackSummary) -> tuple[float, int]:
        if rule == "largest":
            return -one.mean_area_share * one.frames, one.track
        if rule == "longest":
            return -one.frames, one.track
        return (one.mean_centre_distance if 2 * one.frames >= longest else float("inf")), one.track

    return min(tracks, key=order).track
