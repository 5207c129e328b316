"""py-feat's table: one CSV per video in the columns of its `Detectorv1` for videos, a row for each face.

Made for py-feat's `feat.utils.io.read_feat`, which takes the file for one of `Detectorv1` because it has
neither valence nor a mesh. Checked against py-feat 2.1.5, whose signs it has: `Pitch` > 0 is up, `Yaw` > 0
to the person's right, `Roll` > 0 tilted to the person's right, radians; version 2.0.3 wrote `Pitch` with the
opposite sign.

| column | here |
|---|---|
| `FaceRectX` to `FaceRectHeight` | box in pixels of the displayed picture; `FaceScore` is the detector's |
| `Pitch`, `Roll`, `Yaw` | head pose |
| `AU01`, ... | probability of occurrence, 0 to 1 (an extraction's `AU01_prob`, not its `AU01`) |
| `input`, `frame` | name of the video in the extraction; number of the frame, from 0 |
| `approx_time` | minutes:seconds, as py-feat rounds it down; the exact time has no column there |
| `Identity` | `Person_` and the track |

Cannot be filled: the 68 landmarks, `X`, `Y`, `Z`, emotions, the 512 numbers of an identity, gaze, the size of
the picture, AUs that the model does not have. A frame without a face is a row with `input`, `frame` and
`approx_time`, as in py-feat.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from aucli.sinks.export.contents import Contents
from aucli.sinks.export.lines import as_text, quoted
from aucli.sinks.export.read import VideoRows
from aucli.sinks.export.table import Column, contents_of, copied, empty, write_table
from aucli.sinks.schema import column_name

_AUS = (1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 17, 20, 23, 24, 25, 26, 28, 43)
_EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
_REMARKS = (
    "Columns and signs are those of py-feat 2.1.5: Pitch > 0 is up, Yaw and Roll > 0 to the person's right",
    "AU columns are probabilities; whether an AU occurs by the model's own threshold is not in this format",
)


class PyFeatExporter:
    """See the module."""

    suffixes: tuple[str, ...] = (".csv",)
    whole = False
    per_person = False

    def contents(self, schema: pa.Schema) -> Contents:
        return contents_of(_columns(schema, ""), schema, _REMARKS)

    def write(self, file: BinaryIO, path: Path, videos: Iterable[VideoRows]) -> tuple[str, ...]:
        for video in videos:
            write_table(file, _columns(video.schema, video.name), video.batches)
        return ()


def _columns(schema: pa.Schema, video: str) -> list[Column]:
    aus = [column_name(f"AU{number}") for number in _AUS]
    return [
        copied("FaceRectX", "face_x", schema),
        copied("FaceRectY", "face_y", schema),
        copied("FaceRectWidth", "face_w", schema),
        copied("FaceRectHeight", "face_h", schema),
        copied("FaceScore", "face_score", schema),
        *empty(f"{axis}_{point}" for axis in "xy" for point in range(68)),
        _radians("Pitch", "pitch_degrees", 1),
        _radians("Roll", "roll_degrees", -1),
        _radians("Yaw", "yaw_degrees", -1),
        *empty("XYZ"),
        *(copied(au, f"{au}_prob", schema) for au in aus),
        *empty(_EMOTIONS),
        *empty(f"Identity_{number}" for number in range(1, 513)),
        *empty(("gaze_pitch", "gaze_yaw", "gaze_angle", "FrameHeight", "FrameWidth")),
        Column("input", lambda rows: pa.repeat(quoted(video), rows.num_rows), ("video",)),
        copied("frame", "frame", schema),
        Column("approx_time", _minutes_and_seconds, ("time_s",)),
        Column("Identity", _person, ("track",)),
    ]


def _radians(name: str, source: str, sign: int) -> Column:
    factor = pa.scalar(np.float32(sign * np.pi / 180))
    return Column(name, lambda rows: pc.multiply(rows.column(source), factor), (source,))


def _minutes_and_seconds(rows: pa.RecordBatch) -> pa.Array:
    """61 seconds are `01:01`, and an hour is `60:00`; a time before 0, from an edit list, is `00:00`."""
    seconds = pc.cast(pc.max_element_wise(pc.floor(rows.column("time_s")), 0.0), pa.int64())
    minutes = pc.divide(seconds, 60)
    rest = pc.subtract(seconds, pc.multiply(minutes, 60))
    return pc.binary_join_element_wise(
        *(pc.utf8_lpad(pc.cast(part, pa.string()), 2, "0") for part in (minutes, rest)), ":"
    )


def _person(rows: pa.RecordBatch) -> pa.Array:
    return pc.binary_join_element_wise("Person_", as_text(rows.column("track")), "")
