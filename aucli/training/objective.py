"""The loss of one stage: a network, its training heads, and what a batch contributes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from aucli.training.auxiliary import NODE_INTENSITY, AuxiliaryHeads
from aucli.training.losses import (
    edge_loss,
    intensity_loss,
    labelled_entries,
    labelled_pairs,
    node_places,
    weighted_asymmetric_loss,
)
from aucli.training.recipe import StageRecipe
from aucli_models.layers import IntensityHead


@dataclass(frozen=True)
class Counts:
    """Over a whole batch, whoever computes its parts: what is known of labels, edges and intensities."""

    labels: int
    pairs: int
    intensities: int

    @classmethod
    def of(cls, labels: Tensor, intensity: Tensor | None, au_names: Sequence[str]) -> Counts:
        """Labels (batch, aus) 1, 0 or -1; intensity (batch, aus), NaN where not known.

        Pairs are those of AUs that are nodes of the graph.

        Raises:
            ValueError: nothing is labelled.
        """
        measured = 0 if intensity is None else int(intensity.isfinite().sum())
        pairs = labelled_pairs(labels[:, node_places(au_names)])
        return cls(labelled_entries(labels), pairs, measured)


class Objective(nn.Module):
    """The loss of a part of a batch, as its share of the whole batch's loss: shares add up.

    Args:
        network: of `create_model`.
        recipe: says which losses there are.
        au_weights: float32 (aus,), see `losses.au_weights`.
        size: pixels of the pictures' sides, which the heads' size depends on.
        autocast: type of the network's arithmetic, None for float32. Losses are float32.
    """

    au_weights: Tensor
    node_places: Tensor

    def __init__(
        self,
        network: nn.Module,
        recipe: StageRecipe,
        au_weights: Tensor,
        *,
        size: int,
        autocast: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.network: Any
        self.network = network
        self.recipe = recipe
        self.autocast = autocast
        self.register_buffer("au_weights", au_weights.float(), persistent=False)
        self.register_buffer("node_places", node_places(self.network.au_names), persistent=False)
        self._tokens: Tensor | None = None
        self.heads: AuxiliaryHeads | None = None
        if recipe.auxiliary:
            self.heads = _auxiliary_heads(self.network, size)
            network.get_submodule("backbone").register_forward_hook(self._keep_tokens)

    def forward(
        self, images: Tensor, labels: Tensor, intensity: Tensor | None, counts: tuple[int, int, int]
    ) -> Tensor:
        """Images (batch, 3, side, side) normalised; labels (batch, aus); counts as in `Counts`."""
        known = Counts(*counts)
        with torch.autocast(images.device.type, self.autocast, enabled=self.autocast is not None):
            nodes, edges = self.network.node_features(images)
            edge_logits = None
            if self.recipe.edge_weight and edges is not None:
                edge_logits = self.network.edge_fc(edges).flatten(1, 2)
        probabilities = self.network.head(nodes.float())
        loss = weighted_asymmetric_loss(probabilities, labels, self.au_weights, count=known.labels)
        if edge_logits is not None:
            pairs = edge_loss(edge_logits.float(), labels[:, self.node_places], count=known.pairs)
            loss = loss + self.recipe.edge_weight * pairs
        if intensity is None:
            intensity = torch.full_like(labels, torch.nan)
        if self.network.intensity_head is not None:
            read = self.network.intensity_head(nodes.float())
            loss = loss + NODE_INTENSITY * intensity_loss(read, intensity, count=known.intensities)
        if self.heads is not None:
            assert self._tokens is not None
            aux = self.heads(self._tokens, nodes, labels, intensity, counts=(known.labels, known.intensities))
            loss = loss + aux
            self._tokens = None
        return loss

    def _keep_tokens(self, _module: nn.Module, _inputs: object, tokens: Tensor) -> None:
        self._tokens = tokens


def _auxiliary_heads(network: Any, size: int) -> AuxiliaryHeads:
    with torch.no_grad():
        tokens = network.eval().backbone(torch.zeros(1, 3, size, size))
    head = network.head
    aus = len(head.sc)
    from_nodes = None
    if network.intensity_head is None:
        from_nodes = IntensityHead(
            aus, network.channels, None if head.node_of_au is None else head.node_of_au.tolist()
        )
    return AuxiliaryHeads(aus, tokens.shape[1], tokens.shape[2], from_nodes)
