"""Files in py-feat's layout, read by its own reader where it is installed, else as that reads them."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.sinks.export.exporting import export, export_with_note
from tests.sinks.export.extractions import FACES, extraction, rows_with

AUS = [
    f"AU{number:02d}" for number in (1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 17, 20, 23, 24, 25, 26, 28, 43)
]
NAME = 'fête, "one".mp4'


def header():
    """The columns of py-feat 2.1.5's Detectorv1 for a video, spelled out."""
    names = ["FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight", "FaceScore"]
    names += [f"{axis}_{point}" for axis in "xy" for point in range(68)]
    names += ["Pitch", "Roll", "Yaw", "X", "Y", "Z", *AUS]
    names += ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"]
    names += [f"Identity_{number}" for number in range(1, 513)]
    names += ["gaze_pitch", "gaze_yaw", "gaze_angle", "FrameHeight", "FrameWidth"]
    return [*names, "input", "frame", "approx_time", "Identity"]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """An extraction, and the file made of it."""
    folder = tmp_path_factory.mktemp("pyfeat")
    rows = rows_with()
    rows.pts_seconds[:] = rows.frame_indices * 61.5 - 0.04  # over ten minutes, from before 0
    source = extraction(folder / "out.parquet", {NAME: rows})
    (file,), note = export_with_note(source, "pyfeat", folder / "new")
    return source, file, note


def test_the_columns_are_py_feat_s(study):
    assert len(header()) == 695
    assert list(pd.read_csv(study[1].path, nrows=0).columns) == header()


def test_values_are_those_of_the_extraction(study):
    ours, theirs = pq.read_table(study[0]).to_pandas(), pd.read_csv(study[1].path)
    for column, name in [
        *((au, f"{au}_prob") for au in ("AU01", "AU04", "AU12", "AU28", "AU43")),
        ("FaceRectX", "face_x"),
        ("FaceRectHeight", "face_h"),
        ("FaceScore", "face_score"),
    ]:
        same = np.array_equal(theirs[column].to_numpy(np.float32), ours[name].to_numpy(), equal_nan=True)
        assert same, column
    assert theirs["frame"].tolist() == ours["frame"].tolist()
    assert set(theirs["input"]) == {NAME}


def test_signs_and_units_of_the_head(study):
    ours, theirs = pq.read_table(study[0]).to_pandas(), pd.read_csv(study[1].path)
    for column, name, sign in (("Pitch", "pitch", 1), ("Yaw", "yaw", -1), ("Roll", "roll", -1)):
        expected = sign * np.radians(ours[f"{name}_degrees"])
        assert np.allclose(theirs[column], expected, rtol=1e-6, equal_nan=True), column


def test_people_and_times(study):
    theirs = pd.read_csv(study[1].path)
    assert theirs[theirs["frame"] == 4]["Identity"].tolist() == ["Person_0", "Person_1", "Person_2"]
    assert theirs[theirs["frame"] == 0]["Identity"].isna().all()
    times = theirs.groupby("frame")["approx_time"].first().tolist()
    assert times[:4] == ["00:00", "01:01", "02:02", "03:04"]  # 61.46, 122.96, 184.46 seconds


def test_no_face_is_a_row_with_nothing_in_it(study):
    theirs = pd.read_csv(study[1].path)
    without = theirs[theirs["FaceScore"].isna()]
    assert len(without) == FACES.count(0)
    assert without.drop(columns=["input", "frame", "approx_time"]).isna().all(axis=None)


def test_what_cannot_be_filled_is_empty_and_named(study):
    theirs = pd.read_csv(study[1].path)
    assert [name for name in theirs.columns if theirs[name].isna().all()] == list(study[1].contents.empty)
    assert "Identity_1 to Identity_512" in study[2]


def test_an_hour_has_more_than_59_minutes(tmp_path):
    rows = rows_with(faces=[1, 1])
    rows.pts_seconds[:] = (3599.99, 7265.0)
    (file,) = export(extraction(tmp_path / "out.parquet", {"a.mp4": rows}), "pyfeat", tmp_path / "new")
    assert pd.read_csv(file.path)["approx_time"].tolist() == ["59:59", "121:05"]


def test_py_feat_s_own_reader(study):
    pytest.importorskip("feat")
    from feat.utils.io import read_feat

    fex = read_feat(str(study[1].path))
    assert fex.shape == (sum(max(faces, 1) for faces in FACES), 695)
    assert list(fex.aus.columns) == AUS
    assert list(fex.emotions.columns) == header()[167:174]
    assert fex.landmarks.shape[1] == 136
    assert list(fex.poses.columns) == ["Pitch", "Roll", "Yaw", "X", "Y", "Z"]
    assert np.allclose(fex["Yaw"], pd.read_csv(study[1].path)["Yaw"], equal_nan=True)


def test_what_that_reader_does_with_the_columns(study):
    """It takes every column with AU in its name for one, and the other detector's file for one with these."""
    columns = list(pd.read_csv(study[1].path, nrows=0).columns)
    assert [name for name in columns if "AU" in name] == AUS
    assert not {"valence", "arousal"} & set(columns)
    assert not [name for name in columns if name.startswith("mesh_x_")]
