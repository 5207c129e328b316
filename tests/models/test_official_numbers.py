"""Every golden network against the official code's own numbers: weights by formula, in the authors' keys."""

import numpy as np
import pytest
import torch

from aucli_models.au import AU_SETS, parse
from aucli_models.graph import neighbour_graph
from aucli_models.official import recognise
from tests.models import golden

NAMES = [
    "me_resnet18_disfa_stage1",
    "me_resnet18_disfa_stage2",
    "me_resnet50_bp4d_stage1",
    "me_resnet50_bp4d_stage2",
    "me_swin_tiny_bp4d_stage1",
    "me_swin_tiny_bp4d_stage2",
    "og_resnet50_stage1",
    "og_resnet50_stage2",
]
# The names of two metrics are swapped in the code of OpenGraphAU.
METRICS = {
    "me_graphau": {"cosine": "cosine", "l1": "l1"},
    "open_graphau": {"cosine": "cosine", "l1": "l2", "l2": "l1"},
}


@pytest.fixture(scope="module", params=NAMES)
def case(request):
    name = request.param
    state = golden.official_state(name)
    spec = recognise(state)
    assert spec == golden.spec_of(name)
    return name, spec, golden.loaded(spec, state)


def close(got, want, atol):
    np.testing.assert_allclose(got, want, rtol=0, atol=atol)


def close_to_largest(got, want):
    """The golden README's tolerance of a tap: 1e-4 of the array's largest magnitude."""
    close(got, want, 1e-4 * np.abs(want).max())


def test_probabilities_and_edges(case):
    """Tolerances of the golden README; the smallest real mistake it lists moves a probability by 3.5e-5."""
    name, spec, network = case
    want = golden.arrays(name)
    images = golden.normalised(want["images_u8"])
    out = network(images, edges=True)
    close(out.probabilities, want["prob"], 2e-5)
    assert network(images).edge_logits is None
    if spec.system == "me_graphau" and spec.stage == 2:
        close(out.edge_logits, want["edge_logits"], 2e-3)
    else:
        assert out.edge_logits is None


def test_probabilities_in_float64(case):
    """In float64 nothing but the formula is left to differ."""
    name, _, network = case
    want = golden.arrays(name)
    images = golden.normalised(want["images_u8"]).double()
    try:
        out = network.double()(images, edges=True)
    finally:
        network.float()
    close(out.probabilities, want["prob_f64"], 1e-12)
    if "edge_logits_f64" in want.files:
        close(out.edge_logits, want["edge_logits_f64"], 1e-9)


def test_everything_between(case):
    name, spec, network = case
    want = golden.arrays(name)
    tokens = network.backbone(golden.normalised(want["images_u8"]))
    step = tokens.shape[2] // 8
    close_to_largest(tokens[:, ::8, ::step], want["backbone_slice"])
    close_to_largest(tokens.mean((1, 2)), want["backbone_mean"])
    close_to_largest(tokens.std((1, 2), correction=0), want["backbone_std"])
    reduced = network.global_linear(tokens)
    step = reduced.shape[2] // 8
    close_to_largest(reduced[:, ::8, ::step], want["global_slice"])
    close_to_largest(reduced.std((1, 2), correction=0), want["global_std"])
    maps = network.au_features(reduced)
    nodes = maps.mean(2)
    close_to_largest(nodes, want["f_v_in"])
    if spec.stage == 1:
        close_to_largest(nodes @ nodes.mT, want["similarity"])
        adjacency = neighbour_graph(nodes, network.graph.neighbours)
        np.testing.assert_array_equal(adjacency, want["adjacency"])
        close_to_largest(network.graph(nodes), want["f_v_out"])
        return
    edges = network.graph.edge_features(maps, reduced).flatten(1, 2)
    step = edges.shape[2] // 16
    close_to_largest(edges[:, :, ::step], want["f_e_in_slice"])
    close_to_largest(edges.mean(2), want["f_e_in_mean"])
    nodes, edges = network.graph(maps, reduced)
    edges = edges.flatten(1, 2)
    close_to_largest(nodes, want["f_v_out"])
    close_to_largest(edges[:, :, ::step], want["f_e_out_slice"])
    close_to_largest(edges.mean(2), want["f_e_out_mean"])


def test_other_metrics(case):
    name, spec, network = case
    want = golden.arrays(name)
    given = {key.removeprefix("prob_metric_") for key in want.files if key.startswith("prob_metric_")}
    if spec.stage == 2:  # has no nearest neighbours
        assert not given
        return
    assert given == METRICS[spec.system].keys()
    images = golden.normalised(want["images_u8"])
    before = network.graph.metric
    try:
        for theirs, ours in METRICS[spec.system].items():
            network.graph.metric = ours
            close(network(images).probabilities, want[f"prob_metric_{theirs}"], 2e-5)
    finally:
        network.graph.metric = before


def test_order_and_size(case):
    name, spec, network = case
    info = golden.manifest(name)
    theirs = tuple(f"AU{au[1:]}{au[0]}" if au[0] in "LR" else f"AU{au}" for au in info["au_order"])
    assert theirs == AU_SETS[spec.au_set] == spec.au_names
    assert all(parse(au) for au in theirs)
    assert sum(p.numel() for p in network.parameters()) == info["num_parameters"]


@torch.no_grad()
@pytest.mark.parametrize("name", ["me_resnet18_disfa_stage1", "me_resnet18_disfa_stage2"])
def test_precisions(name):
    """bfloat16 stays near float32 on a CPU, and the probabilities are float32."""
    want = golden.arrays(name)
    spec = golden.spec_of(name)
    network = golden.loaded(spec, golden.official_state(name))
    with torch.autocast("cpu", torch.bfloat16):
        out = network(golden.normalised(want["images_u8"]), edges=True)
    assert out.probabilities.dtype == torch.float32
    close(out.probabilities, want["prob"], 2e-2)
