"""What an export refuses, where it writes by default, and what stands on disk when something goes wrong."""

import os

import pandas as pd
import pyarrow.parquet as pq
import pytest

from aucli.errors import InputNotFoundError, MediaError, OutputError, UsageError
from aucli.sinks.export.plan import plan_export
from aucli.sinks.export.run import run_export
from tests.sinks.export.exporting import export, files_below
from tests.sinks.export.extractions import FACES, extraction, rows_with
from tests.sinks.recipes import small_run

VIDEOS = {"talk.mp4": 1, "sub/talk.mp4": 2, "sub/other.mov": 3, "talk.mov": 4}
ROWS = sum(max(faces, 1) for faces in FACES)


@pytest.fixture
def source(tmp_path):
    return extraction(tmp_path / "out.parquet", {name: rows_with(seed) for name, seed in VIDEOS.items()})


@pytest.mark.parametrize(
    ("format_name", "expected"),
    [
        ("csv", ["out.csv"]),
        ("json", ["out.jsonl"]),
        ("annotator-table", ["out_annotator-table.csv"]),
        *(
            (
                name,
                [
                    f"out_{name}/sub/other{suffix}",
                    f"out_{name}/sub/talk{suffix}",
                    f"out_{name}/talk.mov{suffix}",
                    f"out_{name}/talk.mp4{suffix}",
                ],
            )
            for name, suffix in (("openface", ".csv"), ("pyfeat", ".csv"), ("elan", ".eaf"))
        ),
    ],
)
def test_where_it_goes_when_nobody_says(source, tmp_path, format_name, expected):
    files = export(source, format_name)
    assert files_below(tmp_path) == sorted([*expected, "out.parquet"])
    (note,) = tmp_path.glob("*.note.txt")
    assert note.name == f"{files[0].path.relative_to(tmp_path).parts[0]}.note.txt"
    with pytest.raises(UsageError, match="exists: add --overwrite"):
        export(source, format_name)
    export(source, format_name, overwrite=True)


def test_a_folder_of_a_run_with_one_file_per_video(tmp_path):
    small_run(f"{tmp_path}/run/", VIDEOS)
    (file,) = export(tmp_path / "run", "csv")
    assert file.path == tmp_path / "run.csv"
    assert sorted(set(pd.read_csv(file.path)["video"])) == sorted(VIDEOS)
    assert len(export(tmp_path / "run", "openface")) == 4
    assert (tmp_path / "run_openface" / "sub" / "other.csv").is_file()


def test_the_folder_one_stands_in(source, tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    source.rename(tmp_path / "run" / "out.parquet")
    monkeypatch.chdir(tmp_path / "run")
    (file,) = export(type(source)("."), "csv")
    assert file.path == tmp_path / "run.csv"


def test_some_videos_only(source, tmp_path):
    (file,) = export(source, "openface", tmp_path / "new", only=["talk.mov"])
    assert files_below(tmp_path / "new") == ["talk.mov.csv"]  # as among all videos
    rows = pq.read_table(source).to_pandas().query("video == 'talk.mov'")
    assert pd.read_csv(file.path)["timestamp"].tolist() == rows["time_s"].tolist()
    export(source, "openface", tmp_path / "new", only=["talk.mp4", "sub/other.mov"])
    assert files_below(tmp_path / "new") == ["sub/other.csv", "talk.mov.csv", "talk.mp4.csv"]
    (file,) = export(source, "csv", tmp_path / "some.csv", only=["sub/talk.mp4", "talk.mp4"])
    assert list(dict.fromkeys(pd.read_csv(file.path)["video"])) == ["talk.mp4", "sub/talk.mp4"]


def test_a_folder_holds_nothing_but_tables(source, tmp_path):
    """OpenFaceR's read_face_csvs reads every file that it finds in the folder."""
    export(source, "openface", tmp_path / "new", only=["talk.mp4", "talk.mov"])
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["talk.mov.csv", "talk.mp4.csv"]


def test_the_note_of_a_folder_keeps_what_was_noted_before(source, tmp_path):
    export(source, "openface", tmp_path / "new", only=["talk.mp4"])
    first = (tmp_path / "new.note.txt").read_text()
    export(source, "elan", tmp_path / "new")
    both = (tmp_path / "new.note.txt").read_text()
    assert both.startswith(f"{first}\nelan, written by aucli 0.1.0 from out.parquet.\n")
    export(source, "elan", tmp_path / "new", overwrite=True)
    assert (tmp_path / "new.note.txt").read_text() == both


def test_the_note_of_a_file_is_of_that_file(source, tmp_path):
    export(source, "csv", tmp_path / "x.csv")
    export(source, "openface", tmp_path / "x.csv", only=["talk.mp4"], overwrite=True)
    assert (tmp_path / "x.csv.note.txt").read_text().startswith("openface, written by")
    assert "\ncsv, written" not in (tmp_path / "x.csv.note.txt").read_text()


def test_the_note_of_the_folder_one_stands_in(source, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    export(source, "openface", ".", only=["talk.mp4"])
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == ["note.txt", "talk.mp4.csv"]


@pytest.mark.parametrize("format_name", ["csv", "openface", "libreface", "elan", "annotator-table"])
def test_each_row_is_counted_once_for_the_progress(source, format_name):
    plan = plan_export(source, format_name)
    seen = []
    list(run_export(plan, version="0.1.0", on_rows=seen.append))
    assert sum(seen) == plan.rows == 4 * ROWS


@pytest.mark.parametrize(
    ("format_name", "output", "options", "message"),
    [
        (
            "openface3",
            None,
            {},
            r"--format openface3: choose one of openface, pyfeat, libreface, csv, json, elan",
        ),
        ("csv", "x.tsv", {}, r"-o .*x\.tsv: the file is \.csv: give -o .*x\.csv"),
        ("csv", "folder", {}, r"csv is one file: give for instance -o .*folder\.csv"),
        ("csv", "there", {}, r"csv is one file"),
        ("openface", "x.eaf", {}, r"the file is \.csv"),
        ("openface", "x.csv", {}, r"is one file for 4 videos: give a folder, -o x/, or --video"),
        ("openface", "nowhere/x.csv", {}, r"the folder .*nowhere does not exist: mkdir -p"),
        ("openface", "taken", {}, r"is a file: remove it"),
        ("openface", "", {}, r"the output has no name"),
        (
            "csv",
            "x.csv",
            {"only": ["none.mp4"]},
            r"--video none\.mp4: the extraction has no such video; it has sub/",
        ),
        ("csv", "x.csv", {"media": "there"}, r"--media is for --format elan"),
        ("elan", None, {"media": "nowhere"}, r"--media .*nowhere: is not a folder"),
        ("csv", "there.csv", {}, r"is one file: give for instance -o .*there\.csv/out\.csv"),
    ],
)
def test_wrong_use_is_refused_and_writes_nothing(source, tmp_path, format_name, output, options, message):
    (tmp_path / "there").mkdir()
    (tmp_path / "there.csv").mkdir()
    (tmp_path / "taken").touch()
    before = sorted(tmp_path.rglob("*"))
    if "media" in options:
        options = {"media": tmp_path / options["media"]}
    with pytest.raises(UsageError, match=message):
        export(source, format_name, output and tmp_path / output, **options)  # "" stays ""
    assert sorted(tmp_path.rglob("*")) == before


def test_what_is_no_extraction(tmp_path):
    with pytest.raises(InputNotFoundError):
        export(tmp_path / "none.parquet", "csv")
    (tmp_path / "text.parquet").write_text("words")
    with pytest.raises(UsageError, match="not the output of aucli extract"):
        export(tmp_path / "text.parquet", "csv")


def test_the_extraction_itself_is_never_written_over(source, tmp_path):
    content = source.read_bytes()
    (tmp_path / "out.csv").symlink_to(source)
    with pytest.raises(UsageError, match=r"out\.csv is the input"):
        export(source, "csv", overwrite=True)
    assert source.read_bytes() == content


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(source, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o555)
    with pytest.raises(UsageError, match="no permission"):
        export(source, "openface", tmp_path / "locked" / "new")


def test_damaged_rows_leave_no_file_behind(tmp_path):
    source = extraction(tmp_path / "out.parquet", {"a.mp4": rows_with()})
    plans = [
        plan_export(source, name) for name in ("csv", "openface", "libreface", "elan", "annotator-table")
    ]
    content = bytearray(source.read_bytes())
    content[4:3000] = bytes(2996)
    source.write_bytes(content)
    for plan in plans:
        with pytest.raises(MediaError, match=r"out\.parquet: its rows cannot be read"):
            list(run_export(plan, version="0.1.0"))
    assert files_below(tmp_path) == ["out.parquet"]


def test_a_file_that_cannot_be_written_is_named_and_those_before_it_are_whole(source, tmp_path):
    plan = plan_export(source, "openface", tmp_path / "new")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "sub").touch()  # where a folder must be
    with pytest.raises(OutputError, match=r"cannot write .*new/sub/talk\.csv: .*--overwrite"):
        list(run_export(plan, version="0.1.0"))
    assert files_below(tmp_path / "new") == ["sub", "talk.mp4.csv"]
    assert "Files: talk.mp4.csv." in (tmp_path / "new.note.txt").read_text()
    assert len(pd.read_csv(tmp_path / "new" / "talk.mp4.csv")) == ROWS
