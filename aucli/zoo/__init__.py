"""Models by name: `from aucli.zoo import load`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import nn

    from aucli.zoo.card import Card


def load(model: str, device: str | torch.device = "cpu") -> tuple[nn.Module, Card]:
    """A network in eval mode without gradients, float32, and its card.

    `model` is a name, `builtin`, a card's .json file, or a checkpoint as the authors saved it. The
    network takes float32 (batch, 3, size, size) crops normalised as the card says and returns an
    `AUOutput` with `probabilities` (batch, AUs) in the order of `card.au_names`; with `edges=True` also
    `edge_logits` (batch, nodes * nodes, 4) where the system has them, and with `card.intensity` also
    `intensity` (batch, AUs). A network without probabilities (SCC; `card.probabilities`) returns an
    `IntensityOutput` with `intensities` (batch, AUs), `points` and `heatmaps`.
    One that reads clips (MDHR; `card.reads_clips`) takes (clips, frames, 3, size, size), 2 frames or more,
    and returns a `ClipOutput` with `probabilities` (clips, frames, AUs) and `region_logits`; for sequences of
    any length, as they come, see `aucli_models.mdhr_stream.Streams`.

    Raises:
        UnknownModelError: no such model.
        CheckpointError: the weights are missing, damaged, or not those of the card.
    """
    from aucli.zoo.network import load_network  # imports torch, which takes a second

    return load_network(model, device)
