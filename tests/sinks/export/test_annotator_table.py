"""The table for coders, as a spreadsheet program and pandas see it."""

import csv

import pandas as pd
import pytest

from aucli.sinks.export.annotator_table import as_plain_text, time_code
from tests.sinks.export.exporting import export
from tests.sinks.export.extractions import AUS, extraction
from tests.sinks.export.test_elan import SMILE, course

COLUMNS = (
    "video subject track au name onset apex offset onset_frame apex_frame offset_frame peak coder agree note"
)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("annotator")
    late = course(SMILE, people=2)
    late.pts_seconds[:] += 3600
    late.probabilities[:, AUS.index("AU1")] = 0.9
    videos = {'=HYPERLINK("http://x")&.mp4': course(SMILE), "ä, b.mp4": late}
    source = extraction(folder / "out.parquet", videos, subjects={"ä, b.mp4": "@Ann"})
    (file,) = export(source, "annotator-table")
    assert file.path == folder / "out_annotator-table.csv"
    return file


def test_events_are_rows_in_the_order_in_which_they_are_watched(file):
    table = pd.read_csv(file.path, encoding="utf-8-sig")
    assert list(table.columns) == COLUMNS.split()
    assert table[["track", "au", "onset_frame", "apex_frame", "offset_frame"]].to_numpy().tolist() == [
        [0, "AU12", 5, 8, 14],
        [0, "AU12", 30, 30, 34],
        [0, "AU1", 0, 0, 34],
        [0, "AU12", 5, 8, 14],
        [0, "AU12", 30, 30, 34],
        [1, "AU1", 0, 0, 34],
        [1, "AU12", 5, 8, 14],
        [1, "AU12", 30, 30, 34],
    ]
    assert table.loc[0, ["onset", "apex", "offset", "peak"]].tolist() == [
        "00:00:00.200",
        "00:00:00.320",
        "00:00:00.600",
        0.93,
    ]
    assert table.loc[3, "onset"] == "01:00:00.200"
    assert table.loc[2, "name"] == "Inner brow raiser"


def test_what_the_coder_fills_in_is_empty(file):
    table = pd.read_csv(file.path, encoding="utf-8-sig")
    assert table[["coder", "agree", "note"]].isna().all(axis=None)


def test_a_spreadsheet_program_sees_text_and_no_formula(file):
    content = file.path.read_bytes()
    assert content.startswith(b"\xef\xbb\xbfvideo,")
    assert content.count(b"\r\n") == content.count(b"\n") == 9
    rows = list(csv.DictReader(content.decode("utf-8-sig").splitlines()))
    assert {row["video"] for row in rows} == {'\'=HYPERLINK("http://x")&.mp4', "ä, b.mp4"}
    assert {row["subject"] for row in rows} == {"", "'@Ann"}
    for row in rows:
        assert not [value for value in row.values() if value[:1] in tuple("=+-@\t\r")]


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@a", "\t=1", "\r=1", "\n=1", "＝1"])
def test_what_looks_like_a_formula_is_made_text(text):
    assert as_plain_text(text) == f"'{text}"


@pytest.mark.parametrize("text", ["a=1", "", "a.mp4", "'=1", " b"])
def test_other_texts_stay_as_they_are(text):
    assert as_plain_text(text) == text


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (0, "00:00:00.000"),
        (0.0004, "00:00:00.000"),
        (59.9996, "00:01:00.000"),
        (3661.5, "01:01:01.500"),
        (360000.25, "100:00:00.250"),
        (-0.04, "-00:00:00.040"),
        (-0.0001, "00:00:00.000"),
    ],
)
def test_time_codes(seconds, code):
    assert time_code(seconds) == code
