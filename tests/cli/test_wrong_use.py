"""Wrong use: one line that says what to type, exit code 2, nothing written."""

import shutil

import pytest

from tests.cli.commands import EXAMPLES, aucli

CLIP = EXAMPLES / "smile.mp4"


def refused(done, *words):
    """One line on stderr with these words, exit code 2, nothing on stdout."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("aucli: ")
    for word in words:
        assert word in lines[0]
    return True


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["no input", "aucli extract videos/ -o out.parquet"]),
        ([CLIP], ["no output", "-o"]),
        ([CLIP, "-o"], ["-o", "--help"]),
        ([CLIP, "-o", "out.parquet", "--every", "0"], ["--every 0", "1 or more"]),
        ([CLIP, "-o", "out.parquet", "--every", "-3"], ["--every -3", "1 or more"]),
        ([CLIP, "-o", "out.parquet", "--every", "two"], ["--every two", "whole number"]),
        ([CLIP, "-o", "out.parquet", "--fps", "0"], ["--fps 0", "above 0"]),
        ([CLIP, "-o", "out.parquet", "--fps", "5", "--every", "2"], ["--every and --fps", "one of them"]),
        ([CLIP, "-o", "out.parquet", "--start", "2", "--end", "1"], ["--end 1", "later than the start"]),
        ([CLIP, "-o", "out.parquet", "--start", "1:75"], ["--start 1:75", "1:30.5"]),
        ([CLIP, "-o", "out.parquet", "--max-faces", "0"], ["--max-faces 0", "1 or more"]),
        ([CLIP, "-o", "out.parquet", "--min-face", "5"], ["--min-face 5", "20 or more"]),
        ([CLIP, "-o", "out.parquet", "--batch-size", "big"], ["--batch-size big", "auto"]),
        ([CLIP, "-o", "out.parquet", "--jobs", "0"], ["--jobs 0", "1 or more"]),
        ([CLIP, "-o", "out.parquet", "--detector", "yunet"], ["--detector", "mtcnn, insightface"]),
        ([CLIP, "-o", "out.parquet", "--primary", "tallest"], ["--primary", "largest, central, longest"]),
        ([CLIP, "-o", "out.parquet", "--evry", "2"], ["--evry", "--every"]),
        ([CLIP, "-o", "out.parquet", "--config", "none.toml"], ["none.toml", "no such file"]),
        ([CLIP, "-o", "out.parquet", "--model", "bultin"], ["bultin", "builtin"]),
        ([CLIP, "-o", "nowhere/out.parquet"], ["nowhere", "mkdir"]),
        ([CLIP, "-o", "out.csv"], ["out.csv", "out.parquet"]),
        ([CLIP, "-o", "out.parquet", "--device", "cuda:99"], ["cuda:99", "--device"]),
        ([CLIP, "-o", "out.parquet", "--device", "gpu"], ["gpu", "cpu"]),
        (
            [CLIP, "-o", "out.parquet", "--device", "cpu", "--decoder", "torchcodec"],
            ["--decoder torchcodec", "NVIDIA GPU", "--decoder auto"],
        ),
        (["none.mp4", "-o", "out.parquet"], ["none.mp4", "does not exist"]),
        (["none*.mp4", "-o", "out.parquet"], ["none*.mp4", "matches no"]),
    ],
    ids=lambda value: " ".join(map(str, value[-2:])) if isinstance(value, list) else None,
)
def test_one_line_says_what_to_type(tmp_path, arguments, words):
    assert refused(aucli("extract", *arguments, cwd=tmp_path), *words)
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_is_an_input(tmp_path):
    clip = shutil.copy(CLIP, tmp_path / "clip.mp4")
    before = clip.read_bytes()
    assert refused(aucli("extract", clip, "-o", clip), "clip.mp4")
    assert clip.read_bytes() == before
    folder = tmp_path / "videos"
    folder.mkdir()
    shutil.copy(CLIP, folder)
    assert refused(aucli("extract", folder, "-o", folder), "input")


def test_a_folder_without_videos(tmp_path):
    (tmp_path / "empty").mkdir()
    assert refused(aucli("extract", "empty", "-o", "out.parquet", cwd=tmp_path), "empty", "no video")


def test_an_output_that_aucli_did_not_write_is_left_alone(tmp_path):
    output = tmp_path / "out.parquet"
    output.write_text("mine")
    assert refused(aucli("extract", CLIP, "-o", output), "remove it or choose another name")
    assert output.read_text() == "mine"


def test_a_command_that_does_not_exist():
    assert refused(aucli("extrct"), "extrct", "extract", "--help")


def test_mistakes_in_variables_and_files_are_answered_alike(tmp_path):
    assert refused(
        aucli("extract", CLIP, "-o", "x.parquet", AUCLI_EVERY="0", cwd=tmp_path), "AUCLI_", "--every 0"
    )
    (tmp_path / "run.toml").write_text("evry = 2\n")
    arguments = ["extract", CLIP, "-o", "x.parquet", "--config", "run.toml"]
    assert refused(aucli(*arguments, cwd=tmp_path), "run.toml", "did you mean every")
    assert refused(aucli("extract", CLIP, "-o", "x.parquet", AUCLI_LOG="loud"), "AUCLI_LOG=loud", "warning")


@pytest.mark.parametrize("place", ["first", "last", "variable"])
def test_debug_shows_where_an_error_arose(place):
    arguments = ["extract", CLIP, "-o", "out.parquet", "--every", "0"]
    environ = {"AUCLI_DEBUG": "1"} if place == "variable" else {}
    arguments = {"first": ["--debug", *arguments], "last": [*arguments, "--debug"]}.get(place, arguments)
    done = aucli(*arguments, **environ)
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("aucli: --every 0")
