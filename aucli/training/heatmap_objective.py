"""The loss of SCC: how far its maps are from those of the coded intensities at the AUs' places.

Source: Fan, Lam and Li, AAAI 2020, and the authors' code: the mean squared error over all pixels of all maps.
Their penalty on the squares of weights is the optimiser's `weight_decay` (Adam's, not AdamW's).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from aucli.datasets.au_places import weights_of_landmarks
from aucli_models.au_points import au_of_point, heatmap_targets


class HeatmapObjective(nn.Module):
    """The loss of a part of a batch, as its share of the whole batch's loss: shares add up.

    Args:
        network: SCC of `create_model`. au_set: its AUs.
        autocast: type of the network's arithmetic, None for float32. The loss is float32.

    Raises:
        UsageError: an AU of the set has no place, see `au_places`.
    """

    places: Tensor
    owner: Tensor
    heads = None

    def __init__(self, network: nn.Module, au_set: str, *, autocast: torch.dtype | None = None) -> None:
        super().__init__()
        self.network: Any
        self.network = network
        self.autocast = autocast
        self.register_buffer("places", torch.from_numpy(weights_of_landmarks(au_set)), persistent=False)
        self.register_buffer("owner", torch.tensor(au_of_point(au_set)), persistent=False)
        each = torch.bincount(self.owner).float()
        # How many of a batch's points are known is told by its known intensities and the points of an AU.
        self._points_per_au = float(each.mean())

    def forward(
        self,
        images: Tensor,
        _labels: Tensor,
        intensity: Tensor | None,
        counts: tuple[int, ...],
        landmarks: Tensor | None = None,
    ) -> Tensor:
        """Images (batch, 3, side, side) normalised; intensity (batch, aus), NaN where not coded; landmarks
        (batch, 68, 2) in pixels of the images; counts as in `Counts`.
        """
        assert intensity is not None  # `job` has checked that the data have both
        assert landmarks is not None
        with torch.autocast(images.device.type, self.autocast, enabled=self.autocast is not None):
            heatmaps = self.network(images).heatmaps
        placed = landmarks.isfinite().all(2).all(1, keepdim=True)  # all points of a face are known, or none
        intensities = intensity[:, self.owner].masked_fill(~placed, torch.nan)
        points = self.places @ landmarks.nan_to_num()
        return heatmap_loss(heatmaps, points, intensities, count=counts[2] * self._points_per_au)


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
