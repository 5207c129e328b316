"""The nearest-neighbour graph, sided AUs, intensities, and networks that do not exist."""

import numpy as np
import pytest
import torch

from aucli_models.au import AU_SETS
from aucli_models.fold import folded
from aucli_models.graph import NeighbourGraph, neighbour_graph
from aucli_models.registry import ModelSpec, create_model


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


SIDED = ModelSpec("me_graphau", "resnet10_small", "synth_sided", 2, 112, intensity=True)


@pytest.mark.parametrize("part", ["head", "intensity_head"])
def test_a_sided_au_reads_the_node_of_its_own_au(part):
    network = create_model(SIDED)
    assert AU_SETS["synth_sided"][:25] == AU_SETS["synth"]
    torch.nn.init.normal_(network.intensity_head.weight)
    head = network.get_submodule(part)
    nodes = torch.rand(1, 25, network.channels)
    for au, want in (("AU12", ["AU12", "AU12L", "AU12R"]), ("AU43", ["AU43"])):
        changed = nodes.clone()
        changed[:, AU_SETS["synth"].index(au)] = torch.rand(network.channels)
        moved = (head(nodes) != head(changed))[0].nonzero().flatten().tolist()
        assert [AU_SETS["synth_sided"][place] for place in moved] == want


def test_only_aus_without_a_side_are_in_the_graph():
    network = create_model(SIDED).eval()
    with torch.inference_mode():
        output = network(torch.rand(2, 3, 112, 112), edges=True)
    assert output.probabilities.shape == output.intensity.shape == (2, 39)
    assert output.edge_logits.shape == (2, 25 * 25, 4)
    assert network.head.sc.shape == (39, network.channels)
    assert network.graph.layers[0].bnv.num_features == 25


@pytest.mark.parametrize(("system", "au_set"), [("me_graphau", "synth"), ("open_graphau", "hybrid")])
def test_the_read_out_of_intensities_is_the_only_difference(system, au_set):
    plain, more = (
        create_model(ModelSpec(system, "resnet10_small", au_set, 1, 112, intensity=intensity)).eval()
        for intensity in (False, True)
    )
    assert list(more.state_dict()) == [*plain.state_dict(), "intensity_head.weight", "intensity_head.bias"]
    more.load_state_dict(plain.state_dict(), strict=False)
    images = torch.rand(2, 3, 112, 112)
    with torch.inference_mode():
        assert plain(images).intensity is None
        assert torch.equal(more(images).probabilities, plain(images).probabilities)


def test_intensities_are_linear_in_the_node_and_end_at_0_and_5():
    network = create_model(SIDED).eval()
    head, channels = network.intensity_head, network.channels
    rng = np.random.default_rng(0)
    weight = rng.normal(0, 0.3, (39, channels)).astype(np.float32)
    bias = rng.normal(0.5, 0.3, 39).astype(np.float32)
    head.load_state_dict({"weight": torch.from_numpy(weight), "bias": torch.from_numpy(bias)})
    nodes = rng.random((4, 25, channels)).astype(np.float32)
    of_au = [AU_SETS["synth"].index(au.rstrip("LR")) for au in AU_SETS["synth_sided"]]
    want = 5 * (np.einsum("bac,ac->ba", nodes[:, of_au], weight) + bias)
    assert (want < 0).any()
    assert (want > 5).any()
    with torch.inference_mode():
        cut = head(torch.from_numpy(nodes))
        np.testing.assert_allclose(cut, np.clip(want, 0, 5), atol=1e-4)
        np.testing.assert_allclose(head.train()(torch.from_numpy(nodes)), want, atol=1e-4)
        # Under bfloat16 the read-out itself still counts in float32.
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(head.eval()(torch.from_numpy(nodes)), cut)


def test_folding_keeps_intensities():
    torch.manual_seed(0)
    network = create_model(SIDED).eval()
    torch.nn.init.normal_(network.intensity_head.weight)
    images = torch.rand(2, 3, 112, 112)
    with torch.inference_mode():
        want, got = network(images).intensity, folded(network)(images).intensity
    assert 0 < float(want.mean()) < 5
    torch.testing.assert_close(got, want, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (ModelSpec("openface", "resnet18", "bp4d", 1), "unknown system 'openface'"),
        (ModelSpec("me_graphau", "resnet999", "bp4d", 1), "unknown backbone 'resnet999'"),
        (ModelSpec("me_graphau", "resnet18", "bp5d", 1), "unknown AU set 'bp5d'"),
        (ModelSpec("me_graphau", "resnet18", "bp4d", 3), "stages 1 and 2"),
        (ModelSpec("open_graphau", "resnet18", "hybrid", 0), "stages 1 and 2"),
        (ModelSpec("open_graphau", "resnet18", "disfa", 1), "predicts the set hybrid"),
    ],
)
def test_unknown_parts_are_named(spec, message):
    with pytest.raises(ValueError, match=message):
        create_model(spec)
