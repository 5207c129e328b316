"""How often AUs are active in the same frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aucli.viewer.rows import VideoRows


@dataclass(frozen=True, eq=False)
class Together:
    """Counts over the faces of a stretch: faces in all, with each pair of AUs active (AUs, AUs).

    On the diagonal of `both`: those with the one AU active.
    """

    faces: int
    both: NDArray[np.int64]


def together(
    rows: VideoRows,
    start_seconds: float,
    end_seconds: float,
    *,
    tracks: Sequence[int],
    thresholds: NDArray[np.float32],
) -> Together:
    """Count faces of these tracks in which two AUs are both at or above their thresholds, (AUs,)."""
    first, last = rows.stretch(start_seconds, end_seconds)
    faces, both = 0, np.zeros((len(rows.au_names), len(rows.au_names)), np.int64)
    for track in tracks:
        mine = rows.faces_of(track)
        low, high = np.searchsorted(rows.frame_of[mine], [first, last])
        values = rows.values[:, mine.start + int(low) : mine.start + int(high)]
        active = (values >= thresholds[:, None]).astype(np.float32)  # exact up to 2**24 faces
        both += (active @ active.T).round().astype(np.int64)
        faces += values.shape[1]
    return Together(faces, both)
