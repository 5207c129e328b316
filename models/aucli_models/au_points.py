"""AUs as points of a picture and as heatmaps: SCC's targets and read-out.

Each AU has one to three places in the face. A map of a point is a Gaussian around the place whose height is
`UNIT` times the intensity; from a map, place and intensity are read at its highest value. Maps have a quarter
of the picture's side.
Source: Fan, Lam and Li, Facial Action Unit Intensity Estimation via Semantic Correspondence Learning with
Dynamic Graph Convolution, AAAI 2020, and the authors' code (github.com/EvelynFan/FAU).
"""

from __future__ import annotations

import torch
from torch import Tensor

from aucli_models.au import AU_SETS

UNIT = 255.0  # height of a map for each grade of intensity
SIGMA = 2.0  # pixels of a map
PICTURE_PIXELS = 4  # picture pixels for each pixel of a map

_COUNTS = {
    "bp4d_intensity": (2, 2, 2, 2, 2),
    # The authors draw three points of AU 9 in their code and answer that this is right and a figure of the
    # paper wrong; AU 4 has one.
    "disfa_intensity": (2, 2, 1, 2, 2, 3, 2, 2, 2, 2, 2, 2),
}


def points_per_au(au_set: str) -> tuple[int, ...]:
    """How many points each AU of the set has, in the set's order; two where the authors have none of it."""
    return _COUNTS.get(au_set, (2,) * len(AU_SETS[au_set]))


def point_names(au_set: str) -> tuple[str, ...]:
    """`AU06_1`, `AU06_2`, `AU10_1`, ...: the order of the maps and of the authors' annotation files."""
    return tuple(
        f"AU{int(au.removeprefix('AU')):02d}_{number}"
        for au, count in zip(AU_SETS[au_set], points_per_au(au_set), strict=True)
        for number in range(1, count + 1)
    )


def au_of_point(au_set: str) -> tuple[int, ...]:
    """Position in the set of the AU that each point belongs to."""
    return tuple(place for place, count in enumerate(points_per_au(au_set)) for _ in range(count))


def heatmap_targets(points: Tensor, intensities: Tensor, side: int) -> Tensor:
    """The maps that a network should give.

    points: (batch, points, 2), x, y in pixels of the picture; intensities: (batch, points), 0 to 5.
    side: of a map.

    Returns float32 (batch, points, side, side). The centre is the nearest whole pixel of the map, which may
    lie one outside for a point at the picture's right or lower edge.
    """
    centre = (points.float() / PICTURE_PIXELS + 0.5).floor()
    along = torch.arange(side, device=points.device, dtype=torch.float32)
    squared = (along - centre.unsqueeze(-1)).square()  # (batch, points, 2, side)
    distance = squared[:, :, 1].unsqueeze(-1) + squared[:, :, 0].unsqueeze(-2)
    height = UNIT * intensities.float()[..., None, None]
    return height * torch.exp(-distance / (2 * SIGMA**2))


def read_out(heatmaps: Tensor) -> tuple[Tensor, Tensor]:
    """Place and intensity of each point: of the first highest pixel, in row-major order.

    heatmaps: (batch, points, side, side). The place is moved a quarter of a map pixel towards the higher
    neighbour, in both directions, where the pixel is at least two from every edge of the map.

    Returns float32 (batch, points, 2), x, y in pixels of the picture, and float32 (batch, points), not cut
    off at 0 or 5.
    """
    maps = heatmaps.float()
    side = maps.shape[-1]
    flat = maps.flatten(2)
    # `max` promises no particular one of equal values.
    highest = flat.amax(-1, keepdim=True)
    place = torch.where(flat == highest, torch.arange(side * side, device=maps.device), side * side)
    place = place.amin(-1).clamp(max=side * side - 1)  # a map of NaN has no highest pixel
    x, y = place % side, place // side
    inside = (x > 1) & (x < side - 1) & (y > 1) & (y < side - 1)
    at = torch.where(inside, place, side + 1).unsqueeze(-1)  # anywhere with four neighbours

    def step(offset: int) -> Tensor:
        difference = flat.gather(-1, at + offset) - flat.gather(-1, at - offset)
        return 0.25 * difference.squeeze(-1).sign() * inside

    points = torch.stack([x + step(1), y + step(side)], dim=-1) * PICTURE_PIXELS
    return points, highest.squeeze(-1) / UNIT
