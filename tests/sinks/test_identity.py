import os
from dataclasses import replace

import pytest

from aucli.config import ExtractConfig
from aucli.datatypes import Selection, Source
from aucli.sinks.identity import input_identity, part_key

CONFIG = ExtractConfig()


def key(source, config=CONFIG, model="ab" * 32, version="0.1.0"):
    return part_key(source, input_identity(source.path), config.value_fields(), model, version)


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(bytes(range(256)) * 1024)
    return path


def rewrite(path, offset, byte):
    """Change one byte and put the modification time back."""
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(byte)
    os.utime(path, ns=times)


def test_identity_sees_size_time_head_and_tail(video):
    seen = [input_identity(video)]
    rewrite(video, 100, b"\xff")
    seen.append(input_identity(video))
    rewrite(video, video.stat().st_size - 100, b"\xfe")
    seen.append(input_identity(video))
    os.utime(video, ns=(0, 1_000_000_001))
    seen.append(input_identity(video))
    with video.open("ab") as file:
        file.write(b"x")
    os.utime(video, ns=(0, 1_000_000_001))
    seen.append(input_identity(video))
    assert len({str(identity) for identity in seen}) == 5
    assert input_identity(video) == seen[-1]


@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 100_000])
def test_small_files_have_an_identity_too(tmp_path, size):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"x" * size)
    assert input_identity(path)["size"] == size


def test_a_folder_is_its_pictures(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for i in range(3):
        (folder / f"{i}.png").write_bytes(bytes([i]) * 10)
    seen = [input_identity(folder)]
    (folder / "out.parquet").write_bytes(b"our own output lies beside them")
    assert input_identity(folder) == seen[0]
    rewrite(folder / "1.png", 5, b"\xff")
    seen.append(input_identity(folder))
    (folder / "2.png").rename(folder / "3.png")
    seen.append(input_identity(folder))
    (folder / "0.png").unlink()
    seen.append(input_identity(folder))
    assert len({str(identity) for identity in seen}) == 4
    assert seen[-1]["files"] == 2


def test_a_missing_input_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        input_identity(tmp_path / "missing.mp4")


def test_the_key_changes_with_all_that_changes_rows(video):
    source = Source(video, "a.mp4")
    keys = [
        key(source),
        key(replace(source, name="b/a.mp4")),
        key(replace(source, subject="S01")),
        key(replace(source, start_seconds=1.0)),
        key(replace(source, end_seconds=1.0)),
        key(source, model="cd" * 32),
        key(source, version="0.2.0"),
        key(source, replace(CONFIG, detector="insightface")),
        key(source, replace(CONFIG, detect_every=2)),
        key(source, replace(CONFIG, max_faces=1)),
        key(source, replace(CONFIG, selection=Selection(every=2))),
        key(source, replace(CONFIG, precision="bf16")),
    ]
    assert len(set(keys)) == len(keys)
    assert all(len(value) == 16 and int(value, 16) >= 0 for value in keys)


def test_the_key_does_not_change_with_what_changes_no_row(video, monkeypatch):
    source = Source(video, "a.mp4")
    config = replace(CONFIG, device="cuda:0", batch_size=7, jobs=3)
    assert key(source, config) == key(source)
    monkeypatch.chdir(video.parent)
    assert key(Source(type(video)("a.mp4"), "a.mp4")) == key(source)
