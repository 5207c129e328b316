"""Whole runs from and to an S3 server: the rows of a run on local files, interrupted or on Dask."""

import io
import json
import os

import pyarrow.parquet as pq
import pytest

from aucli.config import ExtractConfig
from aucli.errors import OutputError, UsageError
from aucli.inference.events import VideoFinished, VideoStarted
from aucli.inference.extract import run_extract
from tests.clips import RECIPES, pan_over, photo_astronaut, truncate
from tests.inference.dask_cluster import cluster
from tests.s3_server import objects, s3_server

CONFIG = ExtractConfig(jobs=1)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Two small clips, one truncated, and one that is none."""
    folder = tmp_path_factory.mktemp("study") / "videos"
    (folder / "sub").mkdir(parents=True)
    frames = list(pan_over(photo_astronaut(), 160, 160, 6))
    for name in ("a.mp4", "sub/ä b.mp4"):
        RECIPES["cfr_mp4"].write(folder / name, frames)
    truncate(RECIPES["fragmented_mp4"].write(folder / "c.mp4", frames), 0.8)
    (folder / "text.mp4").write_text("these are words\n" * 50)
    return folder


@pytest.fixture(scope="module")
def s3(videos):
    with pytest.MonkeyPatch.context() as monkeypatch, s3_server(monkeypatch) as client:
        for path in videos.rglob("*.mp4"):
            client.upload_file(str(path), "clinic", f"videos/{path.relative_to(videos).as_posix()}")
        yield client


@pytest.fixture(scope="module")
def local(videos, tmp_path_factory):
    """The run on one machine and its own disk."""
    return run_extract([videos], tmp_path_factory.mktemp("local") / "out.parquet", CONFIG)


def rows(client, key):
    return pq.read_table(io.BytesIO(client.get_object(Bucket="clinic", Key=key)["Body"].read()))


def test_interrupted_and_gone_on_from_there(s3, local):
    """Each finished video is there as a part and its record; the next run, on any machine, does the rest."""

    def interrupt(event):
        if isinstance(event, VideoFinished) and event.entry.rows:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_extract(["s3://clinic/videos"], "s3://clinic/one/out.parquet", CONFIG, on_event=interrupt)
    left = objects(s3, "one/")
    assert sorted(name.rpartition(".")[2] for name in left) == ["json", "json", "parquet"]  # and a manifest
    assert all(name.startswith("one/out.parquet.parts/") for name in left)

    events = []
    result = run_extract(
        ["s3://clinic/videos"], "s3://clinic/one/out.parquet", CONFIG, on_event=events.append
    )
    started = {event.video for event in events if isinstance(event, VideoStarted)}
    assert 0 < len(started) < 3
    assert objects(s3, "one/") == ["one/out.parquet", "one/out.report.json"]
    assert rows(s3, "one/out.parquet").equals(local.table)
    assert result.table.equals(local.table)
    assert result.output == "s3://clinic/one/out.parquet"
    report = json.loads(s3.get_object(Bucket="clinic", Key="one/out.report.json")["Body"].read())
    assert report["output"] == "s3://clinic/one/out.parquet"
    status = {entry.video: entry.status for entry in local.report.entries}
    assert {entry["video"]: entry["status"] for entry in report["entries"]} == status
    assert {entry["path"] for entry in report["entries"]} == {f"s3://clinic/videos/{name}" for name in status}
    assert not any("/tmp/" in (entry["reason"] or "") for entry in report["entries"])
    # What the file says of each input's content is what it says of a file here.
    ours, theirs = (
        [video["input"] for video in json.loads(schema.metadata[b"aucli"])["videos"]]
        for schema in (rows(s3, "one/out.parquet").schema, pq.read_schema(local.output))
    )
    assert ours == theirs

    # A third run finds all of it and writes nothing.
    before = s3.head_object(Bucket="clinic", Key="one/out.parquet")["LastModified"]
    events.clear()
    run_extract(["s3://clinic/videos"], "s3://clinic/one/out.parquet", CONFIG, on_event=events.append)
    assert "VideoProgress" not in {type(event).__name__ for event in events}
    assert s3.head_object(Bucket="clinic", Key="one/out.parquet")["LastModified"] == before
    assert objects(s3, "one/") == ["one/out.parquet", "one/out.report.json"]


def test_a_folder_of_files(s3, local):
    result = run_extract(["s3://clinic/videos/**/*.mp4"], "s3://clinic/many/", CONFIG)
    written = ["many/a.mp4.parquet", "many/c.mp4.parquet", "many/report.json", "many/sub/ä b.mp4.parquet"]
    assert objects(s3, "many/") == sorted(written)
    assert result.table.num_rows == local.table.num_rows


def test_on_a_dask_cluster(s3, local, tmp_path):
    """Workers fetch for themselves and put their parts to the storage: they share no disk with us."""
    pytest.importorskip("distributed")
    with cluster(tmp_path, 1) as (address, _):
        result = run_extract(
            ["s3://clinic/videos"],
            "s3://clinic/dask/out.parquet",
            ExtractConfig(),
            engine="dask",
            scheduler=address,
        )
    assert rows(s3, "dask/out.parquet").equals(local.table)
    assert objects(s3, "dask/") == ["dask/out.parquet", "dask/out.report.json"]
    assert [entry.status for entry in result.report.entries] == [
        entry.status for entry in local.report.entries
    ]


def test_what_cannot_be_is_said_before_anything_is_computed(s3, videos):
    s3.put_object(Bucket="clinic", Key="mine.parquet", Body=b"mine")
    started = []
    for output, error, message in (
        ("s3://clinic/mine.parquet", UsageError, "s3://clinic/mine.parquet exists and is not a Parquet file"),
        ("s3://nobucket/out.parquet", OutputError, "cannot write s3://nobucket/out.parquet.parts/manifest"),
        ("s3://clinic/out.csv", UsageError, "the output is Parquet"),
        ("s3:///out.parquet", UsageError, "name a bucket"),
        ("nonsense://x/out.parquet", UsageError, "no address that can be used"),
    ):
        with pytest.raises(error, match=message):
            run_extract([videos / "a.mp4"], output, CONFIG, on_event=started.append)
    assert not any(isinstance(event, VideoStarted) for event in started)
    assert s3.get_object(Bucket="clinic", Key="mine.parquet")["Body"].read() == b"mine"
    assert os.environ["AWS_ENDPOINT_URL"]
