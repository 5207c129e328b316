"""Rows of one person only: every frame once, null where that person is not seen."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

_OF_THE_FRAME = ("video", "subject", "frame", "time_s")


def only_track(batch: pa.RecordBatch, track: int) -> pa.RecordBatch:
    """The batch, whole frames in order, with one row per frame: that of `track`, or one of nulls."""
    frames = batch.column("frame").to_numpy()
    mine = np.nan_to_num(batch.column("track").to_numpy(zero_copy_only=False), nan=-1) == track
    # First row of each frame, or the track's row where it has one.
    _, first, group = np.unique(frames, return_index=True, return_inverse=True)
    chosen = first.copy()
    chosen[group[mine]] = np.flatnonzero(mine)
    seen = mine[chosen]
    rows = pa.array(chosen)
    face_rows = pa.array(chosen, mask=~seen)  # taking a null index gives a null
    columns = [
        batch.column(name).take(rows if name in _OF_THE_FRAME else face_rows) for name in batch.schema.names
    ]
    return pa.record_batch(columns, schema=batch.schema)
