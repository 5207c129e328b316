"""Folding changes rounding only, and leaves the network that it was given alone."""

import pytest
import torch
from torch import nn

from aucli_models.fold import folded
from aucli_models.registry import ModelSpec, create_model


def trained_looking(spec):
    """Batch norms with statistics and affine parts that matter."""
    torch.manual_seed(0)
    network = create_model(spec).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0.0, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0.0, 0.1)
    return network


@pytest.mark.parametrize(
    ("system", "backbone", "au_set", "size"),
    [
        ("me_graphau", "resnet10_small", "synth", 112),
        ("me_graphau", "resnet18", "disfa", 224),
        ("me_graphau", "resnet50", "bp4d", 224),
        ("open_graphau", "swin_tiny", "hybrid", 224),
    ],
)
@pytest.mark.parametrize("stage", [1, 2])
def test_same_outputs(system, backbone, au_set, size, stage):
    network = trained_looking(ModelSpec(system, backbone, au_set, stage, size))
    keys = list(network.state_dict())
    images = torch.randn(2, 3, size, size)
    with torch.inference_mode():
        want, got = network(images, edges=True), folded(network)(images, edges=True)
    torch.testing.assert_close(got.probabilities, want.probabilities, rtol=0, atol=1e-6)
    if want.edge_logits is not None:
        largest = float(want.edge_logits.abs().max())  # about 100 with these random weights
        torch.testing.assert_close(got.edge_logits, want.edge_logits, rtol=0, atol=1e-4 * largest)
    assert list(network.state_dict()) == keys


def test_no_norm_is_left_before_the_graph():
    network = folded(create_model(ModelSpec("me_graphau", "resnet10_small", "synth", 2, 112)))
    left = [key for key, module in network.named_modules() if isinstance(module, nn.BatchNorm2d)]
    assert left == ["graph.edge_features.bn"]
    assert not any(parameter.requires_grad for parameter in network.parameters())
