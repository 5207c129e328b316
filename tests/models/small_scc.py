"""A small SCC with random weights as an installed model, for tests of what is made of intensities."""

import torch

from aucli.datatypes import CropConvention
from aucli.zoo.card import Card
from aucli.zoo.network import build
from aucli_models.au import AU_SETS
from tests.zoo.random_models import save_model


def card_file(folder, *, thresholds=None, au_set="bp4d_intensity"):
    """Card and weights in the folder; returns the path of the card. Its intensities lie about 0 to 5."""
    aus = AU_SETS[au_set]
    card = Card(
        name="scc_small.random",
        system="scc",
        backbone="resnet10_small",
        au_set=au_set,
        stage=1,
        weights="scc_small.random.safetensors",
        sha256=None,
        licence="MIT",
        training_data="None: random numbers. Synthetic.",
        description="A small SCC with random weights.",
        thresholds=thresholds or {},
        crop=CropConvention(112, 1.02, -0.16),
        probabilities=False,
        intensity=True,
        intensity_aus=aus,
    )
    torch.manual_seed(0)
    network = build(card)
    with torch.no_grad():
        network(torch.randn(8, 3, 112, 112))
        heatmaps = network.eval()(torch.randn(8, 3, 112, 112)).heatmaps
        centre, spread = heatmaps.mean((0, 2, 3)), heatmaps.amax((2, 3)).mean(0) - heatmaps.mean((0, 2, 3))
        factor = 2.5 * 255 / spread
        network.out.weight *= factor[:, None, None, None]
        network.out.bias -= centre
        network.out.bias *= factor
    return save_model(folder, card, network)
