"""LibreFace's table: one CSV per video and person, a row for each frame in which that person was found.

Made for what reads the CSV that `libreface.get_facial_attributes` writes for a video (0.2.0). LibreFace knows
one face per frame and has no column for a person: a video with several tracks gives a file for each. Frames
without a face are left out, as LibreFace does.

| column | here |
|---|---|
| `frame_idx` | number of the frame, from 0 |
| `frame_time_in_ms` | **seconds**, as in LibreFace, whatever the name says; from the stream's time stamps |
| `pitch`, `yaw`, `roll` | degrees; > 0 is up, to the person's left, clockwise in the picture |
| `au_12`, ... | 1 or 0, by the model's thresholds |
| `au_12_intensity`, ... | intensity 0 to 5, where the model estimates it; never made of probabilities |

LibreFace's own pitch and yaw have these signs but another scale (its computation gives about two thirds of
the true angle, and a roll near 0): do not compare numbers. Cannot be filled: the 478 landmarks,
`facial_expression`, gaze, AU columns that the model does not have.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from aucli.datatypes import counted
from aucli.sinks.export.contents import Contents
from aucli.sinks.export.read import VideoRows
from aucli.sinks.export.table import Column, contents_of, copied, empty, flag, write_table
from aucli.sinks.schema import column_name

_PRESENCE = (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)
_INTENSITY = (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)
_REMARKS = (
    "The column frame_time_in_ms holds seconds, as LibreFace writes it",
    "Angles are true degrees; LibreFace's own angles are on another scale",
)


class LibreFaceExporter:
    """See the module."""

    suffixes: tuple[str, ...] = (".csv",)
    whole = False
    per_person = True

    def contents(self, schema: pa.Schema) -> Contents:
        return contents_of(_columns(schema), schema, _REMARKS)

    def write(self, file: BinaryIO, path: Path, videos: Iterable[VideoRows]) -> tuple[str, ...]:
        rows = faces = 0
        for video in videos:
            rows += video.rows
            with_face = (batch.filter(batch.column("track").is_valid()) for batch in video.batches)
            faces += write_table(file, _columns(video.schema), with_face)
        if faces == rows:
            return ()
        left_out = counted(rows - faces, "frame")
        verb = "is" if rows - faces == 1 else "are"
        return (f"{left_out} without a face {verb} left out, as LibreFace does",)


def _columns(schema: pa.Schema) -> list[Column]:
    return [
        copied("frame_idx", "frame", schema),
        copied("frame_time_in_ms", "time_s", schema),
        *(copied(name, f"{name}_degrees", schema) for name in ("pitch", "yaw", "roll")),
        *empty(f"lm_mp_{point}_{axis}" for point in range(478) for axis in "xyz"),
        *(flag(f"au_{number}", column_name(f"AU{number}"), schema) for number in _PRESENCE),
        *(
            copied(f"au_{number}_intensity", f"{column_name(f'AU{number}')}_int", schema)
            for number in _INTENSITY
        ),
        *empty(("facial_expression", "gaze_yaw", "gaze_pitch")),
    ]
