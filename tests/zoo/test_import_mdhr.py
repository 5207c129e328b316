"""Checkpoints of MDHR as its authors save them: recognised, installed, refused; with formula weights."""

import pytest
import torch

from aucli.errors import CheckpointError
from aucli.zoo import load
from aucli.zoo.import_official import import_file
from aucli_models.registry import ModelSpec
from tests.models import golden_mdhr
from tests.models.golden import loaded
from tests.zoo.checkpoints import save, with_module

SPEC = ModelSpec("mdhr", "resnet18", "disfa", 1)


@pytest.fixture(scope="module")
def state():
    return golden_mdhr.formula_state(SPEC)


def test_a_checkpoint_of_a_fold_is_installed_with_its_card(state, tmp_path):
    (entry,) = import_file(save(tmp_path / "best_model_fold2.pth", with_module(state), optimizer={}))
    card = entry.card
    assert card.name == "mdhr_resnet18.disfa_fold2"
    assert (card.fold, card.clip_frames, card.frame_rate, card.crop.size) == (2, 16, 20.0, 224)
    assert any("7 frames before and after" in note for note in card.notes)
    assert "no licence" in card.licence
    network, _ = load(card.name)
    clip = golden_mdhr.make_clip("mdhr/clipA", 1, 3)
    with torch.inference_mode():
        torch.testing.assert_close(
            network(clip).probabilities, loaded(SPEC, state)(clip).probabilities, rtol=0, atol=1e-6
        )


def test_a_bare_state_dict_has_no_fold(state, tmp_path):
    torch.save(state, tmp_path / "best_model.pth")
    (entry,) = import_file(tmp_path / "best_model.pth")
    assert entry.card.name == "mdhr_resnet18.disfa"
    assert entry.card.fold is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"TCN.temporal_cnn.3.bias": None}, r"lacks TCN\.temporal_cnn\.3\.bias"),
        ({"LRM.mid_linear.fc.weight": torch.zeros(128, 128)}, r"unknown LRM\.mid_linear\.fc\.weight"),
        ({"CRM.gat.bias": torch.zeros(7)}, r"another shape of CRM\.gat\.bias"),
        ({"node_classifier.sc": torch.zeros(9, 128)}, "MDHR with 9 AUs: only 12 .* and 8"),
        ({"node_classifier.sc": None}, "MDHR without its AU vectors"),
    ],
)
def test_what_differs_is_named(state, tmp_path, change, message):
    changed = {key: value for key, value in {**state, **change}.items() if value is not None}
    with pytest.raises(CheckpointError, match=message):
        import_file(save(tmp_path / "m.pth", changed))
