"""Augmentation of aligned face crops, batched on the device, strong enough to leave the rendered look behind.

Every random draw comes from one generator, so that a seed fixes a whole training run.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


class Augment:
    """Random changes of pictures float32 (batch, 3, side, side) with values 0..1."""

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def uniform(self, shape: tuple[int, ...], low: float, high: float) -> Tensor:
        return torch.rand(shape, generator=self.generator) * (high - low) + low

    def normal(self, shape: tuple[int, ...], scale: float) -> Tensor:
        return torch.randn(shape, generator=self.generator) * scale

    def chance(self, batch: int, probability: float) -> Tensor:
        """(batch, 1, 1, 1) of 0/1."""
        return (torch.rand((batch, 1, 1, 1), generator=self.generator) < probability).float()

    def __call__(self, pictures: Tensor) -> Tensor:
        """All changes of appearance; geometry is `crops.Straying`."""
        for change in (
            self.random_filter,
            self.resolution,
            self.blur,
            self.light,
            self.colour,
            self.noise,
            self.erase,
        ):
            pictures = change(pictures)
        return pictures.clamp(0.0, 1.0)

    def colour(self, x: Tensor) -> Tensor:
        """Gains and mixing of channels, saturation down to grey, contrast, gamma, brightness."""
        batch = len(x)
        mixing = torch.eye(3) + self.normal((batch, 3, 3), 0.05)
        grey = torch.tensor([0.299, 0.587, 0.114]).expand(3, 3)
        saturation = self.uniform((batch, 1, 1), 0.3, 1.7)
        saturation = torch.where(self.chance(batch, 0.12)[:, 0] > 0, torch.zeros(()), saturation)
        matrix = mixing @ (saturation * torch.eye(3) + (1 - saturation) * grey)
        x = (matrix @ x.flatten(2)).view_as(x)
        x = x * self.uniform((batch, 3, 1, 1), 0.85, 1.15)
        mean = x.mean((1, 2, 3), keepdim=True)
        x = (x - mean) * self.uniform((batch, 1, 1, 1), 0.6, 1.5) + mean + self.normal((batch, 1, 1, 1), 0.08)
        gamma = torch.exp(self.normal((batch, 1, 1, 1), 0.25))
        return x.clamp(1e-3, 1.0) ** gamma

    def light(self, x: Tensor) -> Tensor:
        """A smooth field of light and shadow with a random tint."""
        batch, side = len(x), x.shape[-1]
        field = self.normal((batch, 1, 3, 3), 0.3) + self.normal((batch, 3, 3, 3), 0.08)
        field = F.interpolate(field, size=(side, side), mode="bicubic", align_corners=True)
        return x * torch.exp(field * self.chance(batch, 0.5))

    def some(self, batch: int, share: float) -> Tensor:
        """Indices of the pictures that a costly change is made to."""
        return torch.nonzero(torch.rand(batch, generator=self.generator) < share).flatten()

    def random_filter(self, x: Tensor) -> Tensor:
        """Mix a few with themselves through a random 3 x 3 filter (Xu et al., RandConv, ICLR 2021)."""
        chosen = self.some(len(x), 0.15)
        if not len(chosen):
            return x
        kernel = self.normal((3, 3, 3, 3), 1.0) / 27**0.5
        share = self.uniform((len(chosen), 1, 1, 1), 0.0, 0.6)
        some = x[chosen]
        filtered = F.conv2d(F.pad(some, (1, 1, 1, 1), mode="replicate"), kernel)
        centred = filtered - filtered.mean((2, 3), keepdim=True)
        spread = some.std((2, 3), keepdim=True) / (filtered.std((2, 3), keepdim=True) + 1e-3)
        filtered = centred * spread + some.mean((2, 3), keepdim=True)
        return x.index_copy(0, chosen, some + (filtered - some) * share)

    def resolution(self, x: Tensor) -> Tensor:
        """A third of the pictures lose resolution, as small or badly compressed faces do."""
        side = x.shape[-1]
        small = int(self.uniform((1,), 26.0, 90.0).item())
        low = F.interpolate(x, size=(small, small), mode="bilinear", antialias=True)
        low = F.interpolate(low, size=(side, side), mode="bilinear")
        return torch.where(self.chance(len(x), 0.35) > 0, low, x)

    def blur(self, x: Tensor) -> Tensor:
        """Out-of-focus (Gaussian) for a fifth, motion blur along a random direction for a tenth."""
        ticks = torch.arange(-4, 5).float()
        sigma = float(self.uniform((1,), 0.4, 2.0))
        line = torch.exp(-0.5 * (ticks / sigma) ** 2)
        x = _filtered(x, self.some(len(x), 0.2), torch.outer(line, line))
        angle, length = self.uniform((1,), 0.0, math.pi), float(self.uniform((1,), 1.0, 4.0))
        down, right = torch.meshgrid(ticks, ticks, indexing="ij")
        along = right * torch.cos(angle) + down * torch.sin(angle)
        across = down * torch.cos(angle) - right * torch.sin(angle)
        return _filtered(x, self.some(len(x), 0.1), torch.exp(-across.square()) * (along.abs() <= length))

    def noise(self, x: Tensor) -> Tensor:
        """Sensor noise, fine and blotchy."""
        batch, side = len(x), x.shape[-1]
        level = self.uniform((batch, 1, 1, 1), 0.0, 0.07) * self.chance(batch, 0.4)
        x = x + torch.randn(x.shape, generator=self.generator) * level
        blotches = F.interpolate(self.normal((batch, 3, side // 8, side // 8), 0.04), size=(side, side))
        return x + blotches * self.chance(batch, 0.2)

    def erase(self, x: Tensor) -> Tensor:
        """Cover a rectangle with a flat colour: hands, hair, microphones."""
        batch, side = len(x), x.shape[-1]
        ticks = torch.arange(side).float()
        size = self.uniform((batch, 2), 0.1, 0.45) * side
        centre = self.uniform((batch, 2), 0.0, 1.0) * side
        inside_y = (ticks - centre[:, :1]).abs() < size[:, :1] / 2
        inside_x = (ticks - centre[:, 1:]).abs() < size[:, 1:] / 2
        mask = (inside_y[:, None, :, None] & inside_x[:, None, None, :]).float() * self.chance(batch, 0.3)
        return x + (self.uniform((batch, 3, 1, 1), 0.0, 1.0) - x) * mask


def _filtered(x: Tensor, chosen: Tensor, kernel: Tensor) -> Tensor:
    """X with the chosen pictures filtered by a (9, 9) kernel that is scaled to sum to one."""
    if not len(chosen):
        return x
    weight = (kernel / kernel.sum()).expand(3, 1, 9, 9)
    padded = F.pad(x[chosen], (4, 4, 4, 4), mode="replicate")
    return x.index_copy(0, chosen, F.conv2d(padded, weight, groups=3))
