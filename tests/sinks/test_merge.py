"""Shards joined: the bytes of the run on one machine; what cannot be joined is refused in one line."""

import json
from functools import partial

import pyarrow.parquet as pq
import pytest

from aucli.datatypes import Shard
from aucli.errors import InputNotFoundError, UsageError
from aucli.sinks.merge import merge_shards
from aucli.sinks.schema import output_schema
from tests.sinks.recipes import FACTS, SCHEMA, describe, names, sha256, small_run, stamps
from tests.sinks.shards import small_shard

VIDEOS = {f"{name}.mp4": seed for seed, name in enumerate("hcaebgdf")}


def shards(folder, count, videos=VIDEOS, **options):
    return [
        small_shard(folder / f"out.{number}.parquet", videos, Shard(number, count), **options)
        for number in range(1, count + 1)
    ]


@pytest.mark.parametrize("count", [1, 2, 3, 11])
def test_the_bytes_are_those_of_one_machine(tmp_path, count):
    """Also where there are more shards than videos, and in whatever order they are given."""
    small_run(tmp_path / "whole.parquet", VIDEOS)
    merged = merge_shards(shards(tmp_path, count)[::-1], tmp_path / "all.parquet")
    assert sha256(tmp_path / "all.parquet") == sha256(tmp_path / "whole.parquet")
    assert merged.remarks == ()
    assert merged.report.exit_code == 0
    assert not (tmp_path / "all.parquet.parts").exists()


def test_the_report_has_every_input_once_in_order(tmp_path):
    outputs = [
        small_shard(
            tmp_path / f"out.{number}.parquet",
            VIDEOS,
            Shard(number, 3),
            failing={"e.mp4", "h.mp4"},
            refused=["x.annotated.mp4"] if number == 1 else [],
        )
        for number in (1, 2, 3)
    ]
    merge_shards(outputs, tmp_path / "all.parquet", command_line=["aucli", "merge"])
    report = json.loads((tmp_path / "all.report.json").read_text())
    assert [entry["video"] for entry in report["entries"]] == [*VIDEOS, "x.annotated.mp4"]
    status = {entry["video"]: entry["status"] for entry in report["entries"]}
    assert {video for video in status if status[video] == "failed"} == {"e.mp4", "h.mp4"}
    assert report["exit_code"] == 3
    assert report["command_line"] == ["aucli", "merge"]
    assert report["machine"]["shards"] == 3
    assert report["totals"]["rows"] == pq.read_metadata(tmp_path / "all.parquet").num_rows


def test_folders_are_joined_too(tmp_path):
    small_run(tmp_path / "whole", VIDEOS)
    small_run(tmp_path / "whole.parquet", VIDEOS)
    outputs = [small_shard(tmp_path / f"out{number}", VIDEOS, Shard(number, 2)) for number in (1, 2)]
    merge_shards(outputs, tmp_path / "all.parquet")
    assert sha256(tmp_path / "all.parquet") == sha256(tmp_path / "whole.parquet")
    merge_shards(shards(tmp_path, 2), tmp_path / "all")
    assert names(tmp_path / "all") == names(tmp_path / "whole")
    for name in VIDEOS:
        assert sha256(tmp_path / "all" / f"{name}.parquet") == sha256(tmp_path / "whole" / f"{name}.parquet")
    entries = json.loads((tmp_path / "all" / "report.json").read_text())["entries"]
    assert [entry["file"] for entry in entries] == [f"{name}.parquet" for name in VIDEOS]


def test_a_shard_without_a_row_is_a_file_and_not_missing(tmp_path):
    videos = {"a.mp4": 1, "b.mp4": 2}
    outputs = shards(tmp_path, 3, videos, failing={"b.mp4"})
    rows = [pq.read_metadata(output).num_rows for output in outputs]
    assert sorted(rows)[:2] == [0, 0]
    assert max(rows) > 0
    small_run(tmp_path / "whole.parquet", videos, failing={"b.mp4"})
    merge_shards(outputs, tmp_path / "all.parquet")
    assert sha256(tmp_path / "all.parquet") == sha256(tmp_path / "whole.parquet")
    codes = [json.loads(path.with_suffix(".report.json").read_text())["exit_code"] for path in outputs]
    assert sorted(codes) == [0, 0, 4]  # done, nothing to do, all failed


def test_no_shard_has_a_row(tmp_path):
    merged = merge_shards(shards(tmp_path, 2, failing=VIDEOS), tmp_path / "all.parquet")
    assert merged.output is None
    assert merged.report.exit_code == 4
    assert not (tmp_path / "all.parquet").exists()
    assert (tmp_path / "all.report.json").exists()


def test_merging_again_writes_the_same_file(tmp_path):
    outputs = shards(tmp_path, 2)
    merge_shards(outputs, tmp_path / "all.parquet")
    before = sha256(tmp_path / "all.parquet")
    merge_shards(outputs, tmp_path / "all.parquet")
    assert sha256(tmp_path / "all.parquet") == before


def test_a_shard_run_again_writes_nothing(tmp_path):
    (tmp_path / "one").mkdir()
    output = small_shard(tmp_path / "one" / "out.parquet", VIDEOS, Shard(1, 2))
    before = stamps(tmp_path / "one")
    small_shard(output, VIDEOS, Shard(1, 2))
    assert stamps(tmp_path / "one") == before


def other(**facts):
    return partial(describe(), **facts)


def test_what_cannot_be_joined_is_refused_and_nothing_written(tmp_path):
    one, two, three = shards(tmp_path, 3)
    small_run(tmp_path / "whole.parquet", VIDEOS)
    (tmp_path / "other").mkdir()
    halves = shards(tmp_path / "other", 2)
    fewer = small_shard(tmp_path / "fewer.parquet", dict(list(VIDEOS.items())[:-1]), Shard(3, 3))
    every = small_shard(
        tmp_path / "every.parquet", VIDEOS, Shard(3, 3), facts=other(config={**FACTS["config"], "every": 2})
    )
    model = small_shard(
        tmp_path / "model.parquet",
        VIDEOS,
        Shard(3, 3),
        facts=other(card={**FACTS["card"], "sha256": "00" * 32}),
    )
    device = small_shard(
        tmp_path / "device.parquet", VIDEOS, Shard(3, 3), facts=other(machine={"device": "cuda"})
    )
    schema = output_schema(("AU12", "AU1"))
    (tmp_path / "lost.parquet").write_bytes(three.read_bytes())
    copy = tmp_path / "copy.parquet"
    copy.write_bytes(two.read_bytes())
    copy.with_suffix(".report.json").write_bytes(two.with_suffix(".report.json").read_bytes())
    mixed = tmp_path / "mixed.parquet"
    mixed.write_bytes(two.read_bytes())
    mixed.with_suffix(".report.json").write_bytes(three.with_suffix(".report.json").read_bytes())
    assert schema != SCHEMA
    before = names(tmp_path)
    for given, message in (
        ([one, two], "shard 3 of 3 missing: .* --shard 3/3"),
        ([two], "shards 1, 3 of 3 missing"),
        ([one, two, three, copy], "out.2.parquet and .*copy.parquet are both shard 2 of 3"),
        ([one, two, halves[1]], "is shard 1 of 3 and .* is shard 2 of 2"),
        ([one, two, fewer], "divided different inputs"),
        ([one, two, every], "differ in their options .every None and 2.: run"),
        ([one, two, model], "differ in their model .sha256 abab.* and 0000"),
        ([one, two, device], "differ in their device .None and cuda.:"),
        ([one, two, tmp_path / "whole.parquet"], "is whole, not a shard"),
        ([one, two, tmp_path / "lost.parquet"], "lost.report.json is not there"),
        ([one, two, mixed], "are not of one run"),
        ([], "no shard"),
    ):
        with pytest.raises(UsageError, match=message):
            merge_shards(given, tmp_path / "all.parquet")
    with pytest.raises(InputNotFoundError, match="does not exist"):
        merge_shards([one, two, tmp_path / "none.parquet"], tmp_path / "all.parquet")
    with pytest.raises(UsageError, match="also an input"):
        merge_shards([one, two, three], two)
    assert names(tmp_path) == before


def test_other_versions_are_said(tmp_path):
    one, two = shards(tmp_path, 2)
    path = two.with_suffix(".report.json")
    report = json.loads(path.read_text())
    path.write_text(json.dumps({**report, "versions": {"torch": "9.9"}}))
    merged = merge_shards([one, two], tmp_path / "all.parquet")
    assert merged.remarks == (f"{two} was made with torch 9.9 for None",)


def test_a_damaged_shard_is_named(tmp_path):
    one, two = shards(tmp_path, 2)
    two.write_bytes(two.read_bytes()[:-100])
    with pytest.raises(UsageError, match=r"out\.2\.parquet cannot be read as Parquet"):
        merge_shards([one, two], tmp_path / "all.parquet")
    one.with_suffix(".report.json").write_text("{")
    with pytest.raises(UsageError, match=r"out\.1\.report\.json cannot be read"):
        merge_shards([one, two], tmp_path / "all.parquet")
