"""Downloads from real servers: continued, checked, and with one clear line for each kind of trouble."""

import dataclasses
import socket
import subprocess
import sys
import time

import pytest
import torch

from aucli.errors import DownloadError, OutputError, UnknownModelError, UsageError
from aucli.zoo import download, load
from aucli.zoo.card import Download
from aucli.zoo.catalogue import find, known
from aucli.zoo.download import fetch, pull
from aucli.zoo.published import generic, published
from aucli.zoo.store import State, cache_folder, install, installed, verify
from aucli_models.official import from_ours
from aucli_models.registry import ModelSpec, create_model
from tests.zoo import checkpoints
from tests.zoo.disk import largest_file
from tests.zoo.servers import DriveImitation, FileServer

PIECE = 2**18  # what is read at once; of a broken connection, whole pieces count
PAYLOAD = bytes(range(256)) * 4096  # 1 MB, no checkpoint
GENERIC = generic("me_graphau", "resnet18", "disfa", 1)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "m.pth"
    return checkpoints.save(path, checkpoints.official_state(checkpoints.STAGE1)).read_bytes()


@pytest.fixture(scope="module")
def folds(tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "folds.zip"
    names = [f"ME/MEFARG_resnet18_DISFA_fold{fold}.pth" for fold in (1, 2, 3)]
    return checkpoints.save_folds(path, checkpoints.official_state(checkpoints.STAGE1), names).read_bytes()


@pytest.fixture
def server():
    with FileServer() as one:
        yield one


def card_at(server, **more):
    return dataclasses.replace(GENERIC, download=Download(server.url, **more))


def fold_cards(server):
    return [
        dataclasses.replace(
            GENERIC, name=f"tiny.fold{fold}", fold=fold, download=Download(server.url, archive=True)
        )
        for fold in (1, 2, 3)
    ]


def files():
    """Everything in the cache."""
    folder = cache_folder()
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def refusal(card, error=DownloadError, match=""):
    with pytest.raises(error, match=match) as caught:
        fetch([card])
    message = str(caught.value)
    assert "\n" not in message
    assert caught.value.exit_code == 1
    assert not installed()
    return message


def test_a_download_is_installed_and_reported(server, checkpoint):
    server.content, seen = checkpoint, []
    entry = fetch([card_at(server)], lambda done, total: seen.append((done, total)))[GENERIC.name]
    assert verify(entry) is State.OK
    assert seen[-1] == (len(checkpoint), len(checkpoint))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert files() == [f"models/{GENERIC.name}.json", f"models/{GENERIC.name}.safetensors"]
    load(GENERIC.name)
    # Once is enough.
    assert fetch([card_at(server)])[GENERIC.name] == entry
    assert len(server.requests) == 1


def test_a_broken_connection_is_continued_at_once(server, checkpoint):
    server.content, server.cuts = checkpoint, [20 * PIECE, 30 * PIECE]
    fetch([card_at(server)])
    assert [wanted for _, wanted, _ in server.requests] == [
        None,
        f"bytes={20 * PIECE}-",
        f"bytes={50 * PIECE}-",
    ]
    assert {check for _, wanted, check in server.requests if wanted} == {'"one"'}


def test_an_interrupted_download_goes_on_in_the_next_run(server, checkpoint):
    server.content = checkpoint

    def stop(done, _):
        if done > 10_000_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch([card_at(server)], stop)
    assert [name.rsplit(".")[-1] for name in files()] == ["json", "part"]
    seen = []
    fetch([card_at(server)], lambda done, _: seen.append(done))
    first = int(server.requests[1][1].removeprefix("bytes=").rstrip("-"))
    assert first > 10_000_000
    assert seen[0] > first
    assert len(server.requests) == 2
    load(GENERIC.name)


@pytest.mark.parametrize("how", ["if-range", "other etag", "other length", "no ranges"])
def test_parts_of_different_files_are_never_joined(server, checkpoint, how):
    """Between two runs the server's file changes, or the server turns out not to continue."""
    server.content, server.cuts = bytes(len(checkpoint)), [1_000_000, 0]
    refusal(card_at(server), match="run the same command again")
    server.cuts, server.content = [], checkpoint
    if how == "if-range":
        server.etag = '"two"'
    elif how == "other etag":
        server.etag, server.minds_if_range = '"two"', False
    elif how == "other length":
        server.content, server.minds_if_range = checkpoint + b"", False
        part = next(path for path in cache_folder().rglob("*.part"))
        said = part.with_suffix(".json")
        said.write_text(said.read_text().replace(str(len(checkpoint)), str(len(checkpoint) + 1)))
    else:
        server.ranges = False
    entry = fetch([card_at(server)])[GENERIC.name]
    assert verify(entry) is State.OK


def test_a_part_without_anything_to_compare_is_not_kept(server):
    server.content, server.etag, server.cuts = PAYLOAD, None, [2 * PIECE]
    message = refusal(card_at(server), match="ended after 524288 bytes of 1048576")
    assert "try again" in message
    assert files() == []


def test_a_short_file_is_kept_to_go_on_from(server):
    server.content, server.lie = PAYLOAD, 1000
    message = refusal(card_at(server), match=r"ended after 1048576 bytes of 1049576")
    assert "same command again" in message
    assert [name.rsplit(".")[-1] for name in files()] == ["json", "part"]


@pytest.mark.parametrize(
    ("tricks", "match"),
    [
        ({"page": "<html>too many</html>"}, "a web page instead of the file"),
        ({"content": b"<!DOCTYPE html><html></html>"}, "a web page instead of the file"),
        ({"status": 404}, "404 Not Found"),
        ({"status": 503}, "503 Service Unavailable"),
        ({"content": PAYLOAD}, "damaged, or no checkpoint"),
        ({"content": b""}, "damaged, or no checkpoint"),
    ],
)
def test_what_is_not_the_file_is_named_and_nothing_is_left(server, tricks, match):
    for name, value in tricks.items():
        setattr(server, name, value)
    message = refusal(card_at(server), match=match)
    assert "aucli models import FILE" in message
    assert files() == []


def test_a_wrong_checksum_leaves_nothing(server, checkpoint):
    server.content = checkpoint
    refusal(card_at(server, sha256="0" * 64), match="sha256 differs")
    assert files() == []


def test_another_file_than_at_first_use_is_refused(server, checkpoint):
    server.content = checkpoint
    entry = fetch([card_at(server)])[GENERIC.name]
    entry.weights_path.write_bytes(b"damaged")
    repaired = fetch([card_at(server)])[GENERIC.name]
    assert repaired == entry
    assert verify(repaired) is State.OK
    entry.weights_path.unlink()
    state = {**checkpoints.official_state(checkpoints.STAGE1)}
    state["head.sc"] = state["head.sc"] + 1
    other = cache_folder() / "other.pth"
    server.content = checkpoints.save(other, state).read_bytes()
    with pytest.raises(DownloadError, match=r"not the file that .* was first installed from"):
        fetch([card_at(server)])
    assert verify(entry) is State.MISSING


def test_a_checkpoint_of_another_network_is_refused(server, checkpoint):
    server.content = checkpoint
    card = generic("me_graphau", "resnet50", "bp4d", 2)
    refusal(dataclasses.replace(card, download=Download(server.url)), match="resnet18 for disfa")
    assert files() == []


def test_all_folds_of_an_archive_are_installed_together(server, folds):
    server.content = folds
    entries = fetch(fold_cards(server))
    assert set(entries) == {"tiny.fold1", "tiny.fold2", "tiny.fold3"}
    assert len({entry.card.sha256 for entry in entries.values()}) == 3
    assert len({entry.card.recorded["archive_sha256"] for entry in entries.values()}) == 1
    second = entries["tiny.fold2"]
    assert second.card.recorded["source_file"] == "ME/MEFARG_resnet18_DISFA_fold2.pth"
    assert any("fold2.pth" in note for note in second.card.notes)
    want = checkpoints.official_state(checkpoints.STAGE1)["head.sc"] + 2
    torch.testing.assert_close(load("tiny.fold2")[0].head.sc, want, rtol=0, atol=0)
    assert len(files()) == 6


def test_an_archive_that_lacks_a_fold_is_refused(server, tmp_path):
    state, names = checkpoints.official_state(checkpoints.STAGE1), ["a_fold1.pth", "a_fold1.pth.pth"]
    server.content = checkpoints.save_folds(tmp_path / "m.zip", state, names).read_bytes()
    with pytest.raises(DownloadError, match="no fold, or of one that came before"):
        fetch(fold_cards(server))
    server.content = checkpoints.save_folds(tmp_path / "m.zip", state, names[:1]).read_bytes()
    with pytest.raises(DownloadError, match=r"no file for tiny\.fold2, tiny\.fold3"):
        fetch(fold_cards(server))
    assert not [name for name in files() if name.startswith("downloads")]


def test_no_network(monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    card = dataclasses.replace(GENERIC, download=Download(f"http://127.0.0.1:{port}/m.pth"))
    refusal(card, match=r"no connection to 127\.0\.0\.1 \(.*refused\)")
    card = dataclasses.replace(GENERIC, download=Download("http://nowhere.invalid/m.pth"))
    refusal(card, match=r"no connection to nowhere\.invalid")
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
    refusal(card, match=r"the proxy to nowhere\.invalid does not work")
    assert files() == []


def test_a_server_that_stops_answering(server, monkeypatch):
    monkeypatch.setattr(download, "_TIMEOUT_SECONDS", 0.3)
    server.content, server.seconds_per_piece = PAYLOAD, 1.0
    refusal(card_at(server), match="ended after 0 bytes")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/m.pth"
        refusal(dataclasses.replace(GENERIC, download=Download(url)), match=r"127\.0\.0\.1 does not answer")


CHILD = """
import dataclasses, sys
from aucli.zoo.card import Download
from aucli.zoo.download import fetch
from aucli.zoo.published import generic
card = dataclasses.replace(generic("me_graphau", "resnet18", "disfa", 1), download=Download(sys.argv[1]))
print(fetch([card])[card.name].card.sha256)
"""


@pytest.mark.parametrize("limit", [300_000, 30_000_000])
def test_a_full_disk_is_one_line_and_nothing_is_left(server, tmp_path, limit):
    """While the file is fetched, and while the weights are written, which are twice as long as this file."""
    state = checkpoints.official_state(checkpoints.STAGE1)
    state = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
    server.content = checkpoints.save(tmp_path / "m.pth", state).read_bytes()
    assert 300_000 < len(server.content) < 30_000_000
    with largest_file(limit):
        message = refusal(card_at(server), OutputError, match="cannot write")
    assert "AUCLI_CACHE" in message
    assert files() == []


def test_two_processes_download_once(server, checkpoint):
    server.content, server.seconds_per_piece = checkpoint, 0.001
    command = [sys.executable, "-c", CHILD, server.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        while not server.requests and other.poll() is None:
            time.sleep(0.01)
        assert not installed()
        entry = fetch([card_at(server)])[GENERIC.name]
        assert other.communicate(timeout=120)[0] == f"{entry.card.sha256}\n"
    assert len(server.requests) == 1


def test_offline_refuses_what_is_not_there(monkeypatch):
    name = "open_graphau_resnet18.hybrid_stage1"
    with pytest.raises(UsageError, match="--offline forbids") as caught:
        pull(name, offline=True)
    assert caught.value.exit_code == 2
    monkeypatch.setenv("AUCLI_OFFLINE", "1")
    with pytest.raises(UsageError, match="AUCLI_OFFLINE=1 forbids"):
        pull(name)
    assert pull("builtin") == find("builtin")
    install(published()[name], {"a": torch.ones(1)}, {})
    assert pull(name) == installed()[name]
    with pytest.raises(UnknownModelError, match="hybrid_stage1"):
        pull("open_graphau_resnet18.hybrid_stage")


def test_an_imported_model_has_no_source_to_pull_from():
    entry = install(GENERIC, {"a": torch.ones(1)}, {})
    assert pull(GENERIC.name) == entry
    entry.weights_path.unlink()
    with pytest.raises(UsageError, match="imported from a file"):
        pull(GENERIC.name)


@pytest.fixture(scope="module")
def drive(tmp_path_factory):
    torch.manual_seed(0)
    spec = ModelSpec("open_graphau", "resnet18", "hybrid", 1)
    folder = tmp_path_factory.mktemp("drive")
    state = from_ours(spec, create_model(spec).state_dict())
    content = checkpoints.save(folder / "m.pth", checkpoints.with_module(state)).read_bytes()
    with DriveImitation(folder, content) as imitation:
        yield imitation


def test_pull_answers_drives_question_through_a_proxy(drive, monkeypatch):
    for name, value in drive.environment().items():
        monkeypatch.setenv(name, value)
    name = "open_graphau_resnet18.hybrid_stage1"
    drive.cuts = [80 * PIECE]
    entry = pull(name)
    assert entry == find(name)
    assert verify(entry) is State.OK
    assert known()[name].installed
    assert {tunnel.split(":")[0] for tunnel in drive.tunnels} == {
        "drive.google.com",
        "drive.usercontent.google.com",
    }
    assert [wanted for path, wanted, _ in drive.requests if path.startswith("/download")] == [
        None,
        f"bytes={80 * PIECE}-",
    ]
    network, card = load(name)
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 224, 224)).probabilities.shape == (1, 41)
    assert card.published == {"mean_f1": 0.2233, "accuracy": 0.9297}


def test_drives_page_about_the_quota_is_said(drive, monkeypatch):
    for name, value in drive.environment().items():
        monkeypatch.setenv(name, value)
    drive.quota = True
    name = "open_graphau_resnet50.hybrid_stage1"
    with pytest.raises(DownloadError, match="Too many users have viewed or downloaded this file") as caught:
        pull(name)
    drive.quota = False
    message = str(caught.value)
    assert published()[name].source in message
    assert "aucli models import FILE" in message
    assert "\n" not in message
    assert files() == []


def test_a_certificate_that_is_not_trusted_is_named(drive, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", drive.environment()["HTTPS_PROXY"])
    monkeypatch.setenv("NO_PROXY", "")
    with pytest.raises(DownloadError, match=r"no secure connection to drive\.google\.com"):
        pull("open_graphau_resnet50.hybrid_stage1")
