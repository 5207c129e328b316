"""Edges are given only where they are asked for, and change nothing else."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from aucli.config import ExtractConfig
from aucli.datatypes import Source
from aucli.inference.analyser import Analyser
from aucli.inference.predictor import Predictor
from aucli.media.probe import probe
from aucli.zoo import load
from aucli.zoo.catalogue import find
from aucli_models.au import unsided
from aucli_models.registry import ModelSpec, create_model
from tests.inference.analysed import EXAMPLES


@pytest.fixture(scope="module")
def with_edges():
    return Predictor("builtin", edges=True)


def test_pairs_are_the_networks_own_probability_of_both(with_edges, predictor):
    size = predictor.card.crop.size
    pictures = torch.rand(11, 3, size, size, generator=torch.manual_seed(0)) * 255  # more than a batch
    found, plain = with_edges(pictures), predictor(pictures)
    assert plain.pairs is None
    assert np.array_equal(found.outputs, plain.outputs)
    network, card = load("builtin")
    nodes = unsided(card.au_names)
    images = (pictures / 255 - torch.tensor(card.mean).view(3, 1, 1)) / torch.tensor(card.std).view(3, 1, 1)
    with torch.inference_mode():
        logits = network(images, edges=True).edge_logits.numpy().astype(np.float64)
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    both = (powers[..., 3] / powers.sum(-1)).reshape(-1, len(nodes), len(nodes))
    for i, k in ((0, 1), (5, 9), (24, 3)):
        assert found.pairs[:, i, k] == pytest.approx((both[:, i, k] + both[:, k, i]) / 2, abs=1e-4)
    assert np.array_equal(found.pairs, found.pairs.transpose(0, 2, 1))


def test_without_a_face_there_are_no_pairs(with_edges, predictor):
    nodes = len(unsided(predictor.card.au_names))
    size = predictor.card.crop.size
    assert with_edges(torch.zeros(0, 3, size, size)).pairs.shape == (0, nodes, nodes)
    assert predictor(torch.zeros(0, 3, size, size)).pairs is None


def test_results_with_edges_have_the_same_probabilities_and_the_pairs_of_their_faces():
    source = Source(EXAMPLES / "two_people.mp4", "two_people.mp4")
    config = ExtractConfig(detect_every=12)
    plain = list(Analyser(config, "cpu", 1).results(source, probe(source)))
    found = list(Analyser(config, "cpu", 1, edges=True).results(source, probe(source)))
    assert len(found) == len(plain) == 36
    for one, other in zip(found, plain, strict=True):
        assert np.array_equal(one.probabilities, other.probabilities)
        assert np.array_equal(one.occurrences, other.occurrences)
        assert other.pairs is None
        assert len(one.pairs) == len(one.faces)
    # One person smiles, the other raises the brows: each face has its own pairs.
    names = unsided(find("builtin").card.au_names)
    cheeks, corners = names.index("AU6"), names.index("AU12")
    smiling = np.array([frame.pairs[:, cheeks, corners] for frame in found[18:30]])
    assert abs(smiling[:, 0] - smiling[:, 1]).min() > 0.3


@pytest.mark.parametrize(
    ("system", "au_set", "stage"),
    [("me_graphau", "bp4d", 1), ("me_graphau", "bp4d", 2), ("open_graphau", "hybrid", 2)],
)
def test_a_card_says_whether_its_network_gives_edges(system, au_set, stage):
    card = find("builtin").card
    network = create_model(ModelSpec(system, "resnet18", au_set, stage, 64)).eval()
    with torch.inference_mode():
        given = network(torch.zeros(1, 3, 64, 64), edges=True).edge_logits is not None
    thresholds = dict.fromkeys(network.au_names, 0.5)
    made = replace(
        card,
        system=system,
        au_set=au_set,
        stage=stage,
        thresholds=thresholds,
        calibration={},
        weak_aus=(),
        intensity_aus=(),
        published_f1={},
    )
    assert made.gives_edges == given
