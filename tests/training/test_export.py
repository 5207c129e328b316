"""From a network to the two files that `--model` takes, and back."""

import numpy as np
import pytest
import torch

from aucli.evaluation.metrics import f1
from aucli.training.export import export_model
from aucli.training.model_card import fit_card
from aucli.zoo import load
from aucli_models.au import AU_SETS
from aucli_models.me_graphau import MEGraphAU


def scores_of(labels, noise, seed):
    rng = np.random.default_rng(seed)
    return np.clip(0.35 + 0.3 * labels + rng.normal(0, noise, labels.shape), 0, 1).astype(np.float32)


def test_a_fitted_card_and_its_weights_load(tmp_path):
    torch.manual_seed(0)
    network = MEGraphAU("resnet10_small", "disfa", 1)
    aus = AU_SETS["disfa"]
    labels = (np.random.default_rng(1).random((400, len(aus))) < 0.3).astype(np.float32)
    scores = scores_of(labels, 0.1, 2)
    scores[:, 3] = np.random.default_rng(3).random(400)  # an AU that the network cannot see
    fitted = fit_card(scores, labels, aus)
    assert fitted["weak_aus"] == ("AU6",)
    for i, au in enumerate(aus):
        slope, intercept = fitted["calibration"][au]
        probability = 1 / (1 + np.exp(-(slope * scores[:, i] + intercept)))
        # Calibrated: on average as often as it says.
        assert probability.mean() == pytest.approx(labels[:, i].mean(), abs=0.02)
        assert f1(probability, labels[:, i], fitted["thresholds"][au]) == pytest.approx(
            fitted["validation"][au]["f1"], abs=0.01
        )
    fields = {
        "system": "me_graphau", "backbone": "resnet10_small", "au_set": "disfa", "stage": 1,
        "licence": "MIT", "training_data": "none", "description": "random",
    }  # fmt: skip
    card = export_model(network, tmp_path, "tiny", fields | fitted)
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
