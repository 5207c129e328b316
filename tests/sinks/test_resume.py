import json

import pyarrow.parquet as pq
import pytest

from aucli.errors import UsageError
from aucli.sinks.metadata import read_metadata
from aucli.sinks.place import output_place
from aucli.sinks.report import ReportEntry
from aucli.sinks.run_folder import PlannedInput
from aucli.sinks.schema import output_schema
from tests.sinks.recipes import (
    AUS,
    finish_video,
    interrupt_after,
    key_of,
    names,
    opened,
    planned,
    report_of,
    sha256,
    small_run,
    stamps,
)

VIDEOS = {"a.mp4": 1, "sub/b.mp4": 2, "c.mp4": 3}


@pytest.fixture
def output(tmp_path):
    return tmp_path / "out.parquet"


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path):
    small_run(tmp_path / "whole.parquet", VIDEOS)
    interrupt_after(tmp_path / "out.parquet", VIDEOS, 2)
    assert not (tmp_path / "out.parquet").exists()
    small_run(tmp_path / "out.parquet", VIDEOS, log=tmp_path / "log")
    assert (tmp_path / "log").read_text() == "c.mp4\n"
    assert sha256(tmp_path / "out.parquet") == sha256(tmp_path / "whole.parquet")


def test_an_interrupted_run_with_nothing_finished_leaves_nothing(output):
    interrupt_after(output, VIDEOS, 0)
    assert names(output.parent) == []


def test_other_options_do_not_reuse_parts(output, tmp_path):
    interrupt_after(output, VIDEOS, 2)
    small_run(output, VIDEOS, salt="other options", log=tmp_path / "log")
    assert (tmp_path / "log").read_text().split() == list(VIDEOS)
    assert names(output.parent) == ["log", "out.parquet", "out.report.json"]


def test_fresh_does_not_reuse_parts(output, tmp_path):
    interrupt_after(output, VIDEOS, 2)
    small_run(output, VIDEOS, fresh=True, log=tmp_path / "log")
    assert (tmp_path / "log").read_text().split() == list(VIDEOS)


def test_a_part_without_record_or_with_a_damaged_one_is_not_reused(output, tmp_path):
    interrupt_after(output, VIDEOS, 3)
    work = output_place(output).work
    (work / f"{key_of('a.mp4')}.json").unlink()
    (work / f"{key_of('sub/b.mp4')}.json").write_text("{")
    part = work / f"{key_of('c.mp4')}.parquet"
    part.write_bytes(part.read_bytes()[:-10])
    small_run(output, VIDEOS, log=tmp_path / "log")
    assert (tmp_path / "log").read_text().split() == list(VIDEOS)


def test_leftovers_of_a_killed_run_are_removed_at_the_start(output):
    work = output_place(output).work
    work.mkdir()
    for name in ("0123456789abcdef.arrows", "0123456789abcdef.parquet", "out.parquet.tmp"):
        (work / name).write_bytes(b"half")
    (work / "note of mine.txt").write_text("keep")
    with opened(output) as run:
        run.plan(planned(VIDEOS))
        assert names(work) == ["lock", "manifest.json", "note of mine.txt"]
    assert names(output.parent) == ["out.parquet.parts", "out.parquet.parts/note of mine.txt"]


def test_the_manifest_lists_inputs_and_states(output):
    interrupt_after(output, VIDEOS, 1)
    with opened(output) as run:
        run.plan(planned(VIDEOS))
        manifest = json.loads((run.place.work / "manifest.json").read_text())
    assert manifest["output"] == str(output)
    assert [(item["video"], item["state"]) for item in manifest["inputs"]] == [
        ("a.mp4", "finished"),
        ("sub/b.mp4", "planned"),
        ("c.mp4", "planned"),
    ]
    assert [item["key"] for item in manifest["inputs"]] == [key_of(video) for video in VIDEOS]


def test_an_input_given_twice_is_refused(output):
    with pytest.raises(UsageError, match=r"videos/a\.mp4 is given twice"), opened(output) as run:
        run.plan(planned(["a.mp4", "c.mp4", "a.mp4"]))
    assert names(output.parent) == []


def test_a_part_of_a_run_without_subjects_gets_the_column(output):
    interrupt_after(output, VIDEOS, 2)
    schema = output_schema(AUS, with_subject=True)
    small_run(output, VIDEOS, schema=schema, subject="S01")
    table = pq.read_table(output)
    assert table.schema.names == schema.names
    subjects = dict(zip(table.column("video").to_pylist(), table.column("subject").to_pylist(), strict=True))
    assert subjects == {"a.mp4": None, "sub/b.mp4": None, "c.mp4": "S01"}


# -- after a finished run ----------------------------------------------------------------------


def test_the_same_command_again_touches_nothing(output):
    first = small_run(output, VIDEOS)
    before = stamps(output.parent)
    assert small_run(output, VIDEOS) == first
    assert stamps(output.parent) == before


def test_failed_inputs_are_tried_again_and_the_rest_is_reused(output, tmp_path):
    small_run(tmp_path / "whole.parquet", VIDEOS)
    small_run(output, VIDEOS, failing={"sub/b.mp4"})
    before = stamps(tmp_path)["out.parquet"]
    small_run(output, VIDEOS, failing={"sub/b.mp4"}, log=tmp_path / "log")
    assert stamps(tmp_path)["out.parquet"] == before
    small_run(output, VIDEOS, log=tmp_path / "log")
    assert (tmp_path / "log").read_text().split() == ["sub/b.mp4", "sub/b.mp4"]
    assert sha256(output) == sha256(tmp_path / "whole.parquet")
    report = json.loads((tmp_path / "out.report.json").read_text())
    assert [entry["status"] for entry in report["entries"]] == ["ok"] * 3


def test_more_videos_other_order_fewer_videos(output, tmp_path):
    more = {"new.mp4": 9, "c.mp4": 3, "a.mp4": 1, "sub/b.mp4": 2}
    for videos, worked in ((VIDEOS, list(VIDEOS)), (more, ["new.mp4"]), (VIDEOS, [])):
        log = tmp_path / "log"
        log.write_text("")
        small_run(output, videos, log=log)
        small_run(tmp_path / "whole.parquet", videos, fresh=True)
        assert log.read_text().split() == worked
        assert sha256(output) == sha256(tmp_path / "whole.parquet")
        report = json.loads((tmp_path / "out.report.json").read_text())
        assert [entry["video"] for entry in report["entries"]] == list(videos)


def test_rows_of_two_videos_with_one_name_are_told_apart(output, tmp_path):
    """The same name from two input folders: `video` is equal, the keys are not."""

    def run_with(first, second, log):
        done = []
        with opened(output) as run:
            keys = {key_of("a.mp4", "x"): first, key_of("a.mp4", "y"): second}
            finished = run.plan([PlannedInput("a.mp4", f"{key}/a.mp4", key) for key in keys])
            for salt, seed in (("x", first), ("y", second)):
                entry = finished.get(key_of("a.mp4", salt))
                if entry is None:
                    log.append(salt)
                    entry = finish_video(run, "a.mp4", seed, salt=salt)
                done.append(entry)
            run.merge(done)
            run.finish(report_of(done, output))
        return pq.read_table(output)

    log = []
    both = run_with(1, 2, log)
    small_run(output, {"b.mp4": 5}, fresh=True)
    log.clear()
    assert run_with(1, 2, log).equals(both)
    assert log == ["x", "y"]
    before = sha256(output)
    log.clear()
    run_with(1, 2, log)
    assert log == []
    assert sha256(output) == before


def test_changed_options_replace_the_finished_file(output, tmp_path):
    small_run(output, VIDEOS)
    small_run(output, VIDEOS, salt="other", log=tmp_path / "log")
    assert (tmp_path / "log").read_text().split() == list(VIDEOS)
    assert [video["key"] for video in read_metadata(pq.read_schema(output))["videos"]] == [
        key_of(video, "other") for video in VIDEOS
    ]


def test_a_run_with_nothing_usable_does_not_delete_an_earlier_file(output):
    small_run(output, VIDEOS)
    before = sha256(output)
    small_run(output, {"new.mp4": 1}, failing={"new.mp4"})
    assert sha256(output) == before
    assert json.loads((output.parent / "out.report.json").read_text())["output"] is None


def test_fresh_does_not_reuse_the_finished_file(output, tmp_path):
    small_run(output, VIDEOS)
    before = sha256(output)
    small_run(output, VIDEOS, fresh=True, log=tmp_path / "log")
    assert (tmp_path / "log").read_text().split() == list(VIDEOS)
    assert sha256(output) == before


@pytest.mark.parametrize("damage", ["{", '{"entries": [{"video": 1}]}', "[]", None])
def test_without_a_usable_report_all_is_done_again(output, tmp_path, damage):
    small_run(output, VIDEOS)
    report = tmp_path / "out.report.json"
    report.unlink()
    if damage is not None:
        report.write_text(damage)
    small_run(output, VIDEOS, log=tmp_path / "log")
    assert (tmp_path / "log").read_text().split() == list(VIDEOS)
    assert len(json.loads(report.read_text())["entries"]) == 3


def test_the_report_is_written_again_when_it_has_something_new_to_say(output):
    """Also where no row is new: an input that was refused before it had a key."""
    entries = small_run(output, VIDEOS)
    before = stamps(output.parent)
    refused = ReportEntry("notes.doc", "notes.doc", "failed", "is not a video")
    for listed in ([*entries, refused], entries):
        with opened(output) as run:
            run.plan(planned(VIDEOS))
            run.merge(entries)
            run.finish(report_of(listed, output))
        after = stamps(output.parent)
        assert after["out.parquet"] == before["out.parquet"]
        report = json.loads((output.parent / "out.report.json").read_text())
        assert [entry["video"] for entry in report["entries"]] == [entry.video for entry in listed]
