import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aucli.errors import UsageError
from aucli.sinks.parquet import write_parquet
from aucli.sinks.place import output_place
from tests.sinks.recipes import SCHEMA, describe


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_parquet_name_is_one_file():
    place = output_place("out.parquet")
    assert place.single_file
    assert [str(path) for path in (place.path, place.work, place.report)] == [
        "out.parquet", "out.parquet.parts", "out.report.json",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["out", "out/", "out.v2/", "out.parquet/"])
def test_no_suffix_or_a_slash_is_a_folder(name):
    place = output_place(name)
    folder = name.rstrip("/")
    assert not place.single_file
    assert [str(path) for path in (place.path, place.work, place.report)] == [
        folder, f"{folder}/.parts", f"{folder}/report.json",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["out", "out.v2", "out.parquet"])
def test_an_existing_folder_is_a_folder(here, name):
    (here / name).mkdir()
    assert not output_place(name).single_file


def test_nothing_is_created(here):
    output_place("out.parquet")
    output_place("out/")
    assert list(here.iterdir()) == []


def test_a_missing_parent_says_what_to_type():
    with pytest.raises(UsageError, match="mkdir -p results/new"):
        output_place("results/new/out.parquet")


@pytest.mark.parametrize("name", ["out.csv", "out.json", "out.pq"])
def test_another_suffix_says_what_to_type(name):
    with pytest.raises(UsageError, match=r"-o out.parquet for one file, or -o out\.\w+/"):
        output_place(name)


def test_no_name():
    with pytest.raises(UsageError, match=r"out\.parquet"):
        output_place("")


def test_an_output_that_is_an_input(here):
    videos = here / "videos"
    videos.mkdir()
    with pytest.raises(UsageError, match="also an input"):
        output_place("videos/", [videos])
    (here / "link").symlink_to(videos)
    with pytest.raises(UsageError, match="also an input"):
        output_place("link/", [videos])
    write_parquet(here / "out.parquet", [], SCHEMA, metadata=describe()([]))
    with pytest.raises(UsageError, match="also an input"):
        output_place("out.parquet", [here / "other.mp4", here / "out.parquet"])
    assert output_place("videos/out.parquet", [videos]).single_file


def test_existing_files_that_are_not_ours(here):
    (here / "out.parquet").write_text("notes of mine")
    with pytest.raises(UsageError, match="not a Parquet file written by aucli: remove it"):
        output_place("out.parquet")
    pq.write_table(pa.table({"mine": [1, 2]}), here / "out.parquet")
    with pytest.raises(UsageError, match="not a Parquet file written by aucli"):
        output_place("out.parquet")
    (here / "out").write_text("notes of mine")
    with pytest.raises(UsageError, match="is a file"):
        output_place("out")
    os.mkfifo(here / "pipe.parquet")
    with pytest.raises(UsageError, match="not a Parquet file"):
        output_place("pipe.parquet")


def test_existing_files_that_may_be_replaced(here):
    (here / "empty.parquet").touch()
    assert output_place("empty.parquet").single_file
    write_parquet(here / "out.parquet", [], SCHEMA, metadata=describe()([]))
    assert output_place("out.parquet").single_file


def test_a_link_is_followed(here):
    (here / "disk").mkdir()
    (here / "out.parquet").symlink_to(here / "disk" / "real.parquet")
    assert output_place("out.parquet").work == here / "disk" / "real.parquet.parts"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission(here):
    (here / "locked").mkdir(mode=0o500)
    with pytest.raises(UsageError, match="no permission"):
        output_place("locked/out.parquet")
    with pytest.raises(UsageError, match="no permission"):
        output_place("locked/")
