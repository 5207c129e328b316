"""Raw videos and pictures to crops and labels: real clips in the owners' layouts."""

import csv
import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from scipy.ndimage import map_coordinates

from aucli.datasets.open import open_dataset
from aucli.datasets.pictures import read_crops
from aucli.datasets.prepared import PREPARED_CROP
from aucli.datatypes import CropConvention, Source
from aucli.errors import InputNotFoundError, UsageError
from aucli.faces.align import target_points
from aucli.faces.detect import make_detector
from aucli.inference.prepare import crop_folder, prepare
from aucli.inference.prepare_recording import PrepareConfig
from aucli.media.decode import open_decoder
from tests.clips import pan_over, photo_astronaut, photo_t1
from tests.datasets.recipes import DISFA_AUS, write_bp4d_csv, write_disfa_person

EXAMPLES = Path(__file__).parents[2] / "aucli" / "examples"
HERE = Path(__file__).parent
ONE_PROCESS = PrepareConfig(jobs=1)


def matrices(table):
    return np.stack(table["crop_matrix"].to_list()).reshape(-1, 2, 3)


@pytest.fixture(scope="module")
def disfa(tmp_path_factory):
    """Two people with a video, of which one has four labels too many, and one without."""
    raw = tmp_path_factory.mktemp("disfa")
    videos = raw / "Videos_LeftCamera"
    videos.mkdir()
    shutil.copy(EXAMPLES / "smile.mp4", videos / "LeftVideoSN001_comp.mp4")
    shutil.copy(EXAMPLES / "two_people.mp4", videos / "LeftVideoSN002_comp.mp4")
    random = np.random.default_rng(0)
    intensity = {}
    for person, frames in (("SN001", 90), ("SN002", 40), ("SN003", 5)):
        intensity[person] = {au: random.integers(0, 6, frames).tolist() for au in DISFA_AUS}
        write_disfa_person(raw, person, intensity[person], frames)
    output = tmp_path_factory.mktemp("out") / "disfa"
    result = prepare("DISFA", raw, output, PrepareConfig(picture_format="png"))
    return raw, output, result, intensity


def test_every_coded_frame_has_a_row_with_its_own_labels(disfa):
    _, output, _, intensity = disfa
    table = pd.read_parquet(output / "labels.parquet")
    assert len(table) == 90 + 40
    for person, count in (("SN001", 90), ("SN002", 40)):
        rows = table[table["subject"] == person]
        assert rows["frame"].tolist() == list(range(count))
        for au in DISFA_AUS:
            values = np.array(intensity[person][au])
            assert rows[f"AU{au:02d}_int"].tolist() == values.tolist()
            assert rows[f"AU{au:02d}"].tolist() == (values >= 2).astype(int).tolist()


def test_what_is_not_there_is_said_and_not_dropped(disfa):
    _, output, result, _ = disfa
    table = pd.read_parquet(output / "labels.parquet")
    counts = {person: rows["status"].value_counts().to_dict() for person, rows in table.groupby("subject")}
    assert counts == {"SN001": {"ok": 90}, "SN002": {"ok": 36, "no_picture": 4}}
    assert (
        table.loc[table["status"] != "ok", ["path", "face_score", "crop_matrix", "time_s"]].isna().all().all()
    )
    entries = {entry.video: entry for entry in result.report.entries}
    assert {name: entry.status for name, entry in entries.items()} == {
        "SN001": "ok",
        "SN002": "partial",
        "SN003": "failed",
    }
    assert "4 of 40 coded frames are not there" in entries["SN002"].reason
    assert "LeftVideoSN003_comp.avi does not exist" in entries["SN003"].reason
    assert (entries["SN002"].rows, entries["SN002"].frames, entries["SN002"].faces) == (40, 36, 36)
    written = json.loads((output / "labels.report.json").read_text())
    assert [entry["status"] for entry in written["entries"]] == ["ok", "partial", "failed"]


def test_a_crop_is_the_frame_through_its_matrix(disfa):
    raw, output, _, _ = disfa
    table = pd.read_parquet(output / "labels.parquet")
    table = table[table["subject"] == "SN001"]
    wanted = [0, 44, 89]
    with open_decoder(Source(raw / "Videos_LeftCamera" / "LeftVideoSN001_comp.mp4", "a")) as decoder:
        frames = {frame.index: frame for frame in decoder.frames() if frame.index in wanted}
    for index in wanted:
        row = table.iloc[index]
        assert row["time_s"] == pytest.approx(frames[index].pts_seconds, abs=1e-9)
        matrix = np.asarray(row["crop_matrix"]).reshape(2, 3)
        back = np.linalg.inv(matrix[:, :2])
        y, x = np.mgrid[0:256, 0:256]
        place = back @ (np.stack([x.ravel(), y.ravel()]) - matrix[:, 2:])
        pixels = frames[index].pixels.numpy().astype(float)
        warped = np.stack(
            [map_coordinates(pixels[..., c], place[::-1], order=1, mode="nearest") for c in range(3)]
        )
        crop = np.asarray(Image.open(output / row["path"])).astype(float)
        assert np.abs(warped.T.reshape(256, 256, 3) - crop).max() <= 1.0


def test_the_same_person_is_cut_out_all_along(disfa):
    """The renderer says where each of the two faces is."""
    _, output, _, _ = disfa
    table = pd.read_parquet(output / "labels.parquet")
    table = table[(table["subject"] == "SN002") & (table["status"] == "ok")]
    boxes = {}
    with (HERE / "mini_two.csv").open() as file:
        for row in csv.DictReader(file):
            box = [float(row[name]) for name in ("x0", "y0", "x1", "y1")]
            boxes[int(row["frame"]), int(row["face"])] = np.array([[box[0] + box[2]], [box[1] + box[3]]]) / 2
    distance = np.zeros((len(table), 2))
    for place, (frame, matrix) in enumerate(zip(table["frame"], matrices(table), strict=True)):
        for face in (0, 1):
            centre = matrix[:, :2] @ boxes[frame, face] + matrix[:, 2:]
            distance[place, face] = np.hypot(*(centre[:, 0] - 128))
    nearer = distance.argmin(axis=1)
    assert len(set(nearer)) == 1
    assert distance.min(axis=1).max() < 40 < distance.max(axis=1).min()


def test_two_people_are_not_the_published_protocol(disfa):
    _, output, _, _ = disfa
    with pytest.raises(UsageError, match="no crop of SN010"):
        open_dataset("disfa", output, "test", fold=3)


def test_the_metadata_states_the_convention(disfa):
    _, output, _, _ = disfa
    made = json.loads(pq.read_schema(output / "labels.parquet").metadata[b"aucli"])["prepared"]
    assert made["dataset"] == "disfa"
    assert CropConvention(**made["crop"]) == PREPARED_CROP
    assert made["config"]["detector"] == "mtcnn"
    assert made["config"]["picture_format"] == "png"


def test_again_is_at_once_and_changes_nothing(disfa):
    raw, output, _, _ = disfa
    before = tree(output)
    events = []
    result = prepare("disfa", raw, output, PrepareConfig(picture_format="png"), on_event=events.append)
    assert events[0].reused == 2
    assert tree(output) == before
    assert [entry.status for entry in result.report.entries] == ["ok", "partial", "failed"]


def tree(folder):
    """Hash of each file but the report, which has times in it."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".json"
    }


@pytest.fixture(scope="module")
def bp4d(tmp_path_factory):
    """A folder of numbered pictures: a slow pan over a photograph, with a few that are no use."""
    raw = tmp_path_factory.mktemp("bp4d")
    folder = raw / "Sequences(2D+3D)" / "F001" / "T1"
    folder.mkdir(parents=True)
    for number, frame in enumerate(pan_over(photo_astronaut(), 320, 320, 12), start=5):
        Image.fromarray(frame).save(folder / f"{number:04d}.jpg", quality=95)
    Image.new("RGB", (320, 320), (90, 90, 90)).save(folder / "0009.jpg")
    (folder / "0011.jpg").write_bytes(b"no picture")
    (folder / "0014.jpg").unlink()
    (folder / "0006.obj").touch()  # the owners' folders have the 3D data beside the pictures
    write_bp4d_csv(raw, "F001", "T1", {number: {12: number % 2, 10: 9} for number in range(7, 16)})
    output = tmp_path_factory.mktemp("out") / "bp4d"
    return raw, output, prepare("bp4d", raw, output, ONE_PROCESS)


def test_a_folder_of_pictures_goes_by_the_numbers_in_their_names(bp4d):
    _, output, result = bp4d
    table = pd.read_parquet(output / "labels.parquet")
    assert table["frame"].tolist() == list(range(7, 16))
    assert table["AU12"].tolist() == [number % 2 for number in range(7, 16)]
    assert table["AU10"].isna().all()
    status = dict(zip(table["frame"], table["status"], strict=True))
    assert {frame for frame, what in status.items() if what == "no_face"} == {9}
    assert {frame for frame, what in status.items() if what == "no_picture"} == {11, 14}
    assert table["time_s"].isna().all()
    (entry,) = result.report.entries
    assert entry.status == "partial"
    assert entry.notes == ("1 of 7 coded frames without a face",)
    crops = sorted(path.name for path in (output / "crops").rglob("*.jpg"))
    assert crops == [f"{number:06d}.jpg" for number in (7, 8, 10, 12, 13, 15)]


def test_a_pan_moves_the_matrix_as_the_picture(bp4d):
    """The window crosses 10 % of its width in 11 steps, so the face moves left by 32 / 11 pixels a frame."""
    _, output, _ = bp4d
    table = pd.read_parquet(output / "labels.parquet").dropna(subset="path")
    centre = [np.linalg.solve(m[:, :2], np.array([128, 128]) - m[:, 2])[0] for m in matrices(table)]
    slope = np.polyfit(table["frame"], centre, 1)[0]
    assert slope == pytest.approx(-32 / 11, abs=0.25)


def test_crops_show_the_face_where_the_convention_says(bp4d):
    _, output, _ = bp4d
    table = pd.read_parquet(output / "labels.parquet").dropna(subset="path")
    detector = make_detector("mtcnn")
    for path in table["path"][:2]:
        crop = torch.from_numpy(np.asarray(Image.open(output / path)).copy()).unsqueeze(0)
        points = detector.detect(crop)[0].landmarks[0]
        assert np.abs(points - target_points(PREPARED_CROP)).max() < 14  # of 256 pixels


def test_another_option_replaces_the_crops(bp4d, tmp_path):
    raw, finished, _ = bp4d
    output = tmp_path / "out"
    shutil.copytree(finished, output)
    prepare("bp4d", raw, output, PrepareConfig(picture_format="png", jobs=1))
    assert {path.suffix for path in (output / "crops").rglob("*") if path.is_file()} == {".png"}
    table = pd.read_parquet(output / "labels.parquet").dropna(subset="path")
    assert all((output / path).is_file() for path in table["path"])
    assert not (output / "labels.parquet.parts").exists()


def test_removed_crops_are_made_again(bp4d, tmp_path):
    raw, finished, _ = bp4d
    output = tmp_path / "out"
    shutil.copytree(finished, output)
    next((output / "crops").rglob("*.jpg")).unlink()
    prepare("bp4d", raw, output, ONE_PROCESS)
    assert tree(output) == tree(finished)


def test_a_table_of_pictures_takes_the_largest_face_of_each(tmp_path):
    """Two photographs that have nothing to do with each other, and one without anybody."""
    raw = tmp_path / "raw"
    raw.mkdir()
    Image.fromarray(photo_t1()).save(raw / "group.png")
    Image.fromarray(photo_astronaut()).save(raw / "astronaut.png")
    Image.new("RGB", (200, 200)).save(raw / "black.png")
    (raw / "coding.csv").write_text(
        "subject,path,AU12,split\nA,group.png,1,train\nA,astronaut.png,0,train\nA,black.png,,train\n"
        "B,astronaut.png,1,test\n"
    )
    result = prepare("table", raw / "coding.csv", tmp_path / "out", ONE_PROCESS)
    assert result.report.totals["faces"] == 3
    table = pd.read_parquet(tmp_path / "out" / "labels.parquet")
    assert table["status"].tolist() == ["ok", "ok", "no_face", "ok"]
    assert table["video"].tolist() == ["group.png", "astronaut.png", "black.png", "astronaut.png"]
    train = open_dataset("table", tmp_path / "out", "train")
    assert train.labels.tolist() == [[1], [0]]
    assert open_dataset("table", tmp_path / "out", "test").subjects == ("B",)
    # The two crops of the same photograph, from two runs of the detector.
    first = read_crops(train, [1], CropConvention(64))
    second = read_crops(open_dataset("table", tmp_path / "out", "test"), [0], CropConvention(64))
    assert np.array_equal(first, second)


def test_a_table_of_video_frames(tmp_path):
    raw = tmp_path / "raw"
    (raw / "sub").mkdir(parents=True)
    shutil.copy(EXAMPLES / "smile.mp4", raw / "sub" / "a.mp4")
    (raw / "coding.csv").write_text(
        "subject,video,frame,AU12,AU12_int,split\nA,sub/a.mp4,40,1,3.5,train\nA,sub/a.mp4,10,0,0,train\n"
    )
    prepare("table", raw / "coding.csv", tmp_path / "out", ONE_PROCESS)
    faces = open_dataset("table", tmp_path / "out", "train")
    assert faces.frames.tolist() == [10, 40]
    assert faces.labels.tolist() == [[0], [1]]
    assert faces.intensity.tolist() == [[0], [3.5]]
    assert set(faces.videos) == {"sub/a.mp4"}
    assert faces.crop == PREPARED_CROP


def test_killed_and_started_again_gives_the_same_files(tmp_path):
    raw = tmp_path / "raw"
    frames = list(pan_over(photo_astronaut(), 240, 240, 4))
    for task in ("T1", "T2", "T3", "T4"):
        folder = raw / "2D+3D" / "F001" / task
        folder.mkdir(parents=True)
        for number, frame in enumerate(frames):
            Image.fromarray(frame).save(folder / f"{number}.png")
        write_bp4d_csv(raw, "F001", task, {number: {12: 1} for number in range(4)})
    whole, output = tmp_path / "whole", tmp_path / "output"
    prepare("bp4d", raw, whole, ONE_PROCESS)
    words = ["prepare", "--dataset", "bp4d", str(raw), str(output), "--jobs", "1", "--quiet"]
    process = subprocess.Popen([sys.executable, "-m", "aucli.cli.main", *words], start_new_session=True)
    try:
        parts = output / "labels.parquet.parts"
        deadline = time.monotonic() + 120
        while not [p for p in parts.glob("*.json") if p.name != "manifest.json"]:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (output / "labels.parquet").exists()
    with pytest.raises(InputNotFoundError):
        open_dataset("bp4d", output, "train", fold=1)
    time.sleep(0.5)  # its worker ends by itself
    events = []
    prepare("bp4d", raw, output, ONE_PROCESS, on_event=events.append)
    assert 1 <= events[0].reused <= 4
    assert tree(output) == tree(whole)
    assert not (output / "labels.parquet.parts").exists()


def test_crops_that_cannot_be_written_leave_nothing_that_looks_whole(tmp_path):
    """There is a file where their folder should be."""
    raw = tmp_path / "raw"
    (raw / "pictures").mkdir(parents=True)
    Image.fromarray(photo_astronaut()).save(raw / "pictures" / "1.png")
    (raw / "coding.csv").write_text("subject,path,AU12,split\nA,pictures/1.png,1,train\n")
    output = tmp_path / "out"
    output.mkdir()
    (output / "crops").write_text("not a folder")
    with pytest.raises(OSError, match="cannot write"):
        prepare("table", raw / "coding.csv", output, ONE_PROCESS)
    assert sorted(path.name for path in output.iterdir()) == ["crops"]


def test_wrong_use_is_refused_before_anything_is_written(tmp_path):
    write_disfa_person(tmp_path / "raw", "SN001", {}, 3)
    raw, output = tmp_path / "raw", tmp_path / "out"
    with pytest.raises(UsageError, match=r"choose one of bp4d, disfa, ck\+, table"):
        prepare("synthfaces", raw, output)
    with pytest.raises(InputNotFoundError, match="does not exist"):
        prepare("disfa", tmp_path / "none", output)
    with pytest.raises(UsageError, match="holds the raw data"):
        prepare("disfa", raw, raw)
    with pytest.raises(UsageError, match="--format 'gif'"):
        prepare("disfa", raw, output, PrepareConfig(picture_format="gif"))
    with pytest.raises(UsageError, match="mkdir -p"):
        prepare("disfa", raw, tmp_path / "no" / "out")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file"):
        prepare("disfa", raw, tmp_path / "file")
    assert not output.exists()
    output.mkdir()
    pd.DataFrame({"a": [1]}).to_parquet(output / "labels.parquet")
    with pytest.raises(UsageError, match="was not written by aucli prepare"):
        prepare("disfa", raw, output)


def test_nothing_usable(tmp_path):
    write_disfa_person(tmp_path / "raw", "SN001", {}, 3)
    result = prepare("disfa", tmp_path / "raw", tmp_path / "out", ONE_PROCESS)
    assert result.output is None
    assert result.report.entries[0].status == "failed"
    assert not (tmp_path / "out" / "labels.parquet").exists()


def test_crop_folders_are_safe_names():
    assert crop_folder("F001/T1", "0123456789abcdef") == "F001_T1-0123456789abcdef"
    for name in ("../../etc", "/root/x.mp4", "..", "a\x00b", "é" * 300):
        folder = crop_folder(name, "0123456789abcdef")
        assert "/" not in folder
        assert not folder.startswith(".")
        assert len(folder) < 100
