"""A stretch of one video's results as plain arrays, the record batch made of it, and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from aucli.datatypes import Faces, check_array
from aucli.errors import ShapeError
from aucli.sinks.schema import BOX_COLUMNS, LANDMARK_COLUMNS, POSE_COLUMNS, column_name


@dataclass(frozen=True, eq=False)
class Rows:
    """Results of consecutive frames of one video: `rows` output rows, `faces` of them with a face.

    A frame with n faces is n rows, in the order of their tracks; a frame without a face is one row
    whose `has_face` is False. Arrays of faces hold only the rows with a face, in the order of rows.

    frame_indices: int32 (rows,), not decreasing.
    pts_seconds: float64 (rows,).
    has_face: bool (rows,).
    faces: `faces` tracked faces.
    pose_degrees: float32 (faces, 3), yaw, pitch, roll; NaN where unknown.
    sharpness: float32 (faces,); NaN where unknown.
    valid: bool (faces,).
    probabilities: float32 (faces, AUs), columns in the order of `au_names`; NaN where unknown. None from a
        model without them.
    occurrences: bool (faces, AUs); null in the output where the probability is NaN. None from a model that
        does not decide.
    au_names: `AU1`, `AU12L`, ... as the model orders them.
    intensities: float32 (faces, intensity AUs), 0 to 5, columns in the order of `intensity_aus`.

    Raises:
        ShapeError: an array does not fit this description.
    """

    frame_indices: NDArray[np.int32]
    pts_seconds: NDArray[np.float64]
    has_face: NDArray[np.bool_]
    faces: Faces
    pose_degrees: NDArray[np.float32]
    sharpness: NDArray[np.float32]
    valid: NDArray[np.bool_]
    probabilities: NDArray[np.float32] | None
    occurrences: NDArray[np.bool_] | None
    au_names: tuple[str, ...]
    intensities: NDArray[np.float32] | None = None
    intensity_aus: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        rows, faces = len(self.frame_indices), len(self.faces)
        check_array("Rows.frame_indices", self.frame_indices, (rows,), "int32")
        check_array("Rows.pts_seconds", self.pts_seconds, (rows,), "float64")
        check_array("Rows.has_face", self.has_face, (rows,), "bool")
        check_array("Rows.pose_degrees", self.pose_degrees, (faces, 3), "float32")
        check_array("Rows.sharpness", self.sharpness, (faces,), "float32")
        check_array("Rows.valid", self.valid, (faces,), "bool")
        if self.probabilities is not None:
            check_array("Rows.probabilities", self.probabilities, (faces, len(self.au_names)), "float32")
        if self.occurrences is not None:
            check_array("Rows.occurrences", self.occurrences, (faces, len(self.au_names)), "bool")
        if self.intensities is not None:
            check_array("Rows.intensities", self.intensities, (faces, len(self.intensity_aus)), "float32")
        elif self.intensity_aus:
            raise ShapeError("Rows.intensities is missing although Rows.intensity_aus names some")
        self._check_order()

    def _check_order(self) -> None:
        if int(self.has_face.sum()) != len(self.faces):
            raise ShapeError(
                f"Rows.has_face marks {int(self.has_face.sum())} rows, Rows.faces has {len(self.faces)}"
            )
        if self.faces.tracks is None:
            raise ShapeError("Rows.faces has no tracks: only tracked faces are written")
        tracks = np.full(len(self), -1, np.int64)
        tracks[self.has_face] = self.faces.tracks
        same_frame = np.diff(self.frame_indices) == 0
        if (np.diff(self.frame_indices) < 0).any() or (np.diff(tracks)[same_frame] <= 0).any():
            raise ShapeError("Rows must be in the order frame, track, with each track once in a frame")
        shared = np.r_[False, same_frame] | np.r_[same_frame, False]
        if len(self) and (shared & ~self.has_face).any():
            raise ShapeError("a frame without a face must be a single row")

    def __len__(self) -> int:
        return len(self.frame_indices)

    def __repr__(self) -> str:
        return f"Rows({len(self)} rows, {len(self.faces)} faces, {len(self.au_names)} AUs)"


def rows_to_batch(schema: pa.Schema, rows: Rows, *, video: str, subject: str | None = None) -> pa.RecordBatch:
    """The rows as a record batch of `schema` (see `output_schema`); unknown values become nulls.

    Raises:
        ShapeError: the AUs of the rows are not those of the schema.
    """
    faces = rows.faces
    per_face: dict[str, NDArray[Any]] = {"face_score": faces.scores, "valid": rows.valid}
    if faces.tracks is not None:  # Rows has checked that they are there
        per_face["track"] = faces.tracks
    per_face |= {name: faces.boxes[:, i] for i, name in enumerate(BOX_COLUMNS)}
    points = faces.landmarks.reshape(len(faces), len(LANDMARK_COLUMNS))
    per_face |= {name: points[:, i] for i, name in enumerate(LANDMARK_COLUMNS)}
    per_face |= {name: rows.pose_degrees[:, i] for i, name in enumerate(POSE_COLUMNS)}
    per_face["sharpness"] = rows.sharpness
    unknown: dict[str, NDArray[np.bool_]] = {}
    for i, au in enumerate(rows.au_names):
        if rows.probabilities is not None:
            per_face[f"{column_name(au)}_prob"] = rows.probabilities[:, i]
            unknown[column_name(au)] = np.isnan(rows.probabilities[:, i])
        if rows.occurrences is not None:
            per_face[column_name(au)] = rows.occurrences[:, i]
    if rows.intensities is not None:
        for i, au in enumerate(rows.intensity_aus):
            per_face[f"{column_name(au)}_int"] = rows.intensities[:, i]

    columns: dict[str, pa.Array] = {
        "video": pa.repeat(pa.scalar(video, pa.string()), len(rows)),
        "subject": pa.repeat(pa.scalar(subject, pa.string()), len(rows)),
        "frame": pa.array(rows.frame_indices),
        "time_s": pa.array(rows.pts_seconds),
    }
    for name, values in per_face.items():
        columns[name] = _spread(values, rows.has_face, unknown.get(name))
    missing = set(schema.names) - set(columns)
    if missing or set(columns) - set(schema.names) - {"subject"}:
        raise ShapeError(f"the AUs of the rows, {', '.join(rows.au_names)}, are not those of the schema")
    return pa.record_batch([columns[name] for name in schema.names], schema=schema)


def batch_to_rows(batch: pa.RecordBatch, au_names: tuple[str, ...]) -> Rows:
    """The rows of a record batch of one video, whole frames, as arrays; nulls become NaN or False.

    au_names: the AUs of the columns, in any order; intensities are left out where there are probabilities.

    Raises:
        KeyError: a column is not there.
        ShapeError: rows that `Rows` would not take.
    """
    has_face = batch.column("track").is_valid().to_numpy(zero_copy_only=False)
    faces = batch.filter(pa.array(has_face))

    def floats(*names: str) -> NDArray[np.float32]:
        columns = [faces.column(name).to_numpy(zero_copy_only=False) for name in names]
        return np.stack(columns, axis=1).astype(np.float32).reshape(faces.num_rows, len(names))

    def flags(*names: str) -> NDArray[np.bool_]:
        columns = [faces.column(name).fill_null(False).to_numpy(zero_copy_only=False) for name in names]
        return np.stack(columns, axis=1).astype(np.bool_).reshape(faces.num_rows, len(names))

    columns = [column_name(au) for au in au_names]
    with_probabilities = any(name.endswith("_prob") for name in batch.schema.names)
    with_occurrences = with_probabilities or any(column in batch.schema.names for column in columns)
    return Rows(
        frame_indices=batch.column("frame").to_numpy(),
        pts_seconds=batch.column("time_s").to_numpy(),
        has_face=has_face,
        faces=Faces(
            boxes=floats(*BOX_COLUMNS),
            scores=floats("face_score")[:, 0],
            landmarks=floats(*LANDMARK_COLUMNS).reshape(-1, len(LANDMARK_COLUMNS) // 2, 2),
            tracks=faces.column("track").to_numpy(zero_copy_only=False).astype(np.int32),
        ),
        pose_degrees=floats(*POSE_COLUMNS),
        sharpness=floats("sharpness")[:, 0],
        valid=flags("valid")[:, 0],
        probabilities=floats(*(f"{column}_prob" for column in columns)) if with_probabilities else None,
        occurrences=flags(*columns) if with_occurrences else None,
        au_names=au_names,
        intensities=None if with_probabilities else floats(*(f"{column}_int" for column in columns)),
        intensity_aus=() if with_probabilities else au_names,
    )


def _spread(values: NDArray[Any], has_face: NDArray[np.bool_], unknown: NDArray[np.bool_] | None) -> pa.Array:
    """Values of faces laid out over all rows: null without a face, where unknown, and for NaN."""
    if unknown is None:
        unknown = np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), np.bool_)
    over_rows = np.zeros(len(has_face), values.dtype)
    over_rows[has_face] = values
    null = np.ones(len(has_face), np.bool_)
    null[has_face] = unknown
    return pa.array(over_rows, mask=null)
