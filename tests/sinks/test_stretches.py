import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aucli.sinks.stretches import FILES_KEPT, StretchReader

ROWS, GROUP = 1000, 64


@pytest.fixture
def files(tmp_path):
    """More files than stay open, each with its own numbers, in small row groups."""
    paths = [tmp_path / f"{number}.parquet" for number in range(FILES_KEPT + 3)]
    for number, path in enumerate(paths):
        values = np.arange(ROWS) + number * ROWS
        pq.write_table(pa.table({"value": values}), path, row_group_size=GROUP)
    return paths


def values_of(batches):
    return [value for batch in batches for value in batch.column("value").to_pylist()]


def test_stretches_of_many_files_in_any_order(files):
    random = np.random.default_rng(1)
    with StretchReader() as reader:
        for _ in range(400):
            number = int(random.integers(len(files)))
            start, stop = sorted(random.integers(0, ROWS + 1, 2))
            if random.random() < 0.1:
                start, stop = 0, ROWS
            found = values_of(reader.read(files[number], int(start), int(stop)))
            assert found == list(range(number * ROWS + start, number * ROWS + stop))
            assert len(reader._files) <= FILES_KEPT


def test_a_file_read_whole_is_not_kept(files):
    with StretchReader() as reader:
        assert values_of(reader.read(files[0], 0, ROWS)) == list(range(ROWS))
        assert reader._files == {}


def test_a_file_that_cannot_be_read_raises(tmp_path):
    with StretchReader() as reader, pytest.raises(OSError, match="missing"):
        next(reader.read(tmp_path / "missing.parquet", 0, 1))
    (tmp_path / "odd.parquet").write_bytes(b"PAR1 is not enough")
    with StretchReader() as reader, pytest.raises(pa.ArrowInvalid):
        next(reader.read(tmp_path / "odd.parquet", 0, 1))


def test_short_stretches_cost_little_beside_a_file_opened_for_each(tmp_path):
    """A large row group and a footer that names many videos, as after a run over many short ones."""
    path = tmp_path / "large.parquet"
    columns = {f"c{number}": np.random.default_rng(number).random(65_536) for number in range(20)}
    pq.write_table(pa.table(columns).replace_schema_metadata({"aucli": "x" * 1_000_000}), path)
    places = range(0, 60_000, 1500)

    def seconds(read):
        started = time.process_time()
        read()
        return time.process_time() - started

    def together():
        with StretchReader() as reader:
            for place in places:
                list(reader.read(path, place, place + 2))

    def each():
        for place in places:
            with StretchReader() as reader:
                list(reader.read(path, place, place + 2))

    assert seconds(together) < seconds(each) / 5
