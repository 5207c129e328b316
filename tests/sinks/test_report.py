import json

import pytest

from aucli.errors import ShapeError
from aucli.sinks.report import ReportEntry, exit_code
from aucli.sinks.share import Share
from tests.sinks.recipes import report_of

OK = ReportEntry(
    "a.mp4", "videos/a.mp4", "ok", subject="S01", rows=40, frames=30, faces=38, tracks=2,
    duration_seconds=1.2, wall_seconds=0.5, fps=60.0, decoder="pyav",
    top_aus=(("AU12", 0.75), ("AU6", 0.5)), notes=("rotated",), key="0123456789abcdef",
)  # fmt: skip
PARTIAL = ReportEntry("b.mp4", "b.mp4", "partial", "file is cut off", rows=10, frames=10, key="b" * 16)
NO_FACE = ReportEntry("c.mp4", "c.mp4", "no_face", rows=5, frames=5, key="c" * 16)
FAILED = ReportEntry("d.mp4", "d.mp4", "failed", "is empty (0 bytes)")
SKIPPED = ReportEntry("notes.doc", "notes.doc", "skipped", "is not a video")
NOTHING_SELECTED = ReportEntry("e.mp4", "e.mp4", "ok", key="e" * 16)


@pytest.mark.parametrize("entry", [OK, PARTIAL, NO_FACE, FAILED, SKIPPED])
def test_an_entry_survives_json(entry):
    assert ReportEntry.from_json(json.loads(json.dumps(entry.to_json()))) == entry


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        ([OK], 0),
        ([OK, NO_FACE], 0),
        ([NO_FACE], 0),
        ([OK, SKIPPED], 0),
        ([OK, NOTHING_SELECTED], 0),
        ([OK, PARTIAL], 3),
        ([PARTIAL], 3),
        ([OK, FAILED], 3),
        ([NO_FACE, FAILED, SKIPPED], 3),
        ([FAILED], 4),
        ([FAILED, SKIPPED], 4),
        ([SKIPPED], 4),
        ([NOTHING_SELECTED], 4),
        ([], 4),
    ],
)
def test_exit_codes(entries, code):
    assert exit_code(entries) == code


def test_totals():
    report = report_of([OK, PARTIAL, NO_FACE, FAILED, SKIPPED], "out.parquet", wall_seconds=0.5)
    assert report.totals == {
        "inputs": 5, "ok": 1, "partial": 1, "no_face": 1, "failed": 1, "skipped": 1,
        "rows": 55, "frames": 45, "faces": 38, "tracks": 2,
        "duration_seconds": 1.2, "wall_seconds": 0.5, "fps": 90.0,
    }  # fmt: skip
    assert report_of([], None, wall_seconds=0.0).totals["fps"] == 0.0


def test_a_shard_that_got_nothing_has_not_failed():
    share = Share(3, 4, (), 2, "")
    assert report_of([], None, share=share).exit_code == 0
    assert report_of([], None).exit_code == 4
    failed = report_of([FAILED], None, share=share)
    assert failed.exit_code == 4
    assert Share.from_json(failed.to_json()["shard"]) == share


def test_report_as_json():
    values = json.loads(json.dumps(report_of([OK, FAILED], "out.parquet").to_json()))
    assert list(values) == [
        "output", "exit_code", "totals", "entries", "command_line",
        "started", "finished", "machine", "versions", "shard",
    ]  # fmt: skip
    assert values["shard"] is None
    assert values["exit_code"] == 3
    assert values["entries"][0]["top_aus"] == [["AU12", 0.75], ["AU6", 0.5]]
    assert values["entries"][1]["reason"] == "is empty (0 bytes)"


@pytest.mark.parametrize(
    "values",
    [
        {"status": "fine"},
        {"status": "failed", "rows": 3, "key": "a" * 16},
        {"status": "ok", "rows": 3, "key": ""},
    ],
)
def test_contradictions_are_refused(values):
    with pytest.raises(ShapeError):
        ReportEntry("a.mp4", "a.mp4", **values)
