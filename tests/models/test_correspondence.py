"""SCC's block: against the official code, and the cheap form against the plain one."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from aucli_models.correspondence import SemanticCorrespondence, nearest, squared_distances
from aucli_models.plain import PlainCorrespondence, to_plain
from aucli_models.registry import ModelSpec, create_model
from tests.models import golden, golden_scc

LEVELS = [(1, 256, 256, 1), (2, 128, 1024, 2), (3, 64, 4096, 4)]


@pytest.mark.parametrize(("level", "count", "values", "step"), LEVELS)
def test_blocks_of_the_official_code(level, count, values, step):
    """Tolerances of the golden README: an independent implementation agreed to 1.3e-5."""
    want = golden.arrays("scc_blocks")
    nodes = torch.from_numpy(golden_scc.nodes(f"scc/nodes/up{level}", count, values)).unsqueeze(0)
    block = golden_scc.network()[1].doublings[level - 1].correspondence
    near = nearest(nodes)[0].numpy()
    np.testing.assert_array_equal(np.sort(near), np.sort(want[f"up{level}_knn"]))
    distances = squared_distances(nodes)[0, 0].numpy()
    np.testing.assert_allclose(distances, want[f"up{level}_dist_row0"], rtol=1e-4, atol=1e-2)
    got = block.convolve(nodes)[0, :, ::step].numpy()
    np.testing.assert_allclose(got, want[f"up{level}_out_nodes"], rtol=0, atol=5e-5)


def randomised(module):
    torch.manual_seed(0)
    for key, value in module.state_dict().items():
        if key.endswith("bn.weight"):
            torch.nn.init.normal_(value)  # also below zero: the maximum must mind it
        elif key.endswith("running_var"):
            torch.nn.init.uniform_(value, 0.5, 1.5)
        elif key.endswith(("bias", "running_mean")):
            torch.nn.init.normal_(value)
    return module


@pytest.mark.parametrize("layout", ["authors", "channels"])
@pytest.mark.parametrize("training", [False, True])
def test_cheap_form_equals_the_plain_one(training, layout):
    """Output, gradients and running statistics, in float64."""
    ours = randomised(SemanticCorrespondence(12, 6, layout)).double().train(training)
    plain = PlainCorrespondence(12, 6, layout).double().train(training)
    plain.load_state_dict(ours.state_dict(), strict=True)
    maps = F.relu(torch.randn(3, 12, 6, 6, dtype=torch.float64))
    results = []
    for module in (ours, plain):
        copy = maps.clone().requires_grad_()
        out = module(copy)
        (out * torch.arange(out.numel(), dtype=torch.float64).view(out.shape).cos()).sum().backward()
        gradients = [p.grad for p in module.parameters()]
        results.append([out, copy.grad, *gradients, *(b.clone() for b in module.buffers())])
    assert results[0][0].shape == maps.shape
    assert float(results[0][0].detach().max()) > 0
    for got, want in zip(*results, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-9)


def test_layouts_of_nodes():
    """As TensorFlow reshapes a map with channels last, and as the paper says."""
    maps = torch.arange(2 * 4 * 2 * 2.0).view(2, 4, 2, 2)
    flat = maps.permute(0, 2, 3, 1).numpy().reshape(2, 4, 4)
    authors = SemanticCorrespondence(4, 2, "authors")
    np.testing.assert_array_equal(authors.to_nodes(maps).numpy(), flat)
    channels = SemanticCorrespondence(4, 2, "channels")
    np.testing.assert_array_equal(channels.to_nodes(maps).numpy(), maps.flatten(2).numpy())
    for block in (authors, channels):
        torch.testing.assert_close(block.to_maps(block.to_nodes(maps), maps), maps)


def test_less_than_half_the_work_of_the_plain_form():
    spec = ModelSpec("scc", "resnet50", "bp4d_intensity", 1, 256)
    counted = []
    with torch.device("meta"):
        network = create_model(spec).eval()
    with torch.inference_mode():
        network.to_empty(device="cpu")
        for value in network.state_dict(keep_vars=True).values():
            value.zero_()  # what is computed does not matter
        for form in (network, to_plain(network)):
            with FlopCounterMode(display=False) as counter:
                form.out(form.doublings(form.backbone(torch.zeros(1, 3, 256, 256)).mT.view(1, 2048, 8, 8)))
            counted.append(counter.get_total_flops() / 2e9)
    ours, plain = counted
    assert plain == pytest.approx(23.3, abs=0.2)  # thousand million, as counted on the official code
    assert plain > 2 * ours
