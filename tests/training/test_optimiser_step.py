"""One optimiser step in train mode, as the official code takes it: the exact edge features in training."""

import numpy as np
import pytest
import torch

from aucli.training.losses import edge_loss, weighted_asymmetric_loss
from aucli_models.me_graphau import MEGraphAU, from_official
from tests.models import golden


@pytest.mark.parametrize("stage", [1, 2])
def test_step_equals_the_official_one(stage):
    name = f"train_me_resnet18_disfa_stage{stage}"
    info, want = golden.manifest(name), golden.arrays(name)
    network = MEGraphAU("resnet18", "disfa", stage)
    state = golden.official_state(f"me_resnet18_disfa_stage{stage}")
    network.load_state_dict(from_official(state), strict=True)
    network.train()
    images = golden.normalised(golden.images(info["image_seed"], 4))
    labels = torch.from_numpy(want["labels"]).float()
    weights = torch.from_numpy(want["au_weights"])

    def loss_of():
        out = network(images, edges=stage == 2)
        loss = weighted_asymmetric_loss(out.probabilities, labels, weights)
        if stage == 2:
            loss = loss + info["lambda"] * edge_loss(out.edge_logits, labels)
        return loss, out.probabilities

    optimiser = torch.optim.AdamW(network.parameters(), **info["adamw"])
    loss, probabilities = loss_of()
    np.testing.assert_allclose(loss.item(), want["loss_before"], atol=1e-5)
    np.testing.assert_allclose(probabilities.detach(), want["prob_before"], atol=2e-5)
    loss.backward()
    total = torch.nn.utils.get_total_norm([p.grad for p in network.parameters() if p.grad is not None])
    np.testing.assert_allclose(total.item(), want["grad_total_norm"], rtol=5e-3)
    optimiser.step()
    ours = from_official({key[6:]: torch.from_numpy(want[key]) for key in want.files if key[:6] == "stat__"})
    after = network.state_dict()
    for key, value in ours.items():
        if value.ndim and not key.startswith("au_features"):
            np.testing.assert_allclose(after[key].flatten()[:64], value, rtol=1e-4, atol=1e-5, err_msg=key)
    loss, probabilities = loss_of()
    np.testing.assert_allclose(loss.item(), want["loss_after"], atol=5e-4)
    np.testing.assert_allclose(probabilities.detach(), want["prob_after"], atol=1e-3)
    network.eval()
    np.testing.assert_allclose(network(images).probabilities.detach(), want["prob_eval_after"], atol=1e-3)
