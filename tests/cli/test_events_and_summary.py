"""`aucli events` and `aucli summary` as a user runs them."""

import csv
import inspect
import json
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest

from aucli.cli import analysis_options
from aucli.series.events import EventSettings
from tests.cli.commands import aucli_here as aucli
from tests.sinks.made_extraction import write_extraction

TIMES = np.arange(50) / 25


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    def bump(first, last, high=0.9):
        values = np.full(50, 0.1)
        values[first:last] = high
        return values

    return write_extraction(
        tmp_path_factory.mktemp("run") / "out.parquet",
        {
            "a [bold].mp4": {
                "times": TIMES,
                "tracks": {0: {"AU12": bump(10, 30), "AU4": bump(20, 50, 0.6)}, 1: {"AU12": bump(0, 0)}},
            }
        },
    )


def test_events_as_a_table(out):
    done = aucli("events", out)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["a", "[bold].mp4", "0", "AU12", "0.400", "0.400", "1.200", "0.800", "0.90"] in lines
    assert [
        "a",
        "[bold].mp4",
        "0",
        "AU4",
        "0.800",
        "0.800",
        "2.000",
        "1.200",
        "0.60",
        "cut",
        "at",
        "end",
    ] in lines
    assert "2 events." in done.stdout
    assert "figures for AU4 are weak" in done.stdout


def test_events_as_files(out, tmp_path):
    for name in ("events.csv", "events.parquet", "events.json"):
        done = aucli("events", out, "-o", tmp_path / name, "--au", "AU12", "--threshold", "AU12=0.2,AU12=0.3")
        assert done.returncode == 0, done.stderr
        assert f"Written: {tmp_path / name}" in done.stdout
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "events.csv",
        "events.info.json",
        "events.json",
        "events.parquet",
    ]
    (row,) = csv.DictReader((tmp_path / "events.csv").open())
    (same,) = pq.read_table(tmp_path / "events.parquet").to_pylist()
    document = json.loads((tmp_path / "events.json").read_text())
    assert float(row["enter"]) == same["enter"] == document["events"][0]["enter"] == 0.3
    assert document["settings"]["thresholds"] == {"AU12": 0.3}
    assert json.loads((tmp_path / "events.info.json").read_text())["settings"] == document["settings"]


def test_json_goes_to_stdout_alone(out):
    done = aucli("events", out, "--json", "--baseline", "0-0.2")
    events = json.loads(done.stdout)
    assert done.stderr == ""
    assert [event["peak_change"] for event in events["events"]] == pytest.approx([0.5, 0.8])  # FACS order
    assert events["settings"]["baseline"] == {"kind": "mean", "start_seconds": 0, "end_seconds": 0.2}
    summary = json.loads(aucli("summary", out, "--json").stdout)
    assert {row["au"]: row["active_share"] for row in summary["aus"] if row["track"] == 0} == pytest.approx(
        {"AU4": 0.6, "AU12": 0.4, "AU12L": 0}
    )
    first = summary["pairs"][0]
    assert (first["track"], first["au_a"], first["au_b"]) == (0, "AU4", "AU12")
    assert first["both_share"] == pytest.approx(0.2)


def test_summary_as_tables(out, tmp_path):
    done = aucli("summary", out, "-o", tmp_path / "sums.csv")
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["a", "[bold].mp4", "0", "2.0", "AU4", "60%", "1", "30.0", "0.40", "0.60"] in lines
    assert ["AU4", "AU12", "0.4", "10%"] in lines  # of 4 seconds of two people
    assert {p.name for p in tmp_path.iterdir()} == {"sums.csv", "sums.pairs.csv", "sums.info.json"}


def test_settings_change_what_is_found(out):
    def found(*options):
        events = json.loads(aucli("events", out, "--json", *options).stdout)["events"]
        return [(event["au"], event["last_frame"]) for event in events]

    assert found() == [("AU4", 49), ("AU12", 29)]
    assert found("--min-duration", "1") == [("AU4", 49)]
    assert found("--enter", "1.5") == [("AU12", 29)]
    assert found("--enter", "1.9") == []
    assert found("--au", "AU4") == [("AU4", 49)]
    assert found("--leave", "0.15", "--au", "AU12") == [("AU12", 49)]  # never below 0.075 again


def test_the_defaults_of_the_options_are_those_of_the_settings():
    settings = EventSettings()
    assert settings.enter == analysis_options.ENTER
    assert settings.leave == analysis_options.LEAVE
    assert settings.min_duration_seconds == analysis_options.MIN_DURATION
    assert settings.max_gap_seconds == analysis_options.MAX_GAP
    assert len(inspect.signature(EventSettings).parameters) == 4


@pytest.mark.parametrize("command", ["events", "summary", "report"])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none.parquet"], ["none.parquet", "does not exist"]),
        (["text.parquet"], ["text.parquet", "is not the output of aucli extract"]),
        (["OUT", "--au", "AU99"], ["AU99", "it has AU4, AU12, AU12L"]),
        (["OUT", "--au", ","], ["--au", "at least one"]),
        (["OUT", "--threshold", "AU12"], ["--threshold AU12", "AU12=0.4"]),
        (["OUT", "--threshold", "AU12=2"], ["AU12=2", "up to 1"]),
        (["OUT", "--baseline", "3-2"], ["--baseline 3-2", "end after"]),
        (["OUT", "--baseline", "50-60"], ["from 50 to 60 seconds"]),
        (["OUT", "--baseline", "nothing"], ["--baseline nothing", "median"]),
        (["OUT", "--leave", "2"], ["leave at most enter"]),
        (["OUT", "--max-gap", "-1"], ["--max-gap", "greater than or equal to 0"]),
        (["OUT", "-o", "x.docx"], ["x.docx"]),
        (["OUT", "-o", "nowhere/x.SUFFIX"], ["nowhere", "mkdir"]),
    ],
    ids=lambda value: " ".join(value[-2:]) if isinstance(value, list) else None,
)
def test_wrong_use_is_one_line(out, tmp_path, monkeypatch, command, arguments, words):
    (tmp_path / "text.parquet").write_text("no")
    monkeypatch.chdir(tmp_path)
    suffix = "html" if command == "report" else "csv"
    arguments = [word.replace("OUT", str(out)).replace("SUFFIX", suffix) for word in arguments]
    if command == "report" and "-o" not in arguments:
        arguments += ["-o", "page.html"]
    done = aucli(command, *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("aucli: ")
    for word in words:
        assert word in line
    assert [path.name for path in tmp_path.iterdir()] == ["text.parquet"]


@pytest.mark.parametrize("command", ["events", "summary", "report"])
def test_a_folder_that_cannot_be_written(out, command):
    place = f"/proc/page.{'html' if command == 'report' else 'csv'}"
    done = aucli(command, out, "-o", place)
    assert done.returncode in (1, 2)  # root finds out only when it tries
    assert place in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_report_lies_beside_the_extraction_or_in_its_folder(out):
    done = aucli("report", out)
    assert done.stdout == f"Written: {out.with_suffix('.report.html')}\n"
    assert aucli("report", out.parent).returncode == 0
    for page in (out.with_suffix(".report.html"), out.parent / "report.html"):
        assert "a [bold].mp4, track 1" in page.read_text()
        page.unlink()


def test_a_disk_that_fills_leaves_nothing(out, tmp_path):
    script = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"sys.argv = ['aucli', 'events', {str(out)!r}, '-o', 'e.csv']\n"
        "from aucli.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "cannot write e.csv" in done.stderr
    assert list(tmp_path.iterdir()) == []
