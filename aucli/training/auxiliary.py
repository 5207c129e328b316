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
    """Losses on occurrence and on intensity (0 to 5, scaled to 0 to 1).

    Args:
        tokens, channels: of the backbone's map.
        node_of_au: node that each AU reads, as in the network's own head; its length is the number of AUs.
    """

    node_of_au: Tensor

    def __init__(self, tokens: int, channels: int, node_channels: int, node_of_au: Tensor) -> None:
        super().__init__()
        aus = len(node_of_au)
        self.weights = AuxiliaryWeights()
        self.narrow = nn.Linear(channels, 32)
        self.from_map = nn.Linear(tokens * 32, 2 * aus)
        self.from_nodes = nn.Parameter(torch.zeros(aus, node_channels))
        self.node_bias = nn.Parameter(torch.zeros(aus))
        self.register_buffer("node_of_au", node_of_au, persistent=False)

    def forward(
        self, tokens: Tensor, nodes: Tensor, labels: Tensor, intensity: Tensor, *, counts: tuple[int, int]
    ) -> Tensor:
        """The loss of map tokens (batch, tokens, channels) and nodes (batch, nodes, channels).

        labels 1, 0 or -1 and intensity 0 to 5 or NaN: (batch, aus). counts: entries of the whole batch
        whose label and whose intensity is known, by which the sums are divided.
        """
        logits, of_map = self.from_map(F.relu(self.narrow(tokens.float())).flatten(1)).chunk(2, dim=1)
        of_nodes = (nodes.float()[:, self.node_of_au] * self.from_nodes).sum(-1) + self.node_bias
        weights, (labelled, measured) = self.weights, counts
        known, scaled = labels != -1, intensity.nan_to_num() / 5
        occurrence = F.binary_cross_entropy_with_logits(
            logits, labels.clamp(min=0), weight=known.float(), reduction="sum"
        )
        loss: Tensor = weights.occurrence * occurrence / labelled
        seen = intensity.isfinite()
        for predicted, weight in ((of_map, weights.map_intensity), (of_nodes, weights.node_intensity)):
            errors = F.smooth_l1_loss(predicted, scaled, beta=0.2, reduction="none")
            loss = loss + weight * errors.masked_fill(~seen, 0.0).sum() / max(measured, 1)
        return loss
