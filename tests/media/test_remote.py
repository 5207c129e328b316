"""Files at addresses: fsspec's memory:// for the rules, an S3 server for what only a server can show."""

import os
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import fsspec
import pytest

from aucli.datatypes import RemoteFile, Source
from aucli.errors import InputNotFoundError, MediaError, OutputError, UsageError
from aucli.media.discover import discover
from aucli.media.names import Rejected
from aucli.media.remote import (
    Storage,
    is_remote,
    local_copy,
    remote_entries,
    remote_identity,
    without_file_scheme,
)
from aucli.sinks.identity import input_identity
from tests.s3_server import objects, s3_server

FILES = (
    "a10.mp4",
    "a9.mp4",
    "sub/deep/c.mkv",
    "sub/b.MOV",
    "sub/notes.txt",
    "sub/still.png",
    "sub/b.annotated.mp4",
    ".hidden/x.mp4",
    "out.parquet.parts/y.mp4",
)


@pytest.fixture
def memory():
    """Address of a folder with these files, each with its own name as content."""
    base = f"memory://{uuid.uuid4().hex}"
    files = fsspec.filesystem("memory")
    for name in FILES:
        files.pipe(f"{base.removeprefix('memory:/')}/{name}", name.encode())
    return base


@pytest.fixture
def s3(monkeypatch):
    with s3_server(monkeypatch) as client:
        yield client


@pytest.mark.parametrize(
    ("text", "remote", "path"),
    [
        ("s3://bucket/a.mp4", True, "s3://bucket/a.mp4"),
        ("file:///videos/a%20b.mp4", False, "/videos/a b.mp4"),
        ("videos/a.mp4", False, "videos/a.mp4"),
        ("C:/videos", False, "C:/videos"),
        ("odd:name.mp4", False, "odd:name.mp4"),
    ],
)
def test_what_is_an_address(text, remote, path):
    assert is_remote(text) is remote
    assert without_file_scheme(text) == path


def names(entries):
    return [entry.name for entry in entries if isinstance(entry, Source)]


@pytest.mark.parametrize(
    ("below", "expected"),
    [
        ("", ["a9.mp4", "a10.mp4", "sub/b.MOV", "sub/deep/c.mkv"]),
        ("/sub", ["b.MOV", "deep/c.mkv"]),
        ("/*.mp4", ["a9.mp4", "a10.mp4"]),
        ("/sub/*", ["b.MOV"]),
        ("/**/*.m[ok]v", ["sub/deep/c.mkv"]),
        ("/a9.mp4", ["a9.mp4"]),
        ("/sub/still.png", ["still.png"]),
        ("/sub/b.annotated.mp4", ["b.annotated.mp4"]),
    ],
)
def test_folders_globs_and_single_files(memory, below, expected):
    assert names(remote_entries(memory + below)) == expected


def test_skipped_and_refused(memory):
    rejected = [entry for entry in remote_entries(memory) if isinstance(entry, Rejected)]
    assert [(entry.name, entry.status) for entry in rejected] == [("sub/b.annotated.mp4", "skipped")]
    with pytest.raises(InputNotFoundError, match="there is no video"):
        remote_entries(f"{memory}/nothing")
    with pytest.raises(UsageError, match="a list is read from this machine only"):
        remote_entries(f"{memory}/sub/notes.txt")
    with pytest.raises(UsageError, match="no address that can be used"):
        remote_entries("nonsense://bucket/a.mp4")


def test_addresses_stand_beside_paths_and_in_lists(memory, tmp_path):
    (tmp_path / "a9.mp4").touch()
    (tmp_path / "list.csv").write_text(f"path,subject,start\n{memory}/sub/b.MOV,anna,0.5\n")
    found = discover([str(tmp_path / "a9.mp4"), f"{memory}/a9.mp4", str(tmp_path / "list.csv"), memory])
    assert len({source.name for source in found.sources}) == len(found.sources) == 6
    (listed,) = [source for source in found.sources if source.subject]
    assert (listed.subject, listed.start_seconds, listed.location) == ("anna", 0.5, f"{memory}/sub/b.MOV")
    assert found.sources[0].location == str(tmp_path / "a9.mp4")
    assert [source.name for source in discover([f"file://{tmp_path}/a9.mp4"]).sources] == ["a9.mp4"]


def test_a_copy_lives_as_long_as_it_is_needed(memory):
    (source,) = remote_entries(f"{memory}/sub/b.MOV")
    with local_copy(source) as copy:
        assert copy.path.read_bytes() == b"sub/b.MOV"
        assert copy.path.suffix == ".MOV"
        assert copy.location == f"{memory}/sub/b.MOV"
        folder = copy.path.parent
    assert not folder.exists()
    # What a decoder says of the copy is said of the address.
    with pytest.raises(MediaError, match=f"^{memory}/sub/b.MOV: is damaged$"), local_copy(source) as copy:
        raise MediaError(f"{copy.path}: is damaged")
    here = Source(Path("a.mp4"), "a.mp4")
    with local_copy(here) as copy:
        assert copy is here


def test_what_cannot_be_fetched_is_a_media_error(memory, monkeypatch):
    (source,) = remote_entries(f"{memory}/a9.mp4")
    fsspec.filesystem("memory").pipe(f"{memory.removeprefix('memory:/')}/a9.mp4", b"changed since")
    with pytest.raises(MediaError, match="changed during the run"), local_copy(source):
        pass
    fsspec.filesystem("memory").rm(f"{memory.removeprefix('memory:/')}/a9.mp4")
    with pytest.raises(MediaError, match="cannot be fetched"), local_copy(source):
        pass
    huge = Source(Path("x.mp4"), "x.mp4", remote=RemoteFile(f"{memory}/a10.mp4", 1 << 60, 0))
    with pytest.raises(MediaError, match="set TMPDIR"), local_copy(huge):
        pass


def test_what_a_killed_process_fetched_is_removed_by_the_next(memory, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "import os, signal\n"
        "from aucli.media.remote import _own_folder\n"
        "with _own_folder() as folder:\n"
        "    (folder / 'fetched.mp4').touch()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environ = os.environ | {"TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=environ, check=False)
    (left,) = tmp_path.glob("*/fetched.mp4")
    (source,) = remote_entries(f"{memory}/a9.mp4")
    with local_copy(source) as first:
        assert not left.exists()
        with local_copy(source) as second:  # of a process that lives, as it were
            assert first.path.exists()
            assert first.path != second.path
    assert list(tmp_path.iterdir()) == []


def test_the_content_is_identified_as_that_of_a_file(tmp_path, s3):
    for size in (0, 100, 70_000, 200_000):
        path = tmp_path / f"{size}.mp4"
        path.write_bytes(os.urandom(size))
        s3.upload_file(str(path), "clinic", path.name)
        (source,) = remote_entries(f"s3://clinic/{path.name}")
        found, expected = remote_identity(source.remote), input_identity(path)
        del expected["mtime_ns"]
        assert found.pop("mtime_ns") > 0
        assert found == expected


def test_one_object_write(tmp_path, s3):
    path = tmp_path / "part.parquet"
    path.write_bytes(os.urandom(12 << 20))  # more than one part of a multipart upload
    storage = Storage("s3://clinic/study")
    storage.put(path, "out.parts/part.parquet")
    assert objects(s3) == ["study/out.parts/part.parquet"]
    body = s3.get_object(Bucket="clinic", Key="study/out.parts/part.parquet")["Body"].read()
    assert body == path.read_bytes()
    storage.get(tmp_path / "back", "out.parts/part.parquet")
    assert (tmp_path / "back").read_bytes() == body
    storage.remove_folder("out.parts")
    storage.remove_folder("out.parts")
    assert objects(s3) == []
    with pytest.raises(OutputError, match="cannot write s3://none/x: "):
        Storage("s3://none").put(path, "x")
    assert objects(s3) == []


def test_names_with_odd_characters(s3):
    for name in ("a b.mp4", "ä'\"#?.mp4", "100%.mp4"):
        s3.put_object(Bucket="clinic", Key=f"odd/{name}", Body=b"x")
    entries = remote_entries("s3://clinic/odd")
    assert sorted(names(entries)) == sorted(["a b.mp4", "ä'\"#?.mp4", "100%.mp4"])
    for entry in entries:
        with local_copy(entry) as copy:
            assert copy.path.read_bytes() == b"x"
