"""The authors' checkpoints through the zoo: the same numbers; one line for what is no checkpoint."""

import io
import json
import os
import pickle
import tarfile
import warnings
import zipfile

import numpy as np
import pytest
import torch
from safetensors import safe_open

from aucli.errors import CheckpointError, InputNotFoundError, UsageError
from aucli.zoo import load
from aucli.zoo.catalogue import find, known
from aucli.zoo.import_official import import_file, read_official
from aucli.zoo.store import State, installed, models_folder, sha256_of, verify
from aucli_models.registry import ModelSpec
from tests.models import golden
from tests.zoo import checkpoints
from tests.zoo.checkpoints import STAGE1, STAGE2, official_state


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A file as the authors' script leaves it: `module.`, epoch, and a real optimiser state."""
    state = official_state(STAGE2)
    path = tmp_path_factory.mktemp("official") / "cur_model.pth"
    more = {"optimizer": checkpoints.optimiser_state(state)}
    return checkpoints.save(path, checkpoints.with_module(state), **more)


def check_numbers(model, name):
    network, card = load(model)
    want = golden.arrays(name)
    with torch.inference_mode():
        out = network(golden.normalised(want["images_u8"]), edges="edge_logits" in want)
    np.testing.assert_allclose(out.probabilities.numpy(), want["prob"], rtol=0, atol=2e-5)
    if "edge_logits" in want:
        np.testing.assert_allclose(out.edge_logits.numpy(), want["edge_logits"], rtol=0, atol=2e-3)
    return card


def test_a_whole_checkpoint_gives_the_official_numbers_after_import(whole):
    (entry,) = import_file(whole)
    assert entry.card.name == "me_graphau_resnet18.disfa_stage2"
    assert entry.card.recorded == {"source_file": "cur_model.pth", "source_sha256": sha256_of(whole)}
    assert verify(entry) is State.OK
    card = check_numbers("me_graphau_resnet18.disfa_stage2", STAGE2)
    assert card == entry.card == installed()[card.name].card
    assert set(card.thresholds.values()) == {0.5}
    assert "no licence stated" in card.licence
    # Without the optimiser a third is left, as float32.
    assert entry.weights_path.stat().st_size < 0.36 * whole.stat().st_size
    with safe_open(entry.weights_path, "pt") as file:
        assert {file.get_slice(key).get_dtype() for key in file.keys()} == {"F32"}  # noqa: SIM118


def test_the_file_itself_is_a_model_too(whole):
    card = check_numbers(str(whole), STAGE2)
    assert card.sha256 == sha256_of(whole)
    assert card.name == "me_graphau_resnet18.disfa_stage2"
    assert not models_folder().exists()


@pytest.mark.parametrize("form", ["module", "bare", "legacy"])
def test_other_forms_of_the_file_give_the_same_numbers(tmp_path, form):
    state, path = official_state(STAGE1), tmp_path / "m.pth"
    if form == "module":
        checkpoints.save(path, checkpoints.with_module(state))
    elif form == "bare":
        torch.save(state, path)
    else:
        torch.save({"state_dict": state}, path, _use_new_zipfile_serialization=False)
    (entry,) = import_file(path)
    assert entry.card.name == "me_graphau_resnet18.disfa_stage1"
    check_numbers(entry.card.name, STAGE1)


def test_read_official_says_what_it_is(whole):
    spec, tensors = read_official(whole)
    assert spec == ModelSpec("me_graphau", "resnet18", "disfa", 2)
    assert "head.sc" in tensors


def test_an_import_twice_writes_once_and_another_file_needs_another_name(whole, tmp_path):
    (first,) = import_file(whole)
    written = first.weights_path.stat().st_mtime_ns
    assert import_file(whole) == [first]
    assert first.weights_path.stat().st_mtime_ns == written
    state = dict(official_state(STAGE2))
    state["head.sc"] = state["head.sc"] + 1
    other = checkpoints.save(tmp_path / "other.pth", state)
    with pytest.raises(UsageError, match="installed already, from another file"):
        import_file(other)
    (second,) = import_file(other, name="mine.v2")
    assert second.card.name == "mine.v2"
    assert {name for name, status in known().items() if status.origin == "imported"} == {
        "me_graphau_resnet18.disfa_stage2",
        "mine.v2",
    }
    # What was damaged is repaired by the same file.
    first.weights_path.write_bytes(b"x")
    assert import_file(whole) == [first]
    assert verify(first) is State.OK


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../x", "no name for a model"),
        ("", "no name for a model"),
        ("builtin", "in the package"),
        ("me_graphau_resnet10_small.synth", "in the package"),
        ("me_graphau_resnet50.bp4d_fold1", "another published model"),
    ],
)
def test_names_that_cannot_be_taken(whole, name, message):
    with pytest.raises(UsageError, match=message):
        import_file(whole, name=name)
    assert not installed()


def broken(state, change):
    state = dict(state)
    if change == "missing":
        del state["head.gnn.U1.weight"]
    elif change == "missing block":
        del state["head.class_linears.3.fc.bias"]
    elif change == "surplus":
        state["head.extra.weight"] = torch.zeros(2)
    elif change == "channels":
        state["head.gnn.U1.weight"] = torch.zeros(64, 64)
    elif change == "NaN":
        state["head.gnn.U1.weight"] = state["head.gnn.U1.weight"] * float("nan")
    elif change == "no tensor":
        state["head.gnn.U1.weight"] = [1.0, 2.0]
    elif change == "size bomb":
        state["head.gnn.U1.weight"] = torch.zeros(1).expand(2**40)
    elif change == "other system":
        state = {key.replace("head.sc", "head.scores"): value for key, value in state.items()}
    elif change == "bare backbone":
        state = {k.removeprefix("backbone."): v for k, v in state.items() if k.startswith("backbone.")}
    elif change == "twice":
        state["module.head.sc"] = state["head.sc"]
    return state


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("missing", r"lacks head\.gnn\.U1\.weight$"),
        ("missing block", r"lacks head\.class_linears\.3\.fc\.bias$"),
        ("surplus", r"unknown head\.extra\.weight$"),
        ("channels", r"shape of head\.gnn\.U1\.weight$"),
        ("NaN", r"not finite in head\.gnn\.U1\.weight$"),
        ("no tensor", r"head\.gnn\.U1\.weight.*no plain tensor"),
        ("size bomb", r"head\.gnn\.U1\.weight.*no plain tensor"),
        ("other system", "not weights of ME-GraphAU, OpenGraphAU, MDHR or SCC"),
        ("bare backbone", "a ResNet alone"),
        ("twice", "twice"),
    ],
)
def test_weights_that_do_not_fit_are_named_as_in_the_file(tmp_path, change, message):
    path = checkpoints.save(tmp_path / "m.pth", broken(official_state(STAGE2), change))
    for use in (import_file, load):
        with pytest.raises(CheckpointError, match=message) as caught:
            use(str(path))
        assert "\n" not in str(caught.value)
        assert caught.value.exit_code == 2
    assert not installed()


class Evil:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch '{self.path}'",)


@pytest.mark.parametrize("form", ["zip", "zip protocol 4", "legacy", "pickle", "numpy"])
def test_code_in_a_pickle_is_refused_and_does_not_run(tmp_path, form):
    ran, path = tmp_path / "ran", tmp_path / "evil.pth"
    content = {"state_dict": {"a": torch.ones(2)}, "optimizer": Evil(ran)}
    if form == "zip":
        torch.save(content, path)
    elif form == "zip protocol 4":
        torch.save(content, path, pickle_protocol=4)
    elif form == "legacy":
        torch.save(content, path, _use_new_zipfile_serialization=False)
    elif form == "pickle":
        path.write_bytes(pickle.dumps(Evil(ran)))
    else:
        torch.save({"state_dict": {}, "lr": np.float64(1)}, path)
    for use in (import_file, load):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(CheckpointError, match="would run code that it names") as caught:
                use(str(path))
        assert ("system" in str(caught.value)) == (form != "numpy")
    assert not ran.exists()
    # The same file does run it without that care, or the test would show nothing.
    if form != "numpy":
        torch.load(path, weights_only=False) if form != "pickle" else pickle.loads(path.read_bytes())
        assert ran.exists()


def flip_a_weight(content):
    place = content.find(b"PK\x01\x02") // 2  # well before the directory, so among the weights
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[:-100], "damaged"),
        (lambda content: content[: len(content) // 2], "damaged"),
        (flip_a_weight, "checksum of its part"),
        (lambda _: b"", "damaged, or no checkpoint"),
        (lambda _: b"hello\n" * 100, "damaged, or no checkpoint"),
        (lambda _: b"<!DOCTYPE html><html></html>", "damaged, or no checkpoint"),
        (lambda _: pickle.dumps([1, 2], 2), "damaged, or no checkpoint"),
    ],
)
def test_damaged_files_are_refused(tmp_path, damage, message):
    whole = tmp_path / "whole.pth"
    torch.save({"state_dict": {"a": torch.arange(100_000.0)}}, whole)
    path = tmp_path / "m.pth"
    path.write_bytes(damage(whole.read_bytes()))
    for use in (import_file, load):
        with pytest.raises(CheckpointError, match=message) as caught:
            use(str(path))
        assert "\n" not in str(caught.value)


def test_a_truncated_checkpoint_in_the_old_form_is_damaged(tmp_path):
    path = tmp_path / "m.pth"
    torch.save({"a": torch.ones(1000)}, path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match="damaged"):
        import_file(path)


def test_what_is_no_state_dict_is_refused(tmp_path):
    path = tmp_path / "m.pth"
    for content in ([1, 2], torch.ones(3), {}, {"epoch": 3}):
        torch.save(content, path)
        with pytest.raises(CheckpointError):
            import_file(path)
    with tarfile.open(path, "w") as archive:
        for name in ("storages", "tensors", "pickle"):
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(CheckpointError, match="tar format"):
        import_file(path)
    with pytest.raises(CheckpointError, match="folder"):
        import_file(tmp_path)
    with pytest.raises(InputNotFoundError):
        import_file(tmp_path / "none.pth")


def test_a_zip_of_folds_is_imported_one_by_one(tmp_path):
    names = [f"MEFARG_resnet18_DISFA_fold{fold}.pth" for fold in (1, 2, 3)]
    path = checkpoints.save_folds(tmp_path / "folds.zip", official_state(STAGE1), names[:1])
    # No ResNet-18 was published for DISFA, so the fold is nothing that a name could rest on.
    (entry,) = import_file(path)
    assert entry.card.name == "me_graphau_resnet18.disfa_stage1"
    assert entry.card.recorded["source_file"] == names[0]
    assert entry.card.recorded["archive_sha256"] == sha256_of(path)
    with pytest.raises(CheckpointError, match="aucli models import"):
        find(str(path))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("fold1.pth", b"nothing")
    with pytest.raises(CheckpointError, match=r"folds\.zip: fold1\.pth: damaged"):
        import_file(path)
    assert not list((models_folder().parent / "downloads").iterdir())


def test_the_card_that_is_written_can_be_read(whole):
    (entry,) = import_file(whole)
    values = json.loads((models_folder() / f"{entry.card.name}.json").read_text())
    assert values["sha256"] == sha256_of(entry.weights_path)
    assert values["crop"] == {"size": 224, "scale": 1.09, "shift_y": -0.2}


def test_a_card_beside_a_checkpoint_is_held_to_its_checksum(whole, tmp_path):
    card = find(str(whole)).card
    path = tmp_path / card.weights
    path.write_bytes(whole.read_bytes())
    (tmp_path / "card.json").write_text(json.dumps(card.to_json()))
    check_numbers(str(tmp_path / "card.json"), STAGE2)
    checkpoints.save(path, official_state(STAGE2))
    with pytest.raises(CheckpointError, match="sha256 differs"):
        load(str(tmp_path / "card.json"))
