"""The list of videos, and where their files are now."""

import json
import shutil

import pytest

from aucli.errors import InputNotFoundError, UsageError
from aucli.sinks.report import ReportEntry
from aucli.viewer.run import ViewedRun
from tests.cli.commands import EXAMPLES
from tests.viewer.runs import Clip, write_run


@pytest.fixture
def study(tmp_path):
    """videos/ with two clips, and their output elsewhere."""
    videos = tmp_path / "videos"
    videos.mkdir()
    for name in ("smile.mp4", "two_people.mp4"):
        shutil.copy(EXAMPLES / name, videos)
    (tmp_path / "results").mkdir()
    write_run(
        tmp_path / "results" / "out.parquet",
        {name: Clip(videos / name, {0: None}, lambda *_: 0.2) for name in ("smile.mp4", "two_people.mp4")},
        failed=[
            ReportEntry(
                "broken.mp4",
                f"{videos}/broken.mp4",
                "failed",
                reason=f"{videos}/broken.mp4: is cut off",
            )
        ],
    )
    return tmp_path


def opened(study, *folders):
    return ViewedRun.open(study / "results" / "out.parquet", folders)


def test_the_list_has_videos_that_failed_with_their_reason(study):
    listed = opened(study).to_json()
    assert [(video["name"], video["status"], video["has_rows"]) for video in listed["videos"]] == [
        ("smile.mp4", "ok", True),
        ("two_people.mp4", "ok", True),
        ("broken.mp4", "failed", False),
    ]
    assert listed["videos"][2]["reason"] == "is cut off"
    assert listed["notes"] == []


def test_without_its_report_the_output_lists_what_it_has(study):
    (study / "results" / "out.report.json").unlink()
    listed = opened(study).to_json()
    assert [video["name"] for video in listed["videos"]] == ["smile.mp4", "two_people.mp4"]
    assert "no out.report.json" in listed["notes"][0]


@pytest.mark.parametrize("content", ["not json", "[]", "{}", '{"entries": [1], "output": "x"}'])
def test_a_report_that_cannot_be_read_is_told(study, content):
    (study / "results" / "out.report.json").write_text(content)
    listed = opened(study).to_json()
    assert len(listed["videos"]) == 2
    assert "cannot be read" in listed["notes"][0]


def test_the_report_of_another_run_is_not_believed(study):
    report = study / "results" / "out.report.json"
    value = json.loads(report.read_text())
    value["entries"][0]["key"] = "f" * 16
    report.write_text(json.dumps(value))
    listed = opened(study).to_json()
    assert [video["name"] for video in listed["videos"]] == ["smile.mp4", "two_people.mp4"]
    assert "of another run" in listed["notes"][0]


def test_the_file_is_found_where_it_was(study):
    source = opened(study).source(0)
    assert (source.state, source.path) == ("ok", study / "videos" / "smile.mp4")


def test_a_file_that_was_moved_is_found_by_its_content(study):
    shutil.move(study / "videos", study / "elsewhere")
    assert opened(study).source(0).state == "missing"
    assert str(study / "videos" / "smile.mp4") in map(str, opened(study).source(0).looked_at)
    found = opened(study, study / "elsewhere").source(0)
    assert (found.state, found.path) == ("ok", study / "elsewhere" / "smile.mp4")


def test_a_file_beside_the_output_is_found(study):
    shutil.move(study / "videos" / "smile.mp4", study / "results" / "smile.mp4")
    assert opened(study).source(0).path == study / "results" / "smile.mp4"


def test_paths_are_those_of_the_folder_in_which_extract_was_run(study, monkeypatch):
    report = study / "results" / "out.report.json"
    value = json.loads(report.read_text())
    value["output"] = "results/out.parquet"
    for entry in value["entries"]:
        entry["path"] = f"videos/{entry['video']}"
    report.write_text(json.dumps(value))
    monkeypatch.chdir("/")
    assert opened(study).source(0).path == study / "videos" / "smile.mp4"
    value["output"] = "elsewhere/out.parquet"
    report.write_text(json.dumps(value))
    assert opened(study).source(0).state == "missing"


def test_a_folder_of_outputs_is_one_run(study):
    """As `extract -o out/` writes it: a file for each video, one report."""
    folder = study / "out"
    folder.mkdir()
    entries = []
    for number, name in enumerate(("smile.mp4", "two_people.mp4")):
        clip = Clip(study / "videos" / name, {0: None}, lambda *_, number=number: 0.1 + 0.5 * number)
        write_run(folder / f"{name}.parquet", {name: clip})
        report = folder / f"{name}.report.json"
        entries += json.loads(report.read_text())["entries"]
        report.unlink()
    (folder / "report.json").write_text(json.dumps({"entries": entries, "output": str(folder)}))
    run = ViewedRun.open(folder)
    assert run.to_json()["notes"] == []
    assert [video["name"] for video in run.to_json()["videos"]] == ["smile.mp4", "two_people.mp4"]
    assert [float(run.rows(place).values[0, 0]) for place in (0, 1)] == pytest.approx([0.1, 0.6])
    assert run.source(1).state == "ok"


def test_another_file_of_that_name_counts_only_where_the_right_one_is_not(study):
    other = study / "other"
    other.mkdir()
    shutil.copy(EXAMPLES / "two_people.mp4", other / "smile.mp4")
    assert opened(study, other).source(0).path == study / "videos" / "smile.mp4"
    (study / "videos" / "smile.mp4").unlink()
    found = opened(study, other).source(0)
    assert (found.state, found.path) == ("changed", other / "smile.mp4")


def test_a_file_that_comes_back_is_seen_without_a_new_start(study):
    run = opened(study)
    shutil.move(study / "videos" / "smile.mp4", study / "away.mp4")
    assert run.source(0).state == "missing"
    shutil.move(study / "away.mp4", study / "videos" / "smile.mp4")
    assert run.source(0).state == "ok"


def test_what_is_not_an_output_is_refused(study):
    with pytest.raises(InputNotFoundError, match=r"nothing\.parquet"):
        ViewedRun.open(study / "nothing.parquet")
    with pytest.raises(UsageError, match=r"smile\.mp4"):
        ViewedRun.open(study / "videos" / "smile.mp4")


def test_a_video_without_rows_cannot_be_opened(study):
    for place in (2, 3, -1):
        with pytest.raises(LookupError):
            opened(study).about(place)


def test_the_picture_is_described(study):
    picture = opened(study).about(0)["source"]["picture"]
    assert (picture["width"], picture["height"], picture["codec"]) == (320, 240, "h264")
