"""Names: what is known, what to do about a model that is not here, and which one is the default."""

import subprocess
import sys

import pytest
import torch

from aucli.errors import CheckpointError, UnknownModelError, UsageError
from aucli.zoo.catalogue import BUILTIN, BUILTIN_NAME, find, known
from aucli.zoo.default import config_folder, default_model, set_default
from aucli.zoo.published import generic
from aucli.zoo.store import install
from tests.zoo.checkpoints import STAGE1, official_state, save

RELEASED = "me_graphau_swin_base.bp4d_fold1"


def test_all_models_with_their_state():
    models = known()
    assert len(models) == 36
    assert models[BUILTIN_NAME].origin == "packaged"
    assert models[BUILTIN_NAME].entry == find(BUILTIN)
    assert not models[RELEASED].installed
    install(generic("me_graphau", "resnet18", "disfa", 1), {"a": torch.ones(1)}, {})
    models = known()
    assert models["me_graphau_resnet18.disfa_stage1"].origin == "imported"
    assert models["me_graphau_resnet18.disfa_stage1"].installed


def test_a_released_model_that_is_not_here_says_how_to_get_it():
    with pytest.raises(UnknownModelError) as caught:
        find(RELEASED)
    message = str(caught.value)
    assert f"aucli models pull {RELEASED}" in message
    assert "aucli models import FILE" in message
    assert "drive.google.com/file/d/1Ti0auMA5o94toJfszuHoMlSlWUumm9L8" in message
    assert caught.value.exit_code == 2


def test_nearest_names_are_of_all_models():
    with pytest.raises(UnknownModelError, match=r"me_graphau_swin_base\.bp4d_fold1"):
        find("me_graphau_swin_base.bp4d_fold")
    with pytest.raises(UnknownModelError, match=r"open_graphau_resnet50\.hybrid_stage2"):
        find("opengraphau_resnet50.hybrid_stage2")


def test_the_default_is_builtin_until_another_one_is_set(tmp_path, monkeypatch):
    assert default_model() == BUILTIN
    assert not config_folder().exists()
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "m.pth", official_state(STAGE1))
    set_default("m.pth")
    monkeypatch.chdir("/")
    assert default_model() == str(tmp_path / "m.pth")
    assert find(default_model()).card.name == "me_graphau_resnet18.disfa_stage1"
    set_default(BUILTIN_NAME)
    assert default_model() == BUILTIN_NAME
    assert [path.name for path in config_folder().iterdir()] == ["default_model.json"]


def test_what_cannot_be_loaded_does_not_become_the_default(tmp_path):
    set_default(BUILTIN_NAME)
    with pytest.raises(UnknownModelError):
        set_default(RELEASED)
    with pytest.raises(UnknownModelError):
        set_default("nothing")
    save(tmp_path / "m.pth", {**official_state(STAGE1), "more": torch.ones(1)})
    with pytest.raises(CheckpointError):
        set_default(str(tmp_path / "m.pth"))
    assert default_model() == BUILTIN_NAME


@pytest.mark.parametrize("content", ["", "[]", '{"model": 3}', '{"name": "x"}', "\0"])
def test_a_damaged_record_says_how_to_repair_it(content):
    config_folder().mkdir(parents=True)
    (config_folder() / "default_model.json").write_text(content)
    with pytest.raises(UsageError, match="aucli models use builtin"):
        default_model()
    set_default(BUILTIN)
    assert default_model() == BUILTIN


def test_nothing_here_imports_torch_or_the_network():
    code = (
        "import sys, aucli.zoo.catalogue, aucli.zoo.default, aucli.zoo.download, aucli.zoo.store;"
        "aucli.zoo.catalogue.known();"
        "print([name for name in ('torch', 'timm', 'requests', 'gdown') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
