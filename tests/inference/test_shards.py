"""Who does what: the same answer everywhere, every input once, about as many bytes for all."""

import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from aucli.datatypes import Shard, Source
from aucli.errors import UsageError
from aucli.inference.shards import divide, source_bytes


@pytest.fixture
def sources(tmp_path):
    """60 files of very different sizes, as in a clinic's folder."""
    rng = np.random.default_rng(8)
    made = []
    for number, size in enumerate(rng.lognormal(8, 1.5, 60).astype(int)):
        path = tmp_path / f"{number}.mp4"
        with path.open("wb") as file:
            file.truncate(int(size))
        made.append(Source(path, path.name))
    return made


@pytest.mark.parametrize("count", [1, 2, 3, 7, 60, 90])
def test_every_input_is_in_one_share(sources, count):
    shares = [divide(sources, Shard(number, count)) for number in range(1, count + 1)]
    assert Counter(place for share in shares for place in share.positions) == Counter(range(60))
    assert {share.inputs for share in shares} == {60}
    assert len({share.division_sha256 for share in shares}) == 1
    assert all(list(share.positions) == sorted(share.positions) for share in shares)


@pytest.mark.parametrize("count", [2, 3, 7])
def test_shares_are_balanced_by_size(sources, count):
    sizes = [source.path.stat().st_size for source in sources]
    loads = [
        sum(sizes[place] for place in divide(sources, Shard(number, count)).positions)
        for number in range(1, count + 1)
    ]
    # Graham 1969: at most 4/3 of the best, which is at least the mean and at least the largest.
    assert max(loads) <= 4 / 3 * max(sum(sizes) / count, *sizes)
    assert max(loads) - min(loads) <= max(sizes)


def test_files_of_one_size_are_dealt_out_evenly(tmp_path):
    empty = [Source(tmp_path / f"{number}.mp4", f"{number}.mp4") for number in range(10)]  # not even there
    counts = [len(divide(empty, Shard(number, 4)).positions) for number in range(1, 5)]
    assert sorted(counts) == [2, 2, 3, 3]


def test_another_process_divides_alike(sources):
    code = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "from pathlib import Path\n"
        "from aucli.datatypes import Shard, Source\n"
        "from aucli.inference.shards import divide\n"
        f"names = {[str(source.path) for source in sources]!r}\n"
        "print(divide([Source(Path(n), Path(n).name) for n in names], Shard(2, 3)).to_json())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(divide(sources, Shard(2, 3)).to_json())


def test_another_name_or_window_is_another_division(sources):
    before = divide(sources, Shard(1, 2)).division_sha256
    windowed = [Source(sources[0].path, sources[0].name, start_seconds=1.0), *sources[1:]]
    assert divide(windowed, Shard(1, 2)).division_sha256 != before
    assert divide(sources[:-1], Shard(1, 2)).division_sha256 != before


def test_a_folder_of_pictures_weighs_as_much_as_they_do(tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(b"x" * 100)
    (tmp_path / "notes.txt").write_bytes(b"x" * 999)
    assert source_bytes(Source(tmp_path, "pictures", "image_folder")) == 300


@pytest.mark.parametrize(("number", "count"), [(0, 4), (5, 4), (-1, 4), (1, 0)])
def test_there_is_no_such_shard(number, count):
    with pytest.raises(UsageError, match="counted from 1"):
        Shard(number, count)
