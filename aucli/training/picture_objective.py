"""The loss of a network of pictures: occurrences, edges, intensities, and heads that only train it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from aucli.training.auxiliary import NODE_INTENSITY, AuxiliaryHeads
from aucli.training.counts import Counts
from aucli.training.losses import (
    edge_loss,
    intensity_loss,
    node_places,
    weighted_asymmetric_loss,
)
from aucli.training.objective import Objective
from aucli.training.recipe import StageRecipe
from aucli_models.layers import IntensityHead


class PictureObjective(Objective):
    """See `Objective`.

    Args:
        network: an ME-GraphAU or OpenGraphAU of `create_model`.
        recipe: says which losses there are.
        au_weights: float32 (aus,), see `losses.au_weights`.
        size: pixels of the pictures' sides, which the heads' size depends on.
        landmarks: whether the pictures have them, for a head that places them.
        autocast: see `Objective`.
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
        landmarks: bool = False,
        autocast: torch.dtype | None = None,
    ) -> None:
        super().__init__(network, autocast)
        self.recipe = recipe
        self.register_buffer("au_weights", au_weights.float(), persistent=False)
        self.register_buffer("node_places", node_places(self.network.au_names), persistent=False)
        self._tokens: Tensor | None = None
        if recipe.auxiliary:
            self.heads = _auxiliary_heads(self.network, size, landmarks=landmarks)
            network.get_submodule("backbone").register_forward_hook(self._keep_tokens)

    def _output(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Features of the nodes, and logits of the edges where they count."""
        nodes, edges = self.network.node_features(images)
        if not self.recipe.edge_weight or edges is None:
            return nodes, None
        return nodes, self.network.edge_fc(edges).flatten(1, 2)

    def _loss(
        self,
        output: tuple[Tensor, Tensor | None],
        labels: Tensor,
        intensity: Tensor | None,
        landmarks: Tensor | None,
        known: Counts,
    ) -> Tensor:
        nodes, edge_logits = output
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
            loss = loss + self.heads(self._tokens, nodes, labels, intensity, landmarks=landmarks, known=known)
            self._tokens = None
        return loss

    def _keep_tokens(self, _module: nn.Module, _inputs: object, tokens: Tensor) -> None:
        self._tokens = tokens


def _auxiliary_heads(network: Any, size: int, *, landmarks: bool) -> AuxiliaryHeads:
    with torch.no_grad():
        tokens = network.eval().backbone(torch.zeros(1, 3, size, size))
    head = network.head
    aus = len(head.sc)
    from_nodes = None
    if network.intensity_head is None:
        from_nodes = IntensityHead(
            aus, network.channels, None if head.node_of_au is None else head.node_of_au.tolist()
        )
    return AuxiliaryHeads(aus, tokens.shape[1], tokens.shape[2], from_nodes, size=size if landmarks else None)
