"""`aucli extract --shard` and `aucli merge` as a person, a program and a batch system see them."""

import json
import shutil

import pyarrow.parquet as pq
import pytest

from aucli.datatypes import Shard
from tests.cli.commands import EXAMPLES, aucli, aucli_here
from tests.sinks.shards import small_shard

EVERY = ("--every", "30", "--jobs", "1")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Three clips of different sizes and one file that is none, done whole and in two shards."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "videos").mkdir()
    for name in ("b", "a"):
        shutil.copy(EXAMPLES / "smile.mp4", folder / "videos" / f"{name}.mp4")
    shutil.copy(EXAMPLES / "two_people.mp4", folder / "videos" / "c.mp4")
    (folder / "videos" / "empty.mp4").touch()
    whole = aucli_here("extract", "videos", "-o", "whole.parquet", *EVERY, cwd=folder)
    assert whole.returncode == 3, whole.stderr
    for number, run in (("1", aucli), ("2", aucli_here)):
        # The number comes as in a SLURM array, by a variable.
        done = run(
            *("extract", "videos", "-o", f"out.{number}.parquet", *EVERY, "--quiet"),
            cwd=folder,
            AUCLI_SHARD=f"{number}/2",
        )
        assert done.returncode in (0, 3), done.stderr
    return folder


def test_merged_shards_are_the_whole_run(study, tmp_path):
    done = aucli_here(
        "merge", "out.1.parquet", "out.2.parquet", "-o", tmp_path / "all.parquet", "--json", cwd=study
    )
    assert done.returncode == 3, done.stderr  # as the whole run: one input failed
    assert done.stderr.startswith("failed empty.mp4: ")
    assert pq.read_table(tmp_path / "all.parquet").equals(pq.read_table(study / "whole.parquet"))
    report = json.loads(done.stdout)
    whole = json.loads((study / "whole.report.json").read_text())
    for entry in (*report["entries"], *whole["entries"]):
        del entry["wall_seconds"], entry["fps"]
    assert report["entries"] == whole["entries"]
    ours, theirs = (
        json.loads(pq.read_schema(path).metadata[b"aucli"])
        for path in (tmp_path / "all.parquet", study / "whole.parquet")
    )
    assert ours.pop("command_line")[-1] == "--quiet"
    theirs.pop("command_line")
    assert ours == theirs


def test_the_table_is_that_of_extract(study, tmp_path):
    done = aucli_here("merge", "out.2.parquet", "out.1.parquet", "-o", tmp_path / "all.parquet", cwd=study)
    rows = [line.split()[0] for line in done.stdout.splitlines() if ".mp4" in line and "failed " not in line]
    assert rows[:3] == ["a.mp4", "b.mp4", "c.mp4"]
    assert f"Written: {tmp_path / 'all.parquet'}" in done.stdout


def test_a_dry_run_shows_the_share(study):
    done = aucli_here(
        "extract", "videos", "-o", "x.parquet", "--shard", "2/2", "--dry-run", "--json", cwd=study
    )
    plan = json.loads(done.stdout)
    assert (plan["shard"]["number"], plan["shard"]["count"], plan["shard"]["inputs"]) == (2, 2, 4)
    assert len(plan["inputs"]) == len(plan["shard"]["positions"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("extract", "videos", "-o", "x.parquet", "--shard", "5/4"), ["--shard 5/4", "counted from 1"]),
        (("extract", "videos", "-o", "x.parquet", "--shard", "0/4"), ["--shard 0/4", "1/4 to 4/4"]),
        (("extract", "videos", "-o", "x.parquet", "--shard", "1/0"), ["--shard 1/0", "no shard 1 of 0"]),
        (("extract", "videos", "-o", "x.parquet", "--shard", "two"), ["--shard two", "for instance 1/4"]),
        (("extract", "videos", "-o", "out.1.parquet", "--shard", "2/2"), ["holds shard 1 of 2", "-o out.2"]),
        (("merge", "-o", "x.parquet"), ["no shard", "aucli merge"]),
        (("merge", "out.1.parquet"), ["no output", "-o"]),
        (("merge", "out.1.parquet", "-o", "x.parquet"), ["shard 2 of 2 missing", "--shard 2/2"]),
        (("merge", "out.9.parquet", "-o", "x.parquet"), ["out.9.parquet does not exist"]),
        (("merge", "whole.parquet", "-o", "x.parquet"), ["whole.parquet is whole, not a shard"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_wrong_use_is_one_line_and_writes_nothing(study, arguments, words):
    done = aucli_here(*arguments, cwd=study)
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("aucli: ")
    assert all(word in line for word in words), line
    assert done.stdout == ""
    assert not (study / "x.parquet").exists()


def test_other_versions_are_said_on_stderr(tmp_path):
    outputs = [
        small_shard(tmp_path / f"{number}.parquet", {"a.mp4": 1, "b.mp4": 2}, Shard(number, 2))
        for number in (1, 2)
    ]
    report = json.loads((tmp_path / "2.report.json").read_text())
    (tmp_path / "2.report.json").write_text(json.dumps({**report, "versions": {"torch": "9.9"}}))
    done = aucli_here("merge", *outputs, "-o", tmp_path / "all.parquet", "--quiet")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"aucli: {outputs[1]} was made with torch 9.9 for None\n"
