"""Heads that exist during training only: they give the backbone more to learn from than 0 and 1.

A network that starts from random weights learns slowly through ME-GraphAU's cosine head alone. The
first head reads the whole map with its positions; the second reads intensities from the nodes of the graph,
unless the network has such a read-out of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from aucli.training.losses import intensity_loss
from aucli_models.layers import MAX_INTENSITY, IntensityHead

NODE_INTENSITY = 4.0
"""Factor of the loss of intensities that are read from nodes, beside the network's own."""


@dataclass(frozen=True)
class AuxiliaryWeights:
    """Factor of each loss beside the network's own."""

    occurrence: float = 1.0
    map_intensity: float = 4.0


class AuxiliaryHeads(nn.Module):
    """Losses on occurrence and on intensity (0 to 5).

    Args:
        aus: number of AUs.
        tokens, channels: of the backbone's map.
        from_nodes: reads intensities from the nodes; None where the network does.
    """

    def __init__(self, aus: int, tokens: int, channels: int, from_nodes: IntensityHead | None) -> None:
        super().__init__()
        self.weights = AuxiliaryWeights()
        self.narrow = nn.Linear(channels, 32)
        self.from_map = nn.Linear(tokens * 32, 2 * aus)
        self.from_nodes = from_nodes

    def forward(
        self, tokens: Tensor, nodes: Tensor, labels: Tensor, intensity: Tensor, *, counts: tuple[int, int]
    ) -> Tensor:
        """The loss of map tokens (batch, tokens, channels) and nodes (batch, nodes, channels).

        labels 1, 0 or -1 and intensity 0 to 5 or NaN: (batch, aus). counts: entries of the whole batch
        whose label and whose intensity is known, by which the sums are divided.
        """
        logits, of_map = self.from_map(F.relu(self.narrow(tokens.float())).flatten(1)).chunk(2, dim=1)
        weights, (labelled, measured) = self.weights, counts
        occurrence = F.binary_cross_entropy_with_logits(
            logits, labels.clamp(min=0), weight=(labels != -1).float(), reduction="sum"
        )
        loss: Tensor = weights.occurrence * occurrence / labelled
        of_map = intensity_loss(MAX_INTENSITY * of_map, intensity, count=measured)
        loss = loss + weights.map_intensity * of_map
        if self.from_nodes is not None:
            of_nodes = intensity_loss(self.from_nodes(nodes.float()), intensity, count=measured)
            loss = loss + NODE_INTENSITY * of_nodes
        return loss
