"""A checkpoint is there whole or not at all."""

import resource

import pytest
import torch

from aucli.errors import CheckpointError, OutputError
from aucli.training.checkpoint import differences, load_checkpoint, save_checkpoint


def test_what_was_saved_is_loaded(tmp_path):
    path = tmp_path / "stage1.checkpoint"
    assert load_checkpoint(path, {"a": (1, 2)}) is None
    save_checkpoint(path, {"a": (1, 2)}, {"step": 3, "weights": {"w": torch.ones(2)}})
    state = load_checkpoint(path, {"a": (1, 2)})
    assert state["step"] == 3
    torch.testing.assert_close(state["weights"]["w"], torch.ones(2))


def test_a_full_disk_leaves_the_one_before(tmp_path):
    path = tmp_path / "stage1.checkpoint"
    save_checkpoint(path, {}, {"step": 1})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(OutputError, match=r"cannot write .*stage1\.checkpoint"):
            save_checkpoint(path, {}, {"step": 2, "weights": torch.ones(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert load_checkpoint(path, {}) == {"step": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["stage1.checkpoint"]


@pytest.mark.parametrize("content", [b"", b"no checkpoint at all", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_checkpoint_is_refused(tmp_path, content):
    path = tmp_path / "stage1.checkpoint"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"damaged or no checkpoint.*--fresh"):
        load_checkpoint(path, {})


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    class Runs:
        def __reduce__(self):
            return (tmp_path.joinpath("ran").touch, ())

    torch.save({"format": 1, "settings": "{}", "state": Runs()}, tmp_path / "c")
    with pytest.raises(CheckpointError, match="damaged or no checkpoint"):
        load_checkpoint(tmp_path / "c", {})
    assert not (tmp_path / "ran").exists()


def test_differences_are_named():
    before = {"seed": 0, "recipe": {"rate": 1e-4, "epochs": 20}, "same": [1]}
    now = {"seed": 0, "recipe": {"rate": 1e-3, "epochs": 20}, "same": [1], "new": "x" * 99}
    found = differences(before, now)
    assert found == ["recipe.rate was 0.0001, now 0.001", f'new was null, now "{"x" * 17}...{"x" * 17}"']
