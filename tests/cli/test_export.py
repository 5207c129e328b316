"""`aucli export` as a person and a program see it."""

import json
from typing import get_args

import pandas as pd
import pytest

from aucli.cli.export import FORMATS
from aucli.sinks.export import ExportFormat
from tests.cli.commands import aucli_here as aucli
from tests.sinks.export.extractions import extraction, rows_with


@pytest.fixture
def study(tmp_path):
    extraction(tmp_path / "out.parquet", {"talk.mp4": rows_with(), "sub/ä [b].mp4": rows_with(2)})
    return tmp_path


def test_the_formats_of_the_help_are_all_there_are():
    assert get_args(ExportFormat) == FORMATS


def test_what_was_written_and_what_is_empty_is_said(study):
    done = aucli("export", "out.parquet", "--format", "openface", cwd=study)
    assert done.returncode == 0, done.stderr
    assert "Written: out_openface/talk.csv\nWritten: out_openface/sub/ä [b].csv\n" in done.stdout
    assert "Empty: gaze_0_x to gaze_1_z, " in done.stdout
    assert "AU45_c." in done.stdout
    assert done.stdout.count("Empty:") == 1
    assert done.stderr == ""
    assert pd.read_csv(study / "out_openface" / "talk.csv").shape[1] == 714


def test_for_programs(study):
    done = aucli("export", "out.parquet", "--format", "libreface", "-o", "new/", "--json", cwd=study)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["format"] == "libreface"
    assert [file["file"] for file in result["files"]][:2] == ["new/talk.track0.csv", "new/talk.track1.csv"]
    assert "lm_mp_0_x to lm_mp_477_z" in (study / result["note"]).read_text()
    assert "lm_mp_0_x to lm_mp_477_z" in result["files"][0]["empty"]
    assert "AU12_prob" in result["files"][0]["left_out"]


def test_quiet(study):
    done = aucli("export", "out.parquet", "--format", "json", "--video", "talk.mp4", "--quiet", cwd=study)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert {json.loads(line)["video"] for line in (study / "out.jsonl").read_text().splitlines()} == {
        "talk.mp4"
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "no format: give --format with one of openface, pyfeat"),
        (
            ("--format", "openface3"),
            "choose one of openface, pyfeat, libreface, csv, json, elan, annotator-table",
        ),
        (("--format", "csv", "-o", "x.xlsx"), "give -o x.csv"),
        (("--format", "csv", "--video", "none.mp4"), "no such video"),
        (("--format", "openface", "--media", "."), "--media is for --format elan"),
        (("--format", "elan", "-o", "x.eaf"), "one file for 2 videos"),
    ],
)
def test_wrong_use_is_one_line_and_writes_nothing(study, words, message):
    done = aucli("export", "out.parquet", *words, cwd=study)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("aucli: ")
    assert message in line
    assert [path.name for path in study.iterdir()] == ["out.parquet"]


def test_files_that_are_there_stay(study):
    (study / "out.csv").write_text("mine")
    done = aucli("export", "out.parquet", "--format", "csv", cwd=study)
    assert done.returncode == 2
    assert "out.csv exists: add --overwrite" in done.stderr
    assert (study / "out.csv").read_text() == "mine"
    assert aucli("export", "out.parquet", "--format", "csv", "--overwrite", cwd=study).returncode == 0
    assert len(pd.read_csv(study / "out.csv")) == 30
