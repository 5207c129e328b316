"""From a network to the two files that `--model` takes, and back."""

import pytest
import torch

from aucli.training.export import export_model
from aucli.zoo import load
from aucli_models.au import AU_SETS
from aucli_models.me_graphau import MEGraphAU

FIELDS = {
    "system": "me_graphau", "backbone": "resnet10_small", "au_set": "disfa", "stage": 1,
    "licence": "MIT", "training_data": "none", "description": "random",
    "thresholds": dict.fromkeys(AU_SETS["disfa"], 0.5),
}  # fmt: skip


def test_a_card_and_its_weights_load(tmp_path):
    torch.manual_seed(0)
    network = MEGraphAU("resnet10_small", "disfa", 1)
    card = export_model(network, tmp_path, "tiny", FIELDS)
    again, loaded_card = load(str(tmp_path / "tiny.json"))
    assert loaded_card == card
    images = torch.randn(3, 3, 112, 112)
    with torch.inference_mode():
        want = network.eval()(images).probabilities
    torch.testing.assert_close(again(images).probabilities, want, rtol=0, atol=5e-3)  # float16 weights


def test_weights_beyond_float16_are_refused(tmp_path):
    network = MEGraphAU("resnet10_small", "disfa", 1)
    with torch.no_grad():
        network.head.sc[0, 0] = 1e6
    with pytest.raises(ValueError, match="float16 cannot hold"):
        export_model(network, tmp_path, "tiny", {})
    assert list(tmp_path.iterdir()) == []
