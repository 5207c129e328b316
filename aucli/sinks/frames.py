"""Results frame by frame, as they are drawn: from the rows of a running analysis or of a finished one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aucli.datatypes import Faces
from aucli.sinks.rows import Rows

MAX_INTENSITY = 5.0  # FACS E


@dataclass(frozen=True, eq=False)
class FrameResult:
    """What is known of one frame.

    faces: with tracks, in their order. probabilities: float32 (faces, AUs), NaN where unknown; of a model
    without them a fifth of the intensity, which is 0 to 1 too. occurrences: bool (faces, AUs), all False from
    a model that does not decide; valid: bool (faces,). The order of the AUs is the model's.
    pairs: float32 (faces, nodes, nodes), heatmaps: uint8 (faces, AUs, side, side), see `Predictions`; None
    from a file, and where not asked for.
    """

    index: int
    pts_seconds: float
    faces: Faces
    probabilities: NDArray[np.float32]
    occurrences: NDArray[np.bool_]
    valid: NDArray[np.bool_]
    pairs: NDArray[np.float32] | None = None
    heatmaps: NDArray[np.uint8] | None = None

    def __repr__(self) -> str:
        return f"FrameResult(index={self.index}, {self.pts_seconds:.6f} s, {len(self.faces)} faces)"


def frames_of(
    rows: Rows, pairs: NDArray[np.float32] | None = None, heatmaps: NDArray[np.uint8] | None = None
) -> Iterator[FrameResult]:
    """The frames in these rows, in order; pairs, heatmaps: of the faces, in the order of the rows."""
    levels, occurrences = rows.probabilities, rows.occurrences
    if levels is None:
        assert rows.intensities is not None  # there is one or the other
        levels = (rows.intensities / MAX_INTENSITY).astype(np.float32)
    if occurrences is None:
        occurrences = np.zeros(levels.shape, np.bool_)
    _, first, counts = np.unique(rows.frame_indices, return_index=True, return_counts=True)
    faces_before = np.concatenate([[0], np.cumsum(rows.has_face)])
    for start, count in zip(first, counts, strict=True):
        mine = np.arange(faces_before[start], faces_before[start + count])
        yield FrameResult(
            int(rows.frame_indices[start]),
            float(rows.pts_seconds[start]),
            rows.faces.select(mine),
            levels[mine],
            occurrences[mine],
            rows.valid[mine],
            None if pairs is None else pairs[mine],
            None if heatmaps is None else heatmaps[mine],
        )
