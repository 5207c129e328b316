"""The rows of each video, whichever are asked for and however they lie in their file."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aucli.errors import MediaError
from aucli.sinks import parquet
from aucli.sinks.export.read import read_videos
from aucli.sinks.extraction import read_extraction
from tests.sinks.export.extractions import extraction, rows_with

NAMES = [f"{number}.mp4" for number in range(6)]


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", 20)  # a video has 15 rows
    return extraction(tmp_path / "out.parquet", {name: rows_with(seed) for seed, name in enumerate(NAMES)})


@pytest.mark.parametrize("batch_rows", [1, 4, 1000])
@pytest.mark.parametrize("chosen", [range(6), [0], [5], [1, 2], [0, 2, 3, 5], [4, 1]])
def test_each_video_gives_its_rows(source, monkeypatch, batch_rows, chosen):
    monkeypatch.setattr(parquet, "_READ_ROWS", batch_rows)  # borders inside videos of 15 rows
    assert pq.ParquetFile(source).num_row_groups == 5
    videos = [read_extraction(source)[number] for number in chosen]
    everything = pq.read_table(source)
    for video, rows in zip(videos, read_videos(videos), strict=True):
        found = pa.Table.from_batches(rows.batches, rows.schema)
        expected = everything.slice(video.start, video.rows)
        assert rows.name == video.video
        assert found.to_pylist() == expected.to_pylist()


def test_what_nobody_takes_is_passed_over(source):
    taken = []
    for number, rows in enumerate(read_videos(read_extraction(source), ["video", "frame"])):
        if number == 2:
            taken = [next(rows.batches)]
        elif number == 4:
            taken += rows.batches
    assert [set(batch.column("video").to_pylist()) for batch in taken] == [{"2.mp4"}, {"4.mp4"}]
    assert sum(batch.num_rows for batch in taken[1:]) == 15
    assert taken[0].schema.names == ["video", "frame"]


def test_rows_that_are_gone_are_noticed(source):
    videos = read_extraction(source)
    table = pq.read_table(source)
    pq.write_table(table.slice(0, table.num_rows - 5), source)
    *_, last = read_videos(videos)
    with pytest.raises(MediaError, match="cannot be read"):
        list(last.batches)  # its file is closed by now
    with pytest.raises(MediaError, match="rows are missing"):
        [list(rows.batches) for rows in read_videos(videos)]
    source.unlink()
    with pytest.raises(MediaError, match="cannot be read"):
        next(read_videos(videos))
