"""A small seeded part of the campaign of benchmarks/faults.py: no crash, no hang, nothing that cannot be."""

import importlib
from pathlib import Path

import numpy as np
import pytest

from aucli.inference.supervisor import TaskFailure
from tests.clips import RECIPES

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def module(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)  # workers get our sys.path
    return importlib.import_module


def test_damaged_files_crash_nothing_and_fool_nobody(module):
    result = module("faults").campaign(list(range(10_000, 10_120)), seed=7, jobs=1)
    assert result["bad"] == []
    assert (result["crashes"], result["hangs"], result["wrong"], result["beyond_memory"]) == (0, 0, 0, 0)
    assert sum(result["read"].values()) == 120
    assert min(result["read"].values()) > 5, "some are read, some in part, some not"


def test_a_file_is_made_again_from_its_number(module, tmp_path):
    mutations = module("mutations")
    content = RECIPES["cfr_mp4"].write_numbered(tmp_path / "clip", 6).read_bytes()
    for number in range(40):
        one = mutations.mutate(content, np.random.default_rng([3, number]))
        assert one == mutations.mutate(content, np.random.default_rng([3, number]))
    made = {mutations.mutate(content, np.random.default_rng([3, number])) for number in range(200)}
    assert {name for _, name in made} == set(mutations.MUTATIONS)
    assert sum(changed == content for changed, _ in made) < 10


def test_boxes_are_found_inside_others(module, tmp_path):
    mutations = module("mutations")
    content = RECIPES["cfr_mp4"].write_numbered(tmp_path / "clip", 6).read_bytes()
    names = [box.name for box in mutations.boxes(content)]
    assert {b"ftyp", b"mdat", b"moov", b"trak", b"stbl", b"stsz", b"elst"} <= set(names)
    for box in mutations.boxes(content):
        assert content[box.start + 4 : box.start + 8] == box.name
    assert mutations.boxes(b"RIFF" + bytes(100)) == []


def test_what_is_wrong_is_called_so(module, tmp_path):
    faults = module("faults")
    with pytest.raises(faults.WrongError, match="does not help"):
        faults.check_reason(Path("a.mp4"), OSError("what?"))
    assert faults.kind_of(TaskFailure("no progress for 30 seconds")) == "hang"
    assert faults.kind_of(TaskFailure("worker died (signal 11)")) == "crash"
    assert faults.kind_of(TaskFailure("its worker took 4 GB")) == "memory"
    path = RECIPES["cfr_mp4"].write_numbered(tmp_path / "clip", 6)
    assert faults.read(path, again=True) == ("ok", False)
