"""The columns of the output, in their order, and what each means.

One row per frame and face; a frame without a face is one row with nulls from `track` on. Rows are
in the order video, frame, track.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from aucli.datatypes import LANDMARK_NAMES
from aucli_models.au import facs_order, parse, title

LANDMARK_COLUMNS = tuple(f"lm_{point}_{axis}" for point in LANDMARK_NAMES for axis in "xy")
POSE_COLUMNS = ("yaw_degrees", "pitch_degrees", "roll_degrees")
BOX_COLUMNS = ("face_x", "face_y", "face_w", "face_h")

_FIXED_MEANINGS = {
    "video": "path of the video as given, relative to its input root",
    "subject": "person named for this video in the input list; null where none was named",
    "frame": "index of the decoded frame in the video, from 0, counted while decoding",
    "time_s": "presentation time of the frame in seconds (PTS x time base)",
    "track": "number of the person through this video; null in a frame without a face",
    "face_score": "detector's score of the face, 0 to 1",
    "face_x": "left edge of the face box in pixels of the displayed picture",
    "face_y": "top edge of the face box in pixels of the displayed picture",
    "face_w": "width of the face box in pixels",
    "face_h": "height of the face box in pixels",
    "yaw_degrees": "turn of the head about the vertical axis in degrees",
    "pitch_degrees": "nod of the head in degrees",
    "roll_degrees": "tilt of the head in the picture plane in degrees",
    "sharpness": "sharpness of the face crop, higher is sharper",
    "valid": "whether the face is good enough to trust its AUs; the rule stands in the metadata",
}


def column_name(au: str) -> str:
    """`AU1` -> `AU01`, `AU12L` -> `AU12L`: zero-padded, so that names sort as FACS numbers do.

    Raises:
        ValueError: not an AU name.
    """
    number, side = parse(au)
    return f"AU{number:02d}{side}"


def output_schema(
    au_names: Sequence[str],
    *,
    intensity_aus: Sequence[str] = (),
    with_subject: bool = False,
    with_probabilities: bool = True,
    with_occurrences: bool = True,
) -> pa.Schema:
    """The output's columns for a model with these AUs.

    au_names: `AU1`, `AU12L`, ... in any order; the columns come in FACS order, both sides before left
        before right: first all probabilities, then all occurrences, then the intensities.
    with_subject: adds the column `subject`, wanted when any input names one.
    with_probabilities, with_occurrences: whether the model gives them.

    Raises:
        ValueError: an AU named twice, or something that is not an AU.
    """
    for names in (au_names, intensity_aus):
        if len(set(names)) != len(names):
            raise ValueError(f"an AU stands twice in {list(names)}")
    ordered = sorted(au_names, key=facs_order)
    fields = [pa.field("video", pa.string(), nullable=False)]
    if with_subject:
        fields.append(pa.field("subject", pa.string()))
    fields += [
        pa.field("frame", pa.int32(), nullable=False),
        pa.field("time_s", pa.float64(), nullable=False),
        pa.field("track", pa.int32()),
    ]
    fields += [
        pa.field(name, pa.float32())
        for name in ("face_score", *BOX_COLUMNS, *LANDMARK_COLUMNS, *POSE_COLUMNS, "sharpness")
    ]
    fields.append(pa.field("valid", pa.bool_()))
    if with_probabilities:
        fields += [pa.field(f"{column_name(au)}_prob", pa.float32()) for au in ordered]
    if with_occurrences:
        fields += [pa.field(column_name(au), pa.bool_()) for au in ordered]
    fields += [
        pa.field(f"{column_name(au)}_int", pa.float32()) for au in sorted(intensity_aus, key=facs_order)
    ]
    return pa.schema(fields)


def describe_columns(schema: pa.Schema) -> dict[str, str]:
    """What each column means, with its unit: the data dictionary that goes into the file's metadata."""
    of_intensity = not any(name.endswith("_prob") for name in schema.names)
    return {name: _meaning(name, of_intensity=of_intensity) for name in schema.names}


def _meaning(column: str, *, of_intensity: bool) -> str:
    """of_intensity: whether an occurrence is decided on the intensity."""
    if column in _FIXED_MEANINGS:
        return _FIXED_MEANINGS[column]
    if column in LANDMARK_COLUMNS:
        point, axis = column.removeprefix("lm_").rsplit("_", 1)
        return f"{axis} of the landmark '{point.replace('_', ' ')}' (left and right of the picture) in pixels"
    au, _, kind = column.partition("_")
    what = f"{au}, {title(au).lower()}"
    return {
        "prob": f"calibrated probability that {what}, occurs, 0 to 1",
        "": f"whether {what}, occurs: its {'intensity' if of_intensity else 'probability'} is at or above "
        "the model's threshold",
        "int": f"intensity of {what}, 0 (absent) to 5 (maximum, FACS E)",
    }[kind]
