"""What every network returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class AUOutput:
    """Scores of a batch of faces.

    probabilities: float32 (batch, aus), 0 to 1, in the order of the network's AU set.
    edge_logits: float32 (batch, nodes * nodes, 4) or None, nodes being the AUs without a side, in their
        order; pair i * nodes + k, class 2 y_i + y_k.
    intensity: float32 (batch, aus), 0 to 5, or None from a network that has no such read-out.
    """

    probabilities: Tensor
    edge_logits: Tensor | None = None
    intensity: Tensor | None = None

    def __repr__(self) -> str:
        shapes = (
            f"{name}={None if value is None else tuple(value.shape)}" for name, value in vars(self).items()
        )
        return f"AUOutput({', '.join(shapes)})"


@dataclass(frozen=True)
class IntensityOutput:
    """What a network that measures intensities by heatmaps returns; it gives no probabilities.

    intensities: float32 (batch, aus), about 0 to 5 but not cut off there, in the order of the AU set.
    points: float32 (batch, points, 2), x, y in pixels of the picture; see `au_points.point_names`.
    heatmaps: float32 (batch, points, side, side); 255 is an intensity of 1.
    """

    intensities: Tensor
    points: Tensor
    heatmaps: Tensor

    def __repr__(self) -> str:
        shapes = (f"{name}={tuple(value.shape)}" for name, value in vars(self).items())
        return f"IntensityOutput({', '.join(shapes)})"


@dataclass(frozen=True)
class ClipOutput:
    """Scores of every frame of a batch of clips.

    probabilities: float32 (clips, frames, aus), 0 to 1, in the order of the network's AU set.
    region_logits: by the name of a region, float32 (clips, frames, 2 ^ its AUs): of the joint states of its
        AUs, the first one the most significant bit.
    """

    probabilities: Tensor
    region_logits: Mapping[str, Tensor]
