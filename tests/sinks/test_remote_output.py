"""An output at an address: each finished video is there at once; the bytes are those of a local output."""

import json
import uuid
from contextlib import suppress

import fsspec
import pytest

from aucli.errors import UsageError
from aucli.sinks.remote_output import RemoteOutput, RemoteRunFolder, staged
from tests.s3_server import objects, s3_server
from tests.sinks.recipes import SCHEMA, describe, finish_video, key_of, planned, report_of, sha256, small_run

VIDEOS = {"a.mp4": 1, "sub/b.mp4": 2, "c.mp4": 3}


@pytest.fixture
def base():
    return f"memory://{uuid.uuid4().hex}"


def there(base):
    """Content of all files below, by name."""
    files, root = fsspec.core.url_to_fs(base)
    return {path.removeprefix(f"{root}/"): files.cat(path) for path in sorted(files.find(root))}


def run(url, *, fresh=False, stop_after=None, elsewhere=()):
    """A run of made-up videos; returns those really done. elsewhere: as by a worker that shares no disk."""
    done = []
    with staged(url) as remote:
        place = remote.place([])
        with RemoteRunFolder(remote, place, SCHEMA, describe(), fresh=fresh) as folder:
            finished = folder.plan(planned(VIDEOS))
            entries = []
            for video, seed in VIDEOS.items():
                entry = finished.get(key_of(video))
                if entry is None:
                    entry = (
                        finish_video(folder, video, seed) if video not in elsewhere else moved(folder, video)
                    )
                    done.append(video)
                entries.append(entry)
                if stop_after == len(done):
                    raise KeyboardInterrupt
            path = folder.merge(entries)
            folder.finish(report_of(entries, path and url))
    return done


def moved(folder, video):
    """Done by another machine: its part is at the address and not here when it is committed."""
    part = folder.part_path(key_of(video))
    commit = folder.commit

    def elsewhere(entry):
        folder._remote._storage.put(part, folder._remote._name(part))
        part.unlink()
        return commit(entry)

    folder.commit = elsewhere
    entry = finish_video(folder, video, VIDEOS[video])
    folder.commit = commit
    return entry


@pytest.mark.parametrize("name", ["out.parquet", "out/"])
def test_the_bytes_are_those_of_a_local_output(base, tmp_path, name):
    run(f"{base}/{name}", elsewhere=("c.mp4",))
    local = tmp_path / name
    small_run(str(local) + ("/" if name.endswith("/") else ""), VIDEOS)
    files = {
        path.relative_to(tmp_path).as_posix(): path.read_bytes()
        for path in tmp_path.rglob("*")
        if path.suffix == ".parquet" and path.is_file()
    }
    found = there(base)
    assert {key: value for key, value in found.items() if key.endswith(".parquet")} == files
    (report,) = [json.loads(value) for key, value in found.items() if key.endswith("report.json")]
    assert report["output"] == f"{base}/{name}"
    assert len(found) == len(files) + 1


@pytest.mark.parametrize("name", ["out.parquet", "out/"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_interrupted_and_gone_on(base, tmp_path, name, count):
    with suppress(KeyboardInterrupt):
        run(f"{base}/{name}", stop_after=count)
    assert sum(key.endswith(".json") and "manifest" not in key for key in there(base)) == count
    assert run(f"{base}/{name}") == list(VIDEOS)[count:]
    assert run(f"{base}/{name}") == []
    whole = f"memory://{uuid.uuid4().hex}"
    run(f"{whole}/{name}")
    ours, theirs = there(base), there(whole)
    assert ours.keys() == theirs.keys()
    assert all(ours[key] == theirs[key] for key in ours if key.endswith(".parquet"))


def test_on_a_server(monkeypatch, tmp_path):
    """What only S3 shows: one object per file, and nothing of the work left."""
    small_run(tmp_path / "out.parquet", VIDEOS)
    with s3_server(monkeypatch) as client:
        with suppress(KeyboardInterrupt):
            run("s3://clinic/study/out.parquet", stop_after=2)
        work = [name.rpartition("/")[2] for name in objects(client)]
        keys = [key_of(video) for video in list(VIDEOS)[:2]]
        names = [f"{key}.{kind}" for key in keys for kind in ("json", "parquet")]
        assert sorted(work) == sorted([*names, "manifest.json"])
        assert run("s3://clinic/study/out.parquet", elsewhere=("c.mp4",)) == ["c.mp4"]
        assert objects(client) == ["study/out.parquet", "study/out.report.json"]
        body = client.get_object(Bucket="clinic", Key="study/out.parquet")["Body"].read()
        assert body == (tmp_path / "out.parquet").read_bytes()
        assert run("s3://clinic/study/out.parquet") == []
        assert objects(client) == ["study/out.parquet", "study/out.report.json"]


def test_fresh_forgets(base):
    with suppress(KeyboardInterrupt):
        run(f"{base}/out.parquet", stop_after=2)
    assert run(f"{base}/out.parquet", fresh=True) == list(VIDEOS)
    assert sorted(there(base)) == ["out.parquet", "out.report.json"]


def test_a_part_without_its_record_is_done_again(base):
    with suppress(KeyboardInterrupt):
        run(f"{base}/out.parquet", stop_after=2)
    fsspec.filesystem("memory").rm(
        f"{base.removeprefix('memory:/')}/out.parquet.parts/{key_of('a.mp4')}.json"
    )
    assert run(f"{base}/out.parquet") == ["a.mp4", "c.mp4"]


def test_outputs_that_cannot_be(base, tmp_path):
    for url, message in (
        ("s3://out.parquet", "name a bucket"),
        ("s3://", "name a bucket"),
        ("nonsense://bucket/out.parquet", "no address that can be used"),
    ):
        with pytest.raises(UsageError, match=message):
            RemoteOutput(url, tmp_path)
    fsspec.filesystem("memory").pipe(f"{base.removeprefix('memory:/')}/out.parquet", b"mine")
    with (
        pytest.raises(UsageError, match=f"{base}/out.parquet exists and is not"),
        staged(f"{base}/out.parquet") as remote,
    ):
        remote.place([])


def test_a_path_stays_a_path(tmp_path):
    with staged(tmp_path / "out.parquet") as place:
        assert place == tmp_path / "out.parquet"
    with staged(f"file://{tmp_path}/out.parquet") as place:
        assert place == f"{tmp_path}/out.parquet"
    small_run(tmp_path / "out.parquet", VIDEOS)
    assert sha256(tmp_path / "out.parquet")
