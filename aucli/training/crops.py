"""Aligned crops for training: the crop that `extract` would make, and crops that stray as a detector does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from aucli.datatypes import CropConvention
from aucli.faces.align import similarity


@dataclass(frozen=True)
class Straying:
    """Standard deviations of what a crop strays by.

    MTCNN's points lie 0.03 to 0.05 distances between the eyes off on these pictures, and on average
    0.04 too high at the eyes and 0.05 too low at the nose.
    """

    points: float = 0.05  # each landmark by itself, in distances between the eyes
    rotation: float = 0.12  # radians
    log_scale: float = 0.06
    shift: float = 0.025  # crop sides


def cut_crops(
    pictures: NDArray[np.uint8],
    points: NDArray[np.float32],
    convention: CropConvention,
    *,
    straying: Straying | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """float32 (faces, 3, size, size), 0 to 1.

    pictures: uint8 (faces, height, width, 3). points: float32 (faces, 5, 2), picture-left eye first.
    straying: None for exact crops; else crops are moved at random, and half of them mirrored.
    """
    faces, size = len(points), convention.size
    if straying is not None:
        eyes = np.linalg.norm(points[:, 1] - points[:, 0], axis=1).clip(min=20.0)
        noise = torch.randn((faces, 5, 2), generator=generator).numpy() * straying.points
        points = points + noise * eyes[:, None, None]
    to_crop = torch.eye(3, dtype=torch.float64).repeat(faces, 1, 1)
    to_crop[:, :2] = torch.from_numpy(similarity(points, convention))
    if straying is not None:
        to_crop = _moves(faces, size, straying, generator) @ to_crop
    axis = torch.arange(size, dtype=torch.float64)
    down, right = torch.meshgrid(axis, axis, indexing="ij")
    grid = torch.stack([right, down, torch.ones_like(right)], -1).view(-1, 3)
    places = (grid @ torch.linalg.inv(to_crop)[:, :2].mT).view(faces, size, size, 2)
    if straying is not None:
        mirrored = torch.rand((faces, 1, 1, 1), generator=generator) < 0.5
        places = torch.where(mirrored, places.flip(2), places)
    height, width = pictures.shape[1:3]
    places = (places + 0.5) * 2 / torch.tensor([width, height]) - 1
    source = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    return F.grid_sample(source, places.float(), mode="bilinear", padding_mode="border", align_corners=False)


def _moves(faces: int, size: int, straying: Straying, generator: torch.Generator | None) -> Tensor:
    """Random similarity transforms about the crop's centre: float64 (faces, 3, 3)."""

    def normal(count: int, deviation: float) -> Tensor:
        return torch.randn((faces, count), generator=generator).double() * deviation

    angle = normal(1, straying.rotation)[:, 0]
    scale = normal(1, straying.log_scale)[:, 0].exp()
    moves = torch.zeros((faces, 3, 3), dtype=torch.float64)
    moves[:, 0, 0] = moves[:, 1, 1] = scale * angle.cos()
    moves[:, 1, 0] = scale * angle.sin()
    moves[:, 0, 1] = -moves[:, 1, 0]
    moves[:, 2, 2] = 1
    centre = torch.full((faces, 2, 1), size / 2, dtype=torch.float64)
    moves[:, :2, 2:] = centre - moves[:, :2, :2] @ centre + normal(2, straying.shift * size).unsqueeze(-1)
    return moves
