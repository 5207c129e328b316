"""ME-GraphAU against the official code's own numbers (formula weights), and its exact cheap edge features."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from aucli_models.au import AU_SETS
from aucli_models.graph import EdgeFeatures, NeighbourGraph, neighbour_graph
from aucli_models.me_graphau import MEGraphAU, from_official
from aucli_models.registry import ModelSpec, create_model
from tests.models import golden

CASES = [
    ("resnet18", "disfa", 1),
    ("resnet18", "disfa", 2),
    ("resnet50", "bp4d", 1),
    ("resnet50", "bp4d", 2),
]


def loaded(backbone, au_set, stage):
    network = MEGraphAU(backbone, au_set, stage)
    state = golden.official_state(f"me_{backbone}_{au_set}_stage{stage}")
    network.load_state_dict(from_official(state), strict=True)
    return network.eval().requires_grad_(False)


@pytest.mark.parametrize(("backbone", "au_set", "stage"), CASES)
def test_official_numbers(backbone, au_set, stage):
    name = f"me_{backbone}_{au_set}_stage{stage}"
    info, want = golden.manifest(name), golden.arrays(name)
    assert AU_SETS[au_set] == tuple(f"AU{number}" for number in info["au_order"])
    network = loaded(backbone, au_set, stage)
    assert sum(p.numel() for p in network.parameters()) == info["num_parameters"]
    images = golden.normalised(want["images_u8"])
    out = network(images, edges=True)
    # The golden README's tolerances; the smallest real mistake it lists moves a probability by 3.5e-5.
    np.testing.assert_allclose(out.probabilities, want["prob"], rtol=0, atol=2e-5)
    assert network(images).edge_logits is None
    if stage == 1:
        assert out.edge_logits is None
        maps = network.au_features(network.global_linear(network.backbone(images)))
        np.testing.assert_allclose(maps.mean(2), want["f_v_in"], rtol=0, atol=1e-4 * want["f_v_in"].max())
        adjacency = neighbour_graph(maps.mean(2), network.graph.neighbours)
        np.testing.assert_array_equal(adjacency, want["adjacency"])
        for metric in ("cosine", "l1"):
            network.graph.metric = metric
            want_prob = want[f"prob_metric_{metric}"]
            np.testing.assert_allclose(network(images).probabilities, want_prob, rtol=0, atol=2e-5)
    else:
        np.testing.assert_allclose(out.edge_logits, want["edge_logits"], rtol=0, atol=2e-3)


def plain_edge_features(module, au_maps, tokens):
    """The paper's form, with a (tokens, channels) map for every pair: the readable reference."""
    batch, aus, count, channels = au_maps.shape
    over_picture = module.FAM(au_maps, tokens.unsqueeze(1))
    start = over_picture.unsqueeze(1).expand(batch, aus, aus, count, channels)
    end = over_picture.unsqueeze(2).expand(batch, aus, aus, count, channels)
    edges = module.bn(module.edge_proj(module.ARM(start, end)).flatten(1, 2))
    return edges.mean(-2).unflatten(1, (aus, aus))


@pytest.mark.parametrize("training", [False, True])
def test_edge_features_equal_the_plain_form(training):
    """Outputs, gradients and running statistics, in float64 so that only algebra can differ."""
    torch.manual_seed(0)
    ours = EdgeFeatures(5, 16).double().train(training)
    torch.nn.init.uniform_(ours.bn.weight, 0.5, 1.5)
    torch.nn.init.normal_(ours.bn.running_mean)
    reference = EdgeFeatures(5, 16).double().train(training)
    reference.load_state_dict(ours.state_dict())
    maps = F.relu(torch.randn(3, 5, 9, 16, dtype=torch.float64))
    tokens = F.relu(torch.randn(3, 9, 16, dtype=torch.float64))
    weight = torch.randn(3, 5, 5, 16, dtype=torch.float64)
    # The attention itself is float32 inside (autocast safety), hence 1e-5 and not 1e-12.
    got, want = ours(maps, tokens), plain_edge_features(reference, maps, tokens)
    torch.testing.assert_close(got.double(), want, rtol=1e-5, atol=1e-5)
    (got * weight).sum().backward()
    (want * weight).sum().backward()
    for (key, parameter), other in zip(ours.named_parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, other.grad, rtol=1e-3, atol=1e-4, msg=key)
    for key in ("running_mean", "running_var", "num_batches_tracked"):
        torch.testing.assert_close(getattr(ours.bn, key), getattr(reference.bn, key), rtol=1e-5, atol=1e-6)


def test_batch_does_not_change_a_picture():
    network = loaded("resnet18", "disfa", 2)
    torch.manual_seed(1)
    images = torch.randn(6, 3, 224, 224)
    alone = torch.cat([network(image[None]).probabilities for image in images])
    torch.testing.assert_close(network(images).probabilities, alone, rtol=0, atol=1e-6)


def test_ties_all_count_and_rows_receive():
    nodes = torch.tensor([[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])
    want = torch.tensor([[[1.0, 1, 0], [1, 1, 0], [0, 0, 1]]])
    torch.testing.assert_close(neighbour_graph(nodes, 1), want)
    torch.testing.assert_close(neighbour_graph(nodes, 2)[0, 2], torch.ones(3))


@pytest.mark.parametrize("neighbours", [0, 4])
def test_impossible_neighbours_are_refused(neighbours):
    with pytest.raises(ValueError, match="choose 1 to 3"):
        neighbour_graph(torch.ones(1, 3, 2), neighbours)


def test_unknown_metric_is_refused():
    with pytest.raises(ValueError, match="choose dots"):
        NeighbourGraph(3, 2, 1, metric="manhattan")(torch.ones(2, 3, 2))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (ModelSpec("openface", "resnet18", "bp4d", 1), "unknown system 'openface'"),
        (ModelSpec("me_graphau", "resnet999", "bp4d", 1), "unknown backbone 'resnet999'"),
        (ModelSpec("me_graphau", "resnet18", "bp5d", 1), "unknown AU set 'bp5d'"),
        (ModelSpec("me_graphau", "resnet18", "bp4d", 3), "stages 1 and 2"),
    ],
)
def test_unknown_parts_are_named(spec, message):
    with pytest.raises(ValueError, match=message):
        create_model(spec)


def test_missing_and_surplus_keys_are_refused():
    state = from_official(golden.official_state("me_resnet18_disfa_stage1"))
    with pytest.raises(RuntimeError, match=r"graph\.edge_features"):
        MEGraphAU("resnet18", "disfa", 2).load_state_dict(state, strict=True)
