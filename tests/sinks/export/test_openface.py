"""Files in OpenFace's layout, read as its readers do."""

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from scipy.spatial.transform import Rotation

from tests.sinks.export.exporting import export, export_with_note
from tests.sinks.export.extractions import FACES, extraction, rows_with


def header():
    """FeatureExtraction's columns, spelled out: 5 + 8 + 280 + 6 + 136 + 204 + 40 + 35."""
    names = ["frame", "face_id", "timestamp", "confidence", "success"]
    names += ["gaze_0_x", "gaze_0_y", "gaze_0_z", "gaze_1_x", "gaze_1_y", "gaze_1_z"]
    names += ["gaze_angle_x", "gaze_angle_y"]
    for axis in "xyXYZ":
        names += [f"eye_lmk_{axis}_{point}" for point in range(56)]
    names += ["pose_Tx", "pose_Ty", "pose_Tz", "pose_Rx", "pose_Ry", "pose_Rz"]
    for axis in "xyXYZ":
        names += [f"{axis}_{point}" for point in range(68)]
    names += ["p_scale", "p_rx", "p_ry", "p_rz", "p_tx", "p_ty", *(f"p_{number}" for number in range(34))]
    aus = ["01", "02", "04", "05", "06", "07", "09", "10", "12", "14", "15", "17", "20", "23", "25", "26"]
    return [*names, *(f"AU{au}_r" for au in [*aus, "45"]), *(f"AU{au}_c" for au in [*aus, "28", "45"])]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """An extraction of one video, and the file made of it."""
    folder = tmp_path_factory.mktemp("openface")
    source = extraction(folder / "out.parquet", {"talk.mp4": rows_with()})
    (file,), note = export_with_note(source, "openface", folder / "new")
    return source, file, note


def test_the_columns_are_openface_s(study):
    assert len(header()) == 714
    assert list(pd.read_csv(study[1].path, nrows=0).columns) == header()


def test_a_row_for_each_frame_and_face(study):
    table = pd.read_csv(study[1].path)
    assert table["frame"].tolist() == [i + 1 for i, faces in enumerate(FACES) for _ in range(max(faces, 1))]
    assert table.groupby("frame")["success"].sum().tolist() == FACES
    assert table[table["frame"] == 5]["face_id"].tolist() == [0, 1, 2]


def test_values_are_those_of_the_extraction(study):
    source, file, _ = study
    theirs = f"read_csv('{file.path}', all_varchar=true)"
    different = duckdb.sql(f"""
        SELECT count(*)
        FROM (SELECT row_number() OVER () AS row, * FROM '{source}')
        JOIN (SELECT row_number() OVER () AS row, * FROM {theirs}) USING (row)
        WHERE time_s IS DISTINCT FROM timestamp::DOUBLE OR face_score IS DISTINCT FROM confidence::FLOAT
            OR track IS DISTINCT FROM face_id::INT OR (track IS NOT NULL)::INT IS DISTINCT FROM success::INT
            OR AU12_int IS DISTINCT FROM AU12_r::FLOAT OR AU04_int IS DISTINCT FROM AU04_r::FLOAT
            OR AU12::INT IS DISTINCT FROM AU12_c::INT OR AU28::INT IS DISTINCT FROM AU28_c::INT
    """).fetchall()
    assert different == [(0,)]
    assert len(pd.read_csv(file.path)) == pq.read_metadata(source).num_rows


def test_no_face_is_no_success_and_nothing_else(study):
    table = pd.read_csv(study[1].path)
    without = table[table["success"] == 0]
    assert len(without) == FACES.count(0)
    assert without.drop(columns=["frame", "timestamp", "success"]).isna().all(axis=None)


def test_what_cannot_be_filled_is_empty_and_named(study):
    _, file, note = study
    table = pd.read_csv(file.path)
    assert [name for name in table.columns if table[name].isna().all()] == list(file.contents.empty)
    assert {"AU45_r", "AU45_c", "AU01_r", "AU02_c", "x_0", "pose_Tx"} <= set(file.contents.empty)
    for words in ("eye_lmk_x_0 to eye_lmk_x_55", "p_0 to p_33", "AU45_r", "AU45_c", "AU45 (blink)"):
        assert words in note, words
    assert {"AU43", "AU12L", "AU12_prob", "valid"} <= set(file.contents.left_out)


def test_probabilities_do_not_become_intensities(tmp_path):
    source = extraction(tmp_path / "out.parquet", {"a.mp4": rows_with(intensity_aus=())}, intensity_aus=())
    (file,) = export(source, "openface", tmp_path / "new")
    table = pd.read_csv(file.path)
    assert table[[name for name in table.columns if name.endswith("_r")]].isna().all(axis=None)
    assert table["AU12_c"].notna().any()


def test_the_head_is_turned_as_in_openface_s_convention(study):
    """R = Rx Ry Rz in x right, y down, z away; ours: roll after yaw after pitch, both the other way."""
    source, file, _ = study
    ours, theirs = pq.read_table(source).to_pandas(), pd.read_csv(file.path)
    known = theirs["success"] == 1
    yaw, pitch, roll = (np.radians(ours.loc[known, f"{name}_degrees"]) for name in ("yaw", "pitch", "roll"))
    expected = Rotation.from_euler("xyz", np.stack([-pitch, -yaw, roll], axis=1))
    found = Rotation.from_euler("XYZ", theirs.loc[known, ["pose_Rx", "pose_Ry", "pose_Rz"]])
    assert (expected * found.inv()).magnitude().max() < 1e-5


@pytest.mark.parametrize(
    ("angles", "column", "sign"),
    [((0, 20, 0), "pose_Rx", -1), ((20, 0, 0), "pose_Ry", -1), ((0, 0, 20), "pose_Rz", 1)],
    ids=["up", "own left", "clockwise"],
)
def test_the_sign_of_each_turn(tmp_path, angles, column, sign):
    """TadasBaltrusaitis/OpenFace issue 966: up is pose_Rx < 0, the person's right pose_Ry > 0."""
    rows = rows_with(faces=[1], pose_degrees=np.array([angles], np.float32))
    (file,) = export(extraction(tmp_path / "out.parquet", {"a.mp4": rows}), "openface", tmp_path / "new")
    found = pd.read_csv(file.path)[["pose_Rx", "pose_Ry", "pose_Rz"]].iloc[0]
    assert found[column] == pytest.approx(sign * np.radians(20), abs=1e-6)
    assert found.drop(column).abs().max() < 1e-6


def test_the_columns_that_readers_take_are_numbers(study):
    """OpenFaceR, talking-head scripts and py-feat take these by name, and calculate."""
    table = pd.read_csv(study[1].path)
    wanted = ["frame", "face_id", "timestamp", "confidence", "success", "pose_Rx", "pose_Ry", "pose_Rz"]
    wanted += [name for name in header() if name.endswith(("_r", "_c"))]
    assert all(pd.api.types.is_numeric_dtype(table[name]) for name in wanted)
    assert table["frame"].dtype == table["success"].dtype == np.int64
    assert set(table["AU12_c"].dropna()) == {0, 1}


def test_py_feat_s_own_reader(study):
    pytest.importorskip("feat")
    from feat.utils.io import read_openface

    fex = read_openface(str(study[1].path))
    assert fex.detector == "OpenFace"
    assert len(fex.aus.columns) == 35
    assert fex["AU12_c"].sum() == pq.read_table(study[0], columns=["AU12"])["AU12"].to_pandas().sum()


def test_a_video_without_any_face(tmp_path):
    rows = rows_with(faces=[0, 0, 0])
    (file,) = export(extraction(tmp_path / "out.parquet", {"a.mp4": rows}), "openface", tmp_path / "new")
    table = pd.read_csv(file.path)
    assert table["success"].tolist() == [0, 0, 0]
