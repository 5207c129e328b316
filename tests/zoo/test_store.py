"""The cache: whole files or none, checksums, one writer at a time."""

import dataclasses
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file

from aucli.errors import OutputError
from aucli.zoo.published import generic
from aucli.zoo.store import (
    Entry,
    State,
    cache_folder,
    install,
    installed,
    lock,
    models_folder,
    scratch_folder,
    sha256_of,
    verify,
)
from tests.zoo.disk import largest_file

CARD = generic("me_graphau", "resnet18", "disfa", 1)


def test_the_cache_is_where_the_variable_says_and_made_when_written(monkeypatch, tmp_path):
    assert installed() == {}
    assert not cache_folder().exists()
    monkeypatch.setenv("AUCLI_CACHE", str(tmp_path / "c"))
    assert install(CARD, {"a": torch.ones(3)}, {}).weights_path.is_relative_to(tmp_path / "c")
    monkeypatch.delenv("AUCLI_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "aucli"


def test_what_is_installed_is_found_and_verified():
    entry = install(CARD, {"a": torch.arange(3.0)}, {"source_sha256": "0" * 64})
    assert installed() == {CARD.name: entry}
    assert entry.card.sha256 == sha256_of(entry.weights_path)
    assert entry.card.recorded == {"source_sha256": "0" * 64}
    torch.testing.assert_close(load_file(entry.weights_path), {"a": torch.arange(3.0)})
    assert verify(entry) is State.OK
    unrecorded = Entry(dataclasses.replace(entry.card, sha256=None), entry.weights_path)
    assert verify(unrecorded) is State.UNRECORDED
    entry.weights_path.write_bytes(b"x")
    assert verify(entry) is State.CHANGED
    entry.weights_path.unlink()
    assert verify(entry) is State.MISSING


def test_a_broken_card_in_the_cache_hides_no_other(caplog):
    entry = install(CARD, {"a": torch.ones(3)}, {})
    (models_folder() / "broken.json").write_text("{")
    assert installed() == {CARD.name: entry}
    assert "broken.json" in caplog.text


def test_no_room_is_one_line_and_nothing_is_left():
    with largest_file(100_000), pytest.raises(OutputError, match="cannot write") as caught:
        install(CARD, {"a": torch.ones(1_000_000)}, {})
    assert "AUCLI_CACHE" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 1
    assert [path for path in cache_folder().rglob("*") if path.is_file()] == []


def test_a_place_that_cannot_be_written_is_named(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AUCLI_CACHE", str(tmp_path / "file"))
    for use in (lambda: install(CARD, {"a": torch.ones(1)}, {}), lambda: scratch_folder("x").__enter__()):
        with pytest.raises(OutputError, match="cannot write"):
            use()


def test_a_scratch_folder_is_empty_and_goes():
    left = cache_folder() / "downloads" / "x" / "left by a kill"
    left.parent.mkdir(parents=True)
    left.write_text("")
    with scratch_folder("x") as folder:
        assert list(folder.iterdir()) == []
        (folder / "file").write_text("")
    assert not folder.exists()


HOLD = """
import sys, time
from aucli.zoo.store import lock
with lock("x"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_lock_waits_for_the_other_process_and_dies_with_it():
    other = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "held\n"
    killer = subprocess.Popen(["sh", "-c", f"sleep 0.4; kill -9 {other.pid}"])
    start = time.monotonic()
    with lock("y"):
        assert time.monotonic() - start < 0.2
    with lock("x"):
        assert time.monotonic() - start > 0.3
    killer.wait()
    other.wait()
    other.stdout.close()
