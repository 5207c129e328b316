import json
import shutil
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aucli.errors import OutputError
from aucli.sinks.metadata import read_metadata
from aucli.sinks.place import output_place
from aucli.sinks.report import ReportEntry
from aucli.sinks.rows import rows_to_batch
from aucli.sinks.run_folder import PlannedInput
from aucli.sinks.spool import Spool
from tests.sinks.recipes import (
    FACTS,
    SCHEMA,
    finish_video,
    interrupt_after,
    key_of,
    make_rows,
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


def test_one_file_with_rows_in_input_order_and_nothing_else_left(output):
    entries = small_run(output, VIDEOS)
    assert names(output.parent) == ["out.parquet", "out.report.json"]
    table = pq.read_table(output)
    assert table.column("video").to_pylist() == [
        video for video, seed in VIDEOS.items() for _ in range(sum(
            len(make_rows(seed, frames=10, first_frame=first)) for first in (0, 10, 20)
        ))
    ]  # fmt: skip
    assert table.num_rows == sum(entry.rows for entry in entries)
    report = json.loads((output.parent / "out.report.json").read_text())
    assert [entry["video"] for entry in report["entries"]] == list(VIDEOS)
    assert report["output"] == str(output)


def test_metadata_of_the_design(output):
    entries = small_run(output, VIDEOS)
    metadata = read_metadata(pq.read_schema(output))
    assert {key: metadata[key] for key in FACTS} == FACTS
    assert metadata["videos"] == [
        {
            "video": entry.video,
            "subject": None,
            "input": {"size": 1, "samples_sha256": "cd" * 32},
            "status": "ok",
            "reason": None,
            "decoder": "pyav",
            "rows": entry.rows,
            "key": entry.key,
        }
        for entry in entries
    ]
    assert list(metadata["columns"]) == SCHEMA.names


def test_the_order_of_finishing_leaves_no_trace(tmp_path):
    small_run(tmp_path / "a.parquet", VIDEOS)
    with opened(tmp_path / "b.parquet") as run:
        run.plan(planned(VIDEOS))
        done = {video: finish_video(run, video, VIDEOS[video]) for video in reversed(VIDEOS)}
        run.merge([done[video] for video in VIDEOS])
        run.finish(report_of([done[video] for video in VIDEOS], tmp_path / "b.parquet"))
    assert sha256(tmp_path / "a.parquet") == sha256(tmp_path / "b.parquet")


def test_parts_are_regrouped_into_large_row_groups(output):
    small_run(output, {f"{i}.mp4": i for i in range(30)}, frames=3000, chunks=1)
    metadata = pq.read_metadata(output)
    rows = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert len(rows) > 2
    assert set(rows[:-1]) == {65_536}


def test_failed_inputs_are_in_the_report_and_not_in_the_file(output):
    entries = small_run(output, VIDEOS, failing={"sub/b.mp4"})
    assert [entry.status for entry in entries] == ["ok", "failed", "ok"]
    assert set(pq.read_table(output).column("video").to_pylist()) == {"a.mp4", "c.mp4"}
    report = json.loads((output.parent / "out.report.json").read_text())
    assert report["entries"][1]["reason"] == "cannot be opened"
    assert report["exit_code"] == 3


def test_a_run_with_nothing_usable_leaves_a_report_only(output):
    small_run(output, VIDEOS, failing=set(VIDEOS))
    assert names(output.parent) == ["out.report.json"]
    report = json.loads((output.parent / "out.report.json").read_text())
    assert report["output"] is None
    assert report["exit_code"] == 4


def test_a_run_without_inputs_leaves_a_report_only(output):
    small_run(output, {})
    assert names(output.parent) == ["out.report.json"]


# -- one file per video ------------------------------------------------------------------------


def test_a_folder_gets_one_file_per_video_with_its_metadata(tmp_path):
    out = tmp_path / "out"
    entries = small_run(out, VIDEOS, failing={"c.mp4"})
    assert names(out) == ["a.mp4.parquet", "report.json", "sub", "sub/b.mp4.parquet"]
    assert [entry.file for entry in entries] == ["a.mp4.parquet", "sub/b.mp4.parquet", None]
    small_run(tmp_path / "one.parquet", {"sub/b.mp4": 2})
    assert (out / "sub/b.mp4.parquet").read_bytes() == (tmp_path / "one.parquet").read_bytes()


def test_a_folder_run_again_and_with_other_options(tmp_path):
    out = tmp_path / "out"
    small_run(out, VIDEOS)
    before = stamps(out)
    small_run(out, VIDEOS)
    assert stamps(out) == before
    small_run(out, VIDEOS, salt="other", log=tmp_path / "log")
    assert (tmp_path / "log").read_text().split() == list(VIDEOS)
    small_run(out, {**VIDEOS, "d.mp4": 4}, salt="other", log=tmp_path / "log")
    assert (tmp_path / "log").read_text().split() == [*VIDEOS, "d.mp4"]


def test_a_folder_run_resumes_and_does_not_trust_a_name_alone(tmp_path):
    out = tmp_path / "out"
    interrupt_after(out, VIDEOS, 2)
    assert (out / "a.mp4.parquet").exists()
    with suppress(KeyboardInterrupt), opened(out) as run:  # other options write over one of the files
        run.plan(planned(VIDEOS, "other"))
        finish_video(run, "a.mp4", 1, salt="other")
        raise KeyboardInterrupt
    small_run(out, VIDEOS, log=tmp_path / "log")
    assert (tmp_path / "log").read_text().split() == ["a.mp4", "c.mp4"]


def test_names_that_are_not_unique_or_lead_outside(tmp_path):
    with opened(tmp_path / "out") as run:
        inputs = [
            PlannedInput("a.mp4", "x/a.mp4", "1" * 16),
            PlannedInput("a.mp4", "y/a.mp4", "2" * 16),
            PlannedInput("../up/b.mp4", "../up/b.mp4", "3" * 16),
            PlannedInput("/abs/c.mp4", "/abs/c.mp4", "4" * 16),
        ]
        run.plan(inputs)
        assert run._files == {
            "1" * 16: f"a.mp4-{'1' * 16}.parquet",
            "2" * 16: f"a.mp4-{'2' * 16}.parquet",
            "3" * 16: "up/b.mp4.parquet",
            "4" * 16: "abs/c.mp4.parquet",
        }


# -- two runs at once --------------------------------------------------------------------------


def test_a_second_run_on_the_same_output_is_refused_and_names_the_first(output):
    holder = textwrap.dedent("""
        import sys
        from tests.sinks.recipes import opened, planned
        with opened(sys.argv[1]) as run:
            run.plan(planned(["a.mp4"]))
            print("locked", flush=True)
            sys.stdin.readline()
    """)
    code = f"import sys; sys.path[:0] = {sys.path!r}\n{holder}"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(output)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout.readline() == "locked\n"
        with pytest.raises(OutputError, match=f"by another run .process {process.pid} on "), opened(output):
            pass
        assert output_place(output).work.exists()
        process.kill()
        process.wait()
    assert len(small_run(output, VIDEOS)) == 3  # a killed run holds no lock


def test_a_lock_is_free_after_the_run_and_after_an_error(output):
    interrupt_after(output, VIDEOS, 1)
    small_run(output, VIDEOS)
    small_run(output, VIDEOS)


# -- memory ------------------------------------------------------------------------------------

MERGE = """
    import resource, sys
    from aucli.sinks.parquet import write_parquet
    from aucli.sinks.report import ReportEntry
    from aucli.sinks.rows import rows_to_batch
    from aucli.sinks.run_folder import PlannedInput
    from tests.sinks.recipes import SCHEMA, make_rows, opened, report_of

    batch = rows_to_batch(SCHEMA, make_rows(1, frames=20_000), video="a.mp4")
    keys = [f"{i:016x}" for i in range(int(sys.argv[2]))]
    entries = [ReportEntry("a.mp4", key, "ok", rows=batch.num_rows, key=key) for key in keys]
    with opened(sys.argv[1]) as run:
        run.plan([PlannedInput("a.mp4", key, key) for key in keys])
        for entry in entries:
            write_parquet(run.part_path(entry.key), [batch], SCHEMA)
            run.commit(entry)
        run.merge(entries)
        run.finish(report_of(entries, sys.argv[1]))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_merging_many_parts_takes_no_more_memory_than_few(tmp_path):
    def peak_kib(count):
        code = f"import sys; sys.path[:0] = {sys.path!r}\n{textwrap.dedent(MERGE)}"
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / f"{count}.parquet"), str(count)],
            capture_output=True,
            text=True,
            check=True,
        )
        return int(done.stdout)

    few, many = peak_kib(4), peak_kib(16)
    assert (
        pq.read_metadata(tmp_path / "16.parquet").num_rows
        == 4 * pq.read_metadata(tmp_path / "4.parquet").num_rows
    )
    assert many < few * 1.15


# -- a full disk -------------------------------------------------------------------------------

FULL = """
    import resource, sys
    from aucli.errors import OutputError
    from tests.sinks.recipes import small_run
    videos = {f"{i}.mp4": i for i in range(4)}
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    try:
        small_run(sys.argv[1], videos, frames=1500, log=sys.argv[3])
    except OutputError as error:
        print(error)
"""


def test_a_disk_that_fills_up_while_merging_keeps_the_parts(output, tmp_path):
    """Each part fits under the limit on file sizes, the merged file does not."""
    videos = {f"{i}.mp4": i for i in range(4)}
    small_run(tmp_path / "whole.parquet", videos, frames=1500)
    limit = (tmp_path / "whole.parquet").stat().st_size * 9 // 10
    code = f"import sys; sys.path[:0] = {sys.path!r}\n{textwrap.dedent(FULL)}"
    done = subprocess.run(
        [sys.executable, "-c", code, str(output), str(limit), str(tmp_path / "log")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(f"cannot write {output}: "), done.stderr
    assert not output.exists()
    assert (tmp_path / "log").read_text().split() == list(videos)
    small_run(output, videos, frames=1500, log=tmp_path / "log")
    assert (tmp_path / "log").read_text().split() == list(videos)  # nothing was done twice
    assert sha256(output) == sha256(tmp_path / "whole.parquet")


def test_a_disk_without_room_for_a_single_byte_is_said_so(output, tmp_path):
    code = f"import sys; sys.path[:0] = {sys.path!r}\n{textwrap.dedent(FULL)}"
    done = subprocess.run(
        [sys.executable, "-c", code, str(output), "0", str(tmp_path / "log")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(f"cannot write {output}.parts/lock: "), done.stderr
    assert small_run(output, VIDEOS)


# -- a folder that disappears ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["out.parquet", "out"])
@pytest.mark.parametrize("moment", ["plan", "video", "spooled", "commit", "merge", "finish"])
def test_a_folder_that_disappears_is_an_output_error_and_the_next_run_begins_anew(tmp_path, name, moment):
    folder = tmp_path / "disk"
    folder.mkdir()

    def gone(now):
        if now == moment:
            shutil.rmtree(folder)

    def disturbed():
        with opened(folder / name) as run:
            gone("plan")
            run.plan(planned(VIDEOS))
            gone("video")
            spool = Spool(run.spool_path(key_of("a.mp4")), SCHEMA)
            spool.write(rows_to_batch(SCHEMA, make_rows(1), video="a.mp4"))
            gone("spooled")
            spool.finish(run.part_path(key_of("a.mp4")))
            gone("commit")
            entry = ReportEntry("a.mp4", "videos/a.mp4", "ok", rows=spool.rows, key=key_of("a.mp4"))
            entries = [run.commit(entry)]
            gone("merge")
            path = run.merge(entries)
            gone("finish")
            run.finish(report_of(entries, path))

    with pytest.raises(OutputError, match="cannot write"):
        disturbed()
    folder.mkdir(exist_ok=True)
    (tmp_path / "other").mkdir()
    for place in (folder, tmp_path / "other"):
        small_run(place / name, VIDEOS)
    assert names(folder) == names(tmp_path / "other")
    for path in folder.rglob("*.parquet"):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "other" / path.relative_to(folder)).read_bytes()


# -- many inputs -------------------------------------------------------------------------------


def test_the_manifest_takes_a_small_share_of_the_time_however_long_it_is(output):
    """Rewritten every two seconds, its length would make a run quadratic in the number of its inputs."""
    videos = {f"{i}.mp4": i for i in range(20_000)}
    with opened(output) as run:
        run.plan(planned(videos))
        started = time.monotonic()
        run._write_manifest()
        took = time.monotonic() - started
        assert run._manifest_due - time.monotonic() > max(1.5, 20 * took)


def test_old_and_new_videos_that_take_turns_are_merged_in_order(tmp_path):
    videos = {f"{i}.mp4": i for i in range(12)}
    small_run(tmp_path / "a.parquet", dict(list(videos.items())[::2]))
    small_run(tmp_path / "a.parquet", videos)
    small_run(tmp_path / "b.parquet", videos)
    assert sha256(tmp_path / "a.parquet") == sha256(tmp_path / "b.parquet")


def test_commit_gives_the_entry_of_the_report(output):
    entry = ReportEntry("a.mp4", "videos/a.mp4", "failed", "is empty", key=key_of("a.mp4"))
    with opened(output) as run:
        run.plan(planned(["a.mp4"]))
        assert run.commit(entry) == entry
        assert run.commit(replace(entry, key="")).key == ""
        assert run.merge([entry]) is None


def test_rows_are_those_of_the_workers(output):
    small_run(output, {"a.mp4": 7}, frames=30, chunks=1)
    expected = pa.Table.from_batches([rows_to_batch(SCHEMA, make_rows(7, frames=30), video="a.mp4")])
    assert pq.read_table(output).replace_schema_metadata(None).equals(expected)
