"""`aucli extract` and `aucli demo` as a person and a program see them."""

import json
import shutil

import pyarrow.parquet as pq
import pytest

from tests.cli.commands import EXAMPLES, aucli

RUN = ("extract", "videos", "-o", "out.parquet", "--every", "30", "--jobs", "1")


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """A good clip, two files that are no videos, and a list with a window of time."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "videos").mkdir()
    shutil.copy(EXAMPLES / "smile.mp4", folder / "videos" / "a.mp4")
    (folder / "videos" / "empty.mp4").touch()
    (folder / "videos" / "folder.mp4").mkdir()
    (folder / "list.csv").write_text("path,subject,start,end\nvideos/a.mp4,anna,0.5,1\n")
    return folder


@pytest.fixture(scope="module")
def run(videos):
    """One run that goes partly wrong, with its report on stdout."""
    done = aucli(*RUN, "--json", cwd=videos)
    assert done.returncode == 3, done.stderr
    return done


def test_a_dry_run_shows_the_plan_and_writes_nothing(videos, tmp_path):
    output = tmp_path / "out.parquet"
    done = aucli("extract", "videos", "list.csv", "-o", output, "--dry-run", cwd=videos)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert any(row[:2] == ["videos/a.mp4", "video"] and "anna" in row for row in rows), done.stdout
    assert "folder.mp4: is a folder" in done.stdout
    assert "Nothing was written" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_for_programs(videos, tmp_path):
    done = aucli("extract", "list.csv", "-o", tmp_path / "out.parquet", "--dry-run", "--json", cwd=videos)
    plan = json.loads(done.stdout)
    (source,) = plan["inputs"]
    assert (source["subject"], source["start_seconds"], source["end_seconds"]) == ("anna", 0.5, 1.0)
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_wins_over_the_variable_and_that_over_the_file(videos, tmp_path):
    (tmp_path / "run.toml").write_text(
        'output = "file.parquet"\ndry-run = true\njson = false\nmodel = "no such model"\n'
    )
    done = aucli(
        *("extract", videos / "list.csv", "--config", "run.toml", "-o", "option.parquet"),
        cwd=tmp_path,
        AUCLI_OUTPUT="variable.parquet",
        AUCLI_MODEL="builtin",
        AUCLI_JSON="1",
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["output"] == "option.parquet"
    done = aucli(
        *("extract", videos / "list.csv", "--no-json", "--model", "builtin"),
        cwd=tmp_path,
        AUCLI_CONFIG="run.toml",
        AUCLI_OUTPUT="variable.parquet",
        AUCLI_JSON="1",
    )
    assert done.returncode == 0, done.stderr
    assert "into variable.parquet" in done.stdout


def test_json_is_the_report_and_nothing_else(videos, run):
    report = json.loads(run.stdout)
    assert report == json.loads((videos / "out.report.json").read_text())
    assert report["exit_code"] == 3
    status = {entry["video"]: entry["status"] for entry in report["entries"]}
    assert status == {"a.mp4": "ok", "empty.mp4": "failed", "folder.mp4": "failed"}
    assert (
        " ".join(report["command_line"]) == "aucli extract videos -o out.parquet --every 30 --jobs 1 --json"
    )


def test_progress_is_on_stderr_and_problems_too(run):
    assert "aucli: 3 videos, 0 done before" in run.stderr
    assert "failed empty.mp4: " in run.stderr
    assert "\x1b" not in run.stderr


def test_the_table_names_each_video_the_file_and_the_model(videos, run):
    done = aucli(*RUN, cwd=videos)
    assert done.returncode == 3
    assert "1 done before" in done.stderr
    rows = {line.split()[0]: line.split() for line in done.stdout.splitlines() if line.strip()}
    entry = json.loads(run.stdout)["entries"][0]
    assert rows["a.mp4"][1:5] == ["ok", str(entry["frames"]), str(entry["faces"]), str(entry["tracks"])]
    assert "Written: out.parquet (report: out.report.json)" in done.stdout
    assert "Licence: MIT" in done.stdout
    assert "synthetic faces only" in done.stdout


def test_quiet_says_only_what_went_wrong(videos, run):
    done = aucli(*RUN, "--quiet", cwd=videos)
    assert done.returncode == 3
    assert done.stdout == ""
    words = [line.split()[:2] for line in done.stderr.splitlines()]
    assert words == [["failed", "empty.mp4:"], ["failed", "folder.mp4:"]]


def test_fail_fast_stops_with_the_reason(videos, tmp_path):
    output = tmp_path / "out.parquet"
    done = aucli("extract", "videos", "-o", output, "--fail-fast", cwd=videos)
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1].startswith("aucli: folder.mp4: is a folder")
    assert not output.exists()


def test_nothing_usable(tmp_path):
    (tmp_path / "odd" / "folder.mp4").mkdir(parents=True)
    done = aucli("extract", "odd", "-o", "out.parquet", cwd=tmp_path)
    assert done.returncode == 4
    assert "failed folder.mp4: is a folder" in done.stdout


def test_the_demo_needs_nothing_and_ends_with_what_to_try(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "default_model.json").write_text('{"model": "removed since"}')
    done = aucli("demo", cwd=tmp_path, AUCLI_CONFIG_FOLDER=str(tmp_path / "config"))
    assert done.returncode == 0, done.stderr
    table = pq.read_table(tmp_path / "demo" / "out.parquet")
    assert set(table["video"].to_pylist()) == {"smile.mp4", "two_people.mp4"}
    assert "demo/out.parquet" in done.stdout
    assert "extract path/to/videos -o out.parquet" in done.stdout
