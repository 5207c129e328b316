"""A tiny MDHR with random weights, and pictures that move: tests of everything but the authors' numbers."""

from dataclasses import replace

import torch

from aucli.zoo.card import Card
from aucli_models.mdhr import MDHR
from tests.zoo.random_models import save_model


def small(au_set="bp4d", seed=0):
    """On `resnet10_small`, 112 pixels; batch norms with statistics of their own. In eval mode."""
    torch.manual_seed(seed)
    network = MDHR("resnet10_small", au_set).eval().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return network


def moving(clips, frames, seed=1):
    """Pictures that drift, float32 (clips, frames, 3, 112, 112), normalised."""
    generator = torch.Generator().manual_seed(seed)
    steps = torch.randn(clips, frames, 3, 14, 14, generator=generator).cumsum(1)
    return torch.nn.functional.interpolate(steps.flatten(0, 1), scale_factor=8).unflatten(0, (clips, frames))


def card_file(folder, au_set="bp4d", **changes):
    """A card of the tiny network with its weights, as if somebody had trained it; returns its path."""
    network = small(au_set)
    card = Card(
        name="tiny_mdhr",
        system="mdhr",
        backbone="resnet10_small",
        au_set=au_set,
        stage=1,
        weights="tiny_mdhr.safetensors",
        sha256=None,
        licence="none",
        training_data="none",
        description="Random weights.",
        thresholds=dict.fromkeys(network.au_names, 0.5),
        clip_frames=16,
        frame_rate=25.0,
    )
    return save_model(folder, replace(card, **changes), network)
