"""`aucli annotate` as a person and a program see it."""

import json
import shutil

import av
import pytest

from tests.cli.commands import EXAMPLES, aucli, aucli_here


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two clips, one of which is no video, and the rows of the good one."""
    folder = tmp_path_factory.mktemp("study")
    shutil.copy(EXAMPLES / "two_people.mp4", folder / "two.mp4")
    (folder / "empty.mp4").touch()
    done = aucli_here("extract", "two.mp4", "-o", "out.parquet", "--quiet", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_folder_with_a_bad_file_as_json(study):
    done = aucli_here("annotate", ".", "--from", "out.parquet", "-o", "new", "--json", cwd=study)
    assert done.returncode == 3, done.stderr
    report = json.loads(done.stdout)
    assert report["exit_code"] == 3
    status = {entry["video"]: (entry["status"], entry["file"]) for entry in report["entries"]}
    assert status == {"two.mp4": ("ok", "new/two.annotated.mp4"), "empty.mp4": ("failed", None)}
    assert "failed empty.mp4: " in done.stderr
    with av.open(str(study / "new" / "two.annotated.mp4")) as container:
        assert container.streams.video[0].frames == 36


def test_the_table_names_the_file_written_and_the_model(study, tmp_path):
    shutil.copy(study / "two.mp4", tmp_path / "two.mp4")
    options = (
        "--detect-every",
        "30",
        "--scale",
        "0.5",
        "--crf",
        "35",
        "--landmarks",
        "--no-regions",
        "--theme",
        "light",
    )
    done = aucli("annotate", "two.mp4", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Written: two.annotated.mp4" in done.stdout
    assert "Licence: MIT" in done.stdout
    assert "encoded by " in done.stdout
    again = aucli_here("annotate", "two.mp4", *options, cwd=tmp_path)
    assert "1 done before" in again.stderr
    assert again.stdout.split("1 inputs")[0].split()[:4] == done.stdout.split("1 inputs")[0].split()[:4]
    with av.open(str(tmp_path / "two.annotated.mp4")) as container:
        assert container.streams.video[0].width == 160


def test_rows_of_another_file(study, tmp_path):
    shutil.copy(EXAMPLES / "smile.mp4", tmp_path / "two.mp4")
    done = aucli_here("annotate", "two.mp4", "--from", study / "out.parquet", "--quiet", cwd=tmp_path)
    assert done.returncode == 4
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("failed two.mp4: two.mp4: is not the file that was extracted: it has ")
    for clip in ("smile.mp4", "two_people.mp4"):
        assert f"{(EXAMPLES / clip).stat().st_size:,} bytes" in line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "no input"),
        (("two.mp4", "--crf", "99"), "--crf 99: must be 0 (best) to 51"),
        (("two.mp4", "--codec", "h263"), "choose one of auto, libx264"),
        (("two.mp4", "--from", "out.parquet", "--graph"), "leave out --from"),
        (("two.mp4", "--theme", "pink"), "choose one of dark, light"),
        (("two.mp4", "--scale", "0"), "--scale 0: must be"),
        (("two.mp4", "--top", "0"), "--top 0: must be"),
        (("two.mp4", "--min-face", "x"), "--min-face x: must be a whole number"),
        (("two.mp4", "--from", "out.parquet", "--model", "builtin"), "leave --model out"),
        (("two.mp4", "--from", "missing.parquet"), "does not exist"),
        (("two.mp4", "-o", "two.mp4"), "is also an input"),
        (("two.mp4", "-o", "x.avi"), "write .mp4"),
        (("missing.mp4",), "does not exist"),
    ],
)
def test_wrong_use_is_one_line_and_writes_nothing(study, words, message):
    before = sorted(path.name for path in study.iterdir())
    done = aucli_here("annotate", *words, cwd=study)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("aucli: ")
    assert message in line
    assert sorted(path.name for path in study.iterdir()) == before
