"""The published augmentation: a random crop, for ME-GraphAU a flip, and colour jitter; batched."""

from __future__ import annotations

import torch
from torch import Tensor

from aucli.training.crops import as_pictures, mirrored_half
from aucli.training.draws import Draws

JITTER = 0.4
_GREY = (0.299, 0.587, 0.114)


def published_crops(packed: Tensor, size: int, draws: Draws, *, flip: bool) -> tuple[Tensor, Tensor]:
    """float32 (faces, 3, size, size), 0 to 1: RandomCrop, RandomHorizontalFlip, ColorJitter(.4, .4, .4);
    and bool (faces,), which are flipped.

    packed: uint8 (faces, side, side, 3), 256 pixels for a size of 224.
    """
    crops, mirrored = random_crops(packed, size, draws, flip=flip)
    return colour_jitter(crops, draws), mirrored


def clip_crops(packed: Tensor, size: int, draws: Draws, *, flip: bool) -> tuple[Tensor, Tensor]:
    """The same for MDHR, whose code changes brightness, contrast and saturation always in this order.
    Pictures with the same place in `draws`, those of a clip, are all changed alike.
    """
    crops, mirrored = random_crops(packed, size, draws, flip=flip)
    factors = draws.uniform(3, low=1 - JITTER, high=1 + JITTER)
    return jittered(crops, factors, torch.arange(3, device=crops.device).expand(len(crops), 3)), mirrored


def random_crops(packed: Tensor, size: int, draws: Draws, *, flip: bool) -> tuple[Tensor, Tensor]:
    """Crops at whole pixels: float32 (faces, 3, size, size), 0 to 1; bool (faces,), which are mirrored."""
    faces, side = packed.shape[:2]
    start = draws.integers(2, below=side - size + 1)
    ticks = torch.arange(size, device=packed.device)
    down, right = start[:, :1] + ticks, start[:, 1:] + ticks  # (faces, size)
    mirrored = mirrored_half(packed, draws, flip=flip)
    right = torch.where(mirrored[:, None], right.flip(1), right)
    face = torch.arange(faces, device=packed.device)[:, None, None]
    return as_pictures(packed[face, down[:, :, None], right[:, None, :]]), mirrored


def colour_jitter(x: Tensor, draws: Draws) -> Tensor:
    """Brightness, contrast and saturation in random order, as torchvision's ColorJitter has them.

    x: float32 (faces, 3, height, width), 0 to 1. Each change blends the picture with another one: with
    black, with its mean grey, with itself in grey.
    """
    factors = draws.uniform(3, low=1 - JITTER, high=1 + JITTER)
    return jittered(x, factors, draws.orders(3))


def jittered(x: Tensor, factors: Tensor, orders: Tensor) -> Tensor:
    """The changes by factors (faces, 3) of brightness, contrast and saturation, in `orders` (faces, 3)."""
    grey_of = x.new_tensor(_GREY).view(3, 1, 1)
    for which in orders.unbind(1):
        factor = factors.gather(1, which[:, None])[:, :, None, None]
        grey = (x * grey_of).sum(1, keepdim=True)
        whole, mean = ((which == kind).to(x.dtype).view(-1, 1, 1, 1) for kind in (2, 1))
        other = grey * whole + grey.mean((2, 3), keepdim=True) * mean
        x = torch.lerp(other.expand_as(x), x, factor).clamp_(0.0, 1.0)
    return x
