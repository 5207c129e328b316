"""One run of `extract` over all that a folder may hold: each input once in the report, and none stops it."""

import csv
import io
import json
import os

import pyarrow.parquet as pq
import pytest

from tests.cli.commands import aucli
from tests.clips import numbered_frames, truncate, write_clip

CLIP_NAMES = {
    b"a b.mp4": "a b.mp4",
    b"q'uo\"te.mp4": "q'uo\"te.mp4",
    b"new\nline.mp4": "new\nline.mp4",
    "\N{GRINNING FACE}.mp4".encode(): "\N{GRINNING FACE}.mp4",
    b"latin\xe9.mp4": "latin\\xe9.mp4",
    b"<img src=x onerror=alert(1)>.mp4": "<img src=x onerror=alert(1)>.mp4",
    b"\x1b[31mred.mp4": "\x1b[31mred.mp4",
    b"[red]x[red].mp4": "[red]x[red].mp4",
    b"-x.mp4": "-x.mp4",
    b"x" * 251 + b".mp4": "x" * 251 + ".mp4",
}
REASONS = {
    "empty.mp4": "is empty (0 bytes)",
    "text.mp4": "is a text file, not a video",
    "folder.mp4": "is a folder, not a video file, in spite of its name",
    "pipe.mp4": "is not a regular file",
    "loop.mp4": "is a link that leads to no file",
    "lost.mp4": "is a link that leads to no file",
    "cut.mp4": "is cut off",
}
FRAMES = 2


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    videos = folder / "videos"
    videos.mkdir()
    clip = write_clip(folder / "clip.mp4", numbered_frames(FRAMES, 96, 64)).read_bytes()
    for name in CLIP_NAMES:
        (videos / os.fsdecode(name)).write_bytes(clip)
    deep = videos.joinpath("d" * 120, "e" * 120, "f" * 120)  # paths over 255 bytes
    deep.mkdir(parents=True)
    (deep / "deep.mp4").write_bytes(clip)
    (videos / "empty.mp4").touch()
    (videos / "text.mp4").write_text("these are words\n" * 20)
    (videos / "folder.mp4").mkdir()
    os.mkfifo(videos / "pipe.mp4")
    (videos / "loop.mp4").symlink_to("loop.mp4")
    (videos / "lost.mp4").symlink_to("gone.mp4")
    (videos / "cut.mp4").write_bytes(clip)
    truncate(videos / "cut.mp4", 0.7)
    return folder


@pytest.fixture(scope="module")
def run(study):
    done = aucli("extract", "videos", "-o", "out.parquet", "--jobs", "1", "--json", cwd=study)
    assert done.returncode == 3, done.stderr
    return done


def test_each_input_is_in_the_report_once_with_its_rows_or_its_reason(study, run):
    entries = json.loads((study / "out.report.json").read_text(encoding="utf-8"))["entries"]
    assert entries == json.loads(run.stdout)["entries"]
    names = [entry["video"] for entry in entries]
    deep = "/".join(("d" * 120, "e" * 120, "f" * 120, "deep.mp4"))
    good = {*CLIP_NAMES.values(), deep}
    assert sorted(names) == sorted({*good, *REASONS})
    for entry in entries:
        if entry["video"] in good:
            assert (entry["status"], entry["rows"]) == ("no_face", FRAMES), entry
        else:
            assert entry["status"] == "failed"
            assert REASONS[entry["video"]] in entry["reason"]
    rows = pq.read_table(study / "out.parquet", columns=["video", "frame", "time_s"]).to_pylist()
    assert {(row["video"], row["frame"], row["time_s"]) for row in rows} == {
        (name, frame, frame / 25) for name in good for frame in range(FRAMES)
    }
    assert len(rows) == FRAMES * len(good)


def test_the_path_in_the_report_finds_a_file_of_any_name_again(study, run):
    entries = json.loads((study / "out.report.json").read_text(encoding="utf-8"))["entries"]
    [latin] = [entry for entry in entries if entry["video"] == "latin\\xe9.mp4"]
    assert os.fsencode(latin["path"]) == b"videos/latin\xe9.mp4"
    assert (study / latin["path"]).is_file()


def test_nothing_reaches_the_terminal_as_a_code(run):
    assert "\x1b" not in run.stderr
    assert "failed pipe.mp4: is not a regular file" in run.stderr


def test_all_that_reads_the_output_takes_the_names(study, run):
    done = aucli("report", "out.parquet", "-o", "report.html", cwd=study)
    assert done.returncode == 0, done.stderr
    page = (study / "report.html").read_text(encoding="utf-8")
    assert "<img" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;.mp4" in page
    done = aucli("export", "out.parquet", "--format", "openface", "-o", "csv/", cwd=study)
    assert done.returncode == 0, done.stderr
    written = [path.name for path in (study / "csv").rglob("*.csv")]
    assert len(written) == len(CLIP_NAMES) + 1
    assert max(map(len, written)) < 255
    done = aucli("export", "out.parquet", "--format", "csv", "-o", "all.csv", cwd=study)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO((study / "all.csv").read_text(encoding="utf-8"), newline="")))
    assert {row["video"] for row in rows} >= set(CLIP_NAMES.values())


def test_one_file_per_video_where_a_name_is_as_long_as_it_may_be(study, tmp_path):
    long = "x" * 251 + ".mp4"
    done = aucli("extract", f"videos/{long}", "-o", f"{tmp_path}/out/", "--jobs", "1", "--quiet", cwd=study)
    assert done.returncode == 0, done.stderr
    [file] = (tmp_path / "out").glob("*.parquet")
    assert file.name.startswith("x" * 200)
    assert pq.read_table(file, columns=["video"])["video"].to_pylist() == [long] * FRAMES
    again = aucli("extract", f"videos/{long}", "-o", f"{tmp_path}/out/", "--jobs", "1", cwd=study)
    assert "1 done before" in again.stderr
