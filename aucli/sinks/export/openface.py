"""OpenFace's table: one CSV per video, a row for each frame and face, its 714 columns in its order.

Made for what reads the output of OpenFace 2.1 and later: OpenFaceR, py-feat's `read_openface`, scripts that
take `frame, face_id, timestamp, confidence, success, pose_R*, AU*_r, AU*_c` by name. The layout is that of
`FeatureExtraction` (`FaceLandmarkVidMulti` where frames have several faces), with `,` between columns.

| column | here |
|---|---|
| `frame` | number of the frame, from 1 (an extraction counts from 0) |
| `face_id` | the track |
| `timestamp` | seconds, from the stream's time stamps |
| `confidence` | score of the face detector, 0 to 1; OpenFace has that of its landmarks there |
| `success` | 1 where a face was found, else 0 |
| `pose_Rx`, `pose_Ry`, `pose_Rz` | radians; > 0 is down, to the person's right, clockwise in the picture |
| `AU12_r`, ... | intensity 0 to 5, only where the model estimates intensities; never made of probabilities |
| `AU12_c`, ... | 1 or 0, by the model's thresholds |

The signs are those of OpenFace's camera frame (x right, y down, z away from the camera); its issue 966 says
the same from use. Cannot be filled: gaze, eye landmarks, `pose_T*` (needs the camera's focal length), the 68
landmarks in the picture and in space, the shape parameters, AU columns that the model does not have. AU45 is
a blink, a short closure of the eyes: AU43 (eyes closed) is not put there. OpenFace writes zeros where it
found no face; here such a row has nothing in it but `frame`, `timestamp` and `success`.

OpenFace rounds to 1 to 6 decimals; here are as many as bring the number back.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from aucli.sinks.export.contents import Contents
from aucli.sinks.export.read import VideoRows
from aucli.sinks.export.table import Column, contents_of, copied, empty, flag, write_table
from aucli.sinks.schema import POSE_COLUMNS, column_name

_INTENSITY = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)
_PRESENCE = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 28, 45)
_REMARKS = (
    "Frames count from 1, as OpenFace counts; confidence is the score of the face detector",
    "A row without a face has success 0 and no values, where OpenFace writes zeros",
)


class OpenFaceExporter:
    """See the module."""

    suffixes: tuple[str, ...] = (".csv",)
    whole = False
    per_person = False

    def contents(self, schema: pa.Schema) -> Contents:
        remarks: tuple[str, ...] = _REMARKS
        if "AU45" not in schema.names and "AU43" in schema.names:
            remarks += ("AU45 (blink) is empty: the model has AU43 (eyes closed), which is another thing",)
        return contents_of(_columns(schema), schema, remarks)

    def write(self, file: BinaryIO, path: Path, videos: Iterable[VideoRows]) -> tuple[str, ...]:
        for video in videos:
            write_table(file, _columns(video.schema), video.batches)
        return ()


def _columns(schema: pa.Schema) -> list[Column]:
    """The columns of `FeatureExtraction` with all its groups, in its order."""
    intensities = [column_name(f"AU{number}") for number in _INTENSITY]
    presences = [column_name(f"AU{number}") for number in _PRESENCE]
    return [
        Column("frame", lambda rows: pc.add(rows.column("frame"), 1), ("frame",)),
        copied("face_id", "track", schema),
        copied("timestamp", "time_s", schema),
        copied("confidence", "face_score", schema),
        Column("success", lambda rows: pc.cast(rows.column("track").is_valid(), pa.int8()), ("track",)),
        *empty(f"gaze_{eye}_{axis}" for eye in (0, 1) for axis in "xyz"),
        *empty(f"gaze_angle_{axis}" for axis in "xy"),
        *_points("eye_lmk_", "xy", 56),
        *_points("eye_lmk_", "XYZ", 56),
        *empty(f"pose_T{axis}" for axis in "xyz"),
        *(_rotation(axis) for axis in "xyz"),
        *_points("", "xy", 68),
        *_points("", "XYZ", 68),
        *empty(("p_scale", "p_rx", "p_ry", "p_rz", "p_tx", "p_ty")),
        *empty(f"p_{number}" for number in range(34)),
        *(copied(f"{au}_r", f"{au}_int", schema) for au in intensities),
        *(flag(f"{au}_c", au, schema) for au in presences),
    ]


def _points(prefix: str, axes: str, points: int) -> list[Column]:
    return empty(f"{prefix}{axis}_{point}" for axis in axes for point in range(points))


def _rotation(axis: str) -> Column:
    place = "xyz".index(axis)
    return Column(f"pose_R{axis}", lambda rows: pa.array(_pose_radians(rows)[place]), POSE_COLUMNS)


def _pose_radians(rows: pa.RecordBatch) -> NDArray[np.float32]:
    """float32 (3, rows): OpenFace's rotations about x, y and z; NaN without a face.

    Ours are R = Rz(roll) Ry(-yaw) Rx(-pitch) in the same axes (`aucli.faces.quality.pose_degrees`),
    OpenFace's R = Rx Ry Rz: for a head that is turned and tilted at once the angles themselves differ.
    """
    yaw, pitch, roll = (
        np.radians(rows.column(name).to_numpy(zero_copy_only=False).astype(np.float64))
        for name in POSE_COLUMNS
    )
    (sin_x, sin_y, sin_z), (cos_x, cos_y, cos_z) = (
        f(np.stack([-pitch, -yaw, roll])) for f in (np.sin, np.cos)
    )
    first_of_2 = cos_z * sin_y * sin_x - sin_z * cos_x  # row 1, column 2 of R, and so on
    first_of_3 = cos_z * sin_y * cos_x + sin_z * sin_x
    second_of_3 = sin_z * sin_y * cos_x - cos_z * sin_x
    angles: NDArray[np.float32] = np.stack(
        [
            np.arctan2(-second_of_3, cos_y * cos_x),
            np.arcsin(np.clip(first_of_3, -1.0, 1.0)),
            np.arctan2(-first_of_2, cos_z * cos_y),
        ]
    ).astype(np.float32)
    return angles
