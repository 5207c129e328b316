"""Heads that exist during training only: they give the backbone more to learn from than 0 and 1.

A network that starts from random weights learns slowly through ME-GraphAU's cosine head alone. The
first head reads the whole map with its positions, the second the nodes of the graph.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class AuxiliaryWeights:
    """Factor of each loss beside the network's own."""

    occurrence: float = 1.0
    map_intensity: float = 4.0
    node_intensity: float = 4.0


class AuxiliaryHeads(nn.Module):
    """Losses on occurrence and on intensity (0 to 5, scaled to 0 to 1)."""

    def __init__(self, tokens: int, channels: int, node_channels: int, aus: int) -> None:
        super().__init__()
        self.weights = AuxiliaryWeights()
        self.narrow = nn.Linear(channels, 32)
        self.from_map = nn.Linear(tokens * 32, 2 * aus)
        self.from_nodes = nn.Parameter(torch.zeros(aus, node_channels))
        self.node_bias = nn.Parameter(torch.zeros(aus))

    def forward(self, tokens: Tensor, nodes: Tensor, occurrence: Tensor, intensity: Tensor) -> Tensor:
        """The loss of map tokens (batch, tokens, channels) and nodes (batch, aus, channels).

        occurrence 0/1 and intensity 0 to 5: (batch, aus).
        """
        logits, of_map = self.from_map(F.relu(self.narrow(tokens.float())).flatten(1)).chunk(2, dim=1)
        of_nodes = (nodes.float() * self.from_nodes).sum(-1) + self.node_bias
        scaled, weights = intensity / 5, self.weights
        loss: Tensor = (
            weights.occurrence * F.binary_cross_entropy_with_logits(logits, occurrence)
            + weights.map_intensity * F.smooth_l1_loss(of_map, scaled, beta=0.2)
            + weights.node_intensity * F.smooth_l1_loss(of_nodes, scaled, beta=0.2)
        )
        return loss
