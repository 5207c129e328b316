"""A small seeded part of the campaign of benchmarks/process_faults.py; its checks see what they must."""

import importlib
import json
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.sinks.recipes import small_run

VIDEOS = {"a.mp4": 1, "b.mp4": 2}


@pytest.fixture
def module(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    return importlib.import_module


@pytest.fixture(params=["out.parquet", "out"])
def form(request):
    return request.param


@pytest.fixture
def disturbed(module):
    return module("disturbed")


@pytest.fixture
def work(tmp_path, form):
    """A finished output."""
    folder = tmp_path / "work"
    folder.mkdir()
    small_run(folder / form, VIDEOS)
    return folder


@pytest.fixture
def wanted(disturbed, tmp_path, form):
    folder = tmp_path / "undisturbed"
    folder.mkdir()
    small_run(folder / form, VIDEOS)
    return disturbed.Wanted(folder, form)


@pytest.fixture
def judge(disturbed, work, wanted):
    def judged(**options):
        seen = Counter()
        wrong = disturbed.judge_finished(work, wanted, seen, **options)
        return wrong, +seen

    return judged


def change_rows(disturbed, work, form, change):
    """Write a Parquet file of the output again with other rows."""
    path = disturbed.parquet_files(work, form)[0]
    table = pq.read_table(path)
    pq.write_table(change(table).replace_schema_metadata(table.schema.metadata), path)


def report_in(work, form):
    return work / ("out.report.json" if form == "out.parquet" else "out/report.json")


def test_a_batch_survives_kills_and_goes_on(module, tmp_path):
    # Both strike just after the first of the two videos was recorded.
    faults = [("kill_run", 1), ("kill_worker", 5)]
    settings = {"seed": 7, "jobs": 1, "frames": {"a.mp4": 3, "b.mp4": 8}, "kept": tmp_path / "kept.jsonl"}
    result = module("process_faults").campaign(faults, **settings)
    assert result["bad"] == []
    assert {result[name] for name in ("lost_rows", "doubled_rows", "orphans", "stray_files", "crashes")} == {
        0
    }
    assert result["kills"] + result["worker_kills"] >= 1
    assert result["resumes"] == 2
    assert result["runs"] == 4
    assert result["not_run"] == {}
    # What was kept is not made again.
    again = module("process_faults").campaign(faults, **settings)
    assert (again["by_fault"], again["undisturbed_seconds"]) == (result["by_fault"], 0)


def test_a_fault_is_drawn_again_from_its_number(module, tmp_path):
    faults = module("process_faults")

    class Undisturbed:
        """As much of a lane as chance depends on."""

        seconds = 5.0

        def __init__(self, folder):
            self.folder = folder

        def wanted(self, form):
            return type("Wanted", (), {"inputs": dict.fromkeys(VIDEOS, 3)})

    def drawn(folder, number, seed=1):
        case = faults.Case(Undisturbed(tmp_path / folder), "kill_run", number, seed)
        return case.form, [(moment.records, moment.seconds) for moment in (case.moment() for _ in range(9))]

    first = [drawn("first", number) for number in range(40)]
    assert first == [drawn("second", number) for number in range(40)]
    assert drawn("other", 0, seed=2) != first[0]
    moments = [moment for _, several in first for moment in several]
    assert {records for records, _ in moments} == {None, 0, 1, 2}
    assert max(seconds for records, seconds in moments if records is None) > 4.5
    assert {form for form, _ in first} == set(module("disturbed").FORMS)


def test_the_whole_campaign_kills_often_enough_and_a_share_has_each_fault(module):
    faults = module("process_faults")
    counts = Counter(name for name, _ in faults.numbered())
    assert counts["kill_run"] + counts["kill_worker"] >= 200
    assert {name for name, _ in faults.numbered(0.01)} == set(faults.FAULTS)


# -- the checks see what they must ---------------------------------------------------------------


def test_the_same_output_is_well(judge, disturbed, work, wanted):
    assert judge() == ([], {})
    assert disturbed.judge_unfinished(work, wanted) == []


def test_lost_rows_are_counted(judge, disturbed, work, wanted, form):
    change_rows(disturbed, work, form, lambda table: table.slice(3))
    wrong, seen = judge()
    assert seen == {"lost_rows": 3}
    assert "3 rows are lost, 0 are there that should not be" in wrong
    assert "the output has some rows of a.mp4 only, or others" in disturbed.judge_unfinished(work, wanted)


def test_doubled_rows_are_counted(judge, disturbed, work, form):
    change_rows(disturbed, work, form, lambda table: pa.concat_tables([table, table.slice(0, 2)]))
    wrong, seen = judge()
    assert seen == {"doubled_rows": 2}
    assert "0 rows are lost, 2 are there that should not be" in wrong


def test_other_values_are_other_bytes_unless_they_are_close(judge, disturbed, work, form):
    def shifted(table, by):
        place = table.schema.get_field_index("AU12_prob")
        values = [None if value is None else value + by for value in table.column(place).to_pylist()]
        return table.set_column(place, table.schema.field(place), pa.array(values, pa.float32()))

    change_rows(disturbed, work, form, lambda table: shifted(table, 4e-7))
    [wrong] = judge()[0]
    assert wrong.startswith("other bytes in out")
    assert judge(exact=False) == ([], {})
    change_rows(disturbed, work, form, lambda table: shifted(table, 1e-4))
    assert judge(exact=False)[0] == ["scores differ by more than 1e-06"]


def test_files_left_behind_are_counted(judge, work, tmp_path):
    (work / "out.parquet.parts").mkdir()
    (work / "out.parquet.parts" / "0123456789abcdef.arrows").touch()
    (tmp_path / "tmp" / "aucli-x").mkdir(parents=True)
    wrong, seen = judge(tmp=tmp_path / "tmp")
    assert seen == {"stray_files": 3}  # the folder is one
    assert len(wrong) == 3
    assert all(text.endswith("is left behind") for text in wrong)


@pytest.mark.parametrize("fault", ["missing", "twice", "failed", "cut"])
def test_a_wrong_report_is_seen(judge, work, form, fault):
    path = report_in(work, form)
    report = json.loads(path.read_text())
    entries = report["entries"]
    if fault == "missing":
        del entries[0]
    elif fault == "twice":
        entries.append(entries[0])
    elif fault == "failed":
        entries[0] |= {"status": "failed", "rows": 0, "reason": "no progress"}
    text = json.dumps(report)
    path.write_text(text[:-20] if fault == "cut" else text)
    [wrong] = judge()[0]
    assert wrong.startswith("the report ")


def test_a_disturbed_run_may_report_failures_with_a_reason_but_no_half_file(disturbed, work, wanted, form):
    path = report_in(work, form)
    report = json.loads(path.read_text())
    report["entries"][0] |= {"status": "failed", "rows": 0, "reason": "worker died (signal 9) twice"}
    path.write_text(json.dumps(report))
    assert disturbed.judge_unfinished(work, wanted) == []
    report["entries"][0]["reason"] = None
    path.write_text(json.dumps(report))
    assert len(disturbed.judge_unfinished(work, wanted)) == 1
    file = disturbed.parquet_files(work, form)[0]
    file.write_bytes(file.read_bytes()[:-100])
    [wrong] = disturbed.judge_unfinished(work, wanted)
    assert "stands there and cannot be read" in wrong


def test_all_processes_of_a_session_are_found_until_they_are_gone(disturbed):
    code = "import subprocess, sys; subprocess.Popen(['sleep', '60']); print(flush=True); sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    with process:
        process.stdout.readline()
        found = disturbed.members(process.pid)
        [child] = found.keys() - {process.pid}
        assert found[child] == process.pid
        process.kill()
        process.wait()
        assert disturbed.members(process.pid).keys() == {child}, "an orphan is still of the session"
        subprocess.run(["kill", f"-{signal.SIGKILL:d}", str(child)], check=True)
