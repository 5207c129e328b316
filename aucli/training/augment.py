"""Augmentation of aligned face crops, batched, strong enough to leave the rendered look behind."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from aucli.training.draws import Draws

_GREY = (0.299, 0.587, 0.114)


def strong_appearance(pictures: Tensor, draws: Draws) -> Tensor:
    """All changes of appearance, of pictures float32 (batch, 3, side, side), 0 to 1; geometry is `crops`."""
    for change in (random_filter, resolution, blur, light, colour, noise, erase):
        pictures = change(pictures, draws)
    return pictures.clamp(0.0, 1.0)


def colour(x: Tensor, draws: Draws) -> Tensor:
    """Gains and mixing of channels, saturation down to grey, contrast, gamma, brightness."""
    eye = torch.eye(3, device=x.device)
    mixing = eye + draws.normal(3, 3, scale=0.05)
    grey = x.new_tensor(_GREY).expand(3, 3)
    saturation = draws.uniform(1, 1, low=0.3, high=1.7) * (1 - draws.chance(0.12)[:, 0])
    matrix = mixing @ (saturation * eye + (1 - saturation) * grey)
    x = (matrix @ x.flatten(2)).view_as(x)
    x = x * draws.uniform(3, 1, 1, low=0.85, high=1.15)
    mean = x.mean((1, 2, 3), keepdim=True)
    x = (x - mean) * draws.uniform(1, 1, 1, low=0.6, high=1.5) + mean + draws.normal(1, 1, 1, scale=0.08)
    gamma = torch.exp(draws.normal(1, 1, 1, scale=0.25))
    return x.clamp(1e-3, 1.0) ** gamma


def light(x: Tensor, draws: Draws) -> Tensor:
    """A smooth field of light and shadow with a random tint."""
    field = draws.normal(1, 3, 3, scale=0.3) + draws.normal(3, 3, 3, scale=0.08)
    field = F.interpolate(field, size=x.shape[2:], mode="bicubic", align_corners=True)
    return x * torch.exp(field * draws.chance(0.5))


def random_filter(x: Tensor, draws: Draws) -> Tensor:
    """Mix a few with themselves through a random 3 x 3 filter (Xu et al., RandConv, ICLR 2021)."""
    chosen = draws.some(0.15)
    kernels = draws.normal(3, 3, 3, 3, scale=27**-0.5)[chosen]
    share = draws.uniform(1, 1, 1, high=0.6)[chosen]
    if not len(chosen):
        return x
    some = x[chosen]
    padded = F.pad(some, (1, 1, 1, 1), mode="replicate").flatten(0, 1).unsqueeze(0)
    filtered = F.conv2d(padded, kernels.flatten(0, 1), groups=len(chosen)).view_as(some)
    centred = filtered - filtered.mean((2, 3), keepdim=True)
    spread = some.std((2, 3), keepdim=True) / (filtered.std((2, 3), keepdim=True) + 1e-3)
    filtered = centred * spread + some.mean((2, 3), keepdim=True)
    return x.index_copy(0, chosen, some + (filtered - some) * share)


_LOW = (0.25, 0.35, 0.5, 0.7)
"""Resolutions that a third of the pictures fall to, as parts of the side."""


def resolution(x: Tensor, draws: Draws) -> Tensor:
    """A third of the pictures lose resolution, as small or badly compressed faces do."""
    side = x.shape[-1]
    kind = draws.integers(below=3 * len(_LOW)).cpu()
    for number, part in enumerate(_LOW):
        chosen = torch.nonzero(kind == number).flatten().to(x.device)
        if len(chosen):
            small = F.interpolate(x[chosen], size=round(side * part), mode="bilinear", antialias=True)
            x = x.index_copy(0, chosen, F.interpolate(small, size=side, mode="bilinear"))
    return x


def blur(x: Tensor, draws: Draws) -> Tensor:
    """Out-of-focus (Gaussian) for a fifth, motion blur along a random direction for a tenth."""
    ticks = torch.arange(-4, 5, device=x.device).float()
    sigma = draws.uniform(1, low=0.4, high=2.0)
    line = torch.exp(-0.5 * (ticks / sigma) ** 2)
    x = _filtered(x, draws.some(0.2), line[:, :, None] * line[:, None, :])
    angle, length = draws.uniform(1, 1, high=math.pi), draws.uniform(1, 1, low=1.0, high=4.0)
    down, right = torch.meshgrid(ticks, ticks, indexing="ij")
    along = right * torch.cos(angle) + down * torch.sin(angle)
    across = down * torch.cos(angle) - right * torch.sin(angle)
    return _filtered(x, draws.some(0.1), torch.exp(-across.square()) * (along.abs() <= length))


def noise(x: Tensor, draws: Draws) -> Tensor:
    """Sensor noise, fine and blotchy."""
    side = x.shape[-1]
    level = draws.uniform(1, 1, 1, high=0.07)
    chosen = draws.some(0.4)
    x = x.index_add(0, chosen, draws.noise(x.shape[1:], chosen) * level[chosen])
    chosen = draws.some(0.2)
    blotches = draws.noise((3, side // 8, side // 8), chosen) * 0.04
    return x.index_add(0, chosen, F.interpolate(blotches, size=(side, side))) if len(chosen) else x


def erase(x: Tensor, draws: Draws) -> Tensor:
    """Cover a rectangle with a flat colour: hands, hair, microphones."""
    side = x.shape[-1]
    ticks = torch.arange(side, device=x.device).float()
    size = draws.uniform(2, low=0.1, high=0.45) * side
    centre = draws.uniform(2) * side
    inside_y = (ticks - centre[:, :1]).abs() < size[:, :1] / 2
    inside_x = (ticks - centre[:, 1:]).abs() < size[:, 1:] / 2
    mask = (inside_y[:, None, :, None] & inside_x[:, None, None, :]).float() * draws.chance(0.3)
    return x + (draws.uniform(3, 1, 1) - x) * mask


def _filtered(x: Tensor, chosen: Tensor, kernels: Tensor) -> Tensor:
    """X with the chosen pictures filtered by their kernels, (batch, 9, 9), scaled to sum to one."""
    if not len(chosen):
        return x
    kernels = kernels[chosen] / kernels[chosen].sum((1, 2), keepdim=True)
    weight = kernels.repeat_interleave(3, dim=0).unsqueeze(1)
    padded = F.pad(x[chosen], (4, 4, 4, 4), mode="replicate").flatten(0, 1).unsqueeze(0)
    filtered = F.conv2d(padded, weight, groups=3 * len(chosen))
    return x.index_copy(0, chosen, filtered.view(len(chosen), *x.shape[1:]))
