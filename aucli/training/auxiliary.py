"""Heads that exist during training only: they give the backbone more to learn from than 0 and 1.

A network that starts from random weights learns slowly through ME-GraphAU's cosine head alone. The
first head reads the whole map with its positions; the second reads intensities from the nodes of the graph,
unless the network has such a read-out of its own; the third places landmarks, where the data have them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from aucli.training.counts import Counts
from aucli.training.landmarks import LANDMARKS, landmark_loss
from aucli.training.losses import intensity_loss
from aucli_models.layers import MAX_INTENSITY, IntensityHead

NODE_INTENSITY = 4.0
"""Factor of the loss of intensities that are read from nodes, beside the network's own."""
_PLACE_CHANNELS = 48  # that the places are read from, of each position


@dataclass(frozen=True)
class AuxiliaryWeights:
    """Factor of each loss beside the network's own."""

    occurrence: float = 1.0
    map_intensity: float = 4.0
    landmarks: float = 10.0


class AuxiliaryHeads(nn.Module):
    """Losses on occurrence, on intensity (0 to 5) and on the places of landmarks.

    Args:
        aus: number of AUs.
        tokens, channels: of the backbone's map.
        from_nodes: reads intensities from the nodes; None where the network does.
        size: pixels of the pictures' side; None where they have no landmarks.
    """

    def __init__(
        self, aus: int, tokens: int, channels: int, from_nodes: IntensityHead | None, *, size: int | None
    ) -> None:
        super().__init__()
        self.weights = AuxiliaryWeights()
        self.narrow = nn.Linear(channels, 32)
        self.from_map = nn.Linear(tokens * 32, 2 * aus)
        self.from_nodes = from_nodes
        self.size = size
        self.places: nn.Sequential | None = None
        if size is not None:
            self.places = nn.Sequential(
                nn.Linear(channels, _PLACE_CHANNELS),
                nn.Flatten(),
                nn.Linear(tokens * _PLACE_CHANNELS, 2 * LANDMARKS),
            )

    def forward(
        self,
        tokens: Tensor,
        nodes: Tensor,
        labels: Tensor,
        intensity: Tensor,
        *,
        landmarks: Tensor | None,
        known: Counts,
    ) -> Tensor:
        """The loss of map tokens (batch, tokens, channels) and nodes (batch, nodes, channels).

        labels 1, 0 or -1 and intensity 0 to 5 or NaN: (batch, aus); landmarks (batch, 68, 2), pixels.
        known: how many of them the whole batch has, by which the sums are divided.
        """
        tokens = tokens.float()
        logits, of_map = self.from_map(F.relu(self.narrow(tokens)).flatten(1)).chunk(2, dim=1)
        weights, labelled, measured = self.weights, known.labels, known.intensities
        occurrence = F.binary_cross_entropy_with_logits(
            logits, labels.clamp(min=0), weight=(labels != -1).float(), reduction="sum"
        )
        loss: Tensor = weights.occurrence * occurrence / labelled
        of_map = intensity_loss(MAX_INTENSITY * of_map, intensity, count=measured)
        loss = loss + weights.map_intensity * of_map
        if self.from_nodes is not None:
            of_nodes = intensity_loss(self.from_nodes(nodes.float()), intensity, count=measured)
            loss = loss + NODE_INTENSITY * of_nodes
        if self.places is not None and self.size is not None and landmarks is not None:
            placed = landmark_loss(self.places(tokens), landmarks, size=self.size, count=known.coordinates)
            loss = loss + weights.landmarks * placed
        return loss
