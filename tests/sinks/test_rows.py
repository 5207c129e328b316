from dataclasses import replace

import numpy as np
import pytest

from aucli.errors import ShapeError
from aucli.sinks.rows import Rows, rows_to_batch
from aucli.sinks.schema import output_schema
from tests.sinks.recipes import AUS, SCHEMA, make_rows


def test_every_value_lands_in_its_column():
    rows = make_rows(1, faces_in_frame=[1, 2, 1, 3])
    table = rows_to_batch(SCHEMA, rows, video="sub/a.mp4").to_pydict()
    assert table["video"] == ["sub/a.mp4"] * 7
    assert table["frame"] == [0, 1, 1, 2, 3, 3, 3]
    assert table["time_s"] == [0.0, 0.04, 0.04, 0.08, 0.12, 0.12, 0.12]
    assert table["track"] == [0, 0, 1, 0, 0, 1, 2]
    assert table["face_score"] == rows.faces.scores.tolist()
    for i, name in enumerate("xywh"):
        assert table[f"face_{name}"] == rows.faces.boxes[:, i].tolist()
    assert table["lm_nose_x"] == rows.faces.landmarks[:, 2, 0].tolist()
    assert table["lm_mouth_right_y"] == rows.faces.landmarks[:, 4, 1].tolist()
    for i, name in enumerate(("yaw", "pitch", "roll")):
        assert table[f"{name}_degrees"] == rows.pose_degrees[:, i].tolist()
    assert table["sharpness"] == rows.sharpness.tolist()
    assert table["valid"] == rows.valid.tolist()
    columns = {"AU12": "AU12", "AU1": "AU01", "AU12R": "AU12R", "AU12L": "AU12L", "AU4": "AU04"}
    for i, au in enumerate(AUS):
        assert table[f"{columns[au]}_prob"] == rows.probabilities[:, i].tolist()
        assert table[columns[au]] == rows.occurrences[:, i].tolist()


def test_a_frame_without_a_face_is_one_row_of_nulls():
    rows = make_rows(2, faces_in_frame=[0, 2, 0, 1])
    table = rows_to_batch(SCHEMA, rows, video="a.mp4")
    assert table.column("frame").to_pylist() == [0, 1, 1, 2, 3]
    for name in set(SCHEMA.names) - {"video", "frame", "time_s"}:
        assert table.column(name).is_null().to_pylist() == [True, False, False, True, False], name


def test_a_video_without_any_face():
    table = rows_to_batch(SCHEMA, make_rows(3, faces_in_frame=[0, 0]), video="a.mp4")
    assert table.num_rows == 2
    assert table.column("AU12_prob").null_count == 2


def test_no_rows():
    assert rows_to_batch(SCHEMA, make_rows(3, faces_in_frame=[]), video="a").num_rows == 0


def test_nan_becomes_null_and_takes_the_occurrence_with_it():
    rows = make_rows(4, faces_in_frame=[1, 1])
    rows.probabilities[1, 0] = np.nan
    rows.pose_degrees[0] = np.nan
    rows.sharpness[0] = np.nan
    table = rows_to_batch(SCHEMA, rows, video="a.mp4")
    assert table.column("AU12_prob").is_null().to_pylist() == [False, True]
    assert table.column("AU12").is_null().to_pylist() == [False, True]
    assert table.column("AU04").null_count == 0
    assert table.column("yaw_degrees").is_null().to_pylist() == [True, False]
    assert table.column("sharpness").is_null().to_pylist() == [True, False]


def test_subject_and_intensities():
    schema = output_schema(AUS, intensity_aus=["AU12", "AU4"], with_subject=True)
    plain = make_rows(5, faces_in_frame=[1, 0])
    rows = replace(plain, intensities=np.array([[4.5, 0.25]], np.float32), intensity_aus=("AU12", "AU4"))
    table = rows_to_batch(schema, rows, video="a.mp4", subject="S01").to_pydict()
    assert table["subject"] == ["S01", "S01"]
    assert table["AU12_int"] == [4.5, None]
    assert table["AU04_int"] == [0.25, None]
    assert rows_to_batch(schema, rows, video="a.mp4").column("subject").null_count == 2


def test_rows_of_another_model_are_refused():
    with pytest.raises(ShapeError, match="not those of the schema"):
        rows_to_batch(output_schema(["AU1"]), make_rows(6), video="a.mp4")
    with pytest.raises(ShapeError, match="not those of the schema"):
        rows_to_batch(output_schema([*AUS, "AU25"]), make_rows(6), video="a.mp4")


def change(name, value):
    return lambda rows: replace(rows, **{name: value(rows)})


@pytest.mark.parametrize(
    "broken",
    [
        change("frame_indices", lambda rows: rows.frame_indices.astype(np.int64)),
        change("pts_seconds", lambda rows: rows.pts_seconds[:-1]),
        change("probabilities", lambda rows: rows.probabilities[:, :-1]),
        change("occurrences", lambda rows: rows.occurrences.astype(np.uint8)),
        change("pose_degrees", lambda rows: rows.pose_degrees[:, :2]),
        change("valid", lambda rows: rows.valid[:-1]),
        change("has_face", lambda rows: ~rows.has_face),
        change("faces", lambda rows: replace(rows.faces, tracks=None)),
        change("faces", lambda rows: replace(rows.faces, tracks=rows.faces.tracks[::-1].copy())),
        change("faces", lambda rows: replace(rows.faces, tracks=np.zeros_like(rows.faces.tracks))),
        change("frame_indices", lambda rows: rows.frame_indices[::-1].copy()),
        change("frame_indices", lambda rows: np.zeros_like(rows.frame_indices)),
        change("intensity_aus", lambda rows: ("AU1",)),
        change("intensities", lambda rows: np.zeros((len(rows.faces), 2), np.float32)),
    ],
)
def test_arrays_that_do_not_fit_are_refused(broken):
    rows = make_rows(7, faces_in_frame=[2, 0, 3, 1])
    assert isinstance(rows, Rows)
    with pytest.raises(ShapeError):
        broken(rows)


def test_tracks_of_neighbouring_frames_are_independent():
    make_rows(8, faces_in_frame=[3, 1, 2])
