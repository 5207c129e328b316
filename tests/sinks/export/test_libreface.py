"""Files in LibreFace's layout: one person per file, only frames with a face."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from aucli.errors import UsageError
from tests.sinks.export.exporting import export, export_with_note, files_below
from tests.sinks.export.extractions import FACES, extraction, rows_with


def header():
    """The columns of `get_facial_attributes` for a video, spelled out."""
    names = ["frame_idx", "frame_time_in_ms", "pitch", "yaw", "roll"]
    names += [f"lm_mp_{point}_{axis}" for point in range(478) for axis in "xyz"]
    names += [f"au_{au}" for au in (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)]
    names += [f"au_{au}_intensity" for au in (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)]
    return [*names, "facial_expression", "gaze_yaw", "gaze_pitch"]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """An extraction of a video with up to three people and one with one, and its files by name."""
    folder = tmp_path_factory.mktemp("libreface")
    videos = {"many.mp4": rows_with(), "sub/one.mp4": rows_with(2, faces=[1, 0, 1])}
    source = extraction(folder / "out.parquet", videos)
    files, note = export_with_note(source, "libreface", folder / "new")
    return source, {file.path.relative_to(folder / "new").as_posix(): file for file in files}, note


def test_a_file_for_each_person(study):
    assert list(study[1]) == ["many.track0.csv", "many.track1.csv", "many.track2.csv", "sub/one.csv"]


def test_the_columns_are_libreface_s(study):
    for file in study[1].values():
        assert list(pd.read_csv(file.path, nrows=0).columns) == header()


@pytest.mark.parametrize("track", [0, 1, 2])
def test_values_are_those_of_the_person(study, track):
    ours = pq.read_table(study[0]).to_pandas()
    ours = ours[(ours["video"] == "many.mp4") & (ours["track"] == track)]
    theirs = pd.read_csv(study[1][f"many.track{track}.csv"].path)
    assert theirs["frame_idx"].tolist() == ours["frame"].tolist()
    assert theirs["frame_idx"].tolist() == [i for i, faces in enumerate(FACES) if faces > track]
    assert theirs["frame_time_in_ms"].tolist() == ours["time_s"].tolist()  # seconds, as LibreFace writes
    for column, name in (("au_12_intensity", "AU12_int"), ("yaw", "yaw_degrees"), ("roll", "roll_degrees")):
        assert np.array_equal(theirs[column].to_numpy(np.float32), ours[name].to_numpy()), column
    assert theirs["au_4"].tolist() == ours["AU04"].astype(int).tolist()


def test_frames_without_a_face_are_left_out_and_said_to_be(study):
    file = study[1]["sub/one.csv"]
    assert pd.read_csv(file.path)["frame_idx"].tolist() == [0, 2]
    assert "one.csv: 1 frame without a face is left out, as LibreFace does." in study[2]
    assert study[2].count("left out, as") == 1


def test_what_cannot_be_filled_is_empty_and_named(study):
    file = study[1]["many.track0.csv"]
    theirs = pd.read_csv(file.path)
    assert [name for name in theirs.columns if theirs[name].isna().all()] == list(file.contents.empty)
    assert "lm_mp_0_x to lm_mp_477_z" in study[2]


def test_one_file_is_enough_for_one_person_only(study, tmp_path):
    (file,) = export(study[0], "libreface", tmp_path / "x.csv", only=["sub/one.mp4"])
    assert file.path == tmp_path / "x.csv"
    with pytest.raises(UsageError, match=r"a file for each person, and many\.mp4 shows 3: give a folder"):
        export(study[0], "libreface", tmp_path / "y.csv", only=["many.mp4"])
    assert files_below(tmp_path) == ["x.csv"]


def test_a_video_without_any_face_is_a_header(tmp_path):
    source = extraction(tmp_path / "out.parquet", {"a.mp4": rows_with(faces=[0, 0])})
    (file,) = export(source, "libreface", tmp_path / "new")
    assert len(pd.read_csv(file.path)) == 0
    assert file.remarks == ("2 frames without a face are left out, as LibreFace does",)
