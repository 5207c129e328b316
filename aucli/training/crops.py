"""From packed crops with a margin to what the network sees: the exact crop, and crops that stray from it.

A packed crop is cut like the network's, but with more around it, so that the exact crop is its centre.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from aucli.datatypes import CropConvention
from aucli.faces.align import similarity, target_points
from aucli.training.draws import Draws
from aucli.zoo.card import IMAGENET_MEAN, IMAGENET_STD


def packed_convention(convention: CropConvention, side: int) -> CropConvention:
    """The convention of packed crops of `side` pixels whose centre is the crop of `convention`."""
    part = convention.size / side
    return CropConvention(side, convention.scale * part, convention.shift_y * part)


def packed_side(size: int) -> int:
    """Pixels of a packed crop: 256 for 224, as the authors have it, and the same ratio for other sizes."""
    return size + 2 * round(size / 14)


def centre_crops(packed: Tensor, size: int) -> Tensor:
    """uint8 (faces, side, side, 3) -> float32 (faces, 3, size, size), 0 to 1: as `extract` cuts them."""
    start = (packed.shape[1] - size) // 2
    return as_pictures(packed[:, start : start + size, start : start + size])


def whole_crops(packed: Tensor, size: int) -> Tensor:
    """uint8 (faces, side, side, 3) -> float32 (faces, 3, size, size), 0 to 1: all of them, resized with
    antialiasing and rounded to whole steps of 8 bits, as Pillow does.
    """
    resized = F.interpolate(
        packed.permute(0, 3, 1, 2).float(), (size, size), mode="bilinear", antialias=True, align_corners=False
    )
    return resized.round_().clamp_(0, 255).div_(255)


def as_pictures(pixels: Tensor) -> Tensor:
    """uint8 (faces, height, width, 3) -> float32 (faces, 3, height, width), 0 to 1."""
    return pixels.permute(0, 3, 1, 2).float().div_(255)


def normalised(crops: Tensor) -> Tensor:
    """Crops 0 to 1 as the network reads them."""
    mean, std = (crops.new_tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    return ((crops - mean) / std).contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class Straying:
    """Standard deviations of what a crop strays by.

    MTCNN's points lie 0.03 to 0.05 distances between the eyes off on rendered faces, and on average
    0.04 too high at the eyes and 0.05 too low at the nose.
    """

    points: float = 0.05  # each landmark by itself, in distances between the eyes
    rotation: float = 0.12  # radians
    log_scale: float = 0.06
    shift: float = 0.025  # crop sides


def straying_crops(
    packed: Tensor, convention: CropConvention, draws: Draws, *, flip: bool, straying: Straying | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """float32 (faces, 3, size, size), 0 to 1: crops moved at random, with `flip` half of them mirrored;
    bool (faces,), which of them; and float64 (faces, 2, 3), from pixels of the packed crop to theirs.

    packed: uint8 (faces, side, side, 3). Beyond its edge the edge is repeated.
    """
    straying = straying or Straying()
    size, side, faces = convention.size, packed.shape[1], len(packed)
    points = torch.from_numpy(target_points(packed_convention(convention, side))).float()
    eyes = (points[1] - points[0]).norm()
    noisy = points + draws.normal(5, 2, scale=straying.points).cpu() * eyes
    to_crop = torch.eye(3, dtype=torch.float64).repeat(faces, 1, 1)
    to_crop[:, :2] = torch.from_numpy(similarity(noisy.numpy(), convention))
    to_crop = _moves(size, straying, draws) @ to_crop
    back = torch.linalg.inv(to_crop)[:, :2].to(packed.device)
    axis = torch.arange(size, dtype=torch.float64, device=packed.device)
    down, right = torch.meshgrid(axis, axis, indexing="ij")
    grid = torch.stack([right, down, torch.ones_like(right)], -1).view(-1, 3)
    places = (grid @ back.mT).view(faces, size, size, 2)
    mirrored = mirrored_half(packed, draws, flip=flip)
    turned = mirrored.double().cpu()
    places = torch.where(mirrored[:, None, None, None], places.flip(2), places)
    places = ((places + 0.5) * 2 / side - 1).float()
    crops = F.grid_sample(
        as_pictures(packed), places, mode="bilinear", padding_mode="border", align_corners=False
    )
    mirror = torch.eye(3, dtype=torch.float64).repeat(faces, 1, 1)
    mirror[:, 0, 0], mirror[:, 0, 2] = 1 - 2 * turned, (size - 1) * turned
    return crops, mirrored, (mirror @ to_crop)[:, :2].to(packed.device)


def mirrored_half(packed: Tensor, draws: Draws, *, flip: bool) -> Tensor:
    """Which pictures are to be mirrored: bool (faces,), half of them at random, or none."""
    if not flip:
        return torch.zeros(len(packed), dtype=torch.bool, device=packed.device)
    return draws.chance(0.5).flatten() > 0


def _moves(size: int, straying: Straying, draws: Draws) -> Tensor:
    """Random similarity transforms about the crop's centre: float64 (faces, 3, 3)."""
    angle = draws.normal(scale=straying.rotation).double().cpu()
    scale = draws.normal(scale=straying.log_scale).double().cpu().exp()
    moves = torch.zeros((len(draws), 3, 3), dtype=torch.float64)
    moves[:, 0, 0] = moves[:, 1, 1] = scale * angle.cos()
    moves[:, 1, 0] = scale * angle.sin()
    moves[:, 0, 1] = -moves[:, 1, 0]
    moves[:, 2, 2] = 1
    centre = torch.full((len(draws), 2, 1), size / 2, dtype=torch.float64)
    shift = draws.normal(2, 1, scale=straying.shift * size).double().cpu()
    moves[:, :2, 2:] = centre - moves[:, :2, :2] @ centre + shift
    return moves
