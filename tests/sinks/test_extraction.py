"""What `extract` wrote is read again as it was, and rows of another file are refused."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aucli.errors import InputNotFoundError, MediaError, UsageError
from aucli.sinks import parquet
from aucli.sinks.extraction import find_video, read_extraction
from aucli.sinks.frames import frames_of
from aucli.sinks.rows import batch_to_rows, rows_to_batch
from tests.sinks.recipes import AUS, SCHEMA, AnyIdentity, make_rows, small_run

VIDEOS = {"a.mp4": 1, "sub/b.mp4": 2, "c.mp4": 3}


@pytest.fixture
def output(tmp_path):
    small_run(tmp_path / "out.parquet", VIDEOS, frames=30, chunks=1)
    return tmp_path / "out.parquet"


def test_rows_become_a_batch_and_rows_again():
    rows = make_rows(5)
    rows.probabilities[0, 2] = np.nan
    again = batch_to_rows(rows_to_batch(SCHEMA, rows, video="a"), AUS)
    for name in (
        "frame_indices",
        "pts_seconds",
        "has_face",
        "pose_degrees",
        "sharpness",
        "valid",
        "probabilities",
    ):
        assert np.array_equal(getattr(again, name), getattr(rows, name), equal_nan=True), name
    occurrences = rows.occurrences & ~np.isnan(rows.probabilities)
    assert np.array_equal(again.occurrences, occurrences)
    for name in ("boxes", "scores", "landmarks", "tracks"):
        assert np.array_equal(getattr(again.faces, name), getattr(rows.faces, name)), name


@pytest.mark.parametrize("faces", [[0, 0, 0], [], [3]])
def test_frames_without_faces_become_rows_again(faces):
    rows = make_rows(5, faces_in_frame=faces)
    again = batch_to_rows(rows_to_batch(SCHEMA, rows, video="a"), AUS)
    assert again.has_face.tolist() == rows.has_face.tolist()
    assert len(again.faces) == len(rows.faces)
    assert [len(frame.faces) for frame in frames_of(again)] == faces


def test_a_digest_is_of_the_rows_wherever_they_lie(output, tmp_path, monkeypatch):
    digests = {video.video: video.digest() for video in read_extraction(output)}
    assert len(set(digests.values())) == len(VIDEOS)
    small_run(tmp_path / "one.parquet", {"c.mp4": VIDEOS["c.mp4"]}, frames=30, chunks=1)
    [alone] = read_extraction(tmp_path / "one.parquet")
    monkeypatch.setattr(parquet, "_READ_ROWS", 7)  # however it is read
    assert alone.digest() == digests["c.mp4"]
    table = pq.read_table(output)
    place = table.schema.get_field_index("track")
    shifted = table.column("track").to_pylist()
    shifted[0] = 99 if shifted[0] is None else shifted[0] + 1
    column = pa.array(shifted, table.schema.field("track").type)
    pq.write_table(table.set_column(place, table.schema.field("track"), column), output)
    changed = {video.video: video.digest() for video in read_extraction(output)}
    assert [name for name in digests if digests[name] != changed[name]] == ["a.mp4"]


@pytest.mark.parametrize("batch_rows", [1, 7, 16_384])
def test_each_video_gives_its_frames_however_they_were_cut(output, monkeypatch, batch_rows):
    # Borders between the faces of one frame, without thousands of rows.
    monkeypatch.setattr(parquet, "_READ_ROWS", batch_rows)
    videos = read_extraction(output)
    assert [video.video for video in videos] == list(VIDEOS)
    for video in videos:
        expected = list(frames_of(make_rows(VIDEOS[video.video], frames=30)))
        found = list(video.frames(AUS))
        assert [frame.index for frame in found] == list(range(30))
        for one, other in zip(found, expected, strict=True):
            assert one.pts_seconds == other.pts_seconds
            assert np.array_equal(one.faces.boxes, other.faces.boxes)
            assert np.array_equal(one.probabilities, other.probabilities)
            assert np.array_equal(one.valid, other.valid)


def test_a_folder_of_files_is_an_extraction_too(tmp_path):
    small_run(f"{tmp_path}/out/", VIDEOS)
    videos = read_extraction(tmp_path / "out")
    assert sorted(video.video for video in videos) == sorted(VIDEOS)
    assert all(video.start == 0 for video in videos)


def identity_of(number):
    return {"size": number, "samples_sha256": f"{number:02d}" * 32}


def test_a_file_is_found_by_its_content_whatever_its_name(output, tmp_path):
    videos = [
        replace(video, identity=identity_of(number)) for number, video in enumerate(read_extraction(output))
    ]
    found = find_video(videos, tmp_path / "renamed.mp4", "renamed.mp4", identity_of(1))
    assert found.video == "sub/b.mp4"


def test_of_several_with_the_same_content_the_name_decides(output, tmp_path):
    videos = read_extraction(output)
    identity = AnyIdentity()["any"]
    assert find_video(videos, tmp_path / "c.mp4", "c.mp4", identity).video == "c.mp4"
    assert find_video(videos, tmp_path / "x.mp4", "x.mp4", identity).video == "a.mp4"


def test_rows_of_another_file_are_refused_with_both_identities(output, tmp_path):
    videos = read_extraction(output)
    with pytest.raises(
        MediaError, match=r"it has 77 bytes, SHA-256 7777.*the rows are of 1 bytes, SHA-256 cdcd"
    ):
        find_video(videos, tmp_path / "b.mp4", "b.mp4", identity_of(77))
    with pytest.raises(MediaError, match=r"no rows of it, only of a\.mp4, sub/b\.mp4, c\.mp4; run extract"):
        find_video(videos, tmp_path / "new.mp4", "new.mp4", identity_of(77))


def test_what_is_no_extraction_is_wrong_use(output, tmp_path):
    with pytest.raises(InputNotFoundError, match="does not exist"):
        read_extraction(tmp_path / "missing.parquet")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    (tmp_path / "text.parquet").write_text("words")
    for name in ("other.parquet", "text.parquet"):
        with pytest.raises(UsageError, match="is not the output of aucli extract"):
            read_extraction(tmp_path / name)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no rows"):
        read_extraction(tmp_path / "empty")


def test_rows_that_were_taken_away_are_noticed(output):
    table = pq.read_table(output)
    pq.write_table(table.slice(0, table.num_rows - 5), output)
    with pytest.raises(UsageError, match="run extract again"):
        read_extraction(output)


def test_a_file_that_went_bad_in_between_is_this_video_s_failure(output):
    video = read_extraction(output)[0]
    content = bytearray(output.read_bytes())
    content[4:2000] = bytes(1996)
    output.write_bytes(content)
    with pytest.raises(MediaError, match="its rows cannot be read"):
        list(video.frames(AUS))
