"""The nearest-neighbour graph, and networks that do not exist."""

import pytest
import torch

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
