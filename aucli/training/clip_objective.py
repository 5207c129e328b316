"""The loss of a network of clips: occurrences in every frame, and the joint states of each region's AUs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from aucli.training.counts import Counts
from aucli.training.losses import state_loss, weighted_asymmetric_loss
from aucli.training.recipe import StageRecipe
from aucli_models.mdhr_regions import Region


class ClipObjective(nn.Module):
    """The loss of a part of a batch, as its share of the whole batch's loss: shares add up.

    Source: Wang et al., CVPR 2024, section 3.3, with means over frames, AUs and regions where the paper has
    sums, as in the authors' code.

    Args:
        network: an MDHR of `create_model`.
        recipe: says how much the regions count.
        au_weights: (aus,), see `losses.au_weights`.
        frames: of each clip.
        autocast: type of the network's arithmetic, None for float32. Losses are float32.
    """

    au_weights: Tensor
    heads: None = None  # no others than the network's own

    def __init__(
        self,
        network: nn.Module,
        recipe: StageRecipe,
        au_weights: Tensor,
        *,
        frames: int,
        autocast: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.network: Any
        self.network = network
        self.recipe, self.frames, self.autocast = recipe, frames, autocast
        self.register_buffer("au_weights", au_weights.float(), persistent=False)
        regions: tuple[Region, ...] = self.network.regions
        self._columns = {
            region.name: [self.network.au_names.index(au) for au in region.aus] for region in regions
        }

    def forward(
        self,
        images: Tensor,
        labels: Tensor,
        intensity: Tensor | None,
        counts: tuple[int, ...],
        landmarks: Tensor | None = None,
    ) -> Tensor:
        """Images (clips * frames, 3, side, side) normalised, clip after clip; labels (clips * frames, aus);
        counts as in `Counts`. Intensities and landmarks are not learned.
        """
        known = Counts(*counts)
        with torch.autocast(images.device.type, self.autocast, enabled=self.autocast is not None):
            output = self.network(images.view(-1, self.frames, *images.shape[1:]))
        probabilities = output.probabilities.float().flatten(0, 1)
        loss = weighted_asymmetric_loss(probabilities, labels, self.au_weights, count=known.labels)
        logits = {region: x.flatten(0, 1) for region, x in output.region_logits.items()}
        states = state_loss(logits, labels, self._columns, count=known.states)
        return loss + self.recipe.state_weight * states
