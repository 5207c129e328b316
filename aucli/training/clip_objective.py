"""The loss of a network of clips: occurrences in every frame, and the joint states of each region's AUs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from aucli.training.counts import Counts
from aucli.training.losses import state_loss, weighted_asymmetric_loss
from aucli.training.objective import Objective
from aucli.training.recipe import StageRecipe
from aucli_models.mdhr_regions import Region
from aucli_models.output import ClipOutput


class ClipObjective(Objective):
    """See `Objective`; pictures are those of whole clips, one after another. Intensities are not learned.

    Source: Wang et al., CVPR 2024, section 3.3, with means over frames, AUs and regions where the paper has
    sums, as in the authors' code.

    Args:
        network: an MDHR of `create_model`.
        recipe: says how much the regions count.
        au_weights: (aus,), see `losses.au_weights`.
        frames: of each clip.
        autocast: see `Objective`.
    """

    au_weights: Tensor

    def __init__(
        self,
        network: nn.Module,
        recipe: StageRecipe,
        au_weights: Tensor,
        *,
        frames: int,
        autocast: torch.dtype | None = None,
    ) -> None:
        super().__init__(network, autocast)
        self.recipe, self.frames = recipe, frames
        self.register_buffer("au_weights", au_weights.float(), persistent=False)
        regions: tuple[Region, ...] = self.network.regions
        self._columns = {
            region.name: [self.network.au_names.index(au) for au in region.aus] for region in regions
        }

    def _output(self, images: Tensor) -> ClipOutput:
        output: ClipOutput = self.network(images.view(-1, self.frames, *images.shape[1:]))
        return output

    def _loss(
        self,
        output: ClipOutput,
        labels: Tensor,
        intensity: Tensor | None,
        landmarks: Tensor | None,
        known: Counts,
    ) -> Tensor:
        probabilities = output.probabilities.float().flatten(0, 1)
        loss = weighted_asymmetric_loss(probabilities, labels, self.au_weights, count=known.labels)
        logits = {region: x.flatten(0, 1) for region, x in output.region_logits.items()}
        states = state_loss(logits, labels, self._columns, count=known.states)
        return loss + self.recipe.state_weight * states
