"""The loss of SCC: how far its maps are from those of the coded intensities at the AUs' places.

Source: Fan, Lam and Li, AAAI 2020, and the authors' code: the mean squared error over all pixels of all maps.
Their penalty on the squares of weights is the optimiser's `weight_decay` (Adam's, not AdamW's).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from aucli.datasets.au_places import weights_of_landmarks
from aucli.training.counts import Counts
from aucli.training.objective import Objective
from aucli_models.au_points import au_of_point, heatmap_targets


class HeatmapObjective(Objective):
    """See `Objective`; labels are not learned.

    Args:
        network: SCC of `create_model`. au_set: its AUs.
        autocast: see `Objective`.

    Raises:
        UsageError: an AU of the set has no place, see `au_places`.
    """

    places: Tensor
    owner: Tensor

    def __init__(self, network: nn.Module, au_set: str, *, autocast: torch.dtype | None = None) -> None:
        super().__init__(network, autocast)
        self.register_buffer("places", torch.from_numpy(weights_of_landmarks(au_set)), persistent=False)
        self.register_buffer("owner", torch.tensor(au_of_point(au_set)), persistent=False)
        each = torch.bincount(self.owner).float()
        # How many of a batch's points are known is told by its known intensities and the points of an AU.
        self._points_per_au = float(each.mean())

    def _output(self, images: Tensor) -> Tensor:
        heatmaps: Tensor = self.network(images).heatmaps
        return heatmaps

    def _loss(
        self,
        output: Tensor,
        labels: Tensor,
        intensity: Tensor | None,
        landmarks: Tensor | None,
        known: Counts,
    ) -> Tensor:
        assert intensity is not None  # `job` has checked that the data have both
        assert landmarks is not None
        placed = landmarks.isfinite().all(2).all(1, keepdim=True)  # all points of a face are known, or none
        intensities = intensity[:, self.owner].masked_fill(~placed, torch.nan)
        points = self.places @ landmarks.nan_to_num()
        return heatmap_loss(output, points, intensities, count=known.intensities * self._points_per_au)


def heatmap_loss(
    heatmaps: Tensor, points: Tensor, intensities: Tensor, *, count: float | None = None
) -> Tensor:
    """Mean squared error of maps (batch, points, side, side) over all pixels of those that are known.

    points: (batch, points, 2), x, y in pixels of the picture; intensities: (batch, points), 0 to 5, NaN where
    not coded. count: known maps of the whole batch, for a part of it; else those that are here.
    """
    known = intensities.isfinite()
    target = heatmap_targets(points, intensities.nan_to_num(), heatmaps.shape[-1])
    squared = (heatmaps.float() - target).square().mean((2, 3)) * known
    return squared.sum() / max(known.sum().item() if count is None else count, 1)
